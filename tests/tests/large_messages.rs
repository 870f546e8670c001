//! Messages that take long, over lines that are slow: nothing else waits for them, and no order is lost.

use std::time::Duration;

use actors_core::{
    Actor, Context, ExitReason, Handler, Link, Message, SendError, System, remote,
    sim::{self, Sim},
};
use actors_node::{DownCause, Node, NodeEvent};
use actors_tests::{
    calculator::{Add, Calculator},
    cluster::{PATIENCE, connect},
    export,
};
use serde::{Deserialize, Serialize};

const SEEDS: u64 = 30;
/// Bytes a second.
const SLOW: u64 = 200_000;

/// What came, in order: the first byte and the length of each.
#[derive(Default)]
struct Receiver(Vec<(u8, usize)>);

impl Actor for Receiver {}

#[derive(Serialize, Deserialize)]
struct Load(#[serde(with = "serde_bytes")] Vec<u8>);

impl Message for Load {
    type Reply = ();
}

impl Handler<Load> for Receiver {
    async fn handle(&mut self, Load(bytes): Load, _: &mut Context<Self>) {
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "parts of one message");
        self.0.push((bytes[0], bytes.len()));
    }
}

#[derive(Serialize, Deserialize)]
struct Seen;

impl Message for Seen {
    type Reply = Vec<(u8, usize)>;
}

impl Handler<Seen> for Receiver {
    async fn handle(&mut self, _: Seen, _: &mut Context<Self>) -> Vec<(u8, usize)> {
        self.0.clone()
    }
}

fn system(sim: &Sim, name: &str) -> System {
    let system = System::builder().name(name).host(sim.node(name)).build();
    export(&system);
    let receiver = system.export::<Receiver>("receiver").message::<Load>("load");
    receiver.message::<Seen>("seen").constructor(|(): (), _| async { Ok(Receiver::default()) });
    system.export::<Sender>("sender").message::<SendAndStop>("send and stop");
    system
}

async fn two(sim: &Sim, bound: usize) -> (Node, Node) {
    let start = |name| Node::builder(&system(sim, name)).outbox_bound(bound).start();
    let (a, b) = (start("a").await.unwrap(), start("b").await.unwrap());
    connect(&[&a, &b]).await;
    (a, b)
}

async fn receiver(a: &Node, b: &Node) -> Link<Receiver> {
    a.spawn::<Receiver>(b.member().id, "receiver", &()).await.unwrap()
}

fn load(kind: u8, length: usize) -> Load {
    Load(vec![kind; length])
}

/// NODE 18: a transfer that takes five times as long as silence may. Heartbeats arrive, questions to
/// others are answered, a kill is not kept waiting.
#[test]
fn node_18_a_slow_transfer_is_no_silence() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b) = two(&sim, 64 << 20).await;
        let events = (a.events(), b.events());
        let (slow, other) = (receiver(&a, &b).await, receiver(&a, &b).await);
        let calculator = a.spawn::<Calculator>(b.member().id, "calculator", &0_i64).await.unwrap();
        sim.limit("a", "b", Some(SLOW));
        let begun = sim.now();
        for kind in 1..=4 {
            slow.send(load(kind, 1_000_000)).unwrap();
        }
        for n in 1..=10 {
            let asked = sim.now();
            assert_eq!(calculator.call(Add(1)).await, Ok(n));
            assert!(sim.now().since(asked) < Duration::from_millis(1500), "it waited for others");
        }
        let down = other.down();
        let killed = sim.now();
        other.kill();
        assert_eq!(down.await.reason, ExitReason::Killed);
        assert!(sim.now().since(killed) < Duration::from_millis(1500), "it waited for others");
        let seen = slow.call(Seen).forever().await.unwrap();
        assert_eq!(seen, [1, 2, 3, 4].map(|kind| (kind, 1_000_000)));
        assert!(sim.now().since(begun) > Duration::from_secs(19), "it was slow");
        for seen in [events.0, events.1] {
            assert_eq!(seen.try_iter().collect::<Vec<_>>(), [], "nobody was suspected");
        }
    });
}

/// What goes to one actor stays in order, whatever its length; `stop` comes after it.
#[test]
fn node_21_long_and_short_messages_of_a_link_stay_in_order() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b) = two(&sim, 64 << 20).await;
        let links = [receiver(&a, &b).await, receiver(&a, &b).await, receiver(&a, &b).await];
        sim.limit("a", "b", Some(10 * SLOW));
        let mut expected = vec![Vec::new(); links.len()];
        for kind in 0..60 {
            let which = sim.random() as usize % links.len();
            let length = [1, 100, 65_000, 65_536, 70_000, 300_000][sim.random() as usize % 6];
            links[which].send(load(kind, length)).unwrap();
            expected[which].push((kind, length));
            if sim.random() % 4 == 0 {
                sim.sleep(Duration::from_millis(sim.random() % 100)).await;
            }
        }
        for (link, expected) in links.iter().zip(expected) {
            assert_eq!(link.call(Seen).forever().await.unwrap(), expected);
        }
        let local: Link<Receiver> = arrived(&a, &b, &links[0]);
        let (down, term) = (links[0].down(), local.down());
        links[0].send(load(99, 400_000)).unwrap();
        links[0].stop(ExitReason::Normal);
        assert_eq!(down.await.reason, ExitReason::Normal);
        assert_eq!(term.await.reason, ExitReason::Normal);
    });
}

/// The link of an actor, as the other node gets it in a message.
fn arrived<A: Actor>(from: &Node, to: &Node, link: &Link<A>) -> Link<A> {
    remote::decode(to.system(), &remote::encode(from.system(), link).unwrap()).unwrap()
}

