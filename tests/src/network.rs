//! A network of its own for each test: a network namespace for each process, joined by a bridge in
//! another, and lines between them that are cut in one direction or both, or lose packets.
//!
//! It takes root and `iproute2`. A line is broken where it arrives, by a filter on what comes from the
//! other side: sockets notice nothing, as with a broken cable. Nothing of this is outside of the
//! namespaces; those of tests that were killed are removed by the next.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

const PREFIX: &str = "actors-test";
/// Where `ip` keeps the names of namespaces.
const NAMES: &str = "/run/netns";
/// The file that a test which cannot run here adds a line to, by this variable.
const SKIPPED: &str = "ACTORS_SKIPPED";

/// A network. Dropped, all of it is gone; the processes in it are to end before.
pub struct Network {
    prefix: String,
    hosts: Vec<String>,
}

impl Network {
    /// A network without a host. `None` where there cannot be namespaces, which is said and counted: then
    /// `test` is skipped.
    ///
    /// # Panics
    /// Namespaces can be made, and something else goes wrong.
    pub fn new(test: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        remove_leftovers();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let network =
            Self { prefix: format!("{PREFIX}-{}-{number}", process::id()), hosts: Vec::new() };
        if let Err(why) = run("ip", &["netns", "add", &network.namespace("hub")]) {
            skip(test, &why);
            return None;
        }
        network.ip("hub", &["link", "add", "name", "hub", "type", "bridge"]);
        network.ip("hub", &["link", "set", "dev", "hub", "up"]);
        Some(network)
    }

