//! Simulated connections: ordered bytes with random delay and fragmentation, cuts, ends.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_lite::{AsyncRead, AsyncWrite};

use super::executor::{Local, SimTimer, State, World, wake_all};
use crate::{
    BoxFuture,
    host::{Listener, Net, Stream},
};

const DELAY: (Duration, Duration) = (Duration::from_micros(20), Duration::from_micros(500));
/// What is on the way over a slow line at once, in bytes.
const WINDOW: usize = 128 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const FIRST_PORT: u64 = 40_000;

/// Listeners, pipes and cuts of a world.
#[derive(Default)]
pub(super) struct Network {
    listeners: BTreeMap<String, Listening>,
    pipes: BTreeMap<u64, Pipe>,
    /// Pairs of names between which nothing gets through.
    cuts: BTreeSet<(String, String)>,
    /// Bytes a second from one to the other, where that is limited.
    rates: BTreeMap<(String, String), u64>,
}

struct Listening {
    node: usize,
    queue: VecDeque<(u64, u64, String)>,
    waker: Option<Waker>,
}

/// One direction of a connection.
struct Pipe {
    from: usize,
    to: usize,
    segments: VecDeque<(Duration, VecDeque<u8>)>,
    last: Duration,
    closed: Option<Duration>,
    /// It was broken: when what still arrives has been read, there is an error.
    reset: bool,
    reader_gone: bool,
    waker: Option<Waker>,
    /// Of a writer that waits for the line.
    writer: Option<Waker>,
}

impl Pipe {
    fn on_the_way(&self) -> usize {
        self.segments.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Breaks: so many bytes of those on the way still arrive.
    fn reset(&mut self, mut rest: usize, now: Duration) -> [Option<Waker>; 2] {
        for (_, bytes) in &mut self.segments {
            bytes.truncate(rest);
            rest -= bytes.len();
        }
        self.segments.retain(|(_, bytes)| !bytes.is_empty());
        let end = self.segments.back().map_or(now, |(at, _)| *at);
        self.closed = Some(self.closed.map_or(end, |closed| closed.min(end)));
        (self.reset, self.reader_gone) = (true, true);
        [self.waker.take(), self.writer.take()]
    }
}

impl World {
    pub(super) fn set_cut(&self, from: &str, to: &str, cut: bool) {
        let mut state = self.lock();
        let pair = (from.to_owned(), to.to_owned());
        if cut {
            state.network.cuts.insert(pair);
        } else {
            state.network.cuts.remove(&pair);
        }
        let wakers = state.network.pipes.values_mut().filter_map(|p| p.waker.take()).collect();
        drop(state);
        wake_all(wakers);
    }

    pub(super) fn break_connections(&self, a: &str, b: &str) {
        let mut guard = self.lock();
        let State { nodes, network, rng, now, .. } = &mut *guard;
        let mut wakers = Vec::new();
        for pipe in network.pipes.values_mut() {
            let ends = (&*nodes[pipe.from].name, &*nodes[pipe.to].name);
            if ends == (a, b) || ends == (b, a) {
                let rest = rng.usize(..=pipe.on_the_way());
                wakers.extend(pipe.reset(rest, *now).into_iter().flatten());
            }
        }
        drop(guard);
        wake_all(wakers);
    }

    pub(super) fn set_rate(&self, from: &str, to: &str, bytes_per_second: Option<u64>) {
        let pair = (from.to_owned(), to.to_owned());
        let mut state = self.lock();
        match bytes_per_second {
            Some(rate) => state.network.rates.insert(pair, rate.max(1)),
            None => state.network.rates.remove(&pair),
        };
        let wakers = state.network.pipes.values_mut().filter_map(|p| p.writer.take()).collect();
        drop(state);
        wake_all(wakers);
    }

