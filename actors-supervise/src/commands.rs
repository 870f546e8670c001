//! What a supervisor is asked.

use std::sync::Arc;

use actors_core::{AnyLink, CallError, Context, Handler, Message, ReplyTo};

use crate::{
    ChildError, ChildInfo, ChildSpec, Counts, HostFailures, Limit, Strategy, Supervisor,
    SupervisorBuilder, builder::validate_limit, event::Hub, place::Place, tree_info::Trunk,
};

/// A new child.
pub(crate) struct Add(pub(crate) ChildSpec);
/// Start a stopped child.
pub(crate) struct Restart(pub(crate) String);
/// Stop a child and keep it.
pub(crate) struct Stop(pub(crate) String);
/// Remove a child; stop it first only if the flag says so.
pub(crate) struct Remove(pub(crate) String, pub(crate) bool);
/// Let a child go.
pub(crate) struct Unsupervise(pub(crate) String);
/// The link of a child.
pub(crate) struct Find(pub(crate) String);
/// All children.
pub(crate) struct Which;
/// All children, and where those are that have some of their own.
pub(crate) struct WhichTree;
/// How many.
pub(crate) struct WhichCounts;
/// Another declaration.
pub(crate) struct Change(pub(crate) SupervisorBuilder);
/// Another strategy.
pub(crate) struct SetStrategy(pub(crate) Strategy);
/// Another limit.
pub(crate) struct SetLimit(pub(crate) Limit);
/// A limit of node failures.
pub(crate) struct SetMaxNodeFailures(pub(crate) u32);
/// You are a child now, of the supervisor at this place and with this id; or nobody's child.
pub(crate) struct Placed(pub(crate) Option<(String, Arc<Place>)>);
/// Whose clock do you go by?
#[cfg(feature = "signals")]
pub(crate) struct WhichSystem;
/// Are you up, and where are your events?
pub(crate) struct Hello;

/// Asked and answered at once.
macro_rules! answers {
    ($($message:ty => $reply:ty, |$supervisor:ident, $it:pat_param| $answer:expr;)*) => {$(
        impl Message for $message {
            type Reply = $reply;
        }

        impl Handler<$message> for Supervisor {
            async fn handle(&mut self, $it: $message, cx: &mut Context<Self>) -> $reply {
                let $supervisor = self;
                let answer = $answer;
                $supervisor.settle(cx);
                answer
            }
        }
    )*};
}

#[cfg(feature = "signals")]
answers! {
    WhichSystem => Option<actors_core::System>, |s, _| s.engine().system();
}

/// Answered when it is done; the supervisor serves on meanwhile.
macro_rules! answers_later {
    ($($message:ty => $reply:ty, |$supervisor:ident, $it:pat_param, $to:ident| $ask:expr;)*) => {$(
        impl Message for $message {
            type Reply = Result<$reply, ChildError>;
        }

        impl Handler<$message> for Supervisor {
            async fn handle(&mut self, message: $message, cx: &mut Context<Self>) -> Result<$reply, ChildError> {
                let nobody = ReplyTo::to_function(drop);
                self.handle_call(message, nobody, cx).await;
                Err(CallError::NoReply.into())
            }

            async fn handle_call(
                &mut self,
                $it: $message,
                $to: ReplyTo<Result<$reply, ChildError>>,
                cx: &mut Context<Self>,
            ) {
                let $supervisor = self;
                $ask;
                $supervisor.settle(cx);
            }
        }
    )*};
}

answers! {
    Hello => (Arc<Hub>, HostFailures), |s, _| s.engine().hello();
    Find => Result<Option<AnyLink>, ChildError>, |s, Find(id)| s.engine().find(&id);
    Which => Vec<ChildInfo>, |s, _| s.engine().which();
    WhichTree => Trunk, |s, _| s.engine().trunk();
    Placed => (), |s, Placed(at)| s.engine().placed(at);
    WhichCounts => Counts, |s, _| s.engine().counts();
    Unsupervise => Result<Option<AnyLink>, ChildError>, |s, Unsupervise(id)| s.engine().unsupervise(&id);
    Change => Result<(), ChildError>, |s, Change(to)| s.engine().change(to);
    SetStrategy => (), |s, SetStrategy(strategy)| s.engine().machine.set_strategy(strategy);
    SetMaxNodeFailures => (), |s, SetMaxNodeFailures(max)| s.engine().machine.set_max_node_failures(max);
    SetLimit => Result<(), ChildError>, |s, SetLimit(limit)| {
        validate_limit(limit).map(|()| s.engine().machine.set_limit(limit)).map_err(ChildError::from)
    };
}

answers_later! {
    Add => ChildInfo, |s, Add(spec), reply| s.engine().add(spec, reply);
    Restart => ChildInfo, |s, Restart(id), reply| s.engine().restart(id, reply);
    Stop => (), |s, Stop(id), reply| s.engine().stop(&id, false, reply);
    Remove => (), |s, Remove(id, stop), reply| {
        if stop { s.engine().stop(&id, true, reply) } else { s.engine().delete(&id, reply) }
    };
}
