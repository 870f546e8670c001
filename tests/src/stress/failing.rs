//! Panics, kills, restarts, and who hears of them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

use actors_core::{
    Actor, Context, Down, ExitReason, Handler, Link, Message, StartError,
    supervision::{ChildExit, Seat},
};
use anyhow::{Result, ensure};
use crossbeam_channel::{RecvTimeoutError, unbounded};
use std::time::Duration;

use super::{Census, Member, Order, Threads, World, quiet_panic};

/// How an actor of [`crashes`] ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Panics,
    PanicsAndItsDropToo,
    KilledWaiting,
    KilledAnywhere,
    Stops,
    IsForgotten,
}

const FATES: [Fate; 6] = [
    Fate::Panics,
    Fate::PanicsAndItsDropToo,
    Fate::KilledWaiting,
    Fate::KilledAnywhere,
    Fate::Stops,
    Fate::IsForgotten,
];

struct Mortal {
    fate: Fate,
    terms: Arc<AtomicU64>,
    _member: Member,
}

impl Actor for Mortal {
    async fn term(&mut self, _reason: &ExitReason) {
        self.terms.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if self.fate == Fate::PanicsAndItsDropToo && !std::thread::panicking() {
            quiet_panic();
        }
    }
}

/// A message that is counted, and holds something that is.
struct Meet(Member);
impl Message for Meet {
    type Reply = ();
}

impl Handler<Meet> for Mortal {
    async fn handle(&mut self, Meet(_member): Meet, _cx: &mut Context<Self>) {
        match self.fate {
            Fate::Panics | Fate::PanicsAndItsDropToo => quiet_panic(),
            Fate::KilledWaiting => std::future::pending().await,
            Fate::KilledAnywhere => futures_lite::future::yield_now().await,
            Fate::Stops | Fate::IsForgotten => {}
        }
    }
}

/// Actors die in all ways with messages before and behind: each runs `term` once, all states, messages
/// and futures are dropped, and somebody hears of each end.
pub(super) fn crashes(world: &Arc<World>) -> Result<()> {
    let each = world.scaled(40_000, 60);
    let census = Census::default();
    let terms = Arc::new(AtomicU64::new(0));
    let downs = Arc::new(AtomicU64::new(0));
    let mut threads = Threads::new();
    for thread in 0..3 {
        let (world, census) = (world.clone(), census.clone());
        let (terms, downs) = (terms.clone(), downs.clone());
        let mut rng = world.rng(thread);
        threads.spawn(move || {
            for _ in 0..each {
                let fate = FATES[rng.usize(..FATES.len())];
                let (terms, _member) = (terms.clone(), census.member());
                let mortal = world.system.spawn(Mortal { fate, terms, _member });
                let downs = downs.clone();
                mortal.erase().on_down(move |_| {
                    downs.fetch_add(1, Ordering::Relaxed);
                });
                for _ in 0..rng.u32(1..4) {
                    let _ = mortal.send(Meet(census.member()));
                }
                match fate {
                    Fate::KilledWaiting | Fate::KilledAnywhere => {
                        (0..rng.u32(0..300)).for_each(|_| std::hint::spin_loop());
                        mortal.kill();
                    }
                    Fate::Stops => mortal.stop(ExitReason::Shutdown),
                    _ => {}
                }
                let _ = mortal.send(Meet(census.member()));
                world.count(1);
            }
            Ok(())
        });
    }
    threads.join(world)?;
    let count = 3 * each;
    world.until("all ends were told", || downs.load(Ordering::Relaxed) == count)?;
    world.until("all is dropped", || census.living() == 0)?;
    // A kill may come before `init`: then there is no `term`.
    let terms = terms.load(Ordering::Relaxed);
    ensure!(terms <= count, "{terms} terms of {count} lives");
    Ok(())
}

/// The state goes from life to life; the order is kept beside it, as starts fail too.
struct Phoenix(Order);
impl Actor for Phoenix {}

struct Numbered {
    sender: usize,
    number: u64,
    crashes: bool,
    waits: bool,
}

impl Message for Numbered {
    type Reply = ();
}

impl Handler<Numbered> for Phoenix {
    async fn handle(&mut self, message: Numbered, _cx: &mut Context<Self>) {
        self.0.handled(message.sender, message.number);
        if message.crashes {
            quiet_panic();
        }
        if message.waits {
            futures_lite::future::yield_now().await;
        }
    }
}

