//! A million actors in one process.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actors_core::{Actor, Context, Handler, Message, System};

/// Counts its drops.
struct Idle(Arc<AtomicUsize>);

impl Actor for Idle {}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Hello;

impl Message for Hello {
    type Reply = ();
}

impl Handler<Hello> for Idle {
    async fn handle(&mut self, _: Hello, _cx: &mut Context<Self>) {}
}

const ACTORS: usize = 1_000_000;

/// Bytes that this process holds in memory.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// They take at most 192 bytes each, with their links and what the allocator adds, before and after
/// their first message; with their last links they stop, and every state is dropped. A million after
/// them takes no more: nothing of the first is left.
#[cfg(target_os = "linux")]
#[test]
fn core_37_a_million_idle_actors() {
    let system = System::new();
    let before = resident();
    for _ in 0..2 {
        a_million(&system, before);
    }
}

#[cfg(target_os = "linux")]
fn a_million(system: &System, before: usize) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let actors: Vec<_> = (0..ACTORS).map(|_| system.spawn(Idle(dropped.clone()))).collect();
    system.block_on(async {
        for actor in &actors {
            actor.send(Hello).unwrap();
        }
        for actor in actors.iter().rev().take(100) {
            actor.exec(|_| ()).await.unwrap();
        }
    });
    let bytes = resident().saturating_sub(before) / ACTORS;
    assert!(bytes <= 192, "{bytes} bytes an actor");
    assert_eq!(system.snapshot().len(), ACTORS);
    drop(actors);
    while dropped.load(Ordering::Relaxed) < ACTORS {
        std::thread::yield_now();
    }
    while !system.snapshot().is_empty() {
        std::thread::yield_now();
    }
}
