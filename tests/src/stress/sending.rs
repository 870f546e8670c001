//! Messages, questions, functions, wakes and timers.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context as TaskContext, Poll, Waker},
    thread,
    time::Duration,
};

use actors_core::{Actor, CallError, Context, ExitReason, Handler, Link, Message, ReplyTo};
use anyhow::{Result, bail, ensure};
use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{Order, Threads, World};

struct Receives(Order);
impl Actor for Receives {}

#[derive(Clone, Copy)]
struct Numbered {
    sender: usize,
    number: u64,
}

impl Message for Numbered {
    type Reply = ();
}

impl Handler<Numbered> for Receives {
    async fn handle(&mut self, message: Numbered, _cx: &mut Context<Self>) {
        self.0.handled(message.sender, message.number);
        if message.number % 1000 == 999 {
            // Now and then it waits while senders go on.
            futures_lite::future::yield_now().await;
        }
    }
}

/// Sends what is left, some at a time.
struct Sends {
    sender: usize,
    number: u64,
    end: u64,
    to: Vec<Link<Receives>>,
}
impl Actor for Sends {}

struct Go;
impl Message for Go {
    type Reply = ();
}

impl Handler<Go> for Sends {
    async fn handle(&mut self, _go: Go, cx: &mut Context<Self>) {
        let end = self.end.min(self.number + 200);
        for number in self.number..end {
            for to in &self.to {
                let _ = to.send(Numbered { sender: self.sender, number });
            }
        }
        self.number = end;
        if end < self.end {
            let _ = cx.link().send(Go);
        }
    }
}

/// Per-sender order and no loss, from plain threads and from actors, at several receivers.
pub(super) fn order(world: &Arc<World>) -> Result<()> {
    let (threads, actors, receivers) = (4, 4, 3);
    let each = world.scaled(400_000, 200) / 64 * 64;
    let orders: Vec<_> = (0..receivers).map(|_| Order::new(world, threads + actors)).collect();
    let to: Vec<_> =
        orders.iter().map(|order| world.system.spawn(Receives(order.clone()))).collect();
    let mut running = Threads::new();
    for sender in 0..threads {
        let to = to.clone();
        running.spawn(move || {
            for number in 0..each {
                for to in &to {
                    to.send(Numbered { sender, number })?;
                }
            }
            Ok(())
        });
    }
    let spawn = |sender| {
        let sends = world.system.spawn(Sends { sender, number: 0, end: each, to: to.clone() });
        sends.send(Go).map(|()| sends)
    };
    // Kept: what an actor sends to itself does not keep it.
    let _senders = (threads..threads + actors).map(spawn).collect::<Result<Vec<_>, _>>()?;
    drop(to);
    running.join(world)?;
    world.until("all messages were handled", || orders.iter().all(|order| order.all(each)))
}

/// Answers, refuses to, or lets another thread answer.
struct Echo(Sender<(u64, ReplyTo<u64>)>);
impl Actor for Echo {}

struct Say(u64);
impl Message for Say {
    type Reply = u64;
}

impl Handler<Say> for Echo {
    async fn handle(&mut self, Say(n): Say, _cx: &mut Context<Self>) -> u64 {
        n
    }

    async fn handle_call(&mut self, Say(n): Say, reply: ReplyTo<u64>, cx: &mut Context<Self>) {
        match n % 4 {
            0 => drop(reply),
            1 => drop(self.0.send((n, reply))),
            _ => reply.answer(self.handle(Say(n), cx).await),
        }
    }
}

/// Each question has its own answer, or is refused at once, whoever answers and whoever gives up.
pub(super) fn questions(world: &Arc<World>) -> Result<()> {
    let each = world.scaled(50_000, 50);
    let (later, elsewhere) = unbounded::<(u64, ReplyTo<u64>)>();
    let echo = world.system.spawn(Echo(later));
    let mut threads = Threads::new();
    threads.spawn(move || {
        elsewhere.into_iter().for_each(|(n, reply)| reply.answer(n));
        Ok(())
    });
    let mut askers = Threads::new();
    for asker in 0..3 {
        let (world, echo) = (world.clone(), echo.clone());
        let mut rng = world.rng(asker);
        askers.spawn(move || {
            for _ in 0..each {
                let n = rng.u64(..);
                let gives_up = rng.u8(..) < 32;
                let call = echo.call(Say(n));
                let patience = if gives_up { rng.u64(0..50) } else { 600_000_000 };
                let call = call.within(Duration::from_micros(patience));
                match (world.system.block_on(async { call.await }), n % 4) {
                    (Err(CallError::NoReply), 0) => {}
                    (Ok(answer), 1..) if answer == n => {}
                    (Err(CallError::Timeout), _) if gives_up => {}
                    (answer, _) => bail!("question {n} was answered with {answer:?}"),
                }
                world.count(1);
            }
            Ok(())
        });
    }
    drop(echo);
    askers.join(world)?;
    threads.join(world)
}

struct Sum(u64);
impl Actor for Sum {}

