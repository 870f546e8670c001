//! However the program ends, no process and no temporary file stays; what is in its directory is
//! enough to go on.

mod common;

use std::{fs, net::TcpListener, process::Command};

use common::{Place, finish, signal, wait_until};
use serde_json::Value;

const LONG: [&str; 4] = ["--steps", "200000", "--no-kill", "--no-verify"];

/// The head alone is killed: the nodes notice, end, and take its temporary directory away.
#[test]
fn node_processes_end_with_a_killed_head() {
    let place = Place::new();
    let child = place.spawn(&LONG);
    wait_until("all processes run", || place.processes().len() == 6);
    wait_until("there is a checkpoint", || {
        place.temporary_files().iter().any(|dir| dir.join("checkpoints").exists())
    });
    signal(child.id(), "KILL");
    assert_eq!(finish(child).status.code(), None);
    place.assert_nothing_stays();
}

/// Ctrl-C and its kin end everything.
#[test]
fn signals_end_every_process() {
    for name in ["INT", "TERM"] {
        let place = Place::new();
        let child = place.spawn(&LONG);
        wait_until("all processes run", || place.processes().len() == 6);
        signal(child.id(), name);
        assert!(finish(child).status.code() > Some(128));
        place.assert_nothing_stays();
    }
}

/// Everything is killed, the head too; `--resume` goes on from the directory to the same result.
#[test]
fn frame_1_resume_goes_on_after_everything_was_killed() {
    let place = Place::new();
    let job = ["--steps", "4000", "--save-every", "200"];
    let expected = place.undisturbed(&job);
    let arguments = [&job[..], &["--dir", "job", "--no-kill", "--no-verify"]].concat();
    let child = place.spawn(&arguments);
    let manifest_names = || {
        let entries = fs::read_dir(place.path("job/checkpoints"));
        entries.map_or(0, |entries| entries.flatten().count())
    };
    wait_until("there are checkpoints", || manifest_names() > 3);
    place.processes().into_iter().for_each(|pid| signal(pid, "KILL"));
    finish(child);
    place.assert_nothing_stays();
    let again = place.run(&["--dir", "job"]);
    assert_eq!(again.code, Some(2), "the directory holds a job");
    assert!(again.stderr.contains("--resume"), "{}", again.stderr);
    let resumed = place.run(&["--resume", "job", "--nodes", "3"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(resumed.report["identical"], Value::Bool(true));
    assert!(resumed.stderr.contains("going on from step"), "{}", resumed.stderr);
    assert!(resumed.grid == expected, "the resumed result differs");
    let leftovers: Vec<_> = fs::read_dir(place.path("job/checkpoints"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.contains("tmp"))
        .collect();
    assert_eq!(leftovers, Vec::<String>::new());
}

/// Nodes that another process started: their loss is found over the network alone.
#[test]
fn node_2_a_lost_node_of_another_parent_is_found_over_the_network() {
    let place = Place::new();
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let json = place.path("report.json");
    let head = place.spawn(&[
        "--steps",
        "4000",
        "--save-every",
        "200",
        "--dir",
        "job",
        "--listen",
        &address,
        "--json",
        json.to_str().unwrap(),
    ]);
    let node = |name: u32| {
        let name = name.to_string();
        let mut command: Command = place.command(&["node", "--head", &address, "--name", &name]);
        command.spawn().unwrap()
    };
    let mut nodes: Vec<_> = (1..=5).map(node).collect();
    let manifest =
        || fs::read_dir(place.path("job/checkpoints")).map_or(0, |d| d.flatten().count());
    wait_until("there are checkpoints", || manifest() > 3);
    nodes[1].kill().unwrap();
    let output = finish(head);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for node in &mut nodes {
        node.wait().unwrap();
    }
    let report: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(report["identical"], Value::Bool(true));
    assert_eq!(report["failures"][0]["node"], 2);
    assert_eq!(report["failures"][0]["restarted_on"], 5);
    place.assert_nothing_stays();
}
