use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{Actor, Handler, Link, Message, System, here};

/// A message that will be sent, in the group epoch of whoever set it. Dropping the timer lets it run;
/// a dead target is harmless.
#[derive(Clone, Debug)]
pub struct Timer(Arc<AtomicBool>);

impl Timer {
    /// Nothing is sent from now on. A message that is already in the mailbox is handled.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl System {
    /// Sends `message` once, after `delay`; at once when it is zero. Holds the actor weakly.
    pub fn send_after<A, M>(&self, to: &Link<A>, delay: Duration, message: M) -> Timer
    where
        A: Handler<M>,
        M: Message,
    {
        let timer = Timer(Arc::default());
        if delay.is_zero() {
            let _ = to.send(message);
            return timer;
        }
        let (cancelled, to, clock) = (timer.clone(), to.downgrade(), self.host().clock.clone());
        let epoch = here::epoch();
        self.spawn_task(async move {
            clock.sleep(delay).await;
            if let (false, Some(to)) = (cancelled.is_cancelled(), to.upgrade()) {
                let _ = to.cell().push_tagged(message, None, epoch);
            }
        });
        timer
    }

    /// Sends `message()` every `period`, first after one period, until cancelled or the actor is
    /// gone. Holds the actor weakly.
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
        let timer = Timer(Arc::default());
        let (cancelled, to, clock) = (timer.clone(), to.downgrade(), self.host().clock.clone());
        let epoch = here::epoch();
        self.spawn_task(async move {
            loop {
                clock.sleep(period).await;
                let Some(to) = to.upgrade() else { return };
                let message = message();
                if cancelled.is_cancelled() || to.cell().push_tagged(message, None, epoch).is_err()
                {
                    return;
                }
            }
        });
        timer
    }
}
