//! Checkpoints without code in the actor, and restarts from them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_checkpoint::{
    AutoCheckpoint, Blob, Checkpoint, CheckpointLink, Checkpointing, CheckpointingConfig, PutError,
    RestartFrom, RestoreError,
};
use actors_core::{Actor, Context, Handler, Link, Message, StartError, System, sim};
use actors_supervise::{ChildSpec, Limit, RestartPolicy, Strategy, Supervisor, SupervisorLink};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize, Checkpoint)]
struct Counter {
    count: u64,
}

impl Actor for Counter {}

#[derive(Clone, Copy)]
struct Add;

struct Crash;

impl Message for Add {
    type Reply = u64;
}

impl Message for Crash {
    type Reply = ();
}

impl Handler<Add> for Counter {
    async fn handle(&mut self, _: Add, _: &mut Context<Self>) -> u64 {
        self.count += 1;
        self.count
    }
}

impl Handler<Crash> for Counter {
    async fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        self.count += 1000;
        panic!("as it was told");
    }
}

const OFTEN: Limit = Limit { max_restarts: 100, period: Duration::from_secs(1) };

fn level(system: &System, config: CheckpointingConfig) -> Link<Checkpointing> {
    system.spawn(Checkpointing::new(config))
}

async fn supervised(
    system: &System,
    spec: impl Into<ChildSpec>,
) -> (SupervisorLink, Link<Counter>) {
    let supervisor = Supervisor::builder(Strategy::OneForOne).limit(OFTEN);
    let supervisor = supervisor.child(spec).start(system).await.expect("it starts");
    let counter = supervisor.child("counter").await.expect("it is there");
    (supervisor, counter)
}

async fn add(counter: &Link<Counter>, times: u64) {
    for _ in 0..times {
        counter.call(Add).await.expect("it counts");
    }
}

