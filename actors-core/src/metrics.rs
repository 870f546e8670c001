//! What a system counts, through the facade of the `metrics` crate. With the feature `metrics`.
//!
//! Every metric has the label `system`, the [name](crate::System::name) of the system. Counters go to the
//! recorder that is installed when the system is built: install it first.
//!
//! | counter | counts | further labels |
//! |---|---|---|
//! | `actors_started_total` | lives that are up: their `init` is over | |
//! | `actors_restarted_total` | of these, those that are not the first of their actor | |
//! | `actors_start_failures_total` | lives that did not come up | |
//! | `actors_ended_total` | lives that were up and are over | `reason` |
//! | `actors_messages_handled_total` | messages, questions and functions taken up | |
//! | `actors_dead_letters_total` | [dead letters](crate::DeadLetter) | `cause` |
//! | `actors_stuck_handlers_total` | [stuck handlers](crate::Stuck) | |
//!
//! `reason` is one of `normal`, `shutdown`, `killed`, `panic`, `error`, `no_proc`, `no_connection`,
//! `node_failure` and `timed_out`; `cause` one of `died`, `crashed`, `fenced` and `undeliverable`.
//!
//! | gauge | unit | says | further labels |
//! |---|---|---|---|
//! | `actors_alive` | actors | how many there are on this node | `type`, `status`: `running` or `suspended` |
//! | `actors_mailbox_messages` | messages | how many wait, in all mailboxes of the type | `type` |
//! | `actors_mailbox_longest` | messages | how many wait in the longest of them | `type` |
//!
//! Gauges are as of the last [`System::record_metrics`]; `type` is the name of the actor's type.
//!
//! Messages are counted once a turn of their actor, all else where it happens. Without the feature nothing
//! is counted and nothing is paid.
//!
//! ```
//! use std::time::Duration;
//!
//! use actors_core::System;
//!
//! // A recorder of the application, for example that of `metrics-exporter-prometheus`, is installed here.
//! let system = System::builder().name("shop").build();
//! let reporting = system.clone();
//! system.spawn_task(async move {
//!     loop {
//!         reporting.record_metrics();
//!         reporting.host().clock.sleep(Duration::from_secs(10)).await;
//!     }
//! });
//! ```

use std::{collections::BTreeMap, fmt, sync::Arc};

use ::metrics::{Counter, Gauge, Label, Unit, counter, describe_counter, describe_gauge, gauge};
use parking_lot::Mutex;

use crate::{DeadLetterCause, ExitReason, Status, System};

const STARTED: &str = "actors_started_total";
const RESTARTED: &str = "actors_restarted_total";
const START_FAILURES: &str = "actors_start_failures_total";
const ENDED: &str = "actors_ended_total";
const HANDLED: &str = "actors_messages_handled_total";
const DEAD_LETTERS: &str = "actors_dead_letters_total";
const STUCK: &str = "actors_stuck_handlers_total";
const ALIVE: &str = "actors_alive";
const QUEUED: &str = "actors_mailbox_messages";
const LONGEST: &str = "actors_mailbox_longest";

const REASONS: [&str; 9] = [
    "normal",
    "shutdown",
    "killed",
    "panic",
    "error",
    "no_proc",
    "no_connection",
    "node_failure",
    "timed_out",
];
const CAUSES: [&str; 7] =
    ["died", "crashed", "fenced", "undeliverable", "flushed", "given_up", "late"];

impl System {
    /// Brings the gauges of the [metrics](crate::metrics) up to date: a walk over all actors, as
    /// [`snapshot`](Self::snapshot) is.
    pub fn record_metrics(&self) {
        let mut types: BTreeMap<&'static str, OfType> = BTreeMap::new();
        for info in self.snapshot() {
            let of_type = types.entry(info.type_name).or_default();
            match info.status {
                Status::Running => of_type.running += 1,
                Status::Suspended => of_type.suspended += 1,
                _ => continue,
            }
            of_type.queued += info.mailbox_len;
            of_type.longest = of_type.longest.max(info.mailbox_len);
        }
        self.metrics().record(&types);
    }
}

/// What there is of one type of actor.
#[derive(Default)]
struct OfType {
    running: usize,
    suspended: usize,
    queued: usize,
    longest: usize,
}

/// The metrics of one system.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Handles>);

struct Handles {
    system: Label,
    started: Counter,
    restarted: Counter,
    start_failures: Counter,
    ended: [Counter; REASONS.len()],
    handled: Counter,
    dead_letters: [Counter; CAUSES.len()],
    stuck: Counter,
    /// Of all types that there have been, so that those which are gone fall to zero.
    types: Mutex<BTreeMap<&'static str, Gauges>>,
}

struct Gauges {
    running: Gauge,
    suspended: Gauge,
    queued: Gauge,
    longest: Gauge,
}

