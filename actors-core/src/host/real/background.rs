//! Threads that everything else goes before.

use std::{sync::Arc, thread};

use parking_lot::Mutex;
use thread_priority::ThreadPriority;

type Work = Box<dyn FnOnce() + Send>;

/// Runs `work` on a thread of its own that has the lowest priority: a thread cannot in general have its priority
/// back, so none of a pool is lowered. Without a thread left for that, `otherwise` runs it.
pub(super) fn spawn(work: Work, otherwise: impl Fn(Work)) {
    let kept = Arc::new(Mutex::new(Some(work)));
    let given = kept.clone();
    let background = move || {
        if let Err(error) = lower() {
            tracing::debug!(?error, "work in the background runs at the usual priority");
        }
        let work = given.lock().take();
        work.into_iter().for_each(|work| work());
    };
    if let Err(error) = thread::Builder::new().name("background".into()).spawn(background) {
        tracing::warn!(%error, "no thread for work in the background");
        let work = kept.lock().take();
        work.into_iter().for_each(otherwise);
    }
}

/// The lowest share, and never in place of a thread that runs when this one is woken.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn lower() -> Result<(), thread_priority::Error> {
    use thread_priority::{
        NormalThreadSchedulePolicy::Batch, ThreadSchedulePolicy::Normal,
        set_thread_priority_and_policy, thread_native_id,
    };
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Normal(Batch))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn lower() -> Result<(), thread_priority::Error> {
    ThreadPriority::Min.set_for_current()
}
