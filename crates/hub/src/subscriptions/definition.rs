//! What a Subscription says, understood (<https://hl7.org/fhir/R4/subscription.html>; topic-based ones by
//! <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/>).
//!
//! `criteria` is a search (`Observation?code=…`) or the canonical URL of a topic; that decides which of the two kinds a
//! subscription is. What one kind has and the other has not is an error, not ignored.

use std::fmt;
use std::time::Duration;

use fhir::date_time::Micros;
use fhir::{DateTime, Issue, IssueType, NodeRef};

use super::selection::{Selection, criteria};
use super::topic;
use crate::{Failure, Hub};

/// Where the extensions of topic-based subscriptions have their names.
const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
/// A notification must be answered within this time where the subscription says nothing else.
const TIMEOUT: Duration = Duration::from_secs(10);
/// No subscription may ask for more.
const MAX_TIMEOUT: u64 = 60;
/// Events in one notification where the subscription says nothing else, and at most.
const MAX_COUNT: usize = 100;
/// Filters one subscription may have.
const MAX_FILTERS: usize = 20;
/// Headers one subscription may have.
const MAX_HEADERS: usize = 20;
/// Headers the hub sets itself.
const OWN_HEADERS: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "upgrade",
    "idempotency-key",
    "x-event-number",
];

/// `Subscription.status`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// The client asked for it.
    Requested,
    /// It is served.
    Active,
    /// It could not be served.
    Error,
    /// It is not to be served.
    Off,
}

impl Status {
    pub(crate) fn from_code(code: &str) -> Option<Status> {
        Some(match code {
            "requested" => Status::Requested,
            "active" => Status::Active,
            "error" => Status::Error,
            "off" => Status::Off,
            _ => return None,
        })
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Status::Requested => "requested",
            Status::Active => "active",
            Status::Error => "error",
            Status::Off => "off",
        }
    }

    /// Whether somebody waits for it: then it must make sense.
    pub(crate) fn is_wanted(self) -> bool {
        matches!(self, Status::Requested | Status::Active)
    }
}

/// `Subscription.channel.type`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Channel {
    RestHook,
    Websocket,
    Email,
}

/// The form resources are sent in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Media {
    Json,
    Xml,
}

impl Media {
    fn named(name: &str) -> Option<Media> {
        match name.split(';').next().unwrap_or_default().trim() {
            "application/fhir+json" | "application/json" => Some(Media::Json),
            "application/fhir+xml" | "application/xml" => Some(Media::Xml),
            _ => None,
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Media::Json => "application/fhir+json",
            Media::Xml => "application/fhir+xml",
        }
    }
}

/// How much of a resource a notification says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    Empty,
    IdOnly,
    FullResource,
}

impl Content {
    pub(crate) fn from_code(code: &str) -> Option<Content> {
        Some(match code {
            "empty" => Content::Empty,
            "id-only" => Content::IdOnly,
            "full-resource" => Content::FullResource,
            _ => return None,
        })
    }
}

/// A subscription, understood.
pub(crate) struct Definition {
    pub(crate) id: String,
    /// The version of the resource it was read from.
    pub(crate) version: u64,
    pub(crate) status: Status,
    pub(crate) end: Option<Micros>,
    pub(crate) selection: Selection,
    /// The topic's canonical URL, as it was written; none for one that is about a search.
    pub(crate) topic: Option<String>,
    pub(crate) channel: Channel,
    pub(crate) endpoint: String,
    /// Names and values; often secrets.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) media: Option<Media>,
    pub(crate) content: Content,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) max_count: usize,
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers carry secrets: they stay out of logs.
        f.debug_struct("Definition")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("status", &self.status)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// Findings, gathered.
struct Findings(Vec<Issue>);

impl Findings {
    fn add(&mut self, code: IssueType, place: &str, message: impl Into<String>) {
        self.0.push(Issue::error(code, message).at(format!("Subscription.{place}")));
    }
}

/// The values of an extension by its short name.
fn extensions<'a>(node: NodeRef<'a>, name: &str) -> Vec<String> {
    let is_named = |e: &NodeRef<'a>| {
        e.text_at("url").is_some_and(|url| url.strip_prefix(BACKPORT).is_some_and(|rest| rest == name))
    };
    let found = node.all("extension").filter(is_named);
    found.filter_map(|e| e.child("value")?.value().map(String::from)).collect()
}

/// The status a Subscription says, if it says one.
pub(crate) fn status_of(root: NodeRef<'_>) -> Option<Status> {
    Status::from_code(&root.text_at("status")?)
}

