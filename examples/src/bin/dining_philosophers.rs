//! Five philosophers at a round table, with a fork between any two. Who eats needs both.
//!
//! A fork is an actor: it answers whoever asks for it when it is free. All take the fork with the lower
//! number first: so somebody always has the other one too.

use std::collections::VecDeque;

use actors_core::{Actor, CallError, Context, Handler, Link, Message, ReplyTo, System, actor};

#[derive(Actor, Default)]
struct Fork {
    is_taken: bool,
    waiting: VecDeque<ReplyTo<()>>,
}

/// Answered when the fork is in the hand of who asked.
#[derive(Message)]
struct PickUp;

impl Handler<PickUp> for Fork {
    async fn handle(&mut self, _: PickUp, _cx: &mut Context<Self>) {
        unreachable!("who picks up waits for it")
    }

    async fn handle_call(&mut self, _: PickUp, reply: ReplyTo<()>, _cx: &mut Context<Self>) {
        if self.is_taken {
            self.waiting.push_back(reply);
        } else {
            self.is_taken = true;
            reply.answer(());
        }
    }
}

#[actor]
impl Fork {
    #[message]
    fn put_down(&mut self) {
        match self.waiting.pop_front() {
            Some(next) => next.answer(()),
            None => self.is_taken = false,
        }
    }
}

#[derive(Actor)]
struct Philosopher {
    name: &'static str,
    forks: [Link<Fork>; 2],
}

#[actor]
impl Philosopher {
    #[message]
    async fn dine(&mut self, courses: u32) -> Result<u32, CallError> {
        for _ in 0..courses {
            for fork in &self.forks {
                fork.call(PickUp).forever().await?;
            }
            println!("{} eats", self.name);
            for fork in &self.forks {
                fork.call(PutDown).await?;
            }
        }
        Ok(courses)
    }
}

fn main() -> anyhow::Result<()> {
    let system = System::new();
    let forks: [_; 5] = std::array::from_fn(|_| system.spawn(Fork::default()));
    let names = ["Thales", "Plato", "Hypatia", "Hegel", "Arendt"];
    let dinners: Vec<_> = (0..5)
        .map(|seat| {
            let (left, right) = (seat, (seat + 1) % 5);
            let forks = [left.min(right), left.max(right)].map(|fork: usize| forks[fork].clone());
            let philosopher = system.spawn(Philosopher { name: names[seat], forks });
            (names[seat], philosopher.call(Dine { courses: 3 }).forever())
        })
        .collect();
    system.block_on(async {
        for (name, dinner) in dinners {
            println!("{name} has eaten {} times", dinner.await??);
        }
        Ok(())
    })
}
