//! Monitors of tasks.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_lite::{FutureExt, future::or};

use crate::{
    Actor, Context, Down, ExitReason, MonitorRef,
    ext::{DownAction, drop_payload},
    monitor::Watched,
    run::panic_message,
};

impl<A: Actor> Context<A> {
    /// Runs a future beside the actor, as [`spawn_task`](Self::spawn_task) does, and watches it: its end
    /// comes to [`Actor::on_down`], once, as that of an actor would.
    ///
    /// | the future | reason |
    /// |---|---|
    /// | is done | [`ExitReason::Normal`] |
    /// | panics | [`ExitReason::Panic`] |
    /// | is not done after `timeout` | [`ExitReason::TimedOut`]; it runs on, unwatched |
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use actors_core::{Actor, Context, Down, ExitReason, StartError, System};
    /// struct Parent(Option<ExitReason>);
    ///
    /// impl Actor for Parent {
    ///     async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
    ///         cx.monitor_task(Some(Duration::from_secs(60)), async { assert_eq!(1 + 1, 3) });
    ///         Ok(())
    ///     }
    ///
    ///     async fn on_down(&mut self, down: Down, _cx: &mut Context<Self>) {
    ///         self.0 = Some(down.reason);
    ///     }
    /// }
    /// # let system = System::new();
    /// # system.block_on(async {
    /// # let parent = system.spawn(Parent(None));
    /// # let reason = loop {
    /// #     if let Some(reason) = parent.query(|parent| parent.0.clone()).await.unwrap() { break reason }
    /// # };
    /// # assert!(matches!(reason, ExitReason::Panic { .. }));
    /// # });
    /// ```
    pub fn monitor_task(
        &mut self,
        timeout: Option<Duration>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> MonitorRef {
        self.watch_task(timeout, task, None)
    }

    /// As [`monitor_task`](Self::monitor_task), with an action of its own instead of `on_down`.
    pub fn monitor_task_with(
        &mut self,
        timeout: Option<Duration>,
        task: impl Future<Output = ()> + Send + 'static,
        action: impl FnOnce(&mut A, Down, &mut Self) + Send + 'static,
    ) -> MonitorRef {
        self.watch_task(timeout, task, Some(Box::new(action)))
    }

    fn watch_task(
        &mut self,
        timeout: Option<Duration>,
        task: impl Future<Output = ()> + Send + 'static,
        action: Option<DownAction<A>>,
    ) -> MonitorRef {
        let (monitor, actor) = (self.system().next_monitor(), self.system().next_id());
        self.cell().ext().lock().life.monitors.insert(monitor, (Watched::Task, action));
        let own = Arc::downgrade(&self.cell().to_arc());
        let report = move |reason| {
            if let Some(cell) = own.upgrade() {
                cell.push_down(monitor, Down { actor, incarnation: 1, reason });
            }
        };
        let clock = self.system().host().clock.clone();
        self.spawn_task(async move {
            let mut ended = pin!(outcome(task));
            if let Some(timeout) = timeout {
                let late = async {
                    clock.sleep(timeout).await;
                    ExitReason::TimedOut
                };
                let reason = or(&mut ended, late).await;
                let runs_on = reason == ExitReason::TimedOut;
                report(reason);
                if runs_on {
                    ended.await;
                }
            } else {
                report(ended.await);
            }
        });
        monitor
    }
}

/// How a task ends: never with [`ExitReason::TimedOut`].
async fn outcome(task: impl Future<Output = ()> + Send) -> ExitReason {
    match AssertUnwindSafe(task).catch_unwind().await {
        Ok(()) => ExitReason::Normal,
        Err(payload) => {
            let message = panic_message(&*payload);
            drop_payload(payload);
            ExitReason::Panic { message, during: "a monitored task".into() }
        }
    }
}
