//! Listening, and an orderly end.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::{Request, Response, StatusCode};
use fhir::date_time::format_instant;
use hub::{Hub, Peer};
use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use tower_http::decompression::RequestDecompressionLayer;

use crate::edge::connections::{Connections, Seat};
use crate::edge::pace::{Pace, Paced, Work, at_work};
use crate::edge::rates::Limiter;
use crate::edge::tls::ACME_PROTOCOL;
use crate::edge::wire::Wire;
use crate::edge::{HANDSHAKE_TIME, HEAD_TIME, Source, headers, redirect};
use crate::lanes::Lanes;
use crate::oauth::client_address;
use crate::{App, Config, Shared, router};

/// A head is no longer; 431 says so.
const LONGEST_HEAD: usize = 96 << 10;
/// A connection that works, or ends, is looked at this often.
const LOOK: Duration = Duration::from_secs(5);
/// What a body has on the wire beside what it becomes.
const ENVELOPE: u64 = 1 << 20;
/// Requests under way have this long to end when the hub stops.
const DRAIN_TIME: Duration = Duration::from_secs(30);
/// So much news of subscriptions may wait for a websocket; one that is slower looks at all of its own.
const NEWS: usize = 1024;
/// Smaller answers are not worth compressing.
const COMPRESS_ABOVE: u64 = 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A hub that is being served.
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    app: Shared,
    connections: Arc<Connections>,
    stop: watch::Sender<bool>,
    done: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Leads whoever speaks http to another listener to `base` (`https://host`), as long as the hub runs.
    pub fn redirect(&self, listener: TcpListener, base: &str) {
        let connections = Arc::clone(&self.connections);
        tokio::spawn(redirect::serve(listener, base.to_owned(), connections, self.stop.subscribe()));
    }

    /// Stops taking requests, waits for those under way, and closes the store.
    ///
    /// # Errors
    /// If the store does not close cleanly; what was answered is safe all the same.
    pub async fn stop(self) -> Result<(), store::Error> {
        self.app.is_draining.store(true, Ordering::Relaxed);
        let _ = self.stop.send(true);
        let _ = self.done.await;
        let app = self.app;
        if let Some(jobs) = &app.jobs {
            jobs.stop();
        }
        let close = move || {
            if let Some(subscriptions) = &app.subscriptions {
                subscriptions.stop();
            }
            let ledger = app.hub.ledger().map_or(Ok(()), |ledger| ledger.close());
            if let Err(error) = ledger {
                tracing::error!(%error, "the read-audit ledger was not closed well");
            }
            app.hub.store().close()
        };
        let closed = tokio::task::spawn_blocking(close).await;
        closed.unwrap_or(Ok(()))
    }
}

/// Serves a hub on a listener: its pages, and those where people sign in, which everyone may see.
///
/// # Errors
/// If the listener has no address.
pub fn start(
    listener: TcpListener,
    hub: Hub,
    config: Config,
    pages: Router,
    sign_in: Router,
) -> std::io::Result<Running> {
    let address = listener.local_addr()?;
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    // Only the first hub of a process reports its requests; tests start several.
    let _ = metrics::set_global_recorder(recorder);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (news, _) = broadcast::channel(NEWS);
    if let Some(subscriptions) = &config.subscriptions {
        let news = news.clone();
        subscriptions.listen(move |id| {
            let _ = news.send(id.to_owned());
        });
    }
    let edge = config.edge;
    let pace = Pace::up_to(hub.limits.bundle_bytes.max(hub.limits.resource_bytes) as u64 + ENVELOPE);
    let figures = config.figures.unwrap_or_else(|| Arc::new(::figures::Figures::of(hub.clone())));
    let app = Arc::new(App {
        hub,
        lanes: Lanes::new(config.lanes),
        version: config.version,
        jobs: config.jobs,
        subscriptions: config.subscriptions,
        auth: config.auth,
        started: format_instant(i64::try_from(now.as_micros()).unwrap_or(0)),
        metrics,
        accesses: crate::identity::Accesses::default(),
        is_draining: AtomicBool::new(false),
        news,
        websockets: AtomicUsize::new(0),
        cds: config.cds,
        figures,
        limiter: Limiter::new(edge.rates),
        openapi: OnceLock::new(),
    });
    let (stop, stopped) = watch::channel(false);
    let pages = pages.layer(axum::Extension(crate::health::vitals(&app, stopped.clone())));
    let service = router(Arc::clone(&app), pages, sign_in)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), headers::add))
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESS_ABOVE)))
        .layer(RequestDecompressionLayer::new());
    let proxies: Arc<[IpAddr]> = config.trusted_proxies.into();
    let connections = Connections::new(edge.connections, Arc::clone(&proxies));
    let tls = match &edge.tls {
        Some(source) => {
            let is_acme = matches!(source, Source::Acme(_));
            let config = source.certificates().config(is_acme).map_err(std::io::Error::other)?;
            tokio::spawn(source.clone().keep(stopped.clone()));
            Some(TlsAcceptor::from(config))
        }
        None => None,
    };
    let entrance = Entrance { connections: Arc::clone(&connections), tls, proxies, pace };
    let done = tokio::spawn(accept(listener, service, entrance, stopped));
    Ok(Running { address, app, connections, stop, done })
}

