//! The stores of a group: one of each level on the nodes that need it, linked upward.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actors_checkpoint::{
    Checkpointing, CheckpointingArgs, EXPORT_NAME, Key, Version,
    message::{Describe, Inventory, Protect, Register, Rollback, SetParent},
};
use actors_core::{CallError, Link, StartError, SystemId};
use actors_node::Node;

use crate::{
    Hierarchy,
    hierarchy::{LAST, MEMORY, PARTNER},
    planner::Copies,
};

/// Versions that a store keeps of each state, besides those that the group may go back to.
pub(crate) const KEEP: usize = 2;
/// How long a store may take to answer before a plan goes on without it.
const PATIENCE: Duration = Duration::from_secs(2);

type Store = Link<Checkpointing>;

pub(crate) struct Stores {
    node: Node,
    /// In the memory of each host.
    near: BTreeMap<SystemId, Store>,
    /// In the memory of each host, for others.
    partners: BTreeMap<SystemId, Store>,
    last: Option<Store>,
}

impl Stores {
    pub(crate) fn new(node: &Node, last: Option<Store>) -> Self {
        Self { node: node.clone(), near: BTreeMap::new(), partners: BTreeMap::new(), last }
    }

    fn all(&self) -> impl Iterator<Item = &Store> {
        self.near.values().chain(self.partners.values()).chain(&self.last)
    }

    /// Makes the stores that the hosts need and links them upward: node, partner, last. Gives the
    /// nearest store of each host, if it has any.
    pub(crate) async fn arrange(
        &mut self,
        hosts: &[SystemId],
        hierarchy: &Hierarchy,
    ) -> Result<BTreeMap<SystemId, Store>, StartError> {
        let live: BTreeSet<SystemId> = self.node.members().iter().map(|m| m.id).collect();
        self.near.retain(|host, _| live.contains(host));
        self.partners.retain(|host, _| live.contains(host));
        let pairs = if hierarchy.has(PARTNER) { self.pairs(hosts) } else { BTreeMap::new() };
        let partner_hosts: BTreeSet<SystemId> = pairs.values().copied().collect();
        make(&self.node, PARTNER, partner_hosts.iter().copied(), &mut self.partners).await?;
        if hierarchy.has(MEMORY) {
            make(&self.node, MEMORY, hosts.iter().copied(), &mut self.near).await?;
        }
        let mut links = Vec::new();
        for host in &partner_hosts {
            links.push((&self.partners[host], self.last.as_ref()));
        }
        let mut entries = BTreeMap::new();
        for host in hosts {
            let partner = pairs.get(host).map(|partner| &self.partners[partner]);
            let above = partner.or(self.last.as_ref());
            let entry = if hierarchy.has(MEMORY) {
                links.push((&self.near[host], above));
                Some(&self.near[host])
            } else {
                above
            };
            entries.extend(entry.map(|entry| (*host, entry.clone())));
        }
        link_upward(&links).await;
        Ok(entries)
    }

    /// Of the hosts in a ring, the next one; a single host takes any other live node.
    fn pairs(&self, hosts: &[SystemId]) -> BTreeMap<SystemId, SystemId> {
        if let [host] = hosts {
            let other = self.node.members().into_iter().find(|member| member.id != *host);
            return other.map(|other| (*host, other.id)).into_iter().collect();
        }
        let next = hosts.iter().cycle().skip(1);
        hosts.iter().copied().zip(next.copied()).collect()
    }

    /// What they hold. A store that does not answer has nothing; the memory of a node is near only to
    /// the members that it hosts.
    pub(crate) async fn inventory(&self, hosts: &BTreeMap<Key, SystemId>) -> Copies<Store> {
        let near = self.near.iter().map(|(host, store)| (MEMORY, Some(*host), store));
        let partners = self.partners.values().map(|store| (PARTNER, None, store));
        let last = self.last.iter().map(|store| (LAST, None, store));
        let asked: Vec<_> = near
            .chain(partners)
            .chain(last)
            .map(|(level, host, store)| {
                (level, host, store, store.call(Inventory).within(PATIENCE))
            })
            .collect();
        let mut copies = Copies::new();
        for (level, host, store, inventory) in asked {
            for (key, versions) in inventory.await.unwrap_or_default() {
                if host.is_some() && hosts.get(&key) != host.as_ref() {
                    continue;
                }
                let held = copies.entry(key).or_default();
                for version in versions {
                    held.entry(version).or_default().push((level, store.clone()));
                }
            }
        }
        copies
    }

    /// Drops what is newer from all of them; everything with `None`.
    pub(crate) async fn rollback(&self, above: Option<Version>) {
        let told: Vec<_> =
            self.all().map(|store| store.call(Rollback { above }).within(PATIENCE)).collect();
        for told in told {
            let _ = told.await;
        }
    }

    /// Lets all of them keep this version until a newer one is protected.
    pub(crate) fn protect(&self, version: Version) {
        for store in self.all() {
            let _ = store.send(Protect { version });
        }
    }
}

/// A store of this level on every host, made where there is none that lives.
async fn make(
    node: &Node,
    level: u8,
    hosts: impl Iterator<Item = SystemId>,
    stores: &mut BTreeMap<SystemId, Store>,
) -> Result<(), StartError> {
    for host in hosts {
        if let Some(store) = stores.get(&host) {
            let answer = store.call(Describe).within(PATIENCE).await;
            if !matches!(answer, Err(CallError::Closed | CallError::Died(_))) {
                continue;
            }
        }
        let hold = Some(PARTNER);
        let args = CheckpointingArgs { level, keep: KEEP, budget: None, parent: None, hold };
        stores.insert(host, node.spawn(host, EXPORT_NAME, &args).await?);
    }
    Ok(())
}

/// Links each store to the level above it, or to none. One that does not answer is left alone: what
/// is put into it then reaches it only.
async fn link_upward(links: &[(&Store, Option<&Store>)]) {
    let asked: Vec<_> = links
        .iter()
        .map(|(store, above)| match above {
            Some(above) => above.call(Register { child: (*store).clone() }).within(PATIENCE),
            None => store.call(SetParent { parent: None }).within(PATIENCE),
        })
        .collect();
    for ((store, _), linked) in links.iter().zip(asked) {
        let linked = linked.await;
        if !matches!(linked, Ok(Ok(()))) {
            tracing::warn!(store = %store.id(), ?linked, "store is not linked upward");
        }
    }
}
