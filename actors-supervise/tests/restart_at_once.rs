//! A child that fails is restarted by the activation that ends, whatever its supervisor is at.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actors_core::{
    Actor, AnyLink, Context, Down, ExitReason, Handler, Link, Message, StartError, Status, System,
    sim,
};
use actors_supervise::{
    ChildError, ChildSpec, Event, Limit, RestartPolicy, Strategy, Supervisor, SupervisorLink,
};
use common::{Crash, Diary, LONG, Life, Worker, limit, seeds, worker};

const TRIES: usize = 100;

/// Many times on a real host, once with each seed in the simulation.
fn everywhere<F, Fut>(scenario: F)
where
    F: Fn(System) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    for _ in 0..TRIES {
        let system = System::new();
        system.block_on(scenario(system.clone()));
    }
    sim::search(0..seeds(), |sim| scenario(System::builder().host(sim.node("a")).build()));
}

/// Sees to it that it never lives twice at once.
struct Lone(Arc<AtomicU32>);

impl Actor for Lone {
    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), StartError> {
        assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), 0, "two lives at once");
        Ok(())
    }

    async fn term(&mut self, _: &ExitReason) {
        assert_eq!(self.0.fetch_sub(1, Ordering::SeqCst), 1);
    }
}

/// Ends it so.
struct Fail(ExitReason);
impl Message for Fail {
    type Reply = ();
}
impl Handler<Fail> for Lone {
    async fn handle(&mut self, Fail(reason): Fail, cx: &mut Context<Self>) {
        cx.stop(reason);
    }
}

struct Which;
impl Message for Which {
    type Reply = u32;
}
impl Handler<Which> for Lone {
    async fn handle(&mut self, _: Which, cx: &mut Context<Self>) -> u32 {
        cx.incarnation()
    }
}

struct Family {
    system: System,
    supervisor: SupervisorLink,
    a: Link<Lone>,
    b: Link<Lone>,
    lives: [Arc<AtomicU32>; 2],
}

fn error() -> Fail {
    Fail(ExitReason::Error("as asked".into()))
}

fn fail(system: &System, link: &Link<Lone>, times: usize) {
    let link = link.clone();
    system.spawn_task(async move {
        for _ in 0..times {
            let _ = link.send(error());
            futures_lite::future::yield_now().await;
        }
    });
}

async fn comes(is_so: impl Fn() -> bool) {
    while !is_so() {
        futures_lite::future::yield_now().await;
    }
}

impl Family {
    async fn new(system: System, max_restarts: u32) -> Self {
        let lives = [Arc::<AtomicU32>::default(), Arc::default()];
        let lone = |id: &str, lives: &Arc<AtomicU32>| {
            let lives = lives.clone();
            ChildSpec::new(id, move || Lone(lives.clone())).restart(RestartPolicy::Permanent)
        };
        let supervisor = Supervisor::builder(Strategy::OneForOne)
            .limit(Limit { max_restarts, ..Limit::default() })
            .child(lone("a", &lives[0]))
            .child(lone("b", &lives[1]))
            .start(&system)
            .await
            .expect("both start");
        let a = supervisor.child("a").await.expect("it is a child");
        let b = supervisor.child("b").await.expect("it is a child");
        Self { system, supervisor, a, b, lives }
    }

    /// Lets both fail `times` times, at any time from now on.
    fn fail(&self, times: usize) {
        fail(&self.system, &self.a, times);
        fail(&self.system, &self.b, times);
    }

    /// Both serve, in the life that this many failures lead to.
    async fn recover(&self, failures: u32) {
        for link in [&self.a, &self.b] {
            while link.call(Which).within(LONG).await.expect("it is restarted") <= failures {
                futures_lite::future::yield_now().await;
            }
        }
    }

    fn alive(&self) -> [u32; 2] {
        [0, 1].map(|n: usize| self.lives[n].load(Ordering::SeqCst))
    }
}

