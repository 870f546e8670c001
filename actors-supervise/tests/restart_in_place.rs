//! A restart keeps the address, the name, the queue and, if told to, the state.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actors_core::{ExitReason, SendError, StartError, System};
use actors_supervise::{ChildSpec, Event, Limit, Strategy, Supervisor};
use common::*;

async fn one(system: &System, spec: impl Into<ChildSpec>) -> Run {
    start(system, Supervisor::builder(Strategy::OneForOne).child(spec)).await
}

#[test]
fn sup_5_init_makes_a_fresh_state() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = one(&system, worker("a", &diary)).await;
        let link = run.link("a").await;
        run.call(&link, Add(5)).await;
        link.send(Crash).unwrap();
        assert_eq!(run.call(&link, Add(1)).await, 1);
    });
}

#[test]
fn sup_5_the_restart_callback_comes_before_init_and_gets_the_last_state() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let spec = worker("a", &diary).restart_fn(|last, why| {
            assert!(matches!(why.reason, ExitReason::Panic { .. }));
            assert_eq!(why.incarnation, 1);
            let mut last = last.expect("the last life left one");
            last.sum -= 1000;
            Ok(last)
        });
        let run = one(&system, spec).await;
        let link = run.link("a").await;
        run.call(&link, Add(5)).await;
        link.send(Crash).unwrap();
        assert_eq!(run.call(&link, Add(1)).await, 6);
    });
}

#[test]
fn sup_5_without_init_the_last_state_goes_on() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = one(&system, ChildSpec::from_state("a", Worker::new("a", &diary))).await;
        let link = run.link("a").await;
        run.call(&link, Add(5)).await;
        link.send(Crash).unwrap();
        assert_eq!(run.call(&link, Add(1)).await, 1006, "what the crashed handler left");
    });
}

#[test]
fn sup_5_the_last_state_comes_before_init_if_the_spec_says_so() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = one(&system, worker("a", &diary).from_last_state()).await;
        let link = run.link("a").await;
        run.call(&link, Add(5)).await;
        link.send(End(error())).unwrap();
        assert_eq!(run.call(&link, Add(1)).await, 6);
    });
}

#[test]
fn sup_5_a_restart_callback_that_fails_or_panics_is_a_failed_start() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let tries = Arc::new(AtomicU32::new(0));
        let (spec, fresh) = (worker("a", &diary), diary.clone());
        let spec = spec.restart_fn(move |_, _| match tries.fetch_add(1, Ordering::SeqCst) {
            0 => Err(StartError::failed("not yet")),
            1 => panic!("as asked"),
            _ => Ok(Worker::new("again", &fresh)),
        });
        let run = one(&system, spec).await;
        let link = run.link("a").await;
        link.send(Crash).unwrap();
        let failed = |event: &Event| match event {
            Event::StartFailed { error, .. } => Some(error.clone()),
            _ => None,
        };
        assert_eq!(run.wait("failed start", failed).await, StartError::failed("not yet"));
        let panicked = run.wait("failed start", failed).await;
        assert!(matches!(panicked, StartError::Exited(ExitReason::Panic { .. })), "{panicked:?}");
        assert_eq!(run.call(&link, Life).await, 4, "failed starts are lives too");
    });
}

#[test]
fn sup_6_links_and_names_work_after_a_restart() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = one(&system, worker("a", &diary).name("worker")).await;
        let link = run.link("a").await;
        for life in 1..=3 {
            let named = run.system.whereis::<Worker>("worker").unwrap();
            assert_eq!(named, link);
            assert_eq!(run.call(&named, Life).await, life);
            assert_eq!(run.call(&link, Life).await, life);
            link.send(Crash).unwrap();
            run.exited("a").await;
            run.started("a").await;
        }
        assert_eq!(run.info("a").await.unwrap().link, Some(link.erase()));
    });
}

#[test]
fn sup_7_the_queue_is_kept_in_order_and_the_crashing_message_is_not_redelivered() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let limit = Limit { max_restarts: 1, ..Limit::default() };
        let spec = worker("a", &diary);
        let run =
            start(&system, Supervisor::builder(Strategy::OneForOne).limit(limit).child(spec)).await;
        let letters = run.system.dead_letters();
        let link = run.link("a").await;
        let (tx, rx) = crossbeam_channel::unbounded();
        link.send(Crash).unwrap();
        for n in 1..=100_u64 {
            let tx = tx.clone();
            let reply = actors_core::ReplyTo::to_function(move |sum: Result<u64, _>| {
                tx.send(sum.expect("every queued message is handled")).unwrap();
            });
            link.ask(Add(n), reply).unwrap();
        }
        let mut sums = Vec::new();
        run.look("answers", || {
            sums.extend(rx.try_iter());
            (sums.len() == 100).then_some(())
        })
        .await;
        let expected: Vec<u64> = (1..=100).map(|n| n * (n + 1) / 2).collect();
        assert_eq!(sums, expected);
        assert_eq!(run.call(&link, Life).await, 2, "a redelivered crash would have ended life 2");
        let crashed = run.look("dead letter", || letters.try_recv().ok()).await;
        assert_eq!(crashed.cause, actors_core::DeadLetterCause::Crashed);
        assert!(letters.try_recv().is_err(), "nothing else was lost");
    });
}

/// The bound of a child's mailbox is there from the first message on, and over restarts.
#[test]
fn sup_6_core_15_the_bound_of_a_mailbox_holds_over_restarts() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = one(&system, worker("a", &diary).mailbox_capacity(2)).await;
        let link = run.link("a").await;
        for life in [3, 5] {
            run.supervisor.stop_child("a").await.unwrap();
            link.send(Add(1)).unwrap();
            link.send(Crash).unwrap();
            let full = link.send(Add(3));
            assert!(matches!(full, Err(SendError::Full(Add(3)))), "before life {life}");
            run.supervisor.restart_child("a").await.unwrap();
            while run.started("a").await < life {}
            run.restarted().await;
            assert_eq!(run.call(&link, Life).await, life, "there is room again");
        }
    });
}

#[test]
fn sup_7_what_is_queued_for_a_removed_child_becomes_dead_letters() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = one(&system, worker("a", &diary)).await;
        let letters = run.system.dead_letters();
        let link = run.link("a").await;
        run.supervisor.stop_child("a").await.unwrap();
        link.send(Add(1)).expect("it could be restarted");
        run.supervisor.delete_child("a").await.unwrap();
        let letter = run.look("dead letter", || letters.try_recv().ok()).await;
        assert_eq!((letter.to, letter.cause), (link.id(), actors_core::DeadLetterCause::Died));
        assert!(link.send(Add(1)).is_err());
    });
}
