//! What comes while a handler waits.

mod common;

use actors_core::{
    Actor, AnyLink, BoxFuture, CallError, Context, Down, Exit, ExitReason, Handler, Link, Message,
    ReplyTo, System,
};
use common::{Record, Recorder, everywhere};
use crossbeam_channel::{Receiver, Sender, unbounded};

/// Writes down what it lives through.
struct Waiter(Sender<String>);

impl Waiter {
    fn log(&self, what: impl Into<String>) {
        let _ = self.0.send(what.into());
    }
}

impl Actor for Waiter {
    async fn term(&mut self, reason: &ExitReason) {
        self.log(format!("term: {reason}"));
    }

    async fn on_exit(&mut self, _: Exit, _cx: &mut Context<Self>) {
        self.log("exit");
    }

    async fn on_down(&mut self, _: Down, _cx: &mut Context<Self>) {
        self.log("down");
    }
}

impl Handler<Record> for Waiter {
    async fn handle(&mut self, Record(n): Record, _cx: &mut Context<Self>) {
        self.log(n.to_string());
    }
}

/// Watches these, then waits at the gate.
struct Wait(Vec<AnyLink>, Sender<String>, BoxFuture<'static, Result<(), CallError>>);

impl Message for Wait {
    type Reply = ();
}

/// Tells when the future that has it is dropped.
struct Guard(Sender<String>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send("the handler is gone".into());
    }
}

impl Handler<Wait> for Waiter {
    async fn handle(&mut self, Wait(watched, log, gate): Wait, cx: &mut Context<Self>) {
        cx.set_sticky(true);
        for actor in &watched {
            cx.monitor(actor);
            cx.connect(actor).unwrap();
        }
        let _guard = Guard(log);
        self.log("waits");
        let _ = gate.await;
        self.log("goes on");
    }
}

/// A waiter at its gate, with somebody that it watches.
async fn waiting(system: &System) -> (Link<Waiter>, Receiver<String>, ReplyTo<()>, Link<Recorder>) {
    let (log, events) = unbounded();
    let (waiter, watched) = (system.spawn(Waiter(log.clone())), system.spawn(Recorder::default()));
    let (release, gate) = ReplyTo::channel();
    waiter.send(Wait(vec![watched.erase()], log, gate)).unwrap();
    while events.is_empty() {
        system.host().clock.sleep(std::time::Duration::from_micros(10)).await;
    }
    assert_eq!(events.try_iter().collect::<Vec<_>>(), ["waits"]);
    (waiter, events, release, watched)
}

/// `exec`, `update`, exits, downs and `stop` are handled after the handler has ended, in order.
#[test]
fn core_39_what_comes_while_a_handler_waits_is_handled_after_it() {
    everywhere(|system| async move {
        let (waiter, events, release, watched) = waiting(&system).await;
        let down = waiter.down();
        let executed = waiter.exec(|waiter| waiter.log("exec"));
        waiter.update_state(|waiter| waiter.log("update")).unwrap();
        let gone = watched.down();
        watched.kill();
        gone.await;
        waiter.send(Record(1)).unwrap();
        waiter.stop(ExitReason::Shutdown);
        waiter.send(Record(2)).unwrap();
        assert!(events.is_empty(), "nothing has run yet");
        release.answer(());
        executed.await.unwrap();
        assert_eq!(down.await.reason, ExitReason::Shutdown);
        let all: Vec<_> = events.try_iter().collect();
        let (first, rest) = all.split_at(4);
        assert_eq!(first, ["goes on", "the handler is gone", "exec", "update"]);
        let (mut signals, rest) = (rest[..2].to_vec(), &rest[2..]);
        signals.sort_unstable();
        assert_eq!(signals, ["down", "exit"]);
        assert_eq!(rest, ["1", "term: shutdown"]);
    });
}

/// A kill and a shutdown drop the future that waits, and then run `term`.
#[test]
fn core_39_a_kill_drops_the_waiting_handler_before_term() {
    everywhere(|system| async move {
        for reason in [ExitReason::Killed, ExitReason::ShutdownWith("now".into())] {
            let (waiter, events, release, _watched) = waiting(&system).await;
            let (down, queued) = (waiter.down(), waiter.call(Record(1)));
            match &reason {
                ExitReason::Killed => waiter.kill(),
                reason => waiter.erase().shutdown(reason.clone()),
            }
            assert_eq!(down.await.reason, reason);
            let term = format!("term: {reason}");
            let all: Vec<_> = events.try_iter().collect();
            assert_eq!(all, ["the handler is gone", term.as_str()]);
            assert_eq!(queued.await, Err(CallError::Died(reason)));
            release.answer(());
        }
    });
}
