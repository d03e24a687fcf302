//! The channel websocket, as far as it is not a matter of sockets: who may bind, and what a bound subscriber is told
//! (<https://hl7.org/fhir/R4/subscription.html#websockets>;
//! <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets>).
//!
//! A subscription to a search is bound by its id, and each bound connection hears `ping id`. One to a topic is bound by a
//! token, and each bound connection gets the notifications themselves. What happened while nobody was bound is read by
//! its numbers, with `$events`: the handshake says how many there were.

use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use fhir::IssueType;
use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use search::query::Pair;
use store::Entropy as _;

use super::audit::audit;
use super::definition::{Channel, Content, Definition, Media};
use super::notification::{Notice, Occasion, Told, written};
use super::{Subscriptions, in_words, now, subscription_type};
use crate::{Access, Failure, Kind, OsEntropy};

/// A token can be used once, and not longer than this.
const TOKEN_KEPT: Duration = Duration::from_secs(600);
/// So many tokens may wait to be used.
const MAX_TOKENS: usize = 10_000;
/// Subscriptions of one token.
const MAX_BOUND: usize = 100;
/// Notifications made in one go; more follow.
const AT_ONCE: usize = 10;

/// A token that waits to be used.
pub(super) struct Token {
    token: String,
    expires: Instant,
    ids: Vec<String>,
}

/// A subscription a connection listens to.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The subscription.
    pub id: String,
    is_by_token: bool,
    /// The number of the last event it was told of.
    seen: u64,
    last_sent: Instant,
}

fn refused(kind: Kind, code: IssueType, message: impl Into<String>) -> Failure {
    Failure::new(kind, code, message)
}

impl Subscriptions {
    /// Has a function called with the id of every subscription that has something new. It must not wait for anything.
    pub fn listen(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        let mut listeners = self.inner.listeners.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        listeners.push(Box::new(listener));
    }

    /// `$get-ws-binding-token`: a token that binds a connection to subscriptions.
    ///
    /// # Errors
    /// A subscription that is not there or has another channel; too many tokens.
    pub fn binding_token(
        &self,
        access: &Access,
        id: Option<&str>,
        pairs: &[Pair],
        url: &str,
    ) -> Result<String, Failure> {
        access.whole("$get-ws-binding-token")?;
        let mut ids: Vec<String> = id.into_iter().map(str::to_owned).collect();
        for (name, value) in pairs {
            if name != "id" || id.is_some() {
                let message = format!("{name}: there is no such parameter (it has id, on the type)");
                return Err(refused(Kind::Invalid, IssueType::NotSupported, message));
            }
            let named = value.split(',').map(|id| id.strip_prefix("Subscription/").unwrap_or(id));
            ids.extend(named.map(str::to_owned));
        }
        if ids.is_empty() || ids.len() > MAX_BOUND {
            let message = format!("id: name from 1 to {MAX_BOUND} subscriptions");
            return Err(refused(Kind::Invalid, IssueType::Required, message));
        }
        for id in &ids {
            let kept = self.inner.hub.read(access, subscription_type(), id, None)?;
            let resource = fhir::json::parse(kept.json().as_bytes(), &self.inner.hub.limits)?;
            let channel = resource.root().text_at("channel.type").map(String::from).unwrap_or_default();
            if channel != "websocket" {
                let message = format!("Subscription/{id} has the channel {channel}, not websocket");
                return Err(refused(Kind::Unprocessable, IssueType::BusinessRule, message));
            }
        }
        let token = BASE64URL_NOPAD.encode(&OsEntropy::new().nonce());
        let expires = Instant::now() + TOKEN_KEPT;
        let kept = Token { token: token.clone(), expires, ids: ids.clone() };
        let mut tokens = self.inner.tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tokens.retain(|t| t.expires > Instant::now());
        if tokens.len() >= MAX_TOKENS {
            let message = "too many tokens wait to be used; try again later";
            return Err(refused(Kind::Unavailable, IssueType::Throttled, message));
        }
        tokens.push(kept);
        drop(tokens);
        let until = now() + i64::try_from(TOKEN_KEPT.as_micros()).unwrap_or(0);
        let mut json = JsonWriter::new();
        json.object(|p| {
            p.member("resourceType", "Parameters");
            p.name("parameter").array(|list| {
                let mut add = |name: &str, kind: &str, value: &str| {
                    list.object(|p| {
                        p.member("name", name);
                        p.member(kind, value);
                    });
                };
                add("token", "valueString", &token);
                add("expiration", "valueDateTime", &format_instant(until));
                for id in &ids {
                    add("subscription", "valueString", id);
                }
                add("websocket-url", "valueUrl", url);
            });
        });
        Ok(json.finish())
    }

    /// Binds a connection by a subscription's id.
    ///
    /// # Errors
    /// Why it cannot be bound, in words.
    pub fn bind(&self, id: &str) -> Result<Bound, String> {
        let bound = self.bound(id, false)?;
        match self.definition(id)?.is_topic_based() {
            false => Ok(bound),
            true => Err(format!(
                "Subscription/{id} is one to a topic: ask Subscription/{id}/$get-ws-binding-token for a token and send bind-with-token"
            )),
        }
    }

