//! The actor that knows what a group has protected, and plans its restarts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use actors_checkpoint::{
    Blob, Checkpointing, CheckpointingArgs, CheckpointingConfig, EXPORT_NAME, Key, SnapshotDir,
    SnapshotError, Version,
    message::{Get, Inventory, Protect, Put, Register, Rollback, SetParent},
};
use actors_core::{
    Actor, ActorId, Context, GroupEpoch, GroupId, Handler, Link, Message, StartError, System,
    SystemId,
};
use actors_node::Node;
use actors_supervise::{Plan, Planner, Round};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    Costs, Hierarchy, MemberPlan, RestartEvent,
    event::{Event, Hub},
    hierarchy::{LAST, MEMORY, PARTNER},
    planner::{Copies, Decision, decide},
};

/// Versions that a store keeps of each state.
const KEEP: usize = 2;
/// How long a store may take to answer before a plan goes on without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Organises the checkpoints of one group, and plans its restarts.
///
/// It runs on the node of the group's supervisor, whose [planner](GroupPlanner) asks it before every
/// start: it makes a store on each node that hosts a member, pairs the nodes, finds what survives,
/// and gives every member what to go on from. Members tell it of each copy; a version that all have
/// placed is *complete*, and only complete ones are restarted from.
pub struct Coordinator {
    node: Node,
    hierarchy: Hierarchy,
    group: GroupId,
    /// Of the next plan.
    restart: u64,
    members: Vec<Key>,
    near: BTreeMap<SystemId, Link<Checkpointing>>,
    partners: BTreeMap<SystemId, Link<Checkpointing>>,
    last: Option<LastLevel>,
    placed: BTreeMap<Version, BTreeMap<Key, u8>>,
    complete: BTreeSet<Version>,
    /// Copies that were found damaged.
    damaged: BTreeSet<(Key, Version, u8)>,
    /// Newest version that is safe at each level.
    committed: BTreeMap<u8, Version>,
    costs: Costs,
    events: Arc<Hub>,
    observers: Vec<actors_core::AnyLink>,
}

