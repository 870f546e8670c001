//! The scenario: a tree is drawn, struck for a while, left in peace, compared with its events, and ended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use actors_core::{AnyLink, BoxFuture, ExitReason, Link, System, SystemId, sim::Sim};
use crossbeam_channel::Receiver;
use futures_lite::future;
use parking_lot::Mutex;

use super::{
    actors::{Do, Leaf, Record, World, task},
    elsewhere::Elsewhere,
};
use crate::{
    AutoShutdown, Backoff, ChildKind, ChildSpec, ChildStatus, Event, Limit, RestartPolicy,
    Shutdown, Strategy, Supervisor, SupervisorBuilder, SupervisorLink, Template,
};

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
const POLICIES: [RestartPolicy; 3] =
    [RestartPolicy::Permanent, RestartPolicy::Transient, RestartPolicy::Temporary];

pub(super) async fn run(sim: Sim) {
    let system = System::builder().host(sim.node("a")).build();
    let world = World::new(sim, system.clone());
    let mut tree = Tree::new(&world);
    let builder = tree.grow(0);
    let started = builder.start(&system).await;
    if let Ok(root) = started {
        Chaos { tree: &tree, supervisors: all(root.clone()).await }.strike().await;
        world.calm.store(true, SeqCst);
        tree.comes_to_rest(&root).await;
        let late = async {
            world.sim.sleep(Duration::from_secs(60)).await;
            panic!("the tree does not end: {:?}, {}", system.snapshot(), tree.elsewhere());
        };
        future::or(async { drop(root.shutdown(ExitReason::Shutdown).await) }, late).await;
        drop(root);
    }
    world.calm.store(true, SeqCst);
    tree.is_gone().await;
}

/// All that there is in a scenario.
struct Tree {
    world: Arc<World>,
    leaves: Mutex<Vec<Arc<Record>>>,
    elsewhere: Mutex<Vec<Elsewhere>>,
    events: BTreeMap<String, Receiver<Event>>,
    next: AtomicU64,
    templates: [Template<Arc<Record>, Leaf>; 3],
}

impl Tree {
    fn new(world: &Arc<World>) -> Self {
        let template = |policy| {
            Template::new("many", |record: Arc<Record>| Leaf::new(&record)).restart(policy)
        };
        Self {
            world: world.clone(),
            leaves: Mutex::default(),
            elsewhere: Mutex::default(),
            events: BTreeMap::new(),
            next: AtomicU64::new(0),
            templates: POLICIES.map(template),
        }
    }

    fn id(&self, kind: &str) -> String {
        format!("{kind}{}", self.next.fetch_add(1, SeqCst))
    }

    fn grow(&mut self, depth: u64) -> SupervisorBuilder {
        let world = self.world.clone();
        let auto = match world.draw(4) {
            0 => AutoShutdown::AnySignificant,
            1 => AutoShutdown::AllSignificant,
            _ => AutoShutdown::Never,
        };
        let id = self.id("supervisor");
        let max_restarts = world.one_of(&[1, 3, 10, 1000, 1000]);
        let mut builder = Supervisor::builder(world.one_of(&STRATEGIES))
            .id(&id)
            .auto_shutdown(auto)
            .limit(Limit { max_restarts, period: Duration::from_secs(1) });
        if world.draw(3) == 0 {
            builder = builder.max_node_failures(world.draw(3) as u32);
        }
        self.events.insert(id, builder.subscribe());
        for _ in 0..1 + world.draw(4) {
            if depth < 2 && world.draw(3) == 0 {
                let below = self.grow(depth + 1);
                let id = below.events.place().path().replace('/', "");
                builder = builder.child(ChildSpec::supervisor(id, below));
            } else {
                builder = builder.child(self.child(auto, true));
            }
        }
        builder
    }

    /// A child of any kind, with any rules.
    fn child(&self, auto: AutoShutdown, is_static: bool) -> ChildSpec {
        let world = &self.world;
        let policy = world.one_of(&POLICIES);
        let backoff = Backoff::exponential(Duration::from_millis(1), Duration::from_millis(20));
        let backoff = world.one_of(&[Backoff::default(), backoff]);
        let shutdown = world.one_of(&[
            Shutdown::BrutalKill,
            Shutdown::Timeout(Duration::from_millis(50)),
            Shutdown::Infinity,
        ]);
        let significant =
            auto != AutoShutdown::Never && policy != RestartPolicy::Permanent && world.draw(2) == 0;
        let spec = match world.draw(8) {
            0 => self.task(),
            1 | 2 => self.on_a_node(),
            _ => self.leaf(is_static),
        };
        spec.restart(policy).backoff(backoff).shutdown(shutdown).significant(significant)
    }

