//! What is measured: names, sizes and units. `Peer` says what each does.

/// A workload, and the rows of numbers it gives.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Operations in one repetition.
    pub(crate) n: u64,
    /// Operations for systems that need kilobytes for one.
    pub(crate) n_heavy: u64,
    /// What a number of the row that is named like the workload is of.
    pub(crate) unit: &'static str,
    /// The other rows.
    pub(crate) more: &'static [Row],
}

/// A number and what it is of.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
}

/// Actors in `fan-in`, `ring`, `big`, `fork-join`, `philosophers`.
pub(crate) const SOURCES: u64 = 100;
pub(crate) const RING: u64 = 503;
pub(crate) const BIG: u64 = 200;
pub(crate) const WORKERS: u64 = 60;
pub(crate) const PHILOSOPHERS: u64 = 20;

/// Messages that a source of `fan-in` sends before it waits for the sink.
pub(crate) const BATCH: u64 = 20;

/// Room in the mailbox of `bounded`.
pub(crate) const BOUND: usize = 1024;

/// Threads that drive actors, in each system that lets one choose.
pub(crate) const THREADS: usize = 2;

pub(crate) static WORKLOADS: &[Workload] = &[
    one("pingpong", 500_000, "per round trip"),
    one("counting", 2_000_000, "per message"),
    one("counting-thread", 2_000_000, "per message"),
    one("fan-in", 2_000_000, "per message"),
    one("fan-in-deep", 600_000, "per message"),
    one("ring", 1_000_000, "per hop"),
    one("ask", 200_000, "per question and answer"),
    one("ask-thread", 20_000, "per question and answer"),
    Workload {
        n_heavy: 100_000,
        more: &[
            Row { name: "first-message", unit: "per actor; bytes of one that had a message" },
            Row { name: "stop", unit: "per actor" },
        ],
        ..one("spawn", 1_000_000, "per actor; bytes of an idle one")
    },
    one("queued", 1_000_000, "bytes of a queued message of 16 bytes"),
    one("big", 500_000, "per ping and pong"),
    one("fork-join", 1_200_000, "per message"),
    one("philosophers", 100_000, "per meal"),
    one("bounded", 1_000_000, "per message"),
    one("restart-panic", 5_000, "per crash, restart and answer"),
    one("restart-error", 5_000, "per crash, restart and answer"),
    Workload {
        more: &[Row {
            name: "timer-fire",
            unit: "of processor time per timer set and fired; p50 and p99: how late",
        }],
        ..one("timers", 100_000, "per timer set and cancelled")
    },
];

const fn one(name: &'static str, n: u64, unit: &'static str) -> Workload {
    Workload { name, n, n_heavy: n, unit, more: &[] }
}

impl Workload {
    /// Every row with its unit.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [(self.name, self.unit)].into_iter().chain(self.more.iter().map(|row| (row.name, row.unit)))
    }
}
