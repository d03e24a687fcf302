//! `$status` and `$events` (<https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-status.html>).

use std::time::Duration;

use fhir::issue::nearest;
use fhir::json::JsonWriter;
use fhir::{IssueType, Resource};
use search::query::Pair;
use store::Kept;

use super::definition::{Content, Definition, status_of};
use super::notification::{Notice, Occasion, Told};
use super::{Subscriptions, failed, now, subscription_type};
use crate::{Access, Failure, Kind};

/// Events answered at once.
const MAX_EVENTS: u64 = 1000;
/// Bytes of resources answered at once; one resource may be as large as any.
const MAX_EVENT_BYTES: usize = 32 << 20;
/// Subscriptions answered at once.
const MAX_STATUSES: usize = 1000;
/// What was written before is counted before an answer, which waits for that so long.
const CATCHING_UP: Duration = Duration::from_secs(10);

fn invalid(name: &str, message: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Invalid, IssueType::Invalid, format!("{name}: {message}"))
}

fn unknown(name: &str, known: &[&str]) -> Failure {
    let near = nearest(name, known.iter().copied());
    let hint = if near.is_empty() { known.join(", ") } else { near.join(" or ") };
    let has = if known.is_empty() { "it has none".to_owned() } else { format!("it has {hint}") };
    Failure::new(
        Kind::Invalid,
        IssueType::NotSupported,
        format!("{name}: there is no such parameter ({has})"),
    )
}

/// A subscription as it is asked about.
struct Subject {
    id: String,
    resource: Resource,
    /// As it is served, if it is understood.
    definition: Option<Definition>,
    count: u64,
}

impl Subject {
    fn status(&self) -> &'static str {
        status_of(self.resource.root()).map_or("error", |s| s.code())
    }

    fn notice<'a>(&'a self, base: &'a str, occasion: Occasion, error: Option<&'a str>) -> Notice<'a> {
        let topic = self.definition.as_ref().and_then(|d| d.topic.as_deref());
        Notice { base, id: &self.id, topic, status: self.status(), occasion, count: self.count, error }
    }
}

impl Subscriptions {
    fn subject(&self, kept: &Kept) -> Result<Subject, Failure> {
        let inner = &self.inner;
        let resource = fhir::json::parse(kept.json().as_bytes(), &inner.hub.limits)?;
        let definition = Definition::read(&inner.hub, resource.root()).ok();
        let served = inner.state().subscribed.get(&kept.id).map(|s| s.events.count());
        let count = served.unwrap_or_else(|| inner.folder.count(&kept.id));
        Ok(Subject { id: kept.id.clone(), resource, definition, count })
    }

    /// What was written before has been counted.
    fn caught_up(&self) -> Result<(), Failure> {
        let place = self.inner.hub.store().reader().place();
        if self.inner.caught_up(place, CATCHING_UP) {
            return Ok(());
        }
        let message = "subscriptions are behind the log for a moment; ask again";
        Err(Failure::new(Kind::Unavailable, IssueType::Timeout, message))
    }

    /// `$status` of one subscription, or of those that `id` and `status` name.
    ///
    /// # Errors
    /// A parameter that is not understood, a subscription that is not there.
    pub fn status(
        &self,
        access: &Access,
        id: Option<&str>,
        pairs: &[Pair],
        base: &str,
    ) -> Result<String, Failure> {
        access.whole("$status")?;
        let (mut ids, mut statuses): (Vec<&str>, Vec<&str>) = (id.into_iter().collect(), Vec::new());
        for (name, value) in pairs {
            match name.as_str() {
                "id" if id.is_none() => ids.extend(value.split(',')),
                "status" if id.is_none() => statuses.extend(value.split(',')),
                other if id.is_none() => return Err(unknown(other, &["id", "status"])),
                other => return Err(unknown(other, &[])),
            }
        }
        if let Some(other) = statuses.iter().find(|s| super::Status::from_code(s).is_none()) {
            return Err(invalid("status", format!("'{other}' is none of requested, active, error, off")));
        }
        self.caught_up()?;
        let hub = &self.inner.hub;
        let mut found = Vec::new();
        if ids.is_empty() {
            hub.reader(access).each_of_type(subscription_type(), None, |kept| {
                found.push(kept);
                found.len() <= MAX_STATUSES
            })?;
        }
        if found.len() > MAX_STATUSES || ids.len() > MAX_STATUSES {
            let message = format!("more than {MAX_STATUSES} subscriptions; name fewer by id");
            return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
        }
        for id in ids {
            let id = id.strip_prefix("Subscription/").unwrap_or(id);
            found.push(hub.read(access, subscription_type(), id, None)?);
        }
        let subjects = found.iter().map(|kept| self.subject(kept)).collect::<Result<Vec<_>, _>>()?;
        let mut json = JsonWriter::new();
        json.object(|b| {
            b.member("resourceType", "Bundle");
            b.member("type", "searchset");
            let wanted = || subjects.iter().filter(|s| statuses.is_empty() || statuses.contains(&s.status()));
            b.raw_member("total", &wanted().count().to_string());
            if wanted().next().is_some() {
                b.name("entry").array(|entries| {
                    for subject in wanted() {
                        let error = subject.resource.root().text_at("error");
                        let notice = subject.notice(base, Occasion::QueryStatus, error.as_deref());
                        entries.object(|e| {
                            e.member("fullUrl", &format!("urn:uuid:{}", hub.new_id()));
                            notice.write_status(e.name("resource"), &[], Content::Empty);
                            e.name("search").object(|s| {
                                s.member("mode", "match");
                            });
                        });
                    }
                });
            }
        });
        Ok(json.finish())
    }

