//! What becomes of the message that crashed its actor, of those behind it, and of the state.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actors_core::{
    Actor, CallError, Context, DeadLetter, DeadLetterCause, ExitReason, Handler, Link, Message,
    Status, System,
};
use actors_supervise::{
    ChildSpec, Local, SpecError, Strategy, Supervisor, SupervisorError, SupervisorLink,
};
use common::{everywhere, limit, until};
use crossbeam_channel::Receiver;

/// Notes what it handles, and fails while there are failures left.
#[derive(Clone)]
struct Clerk {
    notes: Vec<u32>,
    failures: Arc<AtomicU32>,
    deliveries: Arc<AtomicU32>,
}

impl Actor for Clerk {}

/// Panics as long as there are failures left.
#[derive(Clone)]
struct Note(u32);
impl Message for Note {
    type Reply = usize;
}
impl Handler<Note> for Clerk {
    async fn handle(&mut self, Note(n): Note, _: &mut Context<Self>) -> usize {
        self.notes.push(n);
        if n == 7 {
            self.deliveries.fetch_add(1, Ordering::SeqCst);
            let left = |left: u32| left.checked_sub(1);
            let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left);
            assert!(fails.is_err(), "note 7");
        }
        self.notes.len()
    }
}

/// Waits for ever.
#[derive(Clone)]
struct Wait;
impl Message for Wait {
    type Reply = ();
}
impl Handler<Wait> for Clerk {
    async fn handle(&mut self, _: Wait, _: &mut Context<Self>) {
        if self.deliveries.fetch_add(1, Ordering::SeqCst) == 0 {
            std::future::pending::<()>().await;
        }
    }
}

struct Notes;
impl Message for Notes {
    type Reply = Vec<u32>;
}
impl Handler<Notes> for Clerk {
    async fn handle(&mut self, _: Notes, _: &mut Context<Self>) -> Vec<u32> {
        self.notes.clone()
    }
}

struct Office {
    supervisor: SupervisorLink,
    clerk: Link<Clerk>,
    deliveries: Arc<AtomicU32>,
    letters: Receiver<DeadLetter>,
}

type Spec = ChildSpec<Local<Clerk>>;

async fn office(system: &System, failures: u32, set: impl FnOnce(Spec) -> Spec) -> Office {
    let failures = Arc::new(AtomicU32::new(failures));
    let deliveries = Arc::new(AtomicU32::new(0));
    let made = Clerk { notes: Vec::new(), failures, deliveries: deliveries.clone() };
    let letters = system.dead_letters();
    let supervisor = Supervisor::builder(Strategy::OneForOne)
        .limit(limit(100))
        .child(set(ChildSpec::new("clerk", move || made.clone())))
        .start(system)
        .await
        .unwrap();
    let clerk = supervisor.child("clerk").await.unwrap();
    Office { supervisor, clerk, deliveries, letters }
}

impl Office {
    fn send(&self, notes: impl IntoIterator<Item = u32>) {
        for n in notes {
            self.clerk.send(Note(n)).unwrap();
        }
    }

    fn causes(&self) -> Vec<DeadLetterCause> {
        self.letters.try_iter().map(|letter| letter.cause).collect()
    }
}

#[test]
fn sup_7_a_message_is_redelivered_first_if_the_spec_says_so() {
    everywhere(|system| async move {
        let office = office(&system, 2, |spec| spec.redeliver::<Note>(2)).await;
        office.send([1, 7, 2, 3]);
        assert_eq!(office.clerk.call(Notes).await, Ok(vec![7, 2, 3]), "in order, in life 3");
        assert_eq!(office.clerk.info().incarnation, 3);
        assert_eq!(office.deliveries.load(Ordering::SeqCst), 3);
        assert_eq!(office.causes(), [], "nothing was lost");
    });
}

