//! Every interleaving of the turns of an actor with senders, wakers and kills: mailbox, control, flags
//! and life together, as `Turn`, `ActorCell` and `AnyCell` use them.

use loom::{
    cell::UnsafeCell,
    sync::{Arc, Mutex},
    thread::{self, yield_now},
};

use crate::{
    control::Control,
    life::{Life, LifeCell},
    mailbox::{
        Leave, Mailbox,
        model::{Node, Nodes},
    },
    sync::{AtomicU8, AtomicUsize, Ordering, explore},
};

const OVERTAKEN: u8 = 1;
/// What nodes say.
const NUDGE: (usize, usize) = (0, 0);
const TELL: (usize, usize) = (1, 0);
/// Its handler waits until `is_ready`.
const WAIT: (usize, usize) = (2, 0);

struct Cell {
    mailbox: Mailbox<Node>,
    control: Control,
    flags: AtomicU8,
    life: LifeCell,
    /// Kills: the extension's `ends`.
    ends: Mutex<usize>,
    is_ready: AtomicUsize,
    /// What only the consumer touches: loom tells when there are two.
    own: UnsafeCell<Own>,
    nodes: Nodes,
}

#[derive(Clone, Copy, Default)]
struct Own {
    is_waiting: bool,
    handled: usize,
    buried: usize,
    kills: usize,
}

// SAFETY: loom checks the access to `own`.
unsafe impl Sync for Cell {}
// SAFETY: as above.
unsafe impl Send for Cell {}

impl Cell {
    /// The caller has the right to run it.
    fn with(first: (usize, usize)) -> Arc<Self> {
        let cell = Arc::new(Self {
            mailbox: Mailbox::taken(),
            control: Control::new(),
            flags: AtomicU8::new(0),
            life: LifeCell::new(Life::Running),
            ends: Mutex::new(0),
            is_ready: AtomicUsize::new(0),
            own: UnsafeCell::new(Own::default()),
            nodes: Nodes::new(),
        });
        // SAFETY: the node is fresh.
        let is_idle = unsafe { cell.mailbox.push(cell.nodes.make(first)) };
        assert!(!is_idle, "the caller has the right to run it");
        cell
    }

    fn own<T>(&self, f: impl FnOnce(&mut Own) -> T) -> T {
        // SAFETY: loom checks it.
        self.own.with_mut(|own| f(unsafe { &mut *own }))
    }

    /// As `ActorCell::enqueue`; who gets the right to run runs.
    fn enqueue(&self, content: (usize, usize)) {
        // SAFETY: the node is fresh.
        if unsafe { self.mailbox.push(self.nodes.make(content)) } {
            if self.life.get() == Life::Dead {
                return self.drain();
            }
            self.run();
        }
    }

    /// As `AnyCell::end_now`.
    fn kill(&self) {
        let mut ends = self.ends.lock().unwrap();
        if self.life.get() != Life::Running {
            return;
        }
        *ends += 1;
        self.flags.fetch_or(OVERTAKEN, Ordering::AcqRel);
        drop(ends);
        self.nudge();
    }

    /// As `ActorCell::nudge`.
    fn nudge(&self) {
        self.enqueue(NUDGE);
        self.wake();
    }

    /// As the waker.
    fn wake(&self) {
        if self.control.wake() {
            self.run();
        }
    }

    fn make_ready(&self) {
        self.is_ready.store(1, Ordering::Relaxed);
        self.wake();
    }

    /// Turn after turn, for as long as the right to run is the caller's.
    fn run(&self) {
        while self.turn() {
            yield_now();
        }
    }

    /// As `Turn::go`. True: it must come again.
    fn turn(&self) -> bool {
        if self.own(|own| own.is_waiting) {
            self.control.resume();
            if self.take_end() {
                return self.end();
            }
            return self.poll();
        }
        // SAFETY (of all): the right is the caller's; loom checks it.
        let mut cursor = unsafe { self.mailbox.enter() };
        loop {
            // As `Turn::serve`.
            if self.take_end() {
                unsafe { self.mailbox.pause(&cursor) };
                return self.end();
            }
            let Some(node) = (unsafe { self.mailbox.next(&mut cursor) }) else {
                match unsafe { self.mailbox.leave(&cursor) } {
                    Leave::Idle => return false,
                    Leave::Busy if unsafe { self.mailbox.has_next(&cursor) } => continue,
                    Leave::Busy => {}
                }
                unsafe { self.mailbox.pause(&cursor) };
                return true;
            };
            match unsafe { node.as_ref() }.content() {
                WAIT => {
                    unsafe { self.mailbox.pause(&cursor) };
                    return self.poll();
                }
                TELL => self.own(|own| own.handled += 1),
                _ => {}
            }
        }
    }

