//! Any bytes from a node that has joined: they do not decode, or are what they say.

#![no_main]

use actors_node::fuzzing::pieces;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pieces(bytes));
