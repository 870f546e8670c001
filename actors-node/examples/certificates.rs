//! Makes an authority and certificates for nodes, to try out encrypted connections:
//! `cargo run -p actors-node --features test-authority --example certificates -- DIR NAME...`
//!
//! The key of the authority is forgotten: for another node all are made anew.

use std::{error::Error, fs, path::PathBuf};

use actors_node::TestAuthority;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("a directory, and the names of nodes")?);
    fs::create_dir_all(&directory)?;
    let authority = TestAuthority::new()?;
    for name in arguments {
        let files = authority.issue(&directory, &name)?;
        println!("{}  {}", files.certificate.display(), files.key.display());
    }
    Ok(())
}
