//! A supervisor that runs gets another declaration.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actors_core::{ExitReason, Status, System};
use actors_supervise::{
    Backoff, ChildError, ChildSpec, ChildStatus, Event, Limit, Local, RestartPolicy, Shutdown,
    SpecError, Strategy, Supervisor, SupervisorBuilder, SupervisorLink,
};
use common::*;

/// A worker that starts with this sum.
fn with_sum(id: &str, sum: u64, diary: &Diary) -> ChildSpec<Local<Worker>> {
    let (name, diary) = (id.to_owned(), diary.clone());
    ChildSpec::new(id, move || {
        let mut worker = Worker::new(&name, &diary);
        worker.sum = sum;
        worker
    })
}

fn one_for_one() -> SupervisorBuilder {
    Supervisor::builder(Strategy::OneForOne)
}

async fn children(supervisor: &SupervisorLink) -> Vec<(String, ChildStatus)> {
    let children = supervisor.which_children().await.expect("it runs");
    children.into_iter().map(|child| (child.id, child.status)).collect()
}

fn named(id: &str, status: ChildStatus) -> (String, ChildStatus) {
    (id.into(), status)
}

#[test]
fn sup_25_a_child_of_both_declarations_runs_on_and_starts_by_the_new_one() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor =
            one_for_one().child(worker("a", &diary).name("a")).start(&system).await.unwrap();
        let a = supervisor.child::<Worker>("a").await.unwrap();
        a.call(Add(1)).await.unwrap();
        let spec = with_sum("a", 100, &diary).name("a").restart(RestartPolicy::Permanent);
        supervisor.change(one_for_one().child(spec)).await.unwrap();
        assert_eq!(a.call(Add(1)).await, Ok(2), "it runs on");
        a.stop(ExitReason::Normal);
        assert_eq!(a.call(Life).await, Ok(2), "it is permanent now");
        assert_eq!(a.call(Add(1)).await, Ok(101), "made by the new spec");

        let spec = worker("a", &diary).name("a").restart(RestartPolicy::Temporary);
        supervisor.change(one_for_one().child(spec)).await.unwrap();
        a.send(Crash).unwrap();
        until(|| matches!(a.info().status, Status::Dead(_))).await;
        assert_eq!(children(&supervisor).await, []);
        assert_eq!(diary.read(), ["+a", "-a", "+a", "-a"]);
    });
}

#[test]
fn sup_25_what_the_old_spec_kept_from_before_a_message_is_not_kept_any_more() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let spec = worker("a", &diary).redeliver::<Again>(1).drop_queue();
        let supervisor = one_for_one().child(spec).start(&system).await.unwrap();
        let a = supervisor.child::<Worker>("a").await.unwrap();
        supervisor.change(one_for_one().child(worker("a", &diary))).await.unwrap();
        a.send(Again).unwrap();
        a.send(Add(1)).unwrap();
        assert_eq!(a.call(Add(0)).await, Ok(1), "not delivered again, and the queue is kept");
        assert_eq!(a.call(Life).await, Ok(2));
    });
}

/// Crashes; can be delivered again.
#[derive(Clone)]
struct Again;
impl actors_core::Message for Again {
    type Reply = ();
}
impl actors_core::Handler<Again> for Worker {
    async fn handle(&mut self, _: Again, _: &mut actors_core::Context<Self>) {
        panic!("as asked");
    }
}

#[test]
fn sup_25_new_children_are_not_started() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor = tree(Strategy::OneForOne, &["a"], &diary).start(&system).await.unwrap();
        let declared = tree(Strategy::OneForAll, &["new", "a", "b"], &diary);
        supervisor.change(declared).await.unwrap();
        let (running, stopped) = (ChildStatus::Running, ChildStatus::Stopped);
        let expected = [named("new", stopped), named("a", running), named("b", stopped)];
        assert_eq!(children(&supervisor).await, expected);
        assert_eq!(diary.read(), ["+a"]);
        let link = supervisor.child::<Worker>("b").await;
        assert_eq!(link, Err(ChildError::NotRunning("b".into())));

        supervisor.restart_child("b").await.unwrap();
        let b = supervisor.child::<Worker>("b").await.unwrap();
        assert_eq!(b.call(Add(1)).await, Ok(1));
        assert_eq!(diary.read(), ["+b"]);

        // The group has a new strategy, and a new order.
        let events = supervisor.subscribe();
        b.send(Crash).unwrap();
        until(|| events.try_iter().any(|event| matches!(event, Event::Restarted { .. }))).await;
        assert_eq!(diary.read(), ["-b", "-a", "+new", "+a", "+b"]);
        supervisor.shutdown(ExitReason::Shutdown).await;
        assert_eq!(diary.read(), ["-b", "-a", "-new"]);
    });
}

