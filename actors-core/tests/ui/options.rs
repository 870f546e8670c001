use actors_core::{Actor, actor};

#[derive(Actor)]
struct Counter(u64);

#[actor]
impl Counter {
    #[message(reply = u64)]
    fn get(&self) -> u64 {
        self.0
    }

    #[message(name = "Increase")]
    fn add(&mut self, n: u64) {
        self.0 += n;
    }

    #[message(name = Reset, name = Zero)]
    fn reset(&mut self) {
        self.0 = 0;
    }

    #[message = "Double"]
    fn double(&mut self) {
        self.0 *= 2;
    }

    #[message]
    #[message(name = Half)]
    fn halve(&mut self) {
        self.0 /= 2;
    }

    #[message(derive)]
    fn square(&mut self) {
        self.0 *= self.0;
    }

    #[message]
    fn _1(&mut self) {
        self.0 = 1;
    }

    #[message]
    const STEP: u64 = 1;
}

fn main() {}
