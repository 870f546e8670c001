//! Equal actors behind one address.

mod common;

use std::{collections::HashMap, time::Duration};

use actors_core::{
    Actor, ActorId, CallError, Context, DeadLetterCause, ExitReason, Handler, Link, Message,
    ReplyTo, Router, Routing, SendError, System,
};
use common::{Record, Recorded, Recorder, everywhere};

fn pool(system: &System, routing: Routing, n: usize) -> (Router<Recorder>, Vec<Link<Recorder>>) {
    let pool = Router::new(system, routing);
    let members: Vec<_> = (0..n).map(|_| system.spawn(Recorder::default())).collect();
    members.iter().for_each(|member| pool.add(member.clone()));
    (pool, members)
}

async fn recorded(members: &[Link<Recorder>]) -> Vec<Vec<u32>> {
    let mut all = Vec::new();
    for member in members {
        all.push(member.call(Recorded).await.unwrap_or_default());
    }
    all
}

async fn end<A: Actor>(link: &Link<A>) {
    let down = link.down();
    link.stop(ExitReason::Normal);
    down.await;
}

/// One after the other; the dead are passed over, and told; another can take their place.
#[test]
fn round_robin_passes_over_the_dead() {
    everywhere(|system| async move {
        let (pool, members) = pool(&system, Routing::RoundRobin, 3);
        for n in 0..6 {
            pool.send(Record(n)).unwrap();
        }
        assert_eq!(recorded(&members).await, [[0, 3], [1, 4], [2, 5]]);
        assert!(pool.lost().is_empty());
        end(&members[1]).await;
        assert_eq!(pool.lost(), [members[1].id()]);
        for n in 6..12 {
            pool.send(Record(n)).unwrap();
        }
        let handled: usize = recorded(&members).await.iter().map(Vec::len).sum();
        assert_eq!(handled, 2 + 2 + 6, "nothing is lost");

        let fresh = system.spawn(Recorder::default());
        assert!(pool.replace(fresh.id(), fresh.clone()).is_err(), "it is no member");
        pool.replace(members[1].id(), fresh.clone()).unwrap();
        assert!(pool.lost().is_empty());
        for n in 0..3 {
            pool.call(Record(n)).await.unwrap();
        }
        assert_eq!(fresh.call(Recorded).await.unwrap().len(), 1);
    });
}

/// Without a live member messages and questions come back.
#[test]
fn an_empty_pool_gives_messages_back() {
    everywhere(|system| async move {
        for routing in [Routing::RoundRobin, Routing::LeastLoaded] {
            let (pool, members) = pool(&system, routing, 1);
            end(&members[0]).await;
            assert!(matches!(pool.send(Record(1)), Err(SendError::Closed(Record(1)))));
            assert!(matches!(pool.send_by("a", Record(1)), Err(SendError::Closed(Record(1)))));
            assert_eq!(pool.call(Recorded).await, Err(CallError::Closed));
            assert!(pool.remove(members[0].id()));
            assert!(!pool.remove(members[0].id()));
            assert_eq!(pool.call_by("a", Recorded).await, Err(CallError::Closed));
        }
    });
}

/// Answers when it is told to.
#[derive(Default)]
struct Clerk(Vec<ReplyTo<ActorId>>);

impl Actor for Clerk {}

struct Ask;

impl Message for Ask {
    type Reply = ActorId;
}

impl Handler<Ask> for Clerk {
    async fn handle(&mut self, _: Ask, _cx: &mut Context<Self>) -> ActorId {
        unreachable!("questions are only asked")
    }

    async fn handle_call(&mut self, _: Ask, reply: ReplyTo<ActorId>, _cx: &mut Context<Self>) {
        self.0.push(reply);
    }
}

/// Whoever has the fewest unanswered questions gets the next one; an answer, a dropped question and a
/// death count down.
#[test]
fn least_loaded_knows_who_is_busy() {
    everywhere(|system| async move {
        let pool = Router::new(&system, Routing::LeastLoaded);
        let clerks: Vec<_> = (0..3).map(|_| system.spawn(Clerk::default())).collect();
        clerks.iter().for_each(|clerk| pool.add(clerk.clone()));
        let busy = async |clerks: &[Link<Clerk>]| {
            let mut busy = Vec::new();
            for clerk in clerks {
                busy.push(clerk.query(|clerk| clerk.0.len()).await.unwrap_or(0));
            }
            busy
        };
        let calls: Vec<_> = (0..6).map(|_| pool.call(Ask).forever()).collect();
        assert_eq!(busy(&clerks).await, [2, 2, 2]);
        let id = clerks[1].id();
        let answer = move |clerk: &mut Clerk| clerk.0.remove(0).answer(id);
        clerks[1].exec(answer).await.unwrap();
        clerks[1].exec(|clerk| drop(clerk.0.pop())).await.unwrap();
        let more: Vec<_> = (0..2).map(|_| pool.call(Ask).forever()).collect();
        assert_eq!(busy(&clerks).await, [2, 2, 2], "both went to the one that was free");
        end(&clerks[0]).await;
        let last: Vec<_> = (0..2).map(|_| pool.call(Ask).forever()).collect();
        assert_eq!(busy(&clerks).await, [0, 3, 3]);
        let mut outcomes = HashMap::new();
        for call in calls {
            for clerk in &clerks[1..] {
                let _ = clerk.update_state(move |clerk| {
                    for reply in clerk.0.drain(..) {
                        reply.answer(id);
                    }
                });
            }
            *outcomes.entry(call.await.map_err(|e| e.to_string())).or_insert(0) += 1;
        }
        assert_eq!(outcomes[&Ok(id)], 3, "one earlier, two of the third");
        assert_eq!(outcomes.values().sum::<i32>(), 6);
        drop((more, last));
    });
}

