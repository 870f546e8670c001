//! Five ways to checkpoint an actor: each loses a crash, and goes on.

use actors_checkpoint::{
    Ask, AutoCheckpoint, Checkpoint, CheckpointLink, Checkpointing, CheckpointingConfig, Compute,
    Guard, GuardLink, Memo, RestartFrom, Serve, Server,
};
use actors_core::{Actor, Context, ExitReason, Link, StartError, System, actor};
use actors_supervise::{ChildSpec, Limit, Strategy, Supervisor, SupervisorLink};
use serde::{Deserialize, Serialize};

type Levels = Link<Checkpointing>;

/// 1. By explicit calls: the actor says when.
#[derive(Actor)]
struct Explicit {
    sum: u64,
    level1: Levels,
}

#[actor]
impl Explicit {
    #[message]
    async fn add(&mut self, n: u64) -> u64 {
        self.sum += n;
        let stored = self.level1.checkpoint("explicit", self.sum, &self.sum, 1).await;
        stored.expect("level 1 is up");
        self.sum
    }

    #[message]
    fn crash(&mut self) {
        self.sum = 0;
        panic!("a bug");
    }
}

/// 2. In the callbacks: restored when it starts, checkpointed when it ends.
struct Callbacks {
    sum: u64,
    level1: Levels,
}

impl Actor for Callbacks {
    async fn init(&mut self, _cx: &mut Context<Self>) -> Result<(), StartError> {
        self.sum = self.level1.restore("callbacks", 1).await.unwrap_or_default();
        Ok(())
    }

    async fn term(&mut self, _reason: &ExitReason) {
        let stored = self.level1.checkpoint("callbacks", self.sum, &self.sum, 1).await;
        stored.expect("level 1 is up");
    }
}

/// 4. As sequential code in a generic server, which knows nothing of all this.
#[derive(Default, Serialize, Deserialize, Checkpoint)]
struct Sum(u64);

impl Serve for Sum {
    type Request = u64;
    type Reply = u64;

    fn serve(&mut self, n: u64) -> u64 {
        assert_ne!(n, 13, "a bug");
        self.0 += n;
        self.0
    }
}

/// And by itself: every message, without code for it.
#[derive(Default, Actor, Serialize, Deserialize, Checkpoint)]
struct Automatic {
    sum: u64,
}

async fn start(
    system: &System,
    level1: &Levels,
) -> Result<SupervisorLink, Box<dyn std::error::Error>> {
    let explicit = {
        let level1 = level1.clone();
        move || {
            let level1 = level1.clone();
            async move {
                let sum = level1.restore("explicit", 1).await.unwrap_or_default();
                Ok(Explicit { sum, level1 })
            }
        }
    };
    let callbacks = {
        let level1 = level1.clone();
        move || Callbacks { sum: 0, level1: level1.clone() }
    };
    let guard = Guard::restart_from(level1, "guard").or_init({
        let level1 = level1.clone();
        move || Guard::new(0_u64, &level1, "guard")
    });
    let server = Server::restart_from(level1, "server", Sum::default);
    let automatic = RestartFrom::checkpoint(level1, "automatic").or_init(Automatic::default);
    let every = AutoCheckpoint::new(level1, "automatic").every_messages(1);
    let supervisor = Supervisor::builder(Strategy::OneForOne)
        .limit(Limit { max_restarts: 10, ..Limit::default() })
        .child(ChildSpec::fallible("explicit", explicit))
        .child(ChildSpec::new("callbacks", callbacks))
        .child(ChildSpec::fallible("guard", guard.first()).restart_with(guard))
        .child(ChildSpec::fallible("server", server.first()).restart_with(server))
        .child(
            ChildSpec::fallible("automatic", automatic.first())
                .restart_with(automatic)
                .observe(every),
        )
        .start(system)
        .await?;
    Ok(supervisor)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    std::panic::set_hook(Box::new(|_| println!("                   (crash)")));
    let system = System::new();
    let level1 = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    system.block_on(async {
        let children = start(&system, &level1).await?;

        let explicit: Link<Explicit> = children.child("explicit").await?;
        explicit.call(Add { n: 5 }).await?;
        let _ = explicit.call(Crash).await;
        println!("explicit calls:    5 + 1 = {}", explicit.call(Add { n: 1 }).await?);

        let callbacks: Link<Callbacks> = children.child("callbacks").await?;
        callbacks.update_state(|actor| actor.sum = 5)?;
        let _ = callbacks.exec(|_| panic!("a bug")).await;
        println!("callbacks:         5 + 1 = {}", callbacks.query(|actor| actor.sum + 1).await?);

        let guard: Link<Guard<u64>> = children.child("guard").await?;
        guard.write(|sum| *sum += 5).await?;
        let _ = guard.write(|_| panic!("a bug")).await;
        println!("guarded variable:  5 + 1 = {}", guard.read(|sum| sum + 1).await?);

        let server: Link<Server<Sum>> = children.child("server").await?;
        server.call(Ask(5)).await?;
        let _ = server.call(Ask(13)).await;
        println!("generic server:    5 + 1 = {}", server.call(Ask(1)).await?);

        let squares = |n: &u64| {
            println!("                   (computed)");
            n * n
        };
        let memo = system.spawn(Memo::new("square", squares, &level1));
        memo.call(Compute::new(2)).await?;
        memo.kill();
        let memo = system.spawn(Memo::new("square", squares, &level1));
        println!("memoised function: 2 * 2 + 2 = {}", memo.call(Compute::new(2)).await? + 2);

        let automatic: Link<Automatic> = children.child("automatic").await?;
        automatic.update_state(|actor| actor.sum += 5)?;
        while level1.restore_state::<Automatic>("automatic", 1).await.is_err() {}
        let _ = automatic.exec(|_| panic!("a bug")).await;
        println!("by itself:         5 + 1 = {}", automatic.query(|actor| actor.sum + 1).await?);
        children.shutdown(ExitReason::Shutdown).await;
        Ok(())
    })
}
