//! Messages to code that is no actor.

mod common;

use std::time::Duration;

use actors_core::{
    Actor, Context, ExitReason, Handler, Message, ReceiveError, Recipient, SendError, System,
};
use common::{Record, everywhere, real_hosts};

const LONG: Duration = Duration::from_secs(10);

/// Sends back each number that it gets.
struct Echo;

impl Actor for Echo {}

struct Say(u32, Recipient<Record>);

impl Message for Say {
    type Reply = ();
}

impl Handler<Say> for Echo {
    async fn handle(&mut self, Say(n, to): Say, _cx: &mut Context<Self>) {
        let _ = to.send(Record(n));
    }
}

/// The first match comes; the others keep their order; nothing is lost when the time is over.
#[test]
fn core_10_a_selective_receive_keeps_the_others_in_order() {
    everywhere(|system| async move {
        let (echo, mut inbox) = (system.spawn(Echo), system.inbox::<Record>());
        for n in 0..6 {
            echo.send(Say(n, inbox.recipient())).unwrap();
        }
        assert_eq!(inbox.receive_match(|m| m.0 > 3, LONG).await.unwrap().0, 4);
        assert_eq!(inbox.receive_match(|m| m.0 % 2 == 1, LONG).await.unwrap().0, 1);
        let in_vain = inbox.receive_match(|m| m.0 > 9, Duration::from_millis(5)).await;
        assert_eq!(in_vain.err(), Some(ReceiveError::Timeout));
        for n in [0, 2, 3, 5] {
            assert_eq!(inbox.receive(LONG).await.unwrap().0, n);
        }
    });
}

/// With a timeout of zero everything that was sent before is looked at, and nothing is waited for.
#[test]
fn core_10_a_timeout_of_zero_scans_what_is_there() {
    everywhere(|system| async move {
        let mut inbox = system.inbox::<Record>();
        assert_eq!(inbox.receive(Duration::ZERO).await.err(), Some(ReceiveError::Timeout));
        for n in 0..3 {
            inbox.recipient().send(Record(n)).unwrap();
        }
        assert_eq!(inbox.receive_match(|m| m.0 == 2, Duration::ZERO).await.unwrap().0, 2);
        assert_eq!(inbox.receive(Duration::ZERO).await.unwrap().0, 0);
        assert_eq!(inbox.receive(Duration::ZERO).await.unwrap().0, 1);
    });
}

/// A receive that is dropped while it waits has taken nothing.
#[test]
fn core_10_a_dropped_receive_loses_nothing() {
    everywhere(|system| async move {
        let (echo, mut inbox) = (system.spawn(Echo), system.inbox::<Record>());
        for n in 0..50 {
            echo.send(Say(n, inbox.recipient())).unwrap();
        }
        let mut received = Vec::new();
        while received.len() < 50 {
            let receive = async { Some(inbox.receive(LONG).await.unwrap().0) };
            let give_up = async {
                futures_lite::future::yield_now().await;
                None
            };
            received.extend(futures_lite::future::or(receive, give_up).await);
        }
        assert_eq!(received, (0..50).collect::<Vec<_>>());
    });
}

/// On plain threads both forms block; where they could deadlock they are refused.
#[test]
fn core_10_core_42_a_blocking_receive_is_for_plain_threads() {
    struct Waiter;
    impl Actor for Waiter {}
    struct Go;
    impl Message for Go {
        type Reply = Option<ReceiveError>;
    }
    impl Handler<Go> for Waiter {
        async fn handle(&mut self, _: Go, cx: &mut Context<Self>) -> Option<ReceiveError> {
            let mut inbox = cx.system().inbox::<Record>();
            inbox.recipient().send(Record(1)).unwrap();
            inbox.receive_blocking(LONG).err()
        }
    }
    for (_, host) in real_hosts() {
        let system = System::builder().host(host).build();
        let (echo, mut inbox) = (system.spawn(Echo), system.inbox::<Record>());
        let late = std::thread::spawn({
            let to = inbox.recipient();
            move || (0..3).for_each(|n| echo.send(Say(n, to.clone())).unwrap())
        });
        assert_eq!(inbox.receive_match_blocking(|m| m.0 == 2, LONG).unwrap().0, 2);
        assert_eq!(inbox.receive_blocking(LONG).unwrap().0, 0);
        assert_eq!(inbox.receive_blocking(Duration::ZERO).unwrap().0, 1);
        let nothing = inbox.receive_blocking(Duration::from_millis(1));
        assert_eq!(nothing.err(), Some(ReceiveError::Timeout));
        late.join().unwrap();

        let inside = system.block_on(async { system.spawn(Waiter).call(Go).await });
        assert_eq!(inside, Ok(Some(ReceiveError::WouldBlock)));
    }
}

/// The receiver stands in `select!`.
#[test]
fn an_inbox_stands_in_select() {
    for (_, host) in real_hosts() {
        let system = System::builder().host(host).build();
        let inbox = system.inbox::<Record>();
        inbox.recipient().send(Record(7)).unwrap();
        crossbeam_channel::select! {
            recv(inbox.receiver()) -> message => assert_eq!(message.unwrap().0, 7),
            recv(system.dead_letters()) -> letter => panic!("{letter:?}"),
            default(LONG) => panic!("nothing has come"),
        }
    }
}

/// The address ends with the inbox; an inbox whose address was stopped says so.
#[test]
fn an_inbox_and_its_address_end_together() {
    everywhere(|system| async move {
        let inbox = system.inbox::<Record>();
        let (to, down) = (inbox.recipient(), inbox.erase().down());
        drop(inbox);
        assert_eq!(down.await.reason, ExitReason::Normal);
        assert!(matches!(to.send(Record(1)), Err(SendError::Closed(Record(1)))));

        let mut inbox = system.inbox::<Record>();
        inbox.recipient().send(Record(1)).unwrap();
        inbox.erase().stop(ExitReason::Normal);
        assert_eq!(inbox.receive(LONG).await.unwrap().0, 1);
        assert_eq!(inbox.receive(LONG).await.err(), Some(ReceiveError::Closed));
    });
}
