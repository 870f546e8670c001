//! Node processes for tests: real ones, that die by real signals.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
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
    /// What it is told; of those that take commands.
    stdin: Option<ChildStdin>,
    log: Arc<Mutex<Vec<String>>>,
    lines: Receiver<Line>,
}

/// A line of a process's output.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was read.
    pub at: Instant,
    /// Without its end.
    pub text: String,
}

impl NodeProcess {
    /// Starts a program as node `name` of the cluster whose member is at `address`, and waits for
    /// its line `ready`.
    ///
    /// # Errors
    /// It does not start, or ends before it is ready: with its log.
    pub fn start(program: &Path, name: &str, address: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args([name, address]).stdin(Stdio::null());
        let node = Self::launch(command, name)?;
        node.wait_for_line("ready")?;
        Ok(node)
    }

    /// Runs a command as node `name`. With its standard input piped, it can be told things.
    ///
    /// # Errors
    /// It does not start.
    pub fn launch(mut command: Command, name: &str) -> anyhow::Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (tx, lines) = unbounded();
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("piped")),
            Box::new(child.stderr.take().expect("piped")),
        ];
        for stream in streams {
            let (log, tx) = (log.clone(), tx.clone());
            thread::spawn(move || {
                for text in BufReader::new(stream).lines().map_while(Result::ok) {
                    log.lock().expect("no panic holds it").push(text.clone());
                    let _ = tx.send(Line { at: Instant::now(), text });
                }
            });
        }
        drop(tx);
        let stdin = child.stdin.take();
        Ok(Self { child, name: name.to_owned(), stdin, log, lines })
    }

    /// Writes a line to its standard input. One that has ended does not hear it.
    pub fn tell(&self, line: &str) {
        let mut stdin = self.stdin.as_ref().expect("it takes commands");
        let _ = writeln!(stdin, "{line}");
    }

    /// The next line of its output; `None` when there is none in time, or it has ended.
    pub fn next_line(&self, timeout: Duration) -> Option<Line> {
        self.lines.recv_timeout(timeout).ok()
    }

    /// Waits for a line of its output.
    ///
    /// # Errors
    /// It ended without it.
    pub fn wait_for_line(&self, wanted: &str) -> anyhow::Result<()> {
        let found = self.lines.iter().any(|line| line.text == wanted);
        let log = || format!("node {} ended without {wanted:?}: {:#?}", self.name, self.log());
        found.then_some(()).with_context(log)
    }

    /// Waits until it has closed its output.
    pub fn wait_for_end(&self) {
        self.lines.iter().for_each(drop);
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
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
