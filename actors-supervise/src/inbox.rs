//! What comes to a supervisor from its children and tasks, whether it serves, starts or ends.
//!
//! While it serves, one message at a time wakes it. Its `init` and `term` wait on the inbox itself,
//! since an actor takes no messages then.

use std::{collections::VecDeque, task::Waker};

use actors_core::{AnyLink, Message, WeakLink, host::Time};
use parking_lot::{Mutex, MutexGuard};

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

    /// The supervisor's own address.
    pub(crate) fn owner(&self) -> Option<AnyLink> {
        let owner = self.0.lock().owner.clone();
        owner.and_then(|owner| owner.upgrade()).map(|owner| owner.erase())
    }

    pub(crate) fn push(&self, mail: Mail) {
        let mut state = self.0.lock();
        state.mail.push_back(mail);
        Self::wake(state);
    }

    /// There is something for the supervisor to do.
    pub(crate) fn notify(&self) {
        Self::wake(self.0.lock());
    }

    fn wake(mut state: MutexGuard<'_, State>) {
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

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().mail.is_empty()
    }

    /// All there is; what comes later wakes the supervisor again.
    pub(crate) fn take(&self) -> VecDeque<Mail> {
        let mut state = self.0.lock();
        state.notified = false;
        std::mem::take(&mut state.mail)
    }

    /// What came first, or nothing yet: then `waker` is woken with the next.
    pub(crate) fn next(&self, waker: &Waker) -> Option<Mail> {
        let mut state = self.0.lock();
        let mail = state.mail.pop_front();
        if mail.is_none() {
            state.waker = Some(waker.clone());
        }
        mail
    }
}
