//! A node for tests: `test-node NAME ADDRESS` joins the cluster at the address, says `ready`, and ends
//! when the node at the address is gone or this one was declared dead.

use std::time::Duration;

use actors_core::System;
use actors_node::{Node, NodeEvent};
use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().context("a name")?;
    let address = arguments.next().context("an address")?;
    let system = System::builder().name(name).build();
    actors_tests::export(&system);
    let (events, head) = system.block_on(async {
        let node = Node::builder(&system).start().await?;
        let events = node.events();
        anyhow::Ok((events, node.join(&address, Duration::from_secs(30)).await?))
    })?;
    println!("ready");
    for event in events {
        match event {
            NodeEvent::Fenced { .. } => {
                println!("fenced");
                break;
            }
            NodeEvent::Down { member, .. } if member.id == head.id => {
                println!("head is gone");
                break;
            }
            _ => {}
        }
    }
    Ok(())
}
