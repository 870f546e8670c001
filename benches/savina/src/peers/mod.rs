//! The systems side by side: each does the same workloads, in the same order, by the same names.

#[cfg(feature = "actix")]
mod actix;
mod actors;
#[cfg(feature = "coerce")]
mod coerce;
#[cfg(feature = "kameo")]
mod kameo;
#[cfg(feature = "ractor")]
mod ractor;
mod raw_async_std;
mod raw_tokio;
#[cfg(feature = "xtra")]
mod xtra;

use crate::measure::Samples;

/// All systems that this was built with; ours is the first.
pub(crate) static PEERS: &[&dyn Peer] = &[
    &actors::Actors,
    &raw_tokio::RawTokio,
    &raw_async_std::RawAsyncStd,
    #[cfg(feature = "ractor")]
    &ractor::Ractor,
    #[cfg(feature = "kameo")]
    &kameo::Kameo,
    #[cfg(feature = "actix")]
    &actix::Actix,
    #[cfg(feature = "xtra")]
    &xtra::Xtra,
    #[cfg(feature = "coerce")]
    &coerce::Coerce,
];

pub(crate) fn find(name: &str) -> Option<&'static dyn Peer> {
    PEERS.iter().find(|peer| peer.name() == name).copied()
}

/// A system that is measured. A workload that it does not implement is one that it cannot do.
///
/// A workload sets its actors up first and times only what its doc says.
pub(crate) trait Peer: Sync {
    fn name(&self) -> &'static str;

    /// Whether an idle actor takes kilobytes: `spawn` is then done with fewer.
    fn is_heavy(&self) -> bool {
        false
    }

    /// Two actors play a ball that counts down: `n` round trips.
    fn pingpong(&self, n: u64) -> Samples;

    /// An actor sends `n` messages in one handler to one that counts them.
    fn counting(&self, n: u64) -> Samples;

    /// The main thread sends `n` messages to an actor that counts them.
    fn counting_thread(&self, n: u64) -> Samples;

    /// 100 sources send to one sink, 20 messages each before they wait for it.
    fn fan_in(&self, n: u64) -> Samples;

    /// 100 sources send all they have while the sink waits in a handler; then it takes them. From the
    /// first sent to the last counted.
    fn fan_in_deep(&self, n: u64) -> Samples;

    /// A token goes `n` hops round a ring of 503 actors.
    fn ring(&self, n: u64) -> Samples;

    /// An actor asks another `n` times, each time waiting for the answer.
    fn ask(&self, n: u64) -> Samples;

    /// The main thread asks an actor `n` times, blocking for the answer.
    fn ask_thread(&self, n: u64) -> Samples;

    /// An actor starts `n` others; each is sent a message; all are stopped. Each part ends when the
    /// last actor has run.
    fn spawn(&self, n: u64) -> Samples;

    /// The memory of `n` messages of 16 bytes in the mailbox of an actor that waits in a handler.
    fn queued(&self, n: u64) -> Samples;

    /// 200 actors, each sending a ping to a random other and waiting for its pong: `n` in all.
    fn big(&self, n: u64) -> Samples;

    /// An actor deals `n` messages to 60 workers in turn; each computes a sine.
    fn fork_join(&self, n: u64) -> Samples;

    /// 20 dining philosophers and an arbiter who has the forks and denies those in use; who is denied
    /// asks again. `n` meals.
    fn philosophers(&self, n: u64) -> Samples;

    /// `counting` into a mailbox that takes 1024 and then makes the sender wait.
    fn bounded(&self, _n: u64) -> Samples {
        Samples::new()
    }

    /// A supervised actor panics, is restarted, and answers, `n` times. From telling it to crash to
    /// the answer, as a task sees it, or an actor where actors are no tasks.
    fn restart_panic(&self, _n: u64) -> Samples {
        Samples::new()
    }

    /// As `restart_panic`, with an error instead of a panic.
    fn restart_error(&self, _n: u64) -> Samples {
        Samples::new()
    }

    /// An actor sets `n` timers of 1 to 1000 ms and cancels them; then `n` of 1 to 100 ms, which fire.
    fn timers(&self, _n: u64) -> Samples {
        Samples::new()
    }
}

/// Runs the workload with this name.
pub(crate) fn run(peer: &dyn Peer, workload: &str, n: u64) -> Samples {
    match workload {
        "pingpong" => peer.pingpong(n),
        "counting" => peer.counting(n),
        "counting-thread" => peer.counting_thread(n),
        "fan-in" => peer.fan_in(n),
        "fan-in-deep" => peer.fan_in_deep(n),
        "ring" => peer.ring(n),
        "ask" => peer.ask(n),
        "ask-thread" => peer.ask_thread(n),
        "spawn" => peer.spawn(n),
        "queued" => peer.queued(n),
        "big" => peer.big(n),
        "fork-join" => peer.fork_join(n),
        "philosophers" => peer.philosophers(n),
        "bounded" => peer.bounded(n),
        "restart-panic" => peer.restart_panic(n),
        "restart-error" => peer.restart_error(n),
        "timers" => peer.timers(n),
        _ => Samples::new(),
    }
}
