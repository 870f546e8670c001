//! The actor that knows what a group has protected, and plans its restarts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use actors_checkpoint::{Checkpointing, Key, SnapshotError, Version};
use actors_core::{
    Actor, AnyLink, Context, GroupEpoch, GroupId, Handler, Link, Message, StartError, System,
    SystemId,
};
use actors_node::Node;
use actors_supervise::{Plan, Round, RoundKind};
use serde::{Deserialize, Serialize};

use crate::{
    Costs, GroupLink, GroupPlan, Hierarchy, MemberPlan, RestartEvent,
    event::{Event, Hub},
    hierarchy::{LAST, MEMORY, PARTNER},
    last_level::LastLevel,
    planner::{Copies, Decision, decide},
    stores::Stores,
};

/// Organises the checkpoints of one group, and plans its restarts.
///
/// It runs on the node of the group's supervisor, whose [planner](crate::GroupPlanner) asks it before every
/// start: it makes a store on each node that hosts a member, pairs the nodes, finds what survives,
/// and gives every member what to go on from. Members tell it of each copy; a version that all have
/// placed is *complete*, and only complete ones are restarted from.
pub struct Coordinator {
    hierarchy: Hierarchy,
    group: GroupId,
    /// Of the next plan.
    restart: u64,
    members: Vec<Key>,
    stores: Stores,
    last: Option<LastLevel>,
    placed: BTreeMap<Version, BTreeMap<Key, u8>>,
    complete: BTreeSet<Version>,
    /// Copies that were found damaged.
    damaged: BTreeSet<(Key, Version, u8)>,
    /// Newest version that is safe at each level.
    committed: BTreeMap<u8, Version>,
    costs: Costs,
    events: Arc<Hub>,
    observers: Vec<AnyLink>,
}

impl Coordinator {
    /// A coordinator of the group that `node` supervises.
    ///
    /// `meta` is kept with every snapshot of the last level, for programs that start from it later.
    /// What the directory holds already is taken as complete: the first start goes on from it.
    ///
    /// # Errors
    /// The directory of the last level cannot be used.
    pub async fn start(
        node: &Node,
        hierarchy: Hierarchy,
        meta: Vec<u8>,
    ) -> Result<GroupLink, SnapshotError> {
        let system = node.system();
        let last = match hierarchy.last_directory() {
            Some(path) => Some(LastLevel::open(system, path.clone(), meta).await?),
            None => None,
        };
        let complete: BTreeSet<Version> = match &last {
            Some(last) => last.versions().await.into_iter().collect(),
            None => BTreeSet::new(),
        };
        let events = Arc::new(Hub::default());
        let coordinator = system.spawn(Self {
            hierarchy,
            group: GroupId(system.host().random.next()),
            restart: 0,
            members: Vec::new(),
            stores: Stores::new(node, last.as_ref().map(|last| last.store.clone())),
            last,
            placed: BTreeMap::new(),
            complete,
            damaged: BTreeSet::new(),
            committed: BTreeMap::new(),
            costs: Costs::default(),
            events: events.clone(),
            observers: Vec::new(),
        });
        Ok(GroupLink { coordinator, events })
    }

    /// What survives and is not known to be damaged.
    async fn copies(&self, hosts: &BTreeMap<Key, SystemId>) -> Copies<Link<Checkpointing>> {
        let mut copies = self.stores.inventory(hosts).await;
        if let Some(last) = &self.last {
            for version in last.versions().await {
                for key in &self.members {
                    let at = copies.entry(key.clone()).or_default().entry(version).or_default();
                    if at.iter().all(|(level, _)| *level != LAST) {
                        at.push((LAST, last.store.clone()));
                    }
                }
            }
        }
        for (key, version, level) in &self.damaged {
            if let Some(at) = copies.get_mut(key).and_then(|versions| versions.get_mut(version)) {
                at.retain(|(held, _)| held != level);
            }
        }
        copies
    }

