use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;

use crate::{ActorId, ExitReason, metrics::Metrics};

/// A message that nobody handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// To whom it was sent.
    pub to: ActorId,
    /// The type of the message.
    pub message: &'static str,
    /// Why nobody handled it.
    pub cause: DeadLetterCause,
    /// If its actor ended with it in hand: why.
    pub reason: Option<ExitReason>,
}

/// Why a message was not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadLetterCause {
    /// It was in the mailbox when the actor died for good.
    Died,
    /// The actor died while handling it.
    Crashed,
    /// It was a question, and its asker's time was over before it was begun.
    Late,
    /// It was of a rolled-back run of its group.
    Fenced,
    /// It could not be delivered on another node, or no member of a pool has taken it.
    Undeliverable,
    /// It was in the mailbox when a life of the actor ended, and the next one does not get what the last
    /// one has left.
    Flushed,
    /// Each life that it was delivered to ended with it in hand.
    GivenUp {
        /// So many.
        deliveries: u32,
    },
}

/// Subscribers of a system's dead letters. A subscriber that falls 4096 letters behind loses the
/// newest, never slows a sender.
pub(crate) struct DeadLetters {
    subscribers: Mutex<Vec<Sender<DeadLetter>>>,
    metrics: Metrics,
}

const BACKLOG: usize = 4096;

impl DeadLetters {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { subscribers: Mutex::default(), metrics }
    }

    pub(crate) fn subscribe(&self) -> Receiver<DeadLetter> {
        let (tx, rx) = bounded(BACKLOG);
        self.subscribers.lock().push(tx);
        rx
    }

    pub(crate) fn publish(&self, letter: DeadLetter) {
        tracing::debug!(to = %letter.to, message_type = letter.message, cause = ?letter.cause, "dead letter");
        self.metrics.dead_letter(letter.cause);
        self.subscribers.lock().retain(|tx| {
            !matches!(tx.try_send(letter.clone()), Err(TrySendError::Disconnected(_)))
        });
    }
}
