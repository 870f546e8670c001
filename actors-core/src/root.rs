//! Connections and monitors of code that is no actor: the root actor has them.

use std::{collections::VecDeque, ptr::NonNull};

use parking_lot::Mutex;

use crate::{Actor, Address, CallError, Context, Down, Exit, Link, MonitorRef, System};

/// So many ends of each kind are remembered.
const REMEMBERED: usize = 10;

/// What the root actor of a system has lived through: see [`System::root`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Root {
    /// The last ten exits of [connected](System::connect) actors, the newest last.
    pub exits: Vec<Exit>,
    /// The last ten ends of [monitored](System::monitor) actors, the newest last.
    pub downs: Vec<Down>,
}

impl System {
    /// Connects an actor with the root actor, from outside of any actor: its end is remembered, and logged
    /// as a warning if it is abnormal. The root actor is sticky: it survives.
    ///
    /// ```
    /// # use actors_core::{ExitReason, Message, System};
    /// # struct Divide(u32, u32);
    /// # impl Message for Divide { type Reply = u32; }
    /// # let system = System::new();
    /// # system.block_on(async {
    /// let divider = system.spawn_fn(|Divide(a, b): Divide, _cx| a / b);
    /// system.connect(&divider)?;
    /// assert!(divider.call(Divide(1, 0)).await.is_err());
    /// # while system.root().exits.is_empty() { futures_lite::future::yield_now().await }
    /// assert!(matches!(system.root().exits[0].reason, ExitReason::Panic { .. }));
    /// # Ok::<_, actors_core::CallError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`CallError::NotLocal`] when the actor is on another node, [`CallError::Name`] when nobody has the
    /// name.
    pub fn connect(&self, actor: &impl Address) -> Result<(), CallError> {
        self.with_root(|root| root.connect(actor))
    }

    /// Ends a connection with the root actor.
    pub fn disconnect(&self, actor: &impl Address) {
        self.with_root(|root| root.disconnect(actor));
    }

    /// Monitors an actor from outside of any actor: its end is remembered by the root actor.
    /// [`AnyLink::on_down`](crate::AnyLink::on_down) and [`AnyLink::down`](crate::AnyLink::down) hand it to
    /// whoever asks.
    pub fn monitor(&self, actor: &impl Address) -> MonitorRef {
        self.with_root(|root| root.monitor(actor))
    }

    /// Ends a monitor of the root actor.
    pub fn demonitor(&self, monitor: MonitorRef) {
        self.with_root(|root| root.demonitor(monitor));
    }

    /// What the root actor has lived through.
    pub fn root(&self) -> Root {
        let root = self.root_hold().0.lock();
        Root {
            exits: root.exits.iter().cloned().collect(),
            downs: root.downs.iter().cloned().collect(),
        }
    }

    /// Does something as the root actor, which is there as long as it has something to watch.
    fn with_root<T>(&self, f: impl FnOnce(&mut Context<RootActor>) -> T) -> T {
        let mut root = self.root_hold().0.lock();
        let link = root.link.get_or_insert_with(|| {
            let link = self.spawn(RootActor);
            context(&link).set_sticky(true);
            link
        });
        let mut cx = context(link);
        let result = f(&mut cx);
        let idle = root.release(&cx);
        drop((cx, root));
        drop(idle);
        result
    }
}

/// The context of the root actor, outside of its turn.
fn context(link: &Link<RootActor>) -> Context<RootActor> {
    // The link keeps the cell; and connections and monitors are changed under locks.
    Context::new(NonNull::from(&**link.cell()))
}

/// The root actor of a system and what it remembers.
#[derive(Default)]
pub(crate) struct RootHold(Mutex<Hold>);

#[derive(Default)]
struct Hold {
    /// Held by the system only while the actor has something to watch: it holds the system.
    link: Option<Link<RootActor>>,
    exits: VecDeque<Exit>,
    downs: VecDeque<Down>,
}

impl Hold {
    /// Lets go of the actor if it has nothing more to watch. All that watching adds is added under the
    /// lock, and taken away when its signal is handled: there is none on its way.
    fn release(&mut self, cx: &Context<RootActor>) -> Option<Link<RootActor>> {
        let is_idle = cx.monitors() == 0 && cx.connections().is_empty();
        is_idle.then(|| self.link.take()).flatten()
    }
}

/// Survives all that it watches.
struct RootActor;

impl Actor for RootActor {
    async fn on_exit(&mut self, exit: Exit, cx: &mut Context<Self>) {
        if exit.reason.is_abnormal() {
            tracing::warn!(actor = %exit.actor, reason = %exit.reason, "connected actor has failed");
        }
        let mut root = cx.system().root_hold().0.lock();
        remember(&mut root.exits, exit);
        let idle = root.release(cx);
        drop(root);
        drop(idle);
    }

    async fn on_down(&mut self, down: Down, cx: &mut Context<Self>) {
        tracing::info!(actor = %down.actor, reason = %down.reason, "monitored actor is down");
        let mut root = cx.system().root_hold().0.lock();
        remember(&mut root.downs, down);
        let idle = root.release(cx);
        drop(root);
        drop(idle);
    }
}

fn remember<T>(ends: &mut VecDeque<T>, end: T) {
    if ends.len() == REMEMBERED {
        ends.pop_front();
    }
    ends.push_back(end);
}
