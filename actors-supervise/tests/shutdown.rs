//! However a supervisor ends, its children end first.

mod common;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use actors_core::{Actor, ExitReason, System};
use actors_supervise::{
    AutoShutdown, ChildSpec, ChildStatus, Event, RestartPolicy, Shutdown, Strategy, Supervisor,
};
use common::*;

#[test]
fn sup_16_children_stop_in_reverse_order_each_after_the_death_of_the_next() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a", "b", "c"], &diary)).await;
        let down = run.supervisor.shutdown(ExitReason::Shutdown).await;
        assert_eq!(down.reason, ExitReason::Shutdown);
        assert_eq!(diary.read(), ["+a", "+b", "+c", "-c", "-b", "-a"]);
        run.wait("end", |event| (*event == Event::ShutDown).then_some(())).await;
    });
}

#[test]
fn sup_16_a_pending_handler_is_dropped_by_the_shutdown() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let spec = worker("a", &diary).shutdown(Shutdown::Infinity);
        let run = start(&system, Supervisor::builder(Strategy::OneForOne).child(spec)).await;
        run.link("a").await.send(Hang).unwrap();
        diary.wait("hangs a").await;
        run.supervisor.shutdown(ExitReason::Shutdown).await;
        assert_eq!(diary.read(), ["-a"]);
        assert_eq!(run.exited("a").await, ExitReason::Shutdown);
    });
}

/// Its `term` never ends.
struct Stubborn(Diary);

impl Actor for Stubborn {
    async fn term(&mut self, _: &ExitReason) {
        self.0.write("term");
        std::future::pending::<()>().await;
    }
}

async fn stubborn(system: &System, diary: &Diary, shutdown: Shutdown) -> Run {
    let lines = diary.clone();
    let spec = ChildSpec::new("s", move || Stubborn(lines.clone())).shutdown(shutdown);
    start(system, Supervisor::builder(Strategy::OneForOne).child(spec)).await
}

#[test]
fn sup_16_a_child_that_does_not_end_in_time_is_killed() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = stubborn(&system, &diary, Shutdown::Timeout(Duration::from_millis(1))).await;
        run.supervisor.shutdown(ExitReason::Shutdown).await;
        assert_eq!(diary.read(), ["term"]);
    });
}

#[test]
fn sup_16_brutal_kill_kills() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let spec = worker("a", &diary).shutdown(Shutdown::BrutalKill);
        let run = start(&system, Supervisor::builder(Strategy::OneForOne).child(spec)).await;
        run.supervisor.shutdown(ExitReason::Shutdown).await;
        assert_eq!(run.exited("a").await, ExitReason::Killed);
    });
}

#[test]
fn sup_16_infinity_waits_until_it_is_killed_from_elsewhere() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = stubborn(&system, &diary, Shutdown::Infinity).await;
        let link = run.supervisor.child::<Stubborn>("s").await.unwrap();
        let down = run.supervisor.link().down();
        run.supervisor.link().erase().shutdown(ExitReason::Shutdown);
        diary.wait("term").await;
        assert_eq!(run.supervisor.link().info().status, actors_core::Status::Running);
        link.kill();
        assert_eq!(down.await.reason, ExitReason::Shutdown);
    });
}

#[test]
fn sup_16_added_children_of_one_for_one_stop_in_parallel() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let gate = Gate::default();
        let run = start(&system, Supervisor::builder(Strategy::OneForOne)).await;
        for id in ["a", "b"] {
            let (diary, held) = (diary.clone(), gate.clone());
            let spec =
                ChildSpec::new(id, move || Slow { diary: diary.clone(), gate: held.clone() });
            run.supervisor.start_child(spec).await.unwrap();
        }
        let down = run.supervisor.link().down();
        run.supervisor.link().erase().shutdown(ExitReason::Shutdown);
        diary.wait("ending").await;
        diary.wait("ending").await;
        gate.open();
        down.await;
    });
}

/// Its `term` ends when the gate is opened.
struct Slow {
    diary: Diary,
    gate: Gate,
}

impl Actor for Slow {
    async fn term(&mut self, _: &ExitReason) {
        self.diary.write("ending");
        self.gate.opened().await;
    }
}

#[test]
fn sup_17_a_child_that_ends_by_itself_during_the_shutdown_is_not_restarted() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let gate = Gate::default();
        let (slow, held) = (diary.clone(), gate.clone());
        let builder = tree(Strategy::OneForAll, &["a"], &diary).child(
            ChildSpec::new("slow", move || Slow { diary: slow.clone(), gate: held.clone() })
                .shutdown(Shutdown::Infinity),
        );
        let run = start(&system, builder).await;
        let (a, down) = (run.link("a").await, run.supervisor.link().down());
        run.supervisor.link().erase().shutdown(ExitReason::Shutdown);
        diary.wait("ending").await;
        let dead = a.down();
        a.send(Crash).unwrap();
        dead.await;
        gate.open();
        assert_eq!(down.await.reason, ExitReason::Shutdown);
        let lives =
            run.events.try_iter().filter(|e| matches!(e, Event::ChildStarted { .. })).count();
        assert_eq!(lives, 2, "one start each");
    });
}

