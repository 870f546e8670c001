//! Node processes for tests: real ones, that die by real signals.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use anyhow::Context;
use crossbeam_channel::{Receiver, unbounded};
pub use rustix::process::Signal;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};
use std::sync::Mutex;

/// A node process. Dropped, it is killed and reaped.
pub struct NodeProcess {
    child: Child,
    name: String,
    log: Arc<Mutex<Vec<String>>>,
    lines: Receiver<String>,
}

impl NodeProcess {
    /// Starts a program as node `name` of the cluster whose member is at `address`, and waits for
    /// its line `ready`.
    ///
    /// # Errors
    /// It does not start, or ends before it is ready: with its log.
    pub fn start(program: &Path, name: &str, address: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args([name, address])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{}", program.display()))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (tx, lines) = unbounded();
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("piped")),
            Box::new(child.stderr.take().expect("piped")),
        ];
        for stream in streams {
            let (log, tx) = (log.clone(), tx.clone());
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    log.lock().expect("no panic holds it").push(line.clone());
                    let _ = tx.send(line);
                }
            });
        }
        drop(tx);
        let node = Self { child, name: name.to_owned(), log, lines };
        node.wait_for_line("ready")?;
        Ok(node)
    }

    /// Waits for a line of its output.
    ///
    /// # Errors
    /// It ended without it.
    pub fn wait_for_line(&self, wanted: &str) -> anyhow::Result<()> {
        let found = self.lines.iter().any(|line| line == wanted);
        let log = || format!("node {} ended without {wanted:?}: {:#?}", self.name, self.log());
        found.then_some(()).with_context(log)
    }

    /// Waits until it has closed its output.
    pub fn wait_for_end(&self) {
        self.lines.iter().for_each(drop);
    }

    /// What it has printed.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic holds it").clone()
    }

    /// SIGKILL. The process is not reaped: nothing but the network tells of its end.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// SIGSTOP: it stands still, its connections stay.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Waits until it stands still, or has ended.
    pub fn wait_until_stopped(&self) {
        let pid = Pid::from_child(&self.child);
        let either = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), either).expect("it is our child");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for its end and gives its exit code; `None` if a signal ended it.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("it is our child").code()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is not reaped");
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
