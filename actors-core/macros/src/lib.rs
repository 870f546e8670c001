//! The macros of `actors-core`, which exports them again. Use them from there: what they expand to
//! names that crate.
//!
//! | macro | for |
//! |---|---|
//! | [`#[derive(Actor)]`](derive@Actor) | an actor without hooks |
//! | [`#[derive(Message)]`](derive@Message) | a message |
//! | [`#[actor]`](macro@actor) | methods as messages, with their handlers |

mod actor;
mod checks;
mod derive;
mod expand;
mod generics;
mod method;

use proc_macro::TokenStream;

/// Makes a type an actor with the default hooks: `impl Actor for … {}`.
///
/// Type parameters get the bounds that an actor needs, `Send + 'static`. An actor with hooks of its
/// own has an `impl Actor` instead.
///
/// ```
/// use actors_core::{Actor, System};
///
/// #[derive(Actor)]
/// struct Stack<T> {
///     items: Vec<T>,
/// }
///
/// let stack = System::new().spawn(Stack { items: vec![1, 2] });
/// # let _ = stack;
/// ```
#[proc_macro_derive(Actor)]
pub fn derive_actor(input: TokenStream) -> TokenStream {
    derive::actor(input.into()).into()
}

/// Makes a type a message. Its reply is `()`, or what `#[message(reply = …)]` says.
///
/// Type parameters get the bounds that a message needs, `Send + 'static`.
///
/// ```
/// use actors_core::{Actor, Context, Handler, Message, System};
///
/// #[derive(Message)]
/// struct Push<T>(T);
///
/// #[derive(Message)]
/// #[message(reply = Option<u32>)]
/// struct Pop;
///
/// #[derive(Actor)]
/// struct Stack(Vec<u32>);
///
/// impl Handler<Push<u32>> for Stack {
///     async fn handle(&mut self, Push(item): Push<u32>, _cx: &mut Context<Self>) {
///         self.0.push(item);
///     }
/// }
///
/// impl Handler<Pop> for Stack {
///     async fn handle(&mut self, _: Pop, _cx: &mut Context<Self>) -> Option<u32> {
///         self.0.pop()
///     }
/// }
///
/// # let system = System::new();
/// let stack = system.spawn(Stack(vec![]));
/// stack.send(Push(7))?;
/// # system.block_on(async {
/// assert_eq!(stack.call(Pop).await?, Some(7));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    derive::message(input.into()).into()
}

/// Turns methods of an actor into messages that it handles.
///
/// On an `impl` block of the actor. Each method with `#[message]` stays as it is, and beside it there
/// is from now on a message, and a `Handler` of it that calls the method. Other methods are just
/// methods. Hooks are in an `impl Actor`, or there are none and `#[derive(Actor)]` is enough.
///
/// ```
/// use actors_core::{Actor, System, actor};
///
/// #[derive(Actor)]
/// struct Counter {
///     count: u64,
/// }
///
/// #[actor]
/// impl Counter {
///     /// Counts on, and answers with the new count.
///     #[message]
///     fn add(&mut self, n: u64) -> u64 {
///         self.count += n;
///         self.count
///     }
///
///     /// The count so far.
///     #[message]
///     fn count(&self) -> u64 {
///         self.count
///     }
/// }
///
/// # let system = System::new();
/// let counter = system.spawn(Counter { count: 0 });
/// counter.send(Add { n: 1 })?;
/// # system.block_on(async {
/// assert_eq!(counter.call(Add { n: 2 }).await?, 3);
/// assert_eq!(counter.call(Count).await?, 3);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # What becomes of a method
///
/// | of the method | is of the message |
/// |---|---|
/// | name, `add_many` | name, `AddMany` |
/// | arguments | fields, in order; without any it is a unit struct |
/// | return type | reply |
/// | visibility | visibility, its own and that of its fields |
/// | doc comment, `cfg` | doc comment, `cfg` |
/// | doc comments and other attributes on an argument | those of the field; the method loses them |
///
/// - It takes `&mut self` or `&self`. It may be `async`, and is then awaited in the handler. An `async`
///   one with `&self` needs an actor that is `Sync`, as its future may move between threads: most
///   often `&mut self` is right.
/// - An argument of type `&mut Context<Self>` is the context of the handler, and no field.
/// - Arguments and reply are owned: a message is `'static`.
/// - Type parameters are those of the block. A message has the ones that its fields and its reply name.
///   If one of these is in no field, the message is made by `new`, from its fields in order.
/// - An argument of type `ReplyTo<R>` is no field either: the reply is `R`, the method returns nothing, and
///   answers through it, later or from elsewhere. If the message was only sent, the answer goes nowhere. (A
///   field with a `ReplyTo` for somebody else is one in another type, as `Option<ReplyTo<R>>`.)
///
/// ```
/// use actors_core::{Actor, ReplyTo, System, actor};
///
/// #[derive(Actor)]
/// struct Door {
///     waiting: Vec<ReplyTo<&'static str>>,
/// }
///
/// #[actor]
/// impl Door {
///     #[message]
///     fn enter(&mut self, reply: ReplyTo<&'static str>) {
///         self.waiting.push(reply);
///     }
///
///     #[message]
///     fn open(&mut self) {
///         self.waiting.drain(..).for_each(|reply| reply.answer("come in"));
///     }
/// }
///
/// # let system = System::new();
/// let door = system.spawn(Door { waiting: vec![] });
/// let answer = door.call(Enter);
/// door.send(Open)?;
/// # system.block_on(async {
/// assert_eq!(answer.await?, "come in");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Options
///
/// | `#[message(…)]` | |
/// |---|---|
/// | `name = Increase` | a name of its own |
/// | `derive(Clone, Debug)` | derives on the message; those of serde, if it is to reach other nodes |
///
/// ```
/// use std::time::Duration;
///
/// use actors_core::{Actor, Context, ExitReason, System, actor};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Actor)]
/// struct Stack<T>(Vec<T>);
///
/// #[actor]
/// impl<T: Send + 'static> Stack<T> {
///     #[message(derive(Clone, Debug, Serialize, Deserialize))]
///     pub fn push(
///         &mut self,
///         /// What comes on top.
///         #[serde(rename = "value")]
///         item: T,
///     ) {
///         self.0.push(item);
///     }
///
///     #[message]
///     pub fn pop(&mut self) -> Option<T> {
///         self.0.pop()
///     }
///
///     #[message(name = Close)]
///     async fn close_after(&mut self, pause: Duration, cx: &mut Context<Self>) -> usize {
///         cx.system().host().clock.sleep(pause).await;
///         cx.stop(ExitReason::Normal);
///         self.0.len()
///     }
/// }
///
/// # let system = System::new();
/// let stack = system.spawn(Stack(vec![]));
/// stack.send(Push { item: 7 })?;
/// stack.send(Push { item: 8 })?;
/// # system.block_on(async {
/// assert_eq!(stack.call(Pop::new()).await?, Some(8));
/// assert_eq!(stack.call(Close { pause: Duration::from_millis(1) }).await?, 1);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[proc_macro_attribute]
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(options.into(), item.into()).into()
}
