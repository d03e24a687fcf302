//! A sealed file of a job on its way out: opened frame by frame, a few ahead of who reads.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hyper::body::Frame;
use sealing::FrameReader;
use tokio::sync::mpsc::{Receiver, channel};

/// So many frames wait for a slow reader.
const AHEAD: usize = 4;

struct Frames(Receiver<std::io::Result<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|next| next.map(|frame| frame.map(Frame::data)))
    }
}

/// The whole file; a part of it cannot be asked for.
pub(super) fn answer(mut reader: Box<FrameReader>) -> Response {
    let (sender, receiver) = channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let (next, is_last) = match reader.next_frame() {
                Ok(Some(frame)) => (Ok(Bytes::from(frame)), false),
                Ok(None) => return,
                // The connection breaks off: half a file is not taken for a whole one.
                Err(error) => {
                    tracing::error!(%error, "a job's file is damaged");
                    (Err(error), true)
                }
            };
            if sender.blocking_send(next).is_err() || is_last {
                return;
            }
        }
    });
    Body::new(Frames(receiver)).into_response()
}
