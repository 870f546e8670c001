//! Actors that end together, and those that do not.

mod common;

use actors_core::{
    Actor, ActorId, AnyLink, BoxFuture, CallError, Context, Down, Exit, ExitReason, Handler, Link,
    Message, ReplyTo, Status, System,
};
use common::{Record, everywhere};
use crossbeam_channel::{Receiver, Sender, unbounded};

/// Connects as it is told to, and writes down what it lives through.
struct Peer {
    log: Sender<Event>,
}

#[derive(Clone, Debug, PartialEq)]
enum Event {
    Record(u32),
    Exit(Exit),
    Term(ExitReason),
    Down(Down),
}

impl Actor for Peer {
    async fn term(&mut self, reason: &ExitReason) {
        let _ = self.log.send(Event::Term(reason.clone()));
    }

    async fn on_exit(&mut self, exit: Exit, _cx: &mut Context<Self>) {
        let _ = self.log.send(Event::Exit(exit));
    }

    async fn on_down(&mut self, down: Down, _cx: &mut Context<Self>) {
        let _ = self.log.send(Event::Down(down));
    }
}

enum Tell {
    Connect(AnyLink),
    Disconnect(AnyLink),
    Monitor(AnyLink),
    Sticky,
    Fail,
    /// Sends two messages, and fails.
    SendAndFail(Link<Peer>),
    Hold(BoxFuture<'static, Result<(), CallError>>),
}

impl Message for Tell {
    type Reply = (Vec<ActorId>, Vec<Exit>);
}

impl Handler<Tell> for Peer {
    async fn handle(&mut self, tell: Tell, cx: &mut Context<Self>) -> (Vec<ActorId>, Vec<Exit>) {
        match tell {
            Tell::Connect(peer) => cx.connect(&peer).unwrap(),
            Tell::Disconnect(peer) => cx.disconnect(&peer),
            Tell::Monitor(peer) => drop(cx.monitor(&peer)),
            Tell::Sticky => cx.set_sticky(true),
            Tell::Fail => panic!("the first cause"),
            Tell::SendAndFail(peer) => {
                peer.send(Record(1)).unwrap();
                peer.send(Record(2)).unwrap();
                panic!("the first cause");
            }
            Tell::Hold(gate) => gate.await.unwrap(),
        }
        (cx.connections(), cx.caught_exits())
    }
}

impl Handler<Record> for Peer {
    async fn handle(&mut self, Record(n): Record, _cx: &mut Context<Self>) {
        let _ = self.log.send(Event::Record(n));
    }
}

fn peer(system: &System) -> (Link<Peer>, Receiver<Event>) {
    let (log, events) = unbounded();
    (system.spawn(Peer { log }), events)
}

fn peers<const N: usize>(system: &System) -> [(Link<Peer>, Receiver<Event>); N] {
    std::array::from_fn(|_| peer(system))
}

async fn connect(a: &Link<Peer>, b: &Link<Peer>) -> Vec<ActorId> {
    a.call(Tell::Connect(b.erase())).await.unwrap().0
}

fn first_cause() -> ExitReason {
    let during = std::any::type_name::<Tell>().to_owned();
    ExitReason::Panic { message: "the first cause".into(), during: during.into() }
}

/// A sends m1 and m2 to a connected B, then fails: B sees m1, m2 and the exit, or ends after them.
#[test]
fn core_14_an_exit_comes_after_the_messages_sent_before() {
    everywhere(|system| async move {
        for is_sticky in [false, true] {
            let [(sender, _es), (peer, events)] = peers(&system);
            if is_sticky {
                peer.call(Tell::Sticky).await.unwrap();
            }
            connect(&sender, &peer).await;
            let (ended, peer_ended) = (sender.down(), peer.down());
            sender.send(Tell::SendAndFail(peer.clone())).unwrap();
            let reason = ended.await.reason;
            let last = if is_sticky {
                peer.exec(|_| ()).await.unwrap();
                Event::Exit(Exit { actor: sender.id(), reason })
            } else {
                assert_eq!(peer_ended.await.reason, reason);
                Event::Term(reason)
            };
            let seen: Vec<_> = events.try_iter().collect();
            assert_eq!(seen, [Event::Record(1), Event::Record(2), last]);
        }
    });
}

/// Both sides know of a connection; with itself or a second time it changes nothing.
#[test]
fn core_16_a_connection_is_recorded_on_both_sides() {
    everywhere(|system| async move {
        let [(a, _ea), (b, _eb)] = peers(&system);
        assert_eq!(connect(&a, &b).await, [b.id()]);
        assert_eq!(connect(&b, &b).await, [a.id()], "the other side");
        assert_eq!(connect(&b, &a).await, [a.id()], "the second time");
        assert_eq!(connect(&a, &a).await, [b.id()], "with itself");
    });
}

/// A failure goes from one to the next, as far as connections go; the reason stays that of the first.
#[test]
fn core_17_core_20_a_failure_goes_through_a_chain() {
    everywhere(|system| async move {
        let chain: [_; 5] = peers(&system);
        let (outside, _events) = peer(&system);
        for pair in chain.windows(2) {
            connect(&pair[0].0, &pair[1].0).await;
        }
        let downs: Vec<_> = chain.iter().map(|(link, _)| link.down()).collect();
        chain[2].0.send(Tell::Fail).unwrap();
        for down in downs {
            assert_eq!(down.await.reason, first_cause());
        }
        for (_, events) in &chain {
            assert_eq!(events.try_iter().collect::<Vec<_>>(), [Event::Term(first_cause())]);
        }
        assert_eq!(outside.info().status, Status::Running);
    });
}

/// In a clique everybody hears of the failure from everybody, and ends once, for the first reason.
#[test]
fn core_20_a_clique_fails_once() {
    everywhere(|system| async move {
        let clique: [_; 6] = peers(&system);
        for (i, (a, _)) in clique.iter().enumerate() {
            for (b, _) in &clique[i + 1..] {
                connect(a, b).await;
            }
        }
        let downs: Vec<_> = clique.iter().map(|(link, _)| link.down()).collect();
        clique[0].0.send(Tell::Fail).unwrap();
        for down in downs {
            assert_eq!(down.await.reason, first_cause());
        }
        for (_, events) in &clique {
            assert_eq!(events.try_iter().collect::<Vec<_>>(), [Event::Term(first_cause())]);
        }
    });
}

/// A sticky actor survives, remembers the last ten causes, and shields those behind it.
#[test]
fn core_18_a_sticky_actor_shields_the_rest() {
    everywhere(|system| async move {
        let [(sticky, events), (behind, _eb)] = peers(&system);
        sticky.call(Tell::Sticky).await.unwrap();
        connect(&behind, &sticky).await;
        let mut failed = Vec::new();
        for _ in 0..12 {
            let (mortal, _em) = peer(&system);
            connect(&sticky, &mortal).await;
            let down = mortal.down();
            mortal.send(Tell::Fail).unwrap();
            down.await;
            failed.push(mortal.id());
        }
        let (connections, caught) = sticky.call(Tell::Sticky).await.unwrap();
        assert_eq!(connections, [behind.id()]);
        assert_eq!(caught.iter().map(|exit| exit.actor).collect::<Vec<_>>(), failed[2..]);
        assert!(caught.iter().all(|exit| exit.reason == first_cause()));
        assert_eq!(events.try_iter().count(), 12, "on_exit hears of each");
        assert_eq!(behind.info().status, Status::Running);
    });
}

/// A normal exit takes nobody along; a shutdown does; a direct stop always ends.
#[test]
fn core_19_a_normal_exit_takes_nobody_along() {
    everywhere(|system| async move {
        let [(a, _ea), (b, _eb), (c, _ec)] = peers(&system);
        connect(&a, &b).await;
        connect(&a, &c).await;
        let down = b.down();
        b.stop(ExitReason::Normal);
        assert_eq!(down.await.reason, ExitReason::Normal);
        assert_eq!(connect(&a, &c).await, [c.id()], "the connection is gone, the actor is not");
        let down = a.down();
        c.stop(ExitReason::Shutdown);
        assert_eq!(down.await.reason, ExitReason::Shutdown);
    });
}

/// A connection ends on both sides; monitors stay.
#[test]
fn core_21_a_connection_can_be_ended() {
    everywhere(|system| async move {
        let [(a, events), (b, _eb)] = peers(&system);
        connect(&a, &b).await;
        a.call(Tell::Monitor(b.erase())).await.unwrap();
        let (connections, _) = a.call(Tell::Disconnect(b.erase())).await.unwrap();
        assert!(connections.is_empty());
        assert!(b.call(Tell::Sticky).await.unwrap().0.is_empty());
        let down = b.down();
        b.send(Tell::Fail).unwrap();
        let down = down.await;
        assert_eq!(a.call(Tell::Sticky).await.unwrap().1, [], "no exit is caught");
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [Event::Down(down)]);
    });
}

