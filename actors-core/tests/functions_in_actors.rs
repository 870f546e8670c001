//! Functions that run in an actor, what is known of it from outside, and changes of its behaviour.

mod common;

use std::{sync::Arc, time::Duration};

use actors_core::{
    Actor, CallError, Context, ExitReason, FnActor, Handler, Link, Message, ReplyTo, StartError,
    Status,
    supervision::{ChildExit, Seat},
};
use common::{Crash, Record, Recorded, Recorder, everywhere};

/// A function runs in the actor with its state, its result comes back; the behaviour is as before.
#[test]
fn core_3_a_function_runs_in_the_actor() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder(vec![1]));
        actor.send(Record(2)).unwrap();
        let taken = actor.exec(|recorder| std::mem::take(&mut recorder.0)).await;
        assert_eq!(taken, Ok(vec![1, 2]), "in order with the messages");
        actor.send(Record(3)).unwrap();
        assert_eq!(actor.call(Recorded).await, Ok(vec![3]));
        let down = actor.down();
        let ended = actor.exec(|_| panic!("in a function")).await;
        let Err(CallError::Died(ExitReason::Panic { message, .. })) = ended else { panic!() };
        assert_eq!(message, "in a function");
        down.await;
        assert_eq!(actor.exec(|_| ()).await, Err(CallError::Closed));
    });
}

/// A change from outside is made between two messages, in order with them.
#[test]
fn core_5_an_update_is_made_between_two_messages() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        for n in 0..50 {
            actor.send(Record(n)).unwrap();
            actor.update_state(move |recorder| recorder.0.push(100 + n)).unwrap();
        }
        let expected: Vec<_> = (0..50).flat_map(|n| [n, 100 + n]).collect();
        assert_eq!(actor.call(Recorded).await, Ok(expected));
        let down = actor.down();
        actor.stop(ExitReason::Normal);
        down.await;
        assert_eq!(actor.update_state(|_| ()), Err(CallError::Closed));
    });
}

/// Holds the actor up until it is let go.
struct Hold(actors_core::BoxFuture<'static, Result<(), CallError>>);

impl Message for Hold {
    type Reply = ();
}

impl Handler<Hold> for Recorder {
    async fn handle(&mut self, Hold(gate): Hold, _cx: &mut Context<Self>) {
        let _ = gate.await;
    }
}

/// What is known of an actor, and what its state has.
#[test]
fn core_4_info_and_query_tell_how_an_actor_is() {
    everywhere(|system| async move {
        let actor = system.spawn_bounded(Recorder(vec![7, 8]), 4);
        system.register("r", &actor.erase()).unwrap();
        assert_eq!(actor.query(|recorder| recorder.0.len()).await, Ok(2));
        let info = actor.info();
        assert_eq!((info.id, info.system, info.incarnation), (actor.id(), system.id(), 1));
        assert!(info.type_name.ends_with("Recorder"));
        assert_eq!((info.name.as_deref(), info.last_error), (Some("r"), None));
        assert_eq!(info.status, Status::Running);

        let (release, gate) = ReplyTo::channel();
        let held = actor.call(Hold(gate));
        while actor.info().mailbox_len > 0 {
            system.host().clock.sleep(Duration::from_micros(10)).await;
        }
        for n in 1..=3 {
            actor.send(Record(0)).unwrap();
            assert_eq!(actor.info().mailbox_len, n, "exact where it is bounded");
        }
        release.answer(());
        held.await.unwrap();
        assert_eq!(actor.call(Recorded).await.unwrap().len(), 5);

        let down = actor.down();
        actor.send(Crash).unwrap();
        let reason = down.await.reason;
        let info = actor.info();
        assert_eq!((info.status, info.last_error), (Status::Dead(reason.clone()), Some(reason)));
        assert_eq!((info.name, info.mailbox_len), (None, 0));
        assert_eq!(actor.query(|_| ()).await, Err(CallError::Closed));
    });
}

/// The mailbox of an actor without a bound is counted in the first turn after somebody has asked.
#[test]
fn core_4_a_busy_actor_tells_how_much_waited_in_its_last_turn() {
    everywhere(|system| async move {
        let clock = system.host().clock.clone();
        let actor = system.spawn(Recorder::default());
        let [(first, first_gate), (second, second_gate)] =
            std::array::from_fn(|_| ReplyTo::channel());
        let held = [first_gate, second_gate].map(|gate| actor.call(Hold(gate)));
        for n in 0..3 {
            actor.send(Record(n)).unwrap();
        }
        while actor.info().handled < 1 {
            clock.sleep(Duration::from_micros(10)).await;
        }
        first.answer(());
        while actor.info().handled < 2 {
            clock.sleep(Duration::from_micros(10)).await;
        }
        assert_eq!(actor.info().mailbox_len, 4, "the second was waiting then");
        second.answer(());
        for held in held {
            held.await.unwrap();
        }
        actor.exec(|_| ()).await.unwrap();
        while actor.info().mailbox_len > 0 {
            clock.sleep(Duration::from_micros(10)).await;
        }
    });
}

struct Step(u32);

impl Message for Step {
    type Reply = u32;
}

/// New behaviour is for later messages; the one in hand is handled by the old one.
#[test]
fn core_6_new_behaviour_is_for_later_messages() {
    everywhere(|system| async move {
        let actor = system.spawn_fn(|Step(n): Step, cx| {
            cx.become_fn(move |Step(m), cx: &mut Context<FnActor<Step>>| {
                cx.become_fn(|Step(n), _cx| n);
                10 * n + m
            });
            1000 + n
        });
        let calls: Vec<_> = (1..=4).map(|n| actor.call(Step(n))).collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        assert_eq!(answers, [1001, 12, 3, 4]);
        actor.update_state(|actor| actor.become_fn(|Step(n), _cx| 2 * n)).unwrap();
        assert_eq!(actor.call(Step(5)).await, Ok(10), "from outside");
    });
}

/// Writes down which of its hooks run.
struct Hooks {
    log: crossbeam_channel::Sender<&'static str>,
    gate: Option<actors_core::BoxFuture<'static, Result<(), CallError>>>,
}

impl Actor for Hooks {
    async fn init(&mut self, _cx: &mut Context<Self>) -> Result<(), StartError> {
        if let Some(gate) = self.gate.take() {
            let _ = gate.await;
        }
        self.log.send("init").map_err(StartError::failed)
    }

    async fn term(&mut self, _reason: &ExitReason) {
        let _ = self.log.send("term");
    }
}

impl Handler<Record> for Hooks {
    async fn handle(&mut self, _: Record, _cx: &mut Context<Self>) {
        let _ = self.log.send("message");
    }
}

/// Hooks run at their time, in the actor: `init` before the first message, `term` at the end.
#[test]
fn core_7_hooks_run_at_their_time() {
    everywhere(|system| async move {
        let (log, seen) = crossbeam_channel::unbounded();
        let (release, gate) = ReplyTo::channel();
        let link: Link<Hooks> = system.spawn(Hooks { log, gate: Some(gate) });
        let handled = link.call(Record(1));
        system.host().clock.sleep(Duration::from_micros(100)).await;
        assert!(seen.is_empty(), "spawning has run no hook to its end");
        release.answer(());
        handled.await.unwrap();
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["init", "message"]);
        let down = link.down();
        link.stop(ExitReason::Normal);
        down.await;
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["term"]);
    });
}