/// Sends a message to an actor and ends.
struct Sender;

impl Actor for Sender {}

#[derive(Serialize, Deserialize)]
struct SendAndStop(Link<Receiver>, usize);

impl Message for SendAndStop {
    type Reply = ();
}

impl Handler<SendAndStop> for Sender {
    async fn handle(&mut self, SendAndStop(to, length): SendAndStop, cx: &mut Context<Self>) {
        to.send(load(7, length)).unwrap();
        cx.stop(ExitReason::Normal);
    }
}

/// An exit comes after what the actor has sent, and does not wait for what others send.
#[test]
fn node_21_an_exit_comes_after_the_long_message_before_it() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b) = two(&sim, 64 << 20).await;
        let to = receiver(&a, &b).await;
        let busy = receiver(&a, &b).await;
        let here: Link<Receiver> = arrived(&a, &b, &to);
        let [long, short] = [a.system().spawn(Sender), a.system().spawn(Sender)];
        let there = [arrived(&a, &b, &long), arrived(&a, &b, &short)];
        let (of_long, of_short) = (there[0].down(), there[1].down());
        sim.sleep(Duration::from_millis(50)).await;
        sim.limit("a", "b", Some(SLOW));
        busy.send(load(1, 2_000_000)).unwrap();
        long.send(SendAndStop(to.clone(), 600_000)).unwrap();
        let since = sim.now();
        short.send(SendAndStop(busy.clone(), 1)).unwrap();
        let (_, longs) = futures_lite::future::zip(
            async {
                assert_eq!(of_short.await.reason, ExitReason::Normal);
                assert_eq!(busy.info().system, b.member().id);
            },
            async {
                assert_eq!(of_long.await.reason, ExitReason::Normal);
                (here.call(Seen).await.unwrap(), sim.now().since(since))
            },
        )
        .await;
        assert_eq!(longs.0, [(7, 600_000)], "the message was there before the exit");
        assert!(longs.1 < Duration::from_secs(9), "the other transfer goes on for ten seconds");
    });
}

/// A connection takes so much and no more; who waits gets room, and nothing that was taken is lost.
#[test]
fn node_23_a_full_outbox_gives_messages_back_and_has_room_later() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b) = two(&sim, 500_000).await;
        let link = receiver(&a, &b).await;
        sim.limit("a", "b", Some(SLOW));
        let mut sent = 0;
        let back = loop {
            match link.send(load(1, 100_000)) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            assert!(sent < 20, "there is a bound");
        };
        sim.sleep(Duration::from_millis(10)).await;
        while sent < 40 && link.send(load(1, 100_000)).is_ok() {
            sent += 1;
        }
        assert!(matches!(back, SendError::Full(_)), "{back:?}");
        assert_eq!(back.into_inner().0.len(), 100_000, "it comes back");
        let short = link.send_wait(load(2, 100_000), Duration::from_millis(1)).await;
        assert!(matches!(short, Err(SendError::Full(_))), "{short:?}");
        link.send_wait(load(2, 100_000), PATIENCE).await.unwrap();
        let seen = link.call(Seen).forever().await;
        // The question itself may find no room.
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => {
                assert_eq!(error, actors_core::CallError::Full);
                sim.sleep(Duration::from_secs(5)).await;
                link.call(Seen).forever().await.unwrap()
            }
        };
        let mut expected = vec![(1, 100_000); sent];
        expected.push((2, 100_000));
        assert_eq!(seen, expected);
    });
}

/// NODE 23: a peer that reads nothing. Actors here go on, messages to it come back, and it is declared
/// dead when what cannot come back is too much.
#[test]
fn node_22_node_23_a_peer_that_reads_nothing_holds_nobody_up() {
    sim::search(0..SEEDS, |sim| async move {
        let start = |name| {
            let patient = actors_node::Detection {
                heartbeat: Duration::from_millis(250),
                timeout: Duration::from_secs(3600),
            };
            Node::builder(&system(&sim, name))
                .detection(patient)
                .outbox_bound(100_000)
                .longest_message(100_000)
                .start()
        };
        let (a, b) = (start("a").await.unwrap(), start("b").await.unwrap());
        connect(&[&a, &b]).await;
        let link = receiver(&a, &b).await;
        let (events, local) = (a.events(), a.system().spawn(Receiver::default()));
        let down = link.down();
        sim.limit("a", "b", Some(1));
        let taken = (0..100).take_while(|_| link.send(load(1, 50_000)).is_ok()).count();
        assert!(taken < 10, "there is a bound");
        assert!(a.members().len() == 1, "full is not dead");
        for _ in 0..2000 {
            // Exits cannot be refused.
            link.stop(ExitReason::Error("x".repeat(1000).into()));
            local.call(Seen).await.unwrap();
        }
        assert_eq!(down.await.reason, ExitReason::NodeFailure { node: "b".into() });
        let lost = NodeEvent::Down { member: b.member().clone(), cause: DownCause::Overflow };
        assert!(events.try_iter().any(|event| event == lost));
        a.leave();
    });
}

/// NODE 23: leaving does not wait for a peer that reads nothing.
#[test]
fn node_23_leaving_does_not_wait_for_a_full_line() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b) = two(&sim, 1 << 20).await;
        let link = receiver(&a, &b).await;
        sim.limit("a", "b", Some(1));
        link.send(load(1, 1 << 20)).unwrap();
        let since = sim.now();
        a.leave();
        assert_eq!(sim.now(), since);
        drop(b);
    });
}
