//! The registry of names.

mod common;

use actors_core::{ExitReason, NameError};
use common::{Crash, Recorded, Recorder, everywhere};

/// A free name is given, a taken one refused; the loser stays nameless and its death changes nothing.
#[test]
fn core_32_a_name_has_one_owner() {
    everywhere(|system| async move {
        let (winner, loser) = (system.spawn(Recorder(vec![1])), system.spawn(Recorder::default()));
        assert_eq!(system.register("r", &winner.erase()), Ok(()));
        let taken = Err(NameError::Taken("r".into()));
        assert_eq!(system.register("r", &loser.erase()), taken);
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
