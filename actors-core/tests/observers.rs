//! Who sees an actor's state between its messages.

mod common;

use actors_core::{
    Actor, Context, Handler, Link, Message, StartError, System, WeakLink, supervision::Observer,
};
use common::everywhere;
use crossbeam_channel::{Receiver, Sender, unbounded};
use futures_lite::future::yield_now;

/// Counts by two, and is odd while its handler waits.
struct Pairs {
    count: u64,
    seen: Sender<(u64, u64)>,
}

struct Add;

impl Message for Add {
    type Reply = ();
}

impl Actor for Pairs {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        cx.observe(Watcher { seen: self.seen.clone(), attached: None });
        Ok(())
    }
}

impl Handler<Add> for Pairs {
    async fn handle(&mut self, _: Add, _: &mut Context<Self>) {
        self.count += 1;
        yield_now().await;
        self.count += 1;
    }
}

/// Tells the messages handled with the count, and panics at every other look.
struct Watcher {
    seen: Sender<(u64, u64)>,
    attached: Option<WeakLink<Pairs>>,
}

impl Observer<Pairs> for Watcher {
    fn attached(&mut self, actor: WeakLink<Pairs>, _system: &System) {
        self.attached = Some(actor);
    }

    fn observe(&mut self, actor: &Pairs, handled: u64) {
        assert!(self.attached.as_ref().is_some_and(|actor| actor.upgrade().is_some()));
        let _ = self.seen.send((handled, actor.count));
        assert!(!handled.is_multiple_of(2), "as it was told");
    }
}

fn observed(system: &System) -> (Link<Pairs>, Receiver<(u64, u64)>) {
    let (seen, rx) = unbounded();
    (system.spawn(Pairs { count: 0, seen }), rx)
}

/// Each state between two messages is seen, with the messages so far; none while a handler waits. Panics
/// of the observer cost the actor nothing, and no message its number.
#[test]
fn states_between_messages_are_seen_and_no_others() {
    everywhere(|system| async move {
        let (pairs, seen) = observed(&system);
        for _ in 0..10 {
            pairs.send(Add).unwrap();
        }
        pairs.call(Add).await.unwrap();
        // Before this message, which counts too, the state after the ones before it was seen.
        assert_eq!(pairs.query(|pairs| pairs.count).await, Ok(22));
        let seen: Vec<_> = seen.try_iter().collect();
        assert!(seen.iter().all(|(handled, count)| *count == 2 * handled.min(&11)), "{seen:?}");
        for handled in 0..=11 {
            assert!(seen.iter().any(|(n, _)| *n == handled), "{handled} is not in {seen:?}");
        }
    });
}

/// The state after the last message is seen without another one.
#[test]
fn the_last_state_is_seen_when_the_mailbox_is_empty() {
    everywhere(|system| async move {
        let (pairs, seen) = observed(&system);
        pairs.send(Add).unwrap();
        loop {
            match seen.try_recv() {
                Ok((1, count)) => return assert_eq!(count, 2),
                Ok((handled, _)) => assert_eq!(handled, 0),
                Err(_) => system.host().clock.sleep(std::time::Duration::from_millis(1)).await,
            }
        }
    });
}
