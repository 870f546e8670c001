//! What is measured, and how much of it.

use clap::ValueEnum;

/// Bytes of a long message.
pub(crate) const LONG: usize = 1 << 20;
/// Who ask at once in [`Workload::Callers`].
pub(crate) const CALLERS: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Messages of 64 bytes one after the other to one actor, then a question that is answered when all
    /// of them have arrived: time per message. They are counted, and those out of order too.
    OneWay,
    /// One question after the other.
    Call,
    /// Questions of a hundred askers at once: time per question.
    Callers,
    /// Messages of 1 MiB to one actor, then a question: time per message.
    Bulk,
    /// From the end of the server's process (SIGKILL) until the client is told.
    Killed,
    /// From the moment the server's process is stopped (SIGSTOP) until the client is told.
    Stopped,
}

impl Workload {
    pub(crate) const ALL: [Self; 6] =
        [Self::OneWay, Self::Call, Self::Callers, Self::Bulk, Self::Killed, Self::Stopped];

    /// Operations of one repetition.
    pub(crate) const fn size(self) -> u64 {
        match self {
            Self::OneWay => 500_000,
            Self::Call => 20_000,
            Self::Callers => 200_000,
            Self::Bulk => 512,
            Self::Killed | Self::Stopped => 1,
        }
    }

    /// What one operation is.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::OneWay => "ns per message of 64 bytes",
            Self::Call => "ns per question, one after the other",
            Self::Callers => "ns per question, 100 askers",
            Self::Bulk => "ns per MiB, messages of 1 MiB",
            Self::Killed => "ns from SIGKILL until it is told",
            Self::Stopped => "ns from SIGSTOP until it is told",
        }
    }

    /// Whether something is done to the server while the client waits to be told.
    pub(crate) const fn fault(self) -> Option<i32> {
        match self {
            Self::Killed => Some(libc::SIGKILL),
            Self::Stopped => Some(libc::SIGSTOP),
            _ => None,
        }
    }
}
