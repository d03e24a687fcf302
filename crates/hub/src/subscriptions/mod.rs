//! Subscriptions: who asked is told what changed, once (<https://hl7.org/fhir/R4/subscription.html>, topic-based ones by
//! <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/>).
//!
//! The log is the feed. One thread ([`feed`]) walks its entries in order and holds each change against the subscriptions
//! as they were just before it; what matches becomes an event of the subscription, and its number is how many came
//! before. So the number follows from the log alone, whenever and however often it is worked out. A few threads
//! ([`delivery`]) bring events to subscribers and keep what was confirmed, after it was: a crash between the two repeats
//! a notification with the same number, and never leaves one out.
//!
//! Subscriptions are resources, and what the hub does to them (`active`, `error`, `off`) is a write like any other,
//! through the same door, under circumstances that name the hub (channel `subscriptions`). How far each subscriber has
//! come is working state, in the folder `subscriptions` beside the data ([`progress`]).
//!
//! A hub without subscriptions does not walk its log at all: when the first one is written, the walk begins there.

mod audit;
mod bell;
mod definition;
mod delivery;
mod email;
mod events;
mod feed;
mod notification;
mod progress;
mod report;
mod rest_hook;
mod rules;
mod selection;
mod topic;
mod websocket;

pub(crate) use bell::Bell;
pub(crate) use rest_hook::Caller;
pub use rules::Rules;
pub use websocket::Bound;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fhir::json::JsonWriter;
use fhir::{NodeRef, Resource, TypeId, r4};
use serde_json::Value;
use store::layout::log::Circumstances;
use store::{Clock as _, Place, Substitutions};

use self::definition::{Definition, Status};
use self::events::Events;
use self::progress::{Folder, Progress};
use crate::patch::{On, refused, unprocessable};
use crate::{Access, Failure, Hub, Kind, SystemClock};

/// How subscriptions are served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where their working state is kept.
    pub folder: PathBuf,
    /// The hub's base URL, as subscribers know it.
    pub base: String,
    /// How often in a row a subscriber may fail before its subscription goes to `error`.
    pub retries: u32,
}

/// A subscription that is served, or may be again.
struct Subscribed {
    definition: Arc<Definition>,
    events: Arc<Events>,
    progress: Progress,
    /// Whether a thread does something for it.
    is_busy: bool,
    /// Nothing is done for it before.
    due: Instant,
    /// When its subscriber last heard something.
    last_sent: Instant,
}

#[derive(Default)]
struct State {
    /// The last entry that was held against the subscriptions.
    at: Place,
    /// By id.
    subscribed: BTreeMap<String, Subscribed>,
    /// While the events are worked out anew from the log, nobody is called.
    is_suspended: bool,
}

/// Whoever wants to know that a subscription has something new.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

struct Inner {
    hub: Hub,
    folder: Folder,
    base: String,
    retries: u32,
    state: Mutex<State>,
    /// The state changed.
    changed: Condvar,
    is_stopping: AtomicBool,
    has_pool: AtomicBool,
    listeners: Mutex<Vec<Listener>>,
    /// Tokens that bind websockets.
    tokens: Mutex<Vec<websocket::Token>>,
    caller: Caller,
    feed: Mutex<Option<JoinHandle<()>>>,
}

/// The subscriptions of a hub.
#[derive(Clone)]
pub struct Subscriptions {
    inner: Arc<Inner>,
}

/// The type Subscription.
pub(crate) fn subscription_type() -> TypeId {
    static TYPE: OnceLock<TypeId> = OnceLock::new();
    *TYPE.get_or_init(|| r4().resource_type("Subscription").unwrap_or(r4().well_known().resource))
}

/// Now, in microseconds since 1970 UTC.
fn now() -> i64 {
    SystemClock.now()
}

/// Writes the topics there are where R4 servers list them: as extensions of the CapabilityStatement's Subscription.
pub(crate) fn write_topics(json: &mut JsonWriter) {
    json.name("extension").array(|list| {
        for topic in topic::topics() {
            list.object(|e| {
                e.member("url", "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical");
                e.member("valueCanonical", &topic.url);
            });
        }
    });
}

/// The topics there are, in words.
pub(crate) fn described_topics() -> String {
    let lines = topic::topics().iter().map(|t| format!("* {} ({}): {}", t.url, t.title, t.description));
    let lines: Vec<String> = lines.collect();
    format!("criteria is a search, or the canonical URL of a topic:\n\n{}", lines.join("\n"))
}

