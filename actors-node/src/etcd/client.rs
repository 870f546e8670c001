//! The conversation with etcd: a lease that is kept, an entry under it, and the entries of others.

use std::{collections::VecDeque, io, sync::Arc, thread, time::Duration};

use actors_core::host::{Clock, Time};
use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, Error, EventType, GetOptions, KeyValue,
    LeaseKeepAliveStream, LeaseKeeper, PutOptions, Txn, TxnOp, WatchOptions, WatchResponse,
    WatchStream,
};
use tokio::{
    runtime,
    sync::mpsc::UnboundedReceiver,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    entry::Entry,
    settings::{Etcd, escaped},
    standing::Word,
};
use crate::Member;

/// Between two attempts to reach etcd.
const AGAIN: Duration = Duration::from_millis(200);

/// What the client is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Have another lease.
    Register,
    /// A node is dead: its entry goes, if it is still there.
    Forget(Member),
    /// The entry goes, marked before if it goes in order; nothing more is said.
    End { left: bool },
}

/// Keeps `us` registered in a directory of etcd, by a thread of its own, until it is told to end or nobody can
/// tell it any more. `heard` is called there.
pub(super) fn start(
    etcd: Etcd,
    directory: String,
    us: Member,
    clock: Arc<dyn Clock>,
    heard: impl Fn(Word) + Send + 'static,
    orders: UnboundedReceiver<Order>,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let key = format!("{directory}{}", escaped(&us.name));
    let entry = Entry { member: us, left: false };
    let registrar = Registrar { etcd, directory, key, entry, clock, heard, orders, lease: None };
    let work = move || runtime.block_on(registrar.run());
    thread::Builder::new().name("actors-etcd".into()).spawn(work)?;
    Ok(())
}

struct Registrar<F> {
    etcd: Etcd,
    directory: String,
    key: String,
    entry: Entry,
    clock: Arc<dyn Clock>,
    heard: F,
    orders: UnboundedReceiver<Order>,
    lease: Option<i64>,
}

enum Next {
    Again,
    End,
}

/// A connection with what is asked over it.
struct Line {
    client: Client,
    watch: WatchStream,
    keeper: Option<(LeaseKeeper, LeaseKeepAliveStream)>,
    /// When the lease was asked for, where no answer has come.
    asked: VecDeque<Time>,
}

impl<F: Fn(Word)> Registrar<F> {
    async fn run(mut self) {
        let mut wants_lease = true;
        loop {
            match self.session(&mut wants_lease).await {
                Ok(Next::End) => return,
                Ok(Next::Again) => continue,
                Err(error) => (self.heard)(Word::Silent(error.to_string())),
            }
            tokio::select! {
                () = sleep(AGAIN) => {}
                order = self.orders.recv() => match order {
                    Some(Order::Register) => wants_lease = true,
                    // It cannot be said now: the lease runs out.
                    Some(Order::Forget(_)) => {}
                    Some(Order::End { .. }) | None => return,
                }
            }
        }
    }

