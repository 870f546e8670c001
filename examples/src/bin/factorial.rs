//! Factorials without a stack (Agha, 1986): each step leaves an actor that waits for the next one's
//! result, multiplies it, and hands it on.

use std::time::Duration;

use actors_core::{Actor, Context, Message, Recipient, System, actor};

#[derive(Message)]
struct Value(u64);

#[derive(Actor)]
struct Factorial;

#[actor]
impl Factorial {
    #[message]
    fn compute(&mut self, n: u64, customer: Recipient<Value>, cx: &mut Context<Self>) {
        if n == 0 {
            let _ = customer.send(Value(1));
            return;
        }
        let waiting = cx.system().spawn_fn(move |Value(rest): Value, _cx| {
            let _ = customer.send(Value(n * rest));
        });
        let _ = cx.link().send(Compute { n: n - 1, customer: waiting.recipient() });
    }
}

fn main() -> anyhow::Result<()> {
    let system = System::new();
    let (factorial, mut results) = (system.spawn(Factorial), system.inbox::<Value>());
    for n in [0, 1, 5, 20] {
        factorial.send(Compute { n, customer: results.recipient() })?;
        let Value(product) = results.receive_blocking(Duration::from_secs(60))?;
        println!("{n}! = {product}");
    }
    Ok(())
}
