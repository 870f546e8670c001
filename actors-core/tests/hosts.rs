//! What every real host does, whichever runtime it is on.

mod common;

use std::time::Duration;

use actors_core::{
    CallError, System,
    host::{Host, Stream, Time},
};
use common::{Record, Recorded, Recorder, real_hosts};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

/// Runs a scenario on a plain thread, once for each host.
fn on_each(scenario: impl Fn(System)) {
    for (name, host) in real_hosts() {
        println!("on {name}");
        scenario(System::builder().name(name).host(host).build());
    }
}

#[test]
fn actors_are_spawned_and_called() {
    on_each(|system| {
        let actors: Vec<_> = (0..100).map(|n| system.spawn(Recorder(vec![n]))).collect();
        for (n, actor) in (0..).zip(&actors) {
            actor.send(Record(n + 1)).unwrap();
            assert_eq!(system.block_on(async { actor.call(Recorded).await }), Ok(vec![n, n + 1]));
        }
    });
}

#[test]
fn tasks_run_on_several_threads() {
    on_each(|system| {
        let threads = system.host().executor.threads().unwrap();
        assert!(threads >= 1);
        if threads == 1 {
            return;
        }
        // Each waits, with its thread, for the other.
        let (to_second, at_second) = crossbeam_channel::bounded(0);
        let (done, all_done) = crossbeam_channel::bounded(2);
        let first_done = done.clone();
        system.spawn_task(async move {
            to_second.send(()).unwrap();
            first_done.send(()).unwrap();
        });
        system.spawn_task(async move {
            at_second.recv().unwrap();
            done.send(()).unwrap();
        });
        for _ in 0..2 {
            all_done.recv_timeout(Duration::from_secs(10)).unwrap();
        }
    });
}

/// A runtime may keep what a task has started last for the task's own thread, as tokio does: a worker of ours
/// must not wait there.
#[test]
fn a_worker_runs_while_the_task_that_started_it_blocks() {
    on_each(|system| {
        if system.host().executor.threads() == Some(1) {
            return;
        }
        let (tell, told) = crossbeam_channel::bounded(1);
        let (done, is_done) = crossbeam_channel::bounded(1);
        let host = system.host().clone();
        system.spawn_task(async move {
            host.executor.spawn_worker(Box::pin(async move { tell.send(()).unwrap() }));
            done.send(told.recv_timeout(Duration::from_secs(10))).unwrap();
        });
        assert_eq!(is_done.recv_timeout(Duration::from_secs(20)).unwrap(), Ok(()));
    });
}

#[test]
fn a_task_that_panics_takes_no_other_with_it() {
    on_each(|system| {
        for _ in 0..16 {
            system.spawn_task(async { panic!("as asked") });
        }
        let actor = system.spawn(Recorder(vec![1]));
        assert_eq!(system.block_on(async { actor.call(Recorded).await }), Ok(vec![1]));
    });
}

#[test]
fn sleeps_are_no_shorter_than_asked() {
    const PAUSE: Duration = Duration::from_millis(20);
    on_each(|system| {
        let clock = &system.host().clock;
        let before = clock.now();
        system.block_on(clock.sleep(PAUSE));
        assert!(clock.now() - before >= PAUSE);
    });
}

#[test]
fn timers_send_to_actors() {
    on_each(|system| {
        let actor = system.spawn(Recorder::default());
        let _timer = system.send_after(&actor, Duration::from_millis(1), Record(1));
        system.block_on(async {
            while actor.call(Recorded).await.unwrap() != [1] {
                system.host().clock.sleep(Duration::from_millis(1)).await;
            }
        });
    });
}

