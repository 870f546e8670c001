//! A turn of an actor: from the moment a worker takes it up until it has nothing to do, waits, has
//! used up its budget, or has ended.

use std::{
    mem::{ManuallyDrop, forget},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::NonNull,
    sync::Arc,
    task::{Context as TaskContext, Poll, Wake, Waker},
};

use smol_str::SmolStr;

use crate::{
    Actor, Context, ExitReason, GroupEpoch, MonitorRef, StartError,
    cell::{ActorCell, AnyCell, EPOCH, OVERTAKEN, Phase},
    ext::{DownAction, drop_guarded, drop_payload},
    frame::{End, Flow, Frame, Handled, Says},
    here,
    mailbox::Cursor,
    metrics::Tally,
    node::{Node, What},
    pace::Pace,
    span,
};

pub(crate) use self::drive::Drive;

mod drive;
#[cfg(all(test, actors_loom))]
mod model;
mod serve;

/// How a turn ended.
pub(crate) enum Outcome {
    /// The mailbox is empty: the next sender has the right to run the actor.
    Idle,
    /// A handler waits: its waker has the right to run the actor.
    Wait,
    /// There is more to do, later.
    Again,
    /// The incarnation is over. The right to run is used up; the count of the cell is the caller's.
    Ended,
}

/// What comes of one thing done.
pub(crate) enum Step {
    Next,
    /// The frame in hand is pending.
    Wait,
    /// The incarnation ends, for this reason.
    End(Box<ExitReason>),
    /// It did not start.
    Fail(Box<StartError>),
    /// `term` is over.
    Over,
    Leave(Outcome),
}

impl Step {
    /// The incarnation ends.
    pub(crate) fn end(reason: ExitReason) -> Self {
        Self::End(Box::new(reason))
    }
}

pub(crate) struct Turn<'a, A: Actor> {
    cell: &'a ActorCell<A>,
    task: TaskContext<'a>,
    cursor: Cursor<Node<A>>,
    frame: Option<Frame<A>>,
    /// What runs, for reports of crashes.
    during: &'static What,
    /// The message in hand was handled: what runs is what it has left.
    handled: bool,
    /// Handlers run in spans.
    traced: bool,
    counted: Tally,
    ending: Option<Box<ExitReason>>,
    /// Why the incarnation ends, after a panic.
    crashed: Option<Box<ExitReason>>,
}

const MAKE: &What = &What { message: false, name: || "start" };
const INIT: &What = &What { message: false, name: || "init" };
const TERM: &What = &What { message: false, name: || "term" };

impl<A: Actor> ActorCell<A> {
    /// Runs a turn; with the cell's own waker unless another is given.
    ///
    /// # Safety
    /// As [`AnyCell::run`].
    pub(crate) unsafe fn activate(&self, waker: Option<&Waker>, pace: &Pace) -> Outcome {
        let own;
        let waker = match waker {
            Some(waker) => waker,
            None => {
                own = own_waker(self);
                &own
            }
        };
        pace.begin_turn(self.identity());
        let mut turn = Turn {
            cell: self,
            task: TaskContext::from_waker(waker),
            // SAFETY: the right to run includes that to consume.
            cursor: unsafe { self.mailbox.enter() },
            frame: None,
            during: MAKE,
            handled: false,
            traced: span::are_wanted(),
            counted: Tally::since(self.handled_low()),
            ending: None,
            crashed: None,
        };
        loop {
            match catch_unwind(AssertUnwindSafe(|| turn.go(pace))) {
                // There is nothing in it: that it is dropped would cost more than all else here.
                Ok(Outcome::Idle) => {
                    debug_assert!(turn.frame.is_none() && turn.ending.is_none());
                    forget(turn);
                    return Outcome::Idle;
                }
                Ok(outcome) => return outcome,
                Err(payload) => turn.crashed = Some(Box::new(turn.crash(payload))),
            }
        }
    }
}

