//! What must not stay behind: temporary directories and node processes.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// How long node processes may take to end by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// Removes a directory that others may be removing, or still writing to.
pub(crate) fn remove_directory(path: &Path) {
    for _ in 0..100 {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => thread::yield_now(),
            _ => return,
        }
    }
}

/// The node processes of a head, and its temporary directory. Dropped, all of it is gone.
#[derive(Clone, Default)]
pub(crate) struct Processes(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    children: BTreeMap<u32, Child>,
    scratch: Option<PathBuf>,
    /// The program is ending by a signal: that thread has the last word.
    signalled: bool,
}

impl Processes {
    /// Ends everything when the program is asked to end.
    pub(crate) fn end_on_signals(&self) -> anyhow::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signal handlers")?;
        let processes = self.clone();
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                processes.0.lock().signalled = true;
                processes.end(Duration::ZERO);
                std::process::exit(128 + signal);
            }
        });
        Ok(())
    }

    /// A directory to be removed at the end, whatever the end.
    pub(crate) fn scratch(&self) -> anyhow::Result<PathBuf> {
        let directory = tempfile::Builder::new().prefix("hillslope-").tempdir();
        let path = directory.context("a temporary directory")?.keep();
        self.0.lock().scratch = Some(path.clone());
        Ok(path)
    }

    /// Starts this program again as a node, in a process group of its own: a Ctrl-C reaches the head
    /// only, which ends the nodes.
    pub(crate) fn start_node(&self, name: u32, head: &str, cluster: &str) -> anyhow::Result<()> {
        let mut running = self.0.lock();
        anyhow::ensure!(!running.signalled, "the program is ending");
        let mut command = Command::new(std::env::current_exe().context("this program's path")?);
        command
            .args(["node", "--head", head, "--cluster", cluster, "--name", &name.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(scratch) = &running.scratch {
            command.arg("--scratch").arg(scratch);
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().with_context(|| format!("starting node {name}"))?;
        running.children.insert(name, child);
        Ok(())
    }

    /// Kills a node (SIGKILL). It is not waited for: its loss shows over the network. False if there
    /// is no such process any more.
    pub(crate) fn kill(&self, name: u32) -> bool {
        let mut running = self.0.lock();
        running.children.get_mut(&name).is_some_and(|child| child.kill().is_ok())
    }

    /// Lets a node stand still (SIGSTOP). False if there is no such process any more.
    pub(crate) fn stop(&self, name: u32) -> bool {
        self.signal(name, Signal::STOP)
    }

    /// Lets a node go on (SIGCONT).
    pub(crate) fn resume(&self, name: u32) {
        self.signal(name, Signal::CONT);
    }

    fn signal(&self, name: u32, signal: Signal) -> bool {
        let mut running = self.0.lock();
        let Some(child) = running.children.get_mut(&name) else { return false };
        let runs = matches!(child.try_wait(), Ok(None));
        runs && kill_process(Pid::from_child(child), signal).is_ok()
    }

    /// Waits for a node to end by itself, for so long at most, and takes its exit status.
    pub(crate) fn wait(&self, name: u32, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            let mut running = self.0.lock();
            let ended = running.children.get_mut(&name)?.try_wait().ok()?;
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            drop(running);
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// A node whose loss is known: takes its exit status.
    pub(crate) fn reap(&self, name: u32) {
        let child = self.0.lock().children.remove(&name);
        if let Some(mut child) = child {
            // It may be alive, if it was only silent.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether a node's process has ended by itself.
    pub(crate) fn first_ended(&self) -> Option<u32> {
        let mut running = self.0.lock();
        let ended = |child: &mut Child| matches!(child.try_wait(), Ok(Some(_)));
        running.children.iter_mut().find_map(|(name, child)| ended(child).then_some(*name))
    }

    /// Ends the nodes, and removes the temporary directory.
    pub(crate) fn end(&self, grace: Duration) {
        let (mut children, scratch) = {
            let mut running = self.0.lock();
            (std::mem::take(&mut running.children), running.scratch.take())
        };
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline
            && children.values_mut().any(|child| matches!(child.try_wait(), Ok(None)))
        {
            thread::sleep(Duration::from_millis(2));
        }
        for child in children.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        scratch.iter().for_each(|scratch| remove_directory(scratch));
    }

    /// As [`end`](Self::end), when the nodes know already.
    pub(crate) fn end_in_order(&self) {
        self.yield_to_signal();
        self.end(GRACE);
    }

    /// Does not return once the program is ending by a signal: what is then lost was ended.
    pub(crate) fn yield_to_signal(&self) {
        while self.0.lock().signalled {
            thread::park();
        }
    }
}
