//! Hand-shakes of any bytes: nobody gets in who does not know the secret. The first byte chooses the side
//! that they come from.

#![no_main]

use actors_node::fuzzing::{from_acceptor, from_dialler};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((0, said)) => from_dialler(said),
        Some((_, said)) => from_acceptor(said),
        None => {}
    }
});
