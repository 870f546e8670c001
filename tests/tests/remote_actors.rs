//! Actors on other nodes: spawned, called, monitored.

use std::time::Duration;

use actors_core::{
    CallError, ExitReason, Link, SendError, StartError, Status, System,
    sim::{self, Sim},
};
use actors_node::{DownCause, Node, NodeEvent};
use actors_tests::{
    calculator::{Add, AddTo, Apply, Calculator, Crash, Secret, Yourself},
    cluster::{PATIENCE, connect, real_node, sim_node},
};

const SEEDS: u64 = 60;

/// Spawn, call, become on another node: values are isolated, the info is right, links in messages
/// become remote links.
async fn spawn_call_become(a: Node, b: Node, c: Node) {
    let (on_b, on_c) = (b.member().id, c.member().id);
    let first = a.spawn::<Calculator>(on_b, "calculator", &40_i64).await.unwrap();
    let second = a.spawn::<Calculator>(on_b, "calculator", &0_i64).await.unwrap();
    let third = a.spawn::<Calculator>(on_c, "calculator", &0_i64).await.unwrap();
    assert_eq!(first.call(Add(2)).await, Ok(42));
    assert_eq!(second.call(Add(1)).await, Ok(1), "the other's state is its own");
    let info = first.info();
    assert_eq!((info.status, info.system, info.id), (Status::Remote, on_b, first.id()));
    assert_eq!(third.call(AddTo(first.clone(), 8)).await, Ok(50), "c reached b through a's link");
    let own: Link<Calculator> = third.call(Yourself).await.unwrap();
    assert_eq!(own, third);
    assert_eq!(own.call(Add(5)).await, Ok(5));

    let function =
        a.spawn::<actors_core::FnActor<Apply>>(on_b, "function", &"double").await.unwrap();
    assert_eq!(function.call(Apply(21)).await, Ok(42));
    assert_eq!(function.call(actors_core::Become::named("negate")).await, Ok(Ok(())));
    assert_eq!(function.call(Apply(21)).await, Ok(-21));
    let unknown = function.call(actors_core::Become::named("no such")).await;
    assert!(matches!(unknown, Ok(Err(_))), "{unknown:?}");

    let secret = first.send(Secret).unwrap_err();
    assert!(matches!(secret, SendError::NotExported(Secret)));
    let local = first.exec(|calculator| calculator.0).await;
    assert_eq!(local, Err(CallError::NotLocal));
    let nobody = a.spawn::<Calculator>(on_b, "no such type", &0_i64).await;
    assert_eq!(nobody.unwrap_err(), StartError::NotExported("no such type".into()));
}

#[test]
fn node_1_spawn_call_become_on_another_node() {
    let system = System::new();
    system.block_on(async {
        let (a, b, c) = (real_node("a").await, real_node("b").await, real_node("c").await);
        connect(&[&a, &b, &c]).await;
        spawn_call_become(a.clone(), b.clone(), c.clone()).await;
        [a, b, c].iter().for_each(Node::leave);
    });
    sim::search(0..SEEDS, |sim| async move {
        let (a, b, c) = three(&sim).await;
        spawn_call_become(a, b, c).await;
    });
}

async fn three(sim: &Sim) -> (Node, Node, Node) {
    let (a, b, c) = (sim_node(sim, "a").await, sim_node(sim, "b").await, sim_node(sim, "c").await);
    connect(&[&a, &b, &c]).await;
    (a, b, c)
}

/// A panic on another node, which lives: the reason arrives as plain data, at the asker and at the
/// monitor.
#[test]
fn node_9_a_remote_panic_arrives_as_plain_data() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b, _c) = three(&sim).await;
        let link = a.spawn::<Calculator>(b.member().id, "calculator", &0_i64).await.unwrap();
        let down = link.down();
        let Err(CallError::Died(ExitReason::Panic { message, .. })) = link.call(Crash).await else {
            panic!("the panic is the answer");
        };
        assert_eq!(message, "as asked");
        assert!(
            matches!(down.await.reason, ExitReason::Panic { message, .. } if message == "as asked")
        );
        let gone = link.down().await.reason;
        assert_eq!(gone, ExitReason::NoProc, "monitoring it again");
    });
}

/// A call to a node that dies gives an error at once, and its monitors hear of the node.
#[test]
fn node_11_a_lost_node_is_told_once_to_each() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b, c) = three(&sim).await;
        let on_b = a.spawn::<Calculator>(b.member().id, "calculator", &0_i64).await.unwrap();
        let on_c = a.spawn::<Calculator>(c.member().id, "calculator", &0_i64).await.unwrap();
        on_b.call(Add(1)).await.unwrap();
        let (one, two) = (on_b.down(), on_b.down());
        let asked = on_b.call(Add(1)).forever();
        sim.kill("b");
        let failed = ExitReason::NodeFailure { node: "b".into() };
        assert_eq!((one.await.reason, two.await.reason), (failed.clone(), failed));
        assert!(matches!(asked.await, Err(CallError::NoConnection) | Ok(2)));
        assert_eq!(on_b.call(Add(1)).await, Err(CallError::NoConnection));
        assert_eq!(on_c.call(Add(1)).await, Ok(1), "c is not touched");
    });
}