impl Definition {
    /// Reads a Subscription.
    ///
    /// # Errors
    /// All that is not understood.
    pub(crate) fn read(hub: &Hub, root: NodeRef<'_>) -> Result<Definition, Failure> {
        let mut findings = Findings(Vec::new());
        let text = |path: &str| root.text_at(path).map(String::from);
        let status = status_of(root);
        if status.is_none() {
            findings.add(IssueType::Required, "status", "write requested, active, error or off");
        }
        let end = text("end").and_then(|t| Some(DateTime::parse(&t)?.interval(hub.zone()).0));
        let (selection, topic) = selection(hub, root, &mut findings);
        let is_topic_based = topic.is_some();
        let channel = channel(root, &mut findings);
        let endpoint = text("channel.endpoint").unwrap_or_default();
        if endpoint.is_empty() && channel.is_some_and(|c| c != Channel::Websocket) {
            let message = "this channel needs an endpoint: a URL for rest-hook, mailto:address for email";
            findings.add(IssueType::Required, "channel.endpoint", message);
        }
        let (media, content) = payload(root, is_topic_based, &mut findings);
        let headers = headers(root, channel, &mut findings);
        let node = root.child("channel");
        let mut number = |name: &str, range: std::ops::RangeInclusive<u64>, is_of_topics: bool| {
            let written = node.and_then(|n| extensions(n, name).into_iter().next())?;
            if is_of_topics && !is_topic_based {
                let message = format!("{name} is for subscriptions to a topic, and criteria is a search");
                findings.add(IssueType::NotSupported, "channel", message);
                return None;
            }
            let value = written.parse().ok().filter(|n| range.contains(n));
            if value.is_none() {
                let message = format!("{name}: from {} to {}, found '{written}'", range.start(), range.end());
                findings.add(IssueType::Value, "channel", message);
            }
            value
        };
        let heartbeat = number("backport-heartbeat-period", 1..=86_400, true).map(Duration::from_secs);
        let timeout = number("backport-timeout", 1..=MAX_TIMEOUT, false).map(Duration::from_secs);
        let max_count = number("backport-max-count", 1..=u64::from(u32::MAX), true);
        match (selection, channel, status) {
            (Some(selection), Some(channel), Some(status)) if findings.0.is_empty() => Ok(Definition {
                id: root.id().map(String::from).unwrap_or_default(),
                version: text("meta.versionId").and_then(|v| v.parse().ok()).unwrap_or(0),
                status,
                end,
                selection,
                topic,
                channel,
                endpoint,
                headers,
                media,
                content,
                heartbeat,
                timeout: timeout.unwrap_or(TIMEOUT),
                max_count: max_count
                    .map_or(MAX_COUNT, |n| usize::try_from(n).unwrap_or(MAX_COUNT).min(MAX_COUNT)),
            }),
            _ => Err(Failure::invalid(findings.0)),
        }
    }

    /// Whether it counts what happens at a moment. One in error does: what happens meanwhile is not lost.
    pub(crate) fn is_counting(&self, moment: Micros) -> bool {
        self.status != Status::Off && self.end.is_none_or(|end| moment < end)
    }

    /// Whether it is one to a topic.
    pub(crate) fn is_topic_based(&self) -> bool {
        self.topic.is_some()
    }
}

fn first_message(failure: &Failure) -> String {
    failure.issues.iter().map(|i| i.diagnostics.as_str()).collect::<Vec<_>>().join("; ")
}

fn selection(hub: &Hub, root: NodeRef<'_>, findings: &mut Findings) -> (Option<Selection>, Option<String>) {
    let node = root.child("criteria");
    let Some(written) = node.and_then(NodeRef::value) else {
        let message = "say what it is about: a search (Observation?code=1234-5) or a topic's canonical URL";
        findings.add(IssueType::Required, "criteria", message);
        return (None, None);
    };
    let filters = node.map(|n| extensions(n, "backport-filter-criteria")).unwrap_or_default();
    if !written.contains(':') || written.find('?').is_some_and(|at| !written[..at].contains(':')) {
        if !filters.is_empty() {
            let message = "filters are for subscriptions to a topic; write more into the search instead";
            findings.add(IssueType::NotSupported, "criteria", message);
        }
        return match criteria(hub, &written) {
            Ok(query) => (Some(Selection::Search(query)), None),
            Err(failure) => {
                findings.add(IssueType::Invalid, "criteria", first_message(&failure));
                (None, None)
            }
        };
    }
    if filters.len() > MAX_FILTERS {
        let message = format!("at most {MAX_FILTERS} filters are accepted, found {}", filters.len());
        findings.add(IssueType::TooCostly, "criteria", message);
    }
    let topic = Some(written.to_string());
    let triggers = match topic::named(&written) {
        Ok(found) => found.triggers(hub),
        Err(message) => {
            findings.add(IssueType::NotFound, "criteria", message);
            return (None, topic);
        }
    };
    let read: Result<Vec<_>, Failure> =
        filters.iter().take(MAX_FILTERS).map(|text| criteria(hub, text)).collect();
    match (triggers, read) {
        (Ok(triggers), Ok(filters)) => {
            let idle = filters.iter().find(|f| !triggers.iter().any(|t| t.concerns(f.resource_type)));
            if let Some(filter) = idle {
                let name = fhir::r4().type_name(filter.resource_type);
                let message = format!("a filter on {name} never applies: the topic is not about that type");
                findings.add(IssueType::BusinessRule, "criteria", message);
            }
            (Some(Selection::Topic { triggers, filters }), topic)
        }
        (Err(failure), _) | (_, Err(failure)) => {
            findings.add(IssueType::Invalid, "criteria", first_message(&failure));
            (None, topic)
        }
    }
}

