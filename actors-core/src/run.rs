//! A turn of an actor: from the moment a worker takes it up until it has nothing to do, waits, has
//! used up its budget, or has ended.

use std::{
    mem::{ManuallyDrop, forget},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    ptr::NonNull,
    sync::Arc,
    task::{Context as TaskContext, Poll, Wake, Waker},
};

use crate::{
    Actor, CallError, Context, DeadLetterCause, ExitReason, GroupEpoch, MonitorRef, StartError,
    cell::{
        AFTER, ActorCell, AnyCell, BOUNDED, COUNT, EPOCH, GROUPED, KEEPS, OVERTAKEN, Phase, STOPPED,
    },
    ext::{DownAction, drop_guarded, drop_payload},
    frame::{End, Flow, Frame, Handled, Says},
    group::{Admission, admit},
    here,
    mailbox::{Cursor, Leave},
    metrics::Tally,
    node::{Letter, Node, What},
    pace::Pace,
    span,
};

#[cfg(all(test, actors_loom))]
mod model;

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
            Flow::Crashed(payload) => Step::End(Box::new(self.crash(payload))),
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
                        error => ExitReason::Error(error.to_string()),
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

    #[inline]
    fn serve(&mut self, pace: &Pace) -> Step {
        let cell = self.cell;
        loop {
            if cell.has_notes()
                && let Some(reason) = self.read_notes()
            {
                return Step::End(Box::new(reason));
            }
            if pace.is_spent() {
                return self.come_again();
            }
            let flags = cell.flags();
            if flags & (OVERTAKEN | COUNT) != 0 {
                match self.look_up(flags, pace) {
                    Some(Step::Next) => continue,
                    Some(step) => return step,
                    None => {}
                }
            }
            // SAFETY: the right to consume is ours.
            let Some(node) = (unsafe { cell.mailbox.next(&mut self.cursor) }) else {
                match self.run_dry() {
                    Some(outcome) => return Step::Leave(outcome),
                    None => continue,
                }
            };
            // SAFETY: the node is the consumer's.
            let ops = unsafe { node.as_ref() }.ops();
            pace.spend(&ops.what);
            if ops.what.message {
                if flags & BOUNDED != 0 {
                    cell.ext().bound().leave();
                }
                if flags & GROUPED != 0 && !self.admits(node) {
                    continue;
                }
                if flags & KEEPS != 0 {
                    // SAFETY: the right to run is ours, no handler borrows the state, and the node has
                    // its payload.
                    unsafe { cell.keep(Node::message(node), Node::epoch(node), 1) };
                }
                cell.count_handled();
            }
            self.during = &ops.what;
            // SAFETY: its payload is there.
            match self.within_span(|turn| unsafe { Node::run(node, turn) }) {
                Step::Next => {}
                step => return step,
            }
        }
    }

    /// The mailbox has no more: `None` if it has after all.
    #[inline]
    fn run_dry(&mut self) -> Option<Outcome> {
        self.count();
        self.let_in();
        if self.cell.has(KEEPS) {
            self.cell.forget_kept();
        }
        for _ in 0..SPINS {
            // SAFETY: the right to consume is ours, and after `Idle` nothing is touched any more.
            match unsafe { self.cell.mailbox.leave(&self.cursor) } {
                Leave::Idle => return Some(Outcome::Idle),
                // SAFETY: the right to consume is ours.
                Leave::Busy if unsafe { self.cell.mailbox.has_next(&self.cursor) } => return None,
                Leave::Busy => std::hint::spin_loop(),
            }
        }
        // SAFETY: as above.
        unsafe { self.cell.mailbox.pause(&self.cursor) };
        Some(Outcome::Again)
    }

    fn come_again(&mut self) -> Step {
        self.count();
        self.let_in();
        // SAFETY: the right to consume is ours, and passed on with the outcome.
        unsafe { self.cell.mailbox.pause(&self.cursor) };
        Step::Leave(Outcome::Again)
    }

    /// Whoever waits for room in the mailbox may look again.
    #[inline]
    fn let_in(&self) {
        if self.cell.has(BOUNDED) {
            self.cell.ext().bound().admit();
        }
    }

    /// What the handler before has left to do. `Some`: the actor has stopped itself.
    #[cold]
    fn read_notes(&mut self) -> Option<ExitReason> {
        let notes = self.cell.take_notes();
        let ext = self.cell.ext();
        if notes & EPOCH != 0 {
            ext.lock().life.message_epoch = None;
        }
        if notes & AFTER != 0 {
            self.handled = true;
            let after = std::mem::take(&mut ext.lock().life.after);
            for f in after {
                f(self.actor());
            }
            self.handled = false;
        }
        if notes & STOPPED != 0 { ext.lock().life.stop.take() } else { None }
    }

    /// What goes before the mailbox, if anything does.
    #[cold]
    fn look_up(&mut self, flags: u8, pace: &Pace) -> Option<Step> {
        let mut rare = self.cell.ext().lock();
        if flags & COUNT != 0 {
            self.cell.flag(COUNT, false);
            // SAFETY: the right to consume is ours.
            rare.depth = unsafe { self.cell.mailbox.count(&self.cursor, MOST_COUNTED) };
        }
        if let Some(reason) = rare.ends.pop_front() {
            self.cell.flag(OVERTAKEN, rare.overtakes());
            return Some(Step::End(Box::new(reason)));
        }
        let urgent = rare.urgent.pop_front();
        let is_urgent = urgent.is_some();
        let mut deliveries = 1;
        let letter = urgent.or_else(|| match rare.again.take() {
            Some(again) => {
                deliveries += again.deliveries;
                Some(again.letter)
            }
            None => rare.front.pop_front(),
        });
        self.cell.flag(OVERTAKEN, rare.overtakes());
        drop(rare);
        let letter = letter?;
        pace.spend(&letter.ops().what);
        if !is_urgent {
            let epoch = letter.epoch();
            match admit(self.cell.epoch(), epoch) {
                Admission::Handle => {}
                Admission::Ahead => {
                    self.cell.ext().lock().ahead.push_back(letter);
                    return Some(Step::Next);
                }
                Admission::Fenced => {
                    self.cell.bury(letter, DeadLetterCause::Fenced, CallError::Fenced);
                    return Some(Step::Next);
                }
            }
        }
        if letter.ops().what.message {
            if flags & KEEPS != 0 {
                // SAFETY: the right to run is ours, and no handler borrows the state.
                unsafe { self.cell.keep(letter.message(), letter.epoch(), deliveries) };
            }
            self.cell.count_handled();
        }
        self.during = &letter.ops().what;
        Some(self.within_span(|turn| letter.run(turn)))
    }

    /// Whether the member of a group handles the message; if not, it was put away.
    #[cold]
    fn admits(&self, node: NonNull<Node<A>>) -> bool {
        // SAFETY: the node is the consumer's and has its payload.
        let epoch = unsafe { Node::epoch(node) };
        match admit(self.cell.epoch(), epoch) {
            Admission::Handle => return true,
            Admission::Ahead => {
                // SAFETY: as above; it is taken here only.
                let letter: Letter<A> = unsafe { Node::detach(node) };
                self.cell.ext().lock().ahead.push_back(letter);
            }
            Admission::Fenced => {
                // SAFETY: as above; it is taken here only.
                unsafe { self.cell.bury_node(node, DeadLetterCause::Fenced, CallError::Fenced) };
            }
        }
        false
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
        Step::End(Box::new(reason))
    }

    fn crash(&mut self, payload: Box<dyn std::any::Any + Send>) -> ExitReason {
        let message = panic_message(&*payload);
        drop_payload(payload);
        let reason = ExitReason::Panic { message, during: (self.during.name)().to_owned() };
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

    /// Ends the incarnation, in order with the messages.
    #[allow(clippy::unused_self, reason = "only a turn may do it")]
    pub(crate) fn stop(&mut self, reason: ExitReason) -> Step {
        Step::End(Box::new(reason))
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

/// Rounds that a consumer waits for a sender between its two steps.
const SPINS: usize = 64;
/// How far a mailbox is counted for [`crate::ActorInfo`].
const MOST_COUNTED: usize = 1 << 20;

fn take_end<A: Actor>(cell: &ActorCell<A>) -> Option<ExitReason> {
    if !cell.has(OVERTAKEN) {
        return None;
    }
    let mut rare = cell.ext().lock();
    let reason = rare.ends.pop_front();
    cell.flag(OVERTAKEN, rare.overtakes());
    reason
}

pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a payload that is no text".to_owned())
}

/// One incarnation as a task of the host, where the host has no workers: in a simulation.
pub(crate) struct Drive<A: Actor> {
    cell: Arc<ActorCell<A>>,
    over: bool,
}

impl<A: Actor> Drive<A> {
    pub(crate) const fn new(cell: Arc<ActorCell<A>>) -> Self {
        Self { cell, over: false }
    }
}

impl<A: Actor> Future for Drive<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let cell = &self.cell;
        let mut rare = cell.ext().lock();
        if !rare.task.as_ref().is_some_and(|waker| waker.will_wake(task.waker())) {
            rare.task = Some(task.waker().clone());
        }
        let scheduled = std::mem::take(&mut rare.scheduled);
        drop(rare);
        // Handlers that wait hold the waker of this task: it is the one that `control` waits for.
        if !scheduled && !cell.control.wake() {
            return Poll::Pending;
        }
        // One node a poll, so that a seed may choose another order after each.
        // SAFETY: the right to run comes with `scheduled`, or from the handler that was woken.
        match unsafe { cell.run(Some(task.waker()), &Pace::of(1)) } {
            Outcome::Idle | Outcome::Wait => Poll::Pending,
            Outcome::Again => {
                cell.ext().lock().scheduled = true;
                task.waker().wake_by_ref();
                Poll::Pending
            }
            Outcome::Ended => {
                self.over = true;
                Poll::Ready(())
            }
        }
    }
}

impl<A: Actor> Drop for Drive<A> {
    /// The node was killed: the actor is gone and nobody hears of it.
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // SAFETY: a task that is dropped is not being polled, and its cell is run by no other.
        let (frame, state) = unsafe { (self.cell.take_frame(), self.cell.state().take()) };
        let (life, start) = {
            let mut rare = self.cell.ext().lock();
            rare.task = None;
            (std::mem::take(&mut rare.life), rare.start.take())
        };
        drop_guarded(frame);
        drop_guarded(state);
        drop_guarded((life, start));
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
