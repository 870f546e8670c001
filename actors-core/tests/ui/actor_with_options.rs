use actors_core::{Actor, actor};

#[derive(Actor)]
struct Counter(u64);

#[actor(name = "counter")]
impl Counter {
    #[message]
    fn get(&self) -> u64 {
        self.0
    }
}

fn main() {}
