//! A tree for tests: `test-tree DEADLINE_MS [stubborn]` prints `ready`, waits for a signal, prints what its
//! children do at their end, and how it ended. Ends with 0 if that was in order, with 3 if not. With
//! `stubborn`, a child in the middle never ends; with `stuck`, one has a handler that never returns, and the
//! process is aborted.

use std::{pin::pin, process::ExitCode, time::Duration};

use actors_core::{Actor, Context, ExitReason, Handler, Message, StuckPolicy, System};
use actors_supervise::{ChildSpec, Ending, Shutdown, Strategy, Supervisor};
use anyhow::Context as _;
use futures_lite::future;

struct Worker(&'static str);

impl Actor for Worker {
    async fn term(&mut self, _: &ExitReason) {
        println!("term {}", self.0);
        if self.0 == "stubborn" {
            std::future::pending::<()>().await;
        }
    }
}

struct Loop;

impl Message for Loop {
    type Reply = ();
}

impl Handler<Loop> for Worker {
    async fn handle(&mut self, _: Loop, _: &mut Context<Self>) {
        loop {
            std::hint::spin_loop();
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let deadline = arguments.next().context("a deadline in milliseconds")?.parse()?;
    let mode = arguments.next().unwrap_or_default();
    let system = System::builder().stuck(Duration::from_millis(100), StuckPolicy::Abort).build();
    let worker = |name| ChildSpec::new(name, move || Worker(name)).shutdown(Shutdown::Infinity);
    let mut below = Supervisor::builder(Strategy::OneForOne).child(worker("b"));
    if mode == "stubborn" {
        below = below.child(worker("stubborn"));
    }
    let tree = Supervisor::builder(Strategy::OneForAll)
        .child(worker("a"))
        .child(ChildSpec::supervisor("below", below.child(worker("c"))))
        .child(worker("d"));
    let report = system.block_on(async {
        let supervisor = tree.start(&system).await?;
        let worker = supervisor.child::<Worker>("d").await?;
        let mut report = pin!(supervisor.shut_down_on_signals(Duration::from_millis(deadline)));
        // The handlers of the signals are there with the first poll.
        let _ = future::poll_once(report.as_mut()).await;
        println!("ready");
        if mode == "stuck" {
            worker.send(Loop)?;
        }
        anyhow::Ok(report.await?)
    })?;
    let signal = report.signal.map_or_else(|| "none".to_owned(), |signal| signal.to_string());
    println!("{signal} {:?} {}", report.ending, report.reason);
    Ok(if report.ending == Ending::InOrder { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
