//! Who hears what happens to the cluster.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::NodeEvent;

/// Hears an event. False when it is not to be told of another.
pub(crate) type Hears = Box<dyn Fn(&NodeEvent) -> bool + Send + Sync>;

#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<Arc<Hears>>>);

impl Listeners {
    pub(crate) fn add(&self, listener: Hears) {
        self.0.lock().push(Arc::new(listener));
    }

    /// Tells those who listen now, in the order in which they came.
    pub(crate) fn tell(&self, event: &NodeEvent) {
        let listeners = self.0.lock().clone();
        let over: Vec<_> = listeners.iter().filter(|listener| !listener(event)).collect();
        if !over.is_empty() {
            self.0.lock().retain(|kept| !over.iter().any(|listener| Arc::ptr_eq(kept, listener)));
        }
    }
}

#[cfg(test)]
mod tests {
    use actors_core::SystemId;

    use super::*;
    use crate::Member;

    fn event() -> NodeEvent {
        let member = Member {
            id: SystemId(1),
            name: "a".into(),
            address: String::new(),
            tags: Default::default(),
        };
        NodeEvent::Up(member)
    }

    #[test]
    fn who_has_heard_enough_is_let_go() {
        let listeners = Arc::new(Listeners::default());
        let told = Arc::new(Mutex::new(Vec::new()));
        for (name, times) in [("once", 1), ("twice", 2), ("always", usize::MAX)] {
            let told = told.clone();
            listeners.add(Box::new(move |_| {
                let mut told = told.lock();
                told.push(name);
                told.iter().filter(|heard| **heard == name).count() < times
            }));
        }
        (0..4).for_each(|_| listeners.tell(&event()));
        let expected = ["once", "twice", "always", "twice", "always", "always", "always"];
        assert_eq!(*told.lock(), expected);
        assert_eq!(Arc::strong_count(&told), 2, "what the others held is free");
    }

    /// One that comes while others are told hears of the next.
    #[test]
    fn a_listener_may_add_another() {
        let listeners = Arc::new(Listeners::default());
        let heard = Arc::new(Mutex::new(0));
        let (to, count) = (Arc::downgrade(&listeners), heard.clone());
        listeners.add(Box::new(move |_| {
            let count = count.clone();
            let listeners = to.upgrade().expect("it is being told");
            listeners.add(Box::new(move |_| {
                *count.lock() += 1;
                true
            }));
            false
        }));
        listeners.tell(&event());
        assert_eq!(*heard.lock(), 0);
        listeners.tell(&event());
        assert_eq!(*heard.lock(), 1);
    }
}
