//! Process groups: actors under a common name, that messages are broadcast to.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use crate::{
    ActorId, CallError, Destination, Down, Message, MonitorRef, Recipient, System, cell::AnyCell,
    monitor::Watcher,
};

/// Actors that take `M`, under a common name (`pg` in Erlang): those who send to all of them need not
/// know who they are. A name has one group for each type of message.
///
/// A member leaves by itself when it is dead for good, however it died; between two lives it stays.
/// The group holds its members as a name holds its actor. Groups are those of one system: members on
/// other nodes are refused, and other nodes do not see the group.
///
/// ```
/// # use actors_core::{Message, System};
/// #[derive(Clone)]
/// struct Price(u32);
/// # impl Message for Price { type Reply = (); }
///
/// let system = System::new();
/// let (mut first, mut second) = (system.inbox::<Price>(), system.inbox::<Price>());
/// let prices = system.process_group::<Price>("prices");
/// prices.join(first.recipient())?;
/// prices.join(second.recipient())?;
/// assert_eq!(prices.broadcast(Price(100)), 2);
/// # let long = std::time::Duration::from_secs(5);
/// assert_eq!(first.receive_blocking(long).unwrap().0, 100);
/// assert_eq!(second.receive_blocking(long).unwrap().0, 100);
/// # Ok::<_, actors_core::CallError>(())
/// ```
pub struct ProcessGroup<M: Message> {
    system: System,
    name: Arc<str>,
    message: PhantomData<fn(M)>,
}

impl System {
    /// The group of actors that take `M` with this name; it is there as soon as somebody joins it.
    pub fn process_group<M: Message>(&self, name: &str) -> ProcessGroup<M> {
        ProcessGroup { system: self.clone(), name: name.into(), message: PhantomData }
    }

    /// The names of the groups that have members, each once.
    pub fn process_groups(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.groups().0.lock().keys().map(|(name, _)| name.to_string()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl<M: Message> ProcessGroup<M> {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes an actor a member. Joining twice changes nothing: an actor may join in its
    /// [`init`](crate::Actor::init), at every restart. (In `pg` it would be in twice.) By a
    /// [name](crate::Name), it is the actor that has it now.
    ///
    /// # Errors
    /// [`CallError::Closed`] when the actor is dead, [`CallError::NotLocal`] when it is on another node,
    /// [`CallError::Name`] when nobody has the name.
    pub fn join(&self, actor: impl Destination<M>) -> Result<(), CallError> {
        let recipient = actor.to_recipient()?;
        let cell = recipient.cell();
        if cell.location().node != self.system.id() {
            return Err(CallError::NotLocal);
        }
        let monitor = self.system.next_monitor();
        {
            let mut groups = self.system.groups().0.lock();
            let members = find_or_make::<M>(&mut groups, &self.name);
            if members.iter().any(|member| member.recipient == recipient) {
                return Ok(());
            }
            members.push(Member { recipient, monitor });
        }
        let watch = Watch { group: self.clone(), cell: Arc::downgrade(&cell), monitor };
        if watch.set(&cell) { Ok(()) } else { Err(CallError::Closed) }
    }

    /// Ends a membership. False if there was none.
    pub fn leave(&self, actor: ActorId) -> bool {
        let member = self.remove(|member| member.recipient.id() == actor);
        if let Some(member) = &member {
            member.recipient.cell().unwatch(member.monitor);
        }
        member.is_some()
    }

    /// The members, in the order in which they joined.
    pub fn members(&self) -> Vec<Recipient<M>> {
        let groups = self.system.groups().0.lock();
        find::<M>(&groups, &self.name).iter().map(|member| member.recipient.clone()).collect()
    }

    /// Sends a message to every member, and says how many have accepted it. It does not wait: a member
    /// whose bounded mailbox is full does not get it.
    pub fn broadcast(&self, message: M) -> usize
    where
        M: Clone,
    {
        let members = self.members();
        members.iter().filter(|member| member.send(message.clone()).is_ok()).count()
    }

    /// The member is dropped by the caller, who does not have the lock: its state may go with it.
    fn remove(&self, which: impl Fn(&Member<M>) -> bool) -> Option<Member<M>> {
        let mut groups = self.system.groups().0.lock();
        let found = find::<M>(&groups, &self.name).iter().position(which)?;
        let members = find_or_make::<M>(&mut groups, &self.name);
        let member = members.remove(found);
        if members.is_empty() {
            groups.remove(&key::<M>(&self.name));
        }
        Some(member)
    }
}

impl<M: Message> Clone for ProcessGroup<M> {
    fn clone(&self) -> Self {
        Self { system: self.system.clone(), name: self.name.clone(), message: PhantomData }
    }
}

impl<M: Message> fmt::Debug for ProcessGroup<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessGroup<{}>({:?})", std::any::type_name::<M>(), self.name)
    }
}

/// The process groups of one system.
#[derive(Default)]
pub(crate) struct ProcessGroups(Mutex<Groups>);

/// Each value is a [`Members`] of the key's type of message.
type Groups = HashMap<(Arc<str>, TypeId), Box<dyn Any + Send>>;
type Members<M> = Vec<Member<M>>;

struct Member<M: Message> {
    recipient: Recipient<M>,
    monitor: MonitorRef,
}

fn key<M: Message>(name: &Arc<str>) -> (Arc<str>, TypeId) {
    (name.clone(), TypeId::of::<M>())
}

fn find<'a, M: Message>(groups: &'a Groups, name: &Arc<str>) -> &'a [Member<M>] {
    let members = groups.get(&key::<M>(name));
    members.map_or(&[], |members| members.downcast_ref::<Members<M>>().expect("as its key says"))
}

fn find_or_make<'a, M: Message>(groups: &'a mut Groups, name: &Arc<str>) -> &'a mut Members<M> {
    let members = groups.entry(key::<M>(name)).or_insert_with(|| Box::new(Members::<M>::new()));
    members.downcast_mut().expect("as its key says")
}

/// Sees to it that a member leaves when it is dead. It stands in the member itself, and holds it weakly.
struct Watch<M: Message> {
    group: ProcessGroup<M>,
    cell: Weak<dyn AnyCell>,
    monitor: MonitorRef,
}

impl<M: Message> Watch<M> {
    /// Watches the current life. False: the actor is dead, and no member any more.
    fn set(self, cell: &Arc<dyn AnyCell>) -> bool {
        let (group, monitor) = (self.group.clone(), self.monitor);
        let once = Mutex::new(Some(self));
        let ended = move |_: Down| {
            let watch = once.lock().take();
            let alive = watch.and_then(|watch| Some((watch.cell.upgrade()?, watch)));
            if let Some((cell, watch)) = alive {
                watch.set(&cell);
            }
        };
        let is_dead = {
            // Under the lock, so that one that leaves meanwhile is not watched after it has left.
            let groups = group.system.groups().0.lock();
            let is_member = find::<M>(&groups, &group.name).iter().any(|m| m.monitor == monitor);
            is_member && cell.watch(Watcher::Local(monitor, Arc::new(ended))).is_err()
        };
        if is_dead {
            drop(group.remove(|member| member.monitor == monitor));
        }
        !is_dead
    }
}