    /// Binds a connection by a token, which is used up.
    ///
    /// # Errors
    /// Why it cannot be bound, in words; the token is not repeated.
    pub fn bind_with_token(&self, token: &str) -> Result<Vec<Bound>, String> {
        let mut tokens = self.inner.tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tokens.retain(|t| t.expires > Instant::now());
        let found = tokens.iter().position(|t| t.token == token).map(|at| tokens.swap_remove(at));
        drop(tokens);
        let found =
            found.ok_or("this token is not known, used already, or no longer valid; ask for a new one")?;
        found.ids.iter().map(|id| self.bound(id, true)).collect()
    }

    fn definition(&self, id: &str) -> Result<std::sync::Arc<Definition>, String> {
        let state = self.inner.state();
        let subscribed = state.subscribed.get(id).filter(|s| s.definition.status.is_wanted());
        let definition = subscribed.map(|s| std::sync::Arc::clone(&s.definition));
        definition.ok_or_else(|| format!("Subscription/{id} is not there, or not active"))
    }

    fn bound(&self, id: &str, is_by_token: bool) -> Result<Bound, String> {
        let place = self.inner.hub.store().reader().place();
        self.inner.caught_up(place, Duration::from_secs(5));
        if self.definition(id)?.channel != Channel::Websocket {
            return Err(format!("Subscription/{id} has another channel than websocket"));
        }
        let seen = self.inner.state().subscribed.get(id).map_or(0, |s| s.events.count());
        Ok(Bound { id: id.to_owned(), is_by_token, seen, last_sent: Instant::now() })
    }

    /// What a connection is told when it is bound.
    ///
    /// # Errors
    /// Why nothing can be told, in words.
    pub fn greeting(&self, bound: &Bound, base: &str) -> Result<String, String> {
        if !bound.is_by_token {
            return Ok(format!("bound {}", bound.id));
        }
        let definition = self.definition(&bound.id)?;
        self.notification(&definition, Occasion::Handshake, bound.seen, &[], base)
    }

    /// What a bound connection is told now, in order; empty if there is nothing (more) to be told.
    ///
    /// # Errors
    /// Why the subscription is not served any more, in words.
    pub fn news(&self, bound: &mut Bound, base: &str) -> Result<Vec<String>, String> {
        let definition = self.definition(&bound.id)?;
        let events = self.inner.state().subscribed.get(&bound.id).map(|s| std::sync::Arc::clone(&s.events));
        let Some(events) = events else { return Ok(Vec::new()) };
        let count = events.count();
        let mut messages = Vec::new();
        if !bound.is_by_token {
            if count > bound.seen {
                bound.seen = count;
                messages.push(format!("ping {}", bound.id));
            }
            return Ok(messages);
        }
        while count > bound.seen && messages.len() < AT_ONCE {
            let to = count.min(bound.seen + definition.max_count as u64);
            let range = events.range(bound.seen + 1, to).map_err(|e| e.to_string())?;
            let reader = self.inner.hub.store().reader();
            let told = range.into_iter().map(|event| Told::of(&reader, event));
            let mut told: Vec<Told> = told.collect::<Result<_, _>>().map_err(|f| in_words(&f))?;
            self.inner.shorten(&reader, &definition, &mut told).map_err(|f| in_words(&f))?;
            let to = told.last().map_or(to, |event| event.number);
            messages.push(self.notification(&definition, Occasion::EventNotification, to, &told, base)?);
            bound.seen = to;
            bound.last_sent = Instant::now();
        }
        if definition.heartbeat.is_some_and(|period| bound.last_sent.elapsed() >= period) {
            messages.push(self.notification(&definition, Occasion::Heartbeat, bound.seen, &[], base)?);
            bound.last_sent = Instant::now();
        }
        Ok(messages)
    }

    fn notification(
        &self,
        definition: &Definition,
        occasion: Occasion,
        count: u64,
        told: &[Told],
        base: &str,
    ) -> Result<String, String> {
        let hub = &self.inner.hub;
        let notice = Notice {
            base,
            id: &definition.id,
            topic: definition.topic.as_deref(),
            status: definition.status.code(),
            occasion,
            count,
            error: None,
        };
        // A subscription to a search may be bound by a token too; then it names what happened.
        let content = if definition.is_topic_based() { definition.content } else { Content::IdOnly };
        let media = definition.media.unwrap_or(Media::Json);
        let reader = hub.store().reader();
        audit(hub, &reader, &definition.id, "a websocket", content, told).map_err(|f| in_words(&f))?;
        notice
            .bundle(&reader, told, content, &hub.new_id(), now())
            .and_then(|json| written(json, media, &hub.limits))
            .map_err(|failure| in_words(&failure))
    }
}
