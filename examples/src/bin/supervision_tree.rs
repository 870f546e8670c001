//! A declared tree of supervisors, printed before and after some of its children crash.

use actors_core::{Actor, Context, ExitReason, Handler, Message, System};
use actors_supervise::{ChildSpec, Event, RestartPolicy, Strategy, Supervisor, SupervisorBuilder};

#[derive(Actor, Default)]
struct Worker;

/// Fails, without a word on standard error.
#[derive(Message)]
struct Fail;

impl Handler<Fail> for Worker {
    async fn handle(&mut self, _: Fail, cx: &mut Context<Self>) {
        cx.stop(ExitReason::Error("as asked".into()));
    }
}

fn worker(id: &str) -> ChildSpec {
    ChildSpec::new(id, Worker::default).into()
}

/// A crash of the store takes the index along, which is nothing without it; sessions go on alone.
fn declare() -> SupervisorBuilder {
    let storage =
        Supervisor::builder(Strategy::RestForOne).child(worker("store")).child(worker("index"));
    let sessions = Supervisor::builder(Strategy::OneForOne)
        .child(worker("alice"))
        .child(worker("bob"))
        .child(worker("guest").restart(RestartPolicy::Temporary));
    Supervisor::builder(Strategy::OneForOne)
        .id("web")
        .child(ChildSpec::supervisor("storage", storage))
        .child(ChildSpec::supervisor("sessions", sessions))
}

fn main() -> anyhow::Result<()> {
    let system = System::new();
    system.block_on(async {
        let web = declare().start(&system).await?;
        println!("{}\n", web.tree().await?);

        for (parent, child) in [("storage", "store"), ("sessions", "bob"), ("sessions", "guest")] {
            let parent = web.supervisor(parent).await?;
            let events = parent.subscribe();
            parent.child::<Worker>(child).await?.send(Fail)?;
            // Restarted, or removed.
            while !matches!(events.recv()?, Event::Restarted { .. } | Event::ChildRemoved { .. }) {}
            println!("{child} has failed");
        }
        println!("\n{}", web.tree().await?);
        Ok(())
    })
}
