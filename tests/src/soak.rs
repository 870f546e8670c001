//! A random tree of supervisors under random failures, for as long as one likes: nothing is lost.
//!
//! What is drawn comes from the seed; how the threads of the machine interleave does not.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use actors_core::{
    Actor, ActorInfo, BoxFuture, Context, ExitReason, Handler, Link, Message, StartError, System,
};
use actors_supervise::{
    Backoff, ChildSpec, Limit, RestartPolicy, Shutdown, Strategy, Supervisor, SupervisorBuilder,
    SupervisorLink,
};
use anyhow::{Result, anyhow, bail, ensure};
use fastrand::Rng;

/// How much, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is drawn.
    pub seed: u64,
    /// Actors in the tree, without their supervisors.
    pub actors: usize,
    /// Failures that are asked for every 2 ms.
    pub strikes: u32,
    /// How long there are failures.
    pub duration: Duration,
    /// Who has not recovered, or ended, so long after that is lost.
    pub deadline: Duration,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Supervisors in the tree.
    pub supervisors: usize,
    /// Failures that were asked for.
    pub failures: u64,
    /// Lives that the actors of the tree have had.
    pub lives: u64,
    /// Handlers and hooks that waited for ever.
    pub hangs: u64,
    /// Actors that came from outside, and went.
    pub guests: u64,
    /// Memory of the process when the tree was up, and when it had ended, in KiB.
    pub memory: (u64, u64),
    /// From the last failure until everybody was up.
    pub recovery: Duration,
}

/// Runs a tree through its failures, sees everybody recover, and ends it.
///
/// # Errors
/// Who was lost: an actor that does not come back, that lives twice at once or in the wrong incarnation, a
/// name that leads nowhere, an actor or a state that is left when the tree has ended.
pub fn run(plan: &Plan, mut progress: impl FnMut(&Done)) -> Result<Done> {
    let system = System::builder().name("soak").build();
    let world = Arc::<World>::default();
    let mut tree = Tree { rng: Rng::with_seed(plan.seed), leaves: Vec::new(), supervisors: 0 };
    let builder = tree.grow(&world, plan.actors, 0).limit(UNLIMITED);
    let root = system.block_on(builder.start(&system))?;
    let Tree { mut rng, leaves, supervisors } = tree;
    let links = system.block_on(all_supervisors(root.clone()))?;
    ensure!(links.len() == supervisors, "{} supervisors of {supervisors}", links.len());
    let chaos = Chaos { system: &system, world: &world, leaves: &leaves, supervisors: &links };

    let mut done = Done { supervisors, memory: (resident()?, 0), ..Done::default() };
    let end = Instant::now() + plan.duration;
    while Instant::now() < end {
        for _ in 0..plan.strikes {
            chaos.strike(&mut rng, &mut done)?;
        }
        chaos.free(false)?;
        world.tell(&mut done);
        progress(&done);
        thread::sleep(Duration::from_millis(2));
    }

    world.calm.store(true, SeqCst);
    let calm = Instant::now();
    let wait = |what: &str, condition: &mut dyn FnMut() -> Result<bool>| {
        let end = Instant::now() + plan.deadline;
        while !condition()? {
            world.check()?;
            ensure!(Instant::now() < end, "never: {what}");
            thread::sleep(Duration::from_millis(2));
        }
        world.check()
    };
    let missing = || {
        let missing = leaves.iter().filter(|leaf| leaf.is_permanent && !leaf.is_up.load(SeqCst));
        missing
            .map(|leaf| (leaf.name.clone(), chaos.find(leaf).map(|link| link.info())))
            .take(5)
            .collect::<Vec<_>>()
    };
    let recovered = wait("everybody is up", &mut || {
        chaos.free(true)?;
        Ok(world.tasks.load(SeqCst) == 0
            && leaves.iter().all(|leaf| leaf.is_up.load(SeqCst) || !leaf.is_permanent))
    });
    if let Err(error) = recovered {
        let (tasks, missing) = (world.tasks.load(SeqCst), missing());
        bail!("{error}: {tasks} tasks wait; {missing:?}\n{}", chaos.account(&root));
    }
    done.recovery = calm.elapsed();
    for leaf in leaves.iter().filter(|leaf| leaf.is_permanent) {
        let link = chaos.find(leaf)?;
        // It may be on its way down in a restart that the last strike has caused.
        wait(&format!("{} answers", leaf.name), &mut || {
            chaos.free(true)?;
            let life = system.block_on(async { link.call(Do::Work).await });
            Ok(life.is_ok_and(|life| life == leaf.last.load(SeqCst)))
        })?;
    }
    drop(links);
    system.block_on(root.shutdown(ExitReason::Shutdown));
    drop(root);
    if let Some(orphan) = leaves.iter().find(|leaf| leaf.is_up.load(SeqCst)) {
        bail!("{} is an orphan", orphan.name);
    }
    if let Some(named) = leaves.iter().find(|leaf| system.whereis_any(&leaf.name).is_ok()) {
        bail!("{} is still a name", named.name);
    }
    wait("no state is left", &mut || Ok(world.states.load(SeqCst) == 0))?;
    wait("no actor is left", &mut || Ok(system.snapshot().is_empty()))?;
    world.tell(&mut done);
    done.memory.1 = resident()?;
    let (before, after) = done.memory;
    ensure!(after < 2 * before + GROWTH, "memory has grown from {before} to {after} KiB");
    Ok(done)
}

