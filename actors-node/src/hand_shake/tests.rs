//! NODE-24: who does not prove that it knows the secret is refused, whatever it has overheard.

use std::collections::BTreeMap;

use actors_core::{
    SystemId,
    host::{Host, Listener},
    sim::{self, Sim},
};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::Membership;

const SEEDS: u64 = 20;

fn us(host: &Host, id: u64, secret: &[u8]) -> Us {
    let name = format!("node {id}");
    Us {
        cluster: "default".into(),
        member: Member {
            id: SystemId(id),
            name,
            address: format!("{id}:1"),
            tags: BTreeMap::new(),
        },
        longest: 1 << 20,
        secret: Secret::new(secret).unwrap(),
        tls: None,
        offer: Offer::ours(Membership::Each, false),
        random: host.random.clone(),
    }
}

const SECRET: &[u8] = b"a secret of the cluster";

async fn listen(host: &Host) -> Box<dyn Listener> {
    host.net.listen(":0").await.unwrap()
}

/// The whole of it, on the side that connected.
async fn dial(us: &Us, stream: Stream) -> Result<Connected, HandShakeError> {
    super::dial(us, stream).await?.enter(us).await
}

/// What comes of it, on both sides.
async fn meet(
    a: &Us,
    b: &Us,
    sim: &Sim,
) -> (Result<Connected, HandShakeError>, Result<Connected, HandShakeError>) {
    let (host_a, host_b) = (sim.node(&a.member.name), sim.node(&b.member.name));
    let mut door = listen(&host_a).await;
    let address = door.address();
    let accepted = async {
        let guest = accept(a, door.accept().await.unwrap()).await?;
        guest.welcome(a).await
    };
    let dialled = async { dial(b, host_b.net.connect(&address).await.unwrap()).await };
    futures_lite::future::zip(accepted, dialled).await
}

#[test]
fn who_knows_the_secret_is_let_in() {
    sim::search(0..SEEDS, |sim| async move {
        let host = sim.node("random");
        let (a, b) = (us(&host, 1, SECRET), us(&host, 2, SECRET));
        let (at_a, at_b) = meet(&a, &b, &sim).await;
        assert_eq!((at_a.unwrap().member, at_b.unwrap().member), (b.member, a.member));
    });
}

#[test]
fn node_24_a_wrong_secret_is_refused_and_told() {
    sim::search(0..SEEDS, |sim| async move {
        let host = sim.node("random");
        let (a, b) = (us(&host, 1, SECRET), us(&host, 2, b"another cluster's secret"));
        let (at_a, at_b) = meet(&a, &b, &sim).await;
        assert_eq!(at_a.err(), Some(HandShakeError::WrongSecret));
        assert_eq!(at_b.err(), Some(HandShakeError::Refused(Refusal::WrongSecret)));
    });
}

/// A newer and an older build that have a version in common use that one; others say what they speak.
#[test]
fn adjacent_versions_talk_and_distant_ones_do_not() {
    let offer =
        |lowest, highest, features| Offer { versions: Versions { lowest, highest }, features };
    sim::search(0..SEEDS, |sim| async move {
        let host = sim.node("random");
        let (mut a, mut b) = (us(&host, 1, SECRET), us(&host, 2, SECRET));
        (a.offer, b.offer) = (offer(2, 3, 0b0_1100), offer(3, 4, 0b1_0100));
        let (at_a, at_b) = meet(&a, &b, &sim).await;
        let agreed = Agreed { version: 3, features: 0b0100 };
        assert_eq!((at_a.unwrap().agreed, at_b.unwrap().agreed), (agreed, agreed));

        (a, b) = (us(&host, 3, SECRET), us(&host, 4, SECRET));
        (a.offer, b.offer) = (offer(2, 3, 0), offer(4, 5, 0));
        let (at_a, at_b) = meet(&a, &b, &sim).await;
        let (of_a, of_b) = (a.offer.versions, b.offer.versions);
        let expected = |ours, theirs| Some(HandShakeError::NoCommonVersion { ours, theirs });
        assert_eq!((at_a.err(), at_b.err()), (expected(of_a, of_b), expected(of_b, of_a)));
    });
}

