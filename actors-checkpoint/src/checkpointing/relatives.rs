//! Who is above and below, and how they become so.

use std::collections::BTreeMap;

use actors_core::{ActorId, Context, Handler, Link, Message, ReplyTo, System, WeakLink};

use super::{Checkpointing, requests::nobody};
use crate::{
    RegisterError,
    message::{Cursor, Parent, Register, SetParent, Unregister},
};

/// The level below.
#[derive(Debug, Default)]
pub(super) struct Children(BTreeMap<ActorId, Child>);

#[derive(Debug)]
pub(super) struct Child {
    link: ChildLink,
    /// What of its store is here already.
    pub(super) seen: Option<Cursor>,
}

/// A child links to its parent: strong links both ways would keep both alive for ever. Another node
/// pins what it holds anyway, and its proxy here has to be held by somebody.
#[derive(Debug)]
enum ChildLink {
    Here(WeakLink<Checkpointing>),
    Elsewhere(Link<Checkpointing>),
}

impl Children {
    /// True if it is a new one.
    fn add(&mut self, link: &Link<Checkpointing>, system: &System) -> bool {
        let here = link.erase().location().node == system.id();
        let held = match here {
            true => ChildLink::Here(link.downgrade()),
            false => ChildLink::Elsewhere(link.clone()),
        };
        let seen = self.0.get(&link.id()).and_then(|child| child.seen);
        self.0.insert(link.id(), Child { link: held, seen }).is_none()
    }

    pub(super) fn remove(&mut self, child: ActorId) -> bool {
        self.0.remove(&child).is_some()
    }

    pub(super) fn by_id(&mut self, child: ActorId) -> Option<&mut Child> {
        self.0.get_mut(&child)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ActorId> {
        self.0.keys().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ActorId, &Child)> {
        self.0.iter().map(|(id, child)| (*id, child))
    }

    pub(super) fn forget_cursors(&mut self) {
        self.0.values_mut().for_each(|child| child.seen = None);
    }
}

impl Child {
    /// The link; `None` if the child is gone for good.
    pub(super) fn link(&self) -> Option<Link<Checkpointing>> {
        match &self.link {
            ChildLink::Here(link) => link.upgrade(),
            ChildLink::Elsewhere(link) => Some(link.clone()),
        }
    }

    pub(super) const fn is_here(&self) -> bool {
        matches!(self.link, ChildLink::Here(_))
    }
}

/// What the child said to a new parent.
struct Registered {
    child: ActorId,
    is_new: bool,
    answer: Result<(), RegisterError>,
    reply: ReplyTo<Result<(), RegisterError>>,
}

impl Message for Registered {
    type Reply = ();
}

impl Checkpointing {
    /// A parent that was configured is told at every start; it answers with [`SetParent`].
    pub(super) fn register_with_parent(&self, cx: &Context<Self>) {
        let Some(parent) = &self.parent else { return };
        let registered = parent.call(Register { child: cx.link() }).forever();
        let (level, actor) = (self.level, cx.id());
        cx.spawn_task(async move {
            if let Err(error) = registered.await.unwrap_or_else(|error| Err(error.into())) {
                tracing::warn!(%actor, level, %error, "not registered with the parent");
            }
        });
    }

    /// The child is added before it is asked, so that whatever it says later comes later.
    fn register(
        &mut self,
        child: Link<Self>,
        reply: ReplyTo<Result<(), RegisterError>>,
        cx: &Context<Self>,
    ) {
        if child.id() == cx.id() {
            return reply.answer(Err(RegisterError::SameActor));
        }
        let is_new = self.children.add(&child, cx.system());
        let own = cx.link();
        let parent = Some(Parent { link: own.clone(), level: self.level });
        let asked = child.call(SetParent { parent }).within(self.patience);
        cx.spawn_task(async move {
            let answer = asked.await.unwrap_or_else(|why| Err(RegisterError::Child(why)));
            let _ = own.send(Registered { child: child.id(), is_new, answer, reply });
        });
    }

    fn set_parent(&mut self, parent: Option<Parent>, own: ActorId) -> Result<(), RegisterError> {
        let parent = match parent {
            None => None,
            Some(parent) if parent.link.id() == own => return Err(RegisterError::SameActor),
            Some(Parent { link, level }) if level <= self.level => {
                // One that was only configured has not been compared before.
                self.parent.take_if(|configured| *configured == link);
                return Err(RegisterError::LevelOrder { parent: level, child: self.level });
            }
            Some(parent) => Some(parent.link),
        };
        let former = std::mem::replace(&mut self.parent, parent);
        if let Some(former) = former.filter(|former| Some(former) != self.parent.as_ref()) {
            let _ = former.send(Unregister { child: own });
        }
        // Another parent has other versions.
        self.sent.clear();
        Ok(())
    }
}

impl Handler<Register> for Checkpointing {
    async fn handle(
        &mut self,
        register: Register,
        cx: &mut Context<Self>,
    ) -> Result<(), RegisterError> {
        self.register(register.child, nobody(), cx);
        Ok(())
    }

    async fn handle_call(
        &mut self,
        register: Register,
        reply: ReplyTo<Result<(), RegisterError>>,
        cx: &mut Context<Self>,
    ) {
        self.register(register.child, reply, cx);
    }
}

impl Handler<Registered> for Checkpointing {
    async fn handle(&mut self, registered: Registered, _cx: &mut Context<Self>) {
        let Registered { child, is_new, answer, reply } = registered;
        if answer.is_err() && is_new {
            self.children.remove(child);
        }
        reply.answer(answer);
    }
}

impl Handler<Unregister> for Checkpointing {
    async fn handle(&mut self, unregister: Unregister, _cx: &mut Context<Self>) -> bool {
        self.children.remove(unregister.child)
    }
}

impl Handler<SetParent> for Checkpointing {
    async fn handle(
        &mut self,
        set: SetParent,
        cx: &mut Context<Self>,
    ) -> Result<(), RegisterError> {
        self.set_parent(set.parent, cx.id())
    }
}