/// What the pools keep for later, in KiB.
const GROWTH: u64 = 64 << 10;

/// The memory of this process in KiB; 0 where the system does not tell.
fn resident() -> Result<u64> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(0) };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| anyhow!("VmRSS is missing"))?.parse()?)
}

#[derive(Default)]
struct World {
    states: AtomicU64,
    lives: AtomicU64,
    hangs: AtomicU64,
    guests: AtomicU64,
    /// Commands that are not answered yet.
    tasks: AtomicU64,
    /// Messages of failures that are not handled yet.
    waiting: AtomicU64,
    calm: AtomicBool,
    broken: OnceLock<String>,
}

impl World {
    fn check(&self) -> Result<()> {
        self.broken.get().map_or(Ok(()), |what| Err(anyhow!("{what}")))
    }

    fn tell(&self, done: &mut Done) {
        done.lives = self.lives.load(SeqCst);
        done.hangs = self.hangs.load(SeqCst);
        done.guests = self.guests.load(SeqCst);
    }
}

/// What is known of an actor, over all its lives.
struct Record {
    name: String,
    is_permanent: bool,
    is_up: AtomicBool,
    last: AtomicU32,
    hangs: AtomicBool,
    hang_init: AtomicBool,
    hang_term: AtomicBool,
}

struct Leaf {
    record: Arc<Record>,
    world: Arc<World>,
}

impl Leaf {
    fn new(record: &Arc<Record>, world: &Arc<World>) -> Self {
        world.states.fetch_add(1, SeqCst);
        Self { record: record.clone(), world: world.clone() }
    }

    async fn hang(&self) {
        struct Hangs<'a>(&'a Record);
        impl Drop for Hangs<'_> {
            fn drop(&mut self) {
                self.0.hangs.store(false, SeqCst);
            }
        }
        if !self.world.calm.load(SeqCst) {
            self.world.hangs.fetch_add(1, SeqCst);
            self.record.hangs.store(true, SeqCst);
            let _hangs = Hangs(&self.record);
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        self.world.states.fetch_sub(1, SeqCst);
    }
}

impl Actor for Leaf {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        if self.record.hang_init.swap(false, SeqCst) {
            self.hang().await;
        }
        let (life, name) = (cx.incarnation(), &self.record.name);
        let last = self.record.last.swap(life, SeqCst);
        if life <= last {
            let _ = self.world.broken.set(format!("{name}: life {life} after life {last}"));
        }
        if self.record.is_up.swap(true, SeqCst) {
            let _ = self.world.broken.set(format!("{name} lives twice"));
        }
        self.world.lives.fetch_add(1, SeqCst);
        Ok(())
    }

    async fn term(&mut self, _: &ExitReason) {
        self.record.is_up.store(false, SeqCst);
        if self.record.hang_term.swap(false, SeqCst) {
            self.hang().await;
        }
    }
}

/// As many failures wait at most: with more, it is the queues that grow.
const BACKLOG: u64 = 20_000;

/// A message that counts as long as it is there.
struct Strike(Do, Arc<World>);

impl Drop for Strike {
    fn drop(&mut self) {
        self.1.waiting.fetch_sub(1, SeqCst);
    }
}