/// Waits until the newest version of the key counts so many.
async fn until_saved(system: &System, store: &Link<Checkpointing>, count: u64) {
    loop {
        match store.restore_state::<Counter>("counter", 1).await {
            Ok(saved) if saved.state.count == count => return,
            Ok(saved) => assert!(saved.state.count < count, "{saved:?} is not {count}"),
            Err(RestoreError::Missing { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        system.host().clock.sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn ckpt_17_every_so_many_messages() {
    let system = System::new();
    system.block_on(async {
        let store = level(&system, CheckpointingConfig::level(1).keep(100));
        let auto = AutoCheckpoint::new(&store, "counter").every_messages(10);
        let spec = ChildSpec::new("counter", Counter::default).observe(auto);
        let (_supervisor, counter) = supervised(&system, spec).await;
        for round in 1..=5 {
            add(&counter, 10).await;
            until_saved(&system, &store, 10 * round).await;
        }
        add(&counter, 8).await;
        let count = counter.query(|counter| counter.count).await;
        assert_eq!(count, Ok(58), "the ninth message");
        let inventory = store.inventory().await.expect("it answers");
        assert_eq!(inventory, [("counter".into(), vec![1, 2, 3, 4, 5])], "not one more");
    });
}

#[test]
fn ckpt_17_every_so_often_if_something_has_changed() {
    sim::search(0..20, |sim| async move {
        let system = System::builder().host(sim.node("a")).build();
        let store = level(&system, CheckpointingConfig::level(1).keep(100));
        let auto = AutoCheckpoint::new(&store, "counter").every(Duration::from_secs(1));
        let spec = ChildSpec::new("counter", Counter::default).observe(auto);
        let (_supervisor, counter) = supervised(&system, spec).await;
        let versions = async || {
            let inventory = store.inventory().await.expect("it answers");
            inventory.first().map_or(0, |(_, versions)| versions.len())
        };
        sim.sleep(Duration::from_millis(3500)).await;
        assert_eq!(versions().await, 0, "nothing has happened");
        add(&counter, 3).await;
        sim.sleep(Duration::from_secs(3)).await;
        assert_eq!(versions().await, 1, "three ticks, one change");
        let saved = store.restore_state::<Counter>("counter", 1).await.expect("saved");
        assert_eq!(saved.state.count, 3);
        add(&counter, 1).await;
        sim.sleep(Duration::from_secs(1)).await;
        assert_eq!(versions().await, 2);
    });
}

#[test]
fn ckpt_17_a_state_that_is_as_it_was_is_not_stored_again() {
    struct Look;
    impl Message for Look {
        type Reply = u64;
    }
    impl Handler<Look> for Counter {
        async fn handle(&mut self, _: Look, _: &mut Context<Self>) -> u64 {
            self.count
        }
    }
    let system = System::new();
    system.block_on(async {
        let store = level(&system, CheckpointingConfig::level(1).keep(100));
        let captures = Arc::new(AtomicU64::new(0));
        let counted = captures.clone();
        let auto = AutoCheckpoint::of(&store, "counter", move |counter: &Counter, into| {
            counted.fetch_add(1, Ordering::SeqCst);
            counter.capture(into)
        });
        let auto = auto.every_messages(1).version_by(|counter| counter.count);
        let spec = ChildSpec::new("counter", Counter::default).observe(auto);
        let (_supervisor, counter) = supervised(&system, spec).await;
        add(&counter, 1).await;
        until_saved(&system, &store, 1).await;
        let before = captures.load(Ordering::SeqCst);
        for _ in 0..10 {
            counter.call(Look).await.expect("it answers");
        }
        assert_eq!(captures.load(Ordering::SeqCst), before, "its version says so");
        add(&counter, 1).await;
        until_saved(&system, &store, 2).await;
        let inventory = store.inventory().await.expect("it answers");
        assert!(inventory[0].1.ends_with(&[1, 2]), "versions are counts: {inventory:?}");
    });
}

/// A capture that panics stays in the observer: in its ticks, which are messages to the actor, too.
#[test]
fn ckpt_17_a_capture_that_panics_costs_the_actor_nothing() {
    sim::search(0..20, |sim| async move {
        let system = System::builder().host(sim.node("a")).build();
        let store = level(&system, CheckpointingConfig::level(1));
        let auto = AutoCheckpoint::of(&store, "counter", |counter: &Counter, into| {
            assert!(counter.count >= 5, "as it was told");
            counter.capture(into)
        });
        let auto = auto.every_messages(1).every(Duration::from_secs(1));
        let spec = ChildSpec::new("counter", Counter::default).observe(auto);
        let (_supervisor, counter) = supervised(&system, spec).await;
        for count in 1..=5 {
            assert_eq!(counter.call(Add).await, Ok(count));
            sim.sleep(Duration::from_secs(2)).await;
        }
        let saved = store.restore_state::<Counter>("counter", 1).await.expect("saved");
        assert_eq!(saved.state.count, 5);
    });
}

/// An observer set in `init` is another one in each life: the ticks of the former end with it.
#[test]
fn ckpt_17_ticks_end_with_their_observer() {
    struct Observed(Link<Checkpointing>, Arc<AtomicU32>);

    impl Actor for Observed {
        async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
            let captures = self.1.clone();
            // As many captures as ticks: the state is never stored.
            let auto = AutoCheckpoint::of(&self.0, "k", move |_: &Self, _| {
                captures.fetch_add(1, Ordering::SeqCst);
                Err(PutError::Encode("as it was told".into()))
            });
            cx.observe(auto.every(Duration::from_secs(1)));
            Ok(())
        }
    }

    sim::search(0..10, |sim| async move {
        let system = System::builder().host(sim.node("a")).build();
        let store = level(&system, CheckpointingConfig::level(1));
        let captures = Arc::new(AtomicU32::new(0));
        let counted = captures.clone();
        let spec = ChildSpec::new("observed", move || Observed(store.clone(), counted.clone()));
        let supervisor = Supervisor::builder(Strategy::OneForOne).limit(OFTEN).child(spec);
        let supervisor = supervisor.start(&system).await.expect("it starts");
        let observed: Link<Observed> = supervisor.child("observed").await.expect("it is there");
        for _ in 0..5 {
            assert!(observed.exec(|_| panic!("as it was told")).await.is_err());
        }
        observed.exec(|_| ()).await.expect("the sixth life");
        sim.sleep(Duration::from_millis(1500)).await;
        assert_eq!(captures.load(Ordering::SeqCst), 1, "one observer, one tick, one message since");
        let handled = observed.query(|_| ()).await;
        assert_eq!(handled, Ok(()));
        let before = observed.erase().info().handled;
        sim.sleep(Duration::from_secs(10)).await;
        assert!(observed.erase().info().handled - before <= 11, "one tick a second");
    });
}

#[test]
fn ckpt_17_versions_go_on_from_those_of_an_earlier_run() {
    let system = System::new();
    system.block_on(async {
        let store = level(&system, CheckpointingConfig::level(1));
        store.checkpoint_state("counter", 70, &Counter { count: 7 }, 1).await.expect("stored");
        let from = RestartFrom::<Counter>::checkpoint(&store, "counter");
        let auto = AutoCheckpoint::new(&store, "counter").every_messages(1);
        let spec = ChildSpec::fallible("counter", from.first()).observe(auto);
        let (_supervisor, counter) = supervised(&system, spec).await;
        assert_eq!(counter.call(Add).await, Ok(8));
        until_saved(&system, &store, 8).await;
        let newest = store.restore_best("counter").await.expect("there").version;
        assert_eq!(newest, 71);
    });
}

#[test]
fn sup_5_a_crashed_actor_goes_on_from_its_checkpoint() {
    let system = System::new();
    system.block_on(async {
        let store = level(&system, CheckpointingConfig::level(1));
        let from = RestartFrom::checkpoint(&store, "counter").or_init(Counter::default);
        let auto = AutoCheckpoint::new(&store, "counter").every_messages(5);
        let spec = ChildSpec::fallible("counter", from.first()).restart_with(from).observe(auto);
        let (_supervisor, counter) = supervised(&system, spec).await;
        assert!(counter.call(Crash).await.is_err());
        assert_eq!(counter.call(Add).await, Ok(1), "without a checkpoint it begins anew");
        add(&counter, 3).await;
        until_saved(&system, &store, 4).await;
        add(&counter, 2).await;
        assert!(counter.call(Crash).await.is_err());
        assert_eq!(counter.call(Add).await, Ok(5), "not the half-changed state, not the start");
    });
}

/// Fails in its first message as long as it was restored from a state above the limit.
#[derive(Debug, Serialize, Deserialize, Checkpoint)]
struct Touchy {
    state: u32,
}

impl Actor for Touchy {}

struct Work(u32);

impl Message for Work {
    type Reply = u32;
}

impl Handler<Work> for Touchy {
    async fn handle(&mut self, Work(limit): Work, _: &mut Context<Self>) -> u32 {
        assert!(self.state <= limit, "state {} is above {limit}", self.state);
        self.state
    }
}

#[test]
fn sup_5_repeated_failures_go_up_the_levels_and_back_in_time() {
    let system = System::new();
    system.block_on(async {
        let top = level(&system, CheckpointingConfig::level(3).keep(2));
        let middle = level(&system, CheckpointingConfig::level(2).keep(1).parent(&top));
        let local = level(&system, CheckpointingConfig::level(1).keep(1).parent(&middle));
        until_described(&middle, |about| about.children == [local.id()]).await;
        until_described(&top, |about| about.children == [middle.id()]).await;
        for (version, up_to) in [(1, 3), (2, 3), (3, 2), (4, 1)] {
            let state = Touchy { state: version as u32 };
            local.checkpoint_state("touchy", version, &state, up_to).await.expect("stored");
        }
        let starts = Arc::new(AtomicU32::new(0));
        let counted = starts.clone();
        let from = RestartFrom::with(&local, "touchy", move |blob: &Blob| {
            counted.fetch_add(1, Ordering::SeqCst);
            Touchy::restore(blob)
        });
        let spec = ChildSpec::fallible("counter", from.first()).restart_with(from);
        let spec = spec.restart(RestartPolicy::Permanent);
        let builder = Supervisor::builder(Strategy::OneForOne).limit(OFTEN);
        let supervisor = builder.child(spec).start(&system).await.expect("it starts");
        let touchy: Link<Touchy> = supervisor.child("counter").await.expect("it is there");
        // From the start, level 1, level 2, level 3, and the older one there.
        for (limit, state) in [(3, 4), (3, 4), (2, 3), (1, 2)] {
            let found = touchy.query(|touchy| touchy.state).await;
            assert_eq!(found, Ok(state));
            assert!(touchy.call(Work(limit)).await.is_err());
        }
        assert_eq!(touchy.call(Work(1)).await, Ok(1));
        assert_eq!(starts.load(Ordering::SeqCst), 5, "each was read once");

        let newer = Touchy { state: 0 };
        local.checkpoint_state("touchy", 5, &newer, 1).await.expect("stored");
        assert!(touchy.call(Work(0)).await.is_err());
        assert_eq!(touchy.call(Work(0)).await, Ok(0), "after a newer one at its own level again");
    });
}

#[test]
fn sup_5_ckpt_14_what_cannot_be_read_is_passed_over_then_the_next_level_is_asked() {
    let system = System::new();
    system.block_on(async {
        let above = level(&system, CheckpointingConfig::level(2));
        let local = level(&system, CheckpointingConfig::level(1).parent(&above));
        until_described(&above, |about| about.children == [local.id()]).await;
        local.checkpoint_state("k", 1, &Touchy { state: 1 }, 2).await.expect("stored");
        local.checkpoint("k", 2, &"no state", 1).await.expect("stored");
        let mut from = RestartFrom::<Touchy>::checkpoint(&local, "k").first();
        assert_eq!(from().await.map(|touchy| touchy.state), Ok(1), "the older one");
        local.checkpoint("k", 3, &"no state", 1).await.expect("stored");
        assert_eq!(from().await.map(|touchy| touchy.state), Ok(1), "that of level 2");
        above.reset_all().await.expect("it answers");
        assert!(from().await.is_err(), "there are versions, and none can be read");
    });
}

async fn until_described(
    store: &Link<Checkpointing>,
    wanted: impl Fn(&actors_checkpoint::Description) -> bool,
) {
    while !wanted(&store.describe().await.expect("it answers")) {
        std::thread::yield_now();
    }
}
