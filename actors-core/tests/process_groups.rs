//! Actors under a common name.

mod common;

use std::{sync::Arc, time::Duration};

use actors_core::{
    CallError, Context, ExitReason, Handler, Message, Recipient, System, supervision::ChildExit,
};
use common::{Crash, Record, Recorded, Recorder, everywhere};

#[derive(Clone)]
struct News(u32);

impl Message for News {
    type Reply = ();
}

impl Handler<News> for Recorder {
    async fn handle(&mut self, News(n): News, _cx: &mut Context<Self>) {
        self.0.push(n);
    }
}

/// Waits until that many are members.
async fn members(system: &System, n: usize) -> Vec<Recipient<News>> {
    loop {
        let members = system.process_group::<News>("readers").members();
        if members.len() == n {
            return members;
        }
        system.host().clock.sleep(Duration::from_micros(100)).await;
    }
}

/// Each member gets what is broadcast, in order, whoever has joined it; those who left do not.
#[test]
fn a_broadcast_reaches_the_members() {
    everywhere(|system| async move {
        let readers = system.process_group::<News>("readers");
        assert_eq!(readers.broadcast(News(0)), 0, "nobody is there yet");
        let [a, b, c] = std::array::from_fn(|_| system.spawn(Recorder::default()));
        for link in [&a, &b, &c, &a] {
            assert_eq!(readers.join(link), Ok(()));
        }
        assert_eq!(system.process_groups(), ["readers"]);
        let ids: Vec<_> = readers.members().iter().map(Recipient::id).collect();
        assert_eq!(ids, [a.id(), b.id(), c.id()], "once each, in the order of joining");
        assert_eq!(readers.broadcast(News(1)), 3);
        assert!(readers.leave(b.id()));
        assert!(!readers.leave(b.id()));
        assert_eq!(readers.broadcast(News(2)), 2);
        a.send(Record(3)).unwrap();
        assert_eq!(a.call(Recorded).await, Ok(vec![1, 2, 3]));
        assert_eq!(b.call(Recorded).await, Ok(vec![1]));
        assert_eq!(c.call(Recorded).await, Ok(vec![1, 2]));
    });
}

/// Groups of the same name and of other messages are other groups.
#[test]
fn a_group_is_of_one_type_of_message() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        system.process_group::<News>("a").join(&actor).unwrap();
        assert!(system.process_group::<Record>("a").members().is_empty());
        assert!(system.process_group::<News>("b").members().is_empty());
        system.process_group::<Record>("a").join(&actor).unwrap();
        assert_eq!(system.process_groups(), ["a"]);
        assert!(system.process_group::<News>("a").leave(actor.id()));
        assert_eq!(system.process_group::<Record>("a").members().len(), 1);
        assert!(system.process_group::<Record>("a").leave(actor.id()));
        assert!(system.process_groups().is_empty());
    });
}

/// Who dies leaves, by a crash too; the group holds those who nobody else holds; the dead cannot join.
#[test]
fn the_dead_leave_their_groups() {
    everywhere(|system| async move {
        let readers = system.process_group::<News>("readers");
        let [stops, crashes, stays] = std::array::from_fn(|_| system.spawn(Recorder::default()));
        for link in [&stops, &crashes, &stays] {
            readers.join(link).unwrap();
        }
        let kept = stays.downgrade();
        drop(stays);
        stops.stop(ExitReason::Normal);
        crashes.send(Crash).unwrap();
        let left = members(&system, 1).await;
        assert_eq!(left[0].id(), kept.upgrade().unwrap().id());
        assert_eq!(readers.join(&crashes), Err(CallError::Closed));
        assert_eq!(readers.broadcast(News(1)), 1);
        drop(left);
        assert!(readers.leave(readers.members()[0].id()));
        while kept.upgrade().is_some() {
            system.host().clock.sleep(Duration::from_micros(100)).await;
        }
    });
}

/// A member that is restarted is still one; when it is retired it is no more.
#[test]
fn a_restarted_actor_stays_in_its_groups() {
    everywhere(|system| async move {
        let seat = system.reserve::<Recorder>(Arc::new(|_: ChildExit| {}));
        let readers = system.process_group::<News>("readers");
        readers.join(seat.link()).unwrap();
        for life in 0..3 {
            seat.start(None, |_| async { Ok(Recorder::default()) }).await.unwrap();
            assert_eq!(readers.broadcast(News(life)), 1);
            assert_eq!(seat.link().call(Recorded).await, Ok(vec![life]));
            let down = seat.link().down();
            seat.link().send(Crash).unwrap();
            down.await;
        }
        assert_eq!(readers.members().len(), 1);
        seat.retire(ExitReason::Shutdown);
        members(&system, 0).await;
    });
}