impl Message for Strike {
    type Reply = ();
}

impl Handler<Strike> for Leaf {
    async fn handle(&mut self, strike: Strike, cx: &mut Context<Self>) {
        self.handle(strike.0.clone(), cx).await;
    }
}

#[derive(Clone)]
enum Do {
    Work,
    Panic,
    Stop(ExitReason),
    Hang,
}

impl Message for Do {
    type Reply = u32;
}

impl Handler<Do> for Leaf {
    async fn handle(&mut self, what: Do, cx: &mut Context<Self>) -> u32 {
        match what {
            Do::Work => {}
            // What is left of the failures when they are over.
            _ if self.world.calm.load(SeqCst) => {}
            // Without a word on standard error.
            Do::Panic => std::panic::resume_unwind(Box::new("on purpose")),
            Do::Stop(reason) => cx.stop(reason),
            Do::Hang => self.hang().await,
        }
        cx.incarnation()
    }
}

const UNLIMITED: Limit = Limit { max_restarts: u32::MAX, period: Duration::from_secs(1) };
const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
const PATIENCE: Shutdown = Shutdown::Timeout(Duration::from_millis(20));

struct Tree {
    rng: Rng,
    leaves: Vec<Arc<Record>>,
    supervisors: usize,
}

impl Tree {
    fn grow(&mut self, world: &Arc<World>, actors: usize, depth: usize) -> SupervisorBuilder {
        self.supervisors += 1;
        let mut builder = Supervisor::builder(STRATEGIES[self.rng.usize(..3)]);
        if self.rng.u8(..4) == 0 {
            builder = builder.limit(Limit { max_restarts: 20, ..UNLIMITED });
        } else {
            builder = builder.limit(UNLIMITED);
        }
        let mut left = actors;
        while left > 0 {
            if depth < 5 && left > 8 {
                let share = self.rng.usize(4..=(actors / 3).max(4)).min(left);
                left -= share;
                let id = format!("supervisor-{}", self.supervisors);
                builder =
                    builder.child(ChildSpec::supervisor(id, self.grow(world, share, depth + 1)));
            } else {
                left -= 1;
                builder = builder.child(self.leaf(world));
            }
        }
        builder
    }

    fn leaf(&mut self, world: &Arc<World>) -> ChildSpec {
        let name = format!("leaf-{}", self.leaves.len());
        let record = Arc::new(record(name.clone(), self.rng.u8(..4) > 0));
        self.leaves.push(record.clone());
        let policy =
            if record.is_permanent { RestartPolicy::Permanent } else { RestartPolicy::Transient };
        let world = world.clone();
        ChildSpec::new(name.clone(), move || Leaf::new(&record, &world))
            .name(name)
            .restart(policy)
            .shutdown(PATIENCE)
            .backoff(Backoff::exponential(Duration::from_millis(1), Duration::from_millis(5)))
            .erase()
    }
}

fn record(name: String, is_permanent: bool) -> Record {
    Record {
        name,
        is_permanent,
        is_up: AtomicBool::new(false),
        last: AtomicU32::new(0),
        hangs: AtomicBool::new(false),
        hang_init: AtomicBool::new(false),
        hang_term: AtomicBool::new(false),
    }
}

fn all_supervisors(root: SupervisorLink) -> BoxFuture<'static, Result<Vec<SupervisorLink>>> {
    Box::pin(async move {
        let mut all = vec![root.clone()];
        for child in root.which_children().await? {
            if child.kind == actors_supervise::ChildKind::Supervisor {
                all.extend(all_supervisors(root.supervisor(child.id).await?).await?);
            }
        }
        Ok(all)
    })
}

struct Chaos<'a> {
    system: &'a System,
    world: &'a Arc<World>,
    leaves: &'a [Arc<Record>],
    supervisors: &'a [SupervisorLink],
}

