//! Names that every node knows, in the simulation and over sockets.

use std::{collections::BTreeSet, time::Duration};

use actors_core::{ActorId, ExitReason, Link, NameError, ReplyTo, System, sim};
use actors_node::{Hosts, NameEvent, Node, NodeEvent, RegisterError, SuperviseRemotely};
use actors_supervise::{Strategy, Supervisor, SupervisorLink};
use actors_tests::{
    bank::Account,
    calculator::{Add, Calculator, Crash, Secret},
    cluster::{PATIENCE, connect, real_node, sim_node, sim_nodes, until},
};
use futures_lite::{StreamExt, future::zip, stream};

const SEEDS: u64 = 60;

/// Who has the name, as all nodes say.
fn agreed(nodes: &[Node], name: &str) -> Option<ActorId> {
    let said: BTreeSet<_> = nodes.iter().map(|node| holder(node, name)).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    said.into_iter().next().flatten()
}

fn holder(node: &Node, name: &str) -> Option<ActorId> {
    node.names().registered().into_iter().find(|(known, _)| known == name).map(|(_, actor)| actor)
}

/// All at once, in their order.
async fn all<T: Send + 'static>(
    system: &System,
    futures: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut answers = Vec::new();
    for future in futures {
        let (reply, answer) = ReplyTo::channel();
        system.spawn_task(async move { reply.answer(future.await) });
        answers.push(answer);
    }
    stream::iter(answers).then(|answer| async { answer.await.expect("it ends") }).collect().await
}

/// When it was registered, every node finds it, and what is sent there arrives.
#[test]
fn node_25_a_name_is_known_on_all_nodes_when_it_was_registered() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["a", "b", "c"]).await;
        let counter = nodes[0].system().spawn(Calculator(40));
        nodes[0].names().register("counter", &counter).await.unwrap();
        for node in &nodes {
            let found = node.names().whereis::<Calculator>("counter").unwrap();
            assert_eq!(found, counter);
            found.call(Add(1)).await.unwrap();
            let of_type = node.names().whereis::<Account>("counter").unwrap_err();
            assert!(matches!(of_type, NameError::WrongType { .. }), "{of_type:?}");
        }
        nodes[0].names().register("counter", &counter).await.unwrap();
        let other = nodes[1].system().spawn(Calculator(0));
        let taken = nodes[1].names().register("counter", &other).await;
        assert_eq!(taken, Err(RegisterError::Taken { by: counter.id() }));
        let late = sim_node(&sim, "late").await;
        late.join(&nodes[2].member().address, PATIENCE).await.unwrap();
        until(&sim, || holder(&late, "counter").is_some()).await;
        let found = late.names().whereis::<Calculator>("counter");
        until(&sim, || late.members().len() == 3).await;
        assert_eq!(found.unwrap().call(Add(0)).await, Ok(43));
        nodes[2].names().unregister("counter").await.unwrap();
        assert_eq!(agreed(&nodes, "counter"), None);
        let unknown = RegisterError::Unknown("counter".into());
        assert_eq!(nodes[1].names().unregister("counter").await, Err(unknown));
        nodes[1].names().register("counter", &other).await.unwrap();
        assert_eq!(agreed(&nodes, "counter"), Some(other.id()));
    });
}

/// An actor may be registered from any node; its home keeps the name.
#[test]
fn node_25_the_home_of_an_actor_is_asked_for_its_name() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["a", "b", "c"]).await;
        let on_b = nodes[1].member().id;
        let away = nodes[0].spawn::<Calculator>(on_b, "calculator", &1_i64).await.unwrap();
        nodes[0].names().register("away", &away).await.unwrap();
        let found = nodes[2].names().whereis::<Calculator>("away").unwrap();
        nodes[2].names().register("again", &found).await.unwrap();
        assert_eq!(agreed(&nodes, "again"), Some(away.id()));
        assert_eq!(
            nodes[1].names().whereis::<Calculator>("again").unwrap().call(Add(1)).await,
            Ok(2)
        );
        found.stop(ExitReason::Normal);
        let live = &nodes;
        until(&sim, || live.iter().all(|node| node.names().registered().is_empty())).await;
        let dead = nodes[2].names().register("again", &found).await;
        assert_eq!(dead, Err(RegisterError::Dead));
        sim.kill("a");
        until(&sim, || nodes[2].members().len() == 1).await;
        let home = nodes[0].member().id;
        let lost = nodes[2].names().register("again", &found).await;
        assert_eq!(lost, Err(RegisterError::NoConnection { home }));
    });
}

