//! The simulated world: tasks in random order, virtual time, nodes that can die.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io,
    sync::{Arc, Weak},
    task::{Context, Poll, Wake, Waker},
    thread::{self, ThreadId},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};

use super::{disk::SimDisk, net::Network};
use crate::{
    BoxFuture,
    host::{Clock, Executor, Host, Random, Time},
};

const LONGEST_RUN: Duration = Duration::from_secs(24 * 3600);

pub(super) struct World {
    thread: ThreadId,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) rng: fastrand::Rng,
    pub(super) now: Duration,
    trace: u64,
    steps: u64,
    next: u64,
    tasks: BTreeMap<u64, Task>,
    ready: Vec<u64>,
    timers: BTreeMap<(Duration, u64), Waker>,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
}

struct Task {
    node: usize,
    /// `None` while it is polled.
    future: Option<BoxFuture<'static, ()>>,
    queued: bool,
}

pub(super) struct Node {
    pub(super) name: String,
    pub(super) alive: bool,
    paused: bool,
    disk: SimDisk,
}

/// One node's view of the world.
pub(super) struct Local {
    pub(super) world: Weak<World>,
    pub(super) node: usize,
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            thread: thread::current().id(),
            state: Mutex::new(State {
                rng: fastrand::Rng::with_seed(seed),
                now: Duration::ZERO,
                trace: seed,
                steps: 0,
                next: 0,
                tasks: BTreeMap::new(),
                ready: Vec::new(),
                timers: BTreeMap::new(),
                nodes: Vec::new(),
                network: Network::default(),
            }),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Polls tasks until the scenario returns.
    pub(super) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        scenario: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let harness = self.add_node("harness");
        let output = Arc::new(Mutex::new(None));
        let slot = output.clone();
        self.spawn(harness, Box::pin(async move { *slot.lock() = Some(scenario.await) }));
        loop {
            if let Some(output) = output.lock().take() {
                return output;
            }
            if !self.step() {
                self.advance();
            }
        }
    }

    /// Polls one ready task, chosen at random. False if there is none.
    fn step(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        let runnable: Vec<usize> = (0..state.ready.len())
            .filter(|&i| {
                let task = &state.tasks[&state.ready[i]];
                !state.nodes[task.node].paused
            })
            .collect();
        if runnable.is_empty() {
            return false;
        }
        let choice = runnable[state.rng.usize(..runnable.len())];
        let id = state.ready.swap_remove(choice);
        let step = id ^ state.now.as_nanos() as u64;
        state.record(step);
        state.steps += 1;
        let task = state.tasks.get_mut(&id).expect("ready tasks exist");
        task.queued = false;
        let mut future = task.future.take().expect("a ready task is not being polled");
        drop(state);
        let waker = Waker::from(Arc::new(TaskWaker {
            world: Arc::downgrade(self),
            thread: self.thread,
            task: id,
        }));
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut state = self.lock();
        if done {
            let task = state.tasks.remove(&id);
            if task.is_some_and(|task| task.queued) {
                // It was woken while it was polled for the last time.
                state.ready.retain(|ready| *ready != id);
            }
        } else if let Some(task) = state.tasks.get_mut(&id) {
            task.future = Some(future);
            return true;
        }
        drop(state);
        // Dropping what a killed task holds may wake, send and spawn.
        drop(future);
        true
    }

    /// Jumps to the next timer.
    fn advance(&self) {
        let mut state = self.lock();
        let Some(entry) = state.timers.first_entry() else {
            drop(state);
            panic!("deadlock: nothing can run and no timer is set");
        };
        let ((at, _), waker) = entry.remove_entry();
        state.now = state.now.max(at);
        assert!(state.now < LONGEST_RUN, "the simulation runs for more than a virtual day");
        drop(state);
        waker.wake();
    }

    pub(super) fn spawn(self: &Arc<Self>, node: usize, future: BoxFuture<'static, ()>) {
        let mut state = self.lock();
        if !state.nodes[node].alive {
            drop(state);
            drop(future);
            return;
        }
        let id = state.next_id();
        state.tasks.insert(id, Task { node, future: Some(future), queued: true });
        state.ready.push(id);
    }

    fn add_node(&self, name: &str) -> usize {
        let mut state = self.lock();
        let running = state.nodes.iter().any(|node| node.name == name && node.alive);
        assert!(!running, "node {name:?} is running");
        let seed = state.rng.u64(..);
        let left = state.nodes.iter().rfind(|node| node.name == name);
        let disk = left.map_or_else(|| SimDisk::new(seed), |node| node.disk.clone());
        state.nodes.push(Node { name: name.into(), alive: true, paused: false, disk });
        state.nodes.len() - 1
    }

    pub(super) fn start_node(self: &Arc<Self>, name: &str) -> Host {
        let node = self.add_node(name);
        let disk = self.lock().nodes[node].disk.clone();
        let local = Arc::new(Local { world: Arc::downgrade(self), node });
        Host {
            executor: local.clone(),
            clock: local.clone(),
            random: local.clone(),
            net: local,
            disk: Arc::new(disk),
        }
    }

    pub(super) fn kill(&self, name: &str) {
        let mut state = self.lock();
        let Some(node) = state.nodes.iter().position(|node| node.name == name && node.alive) else {
            return;
        };
        state.nodes[node].alive = false;
        let gone: Vec<u64> =
            state.tasks.iter().filter(|(_, task)| task.node == node).map(|(id, _)| *id).collect();
        state.ready.retain(|id| !gone.contains(id));
        let dropped: Vec<Task> = gone.iter().filter_map(|id| state.tasks.remove(id)).collect();
        let wakers = state.end_connections(node);
        drop(state);
        drop(dropped);
        wake_all(wakers);
    }

    pub(super) fn set_paused(&self, name: &str, paused: bool) {
        let mut state = self.lock();
        for node in state.nodes.iter_mut().filter(|node| node.name == name && node.alive) {
            node.paused = paused;
        }
    }

    pub(super) fn now(&self) -> Time {
        Time::from_start(self.lock().now)
    }

    pub(super) fn random(&self) -> u64 {
        self.lock().rng.u64(..)
    }

    pub(super) fn sleep(self: &Arc<Self>, duration: Duration) -> BoxFuture<'static, ()> {
        let at = self.lock().now.saturating_add(duration);
        let mut timer = SimTimer { world: Arc::downgrade(self), set: None };
        Box::pin(poll_fn(move |task| timer.poll_until(at, task)))
    }

    pub(super) fn summary(&self) -> (u64, u64, Duration) {
        let state = self.lock();
        (state.trace, state.steps, state.now)
    }

    /// Drops what is left, so that tasks and the world do not keep each other.
    pub(super) fn tear_down(&self) {
        let mut state = self.lock();
        for node in &mut state.nodes {
            node.alive = false;
        }
        let tasks = std::mem::take(&mut state.tasks);
        let timers = std::mem::take(&mut state.timers);
        state.ready.clear();
        drop(state);
        drop((tasks, timers));
    }
}

