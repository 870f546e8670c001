//! A pool of workers under a supervisor: jobs that crash their worker cost nobody else anything.
//!
//! A worker that crashes is restarted in place: its link goes on, and the jobs that wait for it too.

use actors_core::{Actor, Link, System, actor};
use actors_supervise::{ChildSpec, Limit, Strategy, Supervisor, SupervisorLink};

const WORKERS: u64 = 3;
const JOBS: u64 = 12;

#[derive(Actor)]
struct Worker;

#[actor]
impl Worker {
    /// The square root of a square.
    #[message]
    fn solve(&self, square: u64) -> u64 {
        let root = square.isqrt();
        assert!(root * root == square, "{square} is no square");
        root
    }
}

async fn start(system: &System) -> anyhow::Result<(SupervisorLink, Vec<Link<Worker>>)> {
    let limit = Limit { max_restarts: 100, ..Limit::default() };
    let mut pool = Supervisor::builder(Strategy::OneForOne).id("pool").limit(limit);
    for number in 1..=WORKERS {
        pool = pool.child(ChildSpec::new(format!("worker {number}"), || Worker));
    }
    let pool = pool.start(system).await?;
    let mut workers = Vec::new();
    for number in 1..=WORKERS {
        workers.push(pool.child(format!("worker {number}")).await?);
    }
    Ok((pool, workers))
}

fn main() -> anyhow::Result<()> {
    // Crashes are reported below.
    std::panic::set_hook(Box::new(|_| {}));
    let system = System::new();
    system.block_on(async {
        let (pool, workers) = start(&system).await?;
        // All are asked before the first answer is waited for.
        let jobs = (0..JOBS).zip(workers.iter().cycle());
        let asked: Vec<_> =
            jobs.map(|(job, worker)| (job, worker.call(Solve { square: job }))).collect();
        for (job, answer) in asked {
            match answer.await {
                Ok(root) => println!("{job} is the square of {root}"),
                Err(error) => println!("{job}: {error}"),
            }
        }
        let children = pool.which_children().await?;
        let restarts: u32 = children.iter().map(|child| child.incarnation - 1).sum();
        println!("{restarts} restarts");
        Ok(())
    })
}
