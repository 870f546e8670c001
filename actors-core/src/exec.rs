//! Functions that run in an actor, with its state, between two messages.

use std::any::type_name;

use crate::{
    Actor, Call, CallError, GroupEpoch, Link, here,
    node::Payload,
    payload::Exec,
    reply::one_shot,
    run::{Step, Turn},
};

impl<A: Actor> Link<A> {
    /// Runs a function in the actor with its state, between two messages, and waits for its result.
    ///
    /// # Errors
    /// [`CallError::NotLocal`] on a remote link; else as [`call`](Self::call).
    pub fn exec<R, F>(&self, function: F) -> Call<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut A) -> R + Send + 'static,
    {
        let (reply, waiting) = one_shot();
        let sent = self.cell().push_local(Exec { function, reply, epoch: here::epoch() });
        Call::new(sent.map(|()| waiting), self.cell().system())
    }

    /// [`exec`](Self::exec) that only looks: asks the state for something.
    ///
    /// ```
    /// # use actors_core::{Actor, System};
    /// struct Stack(Vec<u32>);
    /// impl Actor for Stack {}
    ///
    /// # let system = System::new();
    /// # system.block_on(async {
    /// let stack = system.spawn(Stack(vec![1]));
    /// stack.update_state(|stack| stack.0.push(2))?;
    /// assert_eq!(stack.query(|stack| stack.0.len()).await, Ok(2));
    /// # Ok::<_, actors_core::CallError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As `exec`.
    pub fn query<R, F>(&self, function: F) -> Call<R>
    where
        R: Send + 'static,
        F: FnOnce(&A) -> R + Send + 'static,
    {
        self.exec(|actor| function(actor))
    }

    /// [`exec`](Self::exec) that does not wait: changes the state, in order with the messages.
    ///
    /// # Errors
    /// [`CallError::Closed`], [`CallError::Full`], and [`CallError::NotLocal`] on a remote link.
    pub fn update_state<F>(&self, function: F) -> Result<(), CallError>
    where
        F: FnOnce(&mut A) + Send + 'static,
    {
        self.cell().push_local(Update { function, epoch: here::epoch() })
    }
}

struct Update<F> {
    function: F,
    epoch: Option<GroupEpoch>,
}

impl<A, F> Payload<A> for Update<F>
where
    A: Actor,
    F: FnOnce(&mut A) + Send + 'static,
{
    const MESSAGE: bool = true;

    fn run(self, turn: &mut Turn<'_, A>) -> Step {
        (self.function)(turn.actor());
        Step::Next
    }

    fn refuse(self, _error: CallError) {}

    fn epoch(&self) -> Option<GroupEpoch> {
        self.epoch
    }

    fn name() -> &'static str {
        type_name::<F>()
    }
}
