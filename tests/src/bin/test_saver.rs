//! A process for tests that saves until it is killed: `test-saver NAME DIRECTORY`, see
//! [`actors_tests::saves`].

use std::{env, path::PathBuf};

use actors_tests::saves::save_for_ever;
use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let directory = env::args_os().nth(2).context("test-saver NAME DIRECTORY")?;
    save_for_ever(&PathBuf::from(directory))
}