/// What cannot be registered is told at once, as what it is.
#[test]
fn node_25_what_cannot_have_a_name_is_a_typed_error() {
    sim::search(0..4, |sim| async move {
        let nodes = sim_nodes(&sim, &["a", "b"]).await;
        let system = nodes[0].system();
        let function = system.spawn_fn(|Secret, _| ());
        let names = nodes[0].names();
        let not_exported = names.register("f", &function).await.unwrap_err();
        assert!(matches!(not_exported, RegisterError::NotExported(_)), "{not_exported:?}");
        let actor = system.spawn(Calculator(0));
        let long = "n".repeat(RegisterError::LONGEST + 1);
        let too_long = RegisterError::TooLong { bytes: 256, limit: 255 };
        assert_eq!(names.register(&long, &actor).await, Err(too_long));
        names.register(&long[1..], &actor).await.unwrap();
        actor.kill();
        actor.down().await;
        until(&sim, || nodes[1].names().registered().is_empty()).await;
        assert_eq!(names.register("f", &actor).await, Err(RegisterError::Dead));
        let alive = system.spawn(Calculator(0));
        nodes[0].leave();
        assert_eq!(names.register("f", &alive).await, Err(RegisterError::Left));
    });
}

/// All nodes want all names, at once, while connections break: each name has one winner.
#[test]
fn node_25_concurrent_registrations_have_one_winner() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["a", "b", "c", "d"]).await;
        let names = ["x", "y", "z"];
        let mut wanted = Vec::new();
        for node in &nodes {
            for name in names {
                let (registry, actor) = (node.names(), node.system().spawn(Calculator(0)));
                wanted.push(async move {
                    (name, actor.id(), registry.register(name, &actor).await, actor)
                });
            }
        }
        let registering = all(nodes[0].system(), wanted);
        let breaking = async {
            for _ in 0..10 {
                sim.sleep(Duration::from_micros(sim.random() % 400)).await;
                let of = ["a", "b", "c", "d"];
                let [from, to] = [sim.random(), sim.random()].map(|n| of[n as usize % 4]);
                if from != to {
                    sim.break_connections(from, to);
                }
            }
        };
        let (results, ()) = zip(registering, breaking).await;
        for name in names {
            let winner = agreed(&nodes, name).expect("one has it");
            for (_, actor, result, _) in results.iter().filter(|(of, ..)| *of == name) {
                let expected = match *actor == winner {
                    true => Ok(()),
                    false => Err(RegisterError::Taken { by: winner }),
                };
                assert_eq!(*result, expected);
            }
        }
    });
}

