//! Actors that run already come under supervision, and leave it.

mod common;

use actors_core::{ExitReason, StartError, Status, System, sim};
use actors_supervise::{
    ChildError, ChildKind, ChildSpec, Event, RestartPolicy, Strategy, Supervisor, SupervisorLink,
};
use common::*;
use futures_lite::future::zip;

async fn supervisor(system: &System) -> SupervisorLink {
    Supervisor::builder(Strategy::OneForOne).start(system).await.expect("it has no children")
}

#[test]
fn sup_2_a_running_actor_is_supervised_as_it_is() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor = supervisor(&system).await;
        let actor = system.spawn(Worker::new("a", &diary));
        system.register("worker", &actor).unwrap();
        actor.call(Add(1)).await.unwrap();
        actor.send(Add(2)).unwrap();
        let info = supervisor.supervise("a", &actor).await.unwrap();
        assert_eq!((info.link, info.incarnation), (Some(actor.erase()), 1));
        assert_eq!(actor.call(Add(3)).await, Ok(6), "its state and its queue are its own");

        actor.send(Crash).unwrap();
        actor.send(Add(4)).unwrap();
        assert_eq!(actor.call(Life).await, Ok(2), "it is transient");
        assert_eq!(actor.call(Add(0)).await, Ok(1010), "from its last state, with its queue");
        assert_eq!(system.whereis("worker"), Ok(actor.clone()));

        supervisor.terminate_child("a").await.unwrap();
        assert!(actor.send(Add(1)).is_err());
        assert!(system.whereis_any("worker").is_err());
        assert_eq!(
            diary.read(),
            ["+a", "-a", "+a", "-a"],
            "it was not started when it was adopted"
        );
    });
}

#[test]
fn sup_2_sup_5_an_adopted_actor_is_restarted_by_its_spec() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor = supervisor(&system).await;
        let actor = system.spawn(Worker::new("a", &diary));
        actor.call(Add(1)).await.unwrap();
        let spec = worker("a", &diary).adopting(&actor).restart(RestartPolicy::Permanent);
        supervisor.start_actor(spec.name("worker")).await.unwrap();
        assert_eq!(system.whereis("worker"), Ok(actor.clone()));
        actor.stop(ExitReason::Normal);
        assert_eq!(actor.call(Life).await, Ok(2));
        assert_eq!(actor.call(Add(0)).await, Ok(0), "made by the spec");
    });
}

/// An actor that ends while it is adopted is a child that has failed, or is not taken.
#[test]
fn sup_2_sup_28_an_actor_that_ends_while_it_is_adopted_is_lost_by_nobody() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor = supervisor(&system).await;
        for _ in 0..10 {
            let actor = system.spawn(Worker::new("a", &diary));
            actor.send(Crash).unwrap();
            match supervisor.supervise("a", &actor).await {
                Ok(_) => {
                    assert_eq!(actor.call(Life).await, Ok(2));
                    supervisor.terminate_child("a").await.unwrap();
                }
                Err(error) => {
                    let error = match error {
                        ChildError::Start { error, .. } => error,
                        other => panic!("{other}"),
                    };
                    assert_eq!(error, StartError::Exited(ExitReason::NoProc));
                    assert_eq!(supervisor.which_children().await, Ok(vec![]));
                }
            }
            assert!(matches!(actor.info().status, Status::Dead(_)));
            // The limit is that of the supervisor: this one is not to reach it.
            supervisor.set_limit(limit(u32::MAX)).await.unwrap();
        }
    });
}

#[test]
fn sup_21_an_actor_has_one_supervisor() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let (first, second) = (supervisor(&system).await, supervisor(&system).await);
        let actor = system.spawn(Worker::new("a", &diary));
        first.supervise("a", &actor).await.unwrap();
        for supervisor in [&first, &second] {
            let again = supervisor.supervise("b", &actor).await;
            let error = StartError::AlreadySupervised;
            assert_eq!(again, Err(ChildError::Start { child: "b".into(), error }));
        }
        assert_eq!(second.which_children().await, Ok(vec![]));
        actor.send(Crash).unwrap();
        assert_eq!(actor.call(Life).await, Ok(2), "the first has it still");
    });
}

#[test]
fn sup_21_what_cannot_be_adopted_stays_as_it_is() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor = supervisor(&system).await;
        let error = |child: &str, error| Err(ChildError::Start { child: child.into(), error });

        let dead = system.spawn(Worker::new("dead", &diary));
        dead.stop(ExitReason::Normal);
        dead.down().await;
        let taken = supervisor.supervise("dead", &dead).await;
        assert_eq!(taken, error("dead", StartError::Exited(ExitReason::NoProc)));

        let other = system.spawn(Worker::new("other", &diary));
        system.register("taken", &other).unwrap();
        let actor = system.spawn(Worker::new("a", &diary));
        let spec = ChildSpec::running("a", &actor).name("taken");
        assert!(supervisor.start_child(spec).await.is_err());
        assert_eq!(supervisor.which_children().await, Ok(vec![]));
        assert_eq!(actor.call(Add(1)).await, Ok(1), "it runs on");
        supervisor.supervise("a", &actor).await.expect("nobody has it");
    });
}

#[test]
fn sup_2_an_unsupervised_actor_can_be_supervised_again() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let (first, second) = (supervisor(&system).await, supervisor(&system).await);
        let actor = first.start_actor(worker("a", &diary)).await.unwrap();
        actor.send(Crash).unwrap();
        assert_eq!(actor.call(Life).await, Ok(2));
        first.unsupervise("a").await.unwrap();
        second.supervise("a", &actor).await.unwrap();
        first.shutdown(ExitReason::Shutdown).await;
        actor.send(Crash).unwrap();
        assert_eq!(actor.call(Life).await, Ok(3), "lives are counted on");
        second.shutdown(ExitReason::Shutdown).await;
        assert!(matches!(actor.info().status, Status::Dead(ExitReason::Shutdown)));
    });
}

