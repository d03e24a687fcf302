//! From http to https: every request is led, with its method and body, to the same place at the hub's address (RFC 9110, 15.4.9).
//!
//! Where it leads follows from the operator's `--url` alone, never from the request's Host.

use std::convert::Infallible;
use std::sync::Arc;

use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::connections::Connections;
use crate::listen::{Door, accepted};

/// Where a request is led.
fn place(base: &str, request: &Request<Incoming>) -> Option<HeaderValue> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    HeaderValue::from_str(&format!("{base}{path}")).ok().filter(|_| path.starts_with('/'))
}

/// Leads whoever comes to `base` (`https://host`), until the hub stops.
pub(crate) async fn serve(
    listener: TcpListener,
    base: String,
    connections: Arc<Connections>,
    mut stopped: watch::Receiver<bool>,
) {
    let base: Arc<str> = base.into();
    while let Some((stream, peer)) = accepted(&listener, &mut stopped).await {
        let Ok(seat) = connections.take(peer) else { continue };
        let base = Arc::clone(&base);
        let service = service_fn(move |request: Request<Incoming>| {
            let mut response = Response::new(Empty::<Bytes>::new());
            match place(&base, &request) {
                Some(place) => {
                    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
                    response.headers_mut().insert(header::LOCATION, place);
                }
                None => *response.status_mut() = StatusCode::BAD_REQUEST,
            }
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            async { Ok::<_, Infallible>(response) }
        });
        let door = Door { connections: Arc::clone(&connections), stopped: stopped.clone() };
        tokio::spawn(door.serve(stream, seat, service));
    }
}
