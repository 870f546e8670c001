use actors_core::{Actor, ReplyTo, actor};

#[derive(Actor)]
struct Desk(Vec<ReplyTo<u32>>);

#[actor]
impl Desk {
    #[message]
    fn both(&mut self, reply: ReplyTo<u32>) -> u32 {
        self.0.push(reply);
        1
    }

    #[message]
    fn two(&mut self, first: ReplyTo<u32>, second: ReplyTo<u32>) {
        self.0.extend([first, second]);
    }

    #[message]
    fn lent(&mut self, reply: &mut ReplyTo<u32>) {
        let _ = reply;
    }

    #[message]
    fn borrowed(&mut self, reply: ReplyTo<&str>) {
        reply.answer("text");
    }
}

fn main() {}
