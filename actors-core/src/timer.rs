use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    Destination, Message, SendError, System, here,
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
    /// Sends `message` once, after `delay`; at once when it is zero. Holds the actor weakly; a
    /// [name](crate::Name) is looked up when the time has come. A message that is refused then is dropped.
    pub fn send_after<M: Message>(
        &self,
        to: &impl Destination<M>,
        delay: Duration,
        message: M,
    ) -> Timer {
        let timer = Timer::new(self);
        let (of, to, epoch) = (timer.clone(), to.later(), here::epoch());
        if delay.is_zero() {
            let _ = to(message, epoch);
            return timer;
        }
        let mut message = Some(message);
        let key = self.timers().set_after(
            delay,
            Action(Box::new(move || {
                let message = message.take()?;
                if !of.is_cancelled() {
                    let _ = to(message, epoch);
                }
                None
            })),
        );
        timer.0.key.set(key).expect("set once");
        timer
    }

    /// Sends `message()` every `period`, first after one period, until cancelled or the actor is
    /// gone. Holds the actor weakly; a [name](crate::Name) is looked up each time, and the interval goes
    /// on while nobody has it. What a full mailbox refuses is dropped. It does not catch up when it is
    /// late.
    pub fn send_interval<M: Message>(
        &self,
        to: &impl Destination<M>,
        period: Duration,
        message: impl Fn() -> M + Send + 'static,
    ) -> Timer {
        let timer = Timer::new(self);
        let (of, to, epoch) = (timer.clone(), to.later(), here::epoch());
        self.timers().set_after(
            period,
            Action(Box::new(move || {
                if of.is_cancelled() {
                    return None;
                }
                match to(message(), epoch) {
                    Ok(()) | Err(SendError::Full(_) | SendError::Name { .. }) => Some(period),
                    Err(_) => None,
                }
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
