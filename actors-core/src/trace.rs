//! Traces that go on where a message arrives.

use std::sync::Arc;

use crate::System;

/// Carries traces from one node to another, with the messages: [`SystemBuilder::propagator`](crate::SystemBuilder::propagator).
///
/// What it puts is opaque to actors; for OpenTelemetry it is what W3C Trace Context has in the headers `traceparent`
/// and `tracestate`.
///
/// ```
/// # use actors_core::{Propagator, System};
/// struct W3c;
///
/// impl Propagator for W3c {
///     fn inject(&self) -> Option<Vec<u8>> {
///         // From the current span: `tracing::Span::current().context()` with `tracing-opentelemetry`.
///         Some(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec())
///     }
///
///     fn extract(&self, trace: &[u8]) {
///         // Into the current span, that of the handler: `tracing::Span::current().set_parent(..)`.
///         assert!(trace.starts_with(b"00-"));
///     }
/// }
///
/// let system = System::builder().propagator(W3c).build();
/// ```
pub trait Propagator: Send + Sync + 'static {
    /// The trace that the sender is in, for a message to another node. Called by who sends, for each message; `None`
    /// for none.
    fn inject(&self) -> Option<Vec<u8>>;
    /// A message with this trace is about to be handled here: called within the span of its handler, if
    /// spans of handlers are wanted (`TRACE`, target `actors_core::handler`), and on its thread. It comes from another node: it
    /// may be anything.
    fn extract(&self, trace: &[u8]);
}

/// That of a system, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Propagates(pub(crate) Option<Arc<dyn Propagator>>);

impl std::fmt::Debug for Propagates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Propagates").field(&self.0.is_some()).finish()
    }
}

impl System {
    /// The trace of who calls this.
    pub(crate) fn trace(&self) -> Option<Vec<u8>> {
        self.propagates().0.as_ref()?.inject()
    }

    /// The message in hand was sent within a trace.
    pub(crate) fn continue_trace(&self, trace: &[u8]) {
        if let Some(propagator) = &self.propagates().0 {
            propagator.extract(trace);
        }
    }
}