/// Neither is a child that fails meanwhile left suspended for ever, nor one that nobody has a link to
/// left running.
#[test]
fn sup_2_an_unsupervised_actor_is_on_its_own() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor = supervisor(&system).await;
        let actor = supervisor.start_actor(worker("a", &diary)).await.unwrap();
        actor.send(Crash).unwrap();
        match supervisor.unsupervise("a").await {
            Ok(_) => {
                let _ = actor.send(Crash);
                until(|| matches!(actor.info().status, Status::Dead(_))).await;
            }
            Err(error) => assert!(matches!(error, ChildError::Restarting(_)), "{error}"),
        }

        let actor = supervisor.start_actor(worker("b", &diary)).await.unwrap();
        let down = actor.down();
        drop(actor);
        let link = supervisor.unsupervise("b").await.unwrap();
        drop(link);
        assert_eq!(down.await.reason, ExitReason::Normal, "nobody can reach it");
    });
}

#[test]
fn sup_2_sup_31_a_supervisor_is_adopted_with_its_children() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let below = tree(Strategy::OneForOne, &["a"], &diary).start(&system).await.unwrap();
        let actor = below.child::<Worker>("a").await.unwrap();
        let top = supervisor(&system).await;
        let info = top.supervise("below", below.link()).await.unwrap();
        assert_eq!(info.kind, ChildKind::Supervisor);
        let events = top.subscribe();
        below.link().kill();
        until(|| events.try_iter().any(|event| matches!(event, Event::Restarted { .. }))).await;
        assert_eq!(actor.call(Life).await, Ok(2), "its children are started anew, in place");
        top.shutdown(ExitReason::Shutdown).await;
        assert!(matches!(actor.info().status, Status::Dead(_)), "no orphans");
        assert_eq!(diary.read(), ["+a", "-a", "+a", "-a"]);
    });
}

/// A static child may be one that runs; it keeps its address when its supervisor is restarted.
#[test]
fn sup_14_an_adopted_static_child_is_restarted_with_its_supervisor() {
    sim::search(0..seeds(), |sim| async move {
        let system = System::builder().host(sim.node("a")).build();
        let diary = Diary::new();
        let actor = system.spawn(Worker::new("a", &diary));
        let below = Supervisor::builder(Strategy::OneForOne).child(ChildSpec::running("a", &actor));
        let top = Supervisor::builder(Strategy::OneForOne)
            .child(ChildSpec::supervisor("below", below))
            .start(&system)
            .await
            .unwrap();
        let below = top.supervisor("below").await.unwrap();
        assert_eq!(actor.call(Life).await, Ok(1));
        below.link().kill();
        until(|| actor.info().incarnation == 2).await;
        assert_eq!(actor.call(Add(1)).await, Ok(1), "from its last state");
    });
}

#[test]
fn sup_21_an_adopted_actor_keeps_its_name() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor = supervisor(&system).await;
        let actor = system.spawn(Worker::new("a", &diary));
        system.register("first", &actor).unwrap();
        let spec = |name: &str| ChildSpec::running("a", &actor).name(name);
        assert!(supervisor.start_child(spec("other")).await.is_err());
        assert!(system.whereis_any("other").is_err());
        system.register("second", &actor).unwrap();
        supervisor.start_child(spec("second")).await.expect("it is one of its names");
        for name in ["first", "second"] {
            assert_eq!(system.whereis(name), Ok(actor.clone()));
        }
    });
}

#[test]
fn sup_21_no_supervisor_comes_below_itself() {
    everywhere(|system| async move {
        let cycle = |id: &str| {
            let error = StartError::Cycle;
            Err(ChildError::Start { child: id.into(), error })
        };
        let lowest = Supervisor::builder(Strategy::OneForOne);
        let middle =
            Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("lowest", lowest));
        let (top, middle) = (supervisor(&system).await, middle.start(&system).await.unwrap());
        top.supervise("middle", middle.link()).await.unwrap();
        let lowest = middle.supervisor("lowest").await.unwrap();
        for below in [&top, &middle, &lowest] {
            assert_eq!(below.supervise("top", top.link()).await, cycle("top"));
        }
        top.supervisor("middle").await.expect("it is where it was");

        top.unsupervise("middle").await.unwrap();
        lowest.supervise("top", top.link()).await.expect("the two are apart now");
        assert_eq!(top.supervise("middle", middle.link()).await, cycle("middle"));
        middle.shutdown(ExitReason::Shutdown).await;
        assert!(matches!(top.link().info().status, Status::Dead(_)), "below all others");
    });
}

#[test]
fn sup_21_of_adoptions_that_make_a_circle_one_at_least_is_refused() {
    everywhere(|system| async move {
        let (a, b, c) =
            (supervisor(&system).await, supervisor(&system).await, supervisor(&system).await);
        let first = zip(a.supervise("b", b.link()), b.supervise("c", c.link()));
        let ((first, second), third) = zip(first, c.supervise("a", a.link())).await;
        let adoptions = [first, second, third];
        let refused = adoptions.iter().filter(|adopted| adopted.is_err()).count();
        assert!(refused >= 1);
        let cycles = adoptions.iter().filter_map(|adopted| adopted.as_ref().err());
        let is_cycle = |error: &ChildError| {
            matches!(error, ChildError::Start { error: StartError::Cycle, .. })
        };
        assert!(cycles.into_iter().all(is_cycle), "{adoptions:?}");
        for supervisor in [&a, &b, &c] {
            supervisor.shutdown(ExitReason::Shutdown).await;
        }
    });
}
