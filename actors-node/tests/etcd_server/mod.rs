//! A server of etcd on ports of the loopback interface.

use std::{
    env,
    fs::OpenOptions,
    io::{self, ErrorKind, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The file that a test which cannot run here adds a line to, by this variable.
const SKIPPED: &str = "ACTORS_SKIPPED";

/// A server. Dropped, it is gone with its data.
pub(crate) struct Server {
    process: Child,
    client: String,
    peer: String,
    data: TempDir,
}

impl Server {
    /// `None` without etcd on the path, which is said and counted.
    ///
    /// # Panics
    /// It is to be there, where `CI` is set; it does not start.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let (client, peer) = (free_address(), free_address());
        let data = tempfile::tempdir().unwrap();
        match launch(&client, &peer, &data) {
            Ok(process) => {
                let server = Self { process, client, peer, data };
                server.wait();
                Some(server)
            }
            Err(error) if error.kind() == ErrorKind::NotFound && env::var_os("CI").is_none() => {
                skip(test);
                None
            }
            Err(error) => panic!("etcd: {error}"),
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.client
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// On the same ports, with the same data.
    pub(crate) fn restart(&mut self) {
        self.process = launch(&self.client, &self.peer, &self.data).unwrap();
        self.wait();
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&self.client).is_err() {
            assert!(Instant::now() < deadline, "etcd does not listen at {}", self.client);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn launch(client: &str, peer: &str, data: &TempDir) -> io::Result<Child> {
    let (client, peer) = (format!("http://{client}"), format!("http://{peer}"));
    Command::new("etcd")
        .arg("--data-dir")
        .arg(data.path())
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("default={peer}")])
        .args(["--heartbeat-interval", "50", "--election-timeout", "500"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Past the capture of output: it is to be seen also when all tests pass.
fn skip(test: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED {test}: there is no etcd on the path");
    if let Some(path) = env::var_os(SKIPPED) {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| writeln!(file, "{test}")).expect("skipped tests are counted");
    }
}
