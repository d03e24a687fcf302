//! A request's body comes at a pace, and whether a connection works or waits.
//!
//! Time counts only while the hub waits for the sender: a body may pause for [`Pace::pause`], and after that much waiting in all it must
//! have come at [`Pace::slowest`] on the average. It is measured as it comes over the wire, before it is decompressed.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// How a body must come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// No pause may be longer.
    pub(crate) pause: Duration,
    /// Bytes a second.
    pub(crate) slowest: u64,
    /// Bytes at most.
    pub(crate) longest: u64,
}

impl Pace {
    /// For bodies of at most so many bytes.
    pub(crate) fn up_to(longest: u64) -> Pace {
        Pace { pause: Duration::from_secs(30), slowest: 500, longest }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that does not come as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unpaced {
    /// It pauses, or drips.
    TooSlow,
    /// It is longer than anything it could become.
    TooLong,
}

impl std::fmt::Display for Unpaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unpaced::TooSlow => "the body comes too slowly; send it without pauses",
            Unpaced::TooLong => "the body is longer than any that is taken",
        })
    }
}

impl std::error::Error for Unpaced {}

/// How a body did not come as it should, if that is what an error is about.
pub(crate) fn unpaced(error: &(dyn std::error::Error + 'static)) -> Option<Unpaced> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<Unpaced>() {
            return Some(*found);
        }
        // The source of an error of input is that of what it holds.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

/// A body that must come at a pace.
pub(crate) struct Paced<B> {
    body: B,
    pace: Pace,
    bytes: u64,
    waited: Duration,
    /// Since when it is waited for, and until when at most.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<B> Paced<B> {
    pub(crate) fn new(body: B, pace: Pace) -> Paced<B> {
        Paced { body, pace, bytes: 0, waited: Duration::ZERO, waiting: None }
    }

    fn is_too_slow(&self, waited: Duration) -> bool {
        waited > self.pace.pause && (self.bytes as f64) < waited.as_secs_f64() * self.pace.slowest as f64
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let paced = &mut *self;
        match Pin::new(&mut paced.body).poll_frame(context) {
            Poll::Pending => {
                let pause = paced.pace.pause;
                let (since, end) = paced.waiting.get_or_insert_with(|| {
                    let now = Instant::now();
                    (now, Box::pin(sleep_until(now + pause)))
                });
                let is_over = end.as_mut().poll(context).is_ready();
                let waited = paced.waited + since.elapsed();
                if is_over || paced.is_too_slow(waited) {
                    return Poll::Ready(Some(Err(Unpaced::TooSlow.into())));
                }
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some((since, _)) = paced.waiting.take() {
                    paced.waited += since.elapsed();
                }
                paced.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if paced.bytes > paced.pace.longest {
                    return Poll::Ready(Some(Err(Unpaced::TooLong.into())));
                }
                if paced.is_too_slow(paced.waited) {
                    return Poll::Ready(Some(Err(Unpaced::TooSlow.into())));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Requests of a connection that are not answered whole yet, and since when there are none.
#[derive(Debug)]
pub(crate) struct Work {
    count: AtomicUsize,
    began: Instant,
    /// Milliseconds after `began`.
    ended: AtomicUsize,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Piece(Arc<Work>);

impl Work {
    pub(crate) fn new() -> Arc<Work> {
        Arc::new(Work { count: AtomicUsize::new(0), began: Instant::now(), ended: AtomicUsize::new(0) })
    }

    pub(crate) fn begin(self: &Arc<Work>) -> Piece {
        self.count.fetch_add(1, Ordering::Relaxed);
        Piece(Arc::clone(self))
    }

    /// Since when there is nothing to do; nothing if there is.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let ended = Duration::from_millis(self.ended.load(Ordering::Relaxed) as u64);
        (self.count.load(Ordering::Relaxed) == 0).then(|| self.began + ended)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let now = usize::try_from(self.0.began.elapsed().as_millis()).unwrap_or(usize::MAX);
        self.0.ended.store(now, Ordering::Relaxed);
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that is a connection's work until it is sent.
pub(crate) fn at_work<B>(body: B, piece: Piece) -> impl Body<Data = B::Data, Error = B::Error>
where
    B: Body,
{
    body.map_frame(move |frame| {
        let _ = &piece;
        frame
    })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Frames, each after a pause.
    struct Slow(VecDeque<(Duration, usize)>, Option<Pin<Box<Sleep>>>);

    impl Body for Slow {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let Some((pause, length)) = self.0.front().copied() else { return Poll::Ready(None) };
            let sleep = self.1.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + pause)));
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.1 = None;
            self.0.pop_front();
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; length])))))
        }
    }

    /// Pauses are in hundredths of a second, and none may be longer than thirty.
    async fn read(frames: &[(u64, usize)], longest: u64) -> Result<usize, Option<Unpaced>> {
        let frames = frames.iter().map(|(pause, length)| (Duration::from_millis(pause * 10), *length));
        let pace = Pace { pause: Duration::from_millis(300), slowest: 5000, longest };
        let read = Paced::new(Slow(frames.collect(), None), pace).collect().await;
        read.map(|body| body.to_bytes().len()).map_err(|error| unpaced(&std::io::Error::other(error)))
    }

    #[tokio::test]
    async fn a_body_keeps_coming() {
        assert_eq!(read(&[(0, 10), (15, 10), (0, 10)], 100).await, Ok(30));
        assert_eq!(read(&[(50, 10)], 100).await, Err(Some(Unpaced::TooSlow)));
        let drips: Vec<(u64, usize)> = (0..60).map(|_| (1, 10)).collect();
        assert_eq!(read(&drips, 10_000).await, Err(Some(Unpaced::TooSlow)));
        let flows: Vec<(u64, usize)> = (0..60).map(|_| (1, 1000)).collect();
        assert_eq!(read(&flows, 100_000).await, Ok(60_000));
        assert_eq!(read(&flows, 50_000).await, Err(Some(Unpaced::TooLong)));
    }

    #[tokio::test]
    async fn a_connection_works_until_its_answer_is_sent() {
        let work = Work::new();
        let body = Box::pin(at_work(http_body_util::Full::new(Bytes::from_static(b"x")), work.begin()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(work.idle_since(), None);
        drop(body);
        let since = work.idle_since().unwrap();
        assert!(since.duration_since(work.began) >= Duration::from_millis(20));
    }
}