/// The next connection, and from where; none once the hub stops.
pub(crate) async fn accepted(
    listener: &TcpListener,
    stopped: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, IpAddr)> {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    return Some((stream, peer.ip()));
                }
                Err(error) => {
                    // Out of file descriptors, usually: wait for some to be given back.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            _ = stopped.changed() => return None,
        }
    }
}

/// What every connection needs to be served.
pub(crate) struct Door {
    pub(crate) connections: Arc<Connections>,
    pub(crate) stopped: watch::Receiver<bool>,
}

impl Door {
    /// Serves a connection to its end: until whoever opened it goes, is idle for too long, or the hub stops.
    pub(crate) async fn serve<S, A, B>(self, stream: S, seat: Seat, answer: A)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        A: Service<Request<Incoming>, Response = Response<B>> + 'static,
        A::Future: Send + 'static,
        A::Error: Into<BoxError>,
        B: Body<Data: Send> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Door { connections, mut stopped } = self;
        let (work, is_upgraded) = (Work::new(), Arc::new(AtomicBool::new(false)));
        let wire = Wire::new(stream, seat, Arc::clone(&is_upgraded));
        let of_request = Arc::clone(&work);
        let service = service_fn(move |request| {
            let (piece, is_upgraded) = (of_request.begin(), Arc::clone(&is_upgraded));
            let answered = answer.call(request);
            async move {
                let response = answered.await?;
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    is_upgraded.store(true, Ordering::Release);
                }
                Ok::<_, A::Error>(response.map(|body| at_work(body, piece)))
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        let mut http1 = builder.http1();
        http1.timer(TokioTimer::new()).header_read_timeout(connections.longest_idle());
        // Answers are not held back for later ones: what is refused after them would take them with it.
        http1.max_buf_size(LONGEST_HEAD);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_TIME).max_concurrent_streams(200);
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(wire), service));
        let (mut is_ending, mut look) = (false, Instant::now() + connections.idle());
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                _ = stopped.changed(), if !is_ending => {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = sleep_until(look) => {
                    let ends = work.idle_since().map(|since| since + connections.idle());
                    look = Instant::now() + LOOK;
                    match ends {
                        Some(at) if at > Instant::now() => look = look.min(at),
                        Some(_) if is_ending => return,
                        Some(_) => {
                            is_ending = true;
                            connection.as_mut().graceful_shutdown();
                        }
                        None => {}
                    }
                }
            }
        }
    }
}

/// Serves connections until the hub stops, and waits for those under way.
async fn accept(
    listener: TcpListener,
    service: Router,
    entrance: Entrance,
    mut stopped: watch::Receiver<bool>,
) {
    let entrance = Arc::new(entrance);
    // Held by every connection; when all are dropped, all are over.
    let (open, mut all_over) = mpsc::channel::<()>(1);
    while let Some((stream, peer)) = accepted(&listener, &mut stopped).await {
        let seat = match entrance.connections.take(peer) {
            Ok(seat) => seat,
            Err(of) => {
                metrics::counter!("yojigen_refused_connections_total", "of" => of).increment(1);
                tracing::debug!(%peer, of, "a connection was not taken");
                continue;
            }
        };
        let (entrance, service) = (Arc::clone(&entrance), service.clone());
        let (stopped, open) = (stopped.clone(), open.clone());
        tokio::spawn(async move {
            entrance.serve(stream, peer, seat, service, stopped).await;
            drop(open);
        });
    }
    drop((listener, open));
    if tokio::time::timeout(DRAIN_TIME, all_over.recv()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

/// How connections come in.
struct Entrance {
    connections: Arc<Connections>,
    tls: Option<TlsAcceptor>,
    proxies: Arc<[IpAddr]>,
    pace: Pace,
}

impl Entrance {
    async fn serve(
        &self,
        stream: TcpStream,
        peer: IpAddr,
        seat: Seat,
        service: Router,
        stopped: watch::Receiver<bool>,
    ) {
        let (proxies, pace) = (Arc::clone(&self.proxies), self.pace);
        let service = TowerToHyperService::new(service.map_request(move |request: Request<Incoming>| {
            let mut request = request.map(|body| Paced::new(body, pace));
            let address = client_address(peer, request.headers(), &proxies);
            request.extensions_mut().insert(Peer(address));
            request
        }));
        let door = Door { connections: Arc::clone(&self.connections), stopped };
        let Some(tls) = &self.tls else { return door.serve(stream, seat, service).await };
        match tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream)).await {
            // A certificate authority has seen what it wanted to see.
            Ok(Ok(mut stream)) if stream.get_ref().1.alpn_protocol() == Some(ACME_PROTOCOL) => {
                let _ = stream.shutdown().await;
            }
            Ok(Ok(stream)) => door.serve(stream, seat, service).await,
            Ok(Err(error)) => {
                metrics::counter!("yojigen_failed_handshakes_total").increment(1);
                tracing::debug!(%peer, %error, "a handshake failed");
            }
            Err(_) => {
                metrics::counter!("yojigen_failed_handshakes_total").increment(1);
                tracing::debug!(%peer, "a handshake took too long");
            }
        }
    }
}
