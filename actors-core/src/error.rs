use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Why an actor (or a task, or a node) is no more. Plain data: it crosses nodes as it is. Its texts are
/// shared, not copied, by its clones: every monitor and supervisor gets one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ExitReason {
    /// It had finished.
    Normal,
    /// It was asked to stop as a part of an orderly shutdown.
    Shutdown,
    /// As [`Shutdown`](Self::Shutdown), with a word on why.
    ShutdownWith(SmolStr),
    /// It was killed: no handler ran to its end.
    Killed,
    /// A handler or hook panicked.
    Panic {
        /// The panic message.
        message: SmolStr,
        /// The type of the message that was being handled, or the name of the hook.
        during: SmolStr,
    },
    /// It ended itself with an error.
    Error(SmolStr),
    /// There was no such actor when it was asked for.
    NoProc,
    /// The connection to its node was lost; nothing is known about the actor itself.
    NoConnection,
    /// Its node was declared dead.
    NodeFailure {
        /// The name of the node.
        node: SmolStr,
    },
    /// It did not end in the time given.
    TimedOut,
}

impl ExitReason {
    /// True for everything but an orderly end: a transient child is restarted after these only.
    ///
    /// | reason | abnormal |
    /// |---|---|
    /// | `Normal`, `Shutdown`, `ShutdownWith` | no |
    /// | all others | yes |
    pub const fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown | Self::ShutdownWith(_))
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::ShutdownWith(why) => write!(f, "shutdown: {why}"),
            Self::Killed => f.write_str("killed"),
            Self::Panic { message, during } => write!(f, "panic in {during}: {message}"),
            Self::Error(error) => write!(f, "error: {error}"),
            Self::NoProc => f.write_str("no such actor"),
            Self::NoConnection => f.write_str("connection lost"),
            Self::NodeFailure { node } => write!(f, "node {node} failed"),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
}

/// A message that was not accepted. Nothing has happened; the message comes back.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SendError<M> {
    /// The actor is no more. A retry cannot succeed.
    #[error("the actor is dead")]
    Closed(M),
    /// The actor is on another node and this type of message was not exported
    /// ([`System::export`](crate::System::export)). A retry succeeds once it is.
    #[error("{} is not exported to other nodes", std::any::type_name::<M>())]
    NotExported(M),
    /// The message does not encode: what it holds cannot cross nodes.
    #[error("{} does not encode: {reason}", std::any::type_name::<M>())]
    Encode {
        /// The message.
        message: M,
        /// What the codec said.
        reason: String,
    },
    /// No connection to the actor's node now. A retry may succeed.
    #[error("no connection to the actor's node")]
    NoConnection(M),
    /// The actor's mailbox is bounded and full now, or what waits for the connection to its node is as
    /// much as may wait. A retry may succeed.
    #[error("the mailbox is full")]
    Full(M),
    /// The actor is on another node, and the message is longer than nodes take. A retry cannot succeed.
    #[error("{} has {bytes} bytes encoded; at most {limit} go to other nodes", std::any::type_name::<M>())]
    TooLong {
        /// The message.
        message: M,
        /// Bytes that it has, encoded.
        bytes: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// A blocking send on a thread that drives actors: it would deadlock.
    #[error("a blocking send on a thread that drives actors")]
    WouldBlock(M),
    /// Nobody has the [name](crate::Name), or somebody of another type. A retry may succeed.
    #[error("{error}")]
    Name {
        /// The message.
        message: M,
        /// What is wrong with the name.
        error: NameError,
    },
}

impl<M> SendError<M> {
    /// The message that was not sent.
    pub fn into_inner(self) -> M {
        match self {
            Self::Closed(m)
            | Self::NotExported(m)
            | Self::NoConnection(m)
            | Self::Full(m)
            | Self::WouldBlock(m) => m,
            Self::Encode { message, .. }
            | Self::TooLong { message, .. }
            | Self::Name { message, .. } => message,
        }
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendError({self})")
    }
}

