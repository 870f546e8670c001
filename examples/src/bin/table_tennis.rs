//! Two players and a ball.

use std::time::Duration;

use actors_core::{Actor, Context, Link, Message, Recipient, System, actor};

/// Who missed the ball.
#[derive(Message)]
struct Missed(&'static str);

#[derive(Actor)]
struct Player {
    name: &'static str,
    /// Hits that are left in it.
    strength: u32,
    referee: Recipient<Missed>,
}

#[actor]
impl Player {
    /// The ball comes.
    #[message]
    fn ball(&mut self, from: Link<Self>, stroke: u32, cx: &mut Context<Self>) {
        if self.strength == 0 {
            let _ = self.referee.send(Missed(self.name));
            return;
        }
        self.strength -= 1;
        println!("{stroke}: {}", self.name);
        let _ = from.send(Ball { from: cx.link(), stroke: stroke + 1 });
    }
}

fn main() -> anyhow::Result<()> {
    let system = System::new();
    let mut referee = system.inbox::<Missed>();
    let player =
        |name, strength| system.spawn(Player { name, strength, referee: referee.recipient() });
    let (ping, pong) = (player("ping", 4), player("pong", 3));
    ping.send(Ball { from: pong.clone(), stroke: 1 })?;
    let Missed(loser) = referee.receive_blocking(Duration::from_secs(60))?;
    println!("{loser} has missed");
    Ok(())
}
