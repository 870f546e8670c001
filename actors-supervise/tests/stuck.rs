//! A child with a handler that loops for ever, by what the system's policy says. (That it aborts the process
//! is tested with a process: `tests/tests/signals.rs`.)

#[path = "blocking/mod.rs"]
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

fn start_stuck(policy: StuckPolicy, release: &Arc<AtomicBool>) -> Run {
    let diary = Diary::new();
    let state = release.clone();
    let stuck = ChildSpec::new("stuck", move || Loops(state.clone()));
    let builder = tree(Strategy::OneForOne, &["a"], &diary)
        .child(stuck.shutdown(Shutdown::Timeout(Duration::from_millis(1))));
    let events = builder.subscribe();
    let system = System::builder().stuck(Duration::from_millis(100), policy).build();
    let supervisor = system.block_on(builder.start(&system)).unwrap();
    let run = Run { system, supervisor, events };
    let stuck = run.system.block_on(run.supervisor.child::<Loops>("stuck")).unwrap();
    let reports = run.system.stuck();
    stuck.send(Loop).unwrap();
    let report = reports.recv_timeout(LONG).expect("it is found");
    assert_eq!((report.actor, report.message), (stuck.id(), std::any::type_name::<Loop>()));
    run
}

/// SUP 16: it is reported; nobody else waits for it; neither a stop nor a kill ends it, and its supervisor
/// waits for its end.
#[test]
fn a_stuck_child_is_reported_and_its_supervisor_waits_for_it_alone() {
    let release = Arc::new(AtomicBool::new(false));
    let run = start_stuck(StuckPolicy::Report, &release);
    let supervisor = run.supervisor.clone();
    let (tx, stopped) = crossbeam_channel::bounded(1);
    run.system.spawn_task(async move {
        let _ = tx.send(supervisor.stop_child("stuck").await);
    });
    while run.status("stuck") != Some(ChildStatus::Stopping) {
        std::thread::yield_now();
    }
    let a = run.link("a");
    a.send(Crash).unwrap();
    assert_eq!(run.restarted(), ["a"], "others are restarted meanwhile");
    assert_eq!(run.call(&a, Life), 2);
    assert_eq!(run.status("stuck"), Some(ChildStatus::Stopping));
    assert!(stopped.try_recv().is_err(), "it runs");
    release.store(true, SeqCst);
    assert_eq!(stopped.recv_timeout(LONG), Ok(Ok(())));
    assert_eq!(run.status("stuck"), Some(ChildStatus::Stopped));
}

/// SUP 16: the function of the policy is called, and can do something about it.
#[test]
fn a_stuck_child_can_be_escalated() {
    let release = Arc::new(AtomicBool::new(false));
    let escalate = release.clone();
    let policy = StuckPolicy::Call(Arc::new(move |_| escalate.store(true, SeqCst)));
    let run = start_stuck(policy, &release);
    let stuck = run.system.block_on(run.supervisor.child::<Loops>("stuck")).unwrap();
    run.system.block_on(async { stuck.exec(|_| ()).await }).expect("it has returned and goes on");
    let down = run.system.block_on(run.supervisor.shutdown(ExitReason::Shutdown));
    assert_eq!(down.reason, ExitReason::Shutdown);
}
