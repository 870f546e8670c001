//! Streams whose items come to an actor.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use actors_core::{Actor, Attached, Context, ExitReason, Handler, Link, Message, System};
use common::{Crash, Record, everywhere};
use futures_lite::{Stream, StreamExt, stream};

#[derive(Default)]
struct Reader {
    read: Vec<u32>,
    ended: bool,
    attached: Option<Attached>,
}

impl Actor for Reader {}

impl Handler<Record> for Reader {
    async fn handle(&mut self, Record(n): Record, cx: &mut Context<Self>) {
        if n.is_multiple_of(7) {
            cx.system().host().clock.sleep(Duration::from_micros(10)).await;
        }
        self.read.push(n);
    }
}

impl Handler<Crash> for Reader {
    async fn handle(&mut self, _: Crash, _cx: &mut Context<Self>) {
        panic!("as asked");
    }
}

struct End;

impl Message for End {
    type Reply = ();
}

impl Handler<End> for Reader {
    async fn handle(&mut self, _: End, _cx: &mut Context<Self>) {
        self.ended = true;
    }
}

/// Attaches a stream, with a message for its end.
struct Attach<S>(S, bool);

impl<S: Send + 'static> Message for Attach<S> {
    type Reply = ();
}

impl<S: Stream<Item = u32> + Send + 'static> Handler<Attach<S>> for Reader {
    async fn handle(&mut self, Attach(stream, to_end): Attach<S>, cx: &mut Context<Self>) {
        self.attached = Some(match to_end {
            true => cx.attach_stream_to_end(stream, Record, End),
            false => cx.attach_stream(stream, Record),
        });
    }
}

/// How many items were taken of a stream, and whether it is still there.
#[derive(Clone, Default)]
struct Pulled(Arc<AtomicU32>);

impl Pulled {
    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    fn is_dropped(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// A stream without an end.
    fn counting(&self) -> impl Stream<Item = u32> + Send + use<> {
        let pulled = self.0.clone();
        stream::repeat_with(move || pulled.fetch_add(1, Ordering::SeqCst))
    }
}

async fn until(system: &System, mut holds: impl FnMut() -> bool) {
    while !holds() {
        system.host().clock.sleep(Duration::from_micros(100)).await;
    }
}

async fn at_the_end(system: &System, reader: &Link<Reader>) -> Vec<u32> {
    // While the stream comes the mailbox may be full.
    while reader.query(|reader| reader.ended).await != Ok(true) {
        system.host().clock.sleep(Duration::from_micros(100)).await;
    }
    reader.query(|reader| reader.read.clone()).await.unwrap()
}

/// Items come as messages, in order, and then the message for the end; into a bounded mailbox too.
#[test]
fn items_come_in_order_and_then_the_end() {
    everywhere(|system| async move {
        for reader in [system.spawn(Reader::default()), system.spawn_bounded(Reader::default(), 2)]
        {
            reader.send(Attach(stream::iter(0..100), true)).unwrap();
            assert_eq!(at_the_end(&system, &reader).await, (0..100).collect::<Vec<_>>());
        }
    });
}

/// Says that it is handled, and holds the actor up for good.
struct Hold(Arc<AtomicBool>);

impl Message for Hold {
    type Reply = ();
}

impl Handler<Hold> for Reader {
    async fn handle(&mut self, Hold(held): Hold, _cx: &mut Context<Self>) {
        held.store(true, Ordering::Relaxed);
        std::future::pending().await
    }
}

/// The stream is not polled further ahead of the actor than its mailbox has room, or 16 items.
#[test]
fn a_stream_does_not_run_ahead_of_its_actor() {
    everywhere(|system| async move {
        for (reader, most) in
            [(system.spawn(Reader::default()), 16), (system.spawn_bounded(Reader::default(), 3), 4)]
        {
            let pulled = Pulled::default();
            reader.call(Attach(pulled.counting(), false)).await.unwrap();
            let held = Arc::new(AtomicBool::new(false));
            until(&system, || reader.send(Hold(held.clone())).is_ok()).await;
            until(&system, || held.load(Ordering::Relaxed)).await;
            let mut before = None;
            while before != Some(pulled.count()) {
                before = Some(pulled.count());
                system.host().clock.sleep(Duration::from_millis(1)).await;
            }
            // All that it has handled but `Attach` and `Hold` are items.
            let ahead = u64::from(pulled.count()) + 2 - reader.info().handled;
            assert!(ahead <= most, "{ahead} ahead");
            let down = reader.down();
            reader.kill();
            down.await;
            until(&system, || pulled.is_dropped()).await;
        }
    });
}

/// Does something to a reader, and keeps it or not.
type Way = fn(Link<Reader>) -> Option<Link<Reader>>;

/// A stream ends with its actor, however that ends, and does not keep it alive; detached, it is dropped.
#[test]
fn a_stream_ends_with_its_actor() {
    everywhere(|system| async move {
        let ways: [Way; 4] = [
            |reader| {
                reader.stop(ExitReason::Normal);
                Some(reader)
            },
            |reader| {
                reader.send(Crash).unwrap();
                Some(reader)
            },
            |_dropped| None,
            |reader| {
                let detach = |reader: &mut Reader| reader.attached.as_ref().unwrap().detach();
                reader.update_state(detach).unwrap();
                Some(reader)
            },
        ];
        for way in ways {
            for endless in [true, false] {
                let (reader, pulled) = (system.spawn(Reader::default()), Pulled::default());
                let stream = pulled.counting().take(if endless { usize::MAX } else { 3 });
                let stream = stream.chain(stream::pending());
                reader.call(Attach(stream, false)).await.unwrap();
                until(&system, || pulled.count() >= 3).await;
                let _kept = way(reader);
                until(&system, || pulled.is_dropped()).await;
            }
        }
    });
}

/// A panic in the stream ends the actor, after the items that came before it.
#[test]
fn a_stream_that_panics_ends_its_actor() {
    everywhere(|system| async move {
        let reader = system.spawn(Reader::default());
        let (read, seen) = crossbeam_channel::unbounded();
        let down = reader.down();
        let fails = stream::iter(0..).inspect(move |n| {
            assert!(*n < 5, "no more");
            read.send(*n).unwrap();
        });
        reader.send(Attach(fails, true)).unwrap();
        let ExitReason::Panic { message, during } = down.await.reason else { panic!("a panic") };
        assert_eq!((message.as_str(), during.as_str()), ("no more", "an attached stream"));
        assert_eq!(seen.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    });
}