    /// Polls the handler in hand, and waits if it is pending, as `Turn::wait`.
    fn poll(&self) -> bool {
        let is_ready = self.is_ready.load(Ordering::Relaxed) == 1;
        self.own(|own| own.is_waiting = !is_ready);
        if is_ready {
            self.own(|own| own.handled += 1);
            return true;
        }
        if self.take_end() {
            return self.end();
        }
        !self.control.wait()
    }

    fn take_end(&self) -> bool {
        if self.flags.load(Ordering::Acquire) & OVERTAKEN == 0 {
            return false;
        }
        let ends = std::mem::take(&mut *self.ends.lock().unwrap());
        self.flags.fetch_and(!OVERTAKEN, Ordering::AcqRel);
        self.own(|own| own.kills += ends);
        true
    }

    /// As `ActorCell::end` and `perish`.
    fn end(&self) -> bool {
        self.own(|own| own.is_waiting = false);
        let ends = self.ends.lock().unwrap();
        self.life.set(Life::Dead);
        drop(ends);
        self.drain();
        false
    }

    /// As `ActorCell::drain`.
    fn drain(&self) {
        // SAFETY (of all): the right is the caller's; loom checks it.
        let mut cursor = unsafe { self.mailbox.enter() };
        loop {
            match unsafe { self.mailbox.next(&mut cursor) } {
                Some(node) if unsafe { node.as_ref() }.content() == TELL => {
                    self.own(|own| own.buried += 1);
                }
                Some(_) => {}
                None => match unsafe { self.mailbox.leave(&cursor) } {
                    Leave::Idle => return,
                    Leave::Busy => yield_now(),
                },
            }
        }
    }
}

fn beside_its_turns(first: (usize, usize), threads: &'static [fn(&Cell)], check: fn(&Cell, Own)) {
    explore(move || {
        let cell = Cell::with(first);
        let threads: Vec<_> = threads
            .iter()
            .map(|f| {
                let cell = cell.clone();
                thread::spawn(move || f(&cell))
            })
            .collect();
        cell.run();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        check(&cell, cell.own(|own| *own));
    });
}

fn assert_killed(cell: &Cell, own: Own) {
    assert!(cell.life.get() == Life::Dead && own.kills >= 1, "the kill was not seen");
    assert!(cell.mailbox.is_idle(), "what a dead actor has is not drained");
}

/// A kill is seen by an actor that goes idle.
#[test]
fn a_kill_races_with_going_idle() {
    beside_its_turns(NUDGE, &[Cell::kill], assert_killed);
}

/// A kill is seen by an actor whose handler goes to wait.
#[test]
fn a_kill_races_with_going_to_wait() {
    beside_its_turns(WAIT, &[Cell::kill], assert_killed);
}

/// A kill is seen whether the handler waits or is being woken.
#[test]
fn a_kill_races_with_a_wake() {
    beside_its_turns(WAIT, &[Cell::kill, Cell::make_ready], assert_killed);
}

#[test]
fn two_kills_race() {
    beside_its_turns(WAIT, &[Cell::kill, Cell::kill], assert_killed);
}

/// What is sent to an actor that is being killed is handled or a dead letter.
#[test]
fn a_kill_races_with_a_sender() {
    fn send(cell: &Cell) {
        cell.enqueue(TELL);
    }
    beside_its_turns(NUDGE, &[Cell::kill, send], |cell, own| {
        assert_killed(cell, own);
        assert_eq!(own.handled + own.buried, 1, "a message was lost");
    });
}

/// While a handler waits, senders do not get the right to run, and what they sent is handled after it.
#[test]
fn a_sender_races_with_a_wake() {
    fn send(cell: &Cell) {
        cell.enqueue(TELL);
    }
    beside_its_turns(WAIT, &[send, Cell::make_ready], |cell, own| {
        assert_eq!(own.handled, 2);
        assert!(cell.mailbox.is_idle());
    });
}
