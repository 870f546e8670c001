//! What the macros expand to, and what they refuse.
#![cfg(feature = "macros")]

mod common;

use std::{collections::HashMap, hash::Hash};

use actors_core::{
    Actor, CallError, Context, ExitReason, Handler, Link, Message, ReplyTo, StartError, actor,
};
use common::everywhere;

/// Compiles each file in `tests/ui`; the error is that beside it.
#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

mod derives {
    use super::*;

    #[derive(Actor)]
    struct Bag<T, const LEAST: usize>
    where
        T: Clone,
    {
        items: Vec<T>,
    }

    #[derive(Message)]
    enum Change<T> {
        Put(T),
        Empty,
    }

    #[derive(Clone, Message)]
    #[message(reply = Result<Vec<T>, usize>)]
    struct Items<T: Default>(T);

    impl<T: Clone + Send + 'static, const LEAST: usize> Handler<Change<T>> for Bag<T, LEAST> {
        async fn handle(&mut self, change: Change<T>, _cx: &mut Context<Self>) {
            match change {
                Change::Put(item) => self.items.push(item),
                Change::Empty => self.items.clear(),
            }
        }
    }

    impl<const LEAST: usize> Handler<Items<u8>> for Bag<u8, LEAST> {
        async fn handle(
            &mut self,
            Items(last): Items<u8>,
            _cx: &mut Context<Self>,
        ) -> Result<Vec<u8>, usize> {
            self.items.push(last);
            let len = self.items.len();
            if len < LEAST { Err(len) } else { Ok(self.items.clone()) }
        }
    }

    #[test]
    fn derived_actors_and_messages_work() {
        everywhere(|system| async move {
            let bag = system.spawn(Bag::<u8, 2> { items: vec![1] });
            bag.send(Change::Empty).unwrap();
            assert_eq!(bag.call(Items(1)).await, Ok(Err(1)));
            assert_eq!(bag.call(Change::Put(2)).await, Ok(()));
            assert_eq!(bag.call(Items(3)).await, Ok(Ok(vec![1, 2, 3])));
        });
    }
}

mod counter {
    use super::*;

    pub(super) struct Counter {
        pub(super) count: u64,
    }

    impl Actor for Counter {
        async fn init(&mut self, _cx: &mut Context<Self>) -> Result<(), StartError> {
            self.count += 100;
            Ok(())
        }
    }

    #[actor]
    impl Counter {
        pub(super) const STEP: u64 = 1;

        /// Counts on.
        #[message(derive(Clone, Copy, Debug, PartialEq))]
        pub(super) fn add(&mut self, n: u64) -> u64 {
            self.step(n);
            self.count
        }

        #[message]
        pub(super) fn count(&self) -> u64 {
            self.count
        }

        #[message(name = Increase)]
        pub(super) async fn increase_slowly(
            &mut self,
            cx: &mut Context<Self>,
            mut by: u64,
            times: u64,
        ) {
            for _ in 0..times {
                cx.system().host().clock.sleep(std::time::Duration::from_millis(1)).await;
                self.add(by);
                by += Self::STEP;
            }
        }

        #[message]
        pub(super) fn finish(&mut self, reason: ExitReason, cx: &mut Context<Self>) {
            cx.stop(reason);
        }

        /// A name and argument that are keywords, a type of this impl, a type that borrows inside.
        #[message]
        pub(super) fn r#match(
            &mut self,
            r#type: Option<Box<Self>>,
            f: Box<dyn Fn(&str) -> u64 + Send>,
        ) -> [u64; 2] {
            [r#type.map_or(0, |other| other.count), f("four")]
        }

        #[cfg(any())]
        #[message]
        pub(super) fn absent(&mut self, n: NoSuchType) {}

        const fn step(&mut self, n: u64) {
            self.count += n;
        }
    }
}

use counter::{Add, Count, Counter, Finish, Increase, Match};

