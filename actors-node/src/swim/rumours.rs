//! News on their way: each is passed on so many times, those that were passed on least first.

use actors_core::SystemId;

use super::packet::{Update, Updates};

/// Bytes of news in one packet: with the rest of it they fit into one frame of an Ethernet.
const ROOM: usize = 1200;

#[derive(Debug, Default)]
pub(super) struct Rumours {
    all: Vec<Rumour>,
    /// Of the last one.
    number: u64,
}

#[derive(Debug)]
struct Rumour {
    update: Update,
    bytes: usize,
    sent: u32,
    number: u64,
}

impl Rumours {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// In place of older news about the same member.
    pub(super) fn add(&mut self, update: Update) {
        let subject = update.subject();
        self.all.retain(|old| old.update.subject() != subject);
        self.number += 1;
        let bytes = rmp_serde::to_vec(&update).map_or(ROOM, |bytes| bytes.len());
        self.all.push(Rumour { update, bytes, sent: 0, number: self.number });
    }

    /// For one packet, with this in any case. What was passed on `most` times is no news any more.
    pub(super) fn take(&mut self, most: u32, with: Option<Update>) -> Updates {
        let about: Option<SystemId> = with.as_ref().map(Update::subject);
        let mut updates: Vec<Update> = with.into_iter().collect();
        self.all.sort_by_key(|rumour| (rumour.sent, u64::MAX - rumour.number));
        let mut room = ROOM;
        for rumour in &mut self.all {
            if updates.len() == Updates::MOST || rumour.bytes > room {
                break;
            }
            if Some(rumour.update.subject()) != about {
                room -= rumour.bytes;
                rumour.sent += 1;
                updates.push(rumour.update.clone());
            }
        }
        self.all.retain(|rumour| rumour.sent < most);
        Updates(updates)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn news_are_passed_on_so_many_times_and_what_fits() {
        let mut rumours = Rumours::default();
        (0..500).for_each(|id| rumours.add(Update::Dead(SystemId(id))));
        let mut told = BTreeMap::<SystemId, u32>::new();
        while !rumours.is_empty() {
            let updates = rumours.take(4, None);
            let bytes: usize = updates.0.iter().map(|u| rmp_serde::to_vec(u).unwrap().len()).sum();
            assert!(updates.0.len() <= Updates::MOST && bytes <= ROOM);
            updates.0.iter().for_each(|update| *told.entry(update.subject()).or_default() += 1);
        }
        assert_eq!(told.len(), 500);
        assert!(told.values().all(|times| *times == 4));
    }

    #[test]
    fn newer_news_replace_older_ones_of_the_same_member() {
        let mut rumours = Rumours::default();
        let (a, b) = (SystemId(1), SystemId(2));
        rumours.add(Update::Suspect(a, 0, b));
        rumours.add(Update::Dead(a));
        assert_eq!(rumours.take(9, None).0, [Update::Dead(a)]);
        assert_eq!(rumours.take(9, Some(Update::Suspect(a, 3, b))).0.len(), 1, "no two of one");
    }
}
