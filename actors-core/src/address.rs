//! Links and names as one.

use crate::{
    Actor, AnyLink, GroupEpoch, Handler, Link, Message, Name, NameError, Recipient, SendError,
};

/// What leads to an actor: a [`Link`], an [`AnyLink`], a [`Recipient`] or a [`Name`]. What takes an
/// address looks a name up when it is called.
///
/// ```
/// # use actors_core::{Message, System};
/// # struct Divide(u32, u32);
/// # impl Message for Divide { type Reply = u32; }
/// # use actors_core::FnActor;
/// # let system = System::new();
/// let divider = system.spawn_fn(|Divide(a, b): Divide, _cx| a / b);
/// system.register("divider", &divider)?;
/// system.monitor(&divider);
/// system.monitor(&system.named::<FnActor<Divide>>("divider"));
/// # Ok::<_, actors_core::NameError>(())
/// ```
pub trait Address: Sealed {
    /// The actor that it leads to now.
    ///
    /// # Errors
    /// Of a name: [`NameError::Unknown`], [`NameError::WrongType`].
    fn any_link(&self) -> Result<AnyLink, NameError>;
}

/// An [`Address`] of an actor that takes `M`.
pub trait Destination<M: Message>: Address {
    /// The actor that it leads to now.
    ///
    /// # Errors
    /// As [`any_link`](Address::any_link).
    fn to_recipient(&self) -> Result<Recipient<M>, NameError>;

    /// What sends there later, and does not keep the actor. A name is looked up at each use.
    #[doc(hidden)]
    fn later(&self) -> Later<M>;
}

pub(crate) type Later<M> =
    Box<dyn Fn(M, Option<GroupEpoch>) -> Result<(), SendError<M>> + Send + 'static>;

mod sealed {
    /// What is an address is decided here.
    #[allow(unnameable_types, unreachable_pub, reason = "it seals `Address`")]
    pub trait Sealed {}
}
use sealed::Sealed;

impl Sealed for AnyLink {}
impl<A: Actor> Sealed for Link<A> {}
impl<M: Message> Sealed for Recipient<M> {}
impl<A: Actor> Sealed for Name<A> {}
impl<T: Sealed + ?Sized> Sealed for &T {}

impl Address for AnyLink {
    fn any_link(&self) -> Result<AnyLink, NameError> {
        Ok(self.clone())
    }
}

impl<A: Actor> Address for Link<A> {
    fn any_link(&self) -> Result<AnyLink, NameError> {
        Ok(self.erase())
    }
}

impl<M: Message> Address for Recipient<M> {
    fn any_link(&self) -> Result<AnyLink, NameError> {
        Ok(self.erase())
    }
}

impl<A: Actor> Address for Name<A> {
    fn any_link(&self) -> Result<AnyLink, NameError> {
        self.resolve().map(|link| link.erase())
    }
}

impl<T: Address + ?Sized> Address for &T {
    fn any_link(&self) -> Result<AnyLink, NameError> {
        (**self).any_link()
    }
}

impl<M: Message, A: Handler<M>> Destination<M> for Link<A> {
    fn to_recipient(&self) -> Result<Recipient<M>, NameError> {
        Ok(self.recipient())
    }

    fn later(&self) -> Later<M> {
        let weak = self.downgrade();
        Box::new(move |message, epoch| match weak.upgrade() {
            Some(link) => link.cell().push_tagged(message, None, epoch.into()),
            None => Err(SendError::Closed(message)),
        })
    }
}

impl<M: Message> Destination<M> for Recipient<M> {
    fn to_recipient(&self) -> Result<Self, NameError> {
        Ok(self.clone())
    }

    fn later(&self) -> Later<M> {
        let weak = self.downgrade();
        Box::new(move |message, epoch| match weak() {
            Some(recipient) => recipient.send_tagged(message, epoch),
            None => Err(SendError::Closed(message)),
        })
    }
}

impl<M: Message, A: Handler<M>> Destination<M> for Name<A> {
    fn to_recipient(&self) -> Result<Recipient<M>, NameError> {
        self.resolve().map(|link| link.recipient())
    }

    fn later(&self) -> Later<M> {
        let weak = self.downgrade();
        Box::new(move |message, epoch| {
            let Some(name) = weak() else { return Err(SendError::Closed(message)) };
            match name.resolve() {
                Ok(link) => link.cell().push_tagged(message, None, epoch.into()),
                Err(error) => Err(SendError::Name { message, error }),
            }
        })
    }
}

impl<M: Message, T: Destination<M> + ?Sized> Destination<M> for &T {
    fn to_recipient(&self) -> Result<Recipient<M>, NameError> {
        (**self).to_recipient()
    }

    fn later(&self) -> Later<M> {
        (**self).later()
    }
}