fn failed(error: &std::io::Error) -> Failure {
    let message = format!("the working state of subscriptions: {error}");
    match error.kind() {
        std::io::ErrorKind::StorageFull => Failure::new(Kind::StorageFull, fhir::IssueType::NoStore, message),
        _ => Failure::new(Kind::Internal, fhir::IssueType::Exception, message),
    }
}

fn in_words(failure: &Failure) -> String {
    failure.issues.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Hub {
    /// Refuses a Subscription that asks for what is not understood or not allowed. One that nobody waits for (`off`,
    /// `error`) may say what it likes.
    pub(crate) fn check_subscription(&self, root: NodeRef<'_>) -> Result<(), Failure> {
        if definition::status_of(root).is_some_and(|status| !status.is_wanted()) {
            return Ok(());
        }
        let definition = Definition::read(self, root)?;
        Ok(self.subscription_rules.check(&definition)?)
    }
}

impl Subscriptions {
    /// Serves the subscriptions of a hub, from where it stopped.
    ///
    /// # Errors
    /// If their working state cannot be read or made.
    pub fn start(hub: Hub, settings: Settings) -> Result<Subscriptions, Failure> {
        let Settings { folder, base, retries } = settings;
        let folder = Folder::open(folder).map_err(|e| failed(&e))?;
        let inner = Arc::new(Inner {
            hub,
            folder,
            base,
            retries,
            state: Mutex::default(),
            changed: Condvar::new(),
            is_stopping: AtomicBool::new(false),
            has_pool: AtomicBool::new(false),
            listeners: Mutex::default(),
            tokens: Mutex::default(),
            caller: Caller::new(),
            feed: Mutex::default(),
        });
        let feed = feed::Feed::open(&inner)?;
        let thread = std::thread::Builder::new().name("feed".to_owned()).spawn(move || feed.run());
        *inner.feed.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread.map_err(|e| failed(&e))?);
        Ok(Subscriptions { inner })
    }

    /// Begins nothing more, and keeps how far the feed has come.
    pub fn stop(&self) {
        self.inner.is_stopping.store(true, Ordering::SeqCst);
        self.inner.hub.bell.ring();
        self.inner.changed.notify_all();
        let feed = self.inner.feed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(feed) = feed {
            let _ = feed.join();
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Waits until the feed has seen an entry, at most so long; whether it has.
    fn caught_up(&self, place: Place, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut state = self.state();
        loop {
            if state.at >= place {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_stopping() {
                return false;
            }
            // Where nobody is subscribed, nothing else rings.
            self.hub.bell.ring();
            state = match self.changed.wait_timeout(state, left) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Tells listeners that a subscription has something new.
    fn tell(&self, id: &str) {
        for listener in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(id);
        }
    }

    /// Gives a subscription a status, unless it has changed in the meantime; whether it was given.
    fn set_status(
        &self,
        id: &str,
        version: u64,
        status: Status,
        error: Option<&str>,
    ) -> Result<bool, Failure> {
        let access = Access {
            circumstances: Circumstances {
                client: Some("yojigen".to_owned()),
                channel: Some("subscriptions".to_owned()),
                ..Circumstances::default()
            },
            ..Access::open("subscriptions")
        };
        let on = On { resource_type: subscription_type(), id, if_match: Some(version), condition: None };
        let change = |current: &Resource| with_status(current, status, error, &self.hub.limits);
        let done = self
            .hub
            .changed(&access, on, &Substitutions::new(), &change)
            .and_then(|command| self.hub.submit_and_wait(self.hub.prepared(&access, vec![command], None)));
        match done {
            Ok(_) => {
                let error = error.unwrap_or_default();
                tracing::info!(subscription = id, status = status.code(), error, "a subscription's status");
                Ok(true)
            }
            Err(failure) => match failure.kind {
                // It was written or deleted in the meantime: the feed will see what it is now.
                Kind::PreconditionFailed | Kind::Conflict | Kind::NotFound | Kind::Gone => Ok(false),
                _ => Err(failure),
            },
        }
    }
}

/// A Subscription with another status and error.
fn with_status(
    current: &Resource,
    status: Status,
    error: Option<&str>,
    limits: &fhir::Limits,
) -> Result<Resource, Failure> {
    let mut value: Value = serde_json::from_str(current.text()).map_err(|e| unprocessable(e.to_string()))?;
    if let Some(object) = value.as_object_mut() {
        object.insert("status".to_owned(), Value::from(status.code()));
        match error {
            Some(error) => object.insert("error".to_owned(), Value::from(error)),
            None => object.shift_remove("error"),
        };
    }
    fhir::json::parse(value.to_string().as_bytes(), limits).map_err(refused)
}
