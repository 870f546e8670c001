//! The clocks of the systems of this process, for questions that have left their actor.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{System, SystemId, host::Clock};

static CLOCKS: Mutex<Vec<(SystemId, Arc<dyn Clock>)>> = Mutex::new(Vec::new());

pub(crate) fn add(system: SystemId, clock: Arc<dyn Clock>) {
    CLOCKS.lock().push((system, clock));
}

/// The system has ended.
pub(crate) fn remove(system: SystemId) {
    let clock = {
        let mut clocks = CLOCKS.lock();
        let at = clocks.iter().position(|(id, _)| *id == system);
        at.map(|at| clocks.swap_remove(at))
    };
    // Its drop is the host's, and done without the lock.
    drop(clock);
}

/// The clock of a system, or of the default one when it has ended.
pub(crate) fn of(system: SystemId) -> Arc<dyn Clock> {
    let clocks = CLOCKS.lock();
    let known = clocks.iter().find(|(id, _)| *id == system).map(|(_, clock)| clock.clone());
    drop(clocks);
    known.unwrap_or_else(|| System::current().host().clock.clone())
}
