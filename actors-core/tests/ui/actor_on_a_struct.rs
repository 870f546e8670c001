use actors_core::actor;

#[actor]
struct Counter(u64);

fn main() {}
