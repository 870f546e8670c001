//! All timers of one supervisor behind one sleeping task.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use actors_core::{System, host::Time};

use crate::{
    inbox::{Inbox, Mail},
    machine::Token,
};

#[derive(Debug, Default)]
pub(crate) struct Alarms {
    queue: BinaryHeap<Reverse<(Time, Token)>>,
    armed: Option<Time>,
}

impl Alarms {
    pub(crate) fn set(
        &mut self,
        token: Token,
        after: Duration,
        system: &System,
        inbox: &Arc<Inbox>,
    ) {
        let at = system.host().clock.now() + after;
        self.queue.push(Reverse((at, token)));
        self.arm(system, inbox);
    }

    /// The alarm for `at` went off: the timers that are due.
    pub(crate) fn due(&mut self, at: Time, system: &System, inbox: &Arc<Inbox>) -> Vec<Token> {
        if self.armed == Some(at) {
            self.armed = None;
        }
        let now = system.host().clock.now();
        let mut due = Vec::new();
        while let Some(&Reverse((time, token))) = self.queue.peek()
            && time <= now
        {
            due.push(token);
            self.queue.pop();
        }
        self.arm(system, inbox);
        due
    }

    fn arm(&mut self, system: &System, inbox: &Arc<Inbox>) {
        let Some(&Reverse((next, _))) = self.queue.peek() else { return };
        if self.armed.is_some_and(|armed| armed <= next) {
            return;
        }
        self.armed = Some(next);
        let clock = system.host().clock.clone();
        let inbox = inbox.clone();
        system.spawn_task(async move {
            clock.sleep(next.since(clock.now())).await;
            inbox.push(Mail::Alarm(next));
        });
    }
}
