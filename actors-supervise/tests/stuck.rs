//! A child with a handler that loops for ever, by what the system's policy says. (That it aborts the process
//! is tested with a process: `tests/tests/signals.rs`.) Only on a real host: a simulation has one thread, which
//! the handler would keep.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use actors_core::{Actor, Context, ExitReason, Handler, Message, StuckPolicy, System};
use actors_supervise::{ChildSpec, ChildStatus, Shutdown, Strategy};
use common::*;

/// Neither returns nor awaits until it is released.
struct Loops(Arc<AtomicBool>);

impl Actor for Loops {}

struct Loop;

impl Message for Loop {
    type Reply = ();
}

impl Handler<Loop> for Loops {
    async fn handle(&mut self, _: Loop, _: &mut Context<Self>) {
        while !self.0.load(SeqCst) {
            std::hint::spin_loop();
        }
    }
}

async fn start_stuck(system: &System, release: &Arc<AtomicBool>) -> Run {
    let diary = Diary::new();
    let state = release.clone();
    let stuck = ChildSpec::new("stuck", move || Loops(state.clone()));
    let builder = tree(Strategy::OneForOne, &["a"], &diary)
        .child(stuck.shutdown(Shutdown::Timeout(Duration::from_millis(1))));
    let run = start(system, builder).await;
    let stuck = run.supervisor.child::<Loops>("stuck").await.unwrap();
    let reports = system.stuck();
    stuck.send(Loop).unwrap();
    let report = run.look("report", || reports.try_recv().ok()).await;
    assert_eq!((report.actor, report.message), (stuck.id(), std::any::type_name::<Loop>()));
    run
}

/// SUP 16: it is reported; nobody else waits for it; neither a stop nor a kill ends it, and its supervisor
/// waits for its end.
#[test]
fn a_stuck_child_is_reported_and_its_supervisor_waits_for_it_alone() {
    on_a_real_host(StuckPolicy::Report, async |system| {
        let release = Arc::new(AtomicBool::new(false));
        let run = start_stuck(&system, &release).await;
        let supervisor = run.supervisor.clone();
        let (tx, stopped) = crossbeam_channel::bounded(1);
        system.spawn_task(async move {
            let _ = tx.send(supervisor.stop_child("stuck").await);
        });
        while run.status("stuck").await != Some(ChildStatus::Stopping) {
            futures_lite::future::yield_now().await;
        }
        let a = run.link("a").await;
        a.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["a"], "others are restarted meanwhile");
        assert_eq!(run.call(&a, Life).await, 2);
        assert_eq!(run.status("stuck").await, Some(ChildStatus::Stopping));
        assert!(stopped.try_recv().is_err(), "it runs");
        release.store(true, SeqCst);
        assert_eq!(run.look("answer", || stopped.try_recv().ok()).await, Ok(()));
        assert_eq!(run.status("stuck").await, Some(ChildStatus::Stopped));
    });
}

/// SUP 16: the function of the policy is called, and can do something about it.
#[test]
fn a_stuck_child_can_be_escalated() {
    let release = Arc::new(AtomicBool::new(false));
    let escalate = release.clone();
    let policy = StuckPolicy::Call(Arc::new(move |_| escalate.store(true, SeqCst)));
    on_a_real_host(policy, async |system| {
        let run = start_stuck(&system, &release).await;
        let stuck = run.supervisor.child::<Loops>("stuck").await.unwrap();
        stuck.exec(|_| ()).await.expect("it has returned and goes on");
        let down = run.supervisor.shutdown(ExitReason::Shutdown).await;
        assert_eq!(down.reason, ExitReason::Shutdown);
    });
}

fn on_a_real_host(policy: StuckPolicy, scenario: impl AsyncFnOnce(System)) {
    let system = System::builder().stuck(Duration::from_millis(100), policy).build();
    system.block_on(scenario(system.clone()));
}