/// One that lets everybody in, and does not know the secret itself.
#[test]
fn node_24_a_false_host_is_found_out() {
    sim::search(0..SEEDS, |sim| async move {
        let (eve, b) = (sim.node("eve"), sim.node("b"));
        let (thief, b_us) = (us(&eve, 1, b"what eve thinks it is"), us(&b, 2, SECRET));
        let mut door = listen(&eve).await;
        let address = door.address();
        let false_host = async {
            let stream = door.accept().await.unwrap();
            let mut line = Line::open(&thief, stream, Role::Acceptor).await.unwrap();
            let Hello { .. } = line.receive().await.unwrap();
            let challenge = Bytes32::new([0; 32]);
            let member = thief.member.clone();
            line.send(&Answer::Challenge { member, longest: 1, challenge }).await.unwrap();
            let Proof { proof: _ } = line.receive().await.unwrap();
            let proof = line.prove(Role::Acceptor, &thief.secret);
            line.send(&Welcome::Accepted { proof }).await.unwrap();
        };
        let dialled = async { dial(&b_us, b.net.connect(&address).await.unwrap()).await.err() };
        let ((), error) = futures_lite::future::zip(false_host, dialled).await;
        assert_eq!(error, Some(HandShakeError::WrongSecret));
    });
}

/// What was said in a hand-shake that went well, said again.
#[test]
fn node_24_a_replayed_hand_shake_is_refused() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b, eve) = (sim.node("a"), sim.node("b"), sim.node("eve"));
        let (a_us, b_us) = (us(&a, 1, SECRET), us(&b, 2, SECRET));
        let (mut door, mut tap) = (listen(&a).await, listen(&eve).await);
        let (at_a, at_eve) = (door.address(), tap.address());
        // Eve passes everything on between b and a, and listens.
        let overhear = async {
            let (mut from_b, mut to_a) =
                (tap.accept().await.unwrap(), eve.net.connect(&at_a).await.unwrap());
            let mut heard = Vec::new();
            let there = pass_on(&mut from_b.read, &mut to_a.write, &mut heard);
            let mut answers = Vec::new();
            let back = pass_on(&mut to_a.read, &mut from_b.write, &mut answers);
            futures_lite::future::zip(there, back).await;
            heard
        };
        let accepted = async {
            let guest = accept(&a_us, door.accept().await.unwrap()).await.unwrap();
            assert_eq!(guest.member, b_us.member);
            guest.welcome(&a_us).await.map(drop).unwrap();
        };
        let dialled = async {
            dial(&b_us, b.net.connect(&at_eve).await.unwrap()).await.map(drop).unwrap();
        };
        let (heard, _) =
            futures_lite::future::zip(overhear, futures_lite::future::zip(accepted, dialled)).await;
        let again = async {
            let mut stream = eve.net.connect(&at_a).await.unwrap();
            stream.write.write_all(&heard).await.unwrap();
            let mut answer = Vec::new();
            stream.read.read_to_end(&mut answer).await.unwrap();
        };
        let accepted = async { accept(&a_us, door.accept().await.unwrap()).await.err() };
        let ((), error) = futures_lite::future::zip(again, accepted).await;
        assert_eq!(error, Some(HandShakeError::WrongSecret));
    });
}

async fn pass_on(
    read: &mut actors_core::host::ReadHalf,
    write: &mut actors_core::host::WriteHalf,
    heard: &mut Vec<u8>,
) {
    let mut buffer = [0; 512];
    while let Ok(n @ 1..) = read.read(&mut buffer).await {
        heard.extend_from_slice(&buffer[..n]);
        if write.write_all(&buffer[..n]).await.is_err() {
            break;
        }
    }
    let _ = write.close().await;
}

