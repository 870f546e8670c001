//! What is asked of the home of an actor: a name for it, or a group.

use std::{sync::Arc, time::Duration};

use actors_core::{ActorId, AnyLink, ReplyTo, SystemId};
use serde::{Deserialize, Serialize};

use super::{names::Step, record::Entry};
use crate::{RegisterError, connection::or_left, peers::Peers, wire::Frame};

/// After a refusal in the name of somebody who is not known here.
const AGAIN: Duration = Duration::from_millis(20);

/// For an actor whose home is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Register { name: String, actor: ActorId },
    Unregister { name: String, actor: ActorId },
    Join { group: String, actor: ActorId },
    Leave { group: String, actor: ActorId },
}

impl Request {
    const fn actor(&self) -> ActorId {
        match self {
            Self::Register { actor, .. }
            | Self::Unregister { actor, .. }
            | Self::Join { actor, .. }
            | Self::Leave { actor, .. } => *actor,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Register { name, .. } | Self::Unregister { name, .. } => name,
            Self::Join { group, .. } | Self::Leave { group, .. } => group,
        }
    }
}

impl Peers {
    /// Asks the actor's home, this node or another. It goes on when the future is dropped.
    pub(crate) async fn ask_home(self: &Arc<Self>, request: Request) -> Result<(), RegisterError> {
        let home = self.home_of(request.actor());
        let lost = || RegisterError::NoConnection { home };
        let asked = async {
            let (reply, waiting) = ReplyTo::channel();
            if home == self.member().id {
                self.answer_request(request, move |result| reply.answer(result));
            } else if !self.ask_directory(home, request, reply) {
                return Err(lost());
            }
            waiting.await.unwrap_or_else(|_| Err(lost()))
        };
        or_left(self, asked).await.unwrap_or(Err(RegisterError::Left))
    }

    /// This node has the place of the home of those that it has adopted.
    fn home_of(&self, actor: ActorId) -> SystemId {
        if self.hosting.supervises(actor) { self.member().id } else { actor.home }
    }

    /// Another node asks.
    pub(crate) fn hear_request(self: &Arc<Self>, from: SystemId, call: u64, request: Request) {
        let peers = self.clone();
        self.answer_request(request, move |result| {
            peers.send(from, &Frame::Answered { call, result });
        });
    }

    fn answer_request(
        self: &Arc<Self>,
        request: Request,
        answer: impl FnOnce(Result<(), RegisterError>) + Send + 'static,
    ) {
        let peers = self.clone();
        self.system().spawn_task(async move {
            let fulfilled = or_left(&peers, peers.fulfil(request)).await;
            answer(fulfilled.unwrap_or(Err(RegisterError::Left)));
        });
    }

    async fn fulfil(self: &Arc<Self>, request: Request) -> Result<(), RegisterError> {
        check_length(request.text())?;
        match request {
            Request::Register { name, actor } => self.register(&name, actor).await,
            Request::Unregister { name, actor } => {
                let had = self.change_directory(|d, out| d.names.release(&name, actor, out));
                self.handled_by_all().await;
                if had { Ok(()) } else { Err(RegisterError::Unknown(name)) }
            }
            Request::Join { group, actor } => self.join_group(&group, actor).await,
            Request::Leave { group, actor } => {
                let had = self.change_directory(|d, out| d.groups.leave(&group, actor, out));
                self.handled_by_all().await;
                if had { Ok(()) } else { Err(RegisterError::Unknown(group)) }
            }
        }
    }

    async fn register(self: &Arc<Self>, name: &str, actor: ActorId) -> Result<(), RegisterError> {
        let (link, entry) = self.own(actor)?;
        loop {
            let step = self.change_directory(|directory, out| {
                let members: Vec<_> = self.members().iter().map(|member| member.id).collect();
                directory.names.register(name, &entry, &members, out)
            });
            match step {
                Step::Done => break,
                Step::Wait(changed) => changed.await,
                Step::Taken(by) if self.is_known(by.home) => {
                    return Err(RegisterError::Taken { by });
                }
                // Somebody knows a node that comes, or does not know yet that one is gone.
                Step::Taken(_) => self.system().host().clock.sleep(AGAIN).await,
            }
        }
        self.look_after(&link);
        self.handled_by_all().await;
        match self.directory.read(|state| state.names.holder(name).map(Entry::actor)) {
            Some(holder) if holder == actor => Ok(()),
            Some(by) => Err(RegisterError::Taken { by }),
            None => Err(RegisterError::Dead),
        }
    }

    async fn join_group(
        self: &Arc<Self>,
        group: &str,
        actor: ActorId,
    ) -> Result<(), RegisterError> {
        let (link, entry) = self.own(actor)?;
        self.change_directory(|directory, out| directory.groups.join(group, &entry, out));
        self.look_after(&link);
        self.handled_by_all().await;
        Ok(())
    }

    /// An actor whose home is this node, as others are told of it.
    fn own(&self, actor: ActorId) -> Result<(AnyLink, Entry), RegisterError> {
        let link = self.system().known(actor).ok_or(RegisterError::Dead)?;
        let entry = Entry::of(self.system(), link.clone());
        let entry =
            entry.ok_or_else(|| RegisterError::NotExported(link.info().type_name.into()))?;
        if entry.is_dead() {
            return Err(RegisterError::Dead);
        }
        Ok((link, entry))
    }

    pub(super) fn is_known(&self, node: SystemId) -> bool {
        node == self.member().id || self.is_member(node)
    }

    /// Done when every member has handled all that it was sent so far, or is gone.
    async fn handled_by_all(self: &Arc<Self>) {
        let members = self.members();
        let waiting: Vec<_> = members.iter().map(|member| self.handled_by(member.id)).collect();
        for handled in waiting {
            handled.await;
        }
    }
}

/// Names and groups have a frame of their own each, and are short.
fn check_length(text: &str) -> Result<(), RegisterError> {
    match text.len() {
        ..=RegisterError::LONGEST => Ok(()),
        bytes => Err(RegisterError::TooLong { bytes, limit: RegisterError::LONGEST }),
    }
}
