use actors_core::Message;

#[derive(Message)]
#[message(replies = u64)]
struct Unknown;

#[derive(Message)]
#[message(reply)]
struct Untyped;

#[derive(Message)]
#[message(reply = u64, reply = u32)]
struct Twice;

#[derive(Message)]
#[message(reply = &str)]
struct Borrows;

#[derive(Message)]
#[message]
struct Empty;

#[derive(Message)]
enum Variants {
    #[message(reply = u64)]
    Get,
    Set(u64),
}

fn main() {}
