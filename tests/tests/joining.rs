//! Who may join a cluster, and what those who may not can do.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::{
    CallError, Message, SendError, System,
    host::Stream,
    sim::{self, Sim},
};
use actors_node::{HandShakeError, Node, NodeBuilder, NodeError, Refusal, Secret};
use actors_tests::{
    calculator::{Add, Calculator},
    cluster::{PATIENCE, connect, real_node, sim_node},
    export,
};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use serde::{Deserialize, Serialize};

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn builder(sim: &Sim, name: &str) -> NodeBuilder {
    let system = System::builder().name(name).host(sim.node(name)).build();
    export(&system);
    Node::builder(&system)
}

/// Another secret, or none, on either side: the joiner is told, with the address; nobody is a member.
#[test]
fn node_24_only_nodes_with_the_same_secret_join() {
    sim::search(0..30, |sim| async move {
        let a = builder(&sim, "a").secret(secret("the cluster's secret")).start().await.unwrap();
        let b = builder(&sim, "b").secret(secret("the cluster's secret")).start().await.unwrap();
        let c = builder(&sim, "c").secret(secret("a secret of others")).start().await.unwrap();
        let d = builder(&sim, "d").start().await.unwrap();
        connect(&[&a, &b]).await;
        let address = &a.member().address;
        for stranger in [&c, &d] {
            let refused = stranger.join(address, PATIENCE).await.unwrap_err();
            let (address, refusal) = (address.clone(), Refusal::WrongSecret);
            assert_eq!(refused, NodeError::Refused { address, refusal });
            assert!(stranger.members().is_empty());
        }
        let refused = a.join(&d.member().address, PATIENCE).await.unwrap_err();
        assert!(matches!(refused, NodeError::Refused { refusal: Refusal::WrongSecret, .. }));
        assert_eq!((a.members().len(), b.members().len()), (1, 1));
        let link = a.spawn::<Calculator>(b.member().id, "calculator", &1_i64).await.unwrap();
        assert_eq!(link.call(Add(1)).await, Ok(2));
    });
}

/// Off the loopback interface a node needs a secret, or says what it does.
#[test]
fn a_node_is_not_open_to_all_by_mistake() {
    let system = System::new();
    system.block_on(async {
        let any = || Node::builder(&System::new()).listen("0.0.0.0:0");
        let refused = any().start().await.unwrap_err();
        assert!(matches!(refused, NodeError::Exposed { .. }), "{refused}");
        let unnamed = any().secret(secret("the cluster's secret")).start().await.unwrap_err();
        assert!(matches!(unnamed, NodeError::NoAddress { .. }), "{unnamed}");
        let open = any().insecurely_open_to_all().advertise("127.0.0.1:9").start().await.unwrap();
        assert_eq!(open.member().address, "127.0.0.1:9");
        let secured = any().secret(secret("the cluster's secret")).advertise("example.org:9");
        secured.start().await.unwrap().leave();
        open.leave();
        let long = Node::builder(&System::new()).cluster("c".repeat(5000)).start().await;
        assert!(matches!(long, Err(NodeError::TooLong { limit: 4096, .. })), "{long:?}");
    });
}

/// NODE-24: ten thousand connections that say nothing. Few of them are kept, none for long, and a node
/// joins meanwhile.
#[test]
fn node_24_a_crowd_at_the_door_keeps_nobody_out() {
    sim::search(0..3, |sim| async move {
        let a = sim_node(&sim, "a").await;
        let address = a.member().address.clone();
        let eve = sim.node("eve");
        let mut crowd = Vec::new();
        for n in 0..10_000 {
            crowd.push(eve.net.connect(&address).await.unwrap());
            if n == 5_000 {
                let b = sim_node(&sim, "b").await;
                b.join(&address, PATIENCE).await.unwrap();
            }
        }
        sim.sleep(Duration::from_secs(1)).await;
        assert!(open(&mut crowd).await <= 64);
        sim.sleep(Duration::from_secs(5)).await;
        assert_eq!(open(&mut crowd).await, 0, "the hand-shake has a deadline");
        let b = a.wait_for("b", PATIENCE).await.unwrap();
        let link = a.spawn::<Calculator>(b.id, "calculator", &1_i64).await.unwrap();
        assert_eq!(link.call(Add(1)).await, Ok(2));
    });
}

/// How many of the connections the other side has not ended.
async fn open(crowd: &mut [Stream]) -> usize {
    let mut count = 0;
    for stream in crowd {
        let mut bytes = [0; 64];
        let ended = loop {
            match futures_lite::future::poll_once(stream.read.read(&mut bytes)).await {
                Some(Ok(0) | Err(_)) => break true,
                Some(Ok(_)) => {}
                None => break false,
            }
        };
        count += usize::from(!ended);
    }
    count
}

/// Half a hand-shake and then nothing: the other side goes on, and ends it in time.
#[test]
fn node_24_half_a_hand_shake_is_ended_in_time() {
    sim::search(0..30, |sim| async move {
        let a = sim_node(&sim, "a").await;
        let eve = sim.node("eve");
        let whole = b"ACTN\x02\x00\x02\x00\0\0\0\0\x40\0\0\0\x93\xa7default";
        for end in 0..whole.len() {
            let mut stream = eve.net.connect(&a.member().address).await.unwrap();
            let since = sim.now();
            stream.write.write_all(&whole[..end]).await.unwrap();
            stream.read.read_to_end(&mut Vec::new()).await.unwrap();
            let after = sim.now().since(since);
            assert!(after >= Duration::from_secs(5) && after < Duration::from_secs(6), "{after:?}");
        }
        let b = sim_node(&sim, "b").await;
        b.join(&a.member().address, PATIENCE).await.unwrap();
    });
}