impl Chaos<'_> {
    /// Static children keep their names, whatever becomes of them and of their supervisors.
    fn find(&self, leaf: &Record) -> Result<Link<Leaf>> {
        let found = self.system.whereis::<Leaf>(&leaf.name);
        found.map_err(|error| anyhow!("{} has lost its name: {error}", leaf.name))
    }

    /// Who waits, twice, so that one sees whether anything moves: actors with messages that wait for them,
    /// and the tree.
    fn account(&self, root: &SupervisorLink) -> String {
        let lives = || self.world.lives.load(SeqCst);
        let waiting = || {
            let all = self.system.snapshot();
            let waits = |info: &&ActorInfo| info.mailbox_len > 0;
            let told = |info: &ActorInfo| {
                let ActorInfo { name, status, mailbox_len, handled, .. } = info;
                format!("{name:?} {status:?}: {mailbox_len} wait, {handled} handled\n")
            };
            let lines: Vec<_> = all.iter().filter(waits).map(told).collect();
            format!(
                "{} of {} have messages\n{}",
                lines.len(),
                all.len(),
                lines[..lines.len().min(20)].concat()
            )
        };
        let (first, before) = (waiting(), lives());
        thread::sleep(Duration::from_secs(2));
        let moved = lives() - before;
        let tree = self.system.block_on(root.tree()).map(|tree| tree.to_string());
        let rests = |line: &&str| !line.contains(" running ") || line.contains('(');
        let tree = tree.map(|tree| tree.lines().filter(rests).collect::<Vec<_>>().join("\n"));
        format!("{first}after 2 s, {moved} lives more: {}{tree:?}", waiting())
    }

    fn strike(&self, rng: &mut Rng, done: &mut Done) -> Result<()> {
        self.world.check()?;
        let leaf = &self.leaves[rng.usize(..self.leaves.len())];
        let link = self.find(leaf)?;
        let number = rng.usize(..self.supervisors.len());
        let supervisor = &self.supervisors[number];
        done.failures += 1;
        // A dead actor is none of those that have a name.
        let send = |what| {
            if self.world.waiting.fetch_add(1, SeqCst) >= BACKLOG {
                self.world.waiting.fetch_sub(1, SeqCst);
                return Ok(());
            }
            let strike = Strike(what, self.world.clone());
            link.send(strike).map_err(|_| anyhow!("{} is dead", leaf.name))
        };
        match rng.u8(..100) {
            0..30 => send(Do::Panic)?,
            30..50 => send(Do::Stop(ExitReason::Error("on purpose".into())))?,
            50..60 => send(Do::Stop(ExitReason::Normal))?,
            60..68 => link.kill(),
            68..74 => send(Do::Hang)?,
            74..80 => {
                leaf.hang_init.store(true, SeqCst);
                send(Do::Panic)?;
            }
            80..86 => {
                leaf.hang_term.store(true, SeqCst);
                send(Do::Panic)?;
            }
            86..94 if self.world.tasks.load(SeqCst) < BACKLOG => {
                let (supervisor, strategy) = (supervisor.clone(), STRATEGIES[rng.usize(..3)]);
                self.task(async move { drop(supervisor.set_strategy(strategy).await) });
            }
            // Not the root.
            94..95 if number > 0 => supervisor.link().kill(),
            _ if self.world.tasks.load(SeqCst) < BACKLOG => {
                self.guest(supervisor.clone(), rng.bool());
            }
            _ => {}
        }
        Ok(())
    }

    /// An actor from outside is a child for a while.
    fn guest(&self, supervisor: SupervisorLink, fails: bool) {
        let number = self.world.guests.fetch_add(1, SeqCst);
        let record = Arc::new(record(format!("guest-{number}"), false));
        let link = self.system.spawn(Leaf::new(&record, self.world));
        self.task(async move {
            let id = record.name.clone();
            if supervisor.supervise(&id, &link).await.is_ok() {
                if fails {
                    let _ = link.send(Do::Panic);
                }
                if supervisor.unsupervise(&id).await.is_err() {
                    let _ = supervisor.terminate_child(&id).await;
                }
            }
        });
    }

    fn task(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.world.tasks.fetch_add(1, SeqCst);
        let world = self.world.clone();
        self.system.spawn_task(async move {
            task.await;
            world.tasks.fetch_sub(1, SeqCst);
        });
    }

    /// Who waits for ever is killed: some of them, or all.
    fn free(&self, all: bool) -> Result<()> {
        for leaf in self.leaves.iter().filter(|leaf| leaf.hangs.load(SeqCst)) {
            if all || fastrand::u8(..4) == 0 {
                self.find(leaf)?.kill();
            }
        }
        Ok(())
    }
}
