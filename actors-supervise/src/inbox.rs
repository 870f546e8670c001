//! What comes to a supervisor from its children and tasks, whether it serves, starts or ends.
//!
//! While it serves, one message at a time wakes it. Its `init` and `term` wait on the inbox itself,
//! since an actor takes no messages then.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Poll, Waker},
};

use actors_core::{Message, WeakLink, host::Time};
use parking_lot::Mutex;

use crate::{Supervisor, machine::Input};

/// There is something in the inbox.
pub(crate) struct Wake;

impl Message for Wake {
    type Reply = ();
}

/// One thing in the inbox.
#[derive(Debug)]
pub(crate) enum Mail {
    Input(Input),
    /// An alarm that was set for this time.
    Alarm(Time),
}

#[derive(Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Default)]
struct State {
    mail: VecDeque<Mail>,
    owner: Option<WeakLink<Supervisor>>,
    waker: Option<Waker>,
    notified: bool,
}

impl Inbox {
    pub(crate) fn set_owner(&self, owner: WeakLink<Supervisor>) {
        let mut state = self.0.lock();
        state.owner = Some(owner);
        state.notified = false;
    }

    pub(crate) fn push(&self, mail: Mail) {
        let mut state = self.0.lock();
        state.mail.push_back(mail);
        let waker = state.waker.take();
        let owner = if state.notified { None } else { state.owner.clone() };
        state.notified |= owner.is_some();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        if let Some(owner) = owner.and_then(|owner| owner.upgrade()) {
            // A dead supervisor has retired its children: nobody waits for this.
            let _ = owner.send_urgent(Wake);
        }
    }

    /// All there is; what comes later wakes the supervisor again.
    pub(crate) fn take(&self) -> VecDeque<Mail> {
        let mut state = self.0.lock();
        state.notified = false;
        std::mem::take(&mut state.mail)
    }

    pub(crate) async fn next(&self) -> Mail {
        poll_fn(|task| {
            let mut state = self.0.lock();
            match state.mail.pop_front() {
                Some(mail) => Poll::Ready(mail),
                None => {
                    state.waker = Some(task.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