/// Eve lets a itself answer the challenge that a gave her.
#[test]
fn node_24_a_reflected_proof_is_refused() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, eve) = (sim.node("a"), sim.node("eve"));
        let (a_us, eve_us) = (us(&a, 1, SECRET), us(&eve, 9, b"what eve thinks it is"));
        let (mut door, mut trap) = (listen(&a).await, listen(&eve).await);
        let (at_a, at_eve) = (door.address(), trap.address());
        let attack = async {
            let stream = eve.net.connect(&at_a).await.unwrap();
            let mut out = Line::open(&eve_us, stream, Role::Dialler).await.unwrap();
            out.send(&eve_us.hello().unwrap()).await.unwrap();
            let Answer::Challenge { challenge, .. } = out.receive().await.unwrap() else {
                panic!("a gives a challenge")
            };
            let stream = trap.accept().await.unwrap();
            let mut back = Line::open(&eve_us, stream, Role::Acceptor).await.unwrap();
            let Hello { .. } = back.receive().await.unwrap();
            let member = eve_us.member.clone();
            back.send(&Answer::Challenge { member, longest: 1, challenge }).await.unwrap();
            let proof: Proof = back.receive().await.unwrap();
            out.send(&proof).await.unwrap();
            out.receive::<Welcome>().await.unwrap()
        };
        let accepted = async { accept(&a_us, door.accept().await.unwrap()).await.err() };
        let dials = async { dial(&a_us, a.net.connect(&at_eve).await.unwrap()).await.err() };
        let (answer, (accepted, dialled)) =
            futures_lite::future::zip(attack, futures_lite::future::zip(accepted, dials)).await;
        assert!(matches!(answer, Welcome::Refused(Refusal::WrongSecret)), "{answer:?}");
        assert_eq!(accepted, Some(HandShakeError::WrongSecret));
        assert!(matches!(dialled, Some(HandShakeError::Broken(_))), "{dialled:?}");
    });
}

/// Everything a says, said back to it on the same connection.
#[test]
fn node_24_an_echo_is_refused() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, eve) = (sim.node("a"), sim.node("eve"));
        let a_us = us(&a, 1, SECRET);
        let mut trap = listen(&eve).await;
        let address = trap.address();
        let echo = async {
            let mut stream = trap.accept().await.unwrap();
            pass_on(&mut stream.read, &mut stream.write, &mut Vec::new()).await;
        };
        let dials = async { dial(&a_us, a.net.connect(&address).await.unwrap()).await.err() };
        let ((), error) = futures_lite::future::zip(echo, dials).await;
        assert!(matches!(error, Some(HandShakeError::Malformed(_))), "{error:?}");
    });
}

/// A proof is for the two that talk and for what they said: Eve passes on, and changes one thing.
#[test]
fn node_24_a_proof_is_bound_to_identities_and_versions() {
    for change in 0..3 {
        sim::search(0..SEEDS, move |sim| async move {
            let (a, b, eve) = (sim.node("a"), sim.node("b"), sim.node("eve"));
            let (mut a_us, mut b_us) = (us(&a, 1, SECRET), us(&b, 2, SECRET));
            a_us.offer.versions.highest += 1;
            b_us.offer.versions.highest += 1;
            let (mut door, mut tap) = (listen(&a).await, listen(&eve).await);
            let (at_a, at_eve) = (door.address(), tap.address());
            let mut eve_us = us(&eve, 9, SECRET);
            eve_us.offer =
                if change == 0 { Offer::ours(Membership::Each, false) } else { a_us.offer };
            let attack = async {
                let (from_b, to_a) =
                    (tap.accept().await.unwrap(), eve.net.connect(&at_a).await.unwrap());
                let mut from_b = Line::open(&eve_us, from_b, Role::Acceptor).await.unwrap();
                let mut to_a = Line::open(&eve_us, to_a, Role::Dialler).await.unwrap();
                let mut hello: Hello = from_b.receive().await.unwrap();
                if change == 1 {
                    hello.member.id = SystemId(9);
                }
                to_a.send(&hello).await.unwrap();
                let mut answer: Answer = to_a.receive().await.unwrap();
                if let (2, Answer::Challenge { member, .. }) = (change, &mut answer) {
                    member.id = SystemId(9);
                }
                from_b.send(&answer).await.unwrap();
                let proof: Proof = from_b.receive().await.unwrap();
                to_a.send(&proof).await.unwrap();
                let _ = to_a.receive::<Welcome>().await;
            };
            let accepted = async { accept(&a_us, door.accept().await.unwrap()).await.err() };
            let dials = async { dial(&b_us, b.net.connect(&at_eve).await.unwrap()).await.err() };
            let (_, (accepted, dialled)) =
                futures_lite::future::zip(attack, futures_lite::future::zip(accepted, dials)).await;
            assert_eq!(accepted, Some(HandShakeError::WrongSecret), "change {change}");
            assert!(dialled.is_some());
        });
    }
}

