//! Children of other places: prepared, planned and started in rounds; lost with their hosts.

mod common;

use std::sync::Arc;

use actors_core::{
    ActorId, AnyLink, BoxFuture, ExitReason, GroupEpoch, GroupId, StartError, SystemId,
    supervision::{ChildExit, OnExit},
};
use actors_supervise::{
    Child, ChildSpec, Event, Limit, Plan, Planner, Round, RoundKind, Start, Strategy, Supervisor,
};
use common::*;
use crossbeam_channel::{Receiver, Sender, unbounded};

/// A child without an actor: it writes down what it is told, and obeys.
struct Fake {
    id: &'static str,
    diary: Diary,
    host: Option<SystemId>,
    on_exit: Option<OnExit>,
    life: u32,
    /// What its next starts fail with.
    refusals: Receiver<StartError>,
}

impl Fake {
    fn exit(&self, reason: ExitReason) {
        let actor = ActorId { home: SystemId(0), serial: 0 };
        let exit = ChildExit { actor, incarnation: self.life, reason };
        self.on_exit.as_ref().expect("attached")(exit);
    }
}

impl Child for Fake {
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError> {
        assert!(self.on_exit.replace(on_exit).is_none(), "attached once");
        Ok(())
    }

    fn link(&self) -> Option<AnyLink> {
        None
    }

    fn host(&self) -> Option<SystemId> {
        self.host
    }

    fn prepare(&mut self) -> BoxFuture<'static, Result<(), StartError>> {
        self.diary.write(format!("?{}", self.id));
        Box::pin(async {
            futures_lite::future::yield_now().await;
            Ok(())
        })
    }

    fn start(&mut self, start: Start) -> BoxFuture<'static, Result<u32, StartError>> {
        let plan = start.plan.map(|plan| *plan.data.downcast::<u64>().expect("as planned"));
        self.life += 1;
        let life = self.life;
        self.diary.write(format!("+{} {plan:?}", self.id));
        let result = self.refusals.try_recv().map_or(Ok(life), Err);
        Box::pin(async move {
            futures_lite::future::yield_now().await;
            result
        })
    }

    fn stop(&mut self, reason: ExitReason) {
        self.diary.write(format!("-{}", self.id));
        self.exit(reason);
    }

    fn kill(&mut self) {
        self.stop(ExitReason::Killed);
    }

    fn retire(&mut self, _: ExitReason) {
        self.diary.write(format!("x{}", self.id));
    }

    fn detach(&mut self) {}
}

struct Fakes {
    diary: Diary,
    refuse: Sender<StartError>,
    refusals: Receiver<StartError>,
}

impl Fakes {
    fn new() -> Self {
        let (refuse, refusals) = unbounded();
        Self { diary: Diary::new(), refuse, refusals }
    }

    fn child(&self, id: &'static str, host: u64) -> ChildSpec {
        let host = (host > 0).then_some(SystemId(host));
        let (diary, refusals) = (self.diary.clone(), self.refusals.clone());
        ChildSpec::custom(id, Fake { id, diary, host, on_exit: None, life: 0, refusals })
    }
}

/// Plans the number of the round.
struct Numbers(Diary);

impl Planner for Numbers {
    fn plan(&mut self, round: Round) -> BoxFuture<'static, Result<Plan, StartError>> {
        let ids: Vec<_> = round.children.iter().map(|member| &*member.id).collect();
        self.0.write(format!("{:?} {} {}", round.kind, round.number, ids.join(",")));
        let group = Some(GroupEpoch { group: GroupId(1), restart: round.number - 1 });
        let data = Arc::new(round.number);
        Box::pin(async move { Ok(Plan { group, data }) })
    }
}

fn no_connection() -> StartError {
    StartError::NoConnection { node: "n".into() }
}

#[test]
fn sup_9_all_are_prepared_then_the_round_is_planned_once_then_they_start() {
    everywhere(|system| async move {
        let fakes = Fakes::new();
        let builder = Supervisor::builder(Strategy::OneForAll)
            .planner(Numbers(fakes.diary.clone()))
            .child(fakes.child("a", 0))
            .child(fakes.child("b", 1));
        let run = start(&system, builder).await;
        let first = ["?a", "?b", "Initial 1 a,b", "+a Some(1)", "+b Some(1)"];
        assert_eq!(fakes.diary.read(), first);
        run.supervisor.host_failures().failed(SystemId(1), "n");
        assert_eq!(run.restarted().await, ["a", "b"]);
        let second = ["-a", "?a", "?b", "Restart 2 a,b", "+a Some(2)", "+b Some(2)"];
        assert_eq!(fakes.diary.read(), second);
        run.supervisor.start_child(fakes.child("c", 0)).await.unwrap();
        assert_eq!(fakes.diary.read(), ["?c", "Added 3 c", "+c Some(3)"]);
    });
}

