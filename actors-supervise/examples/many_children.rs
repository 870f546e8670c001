//! What a child costs its supervisor, among few and among many:
//! `cargo run --release -p actors-supervise --example many_children -- 1000 100000 1000000`

use std::time::{Duration, Instant};

use actors_core::{Actor, ExitReason, System};
use actors_supervise::{Strategy, Supervisor, Template};

struct Idle;

impl Actor for Idle {}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sizes =
        std::env::args().skip(1).map(|size| size.parse()).collect::<Result<Vec<_>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![1_000, 100_000];
    }
    println!("{:>10} {:>12} {:>12} {:>12}", "children", "start each", "stop each", "count all");
    for size in sizes {
        let system = System::new();
        let (start, stop, count) = system.block_on(children(&system, size))?;
        let each = |took: Duration| took / u32::try_from(size).unwrap_or(u32::MAX);
        println!("{size:>10} {:>12?} {:>12?} {count:>12?}", each(start), each(stop));
    }
    Ok(())
}

async fn children(
    system: &System,
    size: usize,
) -> Result<(Duration, Duration, Duration), Box<dyn std::error::Error>> {
    let idle = Template::new("idle", |()| Idle);
    let supervisor = Supervisor::builder(Strategy::OneForOne).start(system).await?;
    let began = Instant::now();
    for _ in 0..size {
        supervisor.start_child(idle.child(())).await?;
    }
    let start = began.elapsed();
    let began = Instant::now();
    assert_eq!(supervisor.count_children().await?.active, size);
    let count = began.elapsed();
    let began = Instant::now();
    supervisor.shutdown(ExitReason::Shutdown).await;
    Ok((start, began.elapsed(), count))
}
