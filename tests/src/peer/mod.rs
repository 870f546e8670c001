//! Node processes that are told what to do and tell what they see, a line each way: the program
//! `test-peer`, from the side of the test.
//!
//! | told | said |
//! |---|---|
//! | `join ADDRESS` | `joined NODE`, or `not joined: WHY` |
//! | `book NODE`: an actor there that writes down notes | `book NODE`, or `no book: WHY` |
//! | `note NODE N`: a numbered note for that actor | `noted NODE N`, or `not noted NODE N: WHY`; there `heard FROM N` |
//! | `pump NODE N`: notes from N on, every few milliseconds, until one is refused | the same, and `pumping NODE` |
//! | `bulk NODE`: megabytes for that actor, one after the other, until one is refused | `bulk NODE`, and then `bulk refused NODE: WHY` |
//! | `moved` | `moved BYTES`, in all bulk that was answered |
//! | `spin`: a thread that does nothing else | `spinning` |
//! | `echo WORD` | `echo WORD`: all that was seen before has been said |
//! | | `up NODE`, `suspected NODE`, `recovered NODE`, `down NODE CAUSE`, `fenced NODE` |

mod actors;

use std::{
    cell::{Cell, RefCell},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

pub(crate) use actors::export;
pub use actors::{Book, Bulk, Note, Where, Worker, WorkerArgs};
use actors_node::Detection;

use crate::{
    cluster::PATIENCE,
    process::{Line, NodeProcess},
};

/// The secret that all peers have.
pub const SECRET: &str = "the secret of the tests";

/// A node process, and what it has said so far.
pub struct Peer {
    /// Its process.
    pub process: NodeProcess,
    name: String,
    address: String,
    said: RefCell<Vec<Line>>,
    echoes: Cell<u64>,
}

impl Peer {
    /// Runs the program at `program` in `command`, which may put it somewhere, as node `name`.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(mut command: Command, name: &str, listen: &str, detection: Detection) -> Self {
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        command.args([name, "--listen", listen]);
        command.args(["--heartbeat-ms", &milliseconds(detection.heartbeat)]);
        command.args(["--timeout-ms", &milliseconds(detection.timeout)]);
        command.stdin(Stdio::piped());
        let process = NodeProcess::launch(command, name).expect("the program starts");
        let mut peer = Self {
            process,
            name: name.to_owned(),
            address: String::new(),
            said: RefCell::default(),
            echoes: Cell::new(0),
        };
        peer.address = peer.wait_for("ready ").text["ready ".len()..].to_owned();
        peer
    }

    /// As [`start`](Self::start), on the loopback interface.
    ///
    /// # Panics
    /// It does not start.
    pub fn local(program: &Path, name: &str, detection: Detection) -> Self {
        Self::start(Command::new(program), name, "127.0.0.1:0", detection)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where others join it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Tells it to do something.
    pub fn tell(&self, line: &str) {
        self.process.tell(line);
    }

    /// Lets it join another, and waits until both know.
    ///
    /// # Panics
    /// They do not get to know each other.
    pub fn join(&self, other: &Self) {
        self.tell(&format!("join {}", other.address));
        self.wait_for(&format!("joined {}", other.name));
    }

    /// Waits for a line that begins so, from the first that it has said on.
    ///
    /// # Panics
    /// It does not come.
    pub fn wait_for(&self, beginning: &str) -> Line {
        self.wait_for_after(0, beginning)
    }

    /// As [`wait_for`](Self::wait_for), and passes over the first `after` lines.
    ///
    /// # Panics
    /// It does not come.
    pub fn wait_for_after(&self, after: usize, beginning: &str) -> Line {
        let deadline = Instant::now() + PATIENCE;
        let mut at = after;
        loop {
            while at == self.said.borrow().len() {
                let rest = deadline.saturating_duration_since(Instant::now());
                let Some(line) = self.process.next_line(rest) else {
                    panic!("{} has not said {beginning:?}: {:#?}", self.name, self.process.log());
                };
                self.said.borrow_mut().push(line);
            }
            let line = self.said.borrow().get(at).cloned();
            match line {
                Some(line) if line.text.starts_with(beginning) => return line,
                _ => at += 1,
            }
        }
    }

    /// All that it has said and that begins so, once it has said all that it has seen until now.
    ///
    /// # Panics
    /// It does not answer.
    pub fn all(&self, beginning: &str) -> Vec<String> {
        self.mark();
        let said = self.said.borrow();
        let lines = said.iter().filter(|line| line.text.starts_with(beginning));
        lines.map(|line| line.text.clone()).collect()
    }

    /// How many lines it has said until now.
    ///
    /// # Panics
    /// It does not answer.
    pub fn mark(&self) -> usize {
        self.echoes.set(self.echoes.get() + 1);
        let echo = format!("echo {}.", self.echoes.get());
        self.tell(&echo);
        self.wait_for(&echo);
        self.said.borrow().len()
    }

    /// The numbers of the notes that it has heard from another.
    ///
    /// # Panics
    /// It does not answer.
    pub fn heard_from(&self, other: &Self) -> Vec<u64> {
        let beginning = format!("heard {} ", other.name);
        let numbers = self.all(&beginning).into_iter();
        numbers.map(|line| line[beginning.len()..].parse().expect("a number")).collect()
    }
}

/// Starts peers, joins all to the first, and waits until each knows each.
///
/// # Panics
/// They do not find each other.
pub fn connected(peers: Vec<Peer>) -> Vec<Peer> {
    let (first, rest) = peers.split_first().expect("a peer");
    rest.iter().for_each(|peer| peer.join(first));
    for peer in &peers {
        for other in peers.iter().filter(|other| other.name != peer.name) {
            peer.wait_for(&format!("up {}", other.name));
        }
    }
    peers
}
