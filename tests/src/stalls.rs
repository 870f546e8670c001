//! For how long this process was not let run: what a measured time may be off by.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const EVERY: Duration = Duration::from_millis(5);

/// Watches while it lives.
#[derive(Debug)]
pub struct Stalls(Arc<Watch>);

#[derive(Debug, Default)]
struct Watch {
    over: AtomicBool,
    longest_us: AtomicU64,
}

impl Stalls {
    /// Begins to watch.
    pub fn watch() -> Self {
        let watch = Arc::new(Watch::default());
        let own = watch.clone();
        thread::spawn(move || {
            while !own.over.load(Ordering::Relaxed) {
                let before = Instant::now();
                thread::sleep(EVERY);
                let late = before.elapsed().saturating_sub(EVERY).as_micros();
                own.longest_us.fetch_max(late as u64, Ordering::Relaxed);
            }
        });
        Self(watch)
    }

    /// The longest until now.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.0.longest_us.load(Ordering::Relaxed))
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}