    /// The decision, with the last level's states taken from its directory if they are needed. A
    /// version that cannot be read there is done without.
    async fn decide(&mut self, hosts: &BTreeMap<Key, SystemId>) -> Decision<Link<Checkpointing>> {
        loop {
            let copies = self.copies(hosts).await;
            let decision = decide(&self.members, &self.complete, &copies);
            let Some((last, version)) = self.last.as_ref().zip(decision.version()) else {
                return decision;
            };
            if !decision.needs(LAST) {
                return decision.without_late_sources(LAST);
            }
            match last.fetch(version, &self.members).await {
                Ok(()) => return decision.without_late_sources(LAST),
                Err(error) => {
                    self.events.publish(&Event::Damaged { error: error.to_string() });
                    self.complete.remove(&version);
                }
            }
        }
    }

    /// Forgets everything newer than what the group goes on from.
    async fn rollback(&mut self, version: Option<Version>) {
        if let Some(last) = &self.last
            && let Err(error) = last.rollback(version).await
        {
            self.events.publish(&Event::Damaged { error: error.to_string() });
        }
        self.stores.rollback(version).await;
        self.complete.retain(|complete| Some(*complete) <= version);
        self.committed.retain(|_, committed| Some(*committed) <= version);
        self.placed.clear();
    }

    async fn plan(&mut self, round: &Round, cx: &Context<Self>) -> Result<Plan, StartError> {
        if round.kind == RoundKind::Added {
            return Err(StartError::failed("the members of a group start together"));
        }
        let started = cx.now();
        self.members = round.children.iter().map(|child| Key::new(&*child.id)).collect();
        let hosts = round.children.iter().map(|child| {
            let host = child.host.ok_or(StartError::NoNode)?;
            Ok((Key::new(&*child.id), host))
        });
        let hosts: BTreeMap<Key, SystemId> = hosts.collect::<Result<_, StartError>>()?;
        let mut ring = Vec::new();
        for key in &self.members {
            if !ring.contains(&hosts[key]) {
                ring.push(hosts[key]);
            }
        }
        let entries = self.stores.arrange(&ring, &self.hierarchy).await?;
        let decision = self.decide(&hosts).await;
        self.rollback(decision.version()).await;
        let (version, mut sources) = match decision {
            Decision::Restore { version, sources } => (Some(version), sources),
            Decision::Fresh => (None, BTreeMap::new()),
        };
        let epoch = GroupEpoch { group: self.group, restart: self.restart };
        self.restart += 1;
        for observer in self.observers.iter().chain([&cx.link().erase()]) {
            observer.set_group(Some(epoch));
        }
        let levels = sources.iter().map(|(key, from)| (key.clone(), from[0].0)).collect();
        let members = self.members.iter().map(|key| {
            let restore = version.zip(sources.remove(key));
            let plan = MemberPlan {
                key: key.clone(),
                schedule: self.hierarchy.schedule(),
                entry: entries.get(&hosts[key]).cloned(),
                coordinator: cx.link(),
                restore,
            };
            (key.as_str().to_owned(), plan)
        });
        let plan = GroupPlan { epoch, version, members: members.collect() };
        self.events.publish(&Event::Restart(RestartEvent {
            epoch,
            version,
            levels,
            took: cx.now() - started,
        }));
        Ok(Plan { group: Some(epoch), data: Arc::new(plan) })
    }

    /// A copy is where it should be: is its version complete, is it safe at its level?
    fn placed(&mut self, placed: &Placed, cx: &Context<Self>) {
        self.costs.add(placed);
        let Placed { key, version, level, .. } = placed;
        self.damaged.retain(|(k, v, l)| (k, v) != (key, version) || l > level);
        let levels = self.placed.entry(*version).or_default();
        let reached = levels.entry(key.clone()).or_default();
        *reached = (*reached).max(*level);
        if levels.len() < self.members.len() {
            return;
        }
        let safe_at = levels.values().copied().min().unwrap_or_default();
        self.complete.insert(*version);
        for level in MEMORY..=safe_at.min(PARTNER) {
            self.commit(level, *version);
        }
        // A member that has no partner places its copies in the last level's store.
        if safe_at == LAST && self.hierarchy.due(*version) == Some(LAST) {
            self.save(*version, cx);
        }
        // Older ones are complete or were overtaken; kept sets stay small.
        let version = *version;
        self.placed.retain(|placed, _| *placed >= version);
    }

