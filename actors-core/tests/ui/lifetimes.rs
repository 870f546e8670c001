use actors_core::{Actor, Message, actor};

#[derive(Actor)]
struct Reader<'a>(&'a str);

#[actor]
impl<'a> Reader<'a> {
    #[message]
    fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Message)]
struct Read<'a>(&'a str);

fn main() {}
