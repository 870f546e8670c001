//! The registry of names.

mod common;

use std::time::Duration;

use actors_core::{
    Actor, CallError, Context, Down, ExitReason, Handler, Message, Name, NameError, ReplyTo, Root,
    SendError, System,
};
use common::{Crash, Record, Recorded, Recorder, everywhere};
use crossbeam_channel::{Sender, unbounded};

/// A free name is given, a taken one refused; the loser stays nameless and its death changes nothing.
#[test]
fn core_32_a_name_has_one_owner() {
    everywhere(|system| async move {
        let (winner, loser) = (system.spawn(Recorder(vec![1])), system.spawn(Recorder::default()));
        assert_eq!(system.register("r", &winner), Ok(()));
        let taken = Err(NameError::Taken("r".into()));
        assert_eq!(system.register("r", &loser), taken);
        assert_eq!((winner.info().name, loser.info().name), (Some("r".into()), None));
        let down = loser.down();
        loser.stop(ExitReason::Normal);
        down.await;
        let found = system.whereis::<Recorder>("r").unwrap();
        assert_eq!(found, winner);
        assert_eq!(found.call(Recorded).await, Ok(vec![1]));
    });
}

/// The name goes with its actor, by a crash too; an unknown name is a typed error.
#[test]
fn core_33_a_name_goes_with_its_actor() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        system.register("r", &actor.erase()).unwrap();
        let down = actor.down();
        actor.send(Crash).unwrap();
        down.await;
        let unknown = NameError::Unknown("r".into());
        assert_eq!(system.whereis::<Recorder>("r").unwrap_err(), unknown);
        assert_eq!(system.register("r", &actor.erase()), Err(NameError::Dead));
        assert_eq!(system.unregister("r"), Err(unknown));
    });
}

/// An unregistered name is free, for others too; whoever had it lives on without it.
#[test]
fn core_33_an_unregistered_name_is_free() {
    everywhere(|system| async move {
        let (first, second) = (system.spawn(Recorder(vec![1])), system.spawn(Recorder(vec![2])));
        system.register("r", &first).unwrap();
        assert_eq!(system.unregister("r"), Ok(()));
        assert_eq!(system.whereis::<Recorder>("r").unwrap_err(), unknown());
        assert_eq!(system.unregister("r"), Err(unknown()));
        assert_eq!((first.info().name, first.call(Recorded).await), (None, Ok(vec![1])));
        system.register("r", &second).unwrap();
        let down = first.down();
        first.stop(ExitReason::Normal);
        down.await;
        assert_eq!(system.named::<Recorder>("r").call(Recorded).await, Ok(vec![2]));
    });
}

/// All names of an actor go with it, and each by itself before.
#[test]
fn core_33_every_name_of_an_actor_goes_with_it() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        for name in ["a", "b", "c"] {
            system.register(name, &actor).unwrap();
        }
        assert_eq!(actor.info().name.as_deref(), Some("a"), "the first");
        system.unregister("b").unwrap();
        assert_eq!(actor.info().name.as_deref(), Some("a"));
        let down = actor.down();
        actor.send(Crash).unwrap();
        down.await;
        for name in ["a", "b", "c"] {
            let unknown = NameError::Unknown(name.into());
            assert_eq!(system.whereis::<Recorder>(name).unwrap_err(), unknown);
        }
        assert_eq!(actor.info().name, None);
    });
}

/// A name works wherever a link does, and leads to whoever has it when it is used.
#[test]
fn core_34_a_name_is_an_address() {
    everywhere(|system| async move {
        let name = system.named::<Recorder>("r");
        let first = system.spawn(Recorder::default());
        system.register("r", &first.erase()).unwrap();
        name.send(Record(1)).unwrap();
        name.send_wait(Record(2), Duration::from_secs(1)).await.unwrap();
        name.update_state(|recorder| recorder.0.push(3)).unwrap();
        let (reply, answer) = ReplyTo::channel();
        name.ask(Recorded, reply).unwrap();
        assert_eq!(answer.await, Ok(vec![1, 2, 3]));
        assert_eq!(name.call(Recorded).await, Ok(vec![1, 2, 3]));
        assert_eq!(name.exec(|recorder| recorder.0.pop()).await, Ok(Some(3)));
        assert_eq!(name.query(|recorder| recorder.0.len()).await, Ok(2));
        assert_eq!(name.info().unwrap().id, first.id());
        assert_eq!(name.resolve().unwrap(), first);

        let down = name.down().unwrap();
        name.stop(ExitReason::Shutdown).unwrap();
        assert_eq!(down.await.reason, ExitReason::Shutdown);
        let second = system.spawn(Recorder(vec![9]));
        system.register("r", &second.erase()).unwrap();
        assert_eq!(name.call(Recorded).await, Ok(vec![9]));
        let down = name.down().unwrap();
        name.kill().unwrap();
        assert_eq!(down.await.reason, ExitReason::Killed);
    });
}