/// NODE-24: what no hand-shake has ends it; nothing of it is kept.
#[test]
fn node_24_what_is_too_long_or_does_not_decode_ends_a_hand_shake() {
    let offer = Offer::ours(Membership::Each, false).to_bytes();
    let frame = |length: u32, value: &[u8]| [&offer[..], &length.to_le_bytes(), value].concat();
    let cases = [
        (frame(u32::MAX, b""), "4294967295 bytes"),
        (frame(LONGEST as u32 + 1, b""), "at most 4096"),
        (frame(3, b"\xc1\xc1\xc1"), "does not decode"),
        (frame(4, b"\x92\xa1a\x90"), "does not decode"),
        (frame(100, b"half"), "broke"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "no actors node"),
        (b"\x16\x03\x01\x02\x00\x01\x00".to_vec(), "speaks TLS"),
        (b"AC".to_vec(), "broke"),
    ];
    for (said, expected) in cases {
        sim::simulate(1, |sim| async move {
            let (a, eve) = (sim.node("a"), sim.node("eve"));
            let a_us = us(&a, 1, SECRET);
            let mut door = listen(&a).await;
            let address = door.address();
            let talk = async {
                let mut stream = eve.net.connect(&address).await.unwrap();
                stream.write.write_all(&said).await.unwrap();
                stream.write.close().await.unwrap();
                stream.read.read_to_end(&mut Vec::new()).await.unwrap()
            };
            let accepted = async { accept(&a_us, door.accept().await.unwrap()).await.err() };
            let (answered, error) = futures_lite::future::zip(talk, accepted).await;
            let error = error.unwrap().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(answered <= Offer::BYTES, "nothing but the preamble");
        });
    }
}

/// `docs/formats.md` shows what is really said.
#[test]
fn the_hand_shake_is_as_documented() {
    sim::simulate(1, |sim| async move {
        let (a, b, eve) = (sim.node("a"), sim.node("b"), sim.node("eve"));
        let (a_us, b_us) = (documented::acceptor(), documented::dialler());
        let (mut door, mut tap) = (listen(&a).await, listen(&eve).await);
        let (at_a, at_eve) = (door.address(), tap.address());
        let overhear = async {
            let (mut from_b, mut to_a) =
                (tap.accept().await.unwrap(), eve.net.connect(&at_a).await.unwrap());
            let (mut there, mut back) = (Vec::new(), Vec::new());
            futures_lite::future::zip(
                pass_on(&mut from_b.read, &mut to_a.write, &mut there),
                pass_on(&mut to_a.read, &mut from_b.write, &mut back),
            )
            .await;
            (there, back)
        };
        let accepted = async {
            let guest = accept(&a_us, door.accept().await.unwrap()).await.unwrap();
            guest.welcome(&a_us).await.map(drop).unwrap();
        };
        let dialled = async {
            dial(&b_us, b.net.connect(&at_eve).await.unwrap()).await.map(drop).unwrap();
        };
        let ((there, back), _) =
            futures_lite::future::zip(overhear, futures_lite::future::zip(accepted, dialled)).await;
        crate::vectors::check("dialler", &there);
        crate::vectors::check("acceptor", &back);
    });
}

/// The last words of a hand-shake too.
#[test]
fn what_ends_a_hand_shake_is_as_documented() {
    sim::simulate(1, |sim| async move {
        let (a, b) = (sim.node("a"), sim.node("b"));
        let mut door = listen(&a).await;
        let mut from = b.net.connect(&door.address()).await.unwrap();
        let mut to = door.accept().await.unwrap();
        let resume = crate::wire::Resume { connection: 3, received: 70_000 };
        send(&mut from, &resume).await.unwrap();
        drop(from);
        let mut said = Vec::new();
        to.read.read_to_end(&mut said).await.unwrap();
        crate::vectors::check("resume", &said);
    });
}