/// Functions run in the actor, once each, and their results come back.
pub(super) fn functions(world: &Arc<World>) -> Result<()> {
    let each = world.scaled(50_000, 50);
    let sum = world.system.spawn(Sum(0));
    let mut threads = Threads::new();
    for _ in 0..3 {
        let (world, sum) = (world.clone(), sum.clone());
        threads.spawn(move || {
            let mut last = 0;
            for _ in 0..each {
                let add = |sum: &mut Sum| {
                    sum.0 += 1;
                    sum.0
                };
                let now = world.system.block_on(async { sum.exec(add).await })?;
                ensure!(now > last, "a function saw {now} after {last}");
                last = now;
                world.count(1);
            }
            Ok(())
        });
    }
    threads.join(world)?;
    let total = world.system.block_on(async { sum.exec(|sum| sum.0).await })?;
    ensure!(total == 3 * each, "{total} functions of {} have run", 3 * each);
    Ok(())
}

/// What a foreign thread opens for a handler.
#[derive(Clone, Default)]
struct Gate(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Future for Gate {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let (is_open, waker) = &*self.0;
        *waker.lock().expect("no panic under it") = Some(task.waker().clone());
        if is_open.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

struct Waits {
    gates: Sender<Gate>,
    passed: Arc<AtomicU64>,
}
impl Actor for Waits {}

impl Handler<Go> for Waits {
    async fn handle(&mut self, _go: Go, _cx: &mut Context<Self>) {
        let gate = Gate::default();
        let _ = self.gates.send(gate.clone());
        gate.await;
        self.passed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Wakes from other threads, before, while and after a handler goes to wait; some more than once, some
/// of a handler that a kill has dropped.
pub(super) fn wakers(world: &Arc<World>) -> Result<()> {
    let (actors, each) = (16, world.scaled(20_000, 20));
    let (gates, opened) = unbounded::<Gate>();
    let mut threads = Threads::new();
    for thread in 0..2 {
        let opened: Receiver<Gate> = opened.clone();
        let mut rng = world.rng(thread);
        threads.spawn(move || {
            let mut old: Vec<Waker> = Vec::new();
            for gate in opened {
                (0..rng.u32(0..200)).for_each(|_| std::hint::spin_loop());
                gate.0.0.store(true, Ordering::Release);
                let waker = gate.0.1.lock().expect("no panic under it").clone();
                let Some(waker) = waker else { continue };
                waker.wake_by_ref();
                if rng.u8(..) < 64 {
                    old.push(waker);
                }
                if old.len() == 32 {
                    old.drain(..).for_each(Waker::wake);
                }
            }
            Ok(())
        });
    }
    let passed = Arc::new(AtomicU64::new(0));
    let spawn = |passed: &Arc<AtomicU64>| {
        let waits = Waits { gates: gates.clone(), passed: passed.clone() };
        let waits = world.system.spawn(waits);
        (0..each).try_for_each(|_| waits.send(Go)).map(|()| waits)
    };
    let living = (0..actors).map(|_| spawn(&passed)).collect::<Result<Vec<_>, _>>()?;
    let of_killed = Arc::new(AtomicU64::new(0));
    let mut rng = world.rng(7);
    for _ in 0..world.scaled(2_000, 20) {
        let victim = spawn(&of_killed)?;
        (0..rng.u32(0..2_000)).for_each(|_| std::hint::spin_loop());
        victim.kill();
        let down = world.system.block_on(victim.down());
        ensure!(
            matches!(down.reason, ExitReason::Killed | ExitReason::NoProc),
            "a kill gave {:?}",
            down.reason
        );
        world.count(1);
    }
    world.until("all handlers have gone on", || passed.load(Ordering::Relaxed) == actors * each)?;
    world.count(actors * each);
    drop((living, gates, opened));
    threads.join(world)
}

struct Ticks(Arc<Mutex<Vec<u8>>>);
impl Actor for Ticks {}

struct Tick(usize);
impl Message for Tick {
    type Reply = ();
}

impl Handler<Tick> for Ticks {
    async fn handle(&mut self, Tick(which): Tick, _cx: &mut Context<Self>) {
        self.0.lock().expect("no panic under it")[which] += 1;
    }
}

/// A timer fires once; one that is cancelled long before does not, one that is cancelled as it fires does
/// at most once.
pub(super) fn timers(world: &Arc<World>) -> Result<()> {
    let each = usize::try_from(world.scaled(30_000, 60))?;
    let mut threads = Threads::new();
    for thread in 0..2 {
        let world = world.clone();
        let mut rng = world.rng(thread);
        threads.spawn(move || {
            let fired = Arc::new(Mutex::new(vec![0_u8; each]));
            let ticks = world.system.spawn(Ticks(fired.clone()));
            let mut racing = Vec::new();
            for which in 0..each {
                let soon = Duration::from_micros(rng.u64(0..3_000));
                match which % 3 {
                    0 => drop(world.system.send_after(&ticks, soon, Tick(which))),
                    1 => racing.push(world.system.send_after(&ticks, soon, Tick(which))),
                    _ => {
                        let late = Duration::from_secs(3600);
                        world.system.send_after(&ticks, late, Tick(which)).cancel();
                    }
                }
                if racing.len() == 16 {
                    thread::yield_now();
                    racing.drain(..).for_each(|timer| timer.cancel());
                }
                world.count(1);
            }
            racing.into_iter().for_each(|timer| timer.cancel());
            world.until("all timers have fired", || {
                let fired = fired.lock().expect("no panic under it");
                fired.iter().step_by(3).all(|times| *times == 1)
            })?;
            let fired = fired.lock().expect("no panic under it");
            ensure!(fired.iter().all(|times| *times <= 1), "a timer fired twice");
            ensure!(
                fired.iter().skip(2).step_by(3).all(|times| *times == 0),
                "a cancelled timer fired"
            );
            Ok(())
        });
    }
    threads.join(world)
}
