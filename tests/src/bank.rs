//! Accounts that transfer money to each other in rounds.
//!
//! What an account sends in a round depends on its balance; it goes into the next round when it has
//! the transfers of all others. So the final balances are a function of the initial ones, whatever
//! the delays: any transfer lost, doubled, or taken over from a rolled-back run changes them.

use std::collections::BTreeMap;

use actors_core::{Actor, Context, Handler, Link, Message, StartError, System};
use actors_node::{Hosts, Node, RemoteAddress, SuperviseRemotely};
use actors_supervise::{Strategy, Supervisor, SupervisorBuilder};
use checkpointing_framework::{GroupLink, GroupPlan, MemberPlan, Protection};
use crossbeam_channel::Sender;
use serde::{Deserialize, Serialize};

/// The initial balance of an account.
pub const INITIAL: u64 = 1_000_000;

/// An account.
pub struct Account {
    number: usize,
    rounds: u64,
    round: u64,
    balance: u64,
    others: Vec<Link<Self>>,
    early: BTreeMap<u64, Vec<u64>>,
    teller: Link<Teller>,
    protection: Protection,
}

/// What an account is started from.
#[derive(Serialize, Deserialize)]
struct AccountArgs {
    number: usize,
    rounds: u64,
    others: Vec<Link<Account>>,
    teller: Link<Teller>,
    member: MemberPlan,
}

/// Money, sent in a round.
#[derive(Debug, Serialize, Deserialize)]
struct Transfer {
    round: u64,
    amount: u64,
}

impl Message for Transfer {
    type Reply = ();
}

/// What an account has after the last round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Final {
    /// The account.
    pub number: usize,
    /// Its balance.
    pub balance: u64,
}

impl Message for Final {
    type Reply = ();
}

/// An account has come to a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The account.
    pub number: usize,
    /// The round.
    pub round: u64,
}

impl Message for Reached {
    type Reply = ();
}

/// What the teller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An account is at a round.
    Reached(Reached),
    /// An account is at its end.
    Final(Final),
}

/// Hears of the accounts, in the group's current run only.
pub struct Teller(pub Sender<Heard>);

impl Actor for Teller {}

impl Handler<Final> for Teller {
    async fn handle(&mut self, last: Final, _cx: &mut Context<Self>) {
        let _ = self.0.send(Heard::Final(last));
    }
}

impl Handler<Reached> for Teller {
    async fn handle(&mut self, reached: Reached, _cx: &mut Context<Self>) {
        let _ = self.0.send(Heard::Reached(reached));
    }
}

impl Account {
    async fn build(args: AccountArgs, system: System) -> Result<Self, StartError> {
        let restored = args.member.restore_raw::<u64>().await?;
        let (round, balance) = match restored {
            Some((round, balance)) => (round, balance[0]),
            None => (0, INITIAL * (args.number as u64 + 1)),
        };
        let mut protection = args.member.protect(&system);
        if round > 0 {
            protection.reprotect_raw(round, &[balance]).await;
        }
        Ok(Self {
            number: args.number,
            rounds: args.rounds,
            round,
            balance,
            others: args.others,
            early: BTreeMap::new(),
            teller: args.teller,
            protection,
        })
    }

    fn send_round(&mut self) {
        if self.round == self.rounds {
            let _ = self.teller.send(Final { number: self.number, balance: self.balance });
            return;
        }
        let start = self.balance;
        for (n, other) in self.others.iter().enumerate() {
            let share = 3 + (self.round + self.number as u64 * 7 + n as u64 * 13) % 17;
            let amount = start / (share * self.others.len() as u64);
            self.balance -= amount;
            let _ = other.send(Transfer { round: self.round, amount });
        }
    }

    async fn advance(&mut self) {
        while self.round < self.rounds {
            let all = self.others.len();
            let here = self.early.get(&self.round).map_or(0, Vec::len);
            if here < all {
                return;
            }
            assert_eq!(here, all, "a transfer came twice");
            let got = self.early.remove(&self.round).unwrap_or_default();
            self.balance += got.iter().sum::<u64>();
            self.round += 1;
            self.protection.checkpoint_raw(self.round, &[self.balance]).await;
            let _ = self.teller.send(Reached { number: self.number, round: self.round });
            self.send_round();
        }
    }
}

impl Actor for Account {
    async fn init(&mut self, _cx: &mut Context<Self>) -> Result<(), StartError> {
        self.send_round();
        Ok(())
    }
}

impl Handler<Transfer> for Account {
    async fn handle(&mut self, transfer: Transfer, _cx: &mut Context<Self>) {
        assert!(transfer.round >= self.round, "a transfer of a run that was rolled back");
        self.early.entry(transfer.round).or_default().push(transfer.amount);
        self.advance().await;
    }
}

pub(crate) fn export(system: &System) {
    checkpointing_framework::export(system);
    system
        .export::<Account>("account")
        .message::<Transfer>("transfer")
        .constructor(|args: AccountArgs, birth| Account::build(args, birth.system));
    system.export::<Teller>("teller").message::<Final>("final").message::<Reached>("reached");
}

/// A supervisor of a group of accounts, one on each of the nodes in turn.
pub fn supervisor(
    node: &Node,
    nodes: &[&str],
    spares: &[&str],
    accounts: usize,
    rounds: u64,
    group: &GroupLink,
    teller: &Link<Teller>,
) -> (SupervisorBuilder, Hosts) {
    let hosts = Hosts::new(node, spares.iter().map(|name| (*name).to_owned()));
    let addresses: Vec<RemoteAddress<Account>> = (0..accounts)
        .map(|n| hosts.child(&format!("account-{n}"), "account", nodes[n % nodes.len()]))
        .collect();
    let links: Vec<_> = addresses.iter().map(RemoteAddress::link).collect();
    let mut builder =
        Supervisor::builder(Strategy::OneForAll).hosts(&hosts).planner(group.planner());
    for (number, address) in addresses.into_iter().enumerate() {
        let others: Vec<_> = links
            .iter()
            .enumerate()
            .filter(|(n, _)| *n != number)
            .map(|(_, l)| l.clone())
            .collect();
        let teller = teller.clone();
        builder = builder.child(address.spec(move |start| {
            let member = GroupPlan::member(start, &format!("account-{number}"))?;
            let (others, teller) = (others.clone(), teller.clone());
            Ok(AccountArgs { number, rounds, others, teller, member })
        }));
    }
    (builder, hosts)
}

/// The balances that a run without a failure ends with, by a loop of its own.
pub fn expected(accounts: usize, rounds: u64) -> Vec<u64> {
    let mut balances: Vec<u64> = (0..accounts as u64).map(|n| INITIAL * (n + 1)).collect();
    for round in 0..rounds {
        let before = balances.clone();
        for from in 0..accounts {
            let others = (0..accounts).filter(|&to| to != from);
            for (n, to) in others.enumerate() {
                let share = 3 + (round + from as u64 * 7 + n as u64 * 13) % 17;
                let amount = before[from] / (share * (accounts as u64 - 1));
                balances[from] -= amount;
                balances[to] += amount;
            }
        }
    }
    balances
}
