//! A tree of supervisors as a whole: printed, and by its paths in the log.

mod common;

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, OnceLock},
};

use actors_core::{CallError, ExitReason, System};
use actors_supervise::{ChildSpec, ChildStatus, Shutdown, Strategy, Supervisor, SupervisorLink};
use common::*;
use tracing::{
    Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry::Registry,
};

fn web(diary: &Diary) -> actors_supervise::SupervisorBuilder {
    let sessions = tree(Strategy::OneForAll, &["1", "2"], diary).limit(limit(7));
    let deep = Supervisor::builder(Strategy::RestForOne).child(worker("leaf", diary));
    let sessions = sessions.child(ChildSpec::supervisor("deep", deep));
    let cleaner = ChildSpec::task("cleaner", std::future::pending);
    tree(Strategy::OneForOne, &["acceptor"], diary)
        .id("web")
        .child(ChildSpec::supervisor("sessions", sessions))
        .child(cleaner)
}

async fn start_web(system: &System, diary: &Diary) -> SupervisorLink {
    web(diary).start(system).await.unwrap()
}

/// SUP 22: every supervisor of the tree, its limit and its children.
#[test]
fn a_tree_is_printed_as_a_tree() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let web = start_web(&system, &diary).await;
        let acceptor = web.child::<Worker>("acceptor").await.unwrap();
        acceptor.call(Crash).await.unwrap_err();
        assert_eq!(acceptor.call(Life).await, Ok(2));
        let printed = web.tree().await.unwrap().to_string();
        let expected = "\
/web (one_for_one, 1 of 3 restarts in 5 s)
├── acceptor      worker      running  incarnation 2
├── sessions      supervisor  running  incarnation 1  (one_for_all, 0 of 7 restarts in 5 s)
│   ├── 1         worker      running  incarnation 1
│   ├── 2         worker      running  incarnation 1
│   └── deep      supervisor  running  incarnation 1  (rest_for_one, 0 of 3 restarts in 5 s)
│       └── leaf  worker      running  incarnation 1
└── cleaner       task        running  incarnation 1";
        assert_eq!(printed, expected);
    });
}

/// A supervisor that is stopped, and one that waits for a child that does not end, are there, and hold
/// nobody up.
#[test]
fn a_tree_is_told_without_those_that_do_not_answer() {
    simulated(|system| async move {
        let diary = Diary::new();
        let stubborn = ChildSpec::new("stubborn", || Stubborn).shutdown(Shutdown::Infinity);
        let busy = Supervisor::builder(Strategy::OneForOne).child(stubborn);
        let web = web(&diary).child(ChildSpec::supervisor("busy", busy)).start(&system).await;
        let web = web.unwrap();
        web.stop_child("sessions").await.unwrap();
        let busy = web.supervisor("busy").await.unwrap();
        let stubborn = busy.child::<Stubborn>("stubborn").await.unwrap();
        busy.link().erase().shutdown(ExitReason::Shutdown);
        let tree = web.tree().await.unwrap();
        let found = |id: &str| tree.children.iter().find(|branch| branch.child.id == id).unwrap();
        assert_eq!(found("sessions").child.status, ChildStatus::Stopped);
        assert_eq!(found("sessions").below, None);
        assert_eq!(found("busy").below, Some(Err(CallError::Timeout)));
        assert_eq!(found("acceptor").below, None);
        assert!(tree.to_string().contains("(no answer in time)"), "{tree}");
        let down = stubborn.down();
        stubborn.kill();
        down.await;
    });
}

/// Does not end by itself.
struct Stubborn;

impl actors_core::Actor for Stubborn {
    async fn term(&mut self, _: &ExitReason) {
        std::future::pending::<()>().await;
    }
}

/// Events are logged with the path of what they are about, also of a supervisor that was taken in when it
/// ran already, and of one that was let go.
#[test]
fn a_log_tells_the_path_of_a_child_in_the_tree() {
    let log = Log::of_this_process();
    everywhere(move |system| async move {
        let diary = Diary::new();
        let name = format!("web-{}", system.id());
        let web = web(&diary).id(&name).start(&system).await.unwrap();
        let deep = web.supervisor("sessions").await.unwrap().supervisor("deep").await.unwrap();
        let leaf = deep.child::<Worker>("leaf").await.unwrap();
        leaf.call(Crash).await.unwrap_err();
        assert_eq!(leaf.call(Life).await, Ok(2));
        let exits = |path: &str| log.exits(&format!("/{name}{path}"), "leaf");
        assert_eq!(exits("/sessions/deep/leaf"), 1);

        let other = tree(Strategy::OneForOne, &["leaf"], &diary).id(format!("{name}/other"));
        let other = other.start(&system).await.unwrap();
        let leaf = other.child::<Worker>("leaf").await.unwrap();
        for (life, path) in [(2, "/other/leaf"), (3, "/adopted/leaf"), (4, "/adopted/leaf")] {
            if life == 3 {
                web.supervise("adopted", other.link()).await.unwrap();
                other.count_children().await.expect("it has heard of it");
            }
            leaf.call(Crash).await.unwrap_err();
            assert_eq!(leaf.call(Life).await, Ok(life));
            assert_eq!(exits(path), if life == 4 { 2 } else { 1 }, "{path}");
        }
        web.unsupervise("adopted").await.unwrap();
        other.count_children().await.expect("it has heard of it");
        let down = leaf.down();
        leaf.stop(ExitReason::Normal);
        down.await;
        assert_eq!((exits("/adopted/leaf"), exits("/other/leaf")), (2, 2), "let go, it is a root");
    });
}

/// How often supervisors have logged the end of a child in this process, by its path and its id.
#[derive(Default)]
struct Log(Mutex<HashMap<(String, String), usize>>);

#[derive(Default)]
struct Line {
    path: Option<String>,
    child: Option<String>,
    event: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "child" {
            self.child = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "path" => self.path = Some(format!("{value:?}")),
            "event" => self.event = format!("{value:?}"),
            _ => {}
        }
    }
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

    /// How often it was logged that the child at this path has ended.
    fn exits(&self, path: &str, child: &str) -> usize {
        let exits = self.0.lock().unwrap();
        exits.get(&(path.to_owned(), child.to_owned())).copied().unwrap_or(0)
    }
}

impl<S: Subscriber> Layer<S> for &'static Log {
    fn on_event(&self, event: &tracing::Event<'_>, _cx: Context<'_, S>) {
        if event.metadata().target().starts_with("actors_supervise") {
            let mut line = Line::default();
            event.record(&mut line);
            if let (Some(path), Some(child)) = (line.path, line.child)
                && line.event.starts_with("ChildExited")
            {
                *self.0.lock().unwrap().entry((path, child)).or_default() += 1;
            }
        }
    }
}
