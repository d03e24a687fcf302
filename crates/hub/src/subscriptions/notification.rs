//! What is sent and answered about events: the status as Parameters, the notification as a Bundle of type history
//! (<https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html>).

use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::{TypeId, r4};
use store::layout::log::{Command, Content as Logged};
use store::{Kept, Place, Reader};

use super::definition::{Content, Media};
use super::events::Event;
use super::selection::Kind;
use crate::{Failure, bundle};

const PROFILES: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

/// Why something is said about a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Occasion {
    Handshake,
    Heartbeat,
    EventNotification,
    QueryStatus,
    QueryEvent,
}

impl Occasion {
    fn code(self) -> &'static str {
        match self {
            Occasion::Handshake => "handshake",
            Occasion::Heartbeat => "heartbeat",
            Occasion::EventNotification => "event-notification",
            Occasion::QueryStatus => "query-status",
            Occasion::QueryEvent => "query-event",
        }
    }
}

/// What is said about a subscription.
pub(crate) struct Notice<'a> {
    /// The hub's base URL, as the receiver knows it.
    pub(crate) base: &'a str,
    pub(crate) id: &'a str,
    pub(crate) topic: Option<&'a str>,
    /// The code of its status.
    pub(crate) status: &'a str,
    pub(crate) occasion: Occasion,
    /// Events since the subscription began.
    pub(crate) count: u64,
    pub(crate) error: Option<&'a str>,
}

/// An event with what it is about.
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) place: Place,
    pub(crate) instant: i64,
    pub(crate) resource_type: TypeId,
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// The version it made.
    pub(crate) version: u64,
}

impl Told {
    /// Looks an event up in the log.
    ///
    /// # Errors
    /// As the engine says.
    pub(crate) fn of(reader: &Reader, event: Event) -> Result<Told, Failure> {
        let entry = reader.entry(event.place)?;
        let command: Option<&Command> = match &entry.content {
            Logged::Transaction(commands) => commands.get(event.index as usize),
            Logged::Settings(_) | Logged::Redaction(_) => None,
        };
        let found =
            command.and_then(|c| Some((c, r4().resource_numbered(c.type_number)?, Kind::of(c.operation)?)));
        let (command, resource_type, kind) = found.ok_or_else(|| {
            let message = format!("event {} is not in the log at {}", event.number, event.place.0);
            Failure::new(crate::Kind::Internal, fhir::IssueType::Exception, message)
        })?;
        Ok(Told {
            number: event.number,
            place: event.place,
            instant: entry.instant,
            resource_type,
            id: command.id.unpack(),
            kind,
            version: command.version,
        })
    }

    /// `Type/id`
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", r4().type_name(self.resource_type), self.id)
    }

    /// The resource as the event left it; none if it was deleted, or its text has been destroyed.
    ///
    /// # Errors
    /// As the engine says.
    pub(crate) fn resource(&self, reader: &Reader) -> Result<Option<Kept>, Failure> {
        let kept = reader.read(self.resource_type, &self.id, Some(self.place))?;
        Ok(kept.filter(|k| k.text.is_some()))
    }
}

fn named(json: &mut JsonWriter, name: &str, kind: &str, value: &str) {
    json.object(|p| {
        p.member("name", name);
        p.member(kind, value);
    });
}

fn reference(json: &mut JsonWriter, name: &str, to: &str) {
    json.object(|p| {
        p.member("name", name);
        p.name("valueReference").object(|r| {
            r.member("reference", to);
        });
    });
}

