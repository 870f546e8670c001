//! Tokio's sockets by hand: a task that writes what a channel gives it and flushes when that is empty,
//! and one that reads.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::Instant,
};

use ::tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

use super::Server;
use crate::{
    measure::{Arrived, Sample},
    workload::{CALLERS, LONG, Workload},
};

const MESSAGE: u8 = 0;
const QUESTION: u8 = 1;
const SEEN: u8 = 2;
const BUFFER: usize = 64 << 10;

/// A kind, the number of the question, and the bytes.
type Frame = (u8, u64, Vec<u8>);

pub(super) fn serve() -> anyhow::Result<Server> {
    let runtime = Runtime::new()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?.to_string();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            ::tokio::spawn(async move { drop(serve_one(stream).await) });
        }
    });
    Ok((Box::new(runtime), address))
}

async fn serve_one(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let (answers, waiting) = mpsc::unbounded_channel();
    ::tokio::spawn(write_all(write, waiting));
    let mut read = BufReader::with_capacity(BUFFER, read);
    let mut seen = Arrived::default();
    loop {
        let (kind, number, body) = receive(&mut read).await?;
        let answer = match kind {
            MESSAGE => {
                seen.count(number);
                continue;
            }
            QUESTION => first(&body) + 1,
            _ => std::mem::take(&mut seen).messages,
        };
        drop(answers.send((kind, number, answer.to_le_bytes().to_vec())));
    }
}

fn first(body: &[u8]) -> u64 {
    u64::from_le_bytes(body[..8].try_into().expect("eight bytes"))
}

async fn receive(read: &mut BufReader<OwnedReadHalf>) -> io::Result<Frame> {
    let length = read.read_u32_le().await?;
    let kind = read.read_u8().await?;
    let number = read.read_u64_le().await?;
    let mut body = vec![0; length as usize];
    read.read_exact(&mut body).await?;
    Ok((kind, number, body))
}

async fn write_all(
    write: OwnedWriteHalf,
    mut waiting: mpsc::UnboundedReceiver<Frame>,
) -> io::Result<()> {
    let mut write = BufWriter::with_capacity(BUFFER, write);
    while let Some(mut frame) = waiting.recv().await {
        loop {
            let (kind, number, body) = frame;
            write.write_u32_le(body.len() as u32).await?;
            write.write_u8(kind).await?;
            write.write_u64_le(number).await?;
            write.write_all(&body).await?;
            match waiting.try_recv() {
                Ok(next) => frame = next,
                Err(_) => break,
            }
        }
        write.flush().await?;
    }
    Ok(())
}

#[derive(Clone)]
struct Client {
    frames: mpsc::UnboundedSender<Frame>,
    asked: Arc<Mutex<HashMap<u64, oneshot::Sender<u64>>>>,
}

impl Client {
    async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let (frames, waiting) = mpsc::unbounded_channel();
        ::tokio::spawn(write_all(write, waiting));
        let client = Self { frames, asked: Arc::default() };
        let asked = client.asked.clone();
        ::tokio::spawn(async move {
            let mut read = BufReader::with_capacity(BUFFER, read);
            while let Ok((_, number, body)) = receive(&mut read).await {
                let asker = asked.lock().expect("nobody panicked").remove(&number);
                asker.map(|asker| asker.send(first(&body)));
            }
        });
        Ok(client)
    }

    async fn ask(&self, kind: u8, number: u64) -> anyhow::Result<u64> {
        let (answer, answered) = oneshot::channel();
        self.asked.lock().expect("nobody panicked").insert(number, answer);
        self.frames.send((kind, number, number.to_le_bytes().to_vec()))?;
        Ok(answered.await?)
    }
}

pub(super) fn work(workload: Workload, address: &str, n: u64) -> anyhow::Result<Sample> {
    let address = address.to_owned();
    Runtime::new()?.block_on(async move {
        let client = Client::connect(&address).await?;
        ::tokio::spawn(async move { measure(client, workload, n).await }).await?
    })
}

async fn measure(client: Client, workload: Workload, n: u64) -> anyhow::Result<Sample> {
    let began = Instant::now();
    match workload {
        Workload::Call => {
            let mut laps = Vec::with_capacity(n as usize);
            for i in 0..n {
                let began = Instant::now();
                client.ask(QUESTION, i).await?;
                laps.push(began.elapsed());
            }
            Ok(Sample::laps(laps))
        }
        Workload::Callers => {
            let mut askers = Vec::new();
            for asker in 0..CALLERS {
                let client = client.clone();
                askers.push(::tokio::spawn(async move {
                    for i in 0..n / CALLERS {
                        client.ask(QUESTION, asker * n + i).await?;
                    }
                    anyhow::Ok(())
                }));
            }
            for asker in askers {
                asker.await??;
            }
            Ok(Sample::time(n, began.elapsed()))
        }
        _ => {
            let bytes = if workload == Workload::Bulk { LONG } else { 64 };
            for i in 0..n {
                client.frames.send((MESSAGE, i, vec![7; bytes]))?;
            }
            let messages = client.ask(SEEN, n).await?;
            let seen = Arrived::so_many(messages);
            Ok(Sample::time(n, began.elapsed()).arrived(seen))
        }
    }
}