    fn leaf(&self, is_static: bool) -> ChildSpec {
        let record = Record::new(self.id("leaf"), &self.world);
        if self.world.draw(if is_static { 200 } else { 6 }) == 0 {
            record.failing.store(1, SeqCst);
        }
        if self.world.draw(12) == 0 {
            record.ignores.store(true, SeqCst);
        }
        self.leaves.lock().push(record.clone());
        let id = record.id.clone();
        ChildSpec::fallible(&id, move || std::future::ready(record.make())).name(&id).erase()
    }

    fn on_a_node(&self) -> ChildSpec {
        let child = Elsewhere::new(&Record::new(self.id("elsewhere"), &self.world));
        self.elsewhere.lock().push(child.clone());
        ChildSpec::custom(child.record.id.clone(), child)
    }

    fn task(&self) -> ChildSpec {
        let (world, id) = (self.world.clone(), self.id("task"));
        let make = move || task(world.clone());
        match self.world.draw(2) {
            0 => ChildSpec::task(id, make).erase(),
            _ => ChildSpec::task_within(id, Duration::from_millis(60), make).erase(),
        }
    }

    /// Everything is answered, nothing is being started or stopped any more, and all is as the events say.
    async fn comes_to_rest(&self, root: &SupervisorLink) {
        let world = &self.world;
        let mut before = States::new();
        for _ in 0..100 {
            // Longer than anything that is on its way.
            world.sim.sleep(Duration::from_secs(3)).await;
            if !world.asked.lock().is_empty() {
                continue;
            }
            let Ok(found) = states(root.clone()).await else { return };
            let mut children = found.iter().flat_map(|(_, children)| children);
            if children.all(State::rests) && found == before {
                return self.check(&found);
            }
            before = found;
        }
        let tree = root.tree().await;
        panic!("no rest: {:?} asked, {tree:?}", world.asked.lock());
    }

    fn check(&self, found: &[(String, Vec<State>)]) {
        for (supervisor, children) in found {
            let mut told = BTreeMap::new();
            for event in self.events[supervisor].try_iter() {
                match event {
                    Event::ChildStarted { id, incarnation, .. } => {
                        let before = told.insert(id.clone(), (incarnation, true));
                        let before = before.unwrap_or_default();
                        assert!(!before.1, "{id} starts while it runs");
                        assert!(before.0 < incarnation, "{id}: {incarnation} after {}", before.0);
                    }
                    Event::ChildExited { id, incarnation, .. } => {
                        let before = told.insert(id.clone(), (incarnation, false));
                        assert_eq!(before, Some((incarnation, true)), "{id} ends and did not run");
                    }
                    Event::ChildRemoved { id } => drop(told.remove(&id)),
                    _ => {}
                }
            }
            for State { id, status, incarnation, link } in children {
                if id.starts_with("leaf") {
                    let named = self.world.system.whereis_any(id).ok();
                    assert_eq!(named, *link, "{id} has lost its name");
                }
                let (life, runs) = told.remove(id).unwrap_or_default();
                assert_eq!(runs, *status == ChildStatus::Running, "{id} of {supervisor}");
                assert!(!runs || life == *incarnation, "{id} of {supervisor} is in life {life}");
            }
            let runs = told.iter().find(|(_, (_, runs))| *runs);
            assert_eq!(runs, None, "runs, and is no child of {supervisor}");
        }
    }

    fn elsewhere(&self) -> String {
        let children = self.elsewhere.lock();
        children.iter().map(|child| format!("{child:?}; ")).collect()
    }

