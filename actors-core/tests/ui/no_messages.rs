use actors_core::{Actor, actor};

#[derive(Actor)]
struct Counter(u64);

#[actor]
impl Counter {
    fn get(&self) -> u64 {
        self.0
    }
}

fn main() {
    Counter(0).get();
}
