//! Messages, questions and their answers.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actors_core::{
    Actor, BoxFuture, Call, CallError, Context, DeadLetterCause, ExitReason, Handler, Link,
    Message, ReplyTo, Status, System,
    host::{Clock, Host, Time},
    sim,
};
use common::{Crash, Record, Recorded, Recorder, everywhere, real_hosts};

/// Given a running actor, a send runs its behaviour with the message.
#[test]
fn core_1_a_sent_message_is_handled() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        for n in 0..100 {
            actor.send(Record(n)).unwrap();
        }
        assert_eq!(actor.call(Recorded).await.unwrap(), (0..100).collect::<Vec<_>>());
    });
}

/// A call gets a reply, a send gets none; neither touches other state.
#[test]
fn core_2_call_replies_and_send_does_not() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder(vec![7]));
        assert_eq!(actor.call(Record(8)).await, Ok(()));
        actor.send(Record(9)).unwrap();
        assert_eq!(actor.call(Recorded).await.unwrap(), [7, 8, 9]);
        let info = actor.info();
        assert_eq!((info.status, info.handled, info.incarnation), (Status::Running, 3, 1));
    });
}

struct Slow;

impl Actor for Slow {}

/// Answers with its number after a while; 0 never.
struct Wait(u64);

impl Message for Wait {
    type Reply = u64;
}

impl Handler<Wait> for Slow {
    async fn handle(&mut self, Wait(ms): Wait, cx: &mut Context<Self>) -> u64 {
        match ms {
            0 => std::future::pending().await,
            ms => cx.system().host().clock.sleep(Duration::from_millis(ms)).await,
        }
        ms
    }
}