/// An exit that was under way when the connection ended is ignored.
#[test]
fn core_22_a_stale_exit_is_ignored() {
    everywhere(|system| async move {
        let [(a, events), (b, _eb)] = peers(&system);
        a.call(Tell::Sticky).await.unwrap();
        connect(&a, &b).await;
        let down = b.down();
        let (release, gate) = ReplyTo::channel();
        a.send(Tell::Hold(gate)).unwrap();
        a.send(Tell::Disconnect(b.erase())).unwrap();
        b.send(Tell::Fail).unwrap();
        down.await;
        release.answer(());
        assert_eq!(a.call(Tell::Sticky).await.unwrap(), (vec![], vec![]));
        assert_eq!(events.try_iter().count(), 0);
    });
}

/// A sticky actor that is stopped itself ends, and tells everybody.
#[test]
fn core_23_a_sticky_actor_ends_when_it_is_stopped() {
    everywhere(|system| async move {
        let [(sticky, events), (peer, _ep), (watcher, seen)] = peers(&system);
        sticky.call(Tell::Sticky).await.unwrap();
        connect(&sticky, &peer).await;
        watcher.call(Tell::Monitor(sticky.erase())).await.unwrap();
        let down = peer.down();
        let reason = ExitReason::Error("as told".into());
        sticky.stop(reason.clone());
        assert_eq!(down.await.reason, reason, "the exit went out");
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [Event::Term(reason.clone())]);
        watcher.call(Tell::Sticky).await.unwrap();
        let Ok(Event::Down(down)) = seen.try_recv() else { panic!("no down") };
        assert_eq!(down.reason, reason);
    });
}

/// To connect with a dead actor is to hear of its end.
#[test]
fn core_25_connecting_with_the_dead_gives_noproc() {
    everywhere(|system| async move {
        let [(a, events), (b, _eb), (c, _ec)] = peers(&system);
        let down = b.down();
        b.stop(ExitReason::Normal);
        down.await;
        a.call(Tell::Sticky).await.unwrap();
        connect(&a, &b).await;
        a.call(Tell::Sticky).await.unwrap();
        let exit = Exit { actor: b.id(), reason: ExitReason::NoProc };
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [Event::Exit(exit)]);
        let down = c.down();
        c.send(Tell::Connect(b.erase())).unwrap();
        assert_eq!(down.await.reason, ExitReason::NoProc);
    });
}
