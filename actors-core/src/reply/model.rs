//! Every interleaving of an answer and of its asker.

use std::{future::poll_fn, task::Poll};

use loom::{future::block_on, sync::Arc, thread};

use super::one_shot;
use crate::{CallError, sync::explore};

/// CORE 41: the asker waits for an answer, or for the `ReplyTo` to be dropped.
#[test]
fn core_41_an_asker_hears_once_whatever_becomes_of_its_question() {
    explore(|| {
        let (reply, waiting) = one_shot::<u32>();
        let answerer = thread::spawn(|| reply.answer(7));
        assert_eq!(block_on(waiting.answer()), Ok(7));
        answerer.join().unwrap();
    });
    explore(|| {
        let (reply, waiting) = one_shot::<u32>();
        let dropper = thread::spawn(|| drop(reply));
        assert_eq!(block_on(waiting.answer()), Err(CallError::NoReply));
        dropper.join().unwrap();
    });
}

/// CORE 11: the asker gives up while the answer comes: the answer is dropped, once, by one of the two.
#[test]
fn core_11_an_answer_races_with_giving_up() {
    explore(|| {
        // Loom tells if it is leaked.
        let answer = Arc::new(());
        let (reply, mut waiting) = one_shot::<Arc<()>>();
        let answerer = thread::spawn(move || reply.answer(answer));
        let polled = block_on(poll_fn(|task| Poll::Ready(waiting.poll(task))));
        assert!(matches!(polled, Poll::Pending | Poll::Ready(Ok(_))));
        drop((polled, waiting));
        answerer.join().unwrap();
    });
}

/// The same when its time is over: who has not answered by then sees that.
#[test]
fn core_11_an_answer_races_with_the_deadline() {
    explore(|| {
        let answer = Arc::new(());
        let (reply, mut waiting) = one_shot::<Arc<()>>();
        let answerer = thread::spawn(move || {
            let begins = !reply.is_late(|| unreachable!("a slot needs no clock"));
            if begins {
                reply.answer(answer);
            }
        });
        let polled = block_on(poll_fn(|task| Poll::Ready(waiting.poll(task))));
        if polled.is_pending() {
            assert_eq!(waiting.expire::<()>(), Err(CallError::Timeout));
        }
        drop((polled, waiting));
        answerer.join().unwrap();
    });
}

/// CORE 41: the same while the `ReplyTo` is dropped.
#[test]
fn core_41_a_dropped_question_races_with_giving_up() {
    explore(|| {
        let (reply, mut waiting) = one_shot::<Arc<()>>();
        let dropper = thread::spawn(|| drop(reply));
        let polled = block_on(poll_fn(|task| Poll::Ready(waiting.poll(task))));
        assert!(matches!(polled, Poll::Pending | Poll::Ready(Err(CallError::NoReply))));
        drop((polled, waiting));
        dropper.join().unwrap();
    });
}

/// CORE 41: an asker that looks again with another waker is woken by that one.
#[test]
fn core_41_the_last_waker_is_woken() {
    explore(|| {
        let (reply, mut waiting) = one_shot::<Arc<()>>();
        let answer = Arc::new(());
        let answerer = thread::spawn(move || reply.answer(answer));
        let other = std::task::Waker::noop();
        let first = waiting.poll(&mut std::task::Context::from_waker(other));
        match first {
            Poll::Ready(answer) => drop(answer),
            Poll::Pending => assert!(block_on(waiting.answer()).is_ok()),
        }
        answerer.join().unwrap();
    });
}
