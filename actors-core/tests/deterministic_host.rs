//! The simulated host.

mod common;

use std::time::Duration;

use actors_core::{System, sim};
use common::{Record, Recorded, Recorder};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

fn race(seed: u64) -> sim::Run<Vec<u32>> {
    sim::simulate(seed, |sim| async move {
        let system = System::builder().host(sim.node("a")).build();
        let target = system.spawn(Recorder::default());
        for n in 0..8 {
            let (target, clock) = (target.clone(), system.host().clock.clone());
            let random = system.host().random.next();
            system.spawn_task(async move {
                clock.sleep(Duration::from_nanos(random % 3)).await;
                target.send(Record(n)).unwrap();
            });
        }
        loop {
            let seen = target.call(Recorded).await.unwrap();
            if seen.len() == 8 {
                return seen;
            }
            sim.sleep(Duration::from_nanos(1)).await;
        }
    })
}

/// The same seed gives the same trace; other seeds give other schedules.
#[test]
fn core_43_the_same_seed_replays() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let (first, second) = (race(seed), race(seed));
        assert_eq!(first, second, "seed {seed}");
        orders.insert(first.output);
    }
    assert!(orders.len() > 10, "the schedule is a function of the seed: {}", orders.len());
}

/// A task that is woken while it is polled for the last time is done, and nothing else is polled for it.
#[test]
fn core_43_a_task_that_wakes_itself_may_end() {
    for seed in 0..50 {
        sim::simulate(seed, |sim| async move {
            let system = System::builder().host(sim.node("a")).build();
            for _ in 0..3 {
                system.spawn_task(std::future::poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    std::task::Poll::Ready(())
                }));
            }
            sim.sleep(Duration::from_millis(1)).await;
        });
    }
}

/// A wake from a foreign thread panics and says so.
#[test]
fn core_43_a_foreign_wake_panics() {
    sim::simulate(1, |sim| async move {
        let waker = std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone())).await;
        let woken = std::thread::spawn(move || waker.wake()).join();
        let payload = woken.unwrap_err();
        let text = payload.downcast_ref::<&str>().unwrap();
        assert!(text.contains("foreign thread"), "{text}");
        sim.sleep(Duration::from_millis(1)).await;
    });
}

/// Bytes arrive in order whatever the delays; a cut holds them back; a kill ends the stream.
#[test]
fn simulated_streams_keep_order_over_cuts_and_end_with_the_node() {
    sim::search(0..100, |sim| async move {
        let (a, b) = (sim.node("a"), sim.node("b"));
        let mut listener = b.net.listen("b:0").await.unwrap();
        let address = listener.address();
        let mut client = a.net.connect(&address).await.unwrap();
        let mut server = listener.accept().await.unwrap();
        for n in 0..50_u8 {
            client.write.write_all(&[n, n, n]).await.unwrap();
            if n == 20 {
                sim.cut("a", "b");
            }
        }
        let mut read = vec![0; 60];
        sim.heal("a", "b");
        server.read.read_exact(&mut read).await.unwrap();
        assert_eq!(read[59], 19);
        sim.kill("a");
        let mut rest = Vec::new();
        server.read.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len(), 90);
        let refused = a.net.connect("nobody:1").await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    });
}

/// Of what is on the way some arrives, from its beginning; then both sides get errors. Another connection
/// can be made.
#[test]
fn simulated_connections_break_anywhere() {
    let seeds = 0..1000;
    let all: Vec<usize> = seeds.map(|seed| sim::simulate(seed, break_one).output).collect();
    assert!(all.contains(&0) && all.contains(&100), "{all:?}");
    assert!(all.iter().filter(|arrived| (1..100).contains(*arrived)).count() > 100, "{all:?}");
}

/// How many of a hundred bytes arrive.
async fn break_one(sim: sim::Sim) -> usize {
    let (a, b) = (sim.node("a"), sim.node("b"));
    let mut listener = b.net.listen("b:0").await.unwrap();
    let address = listener.address();
    let mut client = a.net.connect(&address).await.unwrap();
    let mut server = listener.accept().await.unwrap();
    let sent: Vec<u8> = (0..100).collect();
    client.write.write_all(&sent).await.unwrap();
    sim.sleep(Duration::from_micros(sim.random() % 300)).await;
    sim.break_connections("b", "a");
    let mut arrived = Vec::new();
    let error = server.read.read_to_end(&mut arrived).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(arrived, sent[..arrived.len()]);
    assert!(client.write.write_all(b"more").await.is_err());
    assert!(client.read.read(&mut [0]).await.is_err());
    let mut again = a.net.connect(&address).await.unwrap();
    again.write.write_all(b"again").await.unwrap();
    let mut server = listener.accept().await.unwrap();
    let mut read = [0; 5];
    server.read.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"again");
    arrived.len()
}
