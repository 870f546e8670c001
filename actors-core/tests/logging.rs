//! What is logged, and within which spans.

mod common;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, OnceLock},
};

use actors_core::{AnyLink, ExitReason, Message, Status};
use common::{Recorder, everywhere};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

/// The fields of one event, as text.
#[derive(Clone, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    fn has(&self, field: &str, value: &impl fmt::Display) -> bool {
        self.0.get(field).is_some_and(|text| *text == value.to_string())
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// All that is logged in this process, from whatever thread.
#[derive(Default)]
struct Log(Mutex<Vec<Fields>>);

impl Log {
    fn of_this_process() -> &'static Self {
        static LOG: OnceLock<&Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Box::leak(Box::default());
            tracing::subscriber::set_global_default(registry().with(&*log)).unwrap();
            log
        })
    }

    /// The events about an actor.
    fn about(&self, actor: &AnyLink) -> Vec<Fields> {
        let events = self.0.lock().unwrap();
        events.iter().filter(|event| event.has("actor", &actor.id())).cloned().collect()
    }
}

impl<S: Subscriber> Layer<S> for &'static Log {
    fn on_event(&self, event: &Event<'_>, _cx: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields);
    }
}

struct Monitor(AnyLink);

impl Message for Monitor {
    type Reply = ();
}

/// The end of an actor whose monitor has no action, in an actor that has no `on_down`, is logged.
#[test]
fn core_27_a_monitor_without_an_action_logs() {
    let log = Log::of_this_process();
    everywhere(move |system| async move {
        let watcher = system.spawn_fn(|Monitor(actor): Monitor, cx| {
            cx.monitor(&actor);
        });
        let target = system.spawn(Recorder::default()).erase();
        watcher.call(Monitor(target.clone())).await.unwrap();
        let reason = ExitReason::Error("to be logged".into());
        let down = target.down();
        target.stop(reason.clone());
        down.await;
        watcher.exec(|_| ()).await.unwrap();
        let is_report = |event: &&Fields| {
            event.has("message", &"monitored actor is down") && event.has("reason", &reason)
        };
        assert_eq!(log.about(&target).iter().filter(is_report).count(), 1);
        assert_eq!(watcher.info().status, Status::Running);
    });
}
