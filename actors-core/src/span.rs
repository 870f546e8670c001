//! Spans of handlers, for those who trace them.
//!
//! Whether anybody may want them is asked once a turn: the level of the subscriber, one load. The
//! subscriber decides about each.

use std::any::type_name;

use tracing::{Level, Span, level_filters::LevelFilter};

use crate::{
    Actor,
    cell::SPANNED,
    run::{Step, Turn},
};

/// What runs code of the user's, beside messages.
const HOOKS: [&str; 5] = ["start", "init", "term", "on_down", "on_exit"];

#[inline]
pub(crate) fn are_wanted() -> bool {
    const LEVEL: Level = Level::TRACE;
    LEVEL <= tracing::level_filters::STATIC_MAX_LEVEL && LEVEL <= LevelFilter::current()
}

impl<A: Actor> Turn<'_, A> {
    /// Runs what is in hand, within a span of its own if spans are wanted.
    #[inline]
    pub(crate) fn within_span(&mut self, run: impl FnOnce(&mut Self) -> Step) -> Step {
        if self.is_traced() { self.traced(run) } else { run(self) }
    }

    #[cold]
    fn traced(&mut self, run: impl FnOnce(&mut Self) -> Step) -> Step {
        let (cell, what) = (self.cell(), self.during());
        let name = (what.name)();
        if !what.message && !HOOKS.contains(&name) {
            return run(self);
        }
        let span = tracing::trace_span!(
            target: "actors_core::handler",
            parent: None,
            "handle",
            actor = %cell.identity(),
            actor_type = type_name::<A>(),
            message_type = name,
            incarnation = cell.incarnation(),
        );
        let step = span.in_scope(|| run(self));
        if matches!(step, Step::Wait) {
            self.keep_span(span);
        }
        step
    }

    /// The handler waits: its span stays open.
    pub(crate) fn keep_span(&self, span: Span) {
        if !span.is_disabled() {
            self.cell().ext().lock().life.span = Some(span);
            self.cell().flag(SPANNED, true);
        }
    }

    /// The span of the handler that waited.
    #[inline]
    pub(crate) fn take_span(&self) -> Option<Span> {
        if !self.cell().has(SPANNED) {
            return None;
        }
        self.cell().flag(SPANNED, false);
        self.cell().ext().lock().life.span.take()
    }
}