#[test]
fn sup_12_a_node_without_connection_is_tried_again_without_a_count() {
    everywhere(|system| async move {
        let fakes = Fakes::new();
        let builder = Supervisor::builder(Strategy::OneForOne)
            .limit(Limit { max_restarts: 0, ..Limit::default() })
            .child(fakes.child("a", 1));
        let run = start(&system, builder).await;
        for _ in 0..3 {
            fakes.refuse.send(no_connection()).unwrap();
        }
        run.supervisor.host_failures().failed(SystemId(1), "n");
        let lost = |event: &Event| match event {
            Event::HostFailed { node, children } => Some((node.clone(), children.clone())),
            _ => None,
        };
        assert_eq!(run.wait("host failure", lost).await, ("n".into(), vec!["a".into()]));
        assert_eq!(run.exited("a").await, ExitReason::NodeFailure { node: "n".into() });
        assert_eq!(run.restarted().await, ["a"]);
    });
}

#[test]
fn node_6_too_many_node_failures_shut_the_supervisor_down() {
    everywhere(|system| async move {
        let fakes = Fakes::new();
        let builder = Supervisor::builder(Strategy::OneForOne)
            .max_node_failures(1)
            .child(fakes.child("a", 1))
            .child(fakes.child("b", 2));
        let run = start(&system, builder).await;
        let down = run.supervisor.link().down();
        let failures = run.supervisor.host_failures();
        failures.failed(SystemId(1), "n");
        assert_eq!(run.restarted().await, ["a"]);
        fakes.diary.read();
        failures.failed(SystemId(2), "m");
        assert_eq!(down.await.reason, ExitReason::Shutdown);
        let mut lines = fakes.diary.read();
        lines.sort();
        assert_eq!(lines, ["-a", "xa", "xb"], "the lost one is not told to stop");
    });
}

#[test]
fn sup_15_an_initial_start_without_connection_fails_at_once() {
    everywhere(|system| async move {
        let fakes = Fakes::new();
        fakes.refuse.send(no_connection()).unwrap();
        let builder = Supervisor::builder(Strategy::OneForOne).child(fakes.child("a", 1));
        let failed = builder.start(&system).await.unwrap_err();
        let expected =
            actors_supervise::SupervisorError::Start { child: "a".into(), error: no_connection() };
        assert_eq!(failed, expected);
    });
}

#[test]
fn sup_9_a_failed_plan_is_a_failed_start_of_the_round() {
    everywhere(|system| async move {
        struct Unwilling(u32);
        impl Planner for Unwilling {
            fn plan(&mut self, round: Round) -> BoxFuture<'static, Result<Plan, StartError>> {
                self.0 += 1;
                let unwilling = self.0 == 2;
                assert!(!(unwilling && round.kind == RoundKind::Initial));
                Box::pin(async move {
                    if unwilling {
                        return Err(StartError::failed("no"));
                    }
                    Ok(Plan { group: None, data: Arc::new(0_u64) })
                })
            }
        }
        let diary = Diary::new();
        let builder = tree(Strategy::OneForAll, &["a", "b"], &diary).planner(Unwilling(0));
        let run = start(&system, builder).await;
        run.link("a").await.send(Crash).unwrap();
        let unplanned = |event: &Event| match event {
            Event::StartFailed { id: None, error } => Some(error.clone()),
            _ => None,
        };
        assert_eq!(run.wait("failed plan", unplanned).await, StartError::failed("no"));
        assert_eq!(run.restarted().await, ["a", "b"]);
    });
}

#[test]
fn sup_7_members_of_a_planned_round_are_in_its_group() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let builder =
            tree(Strategy::OneForAll, &["a", "b"], &diary).planner(Numbers(diary.clone()));
        let run = start(&system, builder).await;
        let a = run.link("a").await;
        let group = || run.call(&a, Group);
        assert_eq!(group().await, Some(GroupEpoch { group: GroupId(1), restart: 0 }));
        run.link("b").await.send(Crash).unwrap();
        run.restarted().await;
        assert_eq!(group().await, Some(GroupEpoch { group: GroupId(1), restart: 1 }));
    });
}

struct Group;
impl actors_core::Message for Group {
    type Reply = Option<GroupEpoch>;
}
impl actors_core::Handler<Group> for Worker {
    async fn handle(
        &mut self,
        _: Group,
        cx: &mut actors_core::Context<Self>,
    ) -> Option<GroupEpoch> {
        cx.group()
    }
}