/// A node comes back under its name: old addresses never reach new actors, and the old incarnation is
/// reported down though the new one is there at once.
#[test]
fn node_14_a_new_incarnation_is_another_node() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b, _c) = three(&sim).await;
        let old = b.member().clone();
        let events = a.events();
        let link = a.spawn::<Calculator>(old.id, "calculator", &7_i64).await.unwrap();
        // The connections stay up as far as a can tell: the end of b is on its way still.
        sim.cut("b", "a");
        sim.kill("b");
        let again = sim_node(&sim, "b").await;
        assert_ne!(again.member().id, old.id);
        sim.heal("b", "a");
        again.join(&a.member().address, PATIENCE).await.unwrap();
        let new = a.wait_for("b", PATIENCE).await.unwrap();
        assert_eq!(new.id, again.member().id);
        let fresh = a.spawn::<Calculator>(new.id, "calculator", &100_i64).await.unwrap();
        assert_eq!(link.call(Add(1)).await, Err(CallError::NoConnection));
        assert_eq!(fresh.call(Add(1)).await, Ok(101), "no message of the old address came here");
        let downs: Vec<_> = events
            .try_iter()
            .filter_map(|event| match event {
                NodeEvent::Down { member, cause } => Some((member.id, cause)),
                _ => None,
            })
            .collect();
        assert_eq!(downs.len(), 1, "{downs:?}");
        assert_eq!(downs[0].0, old.id);
        let causes = [DownCause::ConnectionLost, DownCause::Replaced, DownCause::Reported];
        assert!(causes.contains(&downs[0].1), "{downs:?}");
    });
}

/// A silent node is suspected, then declared dead; when it speaks again, it is told and not heard.
#[test]
fn node_16_a_paused_node_is_fenced() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b, c) = three(&sim).await;
        let (of_a, of_b) = (a.events(), b.events());
        let link = a.spawn::<Calculator>(b.member().id, "calculator", &0_i64).await.unwrap();
        sim.pause("b");
        let down = link.down().await.reason;
        assert_eq!(down, ExitReason::NodeFailure { node: "b".into() });
        let seen: Vec<_> = of_a.try_iter().collect();
        let suspected = NodeEvent::Suspected(b.member().clone());
        assert!(seen.contains(&suspected) || seen.iter().any(is_reported), "{seen:?}");
        sim.resume("b");
        while !of_b.try_iter().any(|event| matches!(event, NodeEvent::Fenced { .. })) {
            sim.sleep(Duration::from_millis(10)).await;
        }
        assert!(a.members().iter().all(|member| member.name != "b"));
        assert!(c.members().iter().all(|member| member.name != "b"));
        let back = b.join(&a.member().address, PATIENCE).await.unwrap_err();
        assert!(back.to_string().contains("declared dead"), "{back}");
    });
}

/// A node that is told that it is dead has no word about those who told it, nor for them: they go on.
#[test]
fn node_16_a_fenced_node_fences_nobody() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b, c) = three(&sim).await;
        let (of_a, of_c) = (a.events(), c.events());
        sim.pause("b");
        let down = |event: NodeEvent| match event {
            NodeEvent::Down { member, .. } => Some(member.name),
            _ => None,
        };
        // It goes on as early as it can: when one of them knows, and the other perhaps not yet.
        while a.members().len() + c.members().len() == 4 {
            sim.sleep(Duration::from_millis(1)).await;
        }
        sim.resume("b");
        sim.sleep(Duration::from_secs(20)).await;
        for (node, events) in [(&a, of_a), (&c, of_c)] {
            assert_eq!(node.members().len(), 1, "the other lives");
            let seen: Vec<NodeEvent> = events.try_iter().collect();
            let fenced = |event: &NodeEvent| matches!(event, NodeEvent::Fenced { .. });
            assert!(!seen.iter().any(fenced), "{seen:?}");
            let lost: Vec<String> = seen.into_iter().filter_map(down).collect();
            assert_eq!(lost, ["b"]);
        }
        assert!(b.members().is_empty(), "nobody talks with it");
    });
}

fn is_reported(event: &NodeEvent) -> bool {
    matches!(event, NodeEvent::Down { cause: DownCause::Reported, .. })
}

/// Two nodes that join each other at the same moment, or again later, are connected once and stay so.
#[test]
fn nodes_that_join_each_other_at_once_stay_connected() {
    sim::search(0..200, |sim| async move {
        let (a, b) = (sim_node(&sim, "a").await, sim_node(&sim, "b").await);
        let (of_a, of_b) = (a.events(), b.events());
        let joining = a.clone();
        let (to_b, patience) = (b.member().address.clone(), PATIENCE);
        let joined = a.system().host().executor.clone();
        let (done, other) = actors_core::ReplyTo::channel();
        joined.spawn(Box::pin(async move { done.answer(joining.join(&to_b, patience).await) }));
        b.join(&a.member().address, PATIENCE).await.unwrap();
        other.await.unwrap().unwrap();
        b.join(&a.member().address, PATIENCE).await.unwrap();
        let link = a.spawn::<Calculator>(b.member().id, "calculator", &1_i64).await.unwrap();
        let back = b.spawn::<Calculator>(a.member().id, "calculator", &5_i64).await.unwrap();
        sim.sleep(Duration::from_secs(30)).await;
        assert_eq!((link.call(Add(1)).await, back.call(Add(1)).await), (Ok(2), Ok(6)));
        let ups = |events: Vec<NodeEvent>| {
            assert!(events.iter().all(|event| matches!(event, NodeEvent::Up(_))), "{events:?}");
            events.len()
        };
        assert_eq!((ups(of_a.try_iter().collect()), ups(of_b.try_iter().collect())), (1, 1));
        sim.kill("b");
        assert!(matches!(link.down().await.reason, ExitReason::NodeFailure { .. }));
    });
}
