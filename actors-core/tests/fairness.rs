//! Who is busy keeps nobody else from running; who never returns is found.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actors_core::{
    Actor, BoxFuture, Context, ExitReason, Handler, Link, Message, Status, StuckPolicy, System,
    host::{Executor, Host},
};
use common::{Record, Recorded, Recorder, real_hosts};

/// Sends to itself for ever.
struct Busy {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
}

impl Actor for Busy {}

struct Again;

impl Message for Again {
    type Reply = ();
}

impl Handler<Again> for Busy {
    async fn handle(&mut self, _: Again, cx: &mut Context<Self>) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        if !self.stop.load(Ordering::Relaxed) {
            cx.link().send(Again).unwrap();
        }
    }
}

fn threads(host: &Host) -> usize {
    host.executor.threads().expect("a real host has threads")
}

/// More actors that never run out of messages than there are threads: others are answered, timers
/// and tasks of the runtime go on.
#[test]
fn core_36_endless_messages_starve_nobody() {
    for (name, host) in real_hosts() {
        println!("on {name}");
        let busy = threads(&host) + 2;
        let system = System::builder().host(host).build();
        let stop = Arc::new(AtomicBool::new(false));
        let rounds: Vec<_> = (0..busy).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let actors: Vec<Link<Busy>> = rounds
            .iter()
            .map(|rounds| system.spawn(Busy { stop: stop.clone(), rounds: rounds.clone() }))
            .collect();
        for actor in &actors {
            actor.send(Again).unwrap();
        }
        let clock = system.host().clock.clone();
        system.block_on(async {
            let other = system.spawn(Recorder::default());
            let ticks = system.send_interval(&other, Duration::from_millis(1), || Record(7));
            while other.call(Recorded).await.unwrap().len() < 20 {
                clock.sleep(Duration::from_millis(1)).await;
            }
            ticks.cancel();
            let (task, done) = actors_core::ReplyTo::channel();
            let own = clock.clone();
            system.spawn_task(async move {
                for _ in 0..20 {
                    own.sleep(Duration::from_millis(1)).await;
                }
                task.answer(());
            });
            done.await.unwrap();
        });
        let seen: Vec<_> = rounds.iter().map(|rounds| rounds.load(Ordering::Relaxed)).collect();
        assert!(seen.iter().all(|rounds| *rounds > 100), "all of them run: {seen:?}");
        stop.store(true, Ordering::Relaxed);
    }
}

/// A host with one thread for actors.
struct OneThread(Arc<dyn Executor>);

impl Executor for OneThread {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn spawn_worker(&self, worker: BoxFuture<'static, ()>) {
        self.0.spawn_worker(worker);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.0.spawn_blocking(work);
    }

    fn drives_this_thread(&self) -> bool {
        self.0.drives_this_thread()
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }
}

/// Takes a millisecond for each message, and then tells another actor how many those were.
struct Slow {
    steps: Arc<AtomicUsize>,
    tell: Link<Late>,
}

impl Actor for Slow {}

impl Handler<Again> for Slow {
    async fn handle(&mut self, _: Again, _cx: &mut Context<Self>) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        let step = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell.send(Step(step)).unwrap();
    }
}

struct Step(usize);

impl Message for Step {
    type Reply = ();
}

/// By how many steps it is told too late.
struct Late {
    steps: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Actor for Late {}

impl Handler<Step> for Late {
    async fn handle(&mut self, Step(step): Step, _cx: &mut Context<Self>) {
        self.most.fetch_max(self.steps.load(Ordering::Relaxed) - step, Ordering::Relaxed);
    }
}

/// A long handler is as good as many short ones: after a few of them others have their turn.
#[test]
fn core_36_long_handlers_starve_nobody() {
    const STEPS: usize = 60;
    for (name, mut host) in real_hosts() {
        println!("on {name}");
        host.executor = Arc::new(OneThread(host.executor));
        let system = System::builder().host(host).build();
        let (steps, most) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let late = system.spawn(Late { steps: steps.clone(), most: most.clone() });
        let slow = system.spawn(Slow { steps: steps.clone(), tell: late.clone() });
        (0..STEPS).for_each(|_| slow.send(Again).unwrap());
        system.block_on(async {
            slow.stop(ExitReason::Normal);
            slow.down().await;
            late.stop(ExitReason::Normal);
            late.down().await;
        });
        assert_eq!(steps.load(Ordering::Relaxed), STEPS);
        let most = most.load(Ordering::Relaxed);
        assert!(most < 10, "told {most} steps too late");
    }
}

/// Loops until it is released.
struct Loops(Arc<AtomicBool>);

impl Actor for Loops {}

impl Handler<Again> for Loops {
    async fn handle(&mut self, _: Again, _cx: &mut Context<Self>) {
        while !self.0.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }
}

/// A handler that does not return is found, with its actor and its message; one that awaits is not
/// stuck, however long it takes. Kill has no power over it until it returns.
#[test]
fn core_36_a_handler_that_does_not_return_is_found() {
    for (name, host) in real_hosts() {
        println!("on {name}");
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        let policy = StuckPolicy::Call(Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        let system = System::builder().host(host).stuck(Duration::from_millis(100), policy).build();
        let reports = system.stuck();
        let release = Arc::new(AtomicBool::new(false));
        let patient = system.spawn_fn(|_: Record, _| ());
        let stuck = system.spawn(Loops(release.clone()));
        stuck.send(Again).unwrap();
        let report = reports.recv_timeout(Duration::from_secs(60)).expect("it is found");
        assert_eq!((report.actor, report.message), (stuck.id(), std::any::type_name::<Again>()));
        assert!(report.after >= Duration::from_millis(100), "{report:?}");
        stuck.kill();
        assert_eq!(stuck.info().status, Status::Running);
        release.store(true, Ordering::Relaxed);
        let down = system.block_on(stuck.down());
        assert!(matches!(down.reason, ExitReason::Killed | ExitReason::NoProc), "{down:?}");
        while told.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        assert_eq!((told.load(Ordering::SeqCst), reports.try_iter().count()), (1, 0));
        drop(patient);
    }
}

/// Sends to another actor, and does not return until that has answered somebody else.
struct Hinders {
    to: Link<Recorder>,
    release: Arc<AtomicBool>,
}

impl Actor for Hinders {}

impl Handler<Again> for Hinders {
    async fn handle(&mut self, _: Again, _cx: &mut Context<Self>) {
        self.to.send(Record(1)).unwrap();
        while !self.release.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }
}

/// What a handler has woken last waits to run next on its worker. If the handler does not return, it is
/// run elsewhere.
#[test]
fn core_36_a_handler_that_does_not_return_holds_back_nobody_else() {
    for (name, host) in real_hosts() {
        println!("on {name}");
        if threads(&host) < 2 {
            println!("there is one thread: nothing can run beside a handler that does not return");
            continue;
        }
        let after = Duration::from_millis(100);
        let system = System::builder().host(host).stuck(after, StuckPolicy::Report).build();
        let release = Arc::new(AtomicBool::new(false));
        let to = system.spawn(Recorder::default());
        let hinders = system.spawn(Hinders { to: to.clone(), release: release.clone() });
        hinders.send(Again).unwrap();
        let is_recorded = || to.call_blocking(Recorded, Duration::from_secs(60)).unwrap() == [1];
        while !is_recorded() {
            std::thread::yield_now();
        }
        assert!(!release.swap(true, Ordering::Relaxed), "the first handler is still in hand");
    }
}
