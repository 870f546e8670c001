//! However a supervisor ends, its children end first.

#[path = "blocking/mod.rs"]
mod common;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use actors_core::{Actor, ExitReason};
use actors_supervise::{
    AutoShutdown, ChildSpec, ChildStatus, Event, RestartPolicy, Shutdown, Strategy, Supervisor,
};
use common::*;

#[test]
fn sup_16_children_stop_in_reverse_order_each_after_the_death_of_the_next() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a", "b", "c"], &diary));
    let down = run.system.block_on(run.supervisor.shutdown(ExitReason::Shutdown));
    assert_eq!(down.reason, ExitReason::Shutdown);
    assert_eq!(diary.read(), ["+a", "+b", "+c", "-c", "-b", "-a"]);
    run.wait("end", |event| (*event == Event::ShutDown).then_some(()));
}

#[test]
fn sup_16_a_pending_handler_is_dropped_by_the_shutdown() {
    let diary = Diary::new();
    let spec = worker("a", &diary).shutdown(Shutdown::Infinity);
    let run = start(Supervisor::builder(Strategy::OneForOne).child(spec));
    run.link("a").send(Hang).unwrap();
    diary.wait("hangs a");
    run.system.block_on(run.supervisor.shutdown(ExitReason::Shutdown));
    assert_eq!(diary.read(), ["-a"]);
    assert_eq!(run.exited("a"), ExitReason::Shutdown);
}

/// Its `term` never ends.
struct Stubborn(Diary);

impl Actor for Stubborn {
    async fn term(&mut self, _: &ExitReason) {
        self.0.write("term");
        std::future::pending::<()>().await;
    }
}

fn stubborn(diary: &Diary, shutdown: Shutdown) -> Run {
    let lines = diary.clone();
    let spec = ChildSpec::new("s", move || Stubborn(lines.clone())).shutdown(shutdown);
    start(Supervisor::builder(Strategy::OneForOne).child(spec))
}

#[test]
fn sup_16_a_child_that_does_not_end_in_time_is_killed() {
    let diary = Diary::new();
    let run = stubborn(&diary, Shutdown::Timeout(Duration::from_millis(1)));
    run.system.block_on(run.supervisor.shutdown(ExitReason::Shutdown));
    assert_eq!(diary.read(), ["term"]);
}

#[test]
fn sup_16_brutal_kill_kills() {
    let diary = Diary::new();
    let spec = worker("a", &diary).shutdown(Shutdown::BrutalKill);
    let run = start(Supervisor::builder(Strategy::OneForOne).child(spec));
    run.system.block_on(run.supervisor.shutdown(ExitReason::Shutdown));
    assert_eq!(run.exited("a"), ExitReason::Killed);
}

#[test]
fn sup_16_infinity_waits_until_it_is_killed_from_elsewhere() {
    let diary = Diary::new();
    let run = stubborn(&diary, Shutdown::Infinity);
    let link = run.system.block_on(run.supervisor.child::<Stubborn>("s")).unwrap();
    let down = run.supervisor.link().down();
    run.supervisor.link().erase().shutdown(ExitReason::Shutdown);
    diary.wait("term");
    assert_eq!(run.supervisor.link().info().status, actors_core::Status::Running);
    link.kill();
    assert_eq!(run.system.block_on(down).reason, ExitReason::Shutdown);
}

#[test]
fn sup_16_added_children_of_one_for_one_stop_in_parallel() {
    let diary = Diary::new();
    let (release, released) = crossbeam_channel::bounded::<()>(0);
    let run = start(Supervisor::builder(Strategy::OneForOne));
    for id in ["a", "b"] {
        let (diary, released) = (diary.clone(), released.clone());
        let spec =
            ChildSpec::new(id, move || Slow { diary: diary.clone(), released: released.clone() });
        run.system.block_on(run.supervisor.start_child(spec)).unwrap();
    }
    let down = run.supervisor.link().down();
    run.supervisor.link().erase().shutdown(ExitReason::Shutdown);
    diary.wait("ending");
    diary.wait("ending");
    drop(release);
    run.system.block_on(down);
}