/// The last level: states are gathered in a store here, then committed to a directory as one.
struct LastLevel {
    store: Link<Checkpointing>,
    directory: Arc<Mutex<SnapshotDir>>,
    meta: Vec<u8>,
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
            Some(last) => last.directory.lock().versions().into_iter().collect(),
            None => BTreeSet::new(),
        };
        let events = Arc::new(Hub::default());
        let coordinator = system.spawn(Self {
            node: node.clone(),
            hierarchy,
            group: GroupId(system.host().random.next()),
            restart: 0,
            members: Vec::new(),
            near: BTreeMap::new(),
            partners: BTreeMap::new(),
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

    /// A store of this level on every host, made where it is missing.
    async fn ensure_stores(&mut self, hosts: &[SystemId], level: u8) -> Result<(), StartError> {
        for &host in hosts {
            let stores = if level == MEMORY { &self.near } else { &self.partners };
            if stores.get(&host).is_some_and(is_alive) {
                continue;
            }
            let hold = Some(PARTNER);
            let args = CheckpointingArgs { level, keep: KEEP, budget: None, parent: None, hold };
            let store = self.node.spawn::<Checkpointing>(host, EXPORT_NAME, &args).await?;
            let stores = if level == MEMORY { &mut self.near } else { &mut self.partners };
            stores.insert(host, store);
        }
        Ok(())
    }

    /// The levels of every host, linked upward: node, partner, last. Gives the entry of each.
    async fn link_levels(
        &mut self,
        hosts: &[SystemId],
    ) -> Result<BTreeMap<SystemId, Link<Checkpointing>>, StartError> {
        let last = self.last.as_ref().map(|last| last.store.clone());
        let partners = match self.hierarchy.has(PARTNER) {
            true => self.pairs(hosts),
            false => BTreeMap::new(),
        };
        let mut partner_hosts: Vec<SystemId> = partners.values().copied().collect();
        partner_hosts.sort();
        partner_hosts.dedup();
        self.ensure_stores(&partner_hosts, PARTNER).await?;
        if self.hierarchy.has(MEMORY) {
            self.ensure_stores(hosts, MEMORY).await?;
        }
        for host in &partner_hosts {
            link(&self.partners[host], last.as_ref()).await;
        }
        let mut entries = BTreeMap::new();
        for &host in hosts {
            let above = partners.get(&host).map(|partner| self.partners[partner].clone());
            let above = above.or_else(|| last.clone());
            let entry = if self.hierarchy.has(MEMORY) {
                let near = self.near[&host].clone();
                link(&near, above.as_ref()).await;
                Some(near)
            } else {
                above
            };
            entries.extend(entry.map(|entry| (host, entry)));
        }
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

    /// What survives. Stores that do not answer have nothing.
    async fn inventory(&self, hosts: &BTreeMap<Key, SystemId>) -> Copies<Link<Checkpointing>> {
        let mut copies = Copies::new();
        let near = self.near.iter().map(|(host, store)| (MEMORY, Some(*host), store));
        let partners = self.partners.values().map(|store| (PARTNER, None, store));
        let last = self.last.iter().map(|last| (LAST, None, &last.store));
        let asked: Vec<_> = near
            .chain(partners)
            .chain(last)
            .map(|(level, host, store)| {
                (level, host, store, store.call(Inventory).within(PATIENCE))
            })
            .collect();
        for (level, host, store, inventory) in asked {
            let Ok(held) = inventory.await else { continue };
            for (key, versions) in held {
                // The memory of a node is near only to the members that it hosts.
                if host.is_some() && hosts.get(&key) != host.as_ref() {
                    continue;
                }
                for version in versions {
                    add(&mut copies, &key, version, (level, store.clone()));
                }
            }
        }
        if let Some(last) = &self.last {
            for version in last.directory.lock().versions() {
                for key in &self.members {
                    add(&mut copies, key, version, (LAST, last.store.clone()));
                }
            }
        }
        copies
    }

    /// Drops what is not whole from the stores, and takes the last level's states from its directory
    /// if they are needed.
    async fn ready(
        &mut self,
        decision: &Decision<Link<Checkpointing>>,
        system: &System,
    ) -> Result<(), Version> {
        let version = match decision {
            Decision::Restore { version, .. } => Some(*version),
            Decision::Fresh => None,
        };
        if let (Some(last), Decision::Restore { version, sources }) = (&self.last, decision) {
            let from_last = sources.values().any(|sources| sources[0].0 == LAST);
            if from_last && !last.holds(*version, &self.members).await {
                last.fetch(*version, system).await.map_err(|error| {
                    self.events.publish(&Event::Damaged { error: error.to_string() });
                    *version
                })?;
            }
        }
        if let Some(last) = &self.last {
            let (directory, version) = (last.directory.clone(), version.unwrap_or(0));
            let rolled_back = system.host().blocking(move || directory.lock().rollback(version));
            if let Err(error) = rolled_back.await {
                self.events.publish(&Event::Damaged { error: error.to_string() });
            }
        }
        let above = version;
        let told: Vec<_> =
            self.stores().map(|store| store.call(Rollback { above }).within(PATIENCE)).collect();
        for told in told {
            let _ = told.await;
        }
        Ok(())
    }

    async fn plan(&mut self, round: &Round, cx: &Context<Self>) -> Result<Plan, StartError> {
        let started = cx.now();
        let system = cx.system().clone();
        let live: BTreeSet<SystemId> = self.node.members().iter().map(|m| m.id).collect();
        self.near.retain(|host, _| live.contains(host));
        self.partners.retain(|host, _| live.contains(host));
        self.members = round.children.iter().map(|child| Key::new(&*child.id)).collect();
        let hosts: BTreeMap<Key, SystemId> = round
            .children
            .iter()
            .filter_map(|child| Some((Key::new(&*child.id), child.host?)))
            .collect();
        let mut ring = Vec::new();
        for key in &self.members {
            let host = *hosts.get(key).ok_or(StartError::NoNode)?;
            if !ring.contains(&host) {
                ring.push(host);
            }
        }
        let entries = self.link_levels(&ring).await?;
        let decision = loop {
            let mut copies = self.inventory(&hosts).await;
            forget(&mut copies, &self.damaged);
            let decision = decide(&self.members, &self.complete, &copies);
            match self.ready(&decision, &system).await {
                Ok(()) => break decision,
                Err(damaged) => self.complete.remove(&damaged),
            };
        };
        let (version, mut sources) = match decision.without_late_sources(LAST) {
            Decision::Restore { version, sources } => (Some(version), sources),
            Decision::Fresh => (None, BTreeMap::new()),
        };
        self.complete.retain(|complete| Some(*complete) <= version);
        self.placed.clear();
        self.committed.retain(|_, committed| Some(*committed) <= version);
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

    fn stores(&self) -> impl Iterator<Item = &Link<Checkpointing>> {
        let last = self.last.iter().map(|last| &last.store);
        self.near.values().chain(self.partners.values()).chain(last)
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
            for store in self.stores() {
                let _ = store.send(Protect { version });
            }
        }
    }

    /// Writes a version that is whole in the last level's store to its directory, behind the group.
    fn save(&self, version: Version, cx: &Context<Self>) {
        let Some(last) = &self.last else { return };
        let (store, directory) = (last.store.clone(), last.directory.clone());
        let (members, meta) = (self.members.clone(), last.meta.clone());
        let (own, system) = (cx.link(), cx.system().clone());
        let group = cx.group();
        cx.spawn_task(async move {
            let result = save(&system, store, directory, members, meta, version).await;
            let _ = own.send(Saved { version, group, error: result.err() });
        });
    }
}

async fn save(
    system: &System,
    store: Link<Checkpointing>,
    directory: Arc<Mutex<SnapshotDir>>,
    members: Vec<Key>,
    meta: Vec<u8>,
    version: Version,
) -> Result<(), String> {
    let mut entries: Vec<(Key, Version, Blob)> = Vec::new();
    for key in members {
        let get = Get { key: key.clone(), version: Some(version), level: 0 };
        let entry = store.call(get).await.map_err(|error| error.to_string())?;
        let entry = entry.map_err(|error| error.to_string())?;
        entries.push((key, version, entry.blob));
    }
    let commit = move || {
        let mut directory = directory.lock();
        // What was restored from it is placed again at a restart.
        match directory.newest() {
            Some(newest) if newest >= version => Ok(()),
            _ => directory.commit(version, &entries, &meta).map(drop),
        }
    };
    system.host().blocking(commit).await.map_err(|error| error.to_string())
}

impl LastLevel {
    async fn open(system: &System, path: PathBuf, meta: Vec<u8>) -> Result<Self, SnapshotError> {
        let disk = system.host().disk.clone();
        let directory = system.host().blocking(move || SnapshotDir::open(disk, &path)).await?;
        let config = CheckpointingConfig::level(LAST).keep(KEEP).hold_from(PARTNER);
        let store = system.spawn(Checkpointing::new(config));
        Ok(Self { store, directory: Arc::new(Mutex::new(directory)), meta })
    }

    async fn holds(&self, version: Version, members: &[Key]) -> bool {
        let Ok(held) = self.store.call(Inventory).await else { return false };
        let holds = |key| held.iter().any(|(k, versions)| k == key && versions.contains(&version));
        members.iter().all(holds)
    }

    /// Takes a snapshot's states into the store.
    async fn fetch(&self, version: Version, system: &System) -> Result<(), SnapshotError> {
        let directory = self.directory.clone();
        let snapshot = system.host().blocking(move || directory.lock().load(version)).await?;
        for (key, version, blob) in snapshot.entries {
            let _ = self.store.call(Put { key, version, blob, level: LAST }).await;
        }
        Ok(())
    }
}

fn is_alive(store: &Link<Checkpointing>) -> bool {
    store.info().last_error.is_none()
}

/// Links a store to the level above, or to none. A store that does not answer is left alone: what is
/// put into it then reaches it only.
async fn link(store: &Link<Checkpointing>, above: Option<&Link<Checkpointing>>) {
    let linked = match above {
        Some(above) => {
            let register = Register { child: store.clone() };
            above.call(register).within(PATIENCE).await.map(|registered| registered.is_ok())
        }
        None => {
            let alone = SetParent { parent: None };
            store.call(alone).within(PATIENCE).await.map(|set| set.is_ok())
        }
    };
    if linked != Ok(true) {
        tracing::warn!(store = %store.id(), ?linked, "store is not linked upward");
    }
}

fn forget<S>(copies: &mut Copies<S>, damaged: &BTreeSet<(Key, Version, u8)>) {
    for (key, version, level) in damaged {
        if let Some(at) = copies.get_mut(key).and_then(|versions| versions.get_mut(version)) {
            at.retain(|(held, _)| held != level);
        }
    }
}

fn add<S>(copies: &mut Copies<S>, key: &Key, version: Version, copy: (u8, S)) {
    let copies = copies.entry(key.clone()).or_default().entry(version).or_default();
    if !copies.iter().any(|(level, _)| *level == LAST && copy.0 == LAST) {
        copies.push(copy);
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

struct MakePlan(Round);

impl Message for MakePlan {
    type Reply = Result<Plan, StartError>;
}

impl Handler<MakePlan> for Coordinator {
    async fn handle(&mut self, make: MakePlan, cx: &mut Context<Self>) -> Result<Plan, StartError> {
        self.plan(&make.0, cx).await
    }
}

struct Observe(actors_core::AnyLink);

impl Message for Observe {
    type Reply = ();
}

impl Handler<Observe> for Coordinator {
    async fn handle(&mut self, observe: Observe, cx: &mut Context<Self>) {
        observe.0.set_group(cx.group());
        self.observers.push(observe.0);
    }
}

struct WhatCosts;

impl Message for WhatCosts {
    type Reply = Costs;
}

impl Handler<WhatCosts> for Coordinator {
    async fn handle(&mut self, _: WhatCosts, _cx: &mut Context<Self>) -> Costs {
        self.costs.clone()
    }
}

/// What a group goes on from; the `data` of the supervisor's [`Plan`].
#[derive(Clone, Debug)]
pub struct GroupPlan {
    /// The group's restart epoch from now on.
    pub epoch: GroupEpoch,
    /// The common version; `None` is a fresh start.
    pub version: Option<Version>,
    members: BTreeMap<String, MemberPlan>,
}

impl GroupPlan {
    /// The plan that a supervised start was given, for the member with this id.
    ///
    /// # Errors
    /// The supervisor has no [`GroupPlanner`], or the child was not in the round.
    pub fn member(start: &actors_supervise::Start, id: &str) -> Result<MemberPlan, StartError> {
        let plan = start.plan.as_ref().and_then(|plan| plan.data.downcast_ref::<Self>());
        plan.and_then(|plan| plan.members.get(id))
            .cloned()
            .ok_or_else(|| StartError::failed(format!("no plan for group member {id:?}")))
    }
}

/// A running [`Coordinator`]. Cheap to clone.
#[derive(Clone)]
pub struct GroupLink {
    coordinator: Link<Coordinator>,
    events: Arc<Hub>,
}

impl GroupLink {
    /// For the group's supervisor.
    pub fn planner(&self) -> GroupPlanner {
        GroupPlanner { coordinator: self.coordinator.clone() }
    }

    /// What happens, from now on.
    pub fn events(&self) -> crossbeam_channel::Receiver<Event> {
        self.events.subscribe()
    }

    /// Calls `f` with each event. It must not block.
    pub fn on_event(&self, f: impl Fn(&Event) + Send + Sync + 'static) {
        self.events.listen(Box::new(f));
    }

    /// An actor outside of the group that its members report to: what they sent in a run that was
    /// rolled back does not reach it after the restart.
    pub async fn observe(&self, observer: actors_core::AnyLink) {
        let _ = self.coordinator.call(Observe(observer)).forever().await;
    }

    /// What protecting the members has cost, over all restarts.
    pub async fn costs(&self) -> Costs {
        self.coordinator.call(WhatCosts).forever().await.unwrap_or_default()
    }

    /// The coordinator's identity.
    pub fn id(&self) -> ActorId {
        self.coordinator.id()
    }
}

/// Plans the rounds of a group's supervisor.
#[derive(Debug)]
pub struct GroupPlanner {
    coordinator: Link<Coordinator>,
}

impl Planner for GroupPlanner {
    fn plan(&mut self, round: Round) -> actors_core::BoxFuture<'static, Result<Plan, StartError>> {
        let call = self.coordinator.call(MakePlan(round)).forever();
        Box::pin(async move { call.await.map_err(StartError::failed)? })
    }
}

impl fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coordinator").field("group", &self.group).finish_non_exhaustive()
    }
}

impl fmt::Debug for GroupLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupLink({})", self.coordinator.id())
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