impl Notice<'_> {
    fn name(&self) -> String {
        format!("{}/Subscription/{}", self.base, self.id)
    }

    /// Appends the status as Parameters.
    pub(crate) fn write_status(&self, json: &mut JsonWriter, events: &[Told], content: Content) {
        json.object(|status| {
            status.member("resourceType", "Parameters");
            status.name("meta").object(|m| {
                m.name("profile").array(|list| {
                    list.string(&format!("{PROFILES}backport-subscription-status-r4"));
                });
            });
            status.name("parameter").array(|list| {
                reference(list, "subscription", &self.name());
                if let Some(topic) = self.topic {
                    named(list, "topic", "valueCanonical", topic);
                }
                named(list, "status", "valueCode", self.status);
                named(list, "type", "valueCode", self.occasion.code());
                named(list, "events-since-subscription-start", "valueString", &self.count.to_string());
                for event in events {
                    list.object(|p| {
                        p.member("name", "notification-event");
                        p.name("part").array(|parts| self.write_event(parts, event, content));
                    });
                }
                if let Some(error) = self.error {
                    list.object(|p| {
                        p.member("name", "error");
                        p.name("valueCodeableConcept").object(|c| {
                            c.member("text", error);
                        });
                    });
                }
            });
        });
    }

    fn write_event(&self, parts: &mut JsonWriter, event: &Told, content: Content) {
        named(parts, "event-number", "valueString", &event.number.to_string());
        named(parts, "timestamp", "valueInstant", &format_instant(event.instant));
        if content != Content::Empty {
            reference(parts, "focus", &format!("{}/{}", self.base, event.name()));
        }
    }

    /// The notification: the status, and what the events are about.
    ///
    /// # Errors
    /// As the engine says.
    pub(crate) fn bundle(
        &self,
        reader: &Reader,
        events: &[Told],
        content: Content,
        uuid: &str,
        moment: i64,
    ) -> Result<String, Failure> {
        let mut resources = Vec::with_capacity(events.len());
        for event in events {
            resources.push(match content {
                Content::FullResource => event.resource(reader)?,
                Content::IdOnly | Content::Empty => None,
            });
        }
        let mut json = JsonWriter::new();
        json.object(|b| {
            b.member("resourceType", "Bundle");
            b.name("meta").object(|m| {
                m.name("profile").array(|list| {
                    list.string(&format!("{PROFILES}backport-subscription-notification-r4"));
                });
            });
            b.member("type", "history");
            b.member("timestamp", &format_instant(moment));
            b.name("entry").array(|entries| {
                entries.object(|e| {
                    e.member("fullUrl", &format!("urn:uuid:{uuid}"));
                    self.write_status(e.name("resource"), events, content);
                    request(e, "GET", &format!("{}/$status", self.name()));
                    e.name("response").object(|r| {
                        r.member("status", "200");
                    });
                });
                if content != Content::Empty {
                    for (event, resource) in events.iter().zip(&resources) {
                        entries.object(|e| self.write_focus(e, event, resource.as_ref()));
                    }
                }
            });
        });
        Ok(json.finish())
    }

    fn write_focus(&self, json: &mut JsonWriter, event: &Told, resource: Option<&Kept>) {
        let name = event.name();
        json.member("fullUrl", &format!("{}/{name}", self.base));
        if let Some(kept) = resource {
            json.name("resource").raw_with(|out| kept.write(out));
        }
        let (method, status) = match event.kind {
            Kind::Create => ("PUT", "201"),
            Kind::Update => ("PUT", "200"),
            Kind::Delete => ("DELETE", "204"),
        };
        request(json, method, &name);
        json.name("response").object(|r| {
            r.member("status", status);
            r.member("etag", &bundle::etag(event.version));
            r.member("lastModified", &format_instant(event.instant));
        });
    }
}

fn request(json: &mut JsonWriter, method: &str, url: &str) {
    json.name("request").object(|r| {
        r.member("method", method);
        r.member("url", url);
    });
}

/// A resource in the form a subscription asks for.
///
/// # Errors
/// What cannot be written in that form.
pub(crate) fn written(json: String, media: Media, limits: &fhir::Limits) -> Result<String, Failure> {
    match media {
        Media::Json => Ok(json),
        Media::Xml => {
            let resource = fhir::json::parse(json.as_bytes(), limits)?;
            fhir::xml::to_xml(resource.root())
                .map_err(|e| Failure::new(crate::Kind::Internal, fhir::IssueType::Exception, e.to_string()))
        }
    }
}
