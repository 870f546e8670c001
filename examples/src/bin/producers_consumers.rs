//! Producers and consumers, and a buffer of three places between them.
//!
//! The buffer answers a producer when there is room for what it brings, and a consumer when there is
//! something for it: until then they wait.

use std::{collections::VecDeque, time::Duration};

use actors_core::{Actor, Context, Handler, Link, Message, Recipient, ReplyTo, System};

const PLACES: usize = 3;

#[derive(Actor, Default)]
struct Buffer {
    items: VecDeque<u32>,
    producers: VecDeque<(u32, ReplyTo<()>)>,
    consumers: VecDeque<ReplyTo<u32>>,
}

#[derive(Message)]
struct Put(u32);

#[derive(Message)]
#[message(reply = u32)]
struct Take;

impl Buffer {
    /// Lets in whom there is room for, and serves who waits.
    fn go_on(&mut self) {
        loop {
            while self.items.len() < PLACES
                && let Some((item, producer)) = self.producers.pop_front()
            {
                self.items.push_back(item);
                producer.answer(());
            }
            if self.items.is_empty() || self.consumers.is_empty() {
                return;
            }
            let next = self.items.pop_front().zip(self.consumers.pop_front());
            let (item, consumer) = next.expect("there is one of each");
            consumer.answer(item);
        }
    }
}

impl Handler<Put> for Buffer {
    async fn handle(&mut self, _: Put, _cx: &mut Context<Self>) {
        unreachable!("producers wait for an answer")
    }

    async fn handle_call(&mut self, Put(item): Put, reply: ReplyTo<()>, _cx: &mut Context<Self>) {
        self.producers.push_back((item, reply));
        self.go_on();
    }
}

impl Handler<Take> for Buffer {
    async fn handle(&mut self, _: Take, _cx: &mut Context<Self>) -> u32 {
        unreachable!("consumers wait for an answer")
    }

    async fn handle_call(&mut self, _: Take, reply: ReplyTo<u32>, _cx: &mut Context<Self>) {
        self.consumers.push_back(reply);
        self.go_on();
    }
}

async fn produce(items: std::ops::Range<u32>, buffer: Link<Buffer>) {
    for item in items {
        buffer.call(Put(item)).forever().await.expect("the buffer lives");
    }
}

async fn consume(count: u32, buffer: Link<Buffer>, eaten: Recipient<Eaten>) {
    for _ in 0..count {
        let item = buffer.call(Take).forever().await.expect("the buffer lives");
        eaten.send(Eaten(item)).expect("somebody counts");
    }
}

/// An item that was consumed.
#[derive(Message)]
struct Eaten(u32);

fn main() -> anyhow::Result<()> {
    let system = System::new();
    let (buffer, mut eaten) = (system.spawn(Buffer::default()), system.inbox::<Eaten>());
    for producer in 0..3 {
        system.spawn_task(produce(10 * producer..10 * (producer + 1), buffer.clone()));
    }
    for _consumer in 0..2 {
        system.spawn_task(consume(15, buffer.clone(), eaten.recipient()));
    }
    let mut items = Vec::new();
    while items.len() < 30 {
        let Eaten(item) = eaten.receive_blocking(Duration::from_secs(60))?;
        println!("{item}");
        items.push(item);
    }
    items.sort_unstable();
    anyhow::ensure!(items == Vec::from_iter(0..30), "not each item once");
    println!("each item was consumed once");
    Ok(())
}