    /// The tree has ended: nobody is left, and nothing of anybody.
    async fn is_gone(&self) {
        let world = &self.world;
        assert_eq!(world.broken.get(), None);
        let is_named = |record: &Arc<Record>| world.system.whereis_any(&record.id).is_ok();
        for _ in 0..10_000 {
            let left = world.states.load(SeqCst) + world.asked.lock().len() as u64;
            if left == 0 && world.system.snapshot().is_empty() {
                let (leaves, elsewhere) = (self.leaves.lock(), self.elsewhere.lock());
                let elsewhere = elsewhere.iter().map(|child| &child.record);
                for record in leaves.iter().chain(elsewhere) {
                    assert!(!record.is_up.load(SeqCst), "{} is an orphan", record.id);
                }
                let named = leaves.iter().find(|record| is_named(record)).cloned();
                assert!(named.is_none(), "{} is still a name", named.unwrap().id);
                return;
            }
            world.sim.sleep(Duration::from_millis(10)).await;
        }
        let (states, asked) = (world.states.load(SeqCst), world.asked.lock().clone());
        panic!("{states} states, {asked:?} asked: {:?}", world.system.snapshot());
    }
}

#[derive(PartialEq)]
struct State {
    id: String,
    status: ChildStatus,
    incarnation: u32,
    link: Option<AnyLink>,
}

impl State {
    fn rests(&self) -> bool {
        matches!(self.status, ChildStatus::Running | ChildStatus::Stopped)
    }
}

type States = Vec<(String, Vec<State>)>;

/// The children of each supervisor that runs.
fn states(root: SupervisorLink) -> BoxFuture<'static, Result<States, crate::ChildError>> {
    Box::pin(async move {
        let path = root.tree().await?.path;
        let id = path.rsplit('/').next().unwrap_or_default().to_owned();
        let children = root.which_children().await?;
        let mut all = Vec::new();
        for child in &children {
            if child.kind == ChildKind::Supervisor && child.status == ChildStatus::Running {
                all.extend(states(root.supervisor(&child.id).await?).await?);
            }
        }
        let state = |child: crate::ChildInfo| State {
            id: child.id,
            status: child.status,
            incarnation: child.incarnation,
            link: child.link,
        };
        all.push((id, children.into_iter().map(state).collect()));
        Ok(all)
    })
}

fn all(root: SupervisorLink) -> BoxFuture<'static, Vec<SupervisorLink>> {
    Box::pin(async move {
        let mut found = vec![root.clone()];
        for child in root.which_children().await.unwrap_or_default() {
            if child.kind == ChildKind::Supervisor
                && let Ok(below) = root.supervisor(child.id).await
            {
                found.extend(all(below).await);
            }
        }
        found
    })
}

struct Chaos<'a> {
    tree: &'a Tree,
    supervisors: Vec<SupervisorLink>,
}

