use actors_core::{Actor, actor};

struct Counter(u64);

#[actor]
impl Actor for Counter {}

fn main() {}