#[test]
fn the_coarse_clock_is_near_the_fine_one() {
    const COARSE: Duration = Duration::from_millis(10);
    on_each(|system| {
        let clock = &system.host().clock;
        assert!(clock.coarse_now() - Time::default() < Duration::from_secs(5), "one start");
        system.block_on(clock.sleep(2 * COARSE));
        for _ in 0..1000 {
            let (before, coarse, after) = (clock.now(), clock.coarse_now(), clock.now());
            assert!(coarse + COARSE >= before, "{coarse} is long before {before}");
            assert!(coarse <= after, "{coarse} is after {after}");
        }
    });
}

#[test]
fn bytes_come_back_over_tcp() {
    on_each(|system| {
        let net = system.host().net.clone();
        let mut listener = system.block_on(net.listen("127.0.0.1:0")).unwrap();
        let address = listener.address();
        system.spawn_task(async move {
            let mut stream = listener.accept().await.unwrap();
            futures_lite::io::copy(&mut stream.read, &mut stream.write).await.unwrap();
        });
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        let (back, got) = system.block_on(async {
            let Stream { mut read, mut write, peer } = net.connect(&address).await.unwrap();
            assert_eq!(peer, address);
            let mut got = Vec::new();
            let sending = async {
                write.write_all(&sent).await.unwrap();
                write.close().await.unwrap();
            };
            let ((), end) = futures_lite::future::zip(sending, read.read_to_end(&mut got)).await;
            (end.unwrap(), got)
        });
        assert_eq!(back, sent.len());
        assert!(got == sent);
    });
}

#[test]
fn a_dropped_writing_end_ends_the_stream() {
    on_each(|system| {
        let net = system.host().net.clone();
        system.block_on(async {
            let mut listener = net.listen("127.0.0.1:0").await.unwrap();
            let ours = net.connect(&listener.address()).await.unwrap();
            let mut theirs = listener.accept().await.unwrap();
            drop(ours.write);
            assert_eq!(theirs.read.read(&mut [0]).await.unwrap(), 0);
            theirs.write.write_all(b"!").await.unwrap();
            let mut read = ours.read;
            assert_eq!(read.read(&mut [0; 2]).await.unwrap(), 1, "the other direction is open");
        });
    });
}

