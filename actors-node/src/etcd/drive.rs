//! The standing of a node in etcd: what is heard goes in, what comes of it is done.

use std::{sync::Arc, time::Duration};

use actors_core::host::Time;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    client::{self, Order},
    settings::Etcd,
    standing::{Standing, Verdict, Word},
};
use crate::{DownCause, Member, NodeError, NodeEvent, peers::Peers};

/// How long a node that starts tries to register.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Registry {
    etcd: Etcd,
    orders: UnboundedSender<Order>,
    /// What the client is told, until there is one.
    waiting: Mutex<Option<UnboundedReceiver<Order>>>,
    standing: Mutex<Standing>,
    /// Why etcd was last not reached.
    trouble: Mutex<String>,
}

impl Registry {
    pub(crate) fn new(etcd: Etcd, us: Member, heartbeat: Duration, now: Time) -> Self {
        let (orders, waiting) = unbounded_channel();
        let standing = Mutex::new(Standing::new(us, etcd.lease, heartbeat, now));
        let waiting = Mutex::new(Some(waiting));
        Self { etcd, orders, waiting, standing, trouble: Mutex::default() }
    }

    /// Begins to register the node.
    pub(crate) fn begin(&self, peers: &Arc<Peers>) {
        let Some(waiting) = self.waiting.lock().take() else { return };
        let clock = peers.system().host().clock.clone();
        let directory = self.etcd.directory(&peers.us().cluster, "nodes");
        let weak = Arc::downgrade(peers);
        let heard = move |word: Word| {
            if let Some(peers) = weak.upgrade() {
                peers.etcd_says(word);
            }
        };
        let us = peers.member().clone();
        let started = client::start(self.etcd.clone(), directory, us, clock, heard, waiting);
        if let Err(error) = started {
            *self.trouble.lock() = error.to_string();
        }
    }

    fn order(&self, order: Order) {
        // A client that has ended has nothing more to do.
        let _ = self.orders.send(order);
    }

    /// The life of a member is over.
    pub(crate) fn forget(&self, member: &Member) {
        self.order(Order::Forget(member.clone()));
    }

    pub(crate) fn leave(&self) {
        self.order(Order::End { left: true });
    }
}

impl Peers {
    fn etcd_says(self: &Arc<Self>, word: Word) {
        let Some(registry) = self.registry() else { return };
        if let Word::Silent(why) = &word {
            registry.trouble.lock().clone_from(why);
        }
        let (now, hears_all) = (self.system().host().clock.now(), self.hears_all());
        let verdicts = registry.standing.lock().hear(word, now, hears_all);
        self.carry_out_all(verdicts);
        self.note_change();
    }

    /// With every heartbeat; `late` when this process stood still.
    pub(crate) fn watch_lease(self: &Arc<Self>, late: bool) {
        let Some(registry) = self.registry() else { return };
        let (now, hears_all) = (self.system().host().clock.now(), self.hears_all());
        let verdicts = registry.standing.lock().tick(now, hears_all, late);
        self.carry_out_all(verdicts);
    }

    fn carry_out_all(self: &Arc<Self>, verdicts: Vec<Verdict>) {
        let Some(registry) = self.registry() else { return };
        for verdict in verdicts {
            match verdict {
                Verdict::Is(member) => self.learn(member),
                Verdict::Left(id) => self.fail_known(id, DownCause::Left),
                Verdict::Dead(id) => self.fail_known(id, DownCause::Expired),
                Verdict::Fence => {
                    registry.order(Order::End { left: false });
                    self.fence_itself();
                }
                Verdict::Register => registry.order(Order::Register),
                Verdict::Lost(error) => self.emit(NodeEvent::RegistryLost { error }),
                Verdict::Back => self.emit(NodeEvent::RegistryBack),
            }
        }
    }

    fn fail_known(self: &Arc<Self>, id: actors_core::SystemId, cause: DownCause) {
        if id != self.member().id {
            self.fail(id, cause);
        }
    }

    /// Done when etcd has this node.
    pub(crate) async fn registered(&self) -> Result<(), NodeError> {
        let Some(registry) = self.registry() else { return Ok(()) };
        let clock = self.system().host().clock.clone();
        let deadline = clock.now() + PATIENCE;
        loop {
            let changed = self.changed();
            if registry.standing.lock().is_registered() {
                return Ok(());
            }
            let rest = deadline.since(clock.now());
            if rest.is_zero() {
                return Err(NodeError::Registry { error: registry.trouble.lock().clone() });
            }
            futures_lite::future::or(changed, clock.sleep(rest)).await;
        }
    }
}