    fn open_pipes(&self, a: usize, b: usize) -> (u64, u64) {
        let mut state = self.lock();
        let (there, back) = (state.next_id(), state.next_id());
        for (id, from, to) in [(there, a, b), (back, b, a)] {
            let pipe = Pipe {
                from,
                to,
                segments: VecDeque::new(),
                last: Duration::ZERO,
                closed: None,
                reset: false,
                reader_gone: false,
                waker: None,
                writer: None,
            };
            state.network.pipes.insert(id, pipe);
        }
        (there, back)
    }
}

impl State {
    /// The node's sockets close as the kernel closes those of a dead process.
    pub(super) fn end_connections(&mut self, node: usize) -> Vec<Waker> {
        let end = self.now + self.between(DELAY.0, DELAY.1);
        let mut wakers = Vec::new();
        for pipe in self.network.pipes.values_mut() {
            if pipe.from == node {
                pipe.closed.get_or_insert(end.max(pipe.last));
                wakers.extend(pipe.waker.take());
            }
            if pipe.to == node {
                pipe.reader_gone = true;
                wakers.extend(pipe.writer.take());
            }
        }
        self.network.listeners.retain(|_, listening| listening.node != node);
        wakers
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        let pair = (self.nodes[from].name.clone(), self.nodes[to].name.clone());
        self.network.cuts.contains(&pair)
    }

