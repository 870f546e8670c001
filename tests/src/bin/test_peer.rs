//! A node for tests that does what it is told on standard input, and says what it sees on standard
//! output; see `actors_tests::peer`. It ends with its standard input, or with the test.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use actors_core::{Link, System};
use actors_node::{Detection, Node, NodeEvent, Secret};
use actors_tests::{
    cluster::PATIENCE,
    peer::{Book, Bulk, Note, SECRET},
};
use clap::Parser;
use serde_bytes::ByteBuf;

/// Between two notes of a pump.
const PUMP: Duration = Duration::from_millis(5);
/// Bytes of a piece of bulk.
const BULK: usize = 8 << 20;

#[derive(Parser)]
struct Options {
    name: String,
    #[arg(long)]
    listen: String,
    #[arg(long)]
    heartbeat_ms: u64,
    #[arg(long)]
    timeout_ms: u64,
}

#[derive(Clone)]
struct Peer {
    node: Node,
    books: BTreeMap<String, Link<Book>>,
    /// Bytes of bulk that were answered.
    moved: Arc<AtomicU64>,
}

fn main() -> anyhow::Result<()> {
    // Also one that stands still must not outlive the test.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let options = Options::parse();
    let system = System::builder().name(options.name).build();
    actors_tests::export(&system);
    let detection = Detection {
        heartbeat: Duration::from_millis(options.heartbeat_ms),
        timeout: Duration::from_millis(options.timeout_ms),
    };
    let builder = Node::builder(&system).listen(options.listen).detection(detection);
    let node = system.block_on(builder.secret(Secret::new(SECRET)?).start())?;
    node.on_event(say);
    println!("ready {}", node.member().address);
    let mut peer = Peer { node, books: BTreeMap::new(), moved: Arc::default() };
    for line in io::stdin().lock().lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["join", address] => peer.join(address),
            ["book", node] => peer.book(node),
            ["note", node, n] => drop(peer.note(node, n.parse()?)),
            ["pump", node, n] => peer.pump(node, n.parse()?),
            ["bulk", node] => peer.bulk(node),
            ["moved"] => println!("moved {}", peer.moved.load(Ordering::Relaxed)),
            ["spin"] => spin(),
            ["echo", word] => println!("echo {word}"),
            _ => anyhow::bail!("{line:?} is no command"),
        }
    }
    Ok(())
}

fn say(event: &NodeEvent) {
    match event {
        NodeEvent::Up(member) => println!("up {}", member.name),
        NodeEvent::Suspected(member) => println!("suspected {}", member.name),
        NodeEvent::Recovered(member) => println!("recovered {}", member.name),
        NodeEvent::Down { member, cause } => println!("down {} {cause:?}", member.name),
        NodeEvent::Fenced { by } => println!("fenced {}", by.name),
        _ => {}
    }
}

impl Peer {
    fn join(&self, address: &str) {
        match self.node.system().block_on(self.node.join(address, PATIENCE)) {
            Ok(member) => println!("joined {}", member.name),
            Err(error) => println!("not joined: {error}"),
        }
    }

    fn book(&mut self, name: &str) {
        let node = self.node.clone();
        let spawned = node.system().block_on(async {
            let member = node.wait_for(name, PATIENCE).await.map_err(|error| error.to_string())?;
            node.spawn::<Book>(member.id, "book", &()).await.map_err(|error| error.to_string())
        });
        match spawned {
            Ok(link) => {
                self.books.insert(name.to_owned(), link);
                println!("book {name}");
            }
            Err(error) => println!("no book: {error}"),
        }
    }

    fn note(&self, name: &str, n: u64) -> bool {
        let from = self.node.member().name.clone();
        match self.books[name].send(Note { from, n }) {
            Ok(()) => println!("noted {name} {n}"),
            Err(error) => {
                println!("not noted {name} {n}: {error}");
                return false;
            }
        }
        true
    }

    fn pump(&self, name: &str, first: u64) {
        let (peer, name) = (self.clone(), name.to_owned());
        println!("pumping {name}");
        thread::spawn(move || {
            for n in first.. {
                if !peer.note(&name, n) {
                    return;
                }
                thread::sleep(PUMP);
            }
        });
    }

    fn bulk(&self, name: &str) {
        let (book, moved, name) = (self.books[name].clone(), self.moved.clone(), name.to_owned());
        println!("bulk {name}");
        thread::spawn(move || {
            loop {
                let bulk = Bulk(ByteBuf::from(vec![7; BULK]));
                if let Err(error) = book.call_blocking(bulk, PATIENCE) {
                    return println!("bulk refused {name}: {error}");
                }
                moved.fetch_add(BULK as u64, Ordering::Relaxed);
            }
        });
    }
}

fn spin() {
    println!("spinning");
    thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
}