/// An actor crashes, is killed and is restarted in place, with its last state, while senders go on:
/// order and exactly once hold over all its lives.
pub(super) fn restarts(world: &Arc<World>) -> Result<()> {
    let (senders, each) = (4, world.scaled(200_000, 300));
    let order = Order::new(world, senders);
    let (tell, exits) = unbounded::<ChildExit>();
    let on_exit = Arc::new(move |exit| drop(tell.send(exit)));
    let seat: Seat<Phoenix> = world.system.reserve(on_exit);
    start(&seat, &order, false);
    let over = Arc::new(AtomicBool::new(false));
    let mut keeper = Threads::new();
    {
        let (seat, order, over) = (seat.clone(), order.clone(), over.clone());
        let mut rng = world.rng(9);
        let link = seat.link();
        keeper.spawn(move || {
            loop {
                match exits.recv_timeout(Duration::from_millis(1)) {
                    Ok(_) => start(&seat, &order, rng.u8(..) < 64),
                    Err(RecvTimeoutError::Timeout) if over.load(Ordering::Acquire) => return Ok(()),
                    Err(_) => link.kill(),
                }
            }
        });
    }
    let mut threads = Threads::new();
    for sender in 0..senders {
        let link = seat.link();
        let mut rng = world.rng(sender as u64);
        threads.spawn(move || {
            for number in 0..each {
                let draw = rng.u32(..1000);
                let (crashes, waits) = (draw == 0, draw < 5);
                link.send(Numbered { sender, number, crashes, waits })?;
            }
            Ok(())
        });
    }
    threads.join(world)?;
    world.until("all messages were handled, over all lives", || order.all(each))?;
    over.store(true, Ordering::Release);
    keeper.join(world)?;
    let link = seat.link();
    seat.retire(ExitReason::Normal);
    link.kill();
    Ok(())
}

fn start(seat: &Seat<Phoenix>, order: &Order, fails: bool) {
    let order = order.clone();
    drop(seat.start(None, move |last| async move {
        if fails {
            return Err(StartError::Failed("on purpose".into()));
        }
        Ok(last.unwrap_or(Phoenix(order)))
    }));
}

/// Monitors many, and counts what it hears of each.
struct Watcher(Arc<Vec<AtomicU8>>);
impl Actor for Watcher {}

struct Watch(usize, actors_core::AnyLink);
impl Message for Watch {
    type Reply = ();
}

impl Handler<Watch> for Watcher {
    async fn handle(&mut self, Watch(which, victim): Watch, cx: &mut Context<Self>) {
        let heard = move |watcher: &mut Self, _: Down, _: &mut Context<Self>| {
            watcher.0[which].fetch_add(1, Ordering::Relaxed);
        };
        cx.monitor_with(&victim, heard);
    }
}

struct Victim;
impl Actor for Victim {}

/// CORE 31: whoever monitors an actor that is dying hears once, whether it has died or not.
pub(super) fn monitors(world: &Arc<World>) -> Result<()> {
    let batch = 500;
    for round in 0..world.scaled(200, 1) {
        let heard = || Arc::new((0..batch).map(|_| AtomicU8::new(0)).collect::<Vec<_>>());
        let (by_function, by_actor) = (heard(), heard());
        let victims: Vec<Link<Victim>> = (0..batch).map(|_| world.system.spawn(Victim)).collect();
        let watcher = world.system.spawn(Watcher(by_actor.clone()));
        let mut threads = Threads::new();
        let (killed, mut rng) = (victims.clone(), world.rng(round));
        threads.spawn(move || {
            for victim in killed {
                match rng.u8(..4) {
                    0 => victim.kill(),
                    1 => victim.stop(ExitReason::Shutdown),
                    _ => victim.stop(ExitReason::Normal),
                }
            }
            Ok(())
        });
        let (watched, told) = (victims.clone(), by_function.clone());
        threads.spawn(move || {
            for (which, victim) in watched.iter().enumerate() {
                let told = told.clone();
                victim.erase().on_down(move |_| {
                    told[which].fetch_add(1, Ordering::Relaxed);
                });
            }
            Ok(())
        });
        for (which, victim) in victims.iter().enumerate() {
            watcher.send(Watch(which, victim.erase()))?;
        }
        threads.join(world)?;
        world.until("each monitor has heard once", || {
            let all = by_function.iter().chain(&*by_actor);
            all.fold(true, |heard, times| {
                let times = times.load(Ordering::Relaxed);
                if times > 1 {
                    world.breach(format!("a monitor heard {times} times"));
                }
                heard && times == 1
            })
        })?;
        world.count(2 * batch);
    }
    Ok(())
}
