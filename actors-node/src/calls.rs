//! Questions to other nodes that wait for an answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_core::{
    ActorId, CallError, GroupEpoch, ReplyTo, StartError, SystemId,
    host::{Clock, Time},
};
use parking_lot::Mutex;

use crate::{
    RegisterError,
    directory::Request,
    hosting::Charge,
    outbox::Outbox,
    peers::Peers,
    wire::{Asked, Body, Frame},
};

#[derive(Default)]
pub(crate) struct Calls(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    pending: BTreeMap<u64, (SystemId, Pending)>,
}

enum Pending {
    Answer(ReplyTo<Vec<u8>>),
    Start(ReplyTo<Result<u32, StartError>>),
    Request(ReplyTo<Result<(), RegisterError>>),
    Sync(ReplyTo<()>),
}

impl Calls {
    /// The number of a new question, and how many there are.
    pub(crate) fn ask(&self, node: SystemId, reply: ReplyTo<Vec<u8>>) -> (u64, usize) {
        self.insert(node, Pending::Answer(reply))
    }

    fn insert(&self, node: SystemId, pending: Pending) -> (u64, usize) {
        let mut state = self.0.lock();
        state.next += 1;
        let call = state.next;
        state.pending.insert(call, (node, pending));
        (call, state.pending.len())
    }

    fn take(&self, call: u64) -> Option<Pending> {
        self.0.lock().pending.remove(&call).map(|(_, pending)| pending)
    }

    pub(crate) fn answered(&self, call: u64, answer: Result<Vec<u8>, CallError>) {
        match (self.take(call), answer) {
            (Some(Pending::Answer(reply)), Ok(body)) => reply.answer(body),
            (Some(Pending::Answer(reply)), Err(error)) => reply.refuse(error),
            (Some(_) | None, _) => {}
        }
    }

    pub(crate) fn started(&self, call: u64, result: Result<u32, StartError>) {
        if let Some(Pending::Start(reply)) = self.take(call) {
            reply.answer(result);
        }
    }

    pub(crate) fn fulfilled(&self, call: u64, result: Result<(), RegisterError>) {
        if let Some(Pending::Request(reply)) = self.take(call) {
            reply.answer(result);
        }
    }

    pub(crate) fn synced(&self, call: u64) {
        if let Some(Pending::Sync(reply)) = self.take(call) {
            reply.answer(());
        }
    }

    /// The node is gone: what waits for it never comes.
    pub(crate) fn fail(&self, node: SystemId, name: &str) {
        let mut state = self.0.lock();
        let lost: Vec<u64> = state
            .pending
            .iter()
            .filter(|(_, (asked, _))| *asked == node)
            .map(|(call, _)| *call)
            .collect();
        let lost: Vec<_> = lost.iter().filter_map(|call| state.pending.remove(call)).collect();
        drop(state);
        for (_, pending) in lost {
            match pending {
                Pending::Answer(reply) => reply.refuse(CallError::NoConnection),
                Pending::Start(reply) => {
                    reply.answer(Err(StartError::NoConnection { node: name.to_owned() }));
                }
                Pending::Request(reply) => {
                    reply.answer(Err(RegisterError::NoConnection { home: node }));
                }
                // It has nothing to handle any more.
                Pending::Sync(reply) => reply.answer(()),
            }
        }
    }
}

impl Peers {
    /// In milliseconds, none of them begun: what comes from there is on the safe side.
    pub(crate) fn left_until(&self, deadline: Time) -> u64 {
        let left = deadline.since(self.system().host().clock.now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    /// Makes an address on a node for an actor of an exported type.
    pub(crate) async fn reserve(
        self: &Arc<Self>,
        on: SystemId,
        export: &str,
        actor: ActorId,
        version: u32,
    ) -> Result<(), StartError> {
        let export = export.to_owned();
        self.ask_to_start(on, |call| Frame::Reserve { call, export, actor, version })
            .await
            .map(drop)
    }

    /// Starts the next incarnation of an actor that was reserved on a node.
    pub(crate) async fn start_actor(
        self: &Arc<Self>,
        on: SystemId,
        actor: ActorId,
        group: Option<GroupEpoch>,
        incarnation: u32,
        args: Vec<u8>,
    ) -> Result<u32, StartError> {
        let (bytes, limit) = (args.len(), self.longest_to(on));
        if bytes > limit {
            return Err(StartError::TooLong { bytes, limit });
        }
        let frame = |call| Frame::Start { call, actor, group, incarnation, args };
        self.ask_to_start(on, frame).await
    }

    /// Takes an actor over that runs on a node, or makes its address there. Gives the life that it is in, 0 if it is
    /// in none.
    pub(crate) async fn adopt(
        self: &Arc<Self>,
        on: SystemId,
        export: &str,
        (actor, version): (ActorId, u32),
        Charge { role, term }: Charge,
    ) -> Result<u32, StartError> {
        let export = export.to_owned();
        self.ask_to_start(on, |call| Frame::Adopt { call, export, actor, version, role, term })
            .await
    }

    async fn ask_to_start(
        self: &Arc<Self>,
        on: SystemId,
        frame: impl FnOnce(u64) -> Frame,
    ) -> Result<u32, StartError> {
        let lost = || StartError::NoConnection { node: self.name_of(on) };
        let (tx, rx) = futures_channel();
        let (call, _) = self.calls.insert(on, Pending::Start(tx));
        if !self.tell_host(on, frame(call)) {
            self.calls.take(call);
            return Err(lost());
        }
        rx.await.unwrap_or_else(|| Err(lost()))
    }

    /// Asks the home of an actor. False when it is not a member.
    pub(crate) fn ask_directory(
        &self,
        home: SystemId,
        request: Request,
        reply: ReplyTo<Result<(), RegisterError>>,
    ) -> bool {
        let (call, _) = self.calls.insert(home, Pending::Request(reply));
        let sent = self.send(home, &Frame::Request { call, request });
        if !sent {
            self.calls.take(call);
        }
        sent
    }

    /// Done when a node has handled all that it was sent so far, or is gone.
    pub(crate) fn handled_by(&self, node: SystemId) -> impl Future<Output = ()> + use<> {
        let (reply, waiting) = futures_channel();
        let (call, _) = self.calls.insert(node, Pending::Sync(reply));
        if !self.send(node, &Frame::Sync(call)) {
            self.calls.synced(call);
        }
        async move { waiting.await.unwrap_or_default() }
    }
}

/// The way back of an answer to a question that came from there.
pub(crate) fn answer_to(outbox: &Outbox, asked: Asked, clock: &dyn Clock) -> ReplyTo<Vec<u8>> {
    let (Asked(call, left), outbox) = (asked, outbox.clone());
    outbox.asked();
    let reply = ReplyTo::to_function(move |answer: Result<Vec<u8>, CallError>| {
        let limit = outbox.longest();
        let answer = answer.and_then(|body| match body.len() {
            bytes if bytes > limit => Err(CallError::TooLong { bytes, limit }),
            _ => Ok(Body(body)),
        });
        outbox.answer(&Frame::Reply { call, answer });
    });
    match left {
        Some(left) => reply.until(clock.now() + Duration::from_millis(left)),
        None => reply,
    }
}

/// A reply that an async function can wait for; `None` when it is dropped unanswered.
fn futures_channel<T: Send + 'static>() -> (ReplyTo<T>, impl Future<Output = Option<T>>) {
    let (tx, waiting) = ReplyTo::channel();
    (tx, async move { waiting.await.ok() })
}
