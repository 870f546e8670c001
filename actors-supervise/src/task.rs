//! A future as a supervised child.

use std::{fmt, sync::Arc, time::Duration};

use actors_core::{Actor, BoxFuture, Context, ExitReason, Handler, Message, StartError};
use futures_lite::future;
use parking_lot::Mutex;

/// The actor that runs a task: one message to itself at every start.
#[derive(Clone)]
pub struct TaskActor {
    task: Arc<Mutex<Factory>>,
    timeout: Option<Duration>,
}

/// Makes the task's future, anew at every start.
type Factory = dyn FnMut() -> BoxFuture<'static, ()> + Send;

impl TaskActor {
    pub(crate) fn new<Fut>(
        mut task: impl FnMut() -> Fut + Send + 'static,
        timeout: Option<Duration>,
    ) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        let make = move || -> BoxFuture<'static, ()> { Box::pin(task()) };
        Self { task: Arc::new(Mutex::new(make)), timeout }
    }
}

impl Actor for TaskActor {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        cx.link().send(Run).map_err(StartError::failed)
    }
}

struct Run;

impl Message for Run {
    type Reply = ();
}

impl Handler<Run> for TaskActor {
    async fn handle(&mut self, _: Run, cx: &mut Context<Self>) {
        let task = (self.task.lock())();
        let reason = match self.timeout {
            None => {
                task.await;
                ExitReason::Normal
            }
            Some(timeout) => {
                let timeout = cx.system().host().clock.sleep(timeout);
                let done = async {
                    task.await;
                    ExitReason::Normal
                };
                let late = async {
                    timeout.await;
                    ExitReason::TimedOut
                };
                future::or(done, late).await
            }
        };
        cx.stop(reason);
    }
}

impl fmt::Debug for TaskActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskActor").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
