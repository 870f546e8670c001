//! The connection that an outbox is written to. A task of its own writes what waits; whoever puts
//! something in that others wait for writes it at once, if the line is free.

#[cfg(test)]
mod tests;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use actors_core::host::WriteHalf;
use futures_lite::AsyncWrite;

use super::{Next, Outbox};
use crate::unacknowledged::Rest;

pub(super) struct Line {
    /// Of its connection.
    number: u64,
    write: WriteHalf,
    /// What comes next of the stream.
    at: u64,
    /// What is being written, and how much of it was.
    under_way: Option<(Rest, usize)>,
    /// Of the task that writes when nobody else does.
    task: Waker,
    failed: Option<io::Error>,
}

/// The right to write an outbox to one connection. Dropped, that is no more.
pub(crate) struct Writing {
    outbox: Outbox,
    number: u64,
}

impl Outbox {
    /// Writes the stream from this byte on to the connection with this number, and to no other one.
    pub(crate) fn write_to(&self, number: u64, write: WriteHalf, at: u64) -> Writing {
        let task = Waker::noop().clone();
        let line = Line { number, write, at, under_way: None, task, failed: None };
        *self.0.line.lock() = Some(line);
        Writing { outbox: self.clone(), number }
    }

    /// Writes the next batch, if there is a connection that nobody writes to. False if the task has to go on.
    pub(super) fn write_now(&self) -> bool {
        let Some(mut line) = self.0.line.try_lock() else { return false };
        let Some(line) = line.as_mut() else { return false };
        let task = line.task.clone();
        match self.poll_batch(line, &mut Context::from_waker(&task)) {
            // The task is woken when there is room.
            Poll::Pending | Poll::Ready(Ok(Written::Nothing)) => true,
            Poll::Ready(Ok(Written::Batch)) => self.0.queue.lock().is_dry(line.at),
            Poll::Ready(Ok(Written::End)) => false,
            Poll::Ready(Err(error)) => {
                line.failed = Some(error);
                false
            }
        }
    }

    /// Pending while there is no room.
    fn poll_batch(&self, line: &mut Line, cx: &mut Context<'_>) -> Poll<io::Result<Written>> {
        if let Some(error) = line.failed.take() {
            return Poll::Ready(Err(error));
        }
        let mut write = Pin::new(&mut line.write);
        let (rest, written) = match &mut line.under_way {
            Some(under_way) => under_way,
            none => match self.changing(|queue| queue.next(line.at)) {
                Next::Bytes(rest) => none.insert((rest, 0)),
                Next::Wait => return Poll::Ready(Ok(Written::Nothing)),
                Next::End => return Poll::Ready(Ok(Written::End)),
            },
        };
        while *written < rest.len() {
            let (slices, count) = rest.slices(*written);
            match ready!(write.as_mut().poll_write_vectored(cx, &slices[..count]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *written += n,
            }
        }
        ready!(write.poll_flush(cx))?;
        line.at = rest.end;
        line.under_way = None;
        Poll::Ready(Ok(Written::Batch))
    }
}

enum Written {
    Batch,
    /// There was nothing to write.
    Nothing,
    /// Nothing will come any more.
    End,
}

impl Writing {
    /// Done when the outbox is closed and all of it is written, or the connection fails. Cancel safe: what was
    /// begun is gone on with by the next call.
    pub(crate) async fn run(&self) -> io::Result<()> {
        let mut changed = self.outbox.0.changed.listen();
        poll_fn(|cx| {
            loop {
                match self.poll(cx) {
                    Poll::Ready(Ok(Written::Batch)) => continue,
                    Poll::Ready(Ok(Written::End)) => return Poll::Ready(Ok(())),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    // Another one may write meanwhile: whatever wakes this task, it looks again.
                    Poll::Ready(Ok(Written::Nothing)) | Poll::Pending => {}
                }
                ready!(Pin::new(&mut changed).poll(cx));
                changed = self.outbox.0.changed.listen();
            }
        })
        .await
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<Written>> {
        let mut line = self.outbox.0.line.lock();
        // Of a connection that was overtaken, the end is on the way.
        let Some(line) = line.as_mut().filter(|line| line.number == self.number) else {
            return Poll::Pending;
        };
        line.task.clone_from(cx.waker());
        match ready!(self.outbox.poll_batch(line, cx))? {
            // Nobody else ends the stream.
            Written::End => Pin::new(&mut line.write).poll_close(cx).map_ok(|()| Written::End),
            written => Poll::Ready(Ok(written)),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut line = self.outbox.0.line.lock();
        if line.as_ref().is_some_and(|line| line.number == self.number) {
            *line = None;
        }
    }
}
