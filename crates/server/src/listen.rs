//! Listening, and an orderly end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::Request;
use fhir::date_time::format_instant;
use hub::{Hub, Peer};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use tower_http::decompression::RequestDecompressionLayer;

use crate::lanes::Lanes;
use crate::oauth::client_address;
use crate::{App, Config, Shared, router};

/// A head must have come by then.
const HEADER_TIME: Duration = Duration::from_secs(20);
/// Requests under way have this long to end when the hub stops.
const DRAIN_TIME: Duration = Duration::from_secs(30);
/// So much news of subscriptions may wait for a websocket; one that is slower looks at all of its own.
const NEWS: usize = 1024;
/// Smaller answers are not worth compressing.
const COMPRESS_ABOVE: u64 = 1024;

/// A hub that is being served.
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    app: Shared,
    stop: watch::Sender<bool>,
    done: tokio::task::JoinHandle<()>,
}

impl Running {
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
    });
    let service = router(Arc::clone(&app), pages, sign_in)
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(COMPRESS_ABOVE)))
        .layer(RequestDecompressionLayer::new());
    let (stop, stopped) = watch::channel(false);
    let done = tokio::spawn(accept(listener, service, config.trusted_proxies, stopped));
    Ok(Running { address, app, stop, done })
}

async fn accept(
    listener: TcpListener,
    service: Router,
    proxies: Vec<IpAddr>,
    mut stopped: watch::Receiver<bool>,
) {
    let proxies: Arc<[IpAddr]> = proxies.into();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).pipeline_flush(true);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_TIME).max_concurrent_streams(200);
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) => {
                    // Out of file descriptors, usually: wait for some to be given back.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        let _ = stream.set_nodelay(true);
        let proxies = Arc::clone(&proxies);
        let service = service.clone().map_request(move |mut request: Request<Incoming>| {
            let address = client_address(peer, request.headers(), &proxies);
            request.extensions_mut().insert(Peer(address));
            request
        });
        let connection =
            builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}