/// A snapshot has every actor, with what is known of it, and can be serialised.
#[test]
fn core_4_a_snapshot_tells_of_every_actor() {
    everywhere(|system| async move {
        let busy = system.spawn(Recorder::default());
        system.register("busy", &busy).unwrap();
        for n in 0..3 {
            busy.call(Record(n)).await.unwrap();
        }
        let seat: Seat<Recorder> = system.reserve(Arc::new(|_: ChildExit| {}));
        let child = seat.link();
        let mut ends = Vec::new();
        for life in 1..=2 {
            let started = seat.start(None, |_| async { Ok(Recorder::default()) }).await;
            assert_eq!(started, Ok(life));
            let down = child.down();
            child.send(Crash).unwrap();
            ends.push(down.await.reason);
        }
        let crash = ends.pop().unwrap();
        child.send(Record(1)).unwrap();
        child.send(Record(2)).unwrap();
        let dead = system.spawn(Recorder::default());
        let down = dead.down();
        dead.kill();
        down.await;

        let all = system.snapshot();
        assert_eq!(all, [busy.info(), child.info(), dead.info()]);
        assert_eq!(
            all.iter()
                .map(|info| (info.handled, info.mailbox_len, info.incarnation))
                .collect::<Vec<_>>(),
            [(3, 0, 1), (2, 2, 2), (0, 0, 1)]
        );
        let name = std::any::type_name::<Recorder>();
        assert!(all.iter().all(|info| info.type_name == name && info.system == system.id()));
        assert_eq!(all[0].name.as_deref(), Some("busy"));
        let status: Vec<_> = all.iter().map(|info| info.status.clone()).collect();
        let killed = Status::Dead(ExitReason::Killed);
        assert_eq!(status, [Status::Running, Status::Suspended, killed]);
        let errors: Vec<_> = all.iter().map(|info| info.last_error.clone()).collect();
        assert_eq!(errors, [None, Some(crash), Some(ExitReason::Killed)]);

        let text = serde_json::to_value(&all).unwrap();
        assert_eq!((&text[0]["name"], &text[0]["handled"]), (&"busy".into(), &3.into()));
        assert_eq!(text[2]["status"]["Dead"], "Killed");
    });
}