/// Monitors, connections, timers and process groups take a name: that of a living actor, of a dead one's
/// successor, or of nobody.
#[test]
fn core_34_what_takes_a_link_takes_a_name() {
    everywhere(|system| async move {
        let name = system.named::<Recorder>("r");
        let group = system.process_group::<Record>("g");
        let (log, seen) = unbounded();
        let watcher = system.spawn(Watcher(log));

        // Nobody has it.
        assert_eq!(watcher.call(Watch(name.clone())).await, Ok(Err(unknown().into())));
        watcher.exec(|_| ()).await.unwrap();
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [ExitReason::NoProc], "of the monitor");
        assert_eq!(group.join(&name), Err(CallError::Name(unknown())));
        let late = system.send_after(&name, TICK, Record(1));
        let ticks = system.send_interval(&name, TICK, || Record(2));
        system.send_after(&name, Duration::ZERO, Record(3));

        // Timers look it up when their time has come.
        let actor = system.spawn(Recorder::default());
        system.register("r", &actor).unwrap();
        while !name.call(Recorded).await.unwrap().contains(&2) {
            system.host().clock.sleep(TICK).await;
        }
        ticks.cancel();
        late.cancel();
        assert!(!name.call(Recorded).await.unwrap().contains(&3), "nobody had it then");

        // Whoever has it now is monitored, connected and a member.
        assert_eq!(watcher.call(Watch(name.clone())).await, Ok(Ok(())));
        group.join(&name).unwrap();
        assert_eq!(group.members()[0].id(), actor.id());
        let (first, second) = (actor.down(), watcher.down());
        name.kill().unwrap();
        assert_eq!(first.await.reason, ExitReason::Killed);
        assert_eq!(second.await.reason, ExitReason::Killed, "connected with it");
        assert_eq!(watcher.info().mailbox_len, 0);
    });
}

const TICK: Duration = Duration::from_micros(200);

fn unknown() -> NameError {
    NameError::Unknown("r".into())
}

struct Watcher(Sender<ExitReason>);

impl Actor for Watcher {
    async fn on_down(&mut self, down: Down, _cx: &mut Context<Self>) {
        self.0.send(down.reason).unwrap();
    }
}

struct Watch(Name<Recorder>);

impl Message for Watch {
    type Reply = Result<(), CallError>;
}

impl Handler<Watch> for Watcher {
    async fn handle(
        &mut self,
        Watch(name): Watch,
        cx: &mut Context<Self>,
    ) -> Result<(), CallError> {
        cx.monitor(&name);
        cx.connect(&name)
    }
}

/// Code that is no actor monitors and connects by name, too; of an unknown one the root actor hears.
#[test]
fn core_34_core_24_the_root_actor_takes_names() {
    everywhere(|system| async move {
        let name = system.named::<Recorder>("r");
        assert_eq!(system.connect(&name), Err(CallError::Name(unknown())));
        system.disconnect(&name);
        system.monitor(&name);
        root(&system, 0, 1).await;
        let actor = system.spawn(Recorder::default());
        system.register("r", &actor).unwrap();
        assert_eq!(system.register("again", &system.named::<Watcher>("r")), Err(wrong()));
        system.connect(&name).unwrap();
        system.monitor(&name);
        name.stop(ExitReason::Shutdown).unwrap();
        let root = root(&system, 1, 2).await;
        assert_eq!(
            (root.exits[0].actor, &root.exits[0].reason),
            (actor.id(), &ExitReason::Shutdown)
        );
        assert_eq!((root.downs[0].incarnation, &root.downs[0].reason), (0, &ExitReason::NoProc));
        assert_eq!(
            (root.downs[1].actor, &root.downs[1].reason),
            (actor.id(), &ExitReason::Shutdown)
        );
    });
}

/// What the root actor has lived through, once there are so many exits and downs.
async fn root(system: &System, exits: usize, downs: usize) -> Root {
    loop {
        let root = system.root();
        if (root.exits.len(), root.downs.len()) == (exits, downs) {
            return root;
        }
        system.host().clock.sleep(TICK).await;
    }
}

fn wrong() -> NameError {
    NameError::WrongType {
        name: "r".into(),
        wanted: std::any::type_name::<Watcher>().into(),
        found: std::any::type_name::<Recorder>().into(),
    }
}

/// With an unknown name, or that of another type, nothing happens; messages come back.
#[test]
fn core_33_core_34_core_4_an_unknown_name_is_a_typed_error() {
    everywhere(|system| async move {
        let (name, unknown) =
            (system.named::<Recorder>("nobody"), NameError::Unknown("nobody".into()));
        let Err(SendError::Name { message: Record(7), error }) = name.send(Record(7)) else {
            panic!("the message comes back");
        };
        assert_eq!(error, unknown);
        let waited = name.send_wait(Record(8), Duration::ZERO).await;
        assert_eq!(waited.unwrap_err().into_inner().0, 8);
        assert_eq!(name.call(Recorded).await, Err(CallError::Name(unknown.clone())));
        assert_eq!(name.exec(|_| ()).await, Err(CallError::Name(unknown.clone())));
        assert_eq!(name.query(|_| ()).await, Err(CallError::Name(unknown.clone())));
        assert_eq!(name.update_state(|_| ()), Err(CallError::Name(unknown.clone())));
        assert_eq!(name.info().unwrap_err(), unknown);
        assert_eq!(name.stop(ExitReason::Normal), Err(unknown.clone()));
        assert_eq!(name.kill(), Err(unknown.clone()));
        assert_eq!(name.down().err(), Some(unknown));

        let other = system.spawn_fn(|Recorded: Recorded, _cx| vec![]);
        system.register("nobody", &other.erase()).unwrap();
        let wrong = name.send(Record(9));
        let Err(SendError::Name { error: NameError::WrongType { .. }, .. }) = wrong else {
            panic!("{wrong:?}");
        };
    });
}
