//! Whom a failure takes along, and in which order.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actors_core::System;
use actors_supervise::{ChildSpec, ChildStatus, Event, Limit, RestartPolicy, Strategy, Supervisor};
use common::*;

/// Crashes the second of four and gives what was restarted, and what the children wrote meanwhile.
async fn crash_b(system: &System, strategy: Strategy) -> (Vec<String>, Vec<String>) {
    let diary = Diary::new();
    let run = start(system, tree(strategy, &["a", "b", "c", "d"], &diary)).await;
    assert_eq!(diary.read(), ["+a", "+b", "+c", "+d"]);
    run.link("b").await.send(Crash).unwrap();
    let restarted = run.restarted().await;
    (restarted, diary.read())
}

#[test]
fn sup_8_one_for_one_touches_the_failed_child_alone() {
    everywhere(|system| async move {
        let (restarted, lines) = crash_b(&system, Strategy::OneForOne).await;
        assert_eq!(restarted, ["b"]);
        assert_eq!(lines, ["-b", "+b"]);
    });
}

#[test]
fn sup_8_sup_9_one_for_all_stops_in_reverse_and_starts_in_order() {
    everywhere(|system| async move {
        let (restarted, lines) = crash_b(&system, Strategy::OneForAll).await;
        assert_eq!(restarted, ["a", "b", "c", "d"]);
        assert_eq!(lines, ["-b", "-d", "-c", "-a", "+a", "+b", "+c", "+d"]);
    });
}

#[test]
fn sup_8_sup_9_rest_for_one_leaves_the_earlier_ones() {
    everywhere(|system| async move {
        let (restarted, lines) = crash_b(&system, Strategy::RestForOne).await;
        assert_eq!(restarted, ["b", "c", "d"]);
        assert_eq!(lines, ["-b", "-d", "-c", "+b", "+c", "+d"]);
    });
}

#[test]
fn sup_8_set_strategy_works_live() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a", "b"], &diary)).await;
        run.link("b").await.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["b"]);
        run.supervisor.set_strategy(Strategy::OneForAll).await.unwrap();
        run.link("b").await.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["a", "b"]);
        run.supervisor.set_strategy(Strategy::RestForOne).await.unwrap();
        run.link("b").await.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["b"]);
    });
}

#[test]
fn sup_10_a_temporary_bystander_is_stopped_and_not_restarted() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let builder = tree(Strategy::OneForAll, &["a"], &diary)
            .child(worker("t", &diary).restart(RestartPolicy::Temporary))
            .child(worker("b", &diary));
        let run = start(&system, builder).await;
        diary.read();
        run.link("a").await.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["a", "b"]);
        assert_eq!(diary.read(), ["-a", "-b", "-t", "+a", "+b"]);
        assert_eq!(run.status("t").await, None);
    });
}

#[test]
fn sup_13_one_for_all_retries_the_whole_group() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let failures = Arc::new(AtomicU32::new(0));
        let builder = Supervisor::builder(Strategy::OneForAll)
            .child(worker("a", &diary))
            .child(faulty("b", &diary, &failures));
        let run = start(&system, builder).await;
        diary.read();
        failures.store(1, Ordering::SeqCst);
        run.link("a").await.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["a", "b"]);
        assert_eq!(diary.read(), ["-a", "-b", "+a", "!b", "-a", "+a", "+b"]);
    });
}

#[test]
fn sup_13_rest_for_one_does_not_restart_the_first_again() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let failures = Arc::new(AtomicU32::new(0));
        let builder = Supervisor::builder(Strategy::RestForOne)
            .child(worker("a", &diary))
            .child(faulty("b", &diary, &failures))
            .child(worker("c", &diary));
        let run = start(&system, builder).await;
        diary.read();
        failures.store(1, Ordering::SeqCst);
        run.link("a").await.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["b", "c"]);
        assert_eq!(diary.read(), ["-a", "-c", "-b", "+a", "!b", "+b", "+c"]);
    });
}

#[test]
fn sup_30_siblings_and_tasks_survive_a_group_restart() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let lines = diary.clone();
        let task = ChildSpec::task("task", move || {
            lines.write("+task");
            std::future::pending()
        });
        let callback =
            worker("b", &diary).restart_fn(|last, _| Ok(last.expect("stopped, not lost")));
        let builder = tree(Strategy::OneForAll, &["a"], &diary).child(callback).child(task);
        let run = start(&system, builder).await;
        let b = run.link("b").await;
        run.call(&b, Add(7)).await;
        diary.wait("+task").await;
        run.link("a").await.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["a", "b", "task"]);
        assert_eq!(run.call(&b, Add(1)).await, 8);
        diary.wait("+task").await;
    });
}

#[test]
fn sup_32_the_exit_of_a_replaced_life_starts_nothing() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let limit = Limit { max_restarts: 2, ..Limit::default() };
        let run =
            start(&system, tree(Strategy::OneForAll, &["a", "b", "c"], &diary).limit(limit)).await;
        let (first, last) = (run.link("a").await, run.link("c").await);
        let (first_down, last_down) = (first.down(), last.down());
        // Two die at once: the second death may come before, in or after the round of the first.
        first.kill();
        last.kill();
        first_down.await;
        last_down.await;
        run.restarted().await;
        let lives = loop {
            let children = run.which().await;
            if children.iter().all(|child| child.status == ChildStatus::Running) {
                break children.iter().map(|child| child.incarnation).collect::<Vec<_>>();
            }
            futures_lite::future::yield_now().await;
        };
        assert!(lives.iter().all(|&life| life == lives[0] && life <= 3), "{lives:?}");
        assert!(!run.events.try_iter().any(|e| matches!(e, Event::LimitExceeded { .. })));
    });
}
