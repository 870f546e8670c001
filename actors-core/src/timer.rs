use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    Actor, Handler, Link, Message, System, here,
    timers::{Action, Key, Timers},
};

/// A message that will be sent, in the group epoch of whoever set it. Dropping the timer lets it run;
/// a dead target is harmless.
#[derive(Clone)]
pub struct Timer(Arc<Handle>);

struct Handle {
    cancelled: AtomicBool,
    timers: Timers,
    /// Of a timer that fires once.
    key: OnceLock<Key>,
}

impl Timer {
    fn new(system: &System) -> Self {
        let timers = system.timers().clone();
        Self(Arc::new(Handle { cancelled: AtomicBool::new(false), timers, key: OnceLock::new() }))
    }

    /// Nothing is sent from now on. A message that is already in the mailbox is handled.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        if let Some(key) = self.0.key.get() {
            self.0.timers.cancel(*key);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }
}

impl System {
    /// Sends `message` once, after `delay`; at once when it is zero. Holds the actor weakly.
    pub fn send_after<A, M>(&self, to: &Link<A>, delay: Duration, message: M) -> Timer
    where
        A: Handler<M>,
        M: Message,
    {
        let timer = Timer::new(self);
        if delay.is_zero() {
            let _ = to.send(message);
            return timer;
        }
        let (of, to, epoch) = (timer.clone(), to.downgrade(), here::epoch());
        let mut message = Some(message);
        let key = self.timers().set_after(
            delay,
            Action(Box::new(move || {
                let message = message.take()?;
                if let (false, Some(to)) = (of.is_cancelled(), to.upgrade()) {
                    let _ = to.cell().push_tagged(message, None, epoch);
                }
                None
            })),
        );
        timer.0.key.set(key).expect("set once");
        timer
    }

    /// Sends `message()` every `period`, first after one period, until cancelled or the actor is
    /// gone. Holds the actor weakly. It does not catch up when it is late.
    pub fn send_interval<A, M>(
        &self,
        to: &Link<A>,
        period: Duration,
        message: impl Fn() -> M + Send + 'static,
    ) -> Timer
    where
        A: Actor + Handler<M>,
        M: Message,
    {
        let timer = Timer::new(self);
        let (of, to, epoch) = (timer.clone(), to.downgrade(), here::epoch());
        self.timers().set_after(
            period,
            Action(Box::new(move || {
                let to = to.upgrade().filter(|_| !of.is_cancelled())?;
                let sent = to.cell().push_tagged(message(), None, epoch);
                sent.is_ok().then_some(period)
            })),
        );
        timer
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}
