use std::borrow::Cow;

use actors_core::{Actor, actor};

#[derive(Actor)]
struct Counter(u64);

#[actor]
impl Counter {
    #[message]
    fn pattern(&mut self, (a, b): (u64, u64)) {
        self.0 += a + b;
    }

    #[message]
    fn ignored(&mut self, _: u64) {}

    #[message]
    fn text(&mut self, text: &str, bytes: &[u8], other: &Counter) {
        let _ = (text, bytes, other);
    }

    #[message]
    fn inside(&mut self, texts: Vec<(Option<&str>, [&mut u8; 2])>, text: Cow<'_, str>) {
        let _ = (texts, text);
    }

    #[message]
    fn unnamed(&mut self, n: impl Into<u64>) {
        self.0 += n.into();
    }

    #[message]
    fn sometimes(&mut self, #[cfg(unix)] n: u64) {
        self.0 += n;
    }
}

fn main() {}
