//! A line between two nodes that can be broken: what connects to it is passed on.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Passes on what connects to it. Dropped, it ends.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
}

struct Shared {
    target: String,
    open: Mutex<Vec<TcpStream>>,
    shut: AtomicBool,
    over: AtomicBool,
}

impl Proxy {
    /// At a free port of 127.0.0.1, for a node that listens at the same one of 127.0.0.2.
    ///
    /// # Errors
    /// No port.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            target: format!("127.0.0.2:{port}"),
            open: Mutex::default(),
            shut: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let own = shared.clone();
        let accepting = Some(thread::spawn(move || own.accept(&listener)));
        Ok(Self { address: format!("127.0.0.1:{port}"), shared, accepting })
    }

    /// Where others connect to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where the node has to listen.
    pub fn target(&self) -> &str {
        &self.shared.target
    }

    /// Breaks all connections; new ones are passed on. Gives their number.
    pub fn cut(&self) -> usize {
        let open = std::mem::take(&mut *self.shared.open.lock().expect("no panic holds it"));
        for stream in &open {
            let _ = stream.shutdown(Shutdown::Both);
        }
        open.len() / 2
    }

    /// Breaks all connections, and every new one at once.
    pub fn shut(&self) {
        self.shared.shut.store(true, Ordering::Release);
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        let _ = TcpStream::connect(&self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        self.cut();
    }
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        for from in listener.incoming().map_while(Result::ok) {
            if self.over.load(Ordering::Acquire) {
                return;
            }
            if !self.shut.load(Ordering::Acquire) {
                // Whoever connected sees the end if the node is not there.
                let _ = self.pass_on(from);
            }
        }
    }

    fn pass_on(&self, from: TcpStream) -> std::io::Result<()> {
        let to = TcpStream::connect(&self.target)?;
        self.open.lock().expect("no panic holds it").extend([from.try_clone()?, to.try_clone()?]);
        for (read, write) in [(from.try_clone()?, to.try_clone()?), (to, from)] {
            thread::spawn(move || copy(read, write));
        }
        Ok(())
    }
}

fn copy(mut read: TcpStream, mut write: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(n @ 1..) = read.read(&mut buffer) {
        if write.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = read.shutdown(Shutdown::Both);
    let _ = write.shutdown(Shutdown::Both);
}
