//! The end of a whole tree when the process is asked to end.

use std::{fmt, io, time::Duration};

use actors_core::{BoxFuture, Down, ExitReason};
use async_signal::Signals;
use futures_lite::{StreamExt, future};

use crate::{SupervisorLink, commands::WhichSystem};

/// A signal that asks a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGINT, which Ctrl-C sends; on Windows Ctrl-C itself.
    Interrupt,
    /// SIGTERM; Unix only.
    Terminate,
}

/// How a tree ended, by [`SupervisorLink::shut_down_on_signals`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The first signal that came, if one did.
    pub signal: Option<Signal>,
    /// What ended the tree.
    pub ending: Ending,
    /// The exit reason of the supervisor.
    pub reason: ExitReason,
}

/// What ended a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The supervisor itself, before any signal.
    ByItself,
    /// A shutdown in order, after a signal.
    InOrder,
    /// A kill, as the deadline had passed.
    Deadline,
    /// A kill, after a second signal.
    SecondSignal,
}

impl SupervisorLink {
    /// Waits until the process is asked to end, by SIGINT (Ctrl-C) or SIGTERM, then shuts the tree down in
    /// order, in the way of its specs: for the last lines of `main`. What has not ended after `deadline`,
    /// or when a second signal comes, is killed. Returns when the supervisor has ended, also by itself. The
    /// exit code of the process is the caller's.
    ///
    /// From the first poll on, these signals do nothing else in this process, also when the future has
    /// been dropped. On Windows it is Ctrl-C alone.
    ///
    /// ```no_run
    /// # use actors_core::System;
    /// # use actors_supervise::{Ending, Strategy, Supervisor};
    /// use std::{process::ExitCode, time::Duration};
    ///
    /// # fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    /// let system = System::new();
    /// let report = system.block_on(async {
    ///     let supervisor = Supervisor::builder(Strategy::OneForOne).start(&system).await?;
    ///     let report = supervisor.shut_down_on_signals(Duration::from_secs(10)).await?;
    ///     Ok::<_, Box<dyn std::error::Error>>(report)
    /// })?;
    /// Ok(if report.ending == Ending::InOrder { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    /// # }
    /// ```
    ///
    /// # Errors
    /// The system refuses the handlers of the signals; nothing was ended.
    pub async fn shut_down_on_signals(&self, deadline: Duration) -> io::Result<ShutdownReport> {
        let mut signals = Signals::new(WATCHED)?;
        let mut down = self.link().down();
        let asked = async {
            // Without an answer it has ended: that is heard below.
            let Ok(Some(system)) = self.link().call(WhichSystem).forever().await else {
                return future::pending().await;
            };
            (next(&mut signals).await, system)
        };
        let (first, system) = match either(asked, &mut down).await {
            Ok(asked) => asked,
            Err(Down { reason, .. }) => {
                return Ok(ShutdownReport { signal: None, ending: Ending::ByItself, reason });
            }
        };
        tracing::info!(signal = %first, ?deadline, "the tree is shut down");
        self.link().erase().shutdown(ExitReason::Shutdown);
        let over = async {
            system.host().clock.sleep(deadline).await;
            Ending::Deadline
        };
        let again = async {
            next(&mut signals).await;
            Ending::SecondSignal
        };
        let (ending, Down { reason, .. }) = match either(future::or(over, again), &mut down).await {
            Err(down) => (Ending::InOrder, down),
            Ok(ending) => {
                tracing::error!(?ending, "the tree is killed");
                // It waits for its children: it kills them.
                self.link().kill();
                (ending, down.await)
            }
        };
        Ok(ShutdownReport { signal: Some(first), ending, reason })
    }
}

#[cfg(unix)]
const WATCHED: [async_signal::Signal; 2] = [async_signal::Signal::Int, async_signal::Signal::Term];
#[cfg(not(unix))]
const WATCHED: [async_signal::Signal; 1] = [async_signal::Signal::Int];

async fn next(signals: &mut Signals) -> Signal {
    loop {
        match signals.next().await {
            Some(Ok(async_signal::Signal::Int)) => return Signal::Interrupt,
            Some(Ok(async_signal::Signal::Term)) => return Signal::Terminate,
            Some(Ok(_)) => {}
            Some(Err(error)) => tracing::warn!(%error, "a signal was not read"),
            None => future::pending().await,
        }
    }
}

/// The first of both; the other can be waited for again.
async fn either<A, B>(
    first: impl Future<Output = A>,
    second: &mut BoxFuture<'static, B>,
) -> Result<A, B> {
    future::or(async { Ok(first.await) }, async { Err(second.await) }).await
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}