/// Its `term` ends when the other end of the channel is dropped.
struct Slow {
    diary: Diary,
    released: crossbeam_channel::Receiver<()>,
}

impl Actor for Slow {
    async fn term(&mut self, _: &ExitReason) {
        self.diary.write("ending");
        while self.released.try_recv() != Err(crossbeam_channel::TryRecvError::Disconnected) {
            futures_lite::future::yield_now().await;
        }
    }
}

#[test]
fn sup_17_a_child_that_ends_by_itself_during_the_shutdown_is_not_restarted() {
    let diary = Diary::new();
    let (release, released) = crossbeam_channel::bounded::<()>(0);
    let slow = diary.clone();
    let builder = tree(Strategy::OneForAll, &["a"], &diary).child(
        ChildSpec::new("slow", move || Slow { diary: slow.clone(), released: released.clone() })
            .shutdown(Shutdown::Infinity),
    );
    let run = start(builder);
    let (a, down) = (run.link("a"), run.supervisor.link().down());
    run.supervisor.link().erase().shutdown(ExitReason::Shutdown);
    diary.wait("ending");
    let dead = a.down();
    a.send(Crash).unwrap();
    run.system.block_on(dead);
    drop(release);
    assert_eq!(run.system.block_on(down).reason, ExitReason::Shutdown);
    let lives = run.events.try_iter().filter(|e| matches!(e, Event::ChildStarted { .. })).count();
    assert_eq!(lives, 2, "one start each");
}

#[test]
fn sup_31_a_stop_a_kill_and_the_last_link_leave_no_orphans() {
    type Ending = fn(Run);
    let endings: [(&str, Ending); 3] = [
        ("stop", |run| run.supervisor.link().stop(ExitReason::Normal)),
        ("kill", |run| run.supervisor.link().kill()),
        ("last link", drop),
    ];
    for (how, end) in endings {
        let diary = Diary::new();
        let run = start(tree(Strategy::OneForOne, &["a", "b"], &diary));
        let (system, a, b) = (run.system.clone(), run.link("a"), run.link("b"));
        let (down_a, down_b) = (a.down(), b.down());
        end(run);
        system.block_on(down_b);
        system.block_on(down_a);
        assert_eq!(diary.read(), ["+a", "+b", "-b", "-a"], "{how}");
    }
}

#[test]
fn sup_31_a_second_kill_kills_the_children() {
    let diary = Diary::new();
    let run = stubborn(&diary, Shutdown::Infinity);
    let link = run.system.block_on(run.supervisor.child::<Stubborn>("s")).unwrap();
    let (child, supervisor) = (link.down(), run.supervisor.link().down());
    run.supervisor.link().kill();
    diary.wait("term");
    run.supervisor.link().kill();
    run.system.block_on(supervisor);
    run.system.block_on(child);
}

#[test]
fn sup_31_a_killed_sub_supervisor_and_its_names_are_restored_by_its_parent() {
    let diary = Diary::new();
    let below = Supervisor::builder(Strategy::OneForOne).child(worker("a", &diary).name("a"));
    let builder =
        Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("below", below));
    let run = start(builder);
    let named = run.system.whereis::<Worker>("a").unwrap();
    run.system.block_on(run.supervisor.supervisor("below")).unwrap().link().kill();
    assert_eq!(run.exited("below"), ExitReason::Killed);
    assert_eq!(run.started("below"), 2);
    assert_eq!(diary.read(), ["+a", "-a", "+a"]);
    assert_eq!(run.call(&named, Life), 2);
    assert_eq!(run.system.whereis::<Worker>("a"), Ok(named));
}

#[test]
fn sup_31_a_sub_supervisor_killed_twice_is_restored_too() {
    let diary = Diary::new();
    let lines = diary.clone();
    let spec = ChildSpec::new("s", move || Stubborn(lines.clone())).shutdown(Shutdown::Infinity);
    let below = Supervisor::builder(Strategy::OneForOne).child(spec);
    let builder =
        Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("below", below));
    let run = start(builder);
    let below = run.system.block_on(run.supervisor.supervisor("below")).unwrap();
    below.link().kill();
    diary.wait("term");
    below.link().kill();
    assert_eq!(run.started("below"), 1);
    assert_eq!(run.started("below"), 2);
    let info = run.system.block_on(below.which_children()).unwrap();
    assert_eq!((info[0].status, info[0].incarnation), (ChildStatus::Running, 2));
}

