//! Many children fail at once, and not all of them start at once.

mod common;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actors_core::{Actor, Context, ExitReason, Handler, Link, Message, StartError, Status, System};
use actors_supervise::{
    ChildError, ChildSpec, ChildStatus, Event, Strategy, Supervisor, SupervisorLink,
};
use common::*;
use parking_lot::Mutex;

const CHILDREN: usize = 20;
const AT_A_TIME: usize = 4;

/// Those that are starting, and whether they may go on.
#[derive(Default)]
struct Door {
    open: AtomicBool,
    before: Mutex<BTreeSet<String>>,
    most: Mutex<usize>,
}

/// Waits at the door when it starts.
struct Guest {
    id: String,
    door: Arc<Door>,
}

impl Actor for Guest {
    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), StartError> {
        let arrived = Arrived::new(self);
        while !self.door.open.load(Ordering::SeqCst) {
            futures_lite::future::yield_now().await;
        }
        drop(arrived);
        Ok(())
    }
}

struct Arrived(String, Arc<Door>);

impl Arrived {
    fn new(guest: &Guest) -> Self {
        let door = &guest.door;
        let mut before = door.before.lock();
        before.insert(guest.id.clone());
        let mut most = door.most.lock();
        *most = before.len().max(*most);
        Self(guest.id.clone(), door.clone())
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        self.1.before.lock().remove(&self.0);
    }
}

struct Leave;
impl Message for Leave {
    type Reply = ();
}
impl Handler<Leave> for Guest {
    async fn handle(&mut self, _: Leave, cx: &mut Context<Self>) {
        cx.stop(error());
    }
}

impl Handler<Life> for Guest {
    async fn handle(&mut self, _: Life, cx: &mut Context<Self>) -> u32 {
        cx.incarnation()
    }
}

struct Party {
    supervisor: SupervisorLink,
    door: Arc<Door>,
    guests: Vec<(String, Link<Guest>)>,
}

impl Party {
    /// All have left at once; as many as may be wait at the door.
    async fn that_comes_back(system: &System) -> Self {
        let door = Arc::<Door>::default();
        door.open.store(true, Ordering::SeqCst);
        let ids: Vec<_> = (0..CHILDREN).map(|n| n.to_string()).collect();
        let guest = |id: &String| {
            let (name, door) = (id.clone(), door.clone());
            ChildSpec::new(id, move || Guest { id: name.clone(), door: door.clone() })
        };
        let empty = Supervisor::builder(Strategy::OneForOne)
            .limit(limit(u32::MAX))
            .max_parallel_starts(AT_A_TIME);
        let all = ids.iter().fold(empty, |builder, id| builder.child(guest(id)));
        let supervisor = all.start(system).await.unwrap();
        door.open.store(false, Ordering::SeqCst);
        *door.most.lock() = 0;
        let mut guests = Vec::new();
        for id in ids {
            let link = supervisor.child::<Guest>(&id).await.unwrap();
            guests.push((id, link));
        }
        let events = supervisor.subscribe();
        for (_, guest) in &guests {
            guest.send(Leave).unwrap();
        }
        let mut exits = 0;
        until(|| {
            let exited = |event: &Event| matches!(event, Event::ChildExited { .. });
            exits += events.try_iter().filter(exited).count();
            exits == CHILDREN
        })
        .await;
        until(|| door.before.lock().len() == AT_A_TIME).await;
        Self { supervisor, door, guests }
    }

    fn waiting(&self) -> Vec<String> {
        let before = self.door.before.lock();
        self.guests.iter().map(|(id, _)| id).filter(|&id| !before.contains(id)).cloned().collect()
    }

    fn open_door(&self) {
        self.door.open.store(true, Ordering::SeqCst);
    }
}

#[test]
fn frame_15_so_many_children_start_at_a_time_and_all_of_them_in_the_end() {
    everywhere(|system| async move {
        let party = Party::that_comes_back(&system).await;
        assert_eq!(party.waiting().len(), CHILDREN - AT_A_TIME);
        party.open_door();
        for (_, guest) in &party.guests {
            assert_eq!(guest.call(Life).within(LONG).await, Ok(2));
        }
        assert_eq!(*party.door.most.lock(), AT_A_TIME);
    });
}

#[test]
fn frame_15_sup_12_children_that_wait_for_their_start_take_commands() {
    everywhere(|system| async move {
        let party = Party::that_comes_back(&system).await;
        let (supervisor, waiting) = (&party.supervisor, party.waiting());
        let (stopped, gone) = (&waiting[0], &waiting[1]);
        let restarted = supervisor.restart_child(stopped).await;
        assert_eq!(restarted, Err(ChildError::Restarting(stopped.clone())));
        supervisor.stop_child(stopped).await.unwrap();
        supervisor.terminate_child(gone).await.unwrap();
        party.open_door();
        for (id, guest) in &party.guests {
            if id != stopped && id != gone {
                assert_eq!(guest.call(Life).within(LONG).await, Ok(2));
            }
        }
        let children = supervisor.which_children().await.unwrap();
        assert_eq!(children.len(), CHILDREN - 1);
        let status = |id: &String| children.iter().find(|child| child.id == *id).unwrap().status;
        assert_eq!(status(stopped), ChildStatus::Stopped);
        supervisor.restart_child(stopped).await.unwrap();
    });
}

#[test]
fn frame_15_sup_31_a_supervisor_ends_while_children_wait_for_their_start() {
    everywhere(|system| async move {
        let party = Party::that_comes_back(&system).await;
        party.supervisor.shutdown(ExitReason::Shutdown).await;
        for (_, guest) in &party.guests {
            assert!(matches!(guest.info().status, Status::Dead(_)));
        }
        assert!(party.door.before.lock().is_empty());
    });
}
