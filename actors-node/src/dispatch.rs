//! What a frame from another node does here.

use std::sync::Arc;

use actors_core::remote::Parcel;

use crate::{
    DownCause, Member,
    calls::answer_to,
    hosting::Charge,
    peers::Peers,
    session::Session,
    wire::{Body, Frame},
};

impl Peers {
    pub(crate) fn receive(self: &Arc<Self>, from: &Member, session: &Session, frame: Frame<&[u8]>) {
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
            Frame::Message { to, name, body, epoch, call, trace } => {
                let clock = &self.system().host().clock;
                let reply = call.map(|asked| answer_to(session.outbox(), asked, &**clock));
                self.system().deliver_message(to, &name, body, epoch, trace, reply);
            }
            Frame::Reply { call, answer } => {
                self.calls.answered(call, answer.map(|Body(bytes)| bytes.to_vec()));
            }
            Frame::Stop(to, reason) => self.system().deliver(from.id, to, Parcel::Stop(reason)),
            Frame::End(to, reason) => self.system().deliver(from.id, to, Parcel::End(reason)),
            Frame::Monitor(to) => self.system().deliver(from.id, to, Parcel::Monitor),
            Frame::Down(down) => self.system().deliver(from.id, down.actor, Parcel::Down(down)),
            Frame::Relocated(actor, location) => self.moved(actor, location),
            Frame::Reserve { call, export, actor, version } => {
                self.host_reserve(from.id, call, &export, actor, version);
            }
            Frame::Adopt { call, export, actor, version, role, term } => {
                self.host_adopt(from.id, call, &export, (actor, version), Charge { role, term });
            }
            Frame::Start { call, actor, group, incarnation, args } => {
                self.host_start(from.id, call, actor, group, incarnation, args.to_vec());
            }
            Frame::Started { call, result } => self.calls.started(call, result),
            Frame::Retire(actor, reason) => self.hosting.retire(from.id, actor, reason),
            Frame::Release(actor) => self.hosting.release(from.id, actor),
            Frame::ChildExit { actor, incarnation, reason } => {
                self.hosting.child_exit(actor, incarnation, reason);
            }
            Frame::Claim { name, stamp, actor } => self.hear_claim(from.id, &name, stamp, actor),
            Frame::Claimed { name, stamp, actor, taken_by } => {
                self.hear_answer(from.id, &name, (stamp, actor), taken_by);
            }
            Frame::Named { name, stamp, record } => self.hear_named(from.id, &name, stamp, record),
            Frame::Unnamed { name, actor } => self.hear_unnamed(from.id, &name, actor),
            Frame::Joined { group, record } => self.hear_joined(from.id, &group, record),
            Frame::Parted { group, actor } => self.hear_parted(from.id, &group, actor),
            Frame::Request { call, request } => self.hear_request(from.id, call, request),
            Frame::Answered { call, result } => self.calls.fulfilled(call, result),
            Frame::Role { role, say } => self.hear_of_role(from.id, &role, say),
            Frame::Sync(call) => {
                self.send(from.id, &Frame::Synced(call));
            }
            Frame::Synced(call) => self.calls.synced(call),
        }
    }
}
