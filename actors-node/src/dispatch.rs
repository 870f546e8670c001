//! What a frame from another node does here.

use std::sync::Arc;

use actors_core::remote::Parcel;

use crate::{
    DownCause, Member,
    calls::answer_to,
    peers::Peers,
    session::Session,
    wire::{Body, Frame},
};

impl Peers {
    pub(crate) fn receive(self: &Arc<Self>, from: &Member, session: &Session, frame: Frame) {
        match frame {
            // The connection's business.
            Frame::Heartbeat(_) | Frame::Idle => {}
            Frame::Swim(packet) => {
                self.gossip(|engine, now| engine.receive(from.id, packet, now));
            }
            Frame::Members(members) => members.into_iter().for_each(|member| self.learn(member)),
            Frame::Dead(member) if member.id == self.member().id => self.fenced_by(from),
            Frame::Dead(member) => self.fail(member.id, DownCause::Reported),
            Frame::Fenced => self.fenced_by(from),
            Frame::Goodbye => self.fail(from.id, DownCause::Left),
            Frame::Message { to, name, body, epoch, call } => {
                let reply = call.map(|call| answer_to(session.outbox(), call));
                let parcel = Parcel::Message { name: name.into(), body, from: None, epoch, reply };
                self.system().deliver(from.id, to, parcel);
            }
            Frame::Reply { call, answer } => {
                self.calls.answered(call, answer.map(|Body(bytes)| bytes));
            }
            Frame::Stop(to, reason) => self.system().deliver(from.id, to, Parcel::Stop(reason)),
            Frame::End(to, reason) => self.system().deliver(from.id, to, Parcel::End(reason)),
            Frame::Monitor(to) => self.system().deliver(from.id, to, Parcel::Monitor),
            Frame::Down(down) => self.system().deliver(from.id, down.actor, Parcel::Down(down)),
            Frame::Relocated(actor, location) => self.system().relocate(actor, location),
            Frame::Reserve { call, export, actor, version } => {
                self.host_reserve(from.id, call, &export, actor, version);
            }
            Frame::Start { call, actor, group, incarnation, args } => {
                self.host_start(from.id, call, actor, group, incarnation, args);
            }
            Frame::Started { call, result } => self.calls.started(call, result),
            Frame::Retire(actor, reason) => self.hosting.retire(from.id, actor, reason),
            Frame::Release(actor) => self.hosting.release(from.id, actor),
            Frame::ChildExit { actor, incarnation, reason } => {
                self.hosting.child_exit(actor, incarnation, reason);
            }
        }
    }
}
