use std::{
    sync::{
        Arc, Mutex as StdMutex,
        atomic::{AtomicU32, Ordering},
    },
    task::Wake,
};

use actors_core::{ActorId, SystemId};

use super::*;
use crate::{
    incoming::Incoming,
    pieces::Assembly,
    wire::{Asked, Frame},
};

/// A connection that takes what there is room for.
#[derive(Clone, Default)]
struct Pipe(Arc<StdMutex<State>>);

#[derive(Default)]
struct State {
    written: Vec<u8>,
    room: usize,
    broken: bool,
    closed: u32,
    waiting: Option<Waker>,
}

impl Pipe {
    fn with_room(room: usize) -> Self {
        let pipe = Self::default();
        pipe.0.lock().unwrap().room = room;
        pipe
    }

    /// Wakes who waits for room.
    fn make_room(&self, room: usize) {
        let mut state = self.0.lock().unwrap();
        state.room += room;
        state.waiting.take().into_iter().for_each(Waker::wake);
    }

    fn serials(&self) -> Vec<u64> {
        let bytes = self.0.lock().unwrap().written.clone();
        let mut incoming = Incoming::new(Box::new(futures_lite::io::Cursor::new(bytes)));
        let (mut assembly, mut serials) = (Assembly::new(1 << 20), Vec::new());
        let mut next = || futures_lite::future::block_on(assembly.read(&mut incoming));
        while let Ok(Some(Some(Frame::Stop(to, _)))) = next() {
            serials.push(to.serial);
        }
        serials
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        if state.broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let taken = bytes.len().min(state.room);
        if taken == 0 {
            state.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.room -= taken;
        state.written.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().closed += 1;
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn stop(serial: u64) -> Frame {
    Frame::Stop(ActorId { home: SystemId(1), serial }, actors_core::ExitReason::Normal)
}

/// What somebody waits for does not wait for the task; all else does.
#[test]
fn a_free_line_is_written_at_once() {
    let (outbox, pipe) = (Outbox::new(1 << 20, 1 << 20), Pipe::with_room(usize::MAX));
    let writing = outbox.write_to(1, Box::new(pipe.clone()), 0);
    outbox.push_now(&stop(1), None);
    assert_eq!(pipe.serials(), [1]);
    outbox.push(&stop(2), None);
    assert_eq!(pipe.serials(), [1]);
    // It takes along what has waited.
    outbox.push_now(&stop(3), None);
    assert_eq!(pipe.serials(), [1, 2, 3]);
    drop(writing);
    outbox.push_now(&stop(4), None);
    assert_eq!(pipe.serials(), [1, 2, 3]);
}

/// What there is no room for is left to the task, which is woken when there is.
#[test]
fn what_the_line_does_not_take_is_the_task_s() {
    for room in 0..70 {
        let (outbox, pipe) = (Outbox::new(1 << 20, 1 << 20), Pipe::with_room(0));
        let writing = outbox.write_to(1, Box::new(pipe.clone()), 0);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut task = Box::pin(writing.run());
        let mut poll = || task.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        pipe.make_room(room);
        outbox.push_now(&stop(1), None);
        outbox.push_now(&stop(2), None);
        let before = woken.0.load(Ordering::Relaxed);
        pipe.make_room(usize::MAX / 2);
        let all = pipe.serials() == [1, 2];
        assert!(all || woken.0.load(Ordering::Relaxed) > before, "{room} bytes");
        assert!(poll().is_pending());
        assert_eq!(pipe.serials(), [1, 2], "{room} bytes");
    }
}

/// A connection that fails under another's hands fails for its task.
#[test]
fn the_task_hears_of_a_failure() {
    let (outbox, pipe) = (Outbox::new(1 << 20, 1 << 20), Pipe::with_room(100));
    let writing = outbox.write_to(1, Box::new(pipe.clone()), 0);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut task = Box::pin(writing.run());
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    pipe.0.lock().unwrap().broken = true;
    outbox.push_now(&stop(1), None);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    // An error is told once.
    pipe.0.lock().unwrap().broken = false;
    let Poll::Ready(Err(error)) = task.as_mut().poll(&mut Context::from_waker(&waker)) else {
        panic!("it goes on");
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// Of two connections only the newer one is written, and the end of the older one does not end it.
#[test]
fn an_overtaken_connection_is_not_written() {
    let outbox = Outbox::new(1 << 20, 1 << 20);
    let (old, new) = (Pipe::with_room(usize::MAX), Pipe::with_room(usize::MAX));
    let before = outbox.write_to(1, Box::new(old.clone()), 0);
    let now = outbox.write_to(2, Box::new(new.clone()), 0);
    outbox.push(&stop(1), None);
    assert!(before.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(before);
    outbox.push_now(&stop(2), None);
    assert_eq!((old.serials(), new.serials()), (vec![], vec![1, 2]));
    drop(now);
}

/// Who comes late to an outbox that was closed does not end its stream: the task does, once.
#[test]
fn the_task_alone_ends_the_stream() {
    let (outbox, pipe) = (Outbox::new(1 << 20, 1 << 20), Pipe::with_room(usize::MAX));
    let writing = outbox.write_to(1, Box::new(pipe.clone()), 0);
    outbox.push(&stop(1), None);
    outbox.close_after(&stop(2));
    assert!(!outbox.push_now(&stop(3), None));
    // One that was let in just before.
    while !outbox.write_now() && pipe.serials().len() < 2 {}
    assert!(!outbox.write_now());
    assert_eq!(pipe.0.lock().unwrap().closed, 0);
    futures_lite::future::block_on(writing.run()).unwrap();
    assert_eq!((pipe.serials(), pipe.0.lock().unwrap().closed), (vec![1, 2], 1));
}

/// Of what is long, who says it writes the beginning: the task is woken for the rest.
#[test]
fn the_rest_of_what_is_long_is_the_task_s() {
    let (outbox, pipe) = (Outbox::new(1 << 20, 1 << 20), Pipe::with_room(usize::MAX));
    let writing = outbox.write_to(1, Box::new(pipe.clone()), 0);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut task = Box::pin(writing.run());
    let mut poll = || task.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    let (to, body) = (ActorId { home: SystemId(1), serial: 1 }, vec![7; 2_000_000]);
    let long = Frame::Message {
        to,
        name: "long".into(),
        body,
        epoch: None,
        call: Some(Asked(1, None)),
        trace: None,
    };
    outbox.push_now(&long, None);
    let begun = pipe.0.lock().unwrap().written.len();
    assert!((1..300_000).contains(&begun), "{begun} bytes");
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(poll().is_pending());
    assert!(pipe.0.lock().unwrap().written.len() > 2_000_000);
}
