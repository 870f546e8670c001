//! What the stream of events tells.

mod common;

use std::sync::{Arc, atomic::AtomicU32};

use actors_core::{
    ExitReason, StartError, System,
    supervision::{Failure, RestartSource},
};
use actors_supervise::{
    AutoShutdown, ChildSpec, Escalation, Event, Local, StateSource, Strategy, Supervisor,
    SupervisorBuilder,
};
use common::*;
use crossbeam_channel::Receiver;

/// What the lives of this child began with, until one crash of it is answered.
async fn sources(system: &System, spec: ChildSpec<Local<Worker>>) -> Vec<StateSource> {
    let builder = Supervisor::builder(Strategy::OneForOne);
    let events = builder.subscribe();
    let supervisor = builder.start(system).await.unwrap();
    let worker = supervisor.start_actor(spec).await.unwrap();
    worker.call(Add(1)).await.unwrap();
    worker.send(Crash).unwrap();
    let mut sources = Vec::new();
    until(|| {
        sources.extend(events.try_iter().filter_map(|event| match event {
            Event::ChildStarted { source, .. } => Some(source),
            _ => None,
        }));
        sources.len() == 2
    })
    .await;
    sources
}

struct Named;
impl RestartSource<Worker> for Named {
    async fn restore(
        &mut self,
        last: Option<Worker>,
        _: &Failure,
        _: u32,
    ) -> Result<Worker, StartError> {
        last.ok_or(StartError::NoState)
    }

    fn name(&self) -> &'static str {
        "the shelf"
    }
}

struct Nameless;
impl RestartSource<Worker> for Nameless {
    async fn restore(
        &mut self,
        last: Option<Worker>,
        _: &Failure,
        _: u32,
    ) -> Result<Worker, StartError> {
        last.ok_or(StartError::NoState)
    }
}

#[test]
fn sup_5_the_start_of_a_life_tells_where_its_state_came_from() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let spec = || worker("a", &diary);
        let given = || ChildSpec::from_state("a", Worker::new("a", &diary));
        let running = system.spawn(Worker::new("a", &diary));
        let restarted = spec().restart_fn(|last, _| last.ok_or(StartError::NoState));
        let nameless = std::any::type_name::<Nameless>();
        let rows = [
            (spec(), [StateSource::Spec, StateSource::Spec]),
            (spec().from_last_state(), [StateSource::Spec, StateSource::LastState]),
            (given(), [StateSource::Spec, StateSource::LastState]),
            (restarted, [StateSource::Spec, StateSource::RestartSource("restart_fn")]),
            (
                spec().restart_with(Named),
                [StateSource::Spec, StateSource::RestartSource("the shelf")],
            ),
            (
                spec().restart_with(Nameless),
                [StateSource::Spec, StateSource::RestartSource(nameless)],
            ),
            (spec().from_state_before(1), [StateSource::Spec, StateSource::StateBefore]),
            (ChildSpec::running("a", &running), [StateSource::Adopted, StateSource::LastState]),
        ];
        for (spec, expected) in rows {
            assert_eq!(sources(&system, spec).await, expected);
        }
    });
}

/// A life that ends before its first message has changed nothing.
#[test]
fn sup_5_without_a_state_from_before_the_last_state_is_used() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let spec = ChildSpec::from_state("a", Worker::new("a", &diary)).from_state_before(1);
        let builder = Supervisor::builder(Strategy::OneForOne);
        let events = builder.subscribe();
        let supervisor = builder.start(&system).await.unwrap();
        let worker = supervisor.start_actor(spec).await.unwrap();
        worker.kill();
        let mut source = None;
        until(|| {
            source = events.try_iter().find_map(|event| match event {
                Event::ChildStarted { incarnation: 2, source, .. } => Some(source),
                _ => None,
            });
            source.is_some()
        })
        .await;
        assert_eq!(source, Some(StateSource::LastState));
        assert_eq!(worker.call(Add(1)).await, Ok(1));
    });
}

/// Why it gave up, between the limit that it passed and its end.
async fn escalation(events: &Receiver<Event>) -> (Escalation, Option<String>, ExitReason) {
    let mut told = Vec::new();
    until(|| {
        told.extend(events.try_iter());
        told.last() == Some(&Event::ShutDown)
    })
    .await;
    let escalated = told.iter().filter_map(|event| match event {
        Event::Escalated { why, id, reason } => Some((*why, id.clone(), reason.clone())),
        _ => None,
    });
    let mut escalated: Vec<_> = escalated.collect();
    assert_eq!(escalated.len(), 1, "{told:?}");
    escalated.remove(0)
}

fn without_restarts() -> SupervisorBuilder {
    Supervisor::builder(Strategy::OneForOne).limit(limit(0))
}

#[test]
fn sup_11_sup_15_sup_23_a_supervisor_that_gives_up_tells_why() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let a = || Some("a".to_owned());

        let builder = without_restarts().child(worker("a", &diary));
        let events = builder.subscribe();
        let supervisor = builder.start(&system).await.unwrap();
        supervisor.child::<Worker>("a").await.unwrap().send(End(error())).unwrap();
        assert_eq!(escalation(&events).await, (Escalation::LimitExceeded, a(), error()));

        let always = Arc::new(AtomicU32::new(u32::MAX));
        let builder = without_restarts().child(faulty("a", &diary, &always));
        let events = builder.subscribe();
        builder.start(&system).await.unwrap_err();
        let not_yet = ExitReason::Error("not yet".into());
        assert_eq!(escalation(&events).await, (Escalation::StartFailed, a(), not_yet));

        let taken = system.spawn(Worker::new("taken", &diary));
        system.register("taken", &taken).unwrap();
        let builder = without_restarts().child(worker("a", &diary).name("taken"));
        let events = builder.subscribe();
        builder.start(&system).await.unwrap_err();
        let (why, id, _) = escalation(&events).await;
        assert_eq!((why, id), (Escalation::StartFailed, a()));

        let builder = without_restarts()
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(worker("a", &diary).significant(true));
        let events = builder.subscribe();
        let supervisor = builder.start(&system).await.unwrap();
        supervisor.child::<Worker>("a").await.unwrap().stop(ExitReason::Normal);
        let told = escalation(&events).await;
        assert_eq!(told, (Escalation::SignificantEnded, a(), ExitReason::Normal));

        let builder = without_restarts().child(worker("a", &diary));
        let events = builder.subscribe();
        let supervisor = builder.start(&system).await.unwrap();
        supervisor.shutdown(ExitReason::Shutdown).await;
        let told: Vec<_> = events.try_iter().collect();
        assert_eq!(told.last(), Some(&Event::ShutDown));
        assert!(!told.iter().any(|event| matches!(event, Event::Escalated { .. })), "{told:?}");
    });
}