fn channel(root: NodeRef<'_>, findings: &mut Findings) -> Option<Channel> {
    let found = match root.text_at("channel.type").as_deref() {
        Some("rest-hook") => return Some(Channel::RestHook),
        Some("websocket") => return Some(Channel::Websocket),
        Some("email") => return Some(Channel::Email),
        Some(other) => format!("'{other}' is not available here; "),
        None => String::new(),
    };
    let message = format!("{found}rest-hook, websocket and email are");
    findings.add(IssueType::NotSupported, "channel.type", message);
    None
}

fn payload(root: NodeRef<'_>, is_topic_based: bool, findings: &mut Findings) -> (Option<Media>, Content) {
    let node = root.path("channel.payload");
    let written = node.and_then(NodeRef::value).filter(|text| !text.is_empty());
    let media = written.as_deref().and_then(Media::named);
    if let (Some(written), None) = (&written, media) {
        let message =
            format!("'{written}' is not available here; application/fhir+json and application/fhir+xml are");
        findings.add(IssueType::NotSupported, "channel.payload", message);
    }
    let content = node.and_then(|n| extensions(n, "backport-payload-content").into_iter().next());
    let content = match (content, is_topic_based) {
        (None, false) => Content::FullResource,
        (Some(code), true) => Content::from_code(&code).unwrap_or_else(|| {
            let message =
                format!("backport-payload-content is empty, id-only or full-resource, found '{code}'");
            findings.add(IssueType::Value, "channel.payload", message);
            Content::Empty
        }),
        (None, true) => {
            let message = "a subscription to a topic says what is sent: the extension backport-payload-content (empty, id-only or full-resource) on channel.payload";
            findings.add(IssueType::Required, "channel.payload", message);
            Content::Empty
        }
        (Some(_), false) => {
            let message =
                "backport-payload-content is for subscriptions to a topic, and criteria is a search";
            findings.add(IssueType::NotSupported, "channel.payload", message);
            Content::FullResource
        }
    };
    (media, content)
}

fn headers(root: NodeRef<'_>, channel: Option<Channel>, findings: &mut Findings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let written = root.child("channel").into_iter().flat_map(|c| c.all("header").collect::<Vec<_>>());
    for (at, header) in written.filter_map(NodeRef::value).enumerate() {
        let place = format!("channel.header[{at}]");
        // A header's value may be a secret, so no message repeats it.
        let Some((name, value)) = header.split_once(':').map(|(n, v)| (n.trim(), v.trim())) else {
            findings.add(IssueType::Value, &place, "write a header as 'Name: value'");
            continue;
        };
        let lower = name.to_ascii_lowercase();
        let is_readable = ureq::http::HeaderName::from_bytes(lower.as_bytes()).is_ok()
            && ureq::http::HeaderValue::from_str(value).is_ok();
        let refusal = match channel {
            _ if at >= MAX_HEADERS => Some(format!("at most {MAX_HEADERS} headers are accepted")),
            Some(Channel::Websocket) => Some("a websocket takes no headers".to_owned()),
            Some(Channel::Email) if lower != "subject" => {
                Some("of an email's headers only Subject can be set".to_owned())
            }
            Some(Channel::RestHook) if OWN_HEADERS.contains(&lower.as_str()) => {
                Some(format!("the hub sets {name} itself"))
            }
            Some(Channel::RestHook) if !is_readable => Some("this is no header of HTTP".to_owned()),
            _ => None,
        };
        match refusal {
            Some(message) => findings.add(IssueType::Value, &place, message),
            None => found.push((name.to_owned(), value.to_owned())),
        }
    }
    found
}
