//! A stack of actors (Agha, 1986): each item is one, and knows the one below it.
//!
//! The address of the stack never changes. Pushed onto, its actor becomes the new item, and what it was
//! goes on in a new actor below. Popped, it hands everything on to the one below.

use actors_core::{Actor, Context, Handler, Link, Message, ReplyTo, System};

#[derive(Actor)]
enum Stack {
    Bottom,
    Item(u32, Link<Self>),
    HandsOn(Link<Self>),
}

#[derive(Message)]
struct Push(u32);

#[derive(Message)]
#[message(reply = Option<u32>)]
struct Pop;

impl Handler<Push> for Stack {
    async fn handle(&mut self, Push(n): Push, cx: &mut Context<Self>) {
        let below = std::mem::replace(self, Self::Bottom);
        *self = Self::Item(n, cx.system().spawn(below));
    }
}

impl Handler<Pop> for Stack {
    async fn handle(&mut self, _: Pop, _cx: &mut Context<Self>) -> Option<u32> {
        unreachable!("a pop is always asked for its answer")
    }

    async fn handle_call(&mut self, _: Pop, reply: ReplyTo<Option<u32>>, _cx: &mut Context<Self>) {
        match std::mem::replace(self, Self::Bottom) {
            Self::Bottom => reply.answer(None),
            Self::Item(n, below) => {
                *self = Self::HandsOn(below);
                reply.answer(Some(n));
            }
            Self::HandsOn(below) => {
                let _ = below.ask(Pop, reply);
                *self = Self::HandsOn(below);
            }
        }
    }
}

fn main() -> anyhow::Result<()> {
    let system = System::new();
    let stack = system.spawn(Stack::Bottom);
    for n in 1..=5 {
        stack.send(Push(n))?;
    }
    system.block_on(async {
        while let Some(n) = stack.call(Pop).await? {
            println!("{n}");
        }
        println!("empty");
        Ok(())
    })
}