/// Nodes that die while names are given out: never do two live actors have one, and all agree.
#[test]
fn node_25_one_winner_while_nodes_die() {
    sim::search(0..2 * SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["a", "b", "c", "d", "e"]).await;
        let mut wanted = Vec::new();
        for node in &nodes {
            let (registry, actor) = (node.names(), node.system().spawn(Calculator(0)));
            let (reply, answer) = ReplyTo::channel();
            node.system().spawn_task(async move {
                reply.answer(registry.register("leader", &actor).await);
                std::future::pending::<()>().await;
                drop(actor);
            });
            wanted.push(answer);
        }
        for victim in ["d", "e"] {
            sim.sleep(Duration::from_micros(sim.random() % 3000)).await;
            sim.kill(victim);
        }
        let mut winners = 0;
        for answer in wanted.drain(..).take(3) {
            match answer.await.expect("its node lives") {
                Ok(()) => winners += 1,
                Err(RegisterError::Taken { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(winners <= 1);
        let live = &nodes[..3];
        until(&sim, || live.iter().all(|node| node.members().len() == 2)).await;
        let holder = agreed(live, "leader");
        assert_eq!(holder.is_some(), winners == 1, "what the dead had is free");
        let actor = nodes[0].system().spawn(Calculator(0));
        let again = nodes[0].names().register("leader", &actor).await;
        assert_eq!(again.is_ok(), winners == 0, "{again:?}");
    });
}

/// Who joins and registers at once, as every node of a cluster that starts does: one gets the name.
#[test]
fn node_25_nodes_that_start_together_have_one_winner() {
    sim::search(0..4 * SEEDS, |sim| async move {
        let first = sim_node(&sim, "a").await;
        let mut starting = Vec::new();
        let mut nodes = vec![first.clone()];
        for name in ["b", "c", "d", "e"] {
            let node = sim_node(&sim, name).await;
            nodes.push(node.clone());
            let (address, sim) = (first.member().address.clone(), sim.clone());
            starting.push(async move {
                sim.sleep(Duration::from_micros(sim.random() % 2000)).await;
                node.join(&address, PATIENCE).await.unwrap();
                let actor = node.system().spawn(Calculator(0));
                let result = node.names().register("leader", &actor).await;
                (result, actor)
            });
        }
        let results = all(first.system(), starting).await;
        let winners: Vec<_> = results.iter().filter(|(result, _)| result.is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        until(&sim, || nodes.iter().all(|node| holder(node, "leader").is_some())).await;
        assert_eq!(agreed(&nodes, "leader"), Some(winners[0].1.id()));
    });
}

/// The names of a dead node are gone with the news of its death, everywhere; those of others stay.
#[test]
fn node_25_the_names_of_a_dead_node_are_purged() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["a", "b", "c"]).await;
        let (on_a, on_b) =
            (nodes[0].system().spawn(Calculator(0)), nodes[1].system().spawn(Calculator(0)));
        nodes[0].names().register("a", &on_a).await.unwrap();
        nodes[1].names().register("b", &on_b).await.unwrap();
        let events = nodes[2].names().events();
        let registry = nodes[2].names();
        let (tx, told) = crossbeam_channel::unbounded();
        nodes[2].on_event(move |event| {
            if matches!(event, NodeEvent::Down { .. }) {
                tx.send(registry.registered().len()).unwrap();
            }
        });
        sim.kill("a");
        until(&sim, || nodes[1..].iter().all(|node| node.members().len() == 1)).await;
        until(&sim, || !told.is_empty()).await;
        assert_eq!(told.recv(), Ok(1), "who hears of the death finds the names gone");
        until(&sim, || nodes[1..].iter().all(|node| node.names().registered().len() == 1)).await;
        assert_eq!(agreed(&nodes[1..], "b"), Some(on_b.id()));
        let purged = NameEvent::Purged { name: "a".into(), actor: on_a.id() };
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [purged]);
        nodes[2].names().register("a", &on_b).await.unwrap();
    });
}

async fn supervised(node: &Node, on: &str, spare: &str) -> (SupervisorLink, Link<Calculator>) {
    let hosts = Hosts::new(node, [spare.to_owned()]);
    let address = hosts.child::<Calculator>("child", "calculator", on);
    let link = address.link();
    let builder = Supervisor::builder(Strategy::OneForOne).hosts(&hosts);
    let builder = builder.child(address.spec(|_| Ok(10_i64)));
    (builder.start(node.system()).await.unwrap(), link)
}

/// A supervised child keeps its name over restarts and moves, until its supervisor gives it up.
#[test]
fn node_25_a_name_follows_its_actor() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["head", "n1", "s1", "other"]).await;
        let (supervisor, child) = supervised(&nodes[0], "n1", "s1").await;
        let watching = nodes[3].names();
        nodes[0].names().register("child", &child).await.unwrap();
        let events = watching.events();
        let by_name = async |n: i64| {
            loop {
                let found = watching.whereis::<Calculator>("child").unwrap();
                if let Ok(sum) = found.call(Add(n)).await {
                    return sum;
                }
                sim.sleep(Duration::from_millis(1)).await;
            }
        };
        assert_eq!(by_name(1).await, 11);
        child.call(Crash).await.unwrap_err();
        assert_eq!(by_name(2).await, 12, "restarted");
        sim.kill("n1");
        assert_eq!(by_name(3).await, 13, "on the spare");
        assert_eq!(watching.whereis_any("child").unwrap().location().node, nodes[2].member().id);
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [], "the name never moved");
        let late = sim_node(&sim, "late").await;
        late.join(&nodes[3].member().address, PATIENCE).await.unwrap();
        until(&sim, || late.members().len() == 3 && holder(&late, "child").is_some()).await;
        let found = late.names().whereis::<Calculator>("child").unwrap();
        assert_eq!(found.call(Add(1)).await, Ok(14), "who comes later is told where it is now");
        supervisor.shutdown(ExitReason::Normal).await;
        until(&sim, || holder(&late, "child").is_none() && holder(&nodes[3], "child").is_none())
            .await;
    });
}