#[test]
fn a_restart_takes_no_message_of_the_supervisor() {
    everywhere(|system| async move {
        let family = Family::new(system, 1000).await;
        let handled = || family.supervisor.link().info().handled;
        let (before, events) = (handled(), family.supervisor.subscribe());
        for life in 2..10 {
            let down = family.a.down();
            family.a.send(error()).unwrap();
            assert_eq!(family.a.call(Which).within(LONG).await, Ok(life));
            let down = down.await;
            assert_eq!((down.incarnation, down.reason), (life - 1, error().0));
            let told: Vec<_> = events.try_iter().collect();
            assert!(
                matches!(
                    &told[..],
                    [
                        Event::ChildExited { incarnation: ended, .. },
                        Event::RoundStarted { .. },
                        Event::ChildStarted { incarnation: begun, .. },
                        Event::Restarted { .. },
                    ] if *ended == life - 1 && *begun == life
                ),
                "{told:?}"
            );
        }
        assert_eq!(handled(), before);
    });
}

#[test]
fn a_panic_is_followed_by_the_next_life_too() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let supervisor = Supervisor::builder(Strategy::OneForOne)
            .limit(limit(1000))
            .child(worker("a", &diary))
            .start(&system)
            .await
            .unwrap();
        let a = supervisor.child::<Worker>("a").await.unwrap();
        let handled = supervisor.link().info().handled;
        for life in 2..50 {
            a.send(Crash).unwrap();
            assert_eq!(a.call(Life).await, Ok(life));
        }
        assert_eq!(supervisor.link().info().handled, handled);
    });
}

#[test]
fn sup_7_siblings_that_fail_at_once_are_all_restarted() {
    everywhere(|system| async move {
        let family = Family::new(system, 1000).await;
        family.fail(20);
        family.recover(20).await;
        let counts = family.supervisor.count_children().await.unwrap();
        assert_eq!((counts.specs, counts.active), (2, 2));
        assert_eq!(family.alive(), [1, 1]);
    });
}

#[test]
fn sup_11_failures_over_the_limit_end_all_however_they_meet() {
    everywhere(|system| async move {
        let family = Family::new(system, 5).await;
        let down = family.supervisor.link().down();
        let events = family.supervisor.subscribe();
        family.fail(20);
        assert_eq!(down.await.reason, ExitReason::Shutdown);
        assert_eq!(family.alive(), [0, 0]);
        let told: Vec<_> = events.try_iter().collect();
        let count = |is: fn(&Event) -> bool| told.iter().filter(|event| is(event)).count();
        assert_eq!(count(|event| matches!(event, Event::LimitExceeded { .. })), 1);
        // The fifth may not be done when the sixth failure ends it.
        let rounds = count(|event| matches!(event, Event::RoundStarted { .. }));
        assert_eq!(rounds, 5, "{told:?}");
        assert!(matches!(family.a.info().status, Status::Dead(_)));
    });
}

#[test]
fn sup_2_a_child_that_fails_while_it_is_terminated_is_gone() {
    everywhere(|system| async move {
        let family = Family::new(system, 1000).await;
        family.fail(10);
        family.supervisor.terminate_child("a").await.unwrap();
        assert_eq!(family.alive()[0], 0);
        comes(|| family.a.send(error()).is_err()).await;
        family.b.call(Which).within(LONG).await.expect("it is untouched");
    });
}

#[test]
fn sup_19_a_child_that_fails_while_it_is_stopped_runs_again_by_hand_only() {
    everywhere(|system| async move {
        let family = Family::new(system, 1000).await;
        family.fail(10);
        family.supervisor.stop_child("a").await.unwrap();
        assert_eq!((family.alive()[0], family.a.info().status), (0, Status::Suspended));
        let info = family.supervisor.restart_child("a").await.unwrap();
        assert!(info.incarnation > 1);
        let again = family.supervisor.restart_child("b").await;
        assert!(matches!(again, Err(ChildError::Running(_) | ChildError::Restarting(_))));
        family.a.call(Which).within(LONG).await.expect("it runs");
    });
}

#[test]
fn sup_17_children_that_fail_while_their_supervisor_ends_are_not_restarted() {
    everywhere(|system| async move {
        let family = Family::new(system, 1000).await;
        family.fail(10);
        family.supervisor.shutdown(ExitReason::Shutdown).await;
        assert_eq!(family.alive(), [0, 0]);
        assert!(matches!(family.b.info().status, Status::Dead(_)));
    });
}

#[test]
fn sup_31_children_that_fail_while_their_supervisor_is_killed_leave_no_orphans() {
    everywhere(|system| async move {
        let family = Family::new(system, 1000).await;
        family.fail(10);
        let down = family.supervisor.link().down();
        family.supervisor.link().kill();
        down.await;
        assert_eq!(family.alive(), [0, 0]);
        assert!(matches!(family.a.info().status, Status::Dead(_)));
    });
}