impl State {
    pub(super) fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Adds a step to the trace (FNV-1a over 64-bit words).
    pub(super) fn record(&mut self, step: u64) {
        self.trace = (self.trace ^ step).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
    }

    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        Duration::from_nanos(self.rng.u64(least.as_nanos() as u64..=most.as_nanos() as u64))
    }

    pub(super) fn set_timer(&mut self, at: Duration, waker: Waker) -> (Duration, u64) {
        let key = (at, self.next_id());
        self.timers.insert(key, waker);
        key
    }

    pub(super) fn clear_timer(&mut self, key: (Duration, u64)) -> Option<Waker> {
        self.timers.remove(&key)
    }
}

/// A timer that goes away with its future.
pub(super) struct SimTimer {
    pub(super) world: Weak<World>,
    pub(super) set: Option<(Duration, u64)>,
}

impl SimTimer {
    pub(super) fn poll_until(&mut self, at: Duration, task: &Context<'_>) -> Poll<()> {
        let Some(world) = self.world.upgrade() else { return Poll::Pending };
        let mut state = world.lock();
        let old = self.set.take().and_then(|key| state.clear_timer(key));
        if state.now >= at {
            drop(state);
            drop(old);
            return Poll::Ready(());
        }
        self.set = Some(state.set_timer(at, task.waker().clone()));
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        if let (Some(key), Some(world)) = (self.set.take(), self.world.upgrade()) {
            let waker = world.lock().clear_timer(key);
            drop(waker);
        }
    }
}

struct TaskWaker {
    world: Weak<World>,
    thread: ThreadId,
    task: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        assert!(
            thread::current().id() == self.thread,
            "a simulated task was woken from a foreign thread: the run would not replay"
        );
        let Some(world) = self.world.upgrade() else { return };
        let mut state = world.lock();
        let Some(task) = state.tasks.get_mut(&self.task) else { return };
        if !task.queued {
            task.queued = true;
            state.ready.push(self.task);
        }
    }
}

pub(super) fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

impl Executor for Local {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        if let Some(world) = self.world.upgrade() {
            world.spawn(self.node, task);
        }
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.spawn(Box::pin(async move { work() }));
    }

    fn drives_this_thread(&self) -> bool {
        self.world.upgrade().is_some_and(|world| world.thread == thread::current().id())
    }
}

impl Clock for Local {
    fn now(&self) -> Time {
        self.world.upgrade().map_or_else(Time::default, |world| world.now())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match self.world.upgrade() {
            Some(world) => world.sleep(duration),
            None => Box::pin(std::future::pending()),
        }
    }
}

impl Random for Local {
    fn next(&self) -> u64 {
        self.world.upgrade().map_or(0, |world| world.random())
    }

    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
