//! Fibonacci numbers by fork and join: an actor for each of the two numbers before, and so on.

use actors_core::{Actor, CallError, Context, System, actor};

#[derive(Actor)]
struct Fibonacci;

#[actor]
impl Fibonacci {
    #[message]
    async fn compute(&mut self, n: u32, cx: &mut Context<Self>) -> Result<u64, CallError> {
        if n < 2 {
            return Ok(n.into());
        }
        let [left, right] = [1, 2].map(|less| {
            let before = cx.system().spawn(Self);
            before.call(Compute { n: n - less }).forever()
        });
        // Both were asked before the first is awaited.
        Ok(left.await?? + right.await??)
    }
}

fn main() -> anyhow::Result<()> {
    let system = System::new();
    system.block_on(async {
        for n in [0, 1, 2, 10, 20] {
            let number = system.spawn(Fibonacci).call(Compute { n }).forever().await??;
            println!("fibonacci({n}) = {number}");
        }
        Ok(())
    })
}
