//! Blocking sockets, a thread for each connection: what the wire and the system cost.
//!
//! A frame is a length, a kind and its bytes. What is sent is buffered, and flushed before anything is
//! waited for.

use std::{
    io::{self, BufReader, BufWriter, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Instant,
};

use super::Server;
use crate::{
    measure::{Arrived, Sample},
    workload::{LONG, Workload},
};

const MESSAGE: u8 = 0;
const QUESTION: u8 = 1;
const SEEN: u8 = 2;
const BUFFER: usize = 64 << 10;

pub(super) fn serve() -> anyhow::Result<Server> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(serve_one(stream)));
        }
    });
    Ok((Box::new(()), address))
}

fn serve_one(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut write = stream.try_clone()?;
    let mut read = BufReader::with_capacity(BUFFER, stream);
    let (mut seen, mut body) = (Arrived::default(), Vec::new());
    loop {
        match receive(&mut read, &mut body)? {
            MESSAGE => seen.count(number(&body)),
            QUESTION => write.write_all(&(number(&body) + 1).to_le_bytes())?,
            _ => write.write_all(&std::mem::take(&mut seen).messages.to_le_bytes())?,
        }
    }
}

fn number(body: &[u8]) -> u64 {
    u64::from_le_bytes(body[..8].try_into().expect("eight bytes"))
}

fn receive(read: &mut impl Read, body: &mut Vec<u8>) -> io::Result<u8> {
    let mut head = [0; 5];
    read.read_exact(&mut head)?;
    body.resize(u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize, 0);
    read.read_exact(body)?;
    Ok(head[4])
}

fn send(write: &mut impl Write, kind: u8, body: &[u8]) -> io::Result<()> {
    write.write_all(&(body.len() as u32).to_le_bytes())?;
    write.write_all(&[kind])?;
    write.write_all(body)
}

fn answer(read: &mut impl Read) -> io::Result<u64> {
    let mut answer = [0; 8];
    read.read_exact(&mut answer)?;
    Ok(u64::from_le_bytes(answer))
}

pub(super) fn work(workload: Workload, address: &str, n: u64) -> anyhow::Result<Sample> {
    let mut read = TcpStream::connect(address)?;
    read.set_nodelay(true)?;
    let mut write = BufWriter::with_capacity(BUFFER, read.try_clone()?);
    if workload == Workload::Call {
        let mut laps = Vec::with_capacity(n as usize);
        for i in 0..n {
            let began = Instant::now();
            send(&mut write, QUESTION, &i.to_le_bytes())?;
            write.flush()?;
            answer(&mut read)?;
            laps.push(began.elapsed());
        }
        return Ok(Sample::laps(laps));
    }
    let mut body = vec![7; if workload == Workload::Bulk { LONG } else { 64 }];
    let began = Instant::now();
    for i in 0..n {
        body[..8].copy_from_slice(&i.to_le_bytes());
        send(&mut write, MESSAGE, &body)?;
    }
    send(&mut write, SEEN, &[])?;
    write.flush()?;
    let messages = answer(&mut read)?;
    let seen = Arrived::so_many(messages);
    Ok(Sample::time(n, began.elapsed()).arrived(seen))
}
