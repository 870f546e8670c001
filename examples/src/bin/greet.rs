//! A greeter, and an actor that asks it on behalf of others.

use actors_core::{Actor, CallError, Link, System, actor};

#[derive(Actor)]
struct Greeter {
    greeting: String,
}

#[actor]
impl Greeter {
    #[message]
    fn greet(&self, name: String) -> String {
        format!("{}, {name}!", self.greeting)
    }
}

#[derive(Actor)]
struct Doorman {
    greeter: Link<Greeter>,
}

#[actor]
impl Doorman {
    #[message]
    async fn welcome(&mut self, name: String) -> Result<String, CallError> {
        self.greeter.call(Greet { name }).await
    }
}

fn main() -> anyhow::Result<()> {
    let system = System::new();
    let greeter = system.spawn(Greeter { greeting: "Hello".into() });
    let doorman = system.spawn(Doorman { greeter });
    system.block_on(async {
        for name in ["World", "Kermit"] {
            println!("{}", doorman.call(Welcome { name: name.into() }).await??);
        }
        Ok(())
    })
}
