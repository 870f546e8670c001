//! Many equal children.

mod common;

use actors_core::{Actor, Context, ExitReason, Handler, Link, Status};
use actors_supervise::{
    AutoShutdown, ChildError, Counts, RestartPolicy, SpecError, Strategy, Supervisor, Template,
};
use common::{Add, Crash, End, Life, error, everywhere, limit, until};

/// Counts from its argument on.
struct Counter(u64);

impl Actor for Counter {}

impl Handler<Add> for Counter {
    async fn handle(&mut self, Add(n): Add, _: &mut Context<Self>) -> u64 {
        self.0 += n;
        self.0
    }
}

impl Handler<Crash> for Counter {
    async fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        panic!("as asked");
    }
}

impl Handler<End> for Counter {
    async fn handle(&mut self, End(reason): End, cx: &mut Context<Self>) {
        cx.stop(reason);
    }
}

impl Handler<Life> for Counter {
    async fn handle(&mut self, _: Life, cx: &mut Context<Self>) -> u32 {
        cx.incarnation()
    }
}

#[test]
fn sup_2_children_of_a_template_are_made_from_their_argument() {
    everywhere(|system| async move {
        let counters = Template::new("counter", Counter);
        let supervisor = Supervisor::builder(Strategy::OneForOne).start(&system).await.unwrap();
        let one = supervisor.start_actor(counters.child(10)).await.unwrap();
        let two = supervisor.start_actor(counters.clone().child(20)).await.unwrap();
        assert_eq!(one.call(Add(1)).await, Ok(11));
        assert_eq!(supervisor.child::<Counter>("counter/2").await, Ok(two.clone()));
        two.send(Crash).unwrap();
        assert_eq!(two.call(Life).await, Ok(2));
        assert_eq!(two.call(Add(2)).await, Ok(22), "from its argument again");
        let counts = Counts { specs: 2, active: 2, workers: 2, ..Counts::default() };
        assert_eq!(supervisor.count_children().await, Ok(counts));
    });
}

/// No spec is kept of what does not run, whichever way it ended.
#[test]
fn sup_4_a_child_of_a_template_that_ends_is_gone() {
    everywhere(|system| async move {
        let counters = Template::new("counter", Counter);
        let temporary = Template::new("temporary", Counter).restart(RestartPolicy::Temporary);
        let supervisor = Supervisor::builder(Strategy::OneForOne).start(&system).await.unwrap();
        let start = async |template: &Template<u64, Counter>| {
            supervisor.start_actor(template.child(0)).await.unwrap()
        };
        let dead = |link: &Link<Counter>| matches!(link.info().status, Status::Dead(_));

        let normal = start(&counters).await;
        normal.send(End(ExitReason::Normal)).unwrap();
        until(|| dead(&normal)).await;
        let failed = start(&temporary).await;
        failed.send(End(error())).unwrap();
        until(|| dead(&failed)).await;
        let stopped = start(&counters).await;
        supervisor.stop_child("counter/2").await.unwrap();
        assert!(dead(&stopped));
        let again = supervisor.restart_child("counter/2").await;
        assert_eq!(again.map(drop), Err(ChildError::NotFound("counter/2".into())));
        assert_eq!(supervisor.count_children().await, Ok(Counts::default()));
    });
}

#[test]
fn sup_24_a_child_of_a_template_cannot_be_significant() {
    everywhere(|system| async move {
        let counters = Template::new("counter", Counter);
        let supervisor = Supervisor::builder(Strategy::OneForOne)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .start(&system)
            .await
            .unwrap();
        let started = supervisor.start_child(counters.child(0).significant(true)).await;
        let wrong = SpecError::SignificantTemplate("counter/1".into());
        assert_eq!(started.map(drop), Err(ChildError::Spec(wrong)));
        assert_eq!(supervisor.count_children().await, Ok(Counts::default()));
    });
}

/// All are counted right as they come, fail and go. How long that takes is for the example `many_children`.
/// SUP-22 and SUP-26.
#[test]
fn sup_22_sup_26_many_children_come_and_go() {
    const MANY: usize = 20_000;
    let system = actors_core::System::new();
    system.block_on(async {
        let counters = Template::new("counter", Counter);
        let supervisor = Supervisor::builder(Strategy::OneForOne)
            .limit(limit(u32::MAX))
            .start(&system)
            .await
            .unwrap();
        let mut links = Vec::new();
        for n in 0..MANY {
            links.push(supervisor.start_actor(counters.child(n as u64)).await.unwrap());
        }
        let counts = Counts { specs: MANY, active: MANY, workers: MANY, ..Counts::default() };
        assert_eq!(supervisor.count_children().await, Ok(counts));
        for link in &links {
            link.send(End(error())).unwrap();
        }
        for (n, link) in links.iter().enumerate() {
            assert_eq!(link.call(Add(1)).forever().await, Ok(n as u64 + 1));
            assert_eq!(link.info().incarnation, 2);
        }
        assert_eq!(supervisor.count_children().await, Ok(counts));
        for n in 1..=MANY / 2 {
            supervisor.terminate_child(format!("counter/{n}")).await.unwrap();
        }
        let half = MANY / 2;
        let counts = Counts { specs: half, active: half, workers: half, ..Counts::default() };
        assert_eq!(supervisor.count_children().await, Ok(counts));
        supervisor.shutdown(ExitReason::Shutdown).await;
        assert!(links.iter().all(|link| matches!(link.info().status, Status::Dead(_))));
        drop(links);
    });
}