#[test]
fn sup_25_a_new_child_whose_name_is_taken_is_started_when_it_is_free() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let old = one_for_one().child(worker("old", &diary).name("worker"));
        let supervisor = old.start(&system).await.unwrap();
        supervisor.change(one_for_one().child(worker("new", &diary).name("worker"))).await.unwrap();
        let started = supervisor.restart_child("new").await;
        assert!(matches!(started, Err(ChildError::Start { .. })), "{started:?}");
        supervisor.terminate_child("old").await.unwrap();
        supervisor.restart_child("new").await.unwrap();
        let new = supervisor.child::<Worker>("new").await.unwrap();
        assert_eq!(system.whereis("worker"), Ok(new));
    });
}

#[test]
fn sup_25_sup_31_a_child_no_longer_declared_runs_until_it_ends() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let first = tree(Strategy::OneForOne, &["a", "b", "c", "d"], &diary);
        let supervisor = first.start(&system).await.unwrap();
        let ended = supervisor.child::<Worker>("d").await.unwrap();
        supervisor.stop_child("d").await.unwrap();
        diary.read();
        let [a, b] = ["a", "b"].map(|id| supervisor.child::<Worker>(id));
        let (a, b) = (a.await.unwrap(), b.await.unwrap());
        supervisor.change(tree(Strategy::OneForOne, &["c"], &diary)).await.unwrap();
        assert!(matches!(ended.info().status, Status::Dead(_)), "it did not run");
        let running = ["c", "a", "b"].map(|id| named(id, ChildStatus::Running));
        assert_eq!(children(&supervisor).await, running);
        assert_eq!(a.call(Add(1)).await, Ok(1));

        let events = supervisor.subscribe();
        a.send(Crash).unwrap();
        let gone = Event::ChildRemoved { id: "a".into() };
        until(|| events.try_iter().any(|event| event == gone)).await;
        assert!(matches!(a.info().status, Status::Dead(_)));
        assert_eq!(diary.read(), ["-a"]);

        supervisor.shutdown(ExitReason::Shutdown).await;
        assert!(matches!(b.info().status, Status::Dead(_)), "no orphans");
    });
}

#[test]
fn sup_25_sup_14_a_restarted_supervisor_starts_what_was_declared_last() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let below = ChildSpec::supervisor("below", tree(Strategy::OneForOne, &["a", "b"], &diary));
        let top = one_for_one().child(below).start(&system).await.unwrap();
        let below = top.supervisor("below").await.unwrap();
        let b = below.child::<Worker>("b").await.unwrap();
        let added = below.start_actor(worker("added", &diary)).await.unwrap();
        let declared = tree(Strategy::OneForOne, &["c", "b", "added"], &diary);
        below.change(declared).await.unwrap();
        diary.read();
        let events = top.subscribe();
        below.link().kill();
        until(|| events.try_iter().any(|event| matches!(event, Event::Restarted { .. }))).await;
        let lines = diary.read();
        assert_eq!(&lines[lines.len() - 3..], ["+c", "+b", "+added"], "{lines:?}");
        assert_eq!(b.call(Life).await, Ok(2), "at its address");
        assert_eq!(added.call(Life).await, Ok(2), "it is static now");
        let running = ["c", "b", "added"].map(|id| named(id, ChildStatus::Running));
        assert_eq!(children(&below).await, running);
    });
}

#[test]
fn sup_25_of_a_supervisor_below_the_rules_alone_change() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let below =
            |ids: &[&str]| ChildSpec::supervisor("below", tree(Strategy::OneForOne, ids, &diary));
        let top = one_for_one().child(below(&["a"])).start(&system).await.unwrap();
        let link = top.supervisor("below").await.unwrap();
        let declared = below(&["b"]).restart(RestartPolicy::Temporary);
        top.change(one_for_one().child(declared)).await.unwrap();
        assert_eq!(children(&link).await, [named("a", ChildStatus::Running)]);
        link.link().kill();
        until(|| matches!(link.link().info().status, Status::Dead(_))).await;
        assert_eq!(children(&top).await, [], "it is temporary now");
        assert_eq!(diary.read(), ["+a", "-a"]);
    });
}

#[test]
fn sup_25_an_invalid_declaration_changes_nothing() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let first = one_for_one()
            .limit(limit(1))
            .child(worker("a", &diary).name("a"))
            .child(worker("b", &diary));
        let supervisor = first.start(&system).await.unwrap();
        let a = supervisor.child::<Worker>("a").await.unwrap();
        let good = || {
            let spec = with_sum("a", 100, &diary).name("a").restart(RestartPolicy::Temporary);
            Supervisor::builder(Strategy::OneForAll).limit(limit(0)).child(spec)
        };
        let task = ChildSpec::task("b", std::future::pending::<()>);
        let spec = |id: &str| worker(id, &diary);
        let permanent = spec("c").restart(RestartPolicy::Permanent).significant(true);
        let rows = [
            (good().child(spec("")), SpecError::EmptyId),
            (good().child(spec("a")), SpecError::DuplicateId("a".into())),
            (good().child(permanent), SpecError::SignificantPermanent("c".into())),
            (good().child(spec("c").significant(true)), SpecError::SignificantNever("c".into())),
            (good().child(spec("c").mailbox_capacity(0)), SpecError::ZeroCapacity("c".into())),
            (
                good().limit(Limit { max_restarts: 1, period: Duration::ZERO }),
                SpecError::ZeroPeriod,
            ),
            (good().child(task), SpecError::Fixed("b".into())),
            (good().child(spec("b").name("b")), SpecError::Fixed("b".into())),
            (good().child(spec("b").mailbox_capacity(1)), SpecError::Fixed("b".into())),
            (good().child(spec("b").adopting(&a)), SpecError::Fixed("b".into())),
        ];
        for (declared, wrong) in rows {
            assert_eq!(supervisor.change(declared).await, Err(ChildError::Spec(wrong)));
        }
        let running = ["a", "b"].map(|id| named(id, ChildStatus::Running));
        assert_eq!(children(&supervisor).await, running);
        a.send(Crash).unwrap();
        assert_eq!(a.call(Life).await, Ok(2), "restarted, and not over the limit");
        assert_eq!(a.call(Add(1)).await, Ok(1), "by the old spec");
        assert_eq!(diary.read(), ["+a", "+b", "-a", "+a"], "it alone");
    });
}

