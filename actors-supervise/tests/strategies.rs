//! Whom a failure takes along, and in which order.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actors_supervise::{ChildSpec, ChildStatus, Event, Limit, RestartPolicy, Strategy, Supervisor};
use common::*;

/// Crashes the second of four and gives what was restarted, and what the children wrote meanwhile.
fn crash_b(strategy: Strategy) -> (Vec<String>, Vec<String>) {
    let diary = Diary::new();
    let run = start(tree(strategy, &["a", "b", "c", "d"], &diary));
    assert_eq!(diary.read(), ["+a", "+b", "+c", "+d"]);
    run.link("b").send(Crash).unwrap();
    let restarted = run.restarted();
    (restarted, diary.read())
}

#[test]
fn sup_8_one_for_one_touches_the_failed_child_alone() {
    let (restarted, lines) = crash_b(Strategy::OneForOne);
    assert_eq!(restarted, ["b"]);
    assert_eq!(lines, ["-b", "+b"]);
}

#[test]
fn sup_8_sup_9_one_for_all_stops_in_reverse_and_starts_in_order() {
    let (restarted, lines) = crash_b(Strategy::OneForAll);
    assert_eq!(restarted, ["a", "b", "c", "d"]);
    assert_eq!(lines, ["-b", "-d", "-c", "-a", "+a", "+b", "+c", "+d"]);
}

#[test]
fn sup_8_sup_9_rest_for_one_leaves_the_earlier_ones() {
    let (restarted, lines) = crash_b(Strategy::RestForOne);
    assert_eq!(restarted, ["b", "c", "d"]);
    assert_eq!(lines, ["-b", "-d", "-c", "+b", "+c", "+d"]);
}

#[test]
fn sup_8_set_strategy_works_live() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a", "b"], &diary));
    run.link("b").send(Crash).unwrap();
    assert_eq!(run.restarted(), ["b"]);
    run.system.block_on(run.supervisor.set_strategy(Strategy::OneForAll)).unwrap();
    run.link("b").send(Crash).unwrap();
    assert_eq!(run.restarted(), ["a", "b"]);
    run.system.block_on(run.supervisor.set_strategy(Strategy::RestForOne)).unwrap();
    run.link("b").send(Crash).unwrap();
    assert_eq!(run.restarted(), ["b"]);
}

#[test]
fn sup_10_a_temporary_bystander_is_stopped_and_not_restarted() {
    let diary = Diary::new();
    let builder = tree(Strategy::OneForAll, &["a"], &diary)
        .child(worker("t", &diary).restart(RestartPolicy::Temporary))
        .child(worker("b", &diary));
    let run = start(builder);
    diary.read();
    run.link("a").send(Crash).unwrap();
    assert_eq!(run.restarted(), ["a", "b"]);
    assert_eq!(diary.read(), ["-a", "-b", "-t", "+a", "+b"]);
    assert_eq!(run.status("t"), None);
}

#[test]
fn sup_13_one_for_all_retries_the_whole_group() {
    let diary = Diary::new();
    let failures = Arc::new(AtomicU32::new(0));
    let builder = Supervisor::builder(Strategy::OneForAll)
        .child(worker("a", &diary))
        .child(faulty("b", &diary, &failures));
    let run = start(builder);
    diary.read();
    failures.store(1, Ordering::SeqCst);
    run.link("a").send(Crash).unwrap();
    assert_eq!(run.restarted(), ["a", "b"]);
    assert_eq!(diary.read(), ["-a", "-b", "+a", "!b", "-a", "+a", "+b"]);
}

#[test]
fn sup_13_rest_for_one_does_not_restart_the_first_again() {
    let diary = Diary::new();
    let failures = Arc::new(AtomicU32::new(0));
    let builder = Supervisor::builder(Strategy::RestForOne)
        .child(worker("a", &diary))
        .child(faulty("b", &diary, &failures))
        .child(worker("c", &diary));
    let run = start(builder);
    diary.read();
    failures.store(1, Ordering::SeqCst);
    run.link("a").send(Crash).unwrap();
    assert_eq!(run.restarted(), ["b", "c"]);
    assert_eq!(diary.read(), ["-a", "-c", "-b", "+a", "!b", "+b", "+c"]);
}

#[test]
fn sup_30_siblings_and_tasks_survive_a_group_restart() {
    let diary = Diary::new();
    let lines = diary.clone();
    let task = ChildSpec::task("task", move || {
        lines.write("+task");
        std::future::pending()
    });
    let callback = worker("b", &diary).restart_fn(|last, _| Ok(last.expect("stopped, not lost")));
    let builder = tree(Strategy::OneForAll, &["a"], &diary).child(callback).child(task);
    let run = start(builder);
    let b = run.link("b");
    run.call(&b, Add(7));
    diary.wait("+task");
    run.link("a").send(Crash).unwrap();
    assert_eq!(run.restarted(), ["a", "b", "task"]);
    assert_eq!(run.call(&b, Add(1)), 8);
    diary.wait("+task");
}

#[test]
fn sup_32_the_exit_of_a_replaced_life_starts_nothing() {
    let diary = Diary::new();
    let limit = Limit { max_restarts: 2, ..Limit::default() };
    let run = start(tree(Strategy::OneForAll, &["a", "b", "c"], &diary).limit(limit));
    let (first, last) = (run.link("a"), run.link("c"));
    let (first_down, last_down) = (first.down(), last.down());
    // Two die at once: the second death may come before, in or after the round of the first.
    first.kill();
    last.kill();
    run.system.block_on(first_down);
    run.system.block_on(last_down);
    run.restarted();
    let lives = loop {
        let children = run.which();
        if children.iter().all(|child| child.status == ChildStatus::Running) {
            break children.iter().map(|child| child.incarnation).collect::<Vec<_>>();
        }
        std::thread::yield_now();
    };
    assert!(lives.iter().all(|&life| life == lives[0] && life <= 3), "{lives:?}");
    assert!(!run.events.try_iter().any(|e| matches!(e, Event::LimitExceeded { .. })));
}
