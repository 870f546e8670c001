//! What a system counts.
#![cfg(feature = "metrics")]

mod common;

use std::{
    any::type_name,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_core::{
    BoxFuture, CallError, Context, ExitReason, Handler, Message, ReplyTo, StartError, StuckPolicy,
    System,
    host::Host,
    sim,
    supervision::{ChildExit, Seat},
};
use common::{Crash, Record, Recorder, real_hosts};
use metrics::with_local_recorder;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// On every host, with a recorder for it alone.
fn everywhere<F, Fut>(scenario: F)
where
    F: Fn(System, Snapshotter) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let build = |host: Host| System::builder().name("counted").host(host).build();
    for (name, host) in real_hosts() {
        println!("on {name}");
        let recorder = DebuggingRecorder::new();
        with_local_recorder(&recorder, || {
            let system = build(host);
            system.block_on(scenario(system.clone(), recorder.snapshotter()));
        });
    }
    for seed in 0..100 {
        let recorder = DebuggingRecorder::new();
        with_local_recorder(&recorder, || {
            sim::simulate(seed, |sim| scenario(build(sim.node("a")), recorder.snapshotter()))
        });
    }
}

/// The values that are not zero, by name and labels. Taking a snapshot sets counters back to zero.
fn values(snapshotter: &Snapshotter) -> BTreeMap<String, f64> {
    let snapshot = snapshotter.snapshot().into_vec();
    let values = snapshot.into_iter().filter_map(|(key, _, _, value)| {
        let value = match value {
            DebugValue::Counter(n) => n as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("there is none"),
        };
        let labels: Vec<_> = key.key().labels().collect();
        assert_eq!((labels[0].key(), labels[0].value()), ("system", "counted"));
        let labels = labels[1..].iter().map(|label| label.value());
        let name: Vec<_> = std::iter::once(key.key().name()).chain(labels).collect();
        (value != 0.0).then(|| (name.join(" "), value))
    });
    values.collect()
}

fn expected<const N: usize>(values: [(&str, f64); N]) -> BTreeMap<String, f64> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Lives by how they began and ended, messages, dead letters by cause.
#[test]
fn lives_messages_and_dead_letters_are_counted() {
    everywhere(|system, snapshotter| async move {
        let seat: Seat<Recorder> = system.reserve(Arc::new(|_: ChildExit| {}));
        let link = seat.link();
        let fails = seat.start(None, |_| async { Err(StartError::failed("no luck")) });
        assert!(fails.await.is_err());
        for _ in 0..2 {
            seat.start(None, |_| async { Ok(Recorder::default()) }).await.unwrap();
            for n in 0..10 {
                link.send(Record(n)).unwrap();
            }
            let down = link.down();
            link.send(Crash).unwrap();
            down.await;
        }
        link.send(Record(99)).unwrap();
        seat.retire(ExitReason::Shutdown);
        let bare = system.spawn(Recorder::default());
        let down = bare.down();
        bare.stop(ExitReason::ShutdownWith("enough".into()));
        down.await;
        assert_eq!(
            values(&snapshotter),
            expected([
                ("actors_started_total", 3.0),
                ("actors_restarted_total", 2.0),
                ("actors_start_failures_total", 1.0),
                ("actors_ended_total panic", 2.0),
                ("actors_ended_total shutdown", 1.0),
                ("actors_messages_handled_total", 22.0),
                ("actors_dead_letters_total crashed", 2.0),
                ("actors_dead_letters_total died", 1.0),
            ])
        );
    });
}

struct Hold(ReplyTo<()>, BoxFuture<'static, Result<(), CallError>>);

impl Message for Hold {
    type Reply = ();
}

impl Handler<Hold> for Recorder {
    async fn handle(&mut self, Hold(entered, opened): Hold, _cx: &mut Context<Self>) {
        entered.answer(());
        opened.await.unwrap();
    }
}

/// Gauges say what there is, by type, when they are asked to; a type that is gone falls to zero.
#[test]
fn gauges_tell_of_actors_and_mailboxes() {
    everywhere(|system, snapshotter| async move {
        let of = |name: &str, rest: &str| format!("{name} {}{rest}", type_name::<Recorder>());
        let running = of("actors_alive", " running");
        let suspended = of("actors_alive", " suspended");
        let (queued, longest) =
            (of("actors_mailbox_messages", ""), of("actors_mailbox_longest", ""));

        let seat: Seat<Recorder> = system.reserve(Arc::new(|_: ChildExit| {}));
        let actor = system.spawn_bounded(Recorder::default(), 10);
        let (entered, inside) = ReplyTo::channel();
        let (gate, opened) = ReplyTo::channel();
        actor.send(Hold(entered, opened)).unwrap();
        inside.await.unwrap();
        for n in 0..3 {
            actor.send(Record(n)).unwrap();
            seat.link().send(Record(n)).unwrap();
        }
        seat.link().send(Record(3)).unwrap();
        system.record_metrics();
        let mut seen = values(&snapshotter);
        seen.retain(|name, _| !name.ends_with("_total"));
        let all = [(&*running, 1.0), (&*suspended, 1.0), (&*queued, 7.0), (&*longest, 4.0)];
        assert_eq!(seen, expected(all));

        gate.answer(());
        let down = actor.down();
        actor.stop(ExitReason::Normal);
        down.await;
        drop((actor, seat));
        while !system.snapshot().is_empty() {
            system.host().clock.sleep(Duration::from_micros(100)).await;
        }
        system.record_metrics();
        let mut seen = values(&snapshotter);
        seen.retain(|name, _| !name.contains("_total"));
        assert_eq!(seen, BTreeMap::new());
    });
}

struct Spin(Arc<AtomicBool>);

impl Message for Spin {
    type Reply = ();
}

/// A handler that does not return is counted when it is found.
#[test]
fn a_stuck_handler_is_counted() {
    for (_, host) in real_hosts() {
        let recorder = DebuggingRecorder::new();
        let watched = System::builder().name("counted").host(host);
        let watched = watched.stuck(Duration::from_millis(10), StuckPolicy::Report);
        let system = with_local_recorder(&recorder, || watched.build());
        let found = system.stuck();
        let actor = system.spawn_fn(|Spin(over): Spin, _cx| {
            while !over.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        });
        let over = Arc::new(AtomicBool::new(false));
        actor.send(Spin(over.clone())).unwrap();
        let stuck = found.recv_timeout(Duration::from_secs(30));
        over.store(true, Ordering::Relaxed);
        assert_eq!(stuck.unwrap().actor, actor.id());
        assert_eq!(values(&recorder.snapshotter())["actors_stuck_handlers_total"], 1.0);
    }
}