    /// The level whose commits the stores are told of: what is committed there, and everything on
    /// the way to it, stays with them until the next commit.
    fn protecting(&self) -> u8 {
        if self.hierarchy.has(PARTNER) { PARTNER } else { LAST }
    }

    fn commit(&mut self, level: u8, version: Version) {
        if self.committed.get(&level).is_some_and(|committed| *committed >= version) {
            return;
        }
        self.committed.insert(level, version);
        self.events.publish(&Event::Committed { level, version });
        if level == self.protecting() {
            self.stores.protect(version);
        }
    }

    /// Writes a version that is whole in the last level's store to its directory, behind the group.
    fn save(&self, version: Version, cx: &Context<Self>) {
        let Some(last) = self.last.clone() else { return };
        let (members, own, group) = (self.members.clone(), cx.link(), cx.group());
        cx.spawn_task(async move {
            let error = last.save(version, members).await.err();
            let _ = own.send(Saved { version, group, error });
        });
    }
}

impl Actor for Coordinator {}

/// A member has placed a copy.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub(crate) key: Key,
    pub(crate) version: Version,
    pub(crate) level: u8,
    pub(crate) bytes: u64,
    pub(crate) captured: Duration,
    pub(crate) took: Duration,
}

impl Message for Placed {
    type Reply = ();
}

impl Handler<Placed> for Coordinator {
    async fn handle(&mut self, placed: Placed, cx: &mut Context<Self>) {
        self.placed(&placed, cx);
    }
}

/// No copy of a version is whole for a member.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unusable {
    pub(crate) key: Key,
    pub(crate) version: Version,
    /// The levels whose copies are damaged or gone.
    pub(crate) levels: Vec<u8>,
}

impl Message for Unusable {
    type Reply = ();
}

impl Handler<Unusable> for Coordinator {
    async fn handle(&mut self, unusable: Unusable, _cx: &mut Context<Self>) {
        let Unusable { key, version, levels } = unusable;
        let error = format!("{key} at version {version}: no whole copy at levels {levels:?}");
        self.damaged.extend(levels.into_iter().map(|level| (key.clone(), version, level)));
        self.events.publish(&Event::Damaged { error });
    }
}

struct Saved {
    version: Version,
    group: Option<GroupEpoch>,
    error: Option<String>,
}

impl Message for Saved {
    type Reply = ();
}

impl Handler<Saved> for Coordinator {
    async fn handle(&mut self, saved: Saved, cx: &mut Context<Self>) {
        match saved.error {
            Some(error) => {
                self.events.publish(&Event::SaveFailed { version: saved.version, error });
            }
            None if saved.group == cx.group() => self.commit(LAST, saved.version),
            None => {}
        }
    }
}

pub(crate) struct MakePlan(pub(crate) Round);

impl Message for MakePlan {
    type Reply = Result<Plan, StartError>;
}

impl Handler<MakePlan> for Coordinator {
    async fn handle(&mut self, make: MakePlan, cx: &mut Context<Self>) -> Result<Plan, StartError> {
        self.plan(&make.0, cx).await
    }
}

pub(crate) struct Observe(pub(crate) AnyLink);

impl Message for Observe {
    type Reply = ();
}

impl Handler<Observe> for Coordinator {
    async fn handle(&mut self, observe: Observe, cx: &mut Context<Self>) {
        observe.0.set_group(cx.group());
        self.observers.push(observe.0);
    }
}

pub(crate) struct WhatCosts;

impl Message for WhatCosts {
    type Reply = Costs;
}

impl Handler<WhatCosts> for Coordinator {
    async fn handle(&mut self, _: WhatCosts, _cx: &mut Context<Self>) -> Costs {
        self.costs.clone()
    }
}

impl fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coordinator").field("group", &self.group).finish_non_exhaustive()
    }
}

/// Lets members of groups tell their coordinator from other nodes. Every node of a group calls it,
/// besides [`actors_checkpoint::export`], which it includes.
pub fn export(system: &System) {
    actors_checkpoint::export(system);
    system
        .export::<Coordinator>("checkpoint-coordinator")
        .message::<Placed>("placed")
        .message::<Unusable>("unusable");
}
