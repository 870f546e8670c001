//! The end of an actor: in order, by panic, by kill; what monitors see.

mod common;

use std::{sync::Arc, time::Duration};

use actors_core::{
    Actor, BoxFuture, Call, CallError, Context, DeadLetterCause, Down, ExitReason, Handler, Link,
    Message, ReplyTo, Status, System, supervision::Seat,
};
use common::{Crash, Record, Recorded, Recorder, everywhere};
use crossbeam_channel::{Sender, unbounded};

/// Tells of its end.
struct Witness {
    terms: Sender<ExitReason>,
    handled: Sender<u32>,
    panic_in_term: bool,
}

impl Actor for Witness {
    async fn term(&mut self, reason: &ExitReason) {
        self.terms.send(reason.clone()).unwrap();
        assert!(!self.panic_in_term, "in term");
    }
}

impl Handler<Record> for Witness {
    async fn handle(&mut self, Record(n): Record, _cx: &mut Context<Self>) {
        self.handled.send(n).unwrap();
    }
}

impl Handler<Crash> for Witness {
    async fn handle(&mut self, _: Crash, _cx: &mut Context<Self>) {
        panic!("as asked");
    }
}

struct Hang;

impl Message for Hang {
    type Reply = ();
}

impl Handler<Hang> for Witness {
    async fn handle(&mut self, _: Hang, _cx: &mut Context<Self>) {
        std::future::pending().await
    }
}

type Seen<T> = crossbeam_channel::Receiver<T>;

fn witness(panic_in_term: bool) -> (Witness, Seen<ExitReason>, Seen<u32>) {
    let (terms, terms_seen) = unbounded();
    let (handled, handled_seen) = unbounded();
    (Witness { terms, handled, panic_in_term }, terms_seen, handled_seen)
}

