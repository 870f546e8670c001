//! Options of the derive that are wrong.

use actors_checkpoint::Checkpoint;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Checkpoint)]
struct Old;

#[derive(Serialize, Deserialize, Checkpoint)]
#[checkpoint(from = Old)]
struct WithoutSchema;

#[derive(Serialize, Deserialize, Checkpoint)]
#[checkpoint(schema = -1)]
struct Negative;

#[derive(Serialize, Deserialize, Checkpoint)]
#[checkpoint(schema = 5_000_000_000)]
struct TooLarge;

#[derive(Serialize, Deserialize, Checkpoint)]
#[checkpoint(schema = 1, schema = 2)]
struct Twice;

#[derive(Serialize, Deserialize, Checkpoint)]
#[checkpoint(version = 1)]
struct Unknown;

fn main() {}
