use actors_core::{Actor, actor};

#[derive(Actor)]
struct Names(Vec<String>);

#[actor]
impl Names {
    #[message]
    fn first(&self) -> Option<&String> {
        self.0.first()
    }

    #[message]
    fn all(&self) -> impl Iterator<Item = String> {
        self.0.clone().into_iter()
    }
}

fn main() {}