/// Garbage of all kinds, over real sockets.
#[test]
fn node_24_garbage_at_the_door_harms_nobody() {
    let system = System::new();
    system.block_on(async {
        let (a, b) = (real_node("a").await, real_node("b").await);
        connect(&[&a, &b]).await;
        let address = a.member().address.clone();
        let hello = b"ACTN\x02\x00\x02\x00\0\0\0\0";
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"ACTN",
            b"ACTN\x01\x00\0\0\0\0",
            b"ACTN\x09\x00\x0a\x00\0\0\0\0",
            &[0xff; 64],
            &[&hello[..], b"\xff\xff\xff\xff"].concat(),
            &[&hello[..], b"\x10\0\0\0half"].concat(),
        ] {
            let mut stranger = TcpStream::connect(&address).unwrap();
            let _ = stranger.write_all(bytes);
            let _ = stranger.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _ = stranger.read_to_end(&mut answer);
            assert!(answer.len() <= 12, "nothing but the preamble: {answer:?}");
        }
        let mut crowd = Vec::new();
        for _ in 0..2000 {
            let Ok(stranger) = TcpStream::connect(&address) else { continue };
            crowd.push(stranger);
            if crowd.len() == 100 {
                crowd.clear();
            }
        }
        let other = System::builder().name("x").build();
        let other = Node::builder(&other).cluster("another").start().await.unwrap();
        let refused = other.join(&address, PATIENCE).await.unwrap_err();
        assert!(refused.to_string().contains("another cluster"), "{refused}");
        let itself = a.join(&address, PATIENCE).await.unwrap_err();
        assert!(matches!(itself, NodeError::Refused { refusal: Refusal::Itself, .. }), "{itself}");
        let link = a.spawn::<Calculator>(b.member().id, "calculator", &1_i64).await.unwrap();
        assert_eq!(link.call(Add(1)).await, Ok(2));
        assert_eq!(a.members().len(), 1);
        [a, b, other].iter().for_each(Node::leave);
    });
}

/// What is at the address is no node: said at once, with the address.
#[test]
fn joining_what_is_no_node_is_a_typed_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 64]);
    });
    let system = System::new();
    let error = system.block_on(async {
        let node = Node::builder(&system).start().await.unwrap();
        let error = node.join(&address, PATIENCE).await.unwrap_err();
        node.leave();
        error
    });
    server.join().unwrap();
    let expected = HandShakeError::NotANode { said: *b"HTTP" };
    assert_eq!(error, NodeError::HandShake { address, error: expected });
}

/// A refused peer is in the log once, however often it tries.
#[test]
fn a_refused_peer_is_logged_once() {
    let lines = Lines::default();
    let log = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    tracing::subscriber::with_default(log, || {
        sim::simulate(1, |sim| async move {
            let a =
                builder(&sim, "a").secret(secret("the cluster's secret")).start().await.unwrap();
            let b = builder(&sim, "b").secret(secret("a secret of others")).start().await.unwrap();
            for _ in 0..50 {
                b.join(&a.member().address, PATIENCE).await.unwrap_err();
            }
            sim.sleep(Duration::from_secs(1)).await;
        });
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let refused: Vec<&str> = text.lines().filter(|l| l.contains("connection refused")).collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(refused[0].contains("does not know the secret"), "{refused:?}");
    assert!(!text.contains("the cluster's secret"), "the secret is not in the log");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[derive(Serialize, Deserialize)]
struct Text(String);

impl Message for Text {
    type Reply = String;
}

/// The smaller limit of the two sides holds: what is over it comes back, question or answer.
#[test]
fn a_message_over_the_limit_of_either_side_comes_back() {
    sim::search(0..20, |sim| async move {
        let node = |name, limit| {
            let system = System::builder().name(name).host(sim.node(name)).build();
            export(&system);
            system.export::<actors_core::FnActor<Text>>("doubled").message::<Text>("text");
            Node::builder(&system).longest_message(limit)
        };
        let (a, b) = (node("a", 10_000).start().await.unwrap(), node("b", 1000));
        let b = b.start().await.unwrap();
        connect(&[&a, &b]).await;
        let doubled = b.system().spawn_fn(|Text(text): Text, _cx| text.repeat(2));
        let link = pass(b.system(), a.system(), &doubled);
        let sent = link.send(Text("x".repeat(1000))).unwrap_err();
        assert!(matches!(sent, SendError::TooLong { limit: 1000, .. }), "{sent:?}");
        assert_eq!(sent.into_inner().0.len(), 1000, "it comes back");
        let answer = link.call(Text("x".repeat(900))).await;
        assert!(matches!(answer, Err(CallError::TooLong { limit: 1000, .. })), "{answer:?}");
        assert_eq!(link.call(Text("x".repeat(400))).await.unwrap().len(), 800);
        let back = a.system().spawn_fn(|Text(text): Text, _cx| text.repeat(2));
        let back = pass(a.system(), b.system(), &back);
        let answer = back.call(Text("x".repeat(900))).await;
        assert!(matches!(answer, Err(CallError::TooLong { limit: 1000, .. })), "{answer:?}");
        assert_eq!(back.call(Text("x".repeat(400))).await.unwrap().len(), 800);
    });
}

/// The link of an actor on `from`, as `to` gets it in a message.
fn pass<A: actors_core::Actor>(
    from: &System,
    to: &System,
    link: &actors_core::Link<A>,
) -> actors_core::Link<A> {
    let bytes = actors_core::remote::encode(from, link).unwrap();
    actors_core::remote::decode(to, &bytes).unwrap()
}
