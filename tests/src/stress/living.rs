//! Many actors, and long chains of owners.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actors_core::{Actor, Context, ExitReason, Handler, Link, Message, System};
use anyhow::Result;

use super::{Census, Member, Threads, World};

struct Brief {
    greeted: Arc<AtomicU64>,
    _member: Member,
}
impl Actor for Brief {}

struct Greet;
impl Message for Greet {
    type Reply = ();
}

impl Handler<Greet> for Brief {
    async fn handle(&mut self, _greet: Greet, _cx: &mut Context<Self>) {
        self.greeted.fetch_add(1, Ordering::Relaxed);
    }
}

/// Spawns on a worker.
struct Parent {
    census: Census,
    greeted: Arc<AtomicU64>,
}
impl Actor for Parent {}

struct Bear(u64);
impl Message for Bear {
    type Reply = ();
}

impl Handler<Bear> for Parent {
    async fn handle(&mut self, Bear(count): Bear, cx: &mut Context<Self>) {
        for number in 0..count {
            bear(cx.system(), &self.census, &self.greeted, number);
        }
    }
}

fn bear(system: &System, census: &Census, greeted: &Arc<AtomicU64>, number: u64) {
    let brief = system.spawn(Brief { greeted: greeted.clone(), _member: census.member() });
    let _ = brief.send(Greet);
    if number.is_multiple_of(2) {
        brief.stop(ExitReason::Normal);
    }
}

/// Actors are spawned by threads and actors, sent to, and stopped or let go: each handles its message,
/// and all are freed.
pub(super) fn actors(world: &Arc<World>) -> Result<()> {
    let (threads, each) = (2, world.scaled(250_000, 200) / 100 * 100);
    let (census, greeted) = (Census::default(), Arc::new(AtomicU64::new(0)));
    let mut running = Threads::new();
    for _ in 0..threads {
        let (world, census, greeted) = (world.clone(), census.clone(), greeted.clone());
        running.spawn(move || {
            for number in 0..each {
                bear(&world.system, &census, &greeted, number);
                world.count(1);
            }
            Ok(())
        });
    }
    for _ in 0..2 {
        let parent = Parent { census: census.clone(), greeted: greeted.clone() };
        let parent = world.system.spawn(parent);
        for _ in 0..each / 100 {
            parent.send(Bear(100))?;
        }
    }
    running.join(world)?;
    world.until("each actor was greeted", || greeted.load(Ordering::Relaxed) == 4 * each)?;
    world.count(2 * each);
    world.until("all states are dropped", || census.living() == 0)
}

struct Owner {
    _next: Option<Link<Self>>,
    _member: Member,
}
impl Actor for Owner {}

/// CORE 40: a chain of owners goes from its head on when that is let go, without recursion.
pub(super) fn owners(world: &Arc<World>) -> Result<()> {
    let census = Census::default();
    let count = world.scaled(1_000_000, 1_000);
    let mut head = None;
    for _ in 0..count {
        let owner = Owner { _next: head.take(), _member: census.member() };
        head = Some(world.system.spawn(owner));
    }
    drop(head);
    world.until("the whole chain is gone", || {
        let gone = count - census.living();
        world.operations.store(gone, Ordering::Relaxed);
        gone == count
    })
}