impl<A: Actor> Turn<'_, A> {
    pub(crate) const fn cell(&self) -> &ActorCell<A> {
        self.cell
    }

    /// Before the right to run goes: what was handled is counted.
    #[inline]
    fn count(&mut self) {
        self.counted.flush(self.cell.handled_low(), self.cell.system().metrics());
    }

    pub(crate) const fn during(&self) -> &'static What {
        self.during
    }

    #[inline]
    pub(crate) const fn is_traced(&self) -> bool {
        self.traced
    }

    /// The state, between two handlers.
    pub(crate) fn actor(&mut self) -> &mut A {
        // SAFETY: the right to run is ours, and no frame that borrows the state is there.
        unsafe { self.cell.state() }.as_mut().expect("an actor that is up has its state")
    }

    /// Runs a handler or a hook until it is done or waits.
    #[inline]
    pub(crate) fn handle<F>(
        &mut self,
        make: impl FnOnce(&'static mut A, &'static mut Context<A>) -> F,
    ) -> Step
    where
        F: Future + Send + 'static,
    {
        self.hook::<F, Handled>(make)
    }

    #[inline]
    fn hook<F, E>(
        &mut self,
        make: impl FnOnce(&'static mut A, &'static mut Context<A>) -> F,
    ) -> Step
    where
        F: Future + Send + 'static,
        E: End<F::Output>,
    {
        // SAFETY: the right to run is ours as long as the frame is: the state is borrowed by nobody
        // else, and the frame is dropped before the right goes, or goes with it.
        let actor = unsafe { self.cell.state() }.as_mut();
        let actor = actor.expect("an actor that is up has its state");
        self.poll_new::<F, E>(|cx| make(actor, cx))
    }

    #[inline]
    fn poll_new<F, E>(&mut self, make: impl FnOnce(&'static mut Context<A>) -> F) -> Step
    where
        F: Future + Send + 'static,
        E: End<F::Output>,
    {
        let (frame, task) = (&mut self.frame, &mut self.task);
        // SAFETY: as in `hook`.
        let polled = unsafe {
            Frame::begin::<F, E>(frame, NonNull::from(self.cell), self.during, task, make)
        };
        match polled {
            Poll::Ready(Flow::Handled) => Step::Next,
            Poll::Ready(flow) => self.flow(flow),
            Poll::Pending => Step::Wait,
        }
    }

    #[cold]
    fn flow(&mut self, flow: Flow) -> Step {
        match flow {
            Flow::Handled => Step::Next,
            Flow::Made => {
                self.cell.set_phase(Phase::Init);
                Step::Next
            }
            Flow::Failed(error) => Step::Fail(error),
            Flow::Up => {
                self.cell.set_phase(Phase::Serve);
                self.cell.system().metrics().started(self.cell.incarnation());
                if let Some(ext) = self.cell.known_ext() {
                    let mut rare = ext.lock();
                    let (start, incarnation) = (rare.start.take(), rare.incarnation);
                    drop(rare);
                    if let Some(start) = start {
                        start.started.answer(Ok(incarnation));
                    }
                }
                Step::Next
            }
            Flow::Over => Step::Over,
            Flow::Crashed(payload) => Step::end(self.crash(payload)),
        }
    }

    /// One turn, after a crash in it if there was one.
    #[inline]
    fn go(&mut self, pace: &Pace) -> Outcome {
        let is_plain = self.cell.is_serving() && !self.cell.has_frame() && self.crashed.is_none();
        match if is_plain { self.serve(pace) } else { self.take_up(pace) } {
            Step::Leave(outcome) => outcome,
            step => self.go_on(step, pace),
        }
    }

    /// What a turn begins with, if not with messages.
    fn take_up(&mut self, pace: &Pace) -> Step {
        if let Some(reason) = self.crashed.take() {
            return Step::End(reason);
        }
        // SAFETY: the right to run is ours.
        match unsafe { self.cell.take_frame() } {
            Some(frame) => self.resume(frame, pace),
            None => Step::Next,
        }
    }

    fn go_on(&mut self, mut step: Step, pace: &Pace) -> Outcome {
        loop {
            step = match step {
                Step::Next => match self.cell.phase() {
                    Phase::Make => self.make(pace),
                    Phase::Init => self.init(pace),
                    Phase::Serve => self.serve(pace),
                    Phase::Term => self.term(pace),
                },
                Step::Wait => match self.wait() {
                    Ok(outcome) => return outcome,
                    Err(reason) => self.give_way(reason),
                },
                Step::End(reason) => match self.cell.phase() {
                    Phase::Make | Phase::Init => {
                        return self.fail((*reason).clone(), StartError::Exited(*reason));
                    }
                    Phase::Serve => {
                        self.ending = Some(reason);
                        self.cell.set_phase(Phase::Term);
                        Step::Next
                    }
                    Phase::Term => Step::Over,
                },
                Step::Fail(error) => {
                    let reason = match &*error {
                        StartError::Ignore => ExitReason::Normal,
                        error => ExitReason::Error(error.to_string().into()),
                    };
                    return self.fail(reason, *error);
                }
                Step::Over => {
                    let reason = self.ending.take().expect("`term` runs with a reason");
                    self.count();
                    self.cell.system().metrics().ended(&reason);
                    tracing::debug!(actor = %self.cell.id(), %reason, "actor ended");
                    self.cell.end(self.cursor, *reason);
                    self.let_in();
                    return Outcome::Ended;
                }
                Step::Leave(outcome) => return outcome,
            }
        }
    }

    fn make(&mut self, pace: &Pace) -> Step {
        self.during = MAKE;
        pace.spend(MAKE);
        let mut rare = self.cell.ext().lock();
        let make = rare.start.as_mut().and_then(|start| start.make.take());
        drop(rare);
        let make = make.expect("an incarnation that begins has something to start from");
        // SAFETY: the right to run is ours, and there is no frame.
        let last = unsafe { self.cell.state() }.take();
        self.within_span(|turn| make(turn, last))
    }

    pub(crate) fn make_with<F, Fut>(&mut self, make: F, last: Option<A>) -> Step
    where
        F: FnOnce(Option<A>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<A, StartError>> + Send + 'static,
    {
        self.poll_new::<_, Says>(move |cx| async move {
            match make(last).await {
                Ok(actor) => {
                    // SAFETY: the right to run is with this frame, and nothing borrows the state.
                    *unsafe { cx.cell().state() } = Some(actor);
                    Flow::Made
                }
                Err(error) => Flow::Failed(Box::new(error)),
            }
        })
    }

    fn init(&mut self, pace: &Pace) -> Step {
        self.during = INIT;
        pace.spend(INIT);
        self.within_span(|turn| {
            turn.hook::<_, Says>(|actor, cx| async move {
                match actor.init(cx).await {
                    Ok(()) => Flow::Up,
                    Err(error) => Flow::Failed(Box::new(error)),
                }
            })
        })
    }

    /// Runs once, on every way out; if it panics or is killed, the exit goes out all the same.
    fn term(&mut self, pace: &Pace) -> Step {
        self.during = TERM;
        pace.spend(TERM);
        let reason = self.ending.clone().expect("an incarnation ends for a reason");
        self.within_span(|turn| {
            turn.hook::<_, Says>(|actor, _cx| async move {
                actor.term(&reason).await;
                Flow::Over
            })
        })
    }

    fn fail(&mut self, reason: ExitReason, error: StartError) -> Outcome {
        self.cell.system().metrics().start_failed();
        let start = self.cell.known_ext().and_then(|ext| ext.lock().start.take());
        tracing::debug!(actor = %self.cell.id(), %reason, "actor did not start");
        self.cell.end(self.cursor, reason);
        self.let_in();
        if let Some(start) = start {
            start.started.answer(Err(error));
        }
        self.cell.go_on_living();
        Outcome::Ended
    }

    /// Polls a handler that waited.
    fn resume(&mut self, frame: Frame<A>, pace: &Pace) -> Step {
        self.cell.control.resume();
        self.during = frame.during();
        pace.spend(self.during);
        if self.cell.phase() == Phase::Term {
            self.ending = self.cell.ext().lock().life.ending.take().map(Box::new);
        }
        if let Some(reason) = take_end(self.cell) {
            self.frame = Some(frame);
            return self.give_way(reason);
        }
        let span = self.take_span();
        let frame = self.frame.insert(frame);
        let polled = match &span {
            None => frame.poll(&mut self.task),
            Some(span) => span.in_scope(|| frame.poll(&mut self.task)),
        };
        let Poll::Ready(flow) = polled else {
            if let Some(span) = span {
                self.keep_span(span);
            }
            return Step::Wait;
        };
        if !matches!(flow, Flow::Crashed(_)) {
            self.frame = None;
        }
        self.flow(flow)
    }

    /// Leaves with the handler pending; `Err` if it must give way to a kill or shutdown.
    fn wait(&mut self) -> Result<Outcome, ExitReason> {
        if let Some(reason) = take_end(self.cell) {
            return Err(reason);
        }
        if let Some(reason) = self.ending.take() {
            self.cell.ext().lock().life.ending = Some(*reason);
        }
        self.count();
        self.let_in();
        let frame = self.frame.take().expect("a frame is pending");
        // SAFETY: the right to run is ours, and goes with the frame.
        unsafe {
            self.cell.put_frame(frame);
            self.cell.mailbox.pause(&self.cursor);
        }
        Ok(if self.cell.control.wait() { Outcome::Wait } else { Outcome::Again })
    }

    /// Drops the handler in hand.
    fn give_way(&mut self, reason: ExitReason) -> Step {
        let frame = self.frame.take();
        let span = self.take_span().unwrap_or_else(tracing::Span::none);
        span.in_scope(|| here::orphaning(&reason, || drop_guarded(frame)));
        self.report_cut(&reason);
        Step::end(reason)
    }

    fn crash(&mut self, payload: Box<dyn std::any::Any + Send>) -> ExitReason {
        let message = panic_message(&*payload);
        drop_payload(payload);
        let reason =
            ExitReason::Panic { message, during: SmolStr::new_static((self.during.name)()) };
        let frame = self.frame.take();
        here::orphaning(&reason, || drop_guarded(frame));
        self.report_cut(&reason);
        reason
    }

    /// A message that was not handled to its end is a dead letter, or delivered again.
    fn report_cut(&self, reason: &ExitReason) {
        if self.during.message && !self.handled {
            self.cell.cut((self.during.name)(), reason);
        }
    }

    /// Whether anything waits behind the node in hand.
    pub(crate) fn has_more(&self) -> bool {
        // SAFETY: the right to consume is ours.
        self.cell.has(OVERTAKEN) || unsafe { self.cell.mailbox.has_next(&self.cursor) }
    }

    pub(crate) fn set_message_epoch(&mut self, epoch: GroupEpoch) {
        self.cell.ext().lock().life.message_epoch = Some(epoch);
        self.cell.note(EPOCH);
    }

    /// `None` if the monitor was ended; else its action, if it has one.
    pub(crate) fn take_monitor(&mut self, monitor: MonitorRef) -> Option<Option<DownAction<A>>> {
        let taken = self.cell.ext().lock().life.monitors.remove(&monitor);
        taken.map(|(_, action)| action)
    }
}

fn take_end<A: Actor>(cell: &ActorCell<A>) -> Option<ExitReason> {
    if !cell.has(OVERTAKEN) {
        return None;
    }
    let mut rare = cell.ext().lock();
    let reason = rare.ends.pop_front();
    cell.flag(OVERTAKEN, rare.overtakes());
    reason
}

pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> SmolStr {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => SmolStr::new_static(text),
        (None, Some(text)) => text.into(),
        (None, None) => SmolStr::new_static("a payload that is no text"),
    }
}

/// A waker of the cell that stands for no count of it; its clones do.
fn own_waker<A: Actor>(cell: &ActorCell<A>) -> ManuallyDrop<Waker> {
    let cell = std::ptr::with_exposed_provenance::<ActorCell<A>>((&raw const *cell).addr());
    // SAFETY: cells live in an `Arc`, whose address was exposed; the count is not given up.
    ManuallyDrop::new(Waker::from(unsafe { Arc::from_raw(cell) }))
}

impl<A: Actor> Wake for ActorCell<A> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.control.wake() {
            self.schedule();
        }
    }
}
