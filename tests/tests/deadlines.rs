//! What goes with a question to another node: its deadline, and the trace of its asker.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::{
    Actor, CallError, Context, DeadLetterCause, Handler, Message, Propagator, System,
    sim::{self, Sim},
};
use actors_node::Node;
use actors_tests::{
    calculator::{Add, AddTo, Calculator},
    cluster::{connect, sim_node, sim_nodes, start},
};

use serde::{Deserialize, Serialize};

const SEEDS: u64 = 60;
const MS: Duration = Duration::from_millis(1);

/// Counts its questions, each of which takes a while.
struct Slow(u64);

impl Actor for Slow {}

#[derive(Serialize, Deserialize)]
struct Take(Duration);

impl Message for Take {
    type Reply = u64;
}

impl Handler<Take> for Slow {
    async fn handle(&mut self, Take(time): Take, cx: &mut Context<Self>) -> u64 {
        self.0 += 1;
        cx.system().host().clock.sleep(time).await;
        self.0
    }
}

fn export(node: &Node) {
    let export = node.system().export::<Slow>("slow").message::<Take>("take");
    export.constructor(|count: u64, _| async move { Ok(Slow(count)) });
}

async fn two(sim: &Sim) -> (Node, Node) {
    let nodes = sim_nodes(sim, &["a", "b"]).await;
    nodes.iter().for_each(export);
    (nodes[0].clone(), nodes[1].clone())
}

#[test]
fn node_28_a_question_past_its_deadline_is_not_begun_on_another_node() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b) = two(&sim).await;
        let slow = a.spawn::<Slow>(b.member().id, "slow", &0_u64).await.unwrap();
        let letters = b.system().dead_letters();
        let long = slow.call_within(Take(500 * MS), 1_000 * MS);
        let late = slow.call_within(Take(MS), 100 * MS);
        let in_time = slow.call_within(Take(MS), 2_000 * MS);
        assert_eq!(late.await, Err(CallError::Timeout));
        assert_eq!(long.await, Ok(1));
        assert_eq!(in_time.await, Ok(2), "the one that was late was not begun");
        let late: Vec<_> = letters.try_iter().map(|letter| letter.cause).collect();
        assert_eq!(late, [DeadLetterCause::Late]);
    });
}

/// One that has begun goes on, and its answer is dropped.
#[test]
fn node_28_a_question_that_has_begun_on_another_node_ends() {
    sim::search(0..SEEDS, |sim| async move {
        let (a, b) = two(&sim).await;
        let slow = a.spawn::<Slow>(b.member().id, "slow", &0_u64).await.unwrap();
        let late = slow.call_within(Take(500 * MS), 250 * MS);
        assert_eq!(late.await, Err(CallError::Timeout));
        assert_eq!(slow.call(Take(MS)).await, Ok(2));
    });
}

/// The trace that a node is in, as spans would have it: what comes in is what goes out from there.
#[derive(Clone, Default)]
struct Traces(Arc<Mutex<Vec<Vec<u8>>>>);

impl Propagator for Traces {
    fn inject(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap().last().cloned()
    }

    fn extract(&self, trace: &[u8]) {
        self.0.lock().unwrap().push(trace.to_vec());
    }
}

async fn traced(sim: &Sim, name: &str, traces: &Traces) -> Node {
    let system = System::builder().name(name).host(sim.node(name)).propagator(traces.clone());
    start(&system.build()).await
}

#[test]
fn node_28_a_trace_goes_on_over_three_nodes() {
    sim::search(0..SEEDS, |sim| async move {
        let traces: [Traces; 3] = Default::default();
        let a = traced(&sim, "a", &traces[0]).await;
        let b = traced(&sim, "b", &traces[1]).await;
        let c = traced(&sim, "c", &traces[2]).await;
        connect(&[&a, &b, &c]).await;
        let on_b = a.spawn::<Calculator>(b.member().id, "calculator", &0_i64).await.unwrap();
        let on_c = a.spawn::<Calculator>(c.member().id, "calculator", &0_i64).await.unwrap();
        assert_eq!(on_b.call(Add(1)).await, Ok(1));
        assert!(traces[1].0.lock().unwrap().is_empty(), "a is in no trace yet");

        traces[0].extract(b"00-7-1-01");
        assert_eq!(on_b.call(AddTo(on_c.clone(), 5)).await, Ok(5));
        assert_eq!(*traces[1].0.lock().unwrap(), [b"00-7-1-01"]);
        assert_eq!(*traces[2].0.lock().unwrap(), [b"00-7-1-01"], "what b asks c is in the trace");
        on_c.send(Add(1)).unwrap();
        assert_eq!(on_c.call(Add(1)).await, Ok(7));
        assert_eq!(traces[2].0.lock().unwrap().len(), 3, "what is sent has it too");
    });
}

/// Who knows nothing of traces handles what has one.
#[test]
fn node_28_a_trace_is_nothing_to_who_has_no_propagator() {
    sim::search(0..SEEDS, |sim| async move {
        let traces = Traces::default();
        traces.extract(&[0xff; 100]);
        let (a, b) = (traced(&sim, "a", &traces).await, sim_node(&sim, "b").await);
        connect(&[&a, &b]).await;
        let on_b = a.spawn::<Calculator>(b.member().id, "calculator", &0_i64).await.unwrap();
        assert_eq!(on_b.call(Add(1)).await, Ok(1));
    });
}
