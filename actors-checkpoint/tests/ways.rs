//! The ways to checkpoint an actor, each over a crash.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actors_checkpoint::{
    Ask, Checkpoint, CheckpointLink, Checkpointing, CheckpointingConfig, Compute, Guard, GuardLink,
    Memo, Serve, Server,
};
use actors_core::{Actor, Context, ExitReason, Handler, Link, Message, StartError, System};
use actors_supervise::{ChildSpec, Limit, Strategy, Supervisor, SupervisorLink};
use serde::{Deserialize, Serialize};

type Levels = Link<Checkpointing>;

fn level1(system: &System) -> Levels {
    system.spawn(Checkpointing::new(CheckpointingConfig::level(1)))
}

async fn supervised<A: Actor>(
    system: &System,
    spec: impl Into<ChildSpec>,
) -> (SupervisorLink, Link<A>) {
    let limit = Limit { max_restarts: 100, period: Duration::from_secs(1) };
    let supervisor = Supervisor::builder(Strategy::OneForOne).limit(limit).child(spec);
    let supervisor = supervisor.start(system).await.expect("it starts");
    let child = supervisor.child("child").await.expect("it is there");
    (supervisor, child)
}

/// Adds, and crashes for zero.
struct Add(u64);

impl Message for Add {
    type Reply = u64;
}

/// Checkpoints in its handler, or when it ends.
struct Summer {
    sum: u64,
    level1: Levels,
    explicit: bool,
}

impl Actor for Summer {
    async fn init(&mut self, _cx: &mut Context<Self>) -> Result<(), StartError> {
        self.sum = self.level1.restore("sum", 1).await.unwrap_or_default();
        Ok(())
    }

    async fn term(&mut self, _reason: &ExitReason) {
        if !self.explicit {
            self.level1.checkpoint("sum", self.sum, &self.sum, 1).await.expect("stored");
        }
    }
}

impl Handler<Add> for Summer {
    async fn handle(&mut self, Add(n): Add, _: &mut Context<Self>) -> u64 {
        assert_ne!(n, 0, "as it was told");
        self.sum += n;
        if self.explicit {
            self.level1.checkpoint("sum", self.sum, &self.sum, 1).await.expect("stored");
        }
        self.sum
    }
}

async fn goes_on_over_a_crash(system: &System, explicit: bool) {
    let level1 = level1(system);
    let spec = ChildSpec::new("child", move || Summer { sum: 0, level1: level1.clone(), explicit });
    let (_supervisor, summer) = supervised::<Summer>(system, spec).await;
    assert_eq!(summer.call(Add(5)).await, Ok(5));
    assert!(summer.call(Add(0)).await.is_err());
    assert_eq!(summer.call(Add(1)).await, Ok(6));
}

#[test]
fn ckpt_16_explicit_calls() {
    let system = System::new();
    system.block_on(goes_on_over_a_crash(&system, true));
}

#[test]
fn ckpt_16_in_the_callbacks() {
    let system = System::new();
    system.block_on(goes_on_over_a_crash(&system, false));
}

#[test]
fn ckpt_16_a_guard_around_a_variable() {
    let system = System::new();
    system.block_on(async {
        let level1 = level1(&system);
        let own = level1.clone();
        let from = Guard::restart_from(&level1, "table")
            .or_init(move || Guard::new(vec![0_u64; 3], &own, "table"));
        let spec = ChildSpec::fallible("child", from.first()).restart_with(from);
        let (_supervisor, table) = supervised::<Guard<Vec<u64>>>(&system, spec).await;
        for i in 0..3 {
            table.write(move |table| table[i] = 10 + i as u64).await.expect("in bounds");
            until(&level1, "table", |table: &Vec<u64>| table[i] != 0).await;
            assert!(table.write(|table| table[3] = 1).await.is_err(), "out of bounds");
        }
        assert_eq!(table.read(Vec::clone).await, Ok(vec![10, 11, 12]));
    });
}

/// Waits until the newest checkpoint is as wanted.
async fn until<S: Checkpoint>(level1: &Levels, key: &str, wanted: impl Fn(&S) -> bool) {
    while !level1.restore_state::<S>(key, 1).await.is_ok_and(|found| wanted(&found.state)) {
        std::thread::yield_now();
    }
}

#[derive(Debug, Default, Serialize, Deserialize, Checkpoint)]
struct Sum(u64);

impl Serve for Sum {
    type Request = u64;
    type Reply = u64;

    fn serve(&mut self, n: u64) -> u64 {
        assert_ne!(n, 0, "as it was told");
        self.0 += n;
        self.0
    }
}

#[test]
fn ckpt_16_a_generic_server_of_sequential_code() {
    let system = System::new();
    system.block_on(async {
        let level1 = level1(&system);
        let server = Server::restart_from(&level1, "sum", Sum::default);
        let spec = ChildSpec::fallible("child", server.first()).restart_with(server);
        let (_supervisor, server) = supervised::<Server<Sum>>(&system, spec).await;
        assert_eq!(server.call(Ask(5)).await, Ok(5));
        until(&level1, "sum", |sum: &Sum| sum.0 == 5).await;
        assert!(server.call(Ask(0)).await.is_err());
        assert_eq!(server.call(Ask(1)).await, Ok(6));
    });
}

#[test]
fn ckpt_16_a_memoised_function_computes_once() {
    let system = System::new();
    system.block_on(async {
        let above = system.spawn(Checkpointing::new(CheckpointingConfig::level(2)));
        let calls = Arc::new(AtomicU32::new(0));
        let squares = |level1: &Levels| {
            let counted = calls.clone();
            let square = move |n: &u64| {
                counted.fetch_add(1, Ordering::SeqCst);
                n * n
            };
            system.spawn(Memo::new("square", square, level1).level(2))
        };
        for round in 1..=3 {
            // Another actor, and another level 1 below the same level 2.
            let config = CheckpointingConfig::level(1).parent(&above);
            let level1 = system.spawn(Checkpointing::new(config));
            let squares = squares(&level1);
            for _ in 0..3 {
                assert_eq!(squares.call(Compute::new(12)).await, Ok(144));
            }
            let key = actors_checkpoint::Key::of_call("square", &[&12_u64]);
            while above.restore_best(&key).await.is_err() {
                std::thread::yield_now();
            }
            assert_eq!(calls.load(Ordering::SeqCst), 1, "round {round}");
        }
        assert_eq!(squares(&level1(&system)).call(Compute::new(12)).await, Ok(144));
        assert_eq!(calls.load(Ordering::SeqCst), 2, "other levels know nothing of it");
    });
}