#[test]
fn sup_31_a_stop_a_kill_and_the_last_link_leave_no_orphans() {
    everywhere(|system| async move {
        type Ending = fn(Run);
        let endings: [(&str, Ending); 3] = [
            ("stop", |run| run.supervisor.link().stop(ExitReason::Normal)),
            ("kill", |run| run.supervisor.link().kill()),
            ("last link", drop),
        ];
        for (how, end) in endings {
            let diary = Diary::new();
            let run = start(&system, tree(Strategy::OneForOne, &["a", "b"], &diary)).await;
            let (a, b) = (run.link("a").await, run.link("b").await);
            let (down_a, down_b) = (a.down(), b.down());
            end(run);
            down_b.await;
            down_a.await;
            assert_eq!(diary.read(), ["+a", "+b", "-b", "-a"], "{how}");
        }
    });
}

#[test]
fn sup_31_a_second_kill_kills_the_children() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = stubborn(&system, &diary, Shutdown::Infinity).await;
        let link = run.supervisor.child::<Stubborn>("s").await.unwrap();
        let (child, supervisor) = (link.down(), run.supervisor.link().down());
        run.supervisor.link().kill();
        diary.wait("term").await;
        run.supervisor.link().kill();
        supervisor.await;
        child.await;
    });
}

#[test]
fn sup_31_a_killed_sub_supervisor_and_its_names_are_restored_by_its_parent() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let below = Supervisor::builder(Strategy::OneForOne).child(worker("a", &diary).name("a"));
        let builder =
            Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("below", below));
        let run = start(&system, builder).await;
        let named = run.system.whereis::<Worker>("a").unwrap();
        run.supervisor.supervisor("below").await.unwrap().link().kill();
        assert_eq!(run.exited("below").await, ExitReason::Killed);
        assert_eq!(run.started("below").await, 2);
        assert_eq!(diary.read(), ["+a", "-a", "+a"]);
        assert_eq!(run.call(&named, Life).await, 2);
        assert_eq!(run.system.whereis::<Worker>("a"), Ok(named));
    });
}

#[test]
fn sup_31_a_sub_supervisor_killed_twice_is_restored_too() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let lines = diary.clone();
        let spec =
            ChildSpec::new("s", move || Stubborn(lines.clone())).shutdown(Shutdown::Infinity);
        let below = Supervisor::builder(Strategy::OneForOne).child(spec);
        let builder =
            Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("below", below));
        let run = start(&system, builder).await;
        let below = run.supervisor.supervisor("below").await.unwrap();
        below.link().kill();
        diary.wait("term").await;
        below.link().kill();
        assert_eq!(run.started("below").await, 1);
        assert_eq!(run.started("below").await, 2);
        let info = below.which_children().await.unwrap();
        assert_eq!((info[0].status, info[0].incarnation), (ChildStatus::Running, 2));
    });
}

#[test]
fn sup_29_a_supervisor_that_is_monitored_shuts_down_cleanly() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForAll, &["a"], &diary)).await;
        let downs: Vec<_> = (0..10).map(|_| run.supervisor.link().down()).collect();
        run.supervisor.shutdown(ExitReason::Normal).await;
        for down in downs {
            assert_eq!(down.await.reason, ExitReason::Normal);
        }
    });
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
    everywhere(|system| async move {
        let diary = Diary::new();
        let builder = tree(Strategy::OneForOne, &["a"], &diary).child(endless(&diary, &[1]));
        let started =
            futures_lite::future::or(async { builder.start(&system).await.is_ok() }, async {
                diary.wait("start 1").await;
                false
            })
            .await;
        assert!(!started);
        diary.wait("-a").await;
    });
}

#[test]
fn sup_31_a_sub_supervisor_killed_while_it_starts_is_restored() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let below = tree(Strategy::OneForOne, &["a"], &diary).child(endless(&diary, &[2]));
        let builder =
            Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("below", below));
        let run = start(&system, builder).await;
        let below = run.supervisor.supervisor("below").await.unwrap();
        below.link().kill();
        diary.wait("start 2").await;
        below.link().kill();
        diary.wait("start 3").await;
        assert_eq!(run.restarted().await, ["below"]);
        let children = below.which_children().await.unwrap();
        let lives: Vec<_> = children.iter().map(|info| (info.status, info.incarnation)).collect();
        assert_eq!(lives, [(ChildStatus::Running, 3), (ChildStatus::Running, 3)]);
    });
}

#[test]
fn sup_23_significant_children_end_their_supervisor() {
    everywhere(|system| async move {
        for (auto, last) in
            [(AutoShutdown::AnySignificant, "a"), (AutoShutdown::AllSignificant, "b")]
        {
            let diary = Diary::new();
            let significant = |id| worker(id, &diary).significant(true);
            let builder = Supervisor::builder(Strategy::OneForOne)
                .auto_shutdown(auto)
                .child(significant("a"))
                .child(significant("b").restart(RestartPolicy::Temporary))
                .child(worker("c", &diary));
            let run = start(&system, builder).await;
            let down = run.supervisor.link().down();
            for id in ["c", "a", "b"] {
                assert!(run.status("c").await.is_some(), "{auto:?}: not yet");
                run.link(id).await.send(End(ExitReason::Normal)).unwrap();
                run.exited(id).await;
                if id == last {
                    break;
                }
            }
            assert_eq!(down.await.reason, ExitReason::Shutdown, "{auto:?}");
        }
    });
}

#[test]
fn sup_23_an_end_by_hand_of_a_significant_child_does_not_count() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let builder = Supervisor::builder(Strategy::OneForOne)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(worker("a", &diary).significant(true));
        let run = start(&system, builder).await;
        run.supervisor.stop_child("a").await.unwrap();
        assert_eq!(run.status("a").await, Some(ChildStatus::Stopped));
    });
}