#[test]
fn sup_29_a_supervisor_that_is_monitored_shuts_down_cleanly() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForAll, &["a"], &diary));
    let downs: Vec<_> = (0..10).map(|_| run.supervisor.link().down()).collect();
    run.system.block_on(run.supervisor.shutdown(ExitReason::Normal));
    for down in downs {
        assert_eq!(run.system.block_on(down).reason, ExitReason::Normal);
    }
}

/// Starts that the test interrupts: those of these numbers, from 1, never end.
fn endless(diary: &Diary, endless: &'static [u32]) -> ChildSpec {
    let (starts, diary) = (AtomicU32::new(0), diary.clone());
    let spec = ChildSpec::fallible("endless", move || {
        let start = starts.fetch_add(1, Ordering::SeqCst) + 1;
        diary.write(format!("start {start}"));
        let made = Worker::new("endless", &diary);
        async move {
            if endless.contains(&start) {
                std::future::pending::<()>().await;
            }
            Ok(made)
        }
    });
    spec.into()
}

#[test]
fn sup_31_a_start_that_nobody_waits_for_any_more_leaves_nothing() {
    let diary = Diary::new();
    let builder = tree(Strategy::OneForOne, &["a"], &diary).child(endless(&diary, &[1]));
    let system = actors_core::System::new();
    let started = system.block_on(futures_lite::future::or(
        async { builder.start(&system).await.is_ok() },
        async {
            while !diary.read().contains(&"start 1".to_owned()) {
                futures_lite::future::yield_now().await;
            }
            false
        },
    ));
    assert!(!started);
    diary.wait("-a");
}

#[test]
fn sup_31_a_sub_supervisor_killed_while_it_starts_is_restored() {
    let diary = Diary::new();
    let below = tree(Strategy::OneForOne, &["a"], &diary).child(endless(&diary, &[2]));
    let builder =
        Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("below", below));
    let run = start(builder);
    let below = run.system.block_on(run.supervisor.supervisor("below")).unwrap();
    below.link().kill();
    diary.wait("start 2");
    below.link().kill();
    diary.wait("start 3");
    assert_eq!(run.restarted(), ["below"]);
    let children = run.system.block_on(below.which_children()).unwrap();
    let lives: Vec<_> = children.iter().map(|info| (info.status, info.incarnation)).collect();
    assert_eq!(lives, [(ChildStatus::Running, 3), (ChildStatus::Running, 3)]);
}

#[test]
fn sup_23_significant_children_end_their_supervisor() {
    for (auto, last) in [(AutoShutdown::AnySignificant, "a"), (AutoShutdown::AllSignificant, "b")] {
        let diary = Diary::new();
        let significant = |id| worker(id, &diary).significant(true);
        let builder = Supervisor::builder(Strategy::OneForOne)
            .auto_shutdown(auto)
            .child(significant("a"))
            .child(significant("b").restart(RestartPolicy::Temporary))
            .child(worker("c", &diary));
        let run = start(builder);
        let down = run.supervisor.link().down();
        for id in ["c", "a", "b"] {
            assert!(run.status("c").is_some(), "{auto:?}: not yet");
            run.link(id).send(End(ExitReason::Normal)).unwrap();
            run.exited(id);
            if id == last {
                break;
            }
        }
        assert_eq!(run.system.block_on(down).reason, ExitReason::Shutdown, "{auto:?}");
    }
}

#[test]
fn sup_23_an_end_by_hand_of_a_significant_child_does_not_count() {
    let diary = Diary::new();
    let builder = Supervisor::builder(Strategy::OneForOne)
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(worker("a", &diary).significant(true));
    let run = start(builder);
    run.system.block_on(run.supervisor.stop_child("a")).unwrap();
    assert_eq!(run.status("a"), Some(ChildStatus::Stopped));
}
