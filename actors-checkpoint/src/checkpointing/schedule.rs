//! What the actor does by itself, and when.

use actors_core::{Context, Handler, Message, Timer};

use super::Checkpointing;
use crate::{Interval, IntervalError, Intervals, message::SetIntervals};

/// The intervals with their timers.
#[derive(Debug)]
pub(super) struct Schedule {
    update: Ticking,
    save: Ticking,
}

#[derive(Debug)]
struct Ticking {
    what: What,
    interval: Interval,
    timer: Option<Timer>,
    /// Which timer ticks: a tick of a stopped one that is in the mailbox already is not heard.
    generation: u64,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Update,
    Save,
}

struct Tick {
    what: What,
    generation: u64,
}

impl Message for Tick {
    type Reply = ();
}

impl Schedule {
    pub(super) fn new(intervals: Intervals) -> Self {
        let ticking = |what, interval| Ticking { what, interval, timer: None, generation: 0 };
        Self {
            update: ticking(What::Update, intervals.update),
            save: ticking(What::Save, intervals.save),
        }
    }

    pub(super) const fn intervals(&self) -> Intervals {
        Intervals { update: self.update.interval, save: self.save.interval }
    }

    pub(super) fn check(&self, can_save: bool) -> Result<(), IntervalError> {
        self.changed(SetIntervals::default(), can_save).map(drop)
    }

    pub(super) fn start(&mut self, cx: &Context<Checkpointing>) {
        self.update.start(cx);
        self.save.start(cx);
    }

    fn changed(&self, set: SetIntervals, can_save: bool) -> Result<Intervals, IntervalError> {
        let update = self.update.interval.with(set.update)?;
        let save = self.save.interval.with(set.save)?;
        if save.on && !can_save {
            return Err(IntervalError::NoDirectory);
        }
        Ok(Intervals { update, save })
    }
}

impl Ticking {
    fn set(&mut self, interval: Interval, cx: &Context<Checkpointing>) {
        if interval == self.interval {
            return;
        }
        self.interval = interval;
        self.start(cx);
    }

    fn start(&mut self, cx: &Context<Checkpointing>) {
        self.generation += 1;
        if let Some(timer) = self.timer.take() {
            timer.cancel();
        }
        if self.interval.on {
            let (what, generation) = (self.what, self.generation);
            let tick = move || Tick { what, generation };
            self.timer = Some(cx.send_interval(self.interval.period, tick));
        }
    }

    const fn hears(&self, tick: &Tick) -> bool {
        self.interval.on && self.generation == tick.generation
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.cancel();
        }
    }
}

impl Handler<SetIntervals> for Checkpointing {
    async fn handle(
        &mut self,
        set: SetIntervals,
        cx: &mut Context<Self>,
    ) -> Result<Intervals, IntervalError> {
        let intervals = self.schedule.changed(set, self.files.directory().is_some())?;
        self.schedule.update.set(intervals.update, cx);
        self.schedule.save.set(intervals.save, cx);
        Ok(intervals)
    }
}

impl Handler<Tick> for Checkpointing {
    async fn handle(&mut self, tick: Tick, cx: &mut Context<Self>) {
        match tick.what {
            What::Update if self.schedule.update.hears(&tick) => self.update_if_idle(cx),
            What::Save if self.schedule.save.hears(&tick) => self.save_if_changed(cx),
            What::Update | What::Save => {}
        }
    }
}