/// A name over sockets: registered here, found there, gone with its node.
#[test]
fn node_25_names_over_sockets() {
    let system = System::builder().name("main").build();
    system.block_on(async {
        let (a, b) = (real_node("a").await, real_node("b").await);
        connect(&[&a, &b]).await;
        let counter = a.system().spawn(Calculator(40));
        a.names().register("counter", &counter).await.unwrap();
        let found = b.names().whereis::<Calculator>("counter").unwrap();
        assert_eq!(found.call(Add(2)).await, Ok(42));
        let events = b.names().events();
        let (mine, yours) = (a.system().spawn(Calculator(0)), b.system().spawn(Calculator(0)));
        let (names_a, names_b) = (a.names(), b.names());
        for n in 0..50 {
            let name = format!("name-{n}");
            let both = zip(names_a.register(&name, &mine), names_b.register(&name, &yours)).await;
            assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
            assert_eq!(holder(&a, &name), holder(&b, &name));
        }
        a.leave();
        while let Ok(event) = events.recv_timeout(PATIENCE) {
            if event == (NameEvent::Purged { name: "counter".into(), actor: counter.id() }) {
                return;
            }
        }
        panic!("the name of a node that left is still there");
    });
}

/// Two clusters that have given out the same name are joined: one keeps it, on all nodes, and the home of the
/// other is told.
#[test]
fn node_25_joined_clusters_agree_on_one() {
    sim::search(0..2 * SEEDS, |sim| async move {
        let left = sim_nodes(&sim, &["a", "b"]).await;
        let right = sim_nodes(&sim, &["c", "d"]).await;
        let (mine, yours) =
            (left[0].system().spawn(Calculator(1)), right[0].system().spawn(Calculator(2)));
        // Who had it later has the higher stamp.
        let earlier = right[0].system().spawn(Calculator(3));
        right[0].names().register("another", &earlier).await.unwrap();
        left[0].names().register("leader", &mine).await.unwrap();
        right[0].names().register("leader", &yours).await.unwrap();
        let events = right[0].names().events();
        right[1].join(&left[1].member().address, PATIENCE).await.unwrap();
        let all = [left, right].concat();
        until(&sim, || all.iter().all(|node| node.members().len() == 3)).await;
        until(&sim, || all.iter().all(|node| holder(node, "leader") == Some(mine.id()))).await;
        until(&sim, || all.iter().all(|node| holder(node, "another") == Some(earlier.id()))).await;
        let lost = NameEvent::Lost { name: "leader".into(), actor: yours.id(), to: mine.id() };
        until(&sim, || events.try_iter().any(|event| event == lost)).await;
        assert_eq!(yours.call(Add(0)).await, Ok(2), "it lives on");
        let again = all[2].names().register("leader", &yours).await;
        assert_eq!(again, Err(RegisterError::Taken { by: mine.id() }));
    });
}

/// A life that was declared dead gives out nothing: its names are gone, and what it says later is not taken.
#[test]
fn node_25_a_fenced_life_names_nobody() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["a", "b", "c"]).await;
        let actors: Vec<_> = nodes.iter().map(|node| node.system().spawn(Calculator(0))).collect();
        nodes[0].names().register("old", &actors[0]).await.unwrap();
        for other in ["b", "c"] {
            sim.cut("a", other);
        }
        until(&sim, || nodes[1..].iter().all(|node| node.members().len() == 1)).await;
        assert_eq!(agreed(&nodes[1..], "old"), None);
        let (names, actor) = (nodes[0].names(), actors[0].clone());
        nodes[0].system().spawn_task(async move {
            let _ = names.register("new", &actor).await;
        });
        nodes[1].names().register("new", &actors[1]).await.unwrap();
        for other in ["b", "c"] {
            sim.heal("a", other);
        }
        until(&sim, || nodes[0].members().is_empty()).await;
        sim.sleep(Duration::from_secs(10)).await;
        assert_eq!(agreed(&nodes[1..], "new"), Some(actors[1].id()));
        assert_eq!(agreed(&nodes[1..], "old"), None);
    });
}