    /// No answer of etcd is waited for longer.
    fn patience(&self) -> Duration {
        self.etcd.lease / 3
    }

    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "etcd does not answer");
        timeout(self.patience(), asked).await.map_err(late)?
    }

    async fn session(&mut self, wants_lease: &mut bool) -> Result<Next, Error> {
        let mut options =
            ConnectOptions::new().with_connect_timeout(self.patience()).with_require_leader(true);
        if let Some((name, password)) = &self.etcd.user {
            options = options.with_user(name, password);
        }
        let mut client = self.in_time(Client::connect(&self.etcd.endpoints, Some(options))).await?;
        if *wants_lease {
            self.register(&mut client).await?;
            *wants_lease = false;
        }
        let watch = self.list(&mut client).await?;
        let keeper = self.keeper(&mut client).await?;
        let mut line = Line { client, watch, keeper, asked: VecDeque::new() };
        let mut beat = interval(self.etcd.lease / 5);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => self.ask(&mut line).await?,
                answer = answer(&mut line.keeper) => match answer? {
                    true => {
                        let asked = line.asked.pop_front().map(Word::Confirmed);
                        asked.into_iter().for_each(&self.heard);
                    }
                    false => {
                        self.no_lease();
                        line.keeper = None;
                    }
                },
                said = line.watch.message() => self.watched(said?)?,
                order = self.orders.recv() => match order {
                    Some(Order::Register) => {
                        *wants_lease = true;
                        return Ok(Next::Again);
                    }
                    Some(Order::Forget(member)) => self.forget(&mut line.client, &member).await?,
                    Some(Order::End { left }) => {
                        self.end(&mut line.client, left).await?;
                        return Ok(Next::End);
                    }
                    None => return Ok(Next::End),
                },
            }
        }
    }

    async fn register(&mut self, client: &mut Client) -> Result<(), Error> {
        let asked = self.clock.now();
        let seconds = i64::try_from(self.etcd.lease.as_secs()).unwrap_or(i64::MAX);
        let lease = self.in_time(client.lease_grant(seconds, None)).await?.id();
        let options = PutOptions::new().with_lease(lease);
        let put = client.put(self.key.as_str(), self.entry.to_json(), Some(options));
        self.in_time(put).await?;
        self.lease = Some(lease);
        (self.heard)(Word::Confirmed(asked));
        Ok(())
    }

    /// Says who is there, and asks to be told of what changes from then on.
    async fn list(&self, client: &mut Client) -> Result<WatchStream, Error> {
        let options = GetOptions::new().with_prefix();
        let all = self.in_time(client.get(self.directory.as_str(), Some(options))).await?;
        let revision = all.header().map_or(0, |header| header.revision());
        let entries = all.kvs().iter().filter_map(|kv| self.entry(kv)).collect();
        (self.heard)(Word::All(entries));
        let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
        self.in_time(client.watch(self.directory.as_str(), Some(options))).await
    }

    async fn keeper(
        &mut self,
        client: &mut Client,
    ) -> Result<Option<(LeaseKeeper, LeaseKeepAliveStream)>, Error> {
        let Some(lease) = self.lease else { return Ok(None) };
        let asked = self.clock.now();
        match self.in_time(client.lease_keep_alive(lease)).await {
            Ok(keeper) => {
                (self.heard)(Word::Confirmed(asked));
                Ok(Some(keeper))
            }
            Err(Error::LeaseKeepAliveError(_)) => {
                self.no_lease();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn no_lease(&mut self) {
        self.lease = None;
        (self.heard)(Word::NoLease);
    }

    async fn ask(&self, line: &mut Line) -> Result<(), Error> {
        let now = self.clock.now();
        let Some((keeper, _)) = &mut line.keeper else { return Ok(()) };
        if line.asked.front().is_some_and(|asked| now.since(*asked) >= self.patience()) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "etcd does not answer").into());
        }
        self.in_time(keeper.keep_alive()).await?;
        line.asked.push_back(now);
        Ok(())
    }

    fn watched(&self, said: Option<WatchResponse>) -> Result<(), Error> {
        let Some(said) = said.filter(|said| !said.canceled()) else {
            return Err(Error::WatchError("etcd has ended the watch".into()));
        };
        for event in said.events() {
            let Some(kv) = event.kv() else { continue };
            let word = match event.event_type() {
                EventType::Put => self.entry(kv).map(Word::Is),
                EventType::Delete => self.name(kv.key()).map(Word::Gone),
            };
            word.into_iter().for_each(&self.heard);
        }
        Ok(())
    }

    /// What stands under the key of a node that is its own.
    fn entry(&self, kv: &KeyValue) -> Option<Entry> {
        let (name, entry) = (self.name(kv.key())?, Entry::from_json(kv.value())?);
        let fits = entry.member.name == name && entry.member.check_tags().is_ok();
        if !fits {
            tracing::warn!(key = name, member = %entry.member, "an entry in etcd that no node has written");
        }
        fits.then_some(entry)
    }

    fn name(&self, key: &[u8]) -> Option<String> {
        let name = std::str::from_utf8(key).ok()?.strip_prefix(&self.directory)?;
        Some(name.replace("%2F", "/").replace("%25", "%"))
    }

    async fn forget(&self, client: &mut Client, member: &Member) -> Result<(), Error> {
        let key = format!("{}{}", self.directory, escaped(&member.name));
        let found = self.in_time(client.get(key.as_str(), None)).await?;
        let Some(kv) = found.kvs().first() else { return Ok(()) };
        if Entry::from_json(kv.value()).is_none_or(|entry| entry.member.id != member.id) {
            return Ok(());
        }
        let unchanged = Compare::mod_revision(key.as_str(), CompareOp::Equal, kv.mod_revision());
        let delete = Txn::new().when([unchanged]).and_then([TxnOp::delete(key.as_str(), None)]);
        self.in_time(client.txn(delete)).await.map(drop)
    }

    async fn end(&mut self, client: &mut Client, left: bool) -> Result<(), Error> {
        let Some(lease) = self.lease.take() else { return Ok(()) };
        if left {
            let entry = Entry { left, ..self.entry.clone() };
            let options = PutOptions::new().with_lease(lease);
            let put = client.put(self.key.as_str(), entry.to_json(), Some(options));
            self.in_time(put).await?;
        }
        self.in_time(client.lease_revoke(lease)).await.map(drop)
    }
}

/// Whether the lease stands; never, without one.
async fn answer(keeper: &mut Option<(LeaseKeeper, LeaseKeepAliveStream)>) -> Result<bool, Error> {
    let Some((_, answers)) = keeper else { return std::future::pending().await };
    match answers.message().await? {
        Some(answer) => Ok(answer.ttl() > 0),
        None => Err(Error::LeaseKeepAliveError("etcd has ended the stream".into())),
    }
}
