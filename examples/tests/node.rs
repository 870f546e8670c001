//! Nodes as processes, each from its file.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

const NODE: &str = env!("CARGO_BIN_EXE_node");

/// A process that is killed with the test.
struct Node {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Node {
    fn start(config: &Path) -> Self {
        Self::run(Command::new(NODE).arg(config))
    }

    fn run(command: &mut Command) -> Self {
        let mut process =
            command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next thing it says, and of which node.
    fn says(&mut self) -> (String, String, String) {
        let line = self.lines.next().expect("it says something").unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        (text("event"), text("node"), text("at"))
    }

    fn terminate(&mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn config(directory: &Path, name: &str, join: &str) -> std::path::PathBuf {
    let secret = directory.join("secret");
    fs::write(&secret, "a secret for this test alone").unwrap();
    let text = format!("name = {name:?}\nsecret = {secret:?}\n[join]\n{join}\nseconds = 60\n");
    let file = directory.join(format!("{name}.toml"));
    fs::write(&file, text).unwrap();
    file
}

/// They find each other, and hear of an end in order and of one that was none.
#[test]
fn nodes_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = Node::start(&config(directory.path(), "first", "seeds = []"));
    let (started, _, address) = first.says();
    assert_eq!(started, "started");
    let seeds = format!("seeds = [{address:?}]");
    let mut join = |name: &str| {
        let mut node = Node::start(&config(directory.path(), name, &seeds));
        assert_eq!(node.says().0, "started");
        let (event, seen, _) = node.says();
        assert_eq!((event.as_str(), seen.as_str()), ("up", "first"));
        let (event, seen, _) = first.says();
        assert_eq!((event.as_str(), seen.as_str()), ("up", name));
        node
    };
    let mut second = join("second");
    second.terminate();
    assert_eq!(second.says().0, "left");
    assert!(second.process.wait().unwrap().success());
    assert_eq!(first.says().0, "down");

    let mut third = Node::start(&config(directory.path(), "third", &seeds));
    assert_eq!(first.says().1, "third");
    third.process.kill().unwrap();
    let (event, seen, _) = first.says();
    assert_eq!((event.as_str(), seen.as_str()), ("down", "third"));
}

/// It need not find anybody first.
#[test]
fn a_node_that_still_looks_for_others_leaves_when_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let seeds = format!("seeds = [\"{}\"]", nobody.local_addr().unwrap());
    let mut node = Node::start(&config(directory.path(), "alone", &seeds));
    assert_eq!(node.says().0, "started");
    // It has asked, and gets no answer.
    let _asks = nobody.accept().unwrap();
    node.terminate();
    assert_eq!(node.says().0, "left");
    assert!(node.process.wait().unwrap().success());
}

/// The hosts of a job are those in its environment.
#[test]
fn a_node_of_a_job_finds_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = Node::start(&config(directory.path(), "first", "seeds = []"));
    let (_, _, address) = first.says();
    let port = address.rsplit_once(':').unwrap().1;
    let file = config(directory.path(), "second", "seeds = []");
    let mut command = Command::new(NODE);
    command.arg(file).arg(format!("--slurm={port}")).env("SLURM_JOB_NODELIST", "local[]");
    let bad = command.output().unwrap();
    assert!(String::from_utf8_lossy(&bad.stderr).contains("at byte 6: a number is expected"));
    let _second = Node::run(command.env("SLURM_JOB_NODELIST", "localhost"));
    let (event, seen, _) = first.says();
    assert_eq!((event.as_str(), seen.as_str()), ("up", "second"));
}

fn check(text: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    fs::write(&file, text).unwrap();
    Command::new(NODE).arg(&file).arg("--check").output().unwrap()
}

#[test]
fn a_file_that_cannot_be_understood_is_told_with_its_line() {
    for (text, expected) in [
        ("name = \"a\"\nlisten = 7000\n", "line 2"),
        ("name = \"a\"\nlistens = \"x\"\n", "listens"),
        ("name = ", "line 1"),
        ("[join]\nslurm = 70000\n", "line 2"),
        ("[join]\nseeds = []\ndns = \"a:1\"\n", "one of"),
        ("[join]\ndns = \"a\"\n", "a name and a port"),
        ("secret = \"/no/such/file\"\n", "/no/such/file"),
    ] {
        let output = check(text);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{text}");
        assert!(errors.contains(expected), "{text}: {errors}");
    }
}

/// As far as can be seen without such a cluster.
#[test]
fn what_is_to_be_deployed_is_good() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/slurm.sh");
    assert!(Command::new("bash").args(["-n", script]).status().unwrap().success());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/node.toml");
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("cluster.secret"), "a secret for this test alone").unwrap();
    let mut check = Command::new(NODE);
    check.arg(file).arg("--check").current_dir(secret.path());
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
