//! A start that has nothing to run is no failure.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actors_core::{StartError, System};
use actors_supervise::{
    ChildError, ChildSpec, ChildStatus, Event, Local, RestartPolicy, Strategy, Supervisor,
    SupervisorLink,
};
use common::*;

/// A worker that has nothing to run while the flag is set.
fn unless(id: &str, diary: &Diary, ignored: &Arc<AtomicBool>) -> ChildSpec<Local<Worker>> {
    let (name, diary, ignored) = (id.to_owned(), diary.clone(), ignored.clone());
    ChildSpec::fallible(id, move || {
        let is_ignored = ignored.load(Ordering::SeqCst);
        let made =
            if is_ignored { Err(StartError::Ignore) } else { Ok(Worker::new(&name, &diary)) };
        async move { made }
    })
}

async fn statuses(supervisor: &SupervisorLink) -> Vec<(String, ChildStatus)> {
    let children = supervisor.which_children().await.unwrap();
    children.into_iter().map(|child| (child.id, child.status)).collect()
}

#[test]
fn sup_20_an_ignored_child_keeps_its_spec_and_is_started_by_hand() {
    everywhere(|system| async move {
        let (diary, ignored) = (Diary::new(), Arc::new(AtomicBool::new(true)));
        let builder = Supervisor::builder(Strategy::OneForOne)
            .limit(limit(0))
            .child(worker("a", &diary))
            .child(unless("b", &diary, &ignored))
            .child(unless("t", &diary, &ignored).restart(RestartPolicy::Temporary))
            .child(worker("c", &diary));
        let events = builder.subscribe();
        let supervisor = builder.start(&system).await.expect("no start has failed");
        assert_eq!(diary.read(), ["+a", "+c"]);
        let told: Vec<_> = events.try_iter().collect();
        assert!(told.contains(&Event::ChildIgnored { id: "b".into() }), "{told:?}");
        assert!(!told.iter().any(|event| matches!(event, Event::StartFailed { .. })));
        let expected = [
            ("a".into(), ChildStatus::Running),
            ("b".into(), ChildStatus::Stopped),
            ("c".into(), ChildStatus::Running),
        ];
        assert_eq!(statuses(&supervisor).await, expected, "the temporary one is gone");

        let b = supervisor.child::<Worker>("b").await.unwrap();
        b.send(Add(5)).expect("it queues");
        let again = supervisor.restart_child("b").await;
        assert_eq!(again, Err(ChildError::Ignored("b".into())));
        assert_eq!(statuses(&supervisor).await, expected);
        ignored.store(false, Ordering::SeqCst);
        supervisor.restart_child("b").await.unwrap();
        assert_eq!(b.call(Add(1)).await, Ok(6));
    });
}

#[test]
fn sup_20_an_ignored_child_that_was_added_is_not_kept() {
    everywhere(|system| async move {
        let (diary, ignored) = (Diary::new(), Arc::new(AtomicBool::new(true)));
        let builder = Supervisor::builder(Strategy::OneForOne).limit(limit(0));
        let supervisor = builder.start(&system).await.unwrap();
        let added = supervisor.start_child(unless("a", &diary, &ignored)).await;
        assert_eq!(added, Err(ChildError::Ignored("a".into())));
        assert_eq!(statuses(&supervisor).await, []);
    });
}

/// A child that is ignored in the restart of its group holds nobody up, and is tried again with it.
#[test]
fn sup_20_a_group_is_restarted_without_the_ignored() {
    everywhere(|system| async move {
        let (diary, ignored) = (Diary::new(), Arc::new(AtomicBool::new(false)));
        let supervisor = Supervisor::builder(Strategy::OneForAll)
            .child(worker("a", &diary))
            .child(unless("b", &diary, &ignored))
            .child(worker("c", &diary))
            .start(&system)
            .await
            .unwrap();
        let c = supervisor.child::<Worker>("c").await.unwrap();
        ignored.store(true, Ordering::SeqCst);
        c.send(Crash).unwrap();
        assert_eq!(c.call(Life).await, Ok(2));
        assert_eq!(statuses(&supervisor).await[1], ("b".into(), ChildStatus::Stopped));
        ignored.store(false, Ordering::SeqCst);
        c.send(Crash).unwrap();
        assert_eq!(c.call(Life).await, Ok(3));
        assert_eq!(statuses(&supervisor).await[1], ("b".into(), ChildStatus::Running));
    });
}

/// Without a supervisor it ends normally.
#[test]
fn sup_20_an_actor_that_ignores_its_start_ends_normally() {
    struct Idle;
    impl actors_core::Actor for Idle {
        async fn init(&mut self, _: &mut actors_core::Context<Self>) -> Result<(), StartError> {
            Err(StartError::Ignore)
        }
    }
    everywhere(|system: System| async move {
        let down = system.spawn(Idle).down().await;
        assert!(
            matches!(
                down.reason,
                actors_core::ExitReason::Normal | actors_core::ExitReason::NoProc
            ),
            "{down:?}"
        );
    });
}
