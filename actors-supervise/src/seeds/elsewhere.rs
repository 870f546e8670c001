//! Children that run on other nodes, as a supervisor sees them: their nodes fail, their news are late or
//! come twice.

use std::{fmt, sync::Arc, time::Duration};

use actors_core::{
    ActorId, AnyLink, BoxFuture, ExitReason, StartError, SystemId,
    supervision::{ChildExit, OnExit},
};
use parking_lot::Mutex;

use super::actors::Record;
use crate::{Child, Start};

/// A child that is only told of. Clones are the same one.
#[derive(Clone)]
pub(super) struct Elsewhere {
    pub(super) record: Arc<Record>,
    state: Arc<Mutex<State>>,
}

struct State {
    on_exit: Option<OnExit>,
    host: u64,
    life: u32,
    runs: bool,
    stop: Option<ExitReason>,
}

impl Elsewhere {
    pub(super) fn new(record: &Arc<Record>) -> Self {
        let host = record.world.any_host();
        let state = State { on_exit: None, host, life: 0, runs: false, stop: None };
        Self { record: record.clone(), state: Arc::new(Mutex::new(state)) }
    }

    /// Its present life ends.
    pub(super) fn exit(&self, reason: ExitReason) {
        let life = self.state.lock().life;
        self.exit_of(life, reason);
    }

    /// This life ends, if it has not; the news may come twice, or late, and of the life before.
    fn exit_of(&self, life: u32, reason: ExitReason) {
        let mut state = self.state.lock();
        if state.life != life || !std::mem::take(&mut state.runs) {
            return;
        }
        self.record.ends();
        let on_exit = state.on_exit.clone();
        drop(state);
        let Some(on_exit) = on_exit else { return };
        let actor = ActorId { home: SystemId(0), serial: 0 };
        on_exit(ChildExit { actor, incarnation: life, reason: reason.clone() });
        let stale = match self.record.world.draw(4) {
            0 => life,
            1 => life - 1,
            _ => return,
        };
        let world = self.record.world.clone();
        let exit = ChildExit { actor, incarnation: stale, reason };
        world.system.clone().spawn_task(async move {
            world.sim.sleep(Duration::from_millis(world.draw(30))).await;
            on_exit(exit);
        });
    }

    /// Its node is gone, without a word.
    pub(super) fn host_fails(&self, host: u64) {
        let mut state = self.state.lock();
        if state.host == host && std::mem::take(&mut state.runs) {
            self.record.ends();
        }
    }

    async fn wait(&self, host: u64) -> Result<(), StartError> {
        let sim = &self.record.world.sim;
        sim.sleep(Duration::from_millis(self.record.world.draw(10))).await;
        if !self.record.world.is_host(host) { Err(unreachable_node()) } else { Ok(()) }
    }
}

fn unreachable_node() -> StartError {
    StartError::NoConnection { node: "n".into() }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { host, life, runs, stop, .. } = &*self.state.lock();
        let id = &self.record.id;
        write!(f, "{id} on {host}, life {life}, runs {runs}, {stop:?}")
    }
}

impl Child for Elsewhere {
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError> {
        assert!(self.state.lock().on_exit.replace(on_exit).is_none(), "attached once");
        Ok(())
    }

    fn link(&self) -> Option<AnyLink> {
        None
    }

    fn host(&self) -> Option<SystemId> {
        Some(SystemId(self.state.lock().host))
    }

    fn prepare(&mut self) -> BoxFuture<'static, Result<(), StartError>> {
        let this = self.clone();
        let mut state = self.state.lock();
        if !self.record.world.is_host(state.host) {
            state.host = self.record.world.any_host();
        }
        let host = state.host;
        drop(state);
        Box::pin(async move { this.wait(host).await })
    }

    fn start(&mut self, _: Start) -> BoxFuture<'static, Result<u32, StartError>> {
        let this = self.clone();
        let host = {
            let mut state = self.state.lock();
            state.stop = None;
            state.host
        };
        Box::pin(async move {
            this.wait(host).await?;
            let world = &this.record.world;
            if !world.is_calm() && world.draw(8) == 0 {
                return Err(if world.draw(2) == 0 {
                    unreachable_node()
                } else {
                    StartError::failed("as asked")
                });
            }
            let life = {
                let mut state = this.state.lock();
                state.life += 1;
                if let Some(reason) = state.stop.take() {
                    return Err(StartError::Exited(reason));
                }
                state.runs = true;
                state.life
            };
            this.record.begins(life);
            if !world.is_calm() && world.draw(8) == 0 {
                // Its exit overtakes the answer.
                this.exit(ExitReason::Error("at once".into()));
            }
            Ok(life)
        })
    }

    fn stop(&mut self, reason: ExitReason) {
        let life = {
            let mut state = self.state.lock();
            state.stop = Some(reason.clone());
            state.life
        };
        let this = self.clone();
        let world = self.record.world.clone();
        world.system.clone().spawn_task(async move {
            world.sim.sleep(Duration::from_millis(world.draw(10))).await;
            this.exit_of(life, reason);
        });
    }

    fn kill(&mut self) {
        self.state.lock().stop = Some(ExitReason::Killed);
        self.exit(ExitReason::Killed);
    }

    fn retire(&mut self, _: ExitReason) {}

    fn detach(&mut self) {}
}
