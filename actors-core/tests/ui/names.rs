use actors_core::{Actor, actor};

#[derive(Actor)]
struct Counter(u64);

#[actor]
impl Counter {
    #[message]
    fn counter(&self) -> u64 {
        self.0
    }

    #[message]
    fn add(&mut self, n: u64) {
        self.0 += n;
    }

    #[message(name = Add)]
    fn increase(&mut self) {
        self.0 += 1;
    }
}

fn main() {}
