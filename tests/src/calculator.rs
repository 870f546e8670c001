//! A small actor with state, to be spawned and supervised on other nodes.

use actors_core::{Actor, Context, Handler, Link, Message, System};
use serde::{Deserialize, Serialize};

/// Keeps a number.
#[derive(Debug)]
pub struct Calculator(pub i64);

impl Actor for Calculator {}

/// Adds, and answers with the sum.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Add(pub i64);

impl Message for Add {
    type Reply = i64;
}

impl Handler<Add> for Calculator {
    async fn handle(&mut self, Add(n): Add, _cx: &mut Context<Self>) -> i64 {
        self.0 += n;
        self.0
    }
}

/// Asks the other to add, through a link that came in the message.
#[derive(Debug, Serialize, Deserialize)]
pub struct AddTo(pub Link<Calculator>, pub i64);

impl Message for AddTo {
    type Reply = i64;
}

impl Handler<AddTo> for Calculator {
    async fn handle(&mut self, AddTo(other, n): AddTo, _cx: &mut Context<Self>) -> i64 {
        other.call(Add(n)).await.expect("the other lives in this test")
    }
}

/// Answers with a link to the actor itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Yourself;

impl Message for Yourself {
    type Reply = Link<Calculator>;
}

impl Handler<Yourself> for Calculator {
    async fn handle(&mut self, _: Yourself, cx: &mut Context<Self>) -> Link<Self> {
        cx.link()
    }
}

/// Panics.
#[derive(Debug, Serialize, Deserialize)]
pub struct Crash;

impl Message for Crash {
    type Reply = ();
}

impl Handler<Crash> for Calculator {
    async fn handle(&mut self, _: Crash, _cx: &mut Context<Self>) {
        panic!("as asked");
    }
}

/// Not exported.
#[derive(Debug)]
pub struct Secret;

impl Message for Secret {
    type Reply = ();
}

impl Handler<Secret> for Calculator {
    async fn handle(&mut self, _: Secret, _cx: &mut Context<Self>) {}
}

/// Doubles or negates, by the behaviour it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Apply(pub i64);

impl Message for Apply {
    type Reply = i64;
}

pub(crate) fn export(system: &System) {
    system
        .export::<Calculator>("calculator")
        .message::<Add>("add")
        .message::<AddTo>("add-to")
        .message::<Yourself>("yourself")
        .message::<Crash>("crash")
        .constructor(|start: i64, _birth| async move { Ok(Calculator(start)) });
    system.export_fn("double", |Apply(n)| 2 * n);
    system.export_fn("negate", |Apply(n)| -n);
    system.export_behaviours::<Apply>("function");
}