impl<M> From<SendError<M>> for CallError {
    fn from(error: SendError<M>) -> Self {
        match error {
            SendError::Closed(_) => Self::Closed,
            SendError::NotExported(_) => Self::NotExported(std::any::type_name::<M>().into()),
            SendError::Encode { reason, .. } => Self::Codec(reason),
            SendError::NoConnection(_) => Self::NoConnection,
            SendError::Full(_) => Self::Full,
            SendError::TooLong { bytes, limit, .. } => Self::TooLong { bytes, limit },
            SendError::WouldBlock(_) => Self::WouldBlock,
            SendError::Name { error, .. } => Self::Name(error),
        }
    }
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CallError {
    /// The actor was dead before the message was accepted. Nothing happened.
    #[error("the actor is dead")]
    Closed,
    /// The message type is not exported to other nodes. Nothing happened.
    #[error("{0} is not exported to other nodes")]
    NotExported(String),
    /// No answer in time. The message may still be handled: retry only what is idempotent.
    #[error("no answer in time")]
    Timeout,
    /// The actor died with the question in hand or in its mailbox. It may have been handled in part.
    #[error("the actor died: {0}")]
    Died(ExitReason),
    /// The handler dropped its [`ReplyTo`](crate::ReplyTo) unanswered.
    #[error("the question was dropped unanswered")]
    NoReply,
    /// The message belongs to a rolled-back run of its group. Nothing happened.
    #[error("the message is of a rolled-back run")]
    Fenced,
    /// The connection to the actor's node was lost. It may have been handled.
    #[error("no connection to the actor's node")]
    NoConnection,
    /// The question or the answer did not encode or decode.
    #[error("message does not encode or decode: {0}")]
    Codec(String),
    /// A blocking call on a thread that drives actors: it would deadlock. Nothing happened.
    #[error("a blocking call on a thread that drives actors")]
    WouldBlock,
    /// The actor's mailbox is bounded and full now, or what waits for the connection to its node is as
    /// much as may wait. Nothing happened; a retry may succeed.
    #[error("the mailbox is full")]
    Full,
    /// The question or the answer is longer than nodes take. In case of the answer, it was handled.
    #[error("{bytes} bytes, encoded; at most {limit} go to other nodes")]
    TooLong {
        /// Bytes that it has, encoded.
        bytes: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// The function needs the actor in this process, and it is on another node. Nothing happened.
    #[error("the actor is on another node")]
    NotLocal,
    /// Nobody has the [name](crate::Name), or somebody of another type. Nothing happened.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Why an actor did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StartError {
    /// Its constructor, restart source or `init` failed.
    #[error("{0}")]
    Failed(String),
    /// Its constructor, restart source or `init` panicked, or it was killed before it was up.
    #[error("{0}")]
    Exited(ExitReason),
    /// An incarnation is running: there are never two at once.
    #[error("already running")]
    AlreadyRunning,
    /// There is nothing to start it from: no constructor and no last state.
    #[error("no state to start from")]
    NoState,
    /// No connection to the node that should start it.
    #[error("no connection to node {node}")]
    NoConnection {
        /// The name of the node.
        node: String,
    },
    /// Its arguments are longer than nodes take.
    #[error("arguments of {bytes} bytes, encoded; at most {limit} go to other nodes")]
    TooLong {
        /// Bytes that they have, encoded.
        bytes: usize,
        /// Bytes that they may have.
        limit: usize,
    },
    /// No node can host it.
    #[error("no node is left to host it")]
    NoNode,
    /// No node that is left has these tags.
    #[error("no node with {tags} is left to host it")]
    NoNodeWith {
        /// All that it wants, as `tag=value`.
        tags: String,
    },
    /// The node does not know this type of actor.
    #[error("actor type {0:?} is not exported on the node")]
    NotExported(String),
    /// The address belongs to an actor of another type, or to one that is gone for good.
    #[error("the address cannot be used: {0}")]
    Address(String),
    /// The actor that was to come under supervision has a supervisor. Nothing changed.
    #[error("already supervised")]
    AlreadySupervised,
    /// Its constructor or `init` has found that there is nothing to run for now. That is no failure: a
    /// supervisor does not try again. In Erlang, a start function or `init` that returns `ignore`.
    #[error("there is nothing to run")]
    Ignore,
    /// The actor that was to come under a supervisor is that supervisor, or one above it. Nothing changed.
    #[error("it would supervise itself")]
    Cycle,
}

impl StartError {
    /// A failure with this message.
    pub fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Errors of names. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NameError {
    /// The name belongs to a live actor.
    #[error("name {0:?} is taken")]
    Taken(String),
    /// Nobody has the name.
    #[error("name {0:?} is unknown")]
    Unknown(String),
    /// The actor with this name is of another type.
    #[error("name {name:?} belongs to a {found}, not a {wanted}")]
    WrongType {
        /// The name.
        name: String,
        /// The type asked for.
        wanted: String,
        /// The type it has.
        found: String,
    },
    /// The actor is dead.
    #[error("the actor is dead")]
    Dead,
}