#[test]
fn nobody_listens_on_a_closed_port() {
    on_each(|system| {
        let net = &system.host().net;
        let listener = system.block_on(net.listen("127.0.0.1:0")).unwrap();
        let address = listener.address();
        drop(listener);
        let error = system.block_on(net.connect(&address)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn blocking_work_returns_or_panics_and_may_block() {
    on_each(|system| {
        let host = system.host();
        assert_eq!(system.block_on(host.blocking(|| 7)), 7);
        let panics = std::panic::AssertUnwindSafe(|| {
            system.block_on(host.blocking(|| panic!("as asked")));
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        let actor = system.spawn(Recorder(vec![1]));
        let ask = move || actor.call_blocking(Recorded, Duration::from_secs(5));
        assert_eq!(system.block_on(host.blocking(ask)), Ok(vec![1]));
    });
}

#[test]
fn work_in_the_background_returns_or_panics_and_may_block() {
    on_each(|system| {
        let host = system.host();
        let panics = std::panic::AssertUnwindSafe(|| {
            system.block_on(host.background(|| panic!("as asked")));
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        let actor = system.spawn(Recorder(vec![1]));
        let ask = move || actor.call_blocking(Recorded, Duration::from_secs(60));
        assert_eq!(system.block_on(host.background(ask)), Ok(vec![1]));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn only_work_in_the_background_has_the_lowest_priority() {
    let niceness = || rustix::process::getpriority_process(None).unwrap();
    let usual = niceness();
    on_each(|system| {
        let host = system.host();
        assert_eq!(system.block_on(host.background(niceness)), 19);
        assert_eq!(system.block_on(host.blocking(niceness)), usual);
    });
}

#[test]
fn a_thread_that_drives_tasks_must_not_block() {
    on_each(|system| {
        let actor = system.spawn(Recorder::default());
        let (tell, told) = crossbeam_channel::bounded(1);
        let on = system.clone();
        system.spawn_task(async move {
            let drives = on.host().executor.drives_this_thread();
            let call = actor.call_blocking(Recorded, Duration::from_secs(1));
            tell.send((drives, call)).unwrap();
        });
        let told = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(told, (true, Err(CallError::WouldBlock)));
        assert!(!system.host().executor.drives_this_thread());
    });
}

#[test]
#[cfg(any(feature = "async-std", feature = "smol", feature = "tokio"))]
fn the_default_host_is_a_real_one() {
    assert!(Host::real().executor.threads().is_some());
}

#[test]
fn the_simulated_host_has_no_threads() {
    actors_core::sim::simulate(1, |sim| async move {
        let host: Host = sim.node("a");
        assert_eq!(host.executor.threads(), None);
        assert_eq!(host.clock.coarse_now(), host.clock.now());
    });
}

/// Needs a tokio runtime around it.
#[cfg(any(feature = "tokio", feature = "tokio1"))]
mod within_tokio {
    use actors_core::{Actor, Context, Handler, Message};

    use super::*;

    struct Sleeper;

    impl Actor for Sleeper {}

    struct Sleep(Duration);

    impl Message for Sleep {
        type Reply = usize;
    }

    impl Handler<Sleep> for Sleeper {
        async fn handle(&mut self, Sleep(pause): Sleep, _cx: &mut Context<Self>) -> usize {
            tokio::time::sleep(pause).await;
            tokio::spawn(async { 7 }).await.unwrap()
        }
    }

    fn handlers_use_tokio(host: Host) {
        let system = System::builder().host(host).build();
        let sleeper = system.spawn(Sleeper);
        let asked = sleeper.call(Sleep(Duration::from_millis(5)));
        assert_eq!(futures_lite::future::block_on(asked.into_future()), Ok(7));
    }

    #[test]
    #[cfg(feature = "tokio")]
    fn a_handler_uses_tokio_on_the_hosts_own_runtime() {
        handlers_use_tokio(Host::tokio());
    }

    #[test]
    #[cfg(feature = "tokio1")]
    fn a_handler_uses_tokio_on_async_std() {
        handlers_use_tokio(Host::async_std());
    }

    #[test]
    #[cfg(feature = "tokio")]
    fn a_handler_uses_tokio_on_a_given_runtime() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(3)
            .enable_all()
            .build()
            .unwrap();
        let host = Host::tokio_from(runtime.handle().clone());
        assert_eq!(host.executor.threads(), Some(3));
        handlers_use_tokio(host);
    }

    /// The runtime in whose context the host is made is the one it uses, one of a single thread too.
    #[test]
    #[cfg(feature = "tokio")]
    fn the_runtime_around_is_used() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let host = Host::tokio();
            assert_eq!(host.executor.threads(), Some(1));
            let system = System::builder().host(host).build();
            let sleeper = system.spawn(Sleeper);
            assert_eq!(sleeper.call(Sleep(Duration::from_millis(5))).await, Ok(7));
            let blocking = sleeper.call_blocking(Sleep(Duration::ZERO), Duration::from_secs(1));
            assert_eq!(blocking, Err(CallError::WouldBlock));
        });
    }

    /// A task keeps the runtime that is the host's own, and may be the last that does.
    #[test]
    #[cfg(feature = "tokio")]
    fn the_hosts_own_runtime_outlives_its_tasks() {
        let host = Host::tokio();
        let (go, wait) = crossbeam_channel::bounded::<()>(0);
        let (tell, told) = crossbeam_channel::bounded(1);
        let pause = host.clock.sleep(Duration::from_millis(5));
        host.executor.spawn_blocking(Box::new(move || wait.recv().unwrap()));
        host.executor.spawn(Box::pin(async move {
            pause.await;
            tell.send(()).unwrap();
        }));
        drop(host);
        told.recv_timeout(Duration::from_secs(10)).unwrap();
        go.send_timeout((), Duration::from_secs(10)).unwrap();
    }
}