/// A key always leads to the same member; of a dead one only its own keys go elsewhere, and they come
/// back to its replacement.
#[test]
fn a_key_stays_with_its_member() {
    everywhere(|system| async move {
        let (pool, members) = pool(&system, Routing::RoundRobin, 4);
        let owners = async |members: &[Link<Recorder>]| {
            let mut owners = HashMap::new();
            for key in 0..64_u32 {
                pool.send_by(key.to_le_bytes(), Record(key)).unwrap();
            }
            for (i, member) in members.iter().enumerate() {
                let keys = member.exec(|recorder| std::mem::take(&mut recorder.0)).await;
                owners.extend(keys.unwrap_or_default().into_iter().map(|key| (key, i)));
            }
            owners
        };
        let before = owners(&members).await;
        assert_eq!(before, owners(&members).await);
        for i in 0..4 {
            let keys = before.values().filter(|owner| **owner == i).count();
            assert!((8..=26).contains(&keys), "{keys} of 64 keys");
        }
        end(&members[2]).await;
        let during = owners(&members).await;
        assert!(before.iter().all(|(key, owner)| *owner == 2 || during[key] == *owner));
        assert!(during.values().all(|owner| *owner != 2));
        let fresh = system.spawn(Recorder::default());
        pool.replace(members[2].id(), fresh.clone()).unwrap();
        let [a, b, _, d] = <[_; 4]>::try_from(members).unwrap();
        assert_eq!(before, owners(&[a, b, fresh, d]).await);
    });
}

/// Counts, or never comes to it.
struct Counter {
    stuck: bool,
    count: u32,
}

impl Actor for Counter {}

impl Handler<Record> for Counter {
    async fn handle(&mut self, _: Record, _cx: &mut Context<Self>) {
        if self.stuck {
            std::future::pending().await
        }
        self.count += 1;
    }
}

/// Full mailboxes are passed over, unless the message has a key; when all are full it comes back.
#[test]
fn full_members_are_passed_over() {
    everywhere(|system| async move {
        let pool = Router::new(&system, Routing::RoundRobin);
        let stuck = system.spawn_bounded(Counter { stuck: true, count: 0 }, 1);
        pool.add(stuck.clone());
        let full = loop {
            if let Err(error) = pool.send(Record(0)) {
                break error;
            }
        };
        assert!(matches!(full, SendError::Full(_)));
        // Once it has taken up the one that it does not get done with, it takes up no more.
        while stuck.info().handled == 0 {
            system.host().clock.sleep(Duration::from_micros(100)).await;
        }
        let free = system.spawn(Counter { stuck: false, count: 0 });
        pool.add(free.clone());
        for n in 0..20 {
            while stuck.send(Record(0)).is_ok() {}
            pool.send(Record(n)).unwrap();
        }
        assert_eq!(free.query(|counter| counter.count).await, Ok(20));
        let with_key: Vec<_> = (0..20_u8).map(|key| pool.send_by([key], Record(0))).collect();
        assert!(with_key.iter().any(|sent| matches!(sent, Err(SendError::Full(_)))));
        assert!(with_key.iter().any(Result::is_ok));
        stuck.kill();
    });
}

/// A pool that is spawned is one address; what nobody takes is a dead letter.
#[test]
fn a_pool_can_be_an_actor() {
    everywhere(|system| async move {
        let (pool, members) = pool(&system, Routing::RoundRobin, 2);
        let (address, letters) = (system.spawn(pool), system.dead_letters());
        for n in 0..4 {
            address.call(Record(n)).await.unwrap();
        }
        assert_eq!(recorded(&members).await, [[0, 2], [1, 3]]);
        for member in &members {
            end(member).await;
        }
        assert_eq!(address.call(Record(4)).await, Err(CallError::Closed));
        address.send(Record(5)).unwrap();
        assert_eq!(address.query(|pool| pool.lost().len()).await, Ok(2));
        let causes: Vec<_> = letters.try_iter().map(|letter| letter.cause).collect();
        assert_eq!(causes, [DeadLetterCause::Undeliverable]);
    });
}