#[test]
fn sup_25_sup_12_a_child_that_is_being_restarted_is_not_changed() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let failures = Arc::new(AtomicU32::new(0));
        let hour = Duration::from_secs(3600);
        let spec = faulty("a", &diary, &failures).backoff(Backoff::exponential(hour, hour));
        let supervisor = one_for_one().child(spec).start(&system).await.unwrap();
        let a = supervisor.child::<Worker>("a").await.unwrap();
        let events = supervisor.subscribe();
        a.send(Crash).unwrap();
        until(|| events.try_iter().any(|event| matches!(event, Event::RoundStarted { .. }))).await;
        for declared in [one_for_one().child(worker("a", &diary)), one_for_one()] {
            let changed = supervisor.change(declared).await;
            assert_eq!(changed, Err(ChildError::Restarting("a".into())));
        }
        supervisor.stop_child("a").await.unwrap();
        supervisor.change(one_for_one().child(worker("a", &diary))).await.unwrap();
        supervisor.restart_child("a").await.unwrap();
        assert_eq!(failures.load(Ordering::SeqCst), 0);
        assert_eq!(a.call(Life).await, Ok(2));
    });
}

#[test]
fn sup_25_a_child_that_is_being_stopped_is_not_changed() {
    everywhere(|system| async move {
        let (diary, gate) = (Diary::new(), Gate::default());
        let held = gate.clone();
        let slow = ChildSpec::new("slow", move || Slow(held.clone())).shutdown(Shutdown::Infinity);
        let run = start(&system, one_for_one().child(slow)).await;
        let link = run.supervisor.child::<Slow>("slow").await.unwrap();
        let change = async {
            while run.status("slow").await != Some(ChildStatus::Stopping) {}
            let changed = run.supervisor.change(one_for_one()).await;
            assert_eq!(changed, Err(ChildError::Stopping("slow".into())));
            gate.open();
        };
        let stop = run.supervisor.stop_child("slow");
        assert_eq!(futures_lite::future::zip(stop, change).await, (Ok(()), ()));
        run.supervisor.change(one_for_one().child(worker("b", &diary))).await.unwrap();
        assert!(matches!(link.info().status, Status::Dead(_)));
    });
}

/// Ends when the gate is opened.
struct Slow(Gate);
impl actors_core::Actor for Slow {
    async fn term(&mut self, _: &ExitReason) {
        self.0.opened().await;
    }
}

/// A failure that is under way, or comes at any time after, is that of the child as it is declared then.
#[test]
fn sup_25_sup_28_children_that_fail_while_they_are_changed_are_lost_by_nobody() {
    everywhere(|system: System| async move {
        let diary = Diary::new();
        let ids = ["a", "b", "c"];
        let first = tree(Strategy::OneForOne, &ids, &diary).limit(limit(u32::MAX));
        let supervisor = first.start(&system).await.unwrap();
        let mut links = Vec::new();
        for id in ids {
            links.push(supervisor.child::<Worker>(id).await.unwrap());
        }
        let mut changes = 0;
        for n in 0..10 {
            links[n % 3].send(Crash).unwrap();
            let mut ids = ids;
            ids.rotate_left(n % 3);
            let declared = tree(Strategy::OneForOne, &ids, &diary).limit(limit(u32::MAX));
            match supervisor.change(declared).await {
                Ok(()) => {
                    changes += 1;
                    let now: Vec<_> =
                        children(&supervisor).await.into_iter().map(|(id, _)| id).collect();
                    assert_eq!(now, ids);
                }
                Err(ChildError::Restarting(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for (n, link) in links.iter().enumerate() {
            let lives = if n == 0 { 5 } else { 4 };
            assert_eq!(link.call(Life).await, Ok(lives), "{changes} changes");
        }
        supervisor.shutdown(ExitReason::Shutdown).await;
        assert!(links.iter().all(|link| matches!(link.info().status, Status::Dead(_))));
    });
}