impl Metrics {
    pub(crate) fn of(system: &str) -> Self {
        describe();
        let system = Label::new("system", system.to_owned());
        let of = |name: &'static str| counter!(name, vec![system.clone()]);
        let with = |name: &'static str, key, value| {
            counter!(name, vec![system.clone(), Label::new(key, value)])
        };
        let handles = Handles {
            started: of(STARTED),
            restarted: of(RESTARTED),
            start_failures: of(START_FAILURES),
            ended: REASONS.map(|reason| with(ENDED, "reason", reason)),
            handled: of(HANDLED),
            dead_letters: CAUSES.map(|cause| with(DEAD_LETTERS, "cause", cause)),
            stuck: of(STUCK),
            types: Mutex::default(),
            system: system.clone(),
        };
        Self(Arc::new(handles))
    }

    pub(crate) fn started(&self, incarnation: u32) {
        self.0.started.increment(1);
        if incarnation > 1 {
            self.0.restarted.increment(1);
        }
    }

    pub(crate) fn start_failed(&self) {
        self.0.start_failures.increment(1);
    }

    pub(crate) fn ended(&self, reason: &ExitReason) {
        let reason = match reason {
            ExitReason::Normal => 0,
            ExitReason::Shutdown | ExitReason::ShutdownWith(_) => 1,
            ExitReason::Killed => 2,
            ExitReason::Panic { .. } => 3,
            ExitReason::Error(_) => 4,
            ExitReason::NoProc => 5,
            ExitReason::NoConnection => 6,
            ExitReason::NodeFailure { .. } => 7,
            ExitReason::TimedOut => 8,
        };
        self.0.ended[reason].increment(1);
    }

    pub(crate) fn dead_letter(&self, cause: DeadLetterCause) {
        let cause = match cause {
            DeadLetterCause::Died => 0,
            DeadLetterCause::Crashed => 1,
            DeadLetterCause::Fenced => 2,
            DeadLetterCause::Undeliverable => 3,
            DeadLetterCause::Flushed => 4,
            DeadLetterCause::GivenUp { .. } => 5,
            DeadLetterCause::Late => 6,
        };
        self.0.dead_letters[cause].increment(1);
    }

    pub(crate) fn stuck(&self) {
        self.0.stuck.increment(1);
    }

    fn record(&self, types: &BTreeMap<&'static str, OfType>) {
        let mut known = self.0.types.lock();
        for type_name in types.keys() {
            known.entry(type_name).or_insert_with(|| Gauges::of(&self.0.system, type_name));
        }
        for (type_name, gauges) in &*known {
            let none = OfType::default();
            gauges.set(types.get(type_name).unwrap_or(&none));
        }
    }
}

impl Gauges {
    fn of(system: &Label, type_name: &'static str) -> Self {
        let labels = || vec![system.clone(), Label::from_static_parts("type", type_name)];
        let alive = |status| {
            let status = Label::from_static_parts("status", status);
            gauge!(ALIVE, [labels(), vec![status]].concat())
        };
        Self {
            running: alive("running"),
            suspended: alive("suspended"),
            queued: gauge!(QUEUED, labels()),
            longest: gauge!(LONGEST, labels()),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
    fn set(&self, of_type: &OfType) {
        self.running.set(of_type.running as f64);
        self.suspended.set(of_type.suspended as f64);
        self.queued.set(of_type.queued as f64);
        self.longest.set(of_type.longest as f64);
    }
}

fn describe() {
    describe_counter!(STARTED, Unit::Count, "lives that are up");
    describe_counter!(RESTARTED, Unit::Count, "lives that are up and not the first of their actor");
    describe_counter!(START_FAILURES, Unit::Count, "lives that did not come up");
    describe_counter!(ENDED, Unit::Count, "lives that were up and are over, by reason");
    describe_counter!(HANDLED, Unit::Count, "messages taken up");
    describe_counter!(DEAD_LETTERS, Unit::Count, "messages that nobody handled, by cause");
    describe_counter!(STUCK, Unit::Count, "handlers found neither to return nor to await");
    describe_gauge!(ALIVE, Unit::Count, "actors on this node, by type and status");
    describe_gauge!(QUEUED, Unit::Count, "messages in the mailboxes of a type of actor");
    describe_gauge!(LONGEST, Unit::Count, "messages in the longest mailbox of a type of actor");
}

/// The messages of one turn, counted together.
pub(crate) struct Tally(u32);

impl Tally {
    /// A turn begins with that many.
    pub(crate) const fn since(handled: u32) -> Self {
        Self(handled)
    }

    /// There are as many now.
    pub(crate) fn flush(&mut self, handled: u32, metrics: &Metrics) {
        let new = handled.wrapping_sub(std::mem::replace(&mut self.0, handled));
        if new > 0 {
            metrics.0.handled.increment(new.into());
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