#[test]
fn methods_are_messages_and_stay_methods() {
    let mut counter = Counter { count: 1 };
    assert_eq!(counter.add(2), 3);
    assert_eq!(counter.count(), 3);
    everywhere(|system| async move {
        let counter = system.spawn(Counter { count: 0 });
        counter.send(Add { n: 1 }).unwrap();
        assert_eq!(counter.call(Add { n: 2 }).await, Ok(103));
        assert_eq!(counter.call(Increase { by: 1, times: 3 }).await, Ok(()));
        assert_eq!(counter.call(Count).await, Ok(109));
        let other = Counter { count: 7 };
        let both = Match { r#type: Some(Box::new(other)), f: Box::new(|s| s.len() as u64) };
        assert_eq!(counter.call(both).await, Ok([7, 4]));
        assert_eq!(counter.call(Finish { reason: ExitReason::Normal }).await, Ok(()));
        counter.down().await;
        assert_eq!(counter.call(Count).await, Err(CallError::Closed));
    });
}

#[test]
fn a_message_has_the_derives_that_it_is_given() {
    let add = Add { n: 1 };
    let copy = add;
    assert_eq!(add, copy);
    assert_eq!(format!("{copy:?}"), "Add { n: 1 }");
}

#[derive(Actor)]
struct Table<K, V>
where
    K: Eq + Hash,
{
    rows: HashMap<K, V>,
}

#[actor]
impl<K, V> Table<K, V>
where
    K: Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    #[message]
    fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.rows.insert(key, value)
    }

    #[message]
    fn get(&self, key: K) -> Option<V> {
        self.rows.get(&key).cloned()
    }

    #[message]
    fn remove(&mut self, key: K) {
        self.rows.remove(&key);
    }

    #[message]
    fn take(&mut self) -> Self {
        Self { rows: std::mem::take(&mut self.rows) }
    }

    #[message]
    fn len(&self) -> usize {
        self.rows.len()
    }
}

/// A message has those type parameters of the block that it needs.
#[test]
fn messages_of_a_generic_actor_are_generic() {
    everywhere(|system| async move {
        let table = system.spawn(Table { rows: HashMap::<&'static str, u8>::new() });
        assert_eq!(table.call(Insert { key: "a", value: 1 }).await, Ok(None));
        assert_eq!(table.call(Insert { key: "b", value: 2 }).await, Ok(None));
        assert_eq!(table.call(Get::new("a")).await, Ok(Some(1)));
        assert_eq!(table.call(Remove { key: "a" }).await, Ok(()));
        assert_eq!(table.call(Len).await, Ok(1));
        let taken = table.call(Take::new()).await.unwrap();
        assert_eq!(taken.rows, HashMap::from([("b", 2)]));
        assert_eq!(table.call(Len).await, Ok(0));
    });
}

#[derive(Actor)]
struct Grid<const N: usize>([u8; N]);

#[actor]
impl<const N: usize> Grid<N> {
    #[message]
    fn cells(&self) -> [u8; N] {
        self.0
    }
}

#[test]
fn messages_take_constants_of_the_block() {
    everywhere(|system| async move {
        let grid = system.spawn(Grid([1, 2, 3]));
        assert_eq!(grid.call(Cells).await, Ok([1, 2, 3]));
    });
}

/// Answers when it is asked the next time.
#[derive(Actor)]
struct Desk<T: Send + 'static> {
    waiting: Option<ReplyTo<(u32, T)>>,
    last: T,
}

#[actor]
impl<T: Clone + Send + 'static> Desk<T> {
    #[message]
    fn wait(&mut self, mut n: u32, reply: ReplyTo<(u32, T)>, _: &mut Context<Self>) {
        n += 1;
        if let Some(before) = self.waiting.replace(reply) {
            before.answer((n, self.last.clone()));
        }
    }

    #[message(name = Pass)]
    async fn pass_on(&mut self, to: Link<Self>, reply: ReplyTo<(u32, T)>) {
        let _ = to.ask(Wait::new(7), reply);
    }
}

/// A method with a `ReplyTo` answers later, or hands the question on; what is only sent is handled too.
#[test]
fn methods_answer_later() {
    everywhere(|system| async move {
        let [desk, front] =
            std::array::from_fn(|_| system.spawn(Desk { waiting: None, last: "closed" }));
        let first = desk.call(Wait::new(1)).forever();
        let second = desk.call(Wait::new(2)).forever();
        assert_eq!(first.await, Ok((3, "closed")));
        desk.send(Wait::new(4)).unwrap();
        assert_eq!(second.await, Ok((5, "closed")), "by one that nobody waits for");
        let third = front.call(Pass { to: desk.clone() }).forever();
        front.exec(|_| ()).await.unwrap();
        let _fourth = desk.call(Wait::new(8));
        assert_eq!(third.await, Ok((9, "closed")), "by whom it was passed on to");
    });
}