    fn rate(&self, pipe: u64) -> Option<u64> {
        if self.network.rates.is_empty() {
            return None;
        }
        let Pipe { from, to, .. } = self.network.pipes.get(&pipe)?;
        let pair = (self.nodes[*from].name.clone(), self.nodes[*to].name.clone());
        self.network.rates.get(&pair).copied()
    }
}

impl Net for Local {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let listener = self.bind(address);
        Box::pin(async move { listener.map(|l| Box::new(l) as Box<dyn Listener>) })
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Stream>> {
        let (world, node, address) = (self.world.clone(), self.node, address.to_owned());
        Box::pin(async move { connect(world.upgrade().ok_or_else(gone)?, node, address).await })
    }
}

impl Local {
    /// The host part of the address is the node's own name, whatever was asked for.
    fn bind(&self, address: &str) -> io::Result<SimListener> {
        let world = self.world.upgrade().ok_or_else(gone)?;
        let mut state = world.lock();
        let port = address.rsplit_once(':').map_or("0", |(_, port)| port);
        let port = match port {
            "0" => (FIRST_PORT + state.next_id()).to_string(),
            port => port.to_owned(),
        };
        let address = format!("{}:{port}", state.nodes[self.node].name);
        if state.network.listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let listening = Listening { node: self.node, queue: VecDeque::new(), waker: None };
        state.network.listeners.insert(address.clone(), listening);
        drop(state);
        Ok(SimListener { world: self.world.clone(), address })
    }
}

async fn connect(world: Arc<World>, node: usize, address: String) -> io::Result<Stream> {
    let delay = world.lock().between(DELAY.0, DELAY.1);
    world.sleep(delay).await;
    let target = {
        let state = world.lock();
        let name = address.rsplit_once(':').map_or(&*address, |(name, _)| name);
        let known = state.nodes.iter().rposition(|n| n.name == name);
        let cut = known.is_some_and(|to| state.is_cut(node, to) || state.is_cut(to, node));
        let listening = state.network.listeners.get(&address).map(|l| l.node);
        if cut { Err(()) } else { Ok(listening) }
    };
    let target = match target {
        Ok(Some(target)) => target,
        Ok(None) => return Err(io::ErrorKind::ConnectionRefused.into()),
        Err(()) => {
            world.sleep(CONNECT_TIMEOUT).await;
            return Err(io::ErrorKind::TimedOut.into());
        }
    };
    let (there, back) = world.open_pipes(node, target);
    let mut state = world.lock();
    let from = format!("{}:client{there}", state.nodes[node].name);
    let Some(listening) = state.network.listeners.get_mut(&address) else {
        return Err(io::ErrorKind::ConnectionRefused.into());
    };
    listening.queue.push_back((there, back, from));
    let waker = listening.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
    Ok(stream(&world, back, there, address))
}

fn stream(world: &Arc<World>, read: u64, write: u64, peer: String) -> Stream {
    let timer = SimTimer { world: Arc::downgrade(world), set: None };
    Stream {
        read: Box::new(SimReader { world: Arc::downgrade(world), pipe: read, timer }),
        write: Box::new(SimWriter { world: Arc::downgrade(world), pipe: write }),
        peer,
    }
}

struct SimListener {
    world: Weak<World>,
    address: String,
}

impl Listener for SimListener {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(std::future::poll_fn(|task| {
            let Some(world) = self.world.upgrade() else { return Poll::Ready(Err(gone())) };
            let mut state = world.lock();
            let Some(listening) = state.network.listeners.get_mut(&self.address) else {
                return Poll::Ready(Err(gone()));
            };
            match listening.queue.pop_front() {
                Some((there, back, peer)) => {
                    drop(state);
                    Poll::Ready(Ok(stream(&world, there, back, peer)))
                }
                None => {
                    listening.waker = Some(task.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade() {
            let listening = world.lock().network.listeners.remove(&self.address);
            drop(listening);
        }
    }
}

struct SimReader {
    world: Weak<World>,
    pipe: u64,
    timer: SimTimer,
}

impl AsyncRead for SimReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some(world) = this.world.upgrade() else { return Poll::Ready(Err(gone())) };
        let mut state = world.lock();
        let State { now, network, .. } = &mut *state;
        let now = *now;
        let Some(pipe) = network.pipes.get_mut(&this.pipe) else { return Poll::Ready(Ok(0)) };
        pipe.waker = Some(task.waker().clone());
        let (from, to) = (pipe.from, pipe.to);
        if state.is_cut(from, to) {
            return Poll::Pending;
        }
        let pipe = state.network.pipes.get_mut(&this.pipe).expect("it was there");
        let due = match (pipe.segments.front_mut(), pipe.closed) {
            (Some((at, bytes)), _) if *at <= now => {
                let read = io::Read::read(bytes, buffer)?;
                if bytes.is_empty() {
                    pipe.segments.pop_front();
                }
                let writer = pipe.writer.take();
                drop(state);
                writer.into_iter().for_each(Waker::wake);
                return Poll::Ready(Ok(read));
            }
            (None, Some(end)) if end <= now && pipe.reset => {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            (None, Some(end)) if end <= now => return Poll::Ready(Ok(0)),
            (Some((at, _)), _) => Some(*at),
            (None, closed) => closed,
        };
        drop(state);
        if let Some(at) = due {
            let _ = this.timer.poll_until(at, task);
        }
        Poll::Pending
    }
}

impl Drop for SimReader {
    fn drop(&mut self) {
        let Some(world) = self.world.upgrade() else { return };
        let mut state = world.lock();
        let wakers = state.network.pipes.get_mut(&self.pipe).map(|pipe| {
            pipe.reader_gone = true;
            (pipe.waker.take(), pipe.writer.take())
        });
        drop(state);
        let (own, writer) = wakers.unwrap_or_default();
        drop(own);
        writer.into_iter().for_each(Waker::wake);
    }
}

struct SimWriter {
    world: Weak<World>,
    pipe: u64,
}

impl AsyncWrite for SimWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(world) = self.world.upgrade() else { return Poll::Ready(Err(gone())) };
        let mut state = world.lock();
        let delay = state.between(DELAY.0, DELAY.1);
        // A write may go out in two segments, as on a real network.
        let taken = match state.between(Duration::ZERO, Duration::from_nanos(3)).as_nanos() {
            0 if buffer.len() > 1 => buffer.len() / 2,
            _ => buffer.len(),
        };
        let now = state.now;
        let rate = state.rate(self.pipe);
        let Some(pipe) = state.network.pipes.get_mut(&self.pipe) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        if pipe.reader_gone || pipe.closed.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut taken = taken;
        pipe.last = pipe.last.max(now + delay);
        if let Some(rate) = rate {
            taken = taken.min(WINDOW.saturating_sub(pipe.on_the_way()));
            if taken == 0 && !buffer.is_empty() {
                pipe.writer = Some(task.waker().clone());
                return Poll::Pending;
            }
            pipe.last += Duration::from_nanos(taken as u64 * 1_000_000_000 / rate);
        }
        pipe.segments.push_back((pipe.last, buffer[..taken].iter().copied().collect()));
        let waker = pipe.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

impl SimWriter {
    fn close(&self) {
        let Some(world) = self.world.upgrade() else { return };
        let mut state = world.lock();
        let end = state.now + state.between(DELAY.0, DELAY.1);
        let waker = state.network.pipes.get_mut(&self.pipe).and_then(|pipe| {
            pipe.closed.get_or_insert(end.max(pipe.last));
            pipe.waker.take()
        });
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for SimWriter {
    fn drop(&mut self) {
        self.close();
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the simulation is over")
}