/// Answers with 99, when it is let go.
struct Held(BoxFuture<'static, Result<(), CallError>>);

impl Message for Held {
    type Reply = u64;
}

impl Handler<Held> for Slow {
    async fn handle(&mut self, Held(released): Held, _cx: &mut Context<Self>) -> u64 {
        released.await.expect("the test lets it go");
        99
    }
}

/// No answer in time is a timeout, and the late answer reaches no later call.
#[test]
fn core_11_a_late_reply_never_reaches_a_later_call() {
    everywhere(|system| async move {
        let slow = system.spawn(Slow);
        let (release, released) = ReplyTo::channel();
        let first = slow.call(Held(released)).within(Duration::from_millis(5)).await;
        assert_eq!(first, Err(CallError::Timeout));
        let second = slow.call(Wait(1)).forever();
        release.answer(());
        assert_eq!(second.await, Ok(1));
    });
}

/// Counts its questions, and answers when it is let go.
#[derive(Default)]
struct Counts(u64);

impl Actor for Counts {}

struct Count(Option<BoxFuture<'static, Result<(), CallError>>>);

impl Message for Count {
    type Reply = u64;
}

impl Handler<Count> for Counts {
    async fn handle(&mut self, Count(released): Count, _cx: &mut Context<Self>) -> u64 {
        self.0 += 1;
        if let Some(released) = released {
            released.await.expect("the test lets it go");
        }
        self.0
    }
}

/// A question whose asker has given up is not begun, and is a dead letter; one that was dropped is.
#[test]
fn a_question_past_its_deadline_is_not_begun() {
    const SHORT: Duration = Duration::from_millis(10);
    everywhere(|system| async move {
        let letters = system.dead_letters();
        let counts = system.spawn(Counts::default());
        let (release, released) = ReplyTo::channel();
        let first = counts.call(Count(Some(released))).forever();
        drop(counts.call(Count(None)));
        let given_up = counts.call(Count(None)).within(SHORT);
        let told = counts.call_within(Count(None), SHORT);
        assert_eq!(given_up.await, Err(CallError::Timeout));
        assert_eq!(told.await, Err(CallError::Timeout));
        release.answer(());
        assert_eq!(first.await, Ok(1));
        let last = counts.call_within(Count(None), Duration::from_secs(60));
        assert_eq!(last.await, Ok(3), "the first, the one that was dropped, and this");
        let late: Vec<_> = letters.try_iter().map(|letter| letter.cause).collect();
        assert_eq!(late, [DeadLetterCause::Late; 2]);
    });
}

/// The deadline goes with the question: it counts for whoever it is handed to, without the asker.
#[test]
fn a_deadline_stays_with_its_question() {
    everywhere(|system| async move {
        let counts = system.spawn(Counts::default());
        let (reply, answer) = ReplyTo::channel();
        let now = system.host().clock.now();
        counts.ask(Count(None), reply.until(now)).unwrap();
        assert_eq!(answer.await, Err(CallError::NoReply));
        assert_eq!(counts.call(Count(None)).await, Ok(1));
    });
}

/// What has begun goes on, whatever its asker does.
#[test]
fn a_question_that_has_begun_ends() {
    sim::search(0..20, |sim| async move {
        let system = System::builder().host(sim.node("a")).build();
        let counts = system.spawn(Counts::default());
        let (release, released) = ReplyTo::channel();
        let given_up = counts.call_within(Count(Some(released)), Duration::from_millis(10)).await;
        assert_eq!(given_up, Err(CallError::Timeout));
        release.answer(());
        assert_eq!(counts.call(Count(None)).await, Ok(2));
    });
}

/// The callee dies with the question in hand or in its mailbox: an error at once, with the reason.
#[test]
fn core_11_a_dying_callee_is_no_timeout() {
    everywhere(|system| async move {
        let slow = system.spawn(Slow);
        let in_hand = slow.call(Wait(0)).forever();
        let queued = slow.call(Wait(1)).forever();
        while slow.info().handled == 0 {
            system.host().clock.sleep(Duration::from_micros(10)).await;
        }
        slow.kill();
        assert_eq!(in_hand.await, Err(CallError::Died(ExitReason::Killed)));
        assert_eq!(queued.await, Err(CallError::Died(ExitReason::Killed)));
        assert_eq!(slow.call(Wait(1)).await, Err(CallError::Closed));

        let recorder = system.spawn(Recorder::default());
        let Err(CallError::Died(ExitReason::Panic { message, during })) =
            recorder.call(Crash).await
        else {
            panic!("the panic is the answer");
        };
        assert_eq!(message, "as asked");
        assert!(during.ends_with("Crash"), "{during}");
    });
}

struct Desk(Option<ReplyTo<u32>>);

impl Actor for Desk {}

struct Question;

impl Message for Question {
    type Reply = u32;
}

impl Handler<Question> for Desk {
    async fn handle(&mut self, _: Question, _cx: &mut Context<Self>) -> u32 {
        unreachable!("questions are only asked")
    }

    async fn handle_call(&mut self, _: Question, reply: ReplyTo<u32>, _cx: &mut Context<Self>) {
        if let Some(earlier) = self.0.replace(reply) {
            earlier.answer(1);
        }
    }
}

/// An answer may come after the handler; one that never comes is an error at once.
#[test]
fn core_41_a_deferred_reply_is_answered_later_or_refused() {
    everywhere(|system| async move {
        let desk = system.spawn(Desk(None));
        let first = desk.call(Question).forever();
        let second = desk.call(Question).forever();
        assert_eq!(first.await, Ok(1));
        desk.stop(ExitReason::Normal);
        assert_eq!(second.await, Err(CallError::NoReply));
    });
}

/// Counts what it is told, and answers later.
struct Later(u32);

impl Actor for Later {}

impl Handler<Question> for Later {
    const DEFERRED: bool = true;

    async fn handle(&mut self, _: Question, _cx: &mut Context<Self>) -> u32 {
        unreachable!("it is deferred")
    }

    async fn handle_call(&mut self, _: Question, reply: ReplyTo<u32>, _cx: &mut Context<Self>) {
        self.0 += 1;
        reply.answer(self.0);
    }
}

/// A message with a deferred reply that is only sent is handled like a question.
#[test]
fn core_41_a_deferred_message_may_be_sent() {
    everywhere(|system| async move {
        let later = system.spawn(Later(0));
        later.send(Question).unwrap();
        later.send_urgent(Question).unwrap();
        assert_eq!(later.call(Question).await, Ok(3));
    });
}

/// Hands on whatever it is asked.
struct Front<B: Actor>(Link<B>);

impl<B: Actor> Actor for Front<B> {}

impl<M: Message, B: Handler<M>> Handler<M> for Front<B> {
    async fn handle(&mut self, _: M, _cx: &mut Context<Self>) -> M::Reply {
        unreachable!("questions are only asked")
    }

    async fn handle_call(&mut self, m: M, reply: ReplyTo<M::Reply>, _cx: &mut Context<Self>) {
        let _ = self.0.ask(m, reply);
    }
}

/// A question that is handed on is answered by the one it reached, also when the one that handed it on
/// has ended since.
#[test]
fn core_41_a_question_handed_on_is_answered_by_the_one_it_reached() {
    everywhere(|system| async move {
        let desk = system.spawn(Desk(None));
        let front = system.spawn(Front(desk.clone()));
        let first = front.call(Question).forever();
        let down = front.down();
        front.stop(ExitReason::Normal);
        down.await;
        let _second = desk.call(Question);
        assert_eq!(first.await, Ok(1));
    });
}

/// The death of the one it reached is the asker's error; if nobody takes it, so is that.
#[test]
fn core_41_a_question_handed_on_ends_with_the_one_it_reached() {
    everywhere(|system| async move {
        let slow = system.spawn(Slow);
        let front = system.spawn(Front(slow.clone()));
        let handed_on = front.call(Wait(0)).forever();
        front.exec(|_| ()).await.unwrap();
        let down = slow.down();
        slow.kill();
        assert_eq!(handed_on.await, Err(CallError::Died(ExitReason::Killed)));
        down.await;
        assert_eq!(front.call(Wait(0)).forever().await, Err(CallError::NoReply));
    });
}

const BRIEF: Duration = Duration::from_micros(5432);

/// Asks, and leaves the waiting to somebody else.
struct Asks(Link<Slow>);

impl Message for Asks {
    type Reply = Call<u64>;
}

impl Handler<Asks> for Slow {
    async fn handle(&mut self, Asks(slow): Asks, _cx: &mut Context<Self>) -> Call<u64> {
        slow.call(Wait(0)).within(BRIEF)
    }
}

/// A question that an actor has asked keeps its time wherever its answer is awaited.
#[test]
fn core_11_a_question_that_leaves_its_actor_keeps_its_time() {
    everywhere(|system| async move {
        let (slow, asker) = (system.spawn(Slow), system.spawn(Slow));
        let question = asker.call(Asks(slow.clone())).await.unwrap();
        assert_eq!(question.await, Err(CallError::Timeout));
    });
}

/// Outside of its actor, too, it is by the clock of its own system that it waits.
#[test]
fn core_11_a_question_that_leaves_its_actor_waits_by_its_systems_clock() {
    struct Counted(Arc<dyn Clock>, Arc<AtomicU32>);

    impl Clock for Counted {
        fn now(&self) -> Time {
            self.0.now()
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            if duration == BRIEF {
                self.1.fetch_add(1, Ordering::SeqCst);
            }
            self.0.sleep(duration)
        }
    }

    for (name, host) in real_hosts() {
        let sleeps = Arc::new(AtomicU32::new(0));
        let clock = Arc::new(Counted(host.clock.clone(), sleeps.clone()));
        let system = System::builder().name(name).host(Host { clock, ..host }).build();
        system.block_on(async {
            let (slow, asker) = (system.spawn(Slow), system.spawn(Slow));
            let question = asker.call(Asks(slow.clone())).await.unwrap();
            assert_eq!(question.await, Err(CallError::Timeout));
        });
        assert_eq!(sleeps.load(Ordering::SeqCst), 1, "on {name}");
    }
}

/// Blocking calls work on plain threads and are refused where they could deadlock.
#[test]
fn core_42_a_blocking_call_inside_an_actor_is_refused() {
    struct Asker;
    impl Actor for Asker {}
    struct Go(Link<Recorder>);
    impl Message for Go {
        type Reply = Result<Vec<u32>, CallError>;
    }
    impl Handler<Go> for Asker {
        async fn handle(
            &mut self,
            Go(link): Go,
            _cx: &mut Context<Self>,
        ) -> <Go as Message>::Reply {
            link.call_blocking(Recorded, Duration::from_secs(1))
        }
    }
    for (_, host) in real_hosts() {
        let system = System::builder().host(host).build();
        let recorder = system.spawn(Recorder(vec![1]));
        let asker = system.spawn(Asker);
        assert_eq!(recorder.call_blocking(Recorded, Duration::from_secs(5)), Ok(vec![1]));
        let inside = system.block_on(async { asker.call(Go(recorder.clone())).await });
        assert_eq!(inside, Ok(Err(CallError::WouldBlock)));
    }
}

/// An actor with a lifetime in its type, as all have that are `'static`.
struct Titled<T>(T);

impl<T: Send + 'static> Actor for Titled<T> {}

struct Title;

impl Message for Title {
    type Reply = String;
}

impl<T: ToString + Send + 'static> Handler<Title> for Titled<T> {
    async fn handle(&mut self, _: Title, _cx: &mut Context<Self>) -> String {
        self.0.to_string()
    }
}

impl Handler<Record> for Titled<&'static str> {
    async fn handle(&mut self, _: Record, cx: &mut Context<Self>) {
        cx.system().host().clock.sleep(Duration::from_millis(1)).await;
        cx.stop(ExitReason::Normal);
    }
}

/// What holds links, and handlers, are `Send` with such an actor too.
#[test]
fn a_link_to_an_actor_with_a_static_borrow_crosses_threads() {
    everywhere(|system| async move {
        let titled = system.spawn(Titled("a"));
        let weak = titled.downgrade();
        assert_eq!(titled.call(Title).await.unwrap(), "a");
        assert_eq!(titled.call(Record(1)).await, Ok(()));
        titled.down().await;
        assert!(weak.upgrade().is_some());
    });
}
