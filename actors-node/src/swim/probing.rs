//! The probe of a period, and those that are made for others.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{SystemId, host::Time};

/// Probes for others at once.
const RELAYS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Probing {
    /// Of all probes so far.
    number: u32,
    pub(super) probe: Option<Probe>,
    relays: BTreeMap<u32, Relay>,
}

/// The one of this period.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) target: SystemId,
    pub(super) number: u32,
    /// Time for the direct answer.
    pub(super) direct_until: Time,
    pub(super) until: Time,
    /// Others that were asked.
    pub(super) asked: Vec<SystemId>,
    pub(super) relayed: bool,
    /// Those that have said that they cannot reach it either.
    pub(super) refused: usize,
    pub(super) answered: bool,
}

/// One for another node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relay {
    pub(super) origin: SystemId,
    pub(super) number: u32,
    target: SystemId,
    until: Time,
}

impl Probing {
    fn next(&mut self) -> u32 {
        self.number = self.number.wrapping_add(1);
        self.number
    }

    pub(super) fn begin(&mut self, target: SystemId, direct_until: Time, until: Time) -> u32 {
        let number = self.next();
        self.probe = Some(Probe {
            target,
            number,
            direct_until,
            until,
            asked: Vec::new(),
            relayed: false,
            refused: 0,
            answered: false,
        });
        number
    }

    /// The number of a probe for another node; none if there are too many of these.
    pub(super) fn relay(
        &mut self,
        origin: SystemId,
        number: u32,
        target: SystemId,
        until: Time,
    ) -> Option<u32> {
        if self.relays.len() >= RELAYS {
            return None;
        }
        let own = self.next();
        self.relays.insert(own, Relay { origin, number, target, until });
        Some(own)
    }

    /// An answer: the node that waits for it, if that is another one.
    pub(super) fn answer(&mut self, from: SystemId, number: u32) -> Option<Relay> {
        if let Some(probe) = &mut self.probe
            && probe.number == number
        {
            probe.answered |= probe.target == from || probe.asked.contains(&from);
            return None;
        }
        let relay = self.relays.get(&number).filter(|relay| relay.target == from)?;
        let relay = *relay;
        self.relays.remove(&number);
        Some(relay)
    }

    pub(super) fn refuse(&mut self, from: SystemId, number: u32) {
        if let Some(probe) = &mut self.probe
            && probe.number == number
            && probe.asked.contains(&from)
        {
            probe.refused += 1;
        }
    }

    /// A node has said something.
    pub(super) fn heard(&mut self, from: SystemId) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.target == from) {
            probe.answered = true;
        }
    }

    /// Those for others that had no answer in time.
    pub(super) fn late(&mut self, now: Time) -> Vec<Relay> {
        let late: Vec<u32> =
            self.relays.iter().filter(|(_, r)| r.until <= now).map(|(number, _)| *number).collect();
        late.into_iter().filter_map(|number| self.relays.remove(&number)).collect()
    }

    /// When there is something to be done.
    pub(super) fn due(&self) -> Option<Time> {
        let probe = self.probe.iter().map(|probe| match probe.relayed {
            false => probe.direct_until,
            true => probe.until,
        });
        probe.chain(self.relays.values().map(|relay| relay.until)).min()
    }

    pub(super) fn postpone(&mut self, by: Duration) {
        if let Some(probe) = &mut self.probe {
            probe.direct_until = probe.direct_until + by;
            probe.until = probe.until + by;
        }
        for relay in self.relays.values_mut() {
            relay.until = relay.until + by;
        }
    }
}
