//! Actors and waits that the tests share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of it")]

use std::{
    collections::VecDeque,
    future::poll_fn,
    iter, mem,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use actors_core::{
    Actor, Context, ExitReason, Handler, Link, Message, StartError, System, host::Host, sim,
};
use actors_supervise::{
    ChildInfo, ChildSpec, ChildStatus, Event, Limit, Local, Strategy, Supervisor,
    SupervisorBuilder, SupervisorLink,
};
use crossbeam_channel::Receiver;
use parking_lot::Mutex;

/// Far longer than anything here takes: a test that waits this long has failed.
pub const LONG: Duration = Duration::from_secs(30);

/// A value that tasks wait for.
#[derive(Default)]
struct Watched<T>(Mutex<(T, Vec<Waker>)>);

impl<T> Watched<T> {
    fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut state = self.0.lock();
        let (value, waiting) = &mut *state;
        let (result, waiting) = (change(value), mem::take(waiting));
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        result
    }

    async fn find<R>(&self, mut find: impl FnMut(&mut T) -> Option<R>) -> R {
        poll_fn(|cx| {
            let (value, waiting) = &mut *self.0.lock();
            find(value).map_or_else(
                || {
                    waiting.push(cx.waker().clone());
                    Poll::Pending
                },
                Poll::Ready,
            )
        })
        .await
    }
}

/// What actors did, in order.
#[derive(Clone, Default)]
pub struct Diary(Arc<Watched<VecDeque<String>>>);

impl Diary {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn write(&self, line: impl Into<String>) {
        self.0.change(|lines| lines.push_back(line.into()));
    }

    pub fn read(&self) -> Vec<String> {
        self.0.change(|lines| lines.drain(..).collect())
    }

    /// Reads up to this line.
    pub async fn wait(&self, line: &str) {
        self.0.find(|lines| iter::from_fn(|| lines.pop_front()).find(|next| next == line)).await;
    }
}

/// Holds up whoever waits for it, until it is opened.
#[derive(Clone, Default)]
pub struct Gate(Arc<Watched<bool>>);

impl Gate {
    pub fn open(&self) {
        self.0.change(|is_open| *is_open = true);
    }

    pub async fn opened(&self) {
        self.0.find(|is_open| is_open.then_some(())).await;
    }
}

/// Sums up, and fails as asked.
#[derive(Clone)]
pub struct Worker {
    id: String,
    pub sum: u64,
    diary: Diary,
}

impl Worker {
    pub fn new(id: &str, diary: &Diary) -> Self {
        Self { id: id.into(), sum: 0, diary: diary.clone() }
    }
}

impl Actor for Worker {
    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), StartError> {
        self.diary.write(format!("+{}", self.id));
        Ok(())
    }

    async fn term(&mut self, _: &ExitReason) {
        // Time enough for a supervisor that does not wait for this to be found out.
        for _ in 0..100 {
            futures_lite::future::yield_now().await;
        }
        self.diary.write(format!("-{}", self.id));
    }
}

pub struct Add(pub u64);
impl Message for Add {
    type Reply = u64;
}
impl Handler<Add> for Worker {
    async fn handle(&mut self, Add(n): Add, _: &mut Context<Self>) -> u64 {
        self.sum += n;
        self.sum
    }
}

/// Ends with this reason.
pub struct End(pub ExitReason);
impl Message for End {
    type Reply = ();
}
impl Handler<End> for Worker {
    async fn handle(&mut self, End(reason): End, cx: &mut Context<Self>) {
        cx.stop(reason);
    }
}

/// Panics, after it has changed the state.
pub struct Crash;
impl Message for Crash {
    type Reply = ();
}
impl Handler<Crash> for Worker {
    async fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        self.sum += 1000;
        panic!("as asked");
    }
}

/// Which life is it?
pub struct Life;
impl Message for Life {
    type Reply = u32;
}
impl Handler<Life> for Worker {
    async fn handle(&mut self, _: Life, cx: &mut Context<Self>) -> u32 {
        cx.incarnation()
    }
}

/// Waits for ever.
pub struct Hang;
impl Message for Hang {
    type Reply = ();
}
impl Handler<Hang> for Worker {
    async fn handle(&mut self, _: Hang, _: &mut Context<Self>) {
        self.diary.write(format!("hangs {}", self.id));
        std::future::pending::<()>().await;
    }
}

pub fn worker(id: &str, diary: &Diary) -> ChildSpec<Local<Worker>> {
    let (name, diary) = (id.to_owned(), diary.clone());
    ChildSpec::new(id, move || Worker::new(&name, &diary))
}

