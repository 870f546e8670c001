//! Every interleaving of an end without an extension and of those who want to hear of it.

use loom::{
    sync::{Arc, Mutex},
    thread,
};

use super::{Life, LifeCell};
use crate::sync::{AtomicUsize, OnceBox, Ordering, explore};

/// As much of a cell as monitors and urgent messages need.
struct Cell {
    life: LifeCell,
    ext: OnceBox<Mutex<Rare>>,
    downs: AtomicUsize,
    noprocs: AtomicUsize,
    /// Urgent messages that were accepted, and that came out at the end.
    accepted: AtomicUsize,
    buried: AtomicUsize,
    /// Who has supervised, who was refused, and what the supervisor has heard.
    adopted: AtomicUsize,
    refused: AtomicUsize,
    exits: AtomicUsize,
}

#[derive(Default)]
struct Rare {
    watchers: usize,
    urgent: usize,
    supervised: bool,
}

impl Cell {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            life: LifeCell::new(Life::Running),
            ext: OnceBox::new(),
            downs: AtomicUsize::new(0),
            noprocs: AtomicUsize::new(0),
            accepted: AtomicUsize::new(0),
            buried: AtomicUsize::new(0),
            adopted: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            exits: AtomicUsize::new(0),
        })
    }

    fn ext(&self) -> &Mutex<Rare> {
        self.ext.get_or_init(|| Box::new(Mutex::default()))
    }

    /// As `AnyCell::watch`.
    fn watch(&self) {
        if self.life.get() == Life::Dead && self.ext.get().is_none() {
            self.noprocs.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut rare = self.ext().lock().unwrap();
        if self.life.settled() == Life::Dead {
            self.noprocs.fetch_add(1, Ordering::Relaxed);
        } else {
            rare.watchers += 1;
        }
    }

    /// As `ActorCell::push_urgent`.
    fn push_urgent(&self) {
        let mut rare = self.ext().lock().unwrap();
        if self.life.settled() != Life::Dead {
            rare.urgent += 1;
            self.accepted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As `ActorCell::adopt`.
    fn adopt(&self) {
        let mut rare = self.ext().lock().unwrap();
        if self.life.settled() == Life::Running && !rare.supervised {
            rare.supervised = true;
            self.adopted.fetch_add(1, Ordering::Relaxed);
        } else {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As `ActorCell::end`.
    fn end(&self) {
        if self.ext.get().is_none() && self.life.die_alone(&self.ext) {
            return self.perish();
        }
        let rare = self.ext().lock().unwrap();
        if rare.supervised {
            self.life.set(Life::Suspended);
            self.exits.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.life.set(Life::Dead);
        drop(rare);
        self.perish();
    }

    /// As `ActorCell::perish`.
    fn perish(&self) {
        let Some(ext) = self.ext.get() else { return };
        let mut rare = ext.lock().unwrap();
        self.downs.fetch_add(std::mem::take(&mut rare.watchers), Ordering::Relaxed);
        self.buried.fetch_add(std::mem::take(&mut rare.urgent), Ordering::Relaxed);
    }
}

fn beside_its_end(threads: &'static [fn(&Cell)]) -> impl Fn(fn(&Cell)) + Send + Sync {
    move |check| {
        explore(move || {
            let cell = Cell::new();
            let threads: Vec<_> = threads
                .iter()
                .map(|f| {
                    let cell = cell.clone();
                    thread::spawn(move || f(&cell))
                })
                .collect();
            cell.end();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            check(&cell);
        });
    }
}

fn assert_heard(cell: &Cell, watchers: usize) {
    let downs = cell.downs.load(Ordering::Relaxed);
    let noprocs = cell.noprocs.load(Ordering::Relaxed);
    assert_eq!(downs + noprocs, watchers, "{downs} Down, {noprocs} NoProc");
}

/// CORE 31: a monitor that races with the death of an actor without extension gives exactly one `Down`.
#[test]
fn core_31_a_monitor_races_with_death() {
    beside_its_end(&[Cell::watch])(|cell| assert_heard(cell, 1));
}

/// CORE 31: and so do two, of which one may find the extension that the other has made.
#[test]
fn core_31_two_monitors_race_with_death() {
    beside_its_end(&[Cell::watch, Cell::watch])(|cell| assert_heard(cell, 2));
}

/// CORE 31: the extension is made by somebody who does not look at the life of the actor.
#[test]
fn core_31_a_monitor_finds_an_extension() {
    fn make(cell: &Cell) {
        cell.ext();
    }
    beside_its_end(&[Cell::watch, make])(|cell| assert_heard(cell, 1));
}

/// An urgent message that was accepted comes out at the end, if it was not handled.
#[test]
fn an_urgent_message_races_with_death() {
    beside_its_end(&[Cell::push_urgent, Cell::push_urgent])(|cell| {
        let accepted = cell.accepted.load(Ordering::Relaxed);
        assert_eq!(cell.buried.load(Ordering::Relaxed), accepted, "accepted and lost");
    });
}

/// SUP 2: an actor that is adopted while it ends has one supervisor, which hears of the end, or none.
#[test]
fn sup_2_adoption_races_with_death() {
    beside_its_end(&[Cell::adopt, Cell::adopt])(|cell| {
        let adopted = cell.adopted.load(Ordering::Relaxed);
        assert_eq!(adopted + cell.refused.load(Ordering::Relaxed), 2);
        assert_eq!(cell.exits.load(Ordering::Relaxed), adopted, "adopted and not told");
        let life = if adopted == 1 { Life::Suspended } else { Life::Dead };
        assert_eq!(cell.life.get(), life);
    });
}