    /// `$events`: the events of a subscription by their numbers.
    ///
    /// # Errors
    /// A parameter that is not understood, a subscription that is not there, too many events at once.
    pub fn events(&self, access: &Access, id: &str, pairs: &[Pair], base: &str) -> Result<String, Failure> {
        access.whole("$events")?;
        let (mut from, mut to, mut content) = (1, None, None);
        for (name, value) in pairs {
            let number =
                || value.parse::<u64>().map_err(|_| invalid(name, format!("'{value}' is no event's number")));
            match name.as_str() {
                "eventsSinceNumber" => from = number()?.max(1),
                "eventsUntilNumber" => to = Some(number()?),
                "content" => {
                    content = Some(Content::from_code(value).ok_or_else(|| {
                        invalid(name, format!("'{value}' is none of empty, id-only, full-resource"))
                    })?);
                }
                other => return Err(unknown(other, &["eventsSinceNumber", "eventsUntilNumber", "content"])),
            }
        }
        let hub = &self.inner.hub;
        let kept = hub.read(access, subscription_type(), id, None)?;
        self.caught_up()?;
        let subject = self.subject(&kept)?;
        let to = to.unwrap_or(subject.count).min(subject.count);
        if to.saturating_sub(from) >= MAX_EVENTS {
            let message = format!(
                "there are {} events from {from} to {to}, and {MAX_EVENTS} are answered at once; ask with eventsUntilNumber={}, then on",
                to - from + 1,
                from + MAX_EVENTS - 1
            );
            return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
        }
        let served = self.inner.state().subscribed.get(id).map(|s| std::sync::Arc::clone(&s.events));
        let events = match served {
            Some(events) => events.range(from, to),
            None if subject.count == 0 => Ok(Vec::new()),
            None => self.inner.folder.range(id, from, to),
        };
        let reader = hub.reader(access);
        let events = events.map_err(|e| failed(&e))?.into_iter().map(|event| Told::of(&reader, event));
        let told = events.collect::<Result<Vec<_>, _>>()?;
        let own = subject.definition.as_ref().map(|d| match (d.is_topic_based(), d.media) {
            (false, None) => Content::IdOnly,
            _ => d.content,
        });
        let content = content.or(own).unwrap_or(Content::IdOnly);
        if access.seen.is_some() && content != Content::Empty {
            for one in &told {
                access.saw_all(&one.resource(&reader)?);
            }
        }
        if content == Content::FullResource {
            let mut bytes = 0;
            for one in &told {
                bytes += one.resource(&reader)?.and_then(|kept| kept.text).map_or(0, |(text, _)| text.len());
                if bytes > MAX_EVENT_BYTES {
                    let message = format!(
                        "the resources of events {from} to {to} are larger than {MAX_EVENT_BYTES} bytes; ask with eventsUntilNumber={}, then on, or for content=id-only",
                        one.number.saturating_sub(1).max(from)
                    );
                    return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
                }
            }
        }
        let notice = subject.notice(base, Occasion::QueryEvent, None);
        notice.bundle(&reader, &told, content, &hub.new_id(), now())
    }
}