impl Chaos<'_> {
    async fn strike(&self) {
        let world = &self.tree.world;
        for _ in 0..20 + world.draw(40) {
            for _ in 0..1 + world.draw(3) {
                self.strike_once();
            }
            world.sim.sleep(Duration::from_millis(world.draw(40))).await;
        }
    }

    fn strike_once(&self) {
        let world = &self.tree.world;
        match world.draw(100) {
            0..40 => self.hit_a_leaf(),
            40..52 => {
                let children = self.tree.elsewhere.lock();
                if !children.is_empty() {
                    world.one_of(&children).exit(self.reason());
                }
            }
            52..58 => self.fail_a_node(),
            58..60 => self.kill_a_supervisor(),
            60..64 => self.guest(),
            _ => self.ask(),
        }
    }

    fn reason(&self) -> ExitReason {
        self.tree.world.one_of(&[
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::ShutdownWith("done".into()),
            ExitReason::Error("as asked".into()),
        ])
    }

    fn hit_a_leaf(&self) {
        let world = &self.tree.world;
        let leaves = self.tree.leaves.lock();
        if leaves.is_empty() {
            return;
        }
        let leaf = world.one_of(&leaves);
        drop(leaves);
        // One that was added and removed is gone.
        let Ok(link) = world.system.whereis::<Leaf>(&leaf.id) else { return };
        match world.draw(12) {
            0 => leaf.slow_init.store(true, SeqCst),
            1 | 2 => leaf.slow_term.store(true, SeqCst),
            3 => leaf.failing.store(1 + world.draw(2) as u32, SeqCst),
            4 => leaf.ignores.store(true, SeqCst),
            _ => {}
        }
        let what = match world.draw(10) {
            0..3 => Do::Panic,
            3..7 => Do::Stop(self.reason()),
            7..9 => return link.kill(),
            _ => Do::Hang,
        };
        let _ = link.send(what);
    }

    fn fail_a_node(&self) {
        let host = self.tree.world.fail_a_host();
        for child in self.tree.elsewhere.lock().iter() {
            child.host_fails(host);
        }
        for supervisor in &self.supervisors {
            supervisor.host_failures().failed(SystemId(host), format!("node {host}"));
        }
    }

    /// Not the root.
    fn kill_a_supervisor(&self) {
        if let Some(below) = self.supervisors.get(1..).filter(|below| !below.is_empty()) {
            self.tree.world.one_of(below).link().kill();
        }
    }

    /// An actor that runs is taken in, and perhaps let go.
    fn guest(&self) {
        let world = self.tree.world.clone();
        let record = Record::new(self.tree.id("guest"), &world);
        self.tree.leaves.lock().push(record.clone());
        let link: Link<Leaf> = world.system.spawn(Leaf::new(&record));
        let (strike, stays) = (world.draw(2) == 0, world.draw(2) == 0);
        let what = format!("take in {}", record.id);
        self.task(what, world.one_of(&self.supervisors), move |supervisor| async move {
            let id = record.id.clone();
            if supervisor.supervise(&id, &link).await.is_err() {
                return;
            }
            if strike {
                let _ = link.send(Do::Panic);
            }
            if !stays && supervisor.unsupervise(&id).await.is_err() {
                let _ = supervisor.terminate_child(&id).await;
            }
        });
    }

    /// Something that is done by hand, to some child of some supervisor.
    fn ask(&self) {
        let (tree, world) = (self.tree, self.tree.world.clone());
        let (pick, what) = (world.draw(100) as usize, world.draw(17));
        let spec = match world.draw(3) {
            0 => {
                let record = Record::new(tree.id("one of many"), &world);
                tree.leaves.lock().push(record.clone());
                let index = world.draw(3) as usize;
                tree.templates[index].child(record.clone()).name(&record.id).erase()
            }
            _ => tree.child(AutoShutdown::Never, false),
        };
        let strategy = world.one_of(&STRATEGIES);
        let max_restarts = world.one_of(&[1, 3, 1000, 1000]);
        let question = format!("number {what}, or start {}", spec.id);
        self.task(question, world.one_of(&self.supervisors), move |supervisor| async move {
            if what < 6 {
                drop(supervisor.start_child(spec).await);
                return;
            }
            let Ok(children) = supervisor.which_children().await else { return };
            let workers = children.iter().filter(|child| child.kind != ChildKind::Supervisor);
            let workers: Vec<_> = workers.map(|child| child.id.clone()).collect();
            if workers.is_empty() {
                return;
            }
            let id = workers[pick % workers.len()].clone();
            match what {
                6 | 7 => drop(supervisor.stop_child(id).await),
                8..11 => {
                    if supervisor.stop_child(&id).await.is_ok() {
                        drop(supervisor.restart_child(id).await);
                    }
                }
                11 => drop(supervisor.terminate_child(id).await),
                12 => drop(supervisor.delete_child(id).await),
                13 => drop(supervisor.set_strategy(strategy).await),
                14 => {
                    let limit = Limit { max_restarts, period: Duration::from_secs(1) };
                    drop(supervisor.set_limit(limit).await);
                }
                15 => {
                    let tasks = children.iter().filter(|child| child.kind == ChildKind::Task);
                    tasks.filter_map(|task| task.link.as_ref()).for_each(AnyLink::kill);
                }
                _ => {
                    let stopped = children.iter().find(|c| c.status == ChildStatus::Stopped);
                    if let Some(child) = stopped {
                        drop(supervisor.restart_child(&child.id).await);
                    }
                }
            }
        });
    }

    fn task<Fut: Future<Output = ()> + Send + 'static>(
        &self,
        what: String,
        supervisor: SupervisorLink,
        task: impl FnOnce(SupervisorLink) -> Fut + Send + 'static,
    ) {
        let asked = self.tree.world.asks(what);
        self.tree.world.system.spawn_task(async move {
            task(supervisor).await;
            drop(asked);
        });
    }
}
