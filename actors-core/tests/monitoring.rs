//! What monitors see, of actors and of tasks.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_core::{
    Actor, AnyLink, BoxFuture, Context, Down, Exit, ExitReason, Handler, Link, Message, MonitorRef,
    Root, Status, System,
};
use common::{Crash, Recorder, everywhere};

/// Does as it is told, and keeps what it hears.
#[derive(Default)]
struct Watcher {
    downs: Vec<Down>,
}

impl Actor for Watcher {
    async fn on_down(&mut self, down: Down, _cx: &mut Context<Self>) {
        self.downs.push(down);
    }
}

enum Tell {
    Monitor(AnyLink),
    Demonitor(MonitorRef),
    Task(Option<Duration>, BoxFuture<'static, ()>),
    /// Waits, and then ends a monitor.
    Hold(BoxFuture<'static, ()>, Option<MonitorRef>),
}

impl Message for Tell {
    type Reply = (Option<MonitorRef>, usize);
}

impl Handler<Tell> for Watcher {
    async fn handle(&mut self, tell: Tell, cx: &mut Context<Self>) -> (Option<MonitorRef>, usize) {
        let monitor = match tell {
            Tell::Monitor(actor) => Some(cx.monitor(&actor)),
            Tell::Task(timeout, task) => Some(cx.monitor_task(timeout, task)),
            Tell::Demonitor(monitor) => {
                cx.demonitor(monitor);
                None
            }
            Tell::Hold(gate, monitor) => {
                gate.await;
                monitor.into_iter().for_each(|monitor| cx.demonitor(monitor));
                None
            }
        };
        (monitor, cx.monitors())
    }
}

async fn tell(watcher: &Link<Watcher>, tell: Tell) -> (Option<MonitorRef>, usize) {
    watcher.call(tell).await.unwrap()
}

async fn downs(system: &System, watcher: &Link<Watcher>, n: usize) -> Vec<Down> {
    loop {
        let downs = watcher.query(|watcher| watcher.downs.clone()).await.unwrap();
        if downs.len() >= n {
            return downs;
        }
        system.host().clock.sleep(Duration::from_micros(100)).await;
    }
}

/// The default action logs; a `Down` goes to nobody else, and nothing happens in the other direction.
#[test]
fn core_27_a_monitor_without_an_action_tells_its_owner_alone() {
    everywhere(|system| async move {
        let bare = system.spawn_fn(|Monitor(actor): Monitor, cx| {
            cx.monitor(&actor);
        });
        let (watcher, target) =
            (system.spawn(Watcher::default()), system.spawn(Recorder::default()));
        tell(&watcher, Tell::Monitor(bare.erase())).await;
        bare.call(Monitor(target.erase())).await.unwrap();
        let down = target.down();
        target.send(Crash).unwrap();
        down.await;
        bare.exec(|_| ()).await.unwrap();
        assert_eq!(bare.info().status, Status::Running);
        assert_eq!(watcher.query(|watcher| watcher.downs.len()).await, Ok(0), "not forwarded");

        let other = system.spawn(Recorder::default());
        bare.call(Monitor(other.erase())).await.unwrap();
        let down = bare.down();
        bare.stop(ExitReason::Error("as told".into()));
        down.await;
        assert_eq!(other.info().status, Status::Running, "one direction only");
        assert_eq!(downs(&system, &watcher, 1).await.len(), 1);
    });
}

struct Monitor(AnyLink);

impl Message for Monitor {
    type Reply = ();
}

/// After `demonitor` there is no `Down`, not even one that was in the mailbox.
#[test]
fn core_28_after_demonitor_there_is_no_down() {
    everywhere(|system| async move {
        let watcher = system.spawn(Watcher::default());
        let [early, late] = std::array::from_fn(|_| system.spawn(Recorder::default()));
        let (Some(first), _) = tell(&watcher, Tell::Monitor(early.erase())).await else { panic!() };
        let (Some(second), 2) = tell(&watcher, Tell::Monitor(late.erase())).await else { panic!() };
        assert_eq!(tell(&watcher, Tell::Demonitor(first)).await, (None, 1));
        let (release, gated) = gate();
        let held = watcher.call(Tell::Hold(gated, Some(second)));
        for target in [early, late] {
            let down = target.down();
            target.stop(ExitReason::Normal);
            down.await;
        }
        // The second `Down` is in the mailbox now, behind the handler that ends its monitor.
        release();
        assert_eq!(held.await, Ok((None, 0)));
        assert_eq!(watcher.query(|watcher| watcher.downs.len()).await, Ok(0));
    });
}

/// Ten monitors of one target are ten `Down`s, and none is left behind.
#[test]
fn core_30_every_monitor_gives_its_down() {
    everywhere(|system| async move {
        let (watcher, target) =
            (system.spawn(Watcher::default()), system.spawn(Recorder::default()));
        for n in 1..=10 {
            assert_eq!(tell(&watcher, Tell::Monitor(target.erase())).await.1, n);
        }
        target.kill();
        let downs = downs(&system, &watcher, 10).await;
        let down = Down { actor: target.id(), incarnation: 1, reason: ExitReason::Killed };
        assert_eq!(downs, vec![down; 10]);
        let (_, left) = tell(&watcher, Tell::Hold(Box::pin(async {}), None)).await;
        assert_eq!(left, 0);
    });
}

/// A monitor does not keep its target alive.
#[test]
fn core_40_a_monitored_actor_stops_when_nobody_reaches_it() {
    everywhere(|system| async move {
        let (watcher, target) =
            (system.spawn(Watcher::default()), system.spawn(Recorder::default()));
        tell(&watcher, Tell::Monitor(target.erase())).await;
        drop(target);
        assert_eq!(downs(&system, &watcher, 1).await[0].reason, ExitReason::Normal);
    });
}

/// A task ends, panics, or takes too long; after that it runs on.
#[test]
fn core_29_a_monitored_task_gives_one_down() {
    everywhere(|system| async move {
        let watcher = system.spawn(Watcher::default());
        let tasks: [(_, BoxFuture<'static, ()>, _); 4] = [
            (None, Box::pin(async {}), "normal"),
            (Some(Duration::from_secs(60)), Box::pin(async {}), "normal"),
            (None, Box::pin(async { panic!("oh") }), "panic in a monitored task: oh"),
            (Some(Duration::ZERO), Box::pin(std::future::pending()), "timed out"),
        ];
        for (n, (timeout, task, reason)) in tasks.into_iter().enumerate() {
            tell(&watcher, Tell::Task(timeout, task)).await;
            assert_eq!(downs(&system, &watcher, n + 1).await[n].reason.to_string(), reason);
        }
        let (done, clock) = (Arc::new(AtomicBool::new(false)), system.host().clock.clone());
        let (release, gated) = gate();
        let task = Box::pin({
            let done = done.clone();
            async move {
                gated.await;
                done.store(true, Ordering::SeqCst);
            }
        });
        tell(&watcher, Tell::Task(Some(Duration::from_millis(1)), task)).await;
        assert_eq!(downs(&system, &watcher, 5).await[4].reason, ExitReason::TimedOut);
        release();
        while !done.load(Ordering::SeqCst) {
            clock.sleep(Duration::from_micros(100)).await;
        }
        let (_, left) = tell(&watcher, Tell::Hold(Box::pin(async {}), None)).await;
        assert_eq!((left, downs(&system, &watcher, 5).await.len()), (0, 5), "it is told of once");

        let (monitor, _) = tell(&watcher, Tell::Task(None, Box::pin(async {}))).await;
        assert!(monitor.is_some());
    });
}

/// Code outside of any actor connects and monitors too: the root actor does it, survives, and lists
/// what it has lived through. It runs while it has somebody to watch.
#[test]
fn core_24_the_root_actor_survives_and_lists_the_errors() {
    everywhere(|system| async move {
        let roots = |system: &System| {
            let all = system.snapshot().into_iter();
            all.filter(|i| i.type_name.ends_with("RootActor") && i.status == Status::Running)
                .count()
        };
        assert_eq!((system.root(), roots(&system)), (Root::default(), 0));
        let targets: [_; 12] = std::array::from_fn(|_| system.spawn(Recorder::default()));
        for target in &targets {
            assert_eq!(system.connect(&target.erase()), Ok(()));
            assert_eq!(system.connect(&target.erase()), Ok(()), "the second time");
        }
        let [monitored, unmonitored] = std::array::from_fn(|_| system.spawn(Recorder::default()));
        system.monitor(&monitored.erase());
        let dropped = system.monitor(&unmonitored.erase());
        system.demonitor(dropped);
        system.disconnect(&targets[0].erase());
        assert_eq!(roots(&system), 1);
        for target in targets.iter().chain([&unmonitored]) {
            let down = target.down();
            target.send(Crash).unwrap();
            down.await;
        }
        monitored.stop(ExitReason::Shutdown);
        while roots(&system) > 0 {
            system.host().clock.sleep(Duration::from_micros(100)).await;
        }
        let root = system.root();
        let failed: Vec<_> = root.exits.iter().map(|exit| exit.actor).collect();
        assert_eq!(failed, targets[2..].iter().map(Link::id).collect::<Vec<_>>(), "the last ten");
        let is_panic = |exit: &Exit| matches!(exit.reason, ExitReason::Panic { .. });
        assert!(root.exits.iter().all(is_panic));
        let [down] = &root.downs[..] else { panic!("{:?}", root.downs) };
        assert_eq!((down.actor, &down.reason), (monitored.id(), &ExitReason::Shutdown));

        system.connect(&monitored.erase()).unwrap();
        system.monitor(&monitored.erase());
        while system.root().downs.len() < 2 || system.root().exits.last() == root.exits.last() {
            system.host().clock.sleep(Duration::from_micros(100)).await;
        }
        assert_eq!(system.root().exits[9].reason, ExitReason::NoProc);
        assert_eq!(system.root().downs[1].reason, ExitReason::NoProc);
    });
}

/// A future that is done once the function was called.
fn gate() -> (impl FnOnce(), BoxFuture<'static, ()>) {
    let (reply, gate) = actors_core::ReplyTo::channel();
    let gate = Box::pin(async move {
        let _ = gate.await;
    });
    (move || reply.answer(()), gate)
}
