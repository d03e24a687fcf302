//! Bodies of requests: their size, their memory.

use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::header;
use bytes::{Bytes, BytesMut};
use fhir::IssueType;
use http_body_util::BodyExt;
use hub::{Failure, Kind};
use search::query::Pair;

use crate::Shared;
use crate::edge::pace::{Unpaced, unpaced};
use crate::lanes::BodyRoom;

/// No pause of a body may be longer, and no wait for room by whoever holds none.
const PAUSE: Duration = Duration::from_secs(30);

/// Whoever holds room waits so long for more, in all: many who hold some and wait for more would wait for each other.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body and the room it takes; keep both until it is done with.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) room: BodyRoom,
}

/// Reads a body of at most `limit` bytes (after decompression), waiting while others hold too much memory.
pub(crate) async fn read(app: &Shared, request: Request, limit: usize) -> Result<Body, Failure> {
    let declared =
        request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|d| d > limit) {
        return Err(too_large(limit));
    }
    let mut room = app.lanes.room();
    let mut body = request.into_body();
    let mut bytes = BytesMut::new();
    let mut first: Option<Bytes> = None;
    let mut patience = PATIENCE;
    loop {
        let frame = match tokio::time::timeout(PAUSE, body.frame()).await {
            Err(_) => {
                return Err(Failure::new(
                    Kind::Timeout,
                    IssueType::Timeout,
                    "the body stopped coming; send it without pauses",
                ));
            }
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                match unpaced(&error) {
                    Some(Unpaced::TooSlow) => {
                        let message = Unpaced::TooSlow.to_string();
                        return Err(Failure::new(Kind::Timeout, IssueType::Timeout, message));
                    }
                    Some(Unpaced::TooLong) => return Err(too_large(limit)),
                    None => {}
                }
                return Err(Failure::new(
                    Kind::Invalid,
                    IssueType::Invalid,
                    format!("the body could not be read: {error}"),
                ));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + first.as_ref().map_or(0, Bytes::len) + data.len();
        if length > limit {
            return Err(too_large(limit));
        }
        let asked = Instant::now();
        let holds_some = length > data.len();
        let wait = if holds_some { patience } else { PAUSE };
        let granted = tokio::time::timeout(wait, app.lanes.grow(&mut room, length)).await;
        if holds_some {
            patience = patience.saturating_sub(asked.elapsed());
        }
        match granted {
            Ok(true) => {}
            Ok(false) => return Err(too_large(app.lanes.limits.body_bytes)),
            Err(_) => {
                return Err(Failure::new(
                    Kind::Unavailable,
                    IssueType::Throttled,
                    "too many large requests at once; try again",
                ));
            }
        }
        // A body that comes in one piece is not copied.
        match first.take() {
            None if bytes.is_empty() => first = Some(data),
            Some(earlier) => {
                bytes.extend_from_slice(&earlier);
                bytes.extend_from_slice(&data);
            }
            None => bytes.extend_from_slice(&data),
        }
    }
    Ok(Body { bytes: first.unwrap_or_else(|| bytes.freeze()), room })
}

/// The pairs of a form.
pub(crate) fn form(body: &Body) -> Result<Vec<Pair>, Failure> {
    let text = std::str::from_utf8(&body.bytes)
        .map_err(|_| Failure::new(Kind::Invalid, IssueType::Invalid, "the form is not UTF-8"))?;
    Ok(search::query::split(text)?)
}

fn too_large(limit: usize) -> Failure {
    Failure::new(
        Kind::TooLarge,
        IssueType::TooLong,
        format!(
            "the body is larger than {limit} bytes; load large amounts with: yojigen import FILE --server URL"
        ),
    )
}