#[test]
fn sup_8_the_strategy_holds_from_the_next_failure_on() {
    everywhere(|system| async move {
        let family = Family::new(system, 1000).await;
        fail(&family.system, &family.a, 5);
        family.supervisor.set_strategy(Strategy::OneForAll).await.unwrap();
        let _ = family.a.send(error());
        while family.b.call(Which).within(LONG).await.unwrap() == 1 {
            futures_lite::future::yield_now().await;
        }
        comes(|| family.alive() == [1, 1]).await;
    });
}

#[test]
fn a_child_that_is_killed_while_it_fails_runs_again() {
    everywhere(|system| async move {
        let family = Family::new(system, 1000).await;
        family.fail(10);
        for _ in 0..10 {
            family.a.kill();
            futures_lite::future::yield_now().await;
        }
        family.recover(10).await;
        // A kill is a life more: failures may be left.
        comes(|| family.alive() == [1, 1]).await;
    });
}

#[test]
fn sup_31_a_supervisor_that_is_killed_is_restarted_with_children_that_fail() {
    everywhere(|system| async move {
        let lives = Arc::<AtomicU32>::default();
        let lone = lives.clone();
        let below = Supervisor::builder(Strategy::OneForOne)
            .limit(Limit { max_restarts: 1000, ..Limit::default() })
            .child(ChildSpec::new("a", move || Lone(lone.clone())));
        let top = Supervisor::builder(Strategy::OneForOne)
            .child(ChildSpec::supervisor("below", below))
            .start(&system)
            .await
            .unwrap();
        let below = top.supervisor("below").await.unwrap();
        let a = below.child::<Lone>("a").await.unwrap();
        fail(&system, &a, 10);
        let down = below.link().down();
        below.link().kill();
        down.await;
        while a.call(Which).within(LONG).await.expect("it is restarted") <= 10 {
            futures_lite::future::yield_now().await;
        }
        comes(|| lives.load(Ordering::SeqCst) == 1).await;
        while top.which_children().await.unwrap()[0].incarnation != 2 {
            futures_lite::future::yield_now().await;
        }
    });
}

/// Hears of the ends and beginnings of a child.
#[derive(Default)]
struct Witness(Vec<(&'static str, u32)>);

impl Actor for Witness {
    async fn on_down(&mut self, down: Down, _: &mut Context<Self>) {
        self.0.push(("down", down.incarnation));
    }
}

struct Watch(AnyLink);
impl Message for Watch {
    type Reply = ();
}
impl Handler<Watch> for Witness {
    async fn handle(&mut self, Watch(actor): Watch, cx: &mut Context<Self>) {
        cx.monitor(&actor);
    }
}

struct Up(u32);
impl Message for Up {
    type Reply = ();
}
impl Handler<Up> for Witness {
    async fn handle(&mut self, Up(life): Up, _: &mut Context<Self>) {
        self.0.push(("up", life));
    }
}

struct Greeter(Link<Witness>);

impl Actor for Greeter {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        self.0.send(Up(cx.incarnation())).map_err(StartError::failed)
    }
}
impl Handler<Fail> for Greeter {
    async fn handle(&mut self, Fail(reason): Fail, cx: &mut Context<Self>) {
        cx.stop(reason);
    }
}

#[test]
fn monitors_hear_of_the_end_before_they_hear_from_the_next_life() {
    everywhere(|system| async move {
        let witness = system.spawn(Witness::default());
        let seen = witness.clone();
        let supervisor = Supervisor::builder(Strategy::OneForOne)
            .limit(Limit { max_restarts: 1000, ..Limit::default() })
            .child(ChildSpec::new("a", move || Greeter(seen.clone())))
            .start(&system)
            .await
            .unwrap();
        let a = supervisor.child::<Greeter>("a").await.unwrap();
        let mut expected = vec![("up", 1)];
        for life in 1..10 {
            witness.call(Watch(a.clone().erase())).within(LONG).await.unwrap();
            a.send(error()).unwrap();
            a.query(|_| ()).within(LONG).await.expect("the next life answers");
            expected.extend([("down", life), ("up", life + 1)]);
            assert_eq!(witness.query(|witness| witness.0.clone()).await.unwrap(), expected);
        }
    });
}
