use actors_core::{Actor, Context, actor};

#[derive(Actor)]
struct Counter(u64);

#[actor]
impl Counter {
    #[message]
    fn generic<T: Into<u64>>(&mut self, n: T) {
        self.0 += n.into();
    }

    #[message]
    fn bounded(&mut self)
    where
        Self: Sized,
    {
    }

    #[message]
    fn associated(n: u64) -> Self {
        Self(n)
    }

    #[message]
    fn nothing() {}

    #[message]
    fn consumed(self) -> u64 {
        self.0
    }

    #[message]
    fn boxed(self: Box<Self>) {}

    #[message]
    unsafe fn dangerous(&mut self) {}

    #[message]
    extern "C" fn foreign(&mut self) {}

    #[message]
    fn contexts(&mut self, _: &mut Context<Self>, _: &mut Context<Self>) {}

    #[message]
    fn context_by_value(&mut self, cx: Context<Self>) {
        let _ = cx;
    }
}

fn main() {}