/// A worker whose starts fail while the counter is above zero; each one counts it down.
pub fn faulty(id: &str, diary: &Diary, failures: &Arc<AtomicU32>) -> ChildSpec<Local<Worker>> {
    let (name, diary, failures) = (id.to_owned(), diary.clone(), failures.clone());
    ChildSpec::fallible(id, move || {
        let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        let made = match fails {
            Ok(_) => {
                diary.write(format!("!{name}"));
                Err(StartError::failed("not yet"))
            }
            Err(_) => Ok(Worker::new(&name, &diary)),
        };
        async move { made }
    })
}

pub fn tree(strategy: Strategy, ids: &[&str], diary: &Diary) -> SupervisorBuilder {
    let empty = Supervisor::builder(strategy);
    ids.iter().fold(empty, |builder, id| builder.child(worker(id, diary)))
}

/// A running tree, with its events from the first start on.
pub struct Run {
    pub system: System,
    pub supervisor: SupervisorLink,
    pub events: Receiver<Event>,
}

pub async fn start(system: &System, builder: SupervisorBuilder) -> Run {
    let events = builder.subscribe();
    let supervisor = builder.start(system).await.expect("all children start");
    Run { system: system.clone(), supervisor, events }
}

impl Run {
    /// What `look` finds: it gives others their turn meanwhile, and now and then a moment passes.
    pub async fn look<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        const MOMENT: Duration = Duration::from_millis(1);
        let clock = &self.system.host().clock;
        let latest = clock.now() + LONG;
        while clock.now() < latest {
            for _ in 0..100 {
                if let Some(found) = look() {
                    return found;
                }
                futures_lite::future::yield_now().await;
            }
            clock.sleep(MOMENT).await;
        }
        panic!("no {what}")
    }

    /// What is found in the next event that has it.
    pub async fn wait<T>(&self, what: &str, mut found: impl FnMut(&Event) -> Option<T>) -> T {
        self.look(what, || self.events.try_iter().find_map(|event| found(&event))).await
    }

    pub async fn exited(&self, child: &str) -> ExitReason {
        self.wait("exit", |event| match event {
            Event::ChildExited { id, reason, .. } if id == child => Some(reason.clone()),
            _ => None,
        })
        .await
    }

    pub async fn started(&self, child: &str) -> u32 {
        self.wait("start", |event| match event {
            Event::ChildStarted { id, incarnation, .. } if id == child => Some(*incarnation),
            _ => None,
        })
        .await
    }

    pub async fn restarted(&self) -> Vec<String> {
        self.wait("restart", |event| match event {
            Event::Restarted { children, .. } => Some(children.clone()),
            _ => None,
        })
        .await
    }

    pub async fn link(&self, id: &str) -> Link<Worker> {
        self.supervisor.child(id).await.expect("a worker with this id")
    }

    pub async fn which(&self) -> Vec<ChildInfo> {
        self.supervisor.which_children().await.expect("the supervisor runs")
    }

    pub async fn info(&self, id: &str) -> Option<ChildInfo> {
        self.which().await.into_iter().find(|info| info.id == id)
    }

    pub async fn status(&self, id: &str) -> Option<ChildStatus> {
        self.info(id).await.map(|info| info.status)
    }

    pub async fn call<M: Message>(&self, link: &Link<Worker>, message: M) -> M::Reply
    where
        Worker: Handler<M>,
    {
        link.call(message).within(LONG).await.expect("it answers")
    }
}

pub fn error() -> ExitReason {
    ExitReason::Error("failed".into())
}

const TRIES: usize = 20;

/// How many seeds: 200, or `ACTORS_SEEDS`.
pub fn seeds() -> u64 {
    match std::env::var("ACTORS_SEEDS") {
        Ok(number) => number.parse().expect("ACTORS_SEEDS is a number"),
        Err(_) => 200,
    }
}

/// Several times on each real host, once with each seed in the simulation.
pub fn everywhere<F, Fut>(scenario: F)
where
    F: Fn(System) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let hosts: Vec<fn() -> Host> = vec![
        #[cfg(feature = "async-std")]
        Host::async_std,
        #[cfg(feature = "smol")]
        Host::smol,
        #[cfg(feature = "tokio")]
        Host::tokio,
    ];
    for host in hosts {
        for _ in 0..TRIES {
            let system = System::builder().host(host()).build();
            system.block_on(scenario(system.clone()));
        }
    }
    simulated(scenario);
}

/// Once with each seed in the simulation, where to wait takes no time.
pub fn simulated<F, Fut>(scenario: F)
where
    F: Fn(System) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    sim::search(0..seeds(), |sim| scenario(System::builder().host(sim.node("a")).build()));
}

/// Gives others their turn until `condition` holds.
pub async fn until(mut condition: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "it never comes");
        futures_lite::future::yield_now().await;
    }
}

pub fn limit(max_restarts: u32) -> Limit {
    Limit { max_restarts, ..Limit::default() }
}
