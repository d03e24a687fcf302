//! The websocket of subscriptions: `bind id`, `bind-with-token token`; `bound id`, `ping id`, notifications.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::response::Response;
use fhir::{Issue, IssueType};
use hub::{Bound, Subscriptions, outcome};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::{App, Shared, identity, open, rest};

/// What a client says is short.
const MAX_MESSAGE: usize = 16 << 10;
/// Connections at once.
const MAX_CONNECTIONS: usize = 1000;
/// Subscriptions bound to one connection.
const MAX_BOUND: usize = 100;
/// Heartbeats, and whether the hub stops, are looked after this often.
const TICK: Duration = Duration::from_secs(1);
/// A connection must take what is sent within this time.
const SEND_TIME: Duration = Duration::from_secs(20);
/// A silent connection is asked whether it lives this often.
const PING_EVERY: Duration = Duration::from_secs(30);

/// A place among the connections; given back when it is dropped.
struct Seat(Shared);

impl Seat {
    fn take(app: &Shared) -> Option<Seat> {
        let before = app.websockets.fetch_add(1, Ordering::SeqCst);
        let seat = Seat(Arc::clone(app));
        (before < MAX_CONNECTIONS).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.websockets.fetch_sub(1, Ordering::SeqCst);
    }
}

/// `GET [base]/_websocket`
pub(crate) async fn handle(
    State(app): State<Shared>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let message = format!("this address is for websockets: {rejection}");
            return rest::respond_with_issue(400, &Issue::error(IssueType::NotSupported, message));
        }
    };
    if let Err(failure) = identity::of_request(&app, &request).whole("a websocket of subscriptions") {
        return rest::respond_with_failure(&failure);
    }
    let (Some(subscriptions), Some(seat)) = (app.subscriptions.clone(), Seat::take(&app)) else {
        let message = "this hub serves no (more) websockets; try again later";
        return rest::respond_with_issue(503, &Issue::error(IssueType::Throttled, message));
    };
    let host = open::host(request.headers(), request.uri()).unwrap_or("localhost");
    let base =
        app.auth.as_ref().map_or_else(|| format!("http://{host}/fhir"), |a| a.settings().fhir_base.clone());
    upgrade.max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE).on_upgrade(move |socket| async move {
        let app = Arc::clone(&seat.0);
        let mut connection = Connection { socket, subscriptions, base, bound: Vec::new() };
        connection.serve(&app).await;
        drop(seat);
    })
}

struct Connection {
    socket: WebSocket,
    subscriptions: Subscriptions,
    base: String,
    bound: Vec<Bound>,
}

/// The connection is over.
struct Over;

impl Connection {
    async fn serve(&mut self, app: &App) {
        let mut news = app.news.subscribe();
        let (mut tick, mut heard) = (tokio::time::interval(TICK), Instant::now());
        let mut asked = heard;
        loop {
            let done = tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => {
                        heard = Instant::now();
                        self.understand(text.as_str().trim()).await
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Over),
                    Some(Ok(_)) => {
                        heard = Instant::now();
                        Ok(())
                    }
                },
                id = news.recv() => match id {
                    Ok(id) => self.tell(|bound| bound.id == id).await,
                    Err(RecvError::Lagged(_)) => self.tell(|_| true).await,
                    Err(RecvError::Closed) => Err(Over),
                },
                _ = tick.tick() => {
                    let is_dead = heard.elapsed() > 3 * PING_EVERY;
                    if app.is_draining.load(Ordering::Relaxed) || is_dead {
                        let _ = self.send(Message::Close(None)).await;
                        return;
                    }
                    if asked.elapsed() > PING_EVERY {
                        asked = Instant::now();
                        let _ = self.send(Message::Ping(bytes::Bytes::new())).await;
                    }
                    self.tell(|_| true).await
                }
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Over> {
        match tokio::time::timeout(SEND_TIME, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }

    async fn refuse(&mut self, message: String) -> Result<(), Over> {
        let issue = Issue::error(IssueType::Invalid, message);
        self.send(Message::text(outcome::outcome(std::slice::from_ref(&issue)))).await
    }

    /// Does what the client says.
    async fn understand(&mut self, text: &str) -> Result<(), Over> {
        let (verb, what) = text.split_once(' ').unwrap_or((text, ""));
        let (subscriptions, own) = (self.subscriptions.clone(), what.trim().to_owned());
        let bound = match verb {
            "bind" => {
                tokio::task::spawn_blocking(move || subscriptions.bind(&own).map(|bound| vec![bound])).await
            }
            "bind-with-token" => {
                tokio::task::spawn_blocking(move || subscriptions.bind_with_token(&own)).await
            }
            _ => {
                let message = "say 'bind' and the id of a subscription, or 'bind-with-token' and a token";
                return self.refuse(message.to_owned()).await;
            }
        };
        let bound = match bound {
            Ok(Ok(bound)) => bound,
            Ok(Err(message)) => return self.refuse(message).await,
            Err(_) => return Err(Over),
        };
        if self.bound.len() + bound.len() > MAX_BOUND {
            let message = format!("at most {MAX_BOUND} subscriptions can be bound to one connection");
            return self.refuse(message).await;
        }
        for one in bound {
            match self.subscriptions.greeting(&one, &self.base) {
                Ok(greeting) => self.send(Message::text(greeting)).await?,
                Err(message) => self.refuse(message).await?,
            }
            // Bound again, it is told from now on only once.
            self.bound.retain(|bound| bound.id != one.id);
            self.bound.push(one);
        }
        Ok(())
    }

    /// Tells what is new of some of the bound subscriptions.
    async fn tell(&mut self, is_meant: impl Fn(&Bound) -> bool) -> Result<(), Over> {
        let mut at = 0;
        while at < self.bound.len() {
            if !is_meant(&self.bound[at]) {
                at += 1;
                continue;
            }
            let (subscriptions, base, mut bound) =
                (self.subscriptions.clone(), self.base.clone(), self.bound[at].clone());
            let told = tokio::task::spawn_blocking(move || {
                let told = subscriptions.news(&mut bound, &base);
                (told, bound)
            });
            let Ok((told, bound)) = told.await else { return Err(Over) };
            match told {
                Ok(messages) => {
                    let is_all = messages.is_empty();
                    for message in messages {
                        self.send(Message::text(message)).await?;
                    }
                    self.bound[at] = bound;
                    at += usize::from(is_all);
                }
                Err(message) => {
                    self.bound.remove(at);
                    self.refuse(message).await?;
                }
            }
        }
        Ok(())
    }
}