/// Messages before the stop are handled, `term` runs once, the mailbox closes.
#[test]
fn core_8_stop_comes_after_the_messages_before_it() {
    everywhere(|system| async move {
        let (actor, terms, handled) = witness(false);
        let link = system.spawn(actor);
        for n in 0..20 {
            link.send(Record(n)).unwrap();
        }
        let down = link.down();
        link.stop(ExitReason::Normal);
        let late = link.send(Record(99));
        assert_eq!(down.await.reason, ExitReason::Normal);
        assert_eq!(handled.try_iter().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
        assert_eq!(terms.try_iter().collect::<Vec<_>>(), [ExitReason::Normal]);
        assert_eq!(link.info().status, Status::Dead(ExitReason::Normal));
        assert!(late.is_ok() || late.is_err_and(|e| e.into_inner().0 == 99));
        assert_eq!(link.send(Record(1)).unwrap_err().into_inner().0, 1);
    });
}

/// `term` gets the reason on every way out, and its own panic keeps no signal back.
#[test]
fn core_9_term_runs_on_every_way_out() {
    everywhere(|system| async move {
        for panic_in_term in [false, true] {
            let ways: [fn(&Link<Witness>); 4] = [
                |link| link.stop(ExitReason::ShutdownWith("done".into())),
                |link| link.kill(),
                |link| link.send(Crash).unwrap(),
                |link| {
                    link.send(Hang).unwrap();
                    link.erase().shutdown(ExitReason::Shutdown);
                },
            ];
            for way in ways {
                let (actor, terms, _handled) = witness(panic_in_term);
                let link = system.spawn(actor);
                let down = link.down();
                way(&link);
                let down = down.await;
                let seen: Vec<_> = terms.try_iter().collect();
                assert_eq!(seen, [down.reason], "panic in term: {panic_in_term}");
            }
        }
    });
}

/// Crashes with a message of its own in the mailbox.
struct CrashBefore(Record);

impl Message for CrashBefore {
    type Reply = ();
}

impl Handler<CrashBefore> for Recorder {
    async fn handle(&mut self, CrashBefore(later): CrashBefore, cx: &mut Context<Self>) {
        cx.link().send(later).unwrap();
        panic!("as asked");
    }
}

/// A panic of an unlinked actor: the cause is kept, others live.
#[test]
fn core_13_a_panic_stays_with_its_actor() {
    everywhere(|system| async move {
        let bystander = system.spawn(Recorder::default());
        let actor = system.spawn(Recorder::default());
        let letters = system.dead_letters();
        let down = actor.down();
        actor.send(CrashBefore(Record(1))).unwrap();
        let cause = down.await.reason;
        assert!(matches!(&cause, ExitReason::Panic { message, .. } if message == "as asked"));
        assert_eq!(actor.info().last_error, Some(cause.clone()));
        assert_eq!(actor.info().status, Status::Dead(cause));
        let causes: Vec<_> = letters.try_iter().map(|letter| letter.cause).collect();
        assert_eq!(causes, [DeadLetterCause::Crashed, DeadLetterCause::Died]);
        assert_eq!(bystander.call(Recorded).await, Ok(vec![]));
    });
}

/// Monitors someone and keeps what it sees, in order.
#[derive(Default)]
struct Observer {
    seen: Vec<String>,
    actions: u32,
}

impl Actor for Observer {
    async fn on_down(&mut self, down: Down, _cx: &mut Context<Self>) {
        self.seen.push(format!("down: {}", down.reason));
    }
}

struct Watch<A: Actor>(Link<A>, bool);

impl<A: Actor> Message for Watch<A> {
    type Reply = ();
}

impl<A: Actor> Handler<Watch<A>> for Observer {
    async fn handle(&mut self, Watch(link, action): Watch<A>, cx: &mut Context<Self>) {
        if action {
            cx.monitor_with(&link.erase(), |observer, down, cx| {
                observer.actions += 1;
                observer.seen.push(format!("action: {}, {} left", down.reason, cx.monitors()));
            });
        } else {
            cx.monitor(&link.erase());
        }
    }
}

impl Handler<Record> for Observer {
    async fn handle(&mut self, Record(n): Record, _cx: &mut Context<Self>) {
        self.seen.push(n.to_string());
    }
}

struct Seen2;

impl Message for Seen2 {
    type Reply = Vec<String>;
}

impl Handler<Seen2> for Observer {
    async fn handle(&mut self, _: Seen2, _cx: &mut Context<Self>) -> Vec<String> {
        self.seen.clone()
    }
}

/// Sends to another and stops.
struct Sender2(Link<Observer>);

impl Actor for Sender2 {}

struct Go;

impl Message for Go {
    type Reply = ();
}

impl Handler<Go> for Sender2 {
    async fn handle(&mut self, _: Go, cx: &mut Context<Self>) {
        self.0.send(Record(1)).unwrap();
        self.0.send(Record(2)).unwrap();
        cx.stop(ExitReason::Normal);
    }
}

async fn seen_eventually(observer: &Link<Observer>, system: &System, n: usize) -> Vec<String> {
    loop {
        let seen = observer.call(Seen2).await.unwrap();
        if seen.len() >= n {
            return seen;
        }
        system.host().clock.sleep(Duration::from_micros(100)).await;
    }
}

/// A sends m1 and m2, then stops: B sees m1, m2, Down.
#[test]
fn core_14_down_comes_after_the_messages_sent_before() {
    everywhere(|system| async move {
        let observer = system.spawn(Observer::default());
        let sender = system.spawn(Sender2(observer.clone()));
        observer.call(Watch(sender.clone(), false)).await.unwrap();
        sender.send(Go).unwrap();
        let seen = seen_eventually(&observer, &system, 3).await;
        assert_eq!(seen, ["1", "2", "down: normal"]);
    });
}

/// A monitored actor exits normally: the action runs once, the monitor lives, the entry is gone.
#[test]
fn core_26_the_action_of_a_monitor_runs_once() {
    everywhere(|system| async move {
        let observer = system.spawn(Observer::default());
        let target = system.spawn(Recorder::default());
        observer.call(Watch(target.clone(), true)).await.unwrap();
        target.stop(ExitReason::Normal);
        let seen = seen_eventually(&observer, &system, 1).await;
        assert_eq!(seen, ["action: normal, 0 left"]);
        observer.call(Record(5)).await.unwrap();
        assert_eq!(observer.call(Seen2).await.unwrap().len(), 2);
        assert_eq!(observer.exec(|o| o.actions).await, Ok(1));
    });
}

/// Monitoring a dead actor answers at once.
#[test]
fn core_25_monitoring_the_dead_gives_noproc() {
    everywhere(|system| async move {
        let observer = system.spawn(Observer::default());
        let target = system.spawn(Recorder::default());
        let down = target.down();
        target.stop(ExitReason::Normal);
        down.await;
        observer.call(Watch(target, false)).await.unwrap();
        let seen = seen_eventually(&observer, &system, 1).await;
        assert_eq!(seen, ["down: no such actor"]);
    });
}

/// An actor that nobody can reach stops, after its messages.
#[test]
fn core_40_an_unreachable_actor_stops() {
    everywhere(|system| async move {
        let (actor, terms, handled) = witness(false);
        let link = system.spawn(actor);
        let weak = link.downgrade();
        link.send(Record(1)).unwrap();
        drop(link);
        while weak.upgrade().is_some() {
            system.host().clock.sleep(Duration::from_micros(100)).await;
        }
        assert_eq!(handled.try_iter().collect::<Vec<_>>(), [1]);
        assert_eq!(terms.try_iter().collect::<Vec<_>>(), [ExitReason::Normal]);
    });
}

/// Counts down by itself.
struct Countdown(Sender<u32>);

impl Actor for Countdown {}

impl Handler<Record> for Countdown {
    async fn handle(&mut self, Record(n): Record, cx: &mut Context<Self>) {
        self.0.send(n).unwrap();
        if n > 0 {
            cx.link().send(Record(n - 1)).unwrap();
        }
    }
}

/// What an actor sends to itself after its last link was dropped is handled, then it stops.
#[test]
fn core_40_what_it_sends_to_itself_is_handled_first() {
    everywhere(|system| async move {
        let (seen, steps) = unbounded();
        let link = system.spawn(Countdown(seen));
        let weak = link.downgrade();
        link.send(Record(20)).unwrap();
        drop(link);
        while weak.upgrade().is_some() {
            system.host().clock.sleep(Duration::from_micros(100)).await;
        }
        assert_eq!(steps.try_iter().collect::<Vec<_>>(), (0..=20).rev().collect::<Vec<_>>());
    });
}

/// Holds the actor up until it is let go.
struct Hold(BoxFuture<'static, Result<(), CallError>>);

impl Message for Hold {
    type Reply = ();
}

impl Handler<Hold> for Recorder {
    async fn handle(&mut self, Hold(gate): Hold, _cx: &mut Context<Self>) {
        gate.await.unwrap();
    }
}

/// An actor whose handler is in hand, and who lets it go.
async fn held(system: &System, link: &Link<Recorder>) -> (ReplyTo<()>, Call<()>) {
    let (release, gate) = ReplyTo::channel();
    let (before, held) = (link.info().handled, link.call(Hold(gate)));
    while link.info().handled == before {
        system.host().clock.sleep(Duration::from_micros(10)).await;
    }
    (release, held)
}

/// An actor whose last link was dropped goes on if there is a link again before it comes to that.
#[test]
fn core_40_a_link_that_comes_back_in_time_keeps_it() {
    everywhere(|system| async move {
        let link = system.spawn(Recorder::default());
        let (release, held) = held(&system, &link).await;
        let weak = link.downgrade();
        drop(link);
        let again = weak.upgrade().expect("a handler is in hand");
        release.answer(());
        held.await.unwrap();
        for n in 0..3 {
            assert_eq!(again.call(Record(n)).await, Ok(()));
        }
        let down = again.down();
        drop(again);
        assert_eq!(down.await.reason, ExitReason::Normal, "the last link was dropped again");
    });
}

/// A supervised actor needs no link, nor does one with a name; without the name it stops.
#[test]
fn core_40_a_supervisor_or_a_name_keeps_an_actor() {
    everywhere(|system| async move {
        let (tx, exits) = unbounded();
        let seat: Seat<Recorder> = system.reserve(Arc::new(move |exit| drop(tx.send(exit))));
        seat.start(None, |_| async { Ok(Recorder::default()) }).await.unwrap();
        let (release, held) = held(&system, &seat.link()).await;
        release.answer(());
        held.await.unwrap();
        for n in 0..3 {
            assert_eq!(seat.link().call(Record(n)).await, Ok(()));
        }
        assert_eq!((seat.is_suspended(), exits.len()), (false, 0));

        let link = system.spawn(Recorder::default());
        system.register("r", &link).unwrap();
        let down = link.down();
        drop(link);
        let name = system.named::<Recorder>("r");
        for n in 0..3 {
            assert_eq!(name.call(Record(n)).await, Ok(()));
        }
        system.unregister("r").unwrap();
        assert_eq!(down.await.reason, ExitReason::Normal);
        seat.retire(ExitReason::Shutdown);
    });
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("on drop");
        }
    }
}

