//! Actors that fail as they are told, and count their lives.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use actors_core::{Actor, Context, ExitReason, Handler, Message, StartError, System, sim::Sim};
use parking_lot::Mutex;

/// What all actors of a scenario share.
pub(super) struct World {
    pub(super) sim: Sim,
    pub(super) system: System,
    /// States that have not been dropped.
    pub(super) states: AtomicU64,
    /// Questions to supervisors that are not answered yet.
    pub(super) asked: Mutex<Vec<String>>,
    /// The nodes that live; one that has failed does not come back.
    hosts: Mutex<[u64; 3]>,
    /// What should never be. An actor that panics says it to its supervisor only.
    pub(super) broken: OnceLock<String>,
    /// Nothing fails any more.
    pub(super) calm: AtomicBool,
}

impl World {
    pub(super) fn new(sim: Sim, system: System) -> Arc<Self> {
        Arc::new(Self {
            sim,
            system,
            states: AtomicU64::new(0),
            asked: Mutex::default(),
            hosts: Mutex::new([1, 2, 3]),
            broken: OnceLock::new(),
            calm: AtomicBool::new(false),
        })
    }

    pub(super) fn any_host(&self) -> u64 {
        self.one_of(&*self.hosts.lock())
    }

    pub(super) fn is_host(&self, host: u64) -> bool {
        self.hosts.lock().contains(&host)
    }

    /// A node fails, and another takes its place.
    pub(super) fn fail_a_host(&self) -> u64 {
        let mut hosts = self.hosts.lock();
        let next = hosts.iter().max().expect("there are three") + 1;
        std::mem::replace(&mut hosts[self.draw(3) as usize], next)
    }

    /// From 0 to `n - 1`.
    pub(super) fn draw(&self, n: u64) -> u64 {
        self.sim.random() % n
    }

    pub(super) fn one_of<T: Clone>(&self, all: &[T]) -> T {
        all[self.draw(all.len() as u64) as usize].clone()
    }

    /// A question, until it is dropped.
    pub(super) fn asks(self: &Arc<Self>, what: String) -> Asked {
        self.asked.lock().push(what.clone());
        Asked(self.clone(), what)
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(SeqCst)
    }
}

pub(super) struct Asked(Arc<World>, String);

impl Drop for Asked {
    fn drop(&mut self) {
        let mut asked = self.0.asked.lock();
        let this = asked.iter().position(|what| *what == self.1).expect("it was asked");
        asked.swap_remove(this);
    }
}

/// What is known of an actor over all its lives.
pub(super) struct Record {
    pub(super) id: String,
    pub(super) world: Arc<World>,
    pub(super) is_up: AtomicBool,
    last: AtomicU32,
    /// So many starts fail.
    pub(super) failing: AtomicU32,
    /// The next start has nothing to run.
    pub(super) ignores: AtomicBool,
    /// The next `init`, or `term`, takes long.
    pub(super) slow_init: AtomicBool,
    pub(super) slow_term: AtomicBool,
}

impl Record {
    pub(super) fn new(id: impl Into<String>, world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            id: id.into(),
            world: world.clone(),
            is_up: AtomicBool::new(false),
            last: AtomicU32::new(0),
            failing: AtomicU32::new(0),
            ignores: AtomicBool::new(false),
            slow_init: AtomicBool::new(false),
            slow_term: AtomicBool::new(false),
        })
    }

    /// Its next state, or why there is none.
    pub(super) fn make(self: &Arc<Self>) -> Result<Leaf, StartError> {
        let fails = self.failing.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_ok();
        match self.world.is_calm() {
            false if fails => Err(StartError::failed("as asked")),
            false if self.ignores.swap(false, SeqCst) => Err(StartError::Ignore),
            _ => Ok(Leaf::new(self)),
        }
    }

    pub(super) fn begins(&self, life: u32) {
        let last = self.last.swap(life, SeqCst);
        if life <= last {
            let _ = self.world.broken.set(format!("{}: life {life} after life {last}", self.id));
        }
        if self.is_up.swap(true, SeqCst) {
            let _ = self.world.broken.set(format!("{} lives twice", self.id));
        }
    }

    pub(super) fn ends(&self) {
        self.is_up.store(false, SeqCst);
    }
}

pub(super) struct Leaf(Arc<Record>);

impl Leaf {
    pub(super) fn new(record: &Arc<Record>) -> Self {
        record.world.states.fetch_add(1, SeqCst);
        Self(record.clone())
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        self.0.world.states.fetch_sub(1, SeqCst);
    }
}

impl Actor for Leaf {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        if self.0.slow_init.swap(false, SeqCst) {
            self.0.world.sim.sleep(Duration::from_millis(200)).await;
        }
        self.0.begins(cx.incarnation());
        Ok(())
    }

    async fn term(&mut self, _: &ExitReason) {
        self.0.ends();
        if self.0.slow_term.swap(false, SeqCst) {
            self.0.world.sim.sleep(Duration::from_secs(1)).await;
        }
    }
}

#[derive(Clone)]
pub(super) enum Do {
    Panic,
    Stop(ExitReason),
    Hang,
}

impl Message for Do {
    type Reply = ();
}

impl Handler<Do> for Leaf {
    async fn handle(&mut self, what: Do, cx: &mut Context<Self>) {
        match what {
            _ if self.0.world.is_calm() => {}
            // Without a word on standard error.
            Do::Panic => std::panic::resume_unwind(Box::new("as asked")),
            Do::Stop(reason) => cx.stop(reason),
            Do::Hang => self.0.world.sim.sleep(Duration::from_secs(1)).await,
        }
    }
}

/// What a task does.
pub(super) async fn task(world: Arc<World>) {
    world.sim.sleep(Duration::from_millis(world.draw(100))).await;
    match world.draw(4) {
        _ if world.is_calm() => {}
        0 => std::panic::resume_unwind(Box::new("as asked")),
        1 => {}
        _ => std::future::pending().await,
    }
}
