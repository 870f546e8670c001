//! What it costs to speak to another node: beside bare sockets, and libraries that do the same.
//!
//! Each repetition is two processes of its own, a server and a client, over the loopback interface; systems
//! take turns within a repetition; the figures are medians. `cargo run --release -p remote`.

mod child;
mod measure;
mod report;
mod run;
mod systems;
mod workload;

use clap::{Parser, Subcommand};

use crate::{systems::Name, workload::Workload};

/// What it costs to speak to another node.
#[derive(Parser)]
struct Arguments {
    /// Only these workloads.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Only these systems.
    #[arg(long, value_enum, value_delimiter = ',')]
    systems: Vec<Name>,
    /// How often each is measured.
    #[arg(long, default_value_t = 5)]
    reps: usize,
    /// A tenth of the operations.
    #[arg(long)]
    quick: bool,
    /// A system that is another program: COMMAND is run with `server`, and says where it listens; and with
    /// `client`, a workload, that address and a size, and says what this program says.
    #[arg(long, value_name = "NAME=COMMAND", value_parser = run::System::external)]
    external: Vec<run::System>,
    /// One object per line instead of tables.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What the program does when it runs itself.
#[derive(Subcommand)]
enum Role {
    /// Says where it listens, and serves until its input ends.
    #[command(hide = true)]
    Server { system: Name },
    /// Does one workload and says how long it took.
    #[command(hide = true)]
    Client { system: Name, workload: Workload, address: String, n: u64 },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Server { system }) => child::serve(system),
        Some(Role::Client { system, workload, address, n }) => {
            child::work(system, workload, &address, n)
        }
        None => run::run(&arguments),
    }
}