struct Armed(#[allow(dead_code, reason = "it is there to be dropped")] Bomb);

impl Actor for Armed {}

struct Throw;

impl Message for Throw {
    type Reply = ();
}

impl Handler<Throw> for Armed {
    async fn handle(&mut self, _: Throw, _cx: &mut Context<Self>) {
        std::panic::panic_any(Bomb);
    }
}

/// A panic payload and a state that panic when dropped: the process lives, the end is told.
#[test]
fn core_38_drops_that_panic_are_contained() {
    everywhere(|system| async move {
        let actor = system.spawn(Armed(Bomb));
        let down = actor.down();
        actor.send(Throw).unwrap();
        let during = std::any::type_name::<Throw>().into();
        let message = "a payload that is no text".into();
        assert_eq!(
            down.await.reason,
            ExitReason::Panic { message, during },
            "not that of the drop"
        );
    });
}

/// Panics when it is dropped, with a payload that panics when it is dropped.
struct Fuse;

impl Drop for Fuse {
    fn drop(&mut self) {
        std::panic::panic_any(Bomb);
    }
}

struct Fused(#[allow(dead_code, reason = "it is there to be dropped")] Fuse);

impl Actor for Fused {}

/// A state whose drop panics with a payload whose drop panics is contained too.
#[test]
fn core_38_a_drop_that_panics_with_a_bomb_is_contained() {
    everywhere(|system| async move {
        let actor = system.spawn(Fused(Fuse));
        let down = actor.down();
        actor.stop(ExitReason::Shutdown);
        assert_eq!(down.await.reason, ExitReason::Shutdown);
    });
}

/// Does something, and queues a function that is never run.
struct Fail;

impl Message for Fail {
    type Reply = Call<()>;
}

impl Handler<Fail> for Armed {
    async fn handle(&mut self, _: Fail, cx: &mut Context<Self>) -> Call<()> {
        cx.after(|_| panic!("after the handler"));
        let bomb = Bomb;
        cx.link().exec(move |_| drop(bomb))
    }
}

struct Later;

impl Message for Later {
    type Reply = ();
}

impl Handler<Later> for Armed {
    async fn handle(&mut self, _: Later, cx: &mut Context<Self>) {
        cx.after(|_| ());
    }
}

/// A panic in what runs after a handler ends the actor like one in the handler; a function that is
/// never run may panic when it is dropped.
#[test]
fn core_38_what_runs_after_a_handler_is_contained() {
    everywhere(|system| async move {
        let actor = system.spawn(Armed(Bomb));
        actor.call(Later).await.unwrap();
        let down = actor.down();
        let unrun = actor.call(Fail).await.unwrap();
        let Down { reason, .. } = down.await;
        assert!(
            matches!(&reason, ExitReason::Panic { message, .. } if message == "after the handler")
        );
        assert!(unrun.await.is_err());
    });
}