    /// Adds a host.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn add(&mut self, name: &str) {
        let (namespace, hub) = (self.namespace(name), self.namespace("hub"));
        self.hosts.push(name.to_owned());
        must("ip", &["netns", "add", &namespace]);
        let port = format!("port-{}", self.hosts.len());
        let pair = ["link", "add", "name", "line", "type", "veth", "peer", "name", &port];
        self.ip(name, &[&pair[..], &["netns", &hub]].concat());
        self.ip("hub", &["link", "set", "dev", &port, "master", "hub", "up"]);
        self.ip(name, &["address", "add", &format!("{}/24", self.address(name)), "dev", "line"]);
        self.ip(name, &["link", "set", "dev", "lo", "up"]);
        self.ip(name, &["link", "set", "dev", "line", "up"]);
        self.inside(name, "tc", &["qdisc", "add", "dev", "line", "clsact"]);
    }

    /// The address of a host.
    pub fn address(&self, host: &str) -> String {
        format!("10.77.0.{}", self.number(host))
    }

    /// Runs a program on a host; the process is the program itself.
    pub fn command(&self, host: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host)]).arg(program);
        command
    }

    /// Nothing from the one arrives at the other.
    ///
    /// # Panics
    /// The filter is refused.
    pub fn cut_one_way(&self, from: &str, to: &str) {
        self.filter(from, to, &program(self.number(from), u32::MAX));
    }

    /// Nothing goes from any of the first to any of the second, and back.
    ///
    /// # Panics
    /// The filter is refused.
    pub fn cut(&self, some: &[&str], others: &[&str]) {
        for (a, b) in pairs(some, others) {
            self.cut_one_way(a, b);
            self.cut_one_way(b, a);
        }
    }

    /// So many of a hundred packets are lost, in each direction.
    ///
    /// # Panics
    /// The filter is refused.
    pub fn lose(&self, some: &[&str], others: &[&str], percent: u32) {
        for (a, b) in pairs(some, others) {
            let below = u32::MAX / 100 * percent;
            self.filter(a, b, &program(self.number(a), below));
            self.filter(b, a, &program(self.number(b), below));
        }
    }

    /// Everything that was cut or lost packets between them is whole again.
    ///
    /// # Panics
    /// There was nothing of it.
    pub fn heal(&self, some: &[&str], others: &[&str]) {
        for (a, b) in pairs(some, others) {
            self.heal_one_way(a, b);
            self.heal_one_way(b, a);
        }
    }

    /// As [`heal`](Self::heal), for one direction.
    ///
    /// # Panics
    /// There was nothing of it.
    pub fn heal_one_way(&self, from: &str, to: &str) {
        let number = self.number(from).to_string();
        self.inside(to, "tc", &["filter", "del", "dev", "line", "ingress", "prio", &number]);
    }

    /// Packets that were lost on their way to a host, by the filters that it has.
    ///
    /// # Panics
    /// It is not told.
    pub fn lost_before(&self, host: &str) -> u64 {
        let told = self.inside(host, "tc", &["-s", "qdisc", "show", "dev", "line"]);
        let ingress = told.split_once("clsact").expect("it was added").1;
        let count = ingress.split_once("(dropped ").expect("it is counted").1;
        let count = count.split(',').next().unwrap_or_default();
        count.parse().expect("a number")
    }

    /// Puts a filter where packets arrive, in the place of the one for the same sender.
    fn filter(&self, from: &str, to: &str, program: &str) {
        let number = self.number(from).to_string();
        let place = ["filter", "replace", "dev", "line", "ingress", "handle", "1"];
        let what = ["prio", &number, "bpf", "da", "bytecode", program];
        self.inside(to, "tc", &[&place[..], &what].concat());
    }

    fn number(&self, host: &str) -> usize {
        1 + self.hosts.iter().position(|known| known == host).expect("a host of this network")
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    fn ip(&self, host: &str, arguments: &[&str]) {
        must("ip", &[&["-n", &self.namespace(host)], arguments].concat());
    }

    fn inside(&self, host: &str, program: &str, arguments: &[&str]) -> String {
        let namespace = self.namespace(host);
        must("ip", &[&["netns", "exec", &namespace, program], arguments].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in self.hosts.iter().map(String::as_str).chain(["hub"]) {
            let _ = run("ip", &["netns", "del", &self.namespace(host)]);
        }
    }
}

/// Drops what comes from the host with this number, if a random number is not above `below`. A classic
/// packet filter, since the kernel's emulation of bad networks is not everywhere.
fn program(from: usize, below: u32) -> String {
    const LOAD: u32 = 32;
    const IF_EQUAL: u32 = 21;
    const IF_GREATER: u32 = 37;
    const RETURN: u32 = 6;
    const SOURCE_ADDRESS: u32 = 26;
    const RANDOM: u32 = 0xffff_f038;
    const DROP: u32 = 2;
    const NEXT_FILTER: u32 = u32::MAX;
    let address = u32::from_be_bytes([10, 77, 0, u8::try_from(from).expect("few hosts")]);
    let steps = [
        (LOAD, 0, 0, SOURCE_ADDRESS),
        (IF_EQUAL, 0, 3, address),
        (LOAD, 0, 0, RANDOM),
        (IF_GREATER, 1, 0, below),
        (RETURN, 0, 0, DROP),
        (RETURN, 0, 0, NEXT_FILTER),
    ];
    let steps = steps.map(|(code, yes, no, value)| format!("{code} {yes} {no} {value}"));
    format!("{},{}", steps.len(), steps.join(","))
}

fn pairs<'a>(some: &[&'a str], others: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    some.iter().flat_map(|a| others.iter().map(move |b| (*a, *b))).collect()
}

/// Namespaces of test processes that are gone; one that was not reaped yet has no program any more.
fn remove_leftovers() {
    let entries = std::fs::read_dir(NAMES).into_iter().flatten().flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        let rest = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('-'));
        let owner = rest.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}/exe")).exists()) {
            // Another test may be doing the same.
            let _ = run("ip", &["netns", "del", &name]);
        }
    }
}

/// Past the capture of output: it is to be seen also when all tests pass.
fn skip(test: &str, why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED {test}: no network namespaces here: {why}");
    if let Some(path) = env::var_os(SKIPPED) {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| writeln!(file, "{test}")).expect("skipped tests are counted");
    }
}

fn must(program: &str, arguments: &[&str]) -> String {
    run(program, arguments).unwrap_or_else(|why| panic!("{program} {arguments:?}: {why}"))
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let done = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    done.status.success().then(|| said(&done.stdout)).ok_or_else(|| said(&done.stderr))
}
