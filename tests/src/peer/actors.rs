//! What peers run for each other. All of it says on standard output what happens to it.

use std::{process, time::Duration};

use actors_core::{Actor, Context, Handler, Message, System};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Says which notes arrive: `heard FROM N`.
#[derive(Debug)]
pub struct Book;

impl Actor for Book {}

/// A numbered note.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// The node that wrote it.
    pub from: String,
    /// Its number.
    pub n: u64,
}

impl Message for Note {
    type Reply = ();
}

impl Handler<Note> for Book {
    async fn handle(&mut self, Note { from, n }: Note, _cx: &mut Context<Self>) {
        println!("heard {from} {n}");
    }
}

/// Much that is to be carried to a book; it is answered, and else thrown away.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bulk(pub ByteBuf);

impl Message for Bulk {
    type Reply = ();
}

impl Handler<Bulk> for Book {
    async fn handle(&mut self, _: Bulk, _cx: &mut Context<Self>) {}
}

/// A supervised actor that takes its time to start: `starting ID`, `started ID`, `ended ID`.
#[derive(Debug)]
pub struct Worker {
    id: String,
}

/// What a [`Worker`] is started from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerArgs {
    /// What it calls itself.
    pub id: String,
    /// How long its start takes.
    pub slow: Duration,
}

impl Actor for Worker {}

impl Drop for Worker {
    fn drop(&mut self) {
        println!("ended {}", self.id);
    }
}

/// Answers with the id of the process that the actor runs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Where;

impl Message for Where {
    type Reply = u32;
}

impl Handler<Where> for Worker {
    async fn handle(&mut self, _: Where, _cx: &mut Context<Self>) -> u32 {
        process::id()
    }
}

pub(crate) fn export(system: &System) {
    system
        .export::<Book>("book")
        .message::<Note>("note")
        .message::<Bulk>("bulk")
        .constructor(|(): (), _birth| async move { Ok(Book) });
    system.export::<Worker>("worker").message::<Where>("where").constructor(
        |WorkerArgs { id, slow }: WorkerArgs, birth| async move {
            println!("starting {id}");
            birth.system.host().clock.sleep(slow).await;
            println!("started {id}");
            Ok(Worker { id })
        },
    );
}