#[test]
fn sup_33_a_message_that_crashes_its_actor_too_often_is_a_dead_letter_with_its_cause() {
    everywhere(|system| async move {
        let office = office(&system, u32::MAX, |spec| spec.redeliver::<Note>(3)).await;
        office.send([1, 7, 2]);
        assert_eq!(office.clerk.call(Notes).await, Ok(vec![2]));
        assert_eq!(office.deliveries.load(Ordering::SeqCst), 4, "once, and 3 times more");
        let letter = office.letters.try_recv().unwrap();
        assert_eq!(letter.cause, DeadLetterCause::GivenUp { deliveries: 4 });
        assert_eq!((letter.to, letter.message), (office.clerk.id(), std::any::type_name::<Note>()));
        let reason = letter.reason.unwrap();
        assert!(matches!(reason, ExitReason::Panic { message, .. } if message.contains("note 7")));
        assert_eq!(office.causes(), [], "once");
        office.send([7]);
        until(|| office.deliveries.load(Ordering::SeqCst) == 8).await;
    });
}

#[test]
fn sup_7_by_default_and_for_other_types_the_message_is_a_dead_letter_at_once() {
    everywhere(|system| async move {
        let office = office(&system, 1, |spec| spec.redeliver::<Wait>(3)).await;
        office.send([1, 7, 2]);
        assert_eq!(office.clerk.call(Notes).await, Ok(vec![2]));
        let letter = office.letters.try_recv().unwrap();
        assert_eq!(letter.cause, DeadLetterCause::Crashed);
        assert!(matches!(letter.reason, Some(ExitReason::Panic { .. })));
        assert_eq!(office.deliveries.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn sup_7_a_question_is_answered_with_its_failure_and_delivered_again() {
    everywhere(|system| async move {
        let office = office(&system, 1, |spec| spec.redeliver::<Note>(1)).await;
        let answer = office.clerk.call(Note(7)).await;
        assert!(matches!(answer, Err(CallError::Died(ExitReason::Panic { .. }))), "{answer:?}");
        assert_eq!(office.clerk.call(Notes).await, Ok(vec![7]));
        assert_eq!(office.causes(), []);
    });
}

#[test]
fn sup_7_what_a_kill_has_cut_short_is_redelivered_too() {
    everywhere(|system| async move {
        let office = office(&system, 0, |spec| spec.redeliver::<Wait>(1)).await;
        office.clerk.send(Wait).unwrap();
        until(|| office.deliveries.load(Ordering::SeqCst) == 1).await;
        office.clerk.kill();
        assert_eq!(office.clerk.call(Notes).await, Ok(vec![]));
        assert_eq!(office.deliveries.load(Ordering::SeqCst), 2);
        assert_eq!(office.causes(), []);
    });
}

/// A message that is to be delivered again, to an actor that does not come back.
#[test]
fn sup_7_what_is_not_redelivered_any_more_is_a_dead_letter() {
    everywhere(|system| async move {
        let office = office(&system, u32::MAX, |spec| {
            spec.redeliver::<Note>(5).restart(actors_supervise::RestartPolicy::Temporary)
        })
        .await;
        office.send([7]);
        until(|| matches!(office.clerk.info().status, Status::Dead(_))).await;
        until(|| !office.letters.is_empty()).await;
        assert_eq!(office.causes(), [DeadLetterCause::Crashed]);
    });
}

#[test]
fn sup_7_a_queue_that_is_not_kept_becomes_dead_letters() {
    everywhere(|system| async move {
        let office = office(&system, 1, |spec| spec.drop_queue().mailbox_capacity(10)).await;
        office.supervisor.stop_child("clerk").await.unwrap();
        office.send([1, 7, 2, 3]);
        office.clerk.send_urgent(Note(4)).unwrap();
        let asked = office.clerk.call(Note(5));
        office.supervisor.restart_child("clerk").await.unwrap();
        let answer = asked.await;
        assert!(matches!(answer, Err(CallError::Died(ExitReason::Panic { .. }))), "{answer:?}");
        until(|| office.clerk.info().incarnation == 3 && office.letters.len() == 4).await;
        let mut causes = office.causes();
        causes.sort_by_key(|cause| format!("{cause:?}"));
        use DeadLetterCause::{Crashed, Flushed};
        assert_eq!(causes, [Crashed, Flushed, Flushed, Flushed]);
        for n in 0..10 {
            office.clerk.call(Note(n + 10)).await.expect("there is room again");
        }
        assert_eq!(office.clerk.call(Notes).await.unwrap().len(), 10);
    });
}

/// What was sent between two lives is for the next one; what one has left is not.
#[test]
fn sup_7_signals_pass_a_queue_that_is_not_kept() {
    everywhere(|system| async move {
        let office = office(&system, 1, |spec| spec.drop_queue()).await;
        office.send([7, 1]);
        office.clerk.stop(ExitReason::Error("behind the crash".into()));
        until(|| office.clerk.info().incarnation >= 2).await;
        until(|| matches!(office.clerk.info().last_error, Some(ExitReason::Error(_)))).await;
        until(|| office.clerk.info().incarnation == 3).await;
    });
}

#[test]
fn sup_5_the_state_from_before_the_message_that_crashed() {
    everywhere(|system| async move {
        let office = office(&system, 1, |spec| spec.from_state_before(1)).await;
        office.send([1, 2, 7, 3]);
        assert_eq!(
            office.clerk.call(Notes).await,
            Ok(vec![1, 2, 3]),
            "neither fresh nor half done"
        );
        // By hand: nothing has failed.
        office.supervisor.stop_child("clerk").await.unwrap();
        office.supervisor.restart_child("clerk").await.unwrap();
        assert_eq!(office.clerk.call(Notes).await, Ok(vec![1, 2, 3]));
    });
}

#[test]
fn sup_5_the_state_from_before_one_of_the_last_messages() {
    everywhere(|system| async move {
        let office = office(&system, 1, |spec| spec.from_state_before(3)).await;
        office.send([1, 2, 3, 4, 7, 5]);
        assert_eq!(
            office.clerk.call(Notes).await,
            Ok(vec![1, 2, 3, 5]),
            "kept before 1 and before 4"
        );
    });
}

#[test]
fn sup_5_sup_7_with_the_state_from_before_a_redelivered_message_is_done_once() {
    everywhere(|system| async move {
        let set = |spec: Spec| spec.from_state_before(1).redeliver::<Note>(5);
        let office = office(&system, 3, set).await;
        office.send([1, 7, 2]);
        assert_eq!(office.clerk.call(Notes).await, Ok(vec![1, 7, 2]), "as if nothing had happened");
    });
}

#[test]
fn sup_5_a_restart_callback_gets_the_state_from_before() {
    everywhere(|system| async move {
        let office = office(&system, 1, |spec| {
            spec.from_state_before(1).restart_fn(|last, _| {
                let mut last = last.expect("it was kept");
                last.notes.push(100);
                Ok(last)
            })
        })
        .await;
        office.send([1, 7, 2]);
        assert_eq!(office.clerk.call(Notes).await, Ok(vec![1, 100, 2]));
    });
}

/// A state that panics when it is cloned is not kept; that ends nobody.
#[test]
fn sup_5_a_clone_that_panics_stays_there() {
    struct Unclonable(u32);
    impl Clone for Unclonable {
        fn clone(&self) -> Self {
            panic!("as asked")
        }
    }
    impl Actor for Unclonable {}
    impl Handler<Note> for Unclonable {
        async fn handle(&mut self, Note(n): Note, _: &mut Context<Self>) -> usize {
            self.0 += n;
            self.0 as usize
        }
    }
    everywhere(|system| async move {
        let spec = ChildSpec::new("a", || Unclonable(0)).from_state_before(1);
        let supervisor =
            Supervisor::builder(Strategy::OneForOne).child(spec).start(&system).await.unwrap();
        let actor = supervisor.child::<Unclonable>("a").await.unwrap();
        assert_eq!(actor.call(Note(1)).await, Ok(1));
        assert_eq!(actor.call(Note(2)).await, Ok(3));
        assert_eq!(actor.info().incarnation, 1);
    });
}

#[test]
fn sup_1_a_state_cannot_be_kept_before_every_zeroth_message() {
    everywhere(|system| async move {
        let clerk =
            || Clerk { notes: Vec::new(), failures: Arc::default(), deliveries: Arc::default() };
        let spec = ChildSpec::new("a", clerk).from_state_before(0);
        let started = Supervisor::builder(Strategy::OneForOne).child(spec).start(&system).await;
        let error = SupervisorError::Spec(SpecError::ZeroEvery("a".into()));
        assert_eq!(started.map(drop), Err(error));
    });
}
