//! Code that blocks, from handlers.

mod common;

use std::{
    sync::{Arc, Barrier},
    time::Duration,
};

use actors_core::{CallError, Context, ExitReason, Handler, Message, System};
use common::{Record, Recorded, Recorder, everywhere, real_hosts};
use crossbeam_channel::unbounded;

/// Something that blocks.
struct Block<T>(Box<dyn FnOnce() -> T + Send>);

impl<T: Send + 'static> Message for Block<T> {
    type Reply = T;
}

impl<T: Send + 'static> Handler<Block<T>> for Recorder {
    async fn handle(&mut self, Block(work): Block<T>, cx: &mut Context<Self>) -> T {
        cx.blocking(work).await
    }
}

fn block<T>(work: impl FnOnce() -> T + Send + 'static) -> Block<T> {
    Block(Box::new(work))
}

/// The result comes to the handler; what is sent meanwhile is handled after it.
#[test]
fn a_blocking_function_gives_its_result() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        let result = actor.call(block(|| 7)).forever();
        actor.send(Record(1)).unwrap();
        assert_eq!(result.await, Ok(7));
        assert_eq!(actor.call(Recorded).await, Ok(vec![1]));
    });
}

/// Its panic is that of the handler.
#[test]
fn a_panic_of_a_blocking_function_ends_the_actor() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        let failed = actor.call(block::<()>(|| panic!("in the blocking part"))).forever().await;
        let Err(CallError::Died(ExitReason::Panic { message, during })) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(message, "in the blocking part");
        assert!(during.contains("Block"), "{during}");
    });
}

/// More handlers than there are workers block until all of them do, and others go on meanwhile.
#[test]
fn blocking_functions_hold_up_no_actor() {
    for (_, host) in real_hosts() {
        let threads = host.executor.threads().unwrap_or(1);
        let system = System::builder().host(host).build();
        let all = Arc::new(Barrier::new(2 * threads + 1));
        let blocked: Vec<_> = (0..2 * threads)
            .map(|_| {
                let (actor, all) = (system.spawn(Recorder::default()), all.clone());
                actor.call(block(move || all.wait().is_leader())).forever()
            })
            .collect();
        let other = system.spawn(Recorder::default());
        system.block_on(async {
            other.call(Record(1)).await.unwrap();
        });
        all.wait();
        system.block_on(async {
            for blocked in blocked {
                blocked.await.unwrap();
            }
        });
    }
}

/// A kill does not wait for the function, which runs to its end.
#[test]
fn a_killed_handler_leaves_its_blocking_function_running() {
    for (_, host) in real_hosts() {
        let system = System::builder().host(host).build();
        let (begun, begins) = unbounded();
        let (release, released) = unbounded::<()>();
        let (over, is_over) = unbounded();
        let actor = system.spawn(Recorder::default());
        let work = move || {
            begun.send(()).unwrap();
            released.recv().unwrap();
            over.send(()).unwrap();
        };
        actor.send(block(work)).unwrap();
        begins.recv().unwrap();
        let down = actor.down();
        actor.kill();
        assert_eq!(system.block_on(down).reason, ExitReason::Killed);
        release.send(()).unwrap();
        is_over.recv().unwrap();
    }
}

/// Blocking calls work there; also to actors that run on the workers meanwhile.
#[test]
fn a_blocking_function_may_call_and_wait() {
    for (name, host) in real_hosts() {
        let system = System::builder().host(host).build();
        let (asker, recorder) =
            (system.spawn(Recorder::default()), system.spawn(Recorder(vec![7])));
        let work = move || recorder.call_blocking(Recorded, Duration::from_secs(30));
        let answer = system.block_on(async { asker.call(block(work)).forever().await });
        assert_eq!(answer, Ok(Ok(vec![7])), "on {name}");
    }
}
