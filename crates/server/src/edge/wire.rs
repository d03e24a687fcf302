//! The bytes of a connection, below HTTP and above TLS: what comes is read by [`Framing`] first, a head comes whole in time, and
//! what is answered is taken in time. Holds the connection's place as long as it is open, also after an upgrade.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connections::Seat;
use super::framing::Framing;
use super::{HEAD_TIME, STALL_TIME};

/// What the serving parser is given instead of what is refused: it answers 400 to it, wherever it stands.
const POISON: &[u8] = b"\0\r\n\r\n";

/// A connection.
pub(crate) struct Wire<S> {
    stream: S,
    framing: Framing,
    /// What is left to be given of [`POISON`], once something was refused.
    poison: Option<&'static [u8]>,
    head: Limit,
    stall: Limit,
    _seat: Seat,
}

/// A time limit that runs while something is waited for.
struct Limit {
    time: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    fn of(time: Duration) -> Limit {
        Limit { time, running: None }
    }

    /// Whether it has passed, since it was first asked.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let time = self.time;
        let running = self.running.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + time)));
        running.as_mut().poll(context).is_ready()
    }

    fn stop(&mut self) {
        self.running = None;
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S> Wire<S> {
    /// A connection that has its place; `is_upgraded` is set by whoever answers 101.
    pub(crate) fn new(stream: S, seat: Seat, is_upgraded: Arc<AtomicBool>) -> Wire<S> {
        Wire {
            stream,
            framing: Framing::new(is_upgraded),
            poison: None,
            head: Limit::of(HEAD_TIME),
            stall: Limit::of(STALL_TIME),
            _seat: seat,
        }
    }

    /// What came of an attempt to send; an error if nothing is taken for too long.
    fn sent<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Pending if self.stall.is_over(context) => {
                Poll::Ready(Err(timed_out("the answer is not taken")))
            }
            Poll::Pending => Poll::Pending,
            ready => {
                self.stall.stop();
                ready
            }
        }
    }
}

/// Gives as much of the poison as there is room for.
fn give(poison: &mut &'static [u8], buffer: &mut ReadBuf<'_>) {
    let (now, later) = poison.split_at(poison.len().min(buffer.remaining()));
    buffer.put_slice(now);
    *poison = later;
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if let Some(poison) = &mut wire.poison {
            // After it: the end.
            give(poison, buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut wire.stream).poll_read(context, buffer) {
            Poll::Pending if wire.framing.is_in_head() => {
                if wire.head.is_over(context) {
                    return Poll::Ready(Err(timed_out("the head does not come")));
                }
                return Poll::Pending;
            }
            Poll::Pending => return Poll::Pending,
            Poll::Ready(outcome) => outcome?,
        }
        if let Err(refused) = wire.framing.take(&buffer.filled()[before..]) {
            tracing::debug!(why = refused.why, "a request was not taken");
            metrics::counter!("yojigen_refused_requests_total").increment(1);
            buffer.set_filled(before + refused.good);
            let mut poison = POISON;
            if refused.good == 0 {
                give(&mut poison, buffer);
            }
            wire.poison = Some(poison);
        }
        // A head that is whole begins no new time for the next that is not; what begins here does.
        if !wire.framing.is_in_head() {
            wire.head.stop();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.sent(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.sent(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.sent(context, outcome)
    }
}
