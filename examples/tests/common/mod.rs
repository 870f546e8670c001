//! Runs the program as a user would, in a temporary directory of its own.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hillslope");
const LONGEST: Duration = Duration::from_secs(120);

/// A place for one test's files; the program's temporary files go there too.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

/// What a run left.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
    pub(crate) report: Value,
    pub(crate) grid: Vec<u8>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(directory.path().join("tmp")).expect("a directory");
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .env("TMPDIR", self.path("tmp"))
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the program starts")
    }

    /// Runs to the end, with a report and an output, and checks that nothing stays behind.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let (json, grid) = (self.path("report.json"), self.path("out.asc"));
        let files =
            ["--json", json.to_str().expect("text"), "--output", grid.to_str().expect("text")];
        let child = self.spawn(&[arguments, &files[..]].concat());
        let output = finish(child);
        self.assert_nothing_stays();
        let report = fs::read(&json)
            .map_or(Value::Null, |text| serde_json::from_slice(&text).expect("the report is JSON"));
        Outcome {
            code: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            report,
            grid: fs::read(&grid).unwrap_or_default(),
        }
    }

    /// The result without a failure.
    pub(crate) fn undisturbed(&self, arguments: &[&str]) -> Vec<u8> {
        let outcome = self.run(&[arguments, &["--no-kill", "--no-verify"][..]].concat());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.grid
    }

    /// No process of this place, and nothing in its temporary directory.
    pub(crate) fn assert_nothing_stays(&self) {
        wait_until("processes and temporary files are gone", || {
            self.processes().is_empty() && self.temporary_files().is_empty()
        });
    }

    pub(crate) fn temporary_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("tmp")).expect("it is there");
        entries.map(|entry| entry.expect("readable").path()).collect()
    }

    /// Live processes that were started here: they have its TMPDIR. A zombie has no environment.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let marker = format!("TMPDIR={}", self.path("tmp").display());
        let entries = fs::read_dir("/proc").expect("there is a /proc").flatten();
        let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| {
            let mut environment = Vec::new();
            let file = fs::File::open(format!("/proc/{pid}/environ"));
            file.is_ok_and(|mut file| file.read_to_end(&mut environment).is_ok())
                && environment.split(|byte| *byte == 0).any(|v| v == marker.as_bytes())
        })
        .collect()
    }
}

/// Waits for the end of a process; one that hangs is a failure.
pub(crate) fn finish(mut child: Child) -> Output {
    let pid = child.id();
    let watchdog = thread::spawn({
        let started = Instant::now();
        move || {
            while started.elapsed() < LONGEST {
                if !Path::new(&format!("/proc/{pid}")).exists() {
                    return;
                }
                thread::park_timeout(Duration::from_millis(50));
            }
            signal(pid, "KILL");
        }
    });
    let mut stderr = child.stderr.take().expect("piped");
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        text
    });
    let mut stdout = Vec::new();
    let _ = child.stdout.take().expect("piped").read_to_end(&mut stdout);
    let status = child.wait().expect("our child");
    let stderr = reader.join().expect("it only reads");
    watchdog.join().expect("it only looks");
    Output { status, stdout, stderr }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).output();
    sent.expect("there is a kill");
}

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LONGEST, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}
