//! What is logged, and within which spans.

mod common;

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use actors_core::{
    AnyLink, BoxFuture, CallError, ExitReason, Handler, Message, ReplyTo, Status,
    supervision::{ChildExit, Seat},
};
use common::{Crash, Record, Recorder, everywhere};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry::{LookupSpan, Registry},
};

/// The fields of one event or span, as text.
#[derive(Clone, Debug, Default)]
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
struct Log(Mutex<Vec<Logged>>);

#[derive(Clone, Debug)]
struct Logged {
    what: What,
    fields: Fields,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Event,
    /// A span begins, is entered, ends.
    Begin,
    Enter,
    End,
}

impl Log {
    fn of_this_process() -> &'static Self {
        static LOG: OnceLock<&Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Box::leak(Box::default());
            tracing::subscriber::set_global_default(Registry::default().with(&*log)).unwrap();
            log
        })
    }

    /// The log, empty and for one test at a time: simulated actors of two tests have the same identities.
    fn alone() -> (MutexGuard<'static, ()>, &'static Self) {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let log = Self::of_this_process();
        log.0.lock().unwrap().clear();
        (alone, log)
    }

    fn push(&self, what: What, fields: Fields) {
        self.0.lock().unwrap().push(Logged { what, fields });
    }

    /// The events about an actor.
    fn about(&self, actor: &AnyLink) -> Vec<Fields> {
        let log = self.0.lock().unwrap();
        let about = |logged: &&Logged| {
            let Fields(fields) = &logged.fields;
            let id = actor.id().to_string();
            logged.what == What::Event && (fields.get("actor").or(fields.get("to"))) == Some(&id)
        };
        log.iter().filter(about).map(|logged| logged.fields.clone()).collect()
    }

    /// What has become of the spans of an actor's handlers: of which message, in which life.
    fn spans(&self, actor: &AnyLink) -> Vec<(What, String, String)> {
        let log = self.0.lock().unwrap();
        let of = |logged: &&Logged| {
            logged.what != What::Event && logged.fields.has("actor", &actor.id())
        };
        let told = |Logged { what, fields: Fields(fields) }: &Logged| {
            let message = fields["message_type"].rsplit("::").next().unwrap_or_default().to_owned();
            (*what, message, fields["incarnation"].clone())
        };
        log.iter().filter(of).map(told).collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for &'static Log {
    fn on_event(&self, event: &Event<'_>, _cx: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.push(What::Event, fields);
    }

    fn on_new_span(&self, span: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        if span.metadata().target() != "actors_core::handler" {
            return;
        }
        let mut fields = Fields::default();
        span.record(&mut fields);
        self.push(What::Begin, fields.clone());
        cx.span(id).expect("it is there").extensions_mut().insert(fields);
    }

    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        if let Some(fields) = cx.span(id).and_then(|span| span.extensions().get().cloned()) {
            self.push(What::Enter, fields);
        }
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        if let Some(fields) = cx.span(&id).and_then(|span| span.extensions().get().cloned()) {
            self.push(What::End, fields);
        }
    }
}

struct Monitor(AnyLink);

impl Message for Monitor {
    type Reply = ();
}

/// The end of an actor whose monitor has no action, in an actor that has no `on_down`, is logged.
#[test]
fn core_27_a_monitor_without_an_action_logs() {
    let (_alone, log) = Log::alone();
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

/// A message that nobody handled is logged, with its type and the cause.
#[test]
fn a_dead_letter_is_logged() {
    let (_alone, log) = Log::alone();
    everywhere(move |system| async move {
        let actor = system.spawn(Recorder::default());
        let down = actor.down();
        actor.send(Crash).unwrap();
        down.await;
        let events = log.about(&actor.erase());
        let is_letter = |event: &&Fields| event.has("message", &"dead letter");
        let letters: Vec<_> = events.iter().filter(is_letter).collect();
        assert_eq!(letters.len(), 1);
        assert!(letters[0].has("message_type", &std::any::type_name::<Crash>()));
        assert!(letters[0].has("cause", &"Crashed"));
    });
}

/// Each handler and hook has one span, in each life of the actor, whatever becomes of it.
#[test]
fn a_handler_runs_in_a_span() {
    let (_alone, log) = Log::alone();
    everywhere(move |system| async move {
        let seat: Seat<Recorder> = system.reserve(Arc::new(|_: ChildExit| {}));
        let link = seat.link();
        for life in 1..=2 {
            seat.start(None, |_| async { Ok(Recorder::default()) }).await.unwrap();
            link.send(Record(1)).unwrap();
            link.exec(|_| ()).await.unwrap();
            let down = link.down();
            link.send(Crash).unwrap();
            down.await;
            let spans = log.spans(&link.erase());
            let life = life.to_string();
            let of_life: Vec<_> = spans.iter().filter(|span| span.2 == life).collect();
            for message in ["start", "init", "Record", "Crash", "term"] {
                let whats = of_life.iter().filter(|span| span.1 == message).map(|span| span.0);
                let expected = [What::Begin, What::Enter, What::End];
                assert_eq!(whats.collect::<Vec<_>>(), expected, "{message} of life {life}");
            }
        }
        seat.retire(ExitReason::Shutdown);
    });
}

/// The span of a handler that waits is open until its end, and entered again when it goes on; also when it
/// is killed.
#[test]
fn a_waiting_handler_keeps_its_span() {
    let (_alone, log) = Log::alone();
    everywhere(move |system| async move {
        for is_killed in [false, true] {
            let actor = system.spawn(Recorder::default());
            let (entered, inside) = ReplyTo::channel();
            let (gate, opened) = ReplyTo::channel();
            actor.send(Hold(entered, opened)).unwrap();
            inside.await.unwrap();
            let spans = || {
                let spans = log.spans(&actor.erase()).into_iter();
                spans.filter(|span| span.1 == "Hold").map(|span| span.0).collect::<Vec<_>>()
            };
            assert_eq!(spans(), [What::Begin, What::Enter]);
            let down = actor.down();
            if is_killed {
                actor.kill();
            } else {
                gate.answer(());
                actor.stop(ExitReason::Normal);
            }
            down.await;
            assert_eq!(spans(), [What::Begin, What::Enter, What::Enter, What::End]);
        }
    });
}

struct Hold(ReplyTo<()>, BoxFuture<'static, Result<(), CallError>>);

impl Message for Hold {
    type Reply = ();
}

impl Handler<Hold> for Recorder {
    async fn handle(&mut self, Hold(entered, opened): Hold, _cx: &mut actors_core::Context<Self>) {
        let (mut entered, mut opened) = (Some(entered), opened);
        // Said when it waits for sure.
        let gate = poll_fn(|task| {
            let polled = opened.as_mut().poll(task);
            if polled.is_pending() {
                entered.take().into_iter().for_each(|entered| entered.answer(()));
            }
            polled
        });
        gate.await.unwrap();
    }
}
