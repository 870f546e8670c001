use std::{collections::BTreeMap, fmt, io, sync::Arc};

use actors_core::{BoxFuture, host::Host};
use event_listener::Event;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{
    client::{self, Order},
    settings::Etcd,
    standing::Word,
};
use crate::{Discovery, DiscoveryError, Node};

/// The nodes whose addresses are in etcd, for [`Node::join_by`]: each has its own there, under a lease. Who is a
/// member, and who is dead, is found out by the nodes, as without it.
///
/// ```no_run
/// # use std::time::Duration;
/// # use actors_core::System;
/// use actors_node::{Etcd, EtcdSeeds, Node};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let system = System::new();
/// system.block_on(async {
///     let node = Node::builder(&system).start().await?;
///     let seeds = EtcdSeeds::start(Etcd::new(["10.0.0.7:2379"]), "weather", &node)?;
///     node.join_by(&seeds, Duration::from_secs(30)).await?;
/// #   drop(seeds);
///     Ok(())
/// })
/// # }
/// ```
///
/// Dropped, the address goes.
pub struct EtcdSeeds {
    found: Arc<Found>,
    orders: UnboundedSender<Order>,
}

#[derive(Default)]
struct Found {
    state: Mutex<State>,
    changed: Event,
}

#[derive(Default)]
struct State {
    addresses: BTreeMap<String, String>,
    /// All that there were have been listed, this one among them.
    complete: bool,
    trouble: Option<String>,
}

impl EtcdSeeds {
    /// Registers the address of a node, and looks for those of others in the same cluster. Goes on for as long as this
    /// is kept, whether etcd can be reached or not.
    ///
    /// # Errors
    /// There cannot be a thread for it.
    pub fn start(etcd: Etcd, cluster: &str, node: &Node) -> io::Result<Self> {
        let (orders, waiting) = unbounded_channel();
        let found = Arc::new(Found::default());
        let (weak, heard) = (orders.downgrade(), found.clone());
        let heard = move |word: Word| {
            let lease_is_gone = matches!(word, Word::NoLease);
            heard.hear(word);
            if lease_is_gone && let Some(orders) = weak.upgrade() {
                let _ = orders.send(Order::Register);
            }
        };
        let directory = etcd.directory(cluster, "seeds");
        let clock = node.system().host().clock.clone();
        client::start(etcd, directory, node.member().clone(), clock, heard, waiting)?;
        Ok(Self { found, orders })
    }
}

impl Drop for EtcdSeeds {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End { left: false });
    }
}

impl Found {
    fn hear(&self, word: Word) {
        let mut state = self.state.lock();
        match word {
            Word::All(entries) => {
                let pairs = entries.into_iter().map(|e| (e.member.name, e.member.address));
                state.addresses = pairs.collect();
                (state.complete, state.trouble) = (true, None);
            }
            Word::Is(entry) => {
                state.addresses.insert(entry.member.name, entry.member.address);
            }
            Word::Gone(name) => drop(state.addresses.remove(&name)),
            Word::Silent(why) => state.trouble = Some(why),
            Word::Confirmed(_) | Word::NoLease => {}
        }
        drop(state);
        self.changed.notify(usize::MAX);
    }

    fn answer(&self) -> Option<Result<Vec<String>, DiscoveryError>> {
        let state = self.state.lock();
        if state.complete {
            return Some(Ok(state.addresses.values().cloned().collect()));
        }
        state.trouble.clone().map(|why| Err(DiscoveryError::other("etcd", why)))
    }
}

impl Discovery for EtcdSeeds {
    fn addresses(&self, _: &Host) -> BoxFuture<'static, Result<Vec<String>, DiscoveryError>> {
        let found = self.found.clone();
        Box::pin(async move {
            loop {
                let changed = found.changed.listen();
                match found.answer() {
                    Some(answer) => return answer,
                    None => changed.await,
                }
            }
        })
    }
}

impl fmt::Debug for EtcdSeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EtcdSeeds({:?})", self.found.state.lock().addresses)
    }
}
