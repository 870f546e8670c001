//! Handlers that do not return: found, reported, and the policy's to deal with.

use std::{
    fmt,
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;

use crate::{ActorId, metrics::Metrics, pace::Look, scheduler::Scheduler};

/// A handler that has neither returned nor awaited for a while. Nothing can end it: it holds its thread
/// and its actor until it returns by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Whose handler.
    pub actor: ActorId,
    /// The type of the message in hand, or the name of the hook.
    pub message: &'static str,
    /// How long it had been so when it was found.
    pub after: Duration,
}

/// What comes of a handler that is [`Stuck`]; it is logged and told to subscribers
/// ([`System::stuck`](crate::System::stuck)) in any case.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum StuckPolicy {
    /// Nothing more.
    #[default]
    Report,
    /// This is called, on a thread of its own: to escalate. It must not block.
    Call(Arc<dyn Fn(&Stuck) + Send + Sync>),
    /// The process is aborted, so that its supervisor on another node takes over.
    Abort,
}

/// When a handler counts as stuck, and what then.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) after: Duration,
    pub(crate) policy: StuckPolicy,
}

impl Default for Watch {
    fn default() -> Self {
        Self { after: Duration::from_millis(500), policy: StuckPolicy::default() }
    }
}

/// Subscribers.
pub(crate) struct Reports {
    subscribers: Mutex<Vec<Sender<Stuck>>>,
    metrics: Metrics,
}

impl Reports {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { subscribers: Mutex::default(), metrics }
    }

    pub(crate) fn subscribe(&self) -> Receiver<Stuck> {
        let (tx, rx) = bounded(64);
        self.subscribers.lock().push(tx);
        rx
    }

    fn publish(&self, stuck: &Stuck) {
        let sent = |tx: &Sender<Stuck>| tx.try_send(stuck.clone());
        self.metrics.stuck();
        self.subscribers
            .lock()
            .retain(|tx| !matches!(sent(tx), Err(TrySendError::Disconnected(_))));
    }
}

/// Looks at the workers from a thread of its own, as all those of the runtime may be stuck, until the
/// scheduler is gone.
pub(crate) fn watch(scheduler: Weak<Scheduler>, watch: Watch) {
    let watching = thread::Builder::new().name("actors-watch".into()).spawn(move || {
        let mut seen: Vec<Option<Seen>> = Vec::new();
        loop {
            thread::sleep(watch.after / 5);
            let Some(scheduler) = scheduler.upgrade() else { return };
            scheduler.wake_for_work();
            seen.resize_with(scheduler.paces().len(), || None);
            for (worker, (pace, seen)) in scheduler.paces().zip(&mut seen).enumerate() {
                if look(&scheduler, pace.look(), seen, &watch) {
                    // SAFETY: this thread alone does it.
                    unsafe { scheduler.raid(worker) };
                }
            }
        }
    });
    if let Err(error) = watching {
        tracing::error!(%error, "no thread to watch for stuck handlers");
    }
}

struct Seen {
    look: Look,
    since: Instant,
    reported: bool,
}

/// True if the worker has the same handler in hand as at the last look.
fn look(scheduler: &Scheduler, look: Option<Look>, seen: &mut Option<Seen>, watch: &Watch) -> bool {
    let Some(look) = look else {
        *seen = None;
        return false;
    };
    let Some(before) = seen.as_mut().filter(|seen| seen.look == look) else {
        *seen = Some(Seen { look, since: Instant::now(), reported: false });
        return false;
    };
    let after = before.since.elapsed();
    if before.reported || after < watch.after {
        return true;
    }
    before.reported = true;
    let stuck = Stuck { actor: look.actor, message: look.message, after };
    tracing::error!(actor = %stuck.actor, message_type = stuck.message, ?after, "handler is stuck");
    scheduler.stuck().publish(&stuck);
    match &watch.policy {
        StuckPolicy::Report => {}
        StuckPolicy::Call(call) => call(&stuck),
        StuckPolicy::Abort => std::process::abort(),
    }
    true
}

impl fmt::Debug for StuckPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "Report",
            Self::Call(_) => "Call",
            Self::Abort => "Abort",
        })
    }
}
