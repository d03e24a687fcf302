//! A record as an `AuditEvent` (<https://hl7.org/fhir/R4/auditevent.html>), in the patterns of IHE's Basic Audit Log Patterns
//! (<https://profiles.ihe.net/ITI/BALP/>): type, subtype, action and outcome; the agents client, server and user; the
//! entities data, query, patient and transaction.
//!
//! Those patterns have one patient an event. A record may name several persons: it can be seen whole, then it claims the
//! pattern without a patient, or as it concerns one of them ([`Sight::Person`]), then it names nobody else. What ended
//! badly claims no pattern, since they are those of what was done.

use data_encoding::{BASE64, HEXLOWER};
use fhir::date_time::format_instant;
use fhir::json::JsonWriter;
use fhir::r4;

use crate::chain::Link;
use crate::record::{Action, Record};

type Coding = (&'static str, &'static str, &'static str);

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const OWN: &str = "https://yojigen.example/fhir/CodeSystem/audit-action";
const RECORD: &str = "https://yojigen.example/fhir/StructureDefinition/ledger-record";
const NODE: &str = "https://yojigen.example/fhir/NamingSystem/node";

const SOURCE_ROLE: Coding = (DCM, "110153", "Source Role ID");
const DESTINATION_ROLE: Coding = (DCM, "110152", "Destination Role ID");
const APPLICATION: Coding = (DCM, "110150", "Application");
const CUSTODIAN: Coding =
    ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian", "Custodian");
const PERSON: Coding = (ENTITY_TYPE, "1", "Person");
const SYSTEM_OBJECT: Coding = (ENTITY_TYPE, "2", "System Object");

/// How much of a record is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight<'a> {
    /// All of it.
    Whole,
    /// As it concerns one person: no other is named.
    Person(&'a str),
    /// As it concerns those who are not named.
    Nobody,
}

/// A record to be written as an AuditEvent.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The AuditEvent's id.
    pub id: &'a str,
    /// What it says.
    pub record: &'a Record,
    /// Its number and link, if it is the ledger's.
    pub link: Option<(u64, &'a Link)>,
    /// Further things it was about, `Type/id/_history/version`, beside the target.
    pub versions: &'a [String],
    /// The node it was done on.
    pub node: &'a str,
    /// The FHIR base it was done at, if known.
    pub base: Option<&'a str>,
    /// How much of it is seen.
    pub sight: Sight<'a>,
}

fn coding(json: &mut JsonWriter, (system, code, display): (&str, &str, &str)) {
    json.object(|c| {
        c.member("system", system);
        c.member("code", code);
        if !display.is_empty() {
            c.member("display", display);
        }
    });
}

/// Whether a text is a reference to a resource of this hub, a version of it included.
fn is_reference(text: &str) -> bool {
    let is_id = |id: &str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    };
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [name, id] | [name, id, "_history", _] => r4().resource_type(name).is_some() && is_id(id),
        _ => false,
    }
}

/// A reference, or, to what is none, a text.
fn reference(json: &mut JsonWriter, text: &str) {
    json.object(|r| {
        r.member(if is_reference(text) { "reference" } else { "display" }, text);
    });
}

impl Event<'_> {
    /// The JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let mut json = JsonWriter::new();
        self.write(&mut json);
        json.finish()
    }

    /// Appends the JSON as an object.
    pub fn write(&self, json: &mut JsonWriter) {
        let record = self.record;
        json.object(|e| {
            e.member("resourceType", "AuditEvent");
            e.member("id", self.id);
            e.name("meta").object(|m| {
                m.member("versionId", "1");
                m.member("lastUpdated", &format_instant(record.instant));
                if let Some(profile) = self.profile() {
                    m.name("profile").array(|list| {
                        list.string(&format!(
                            "https://profiles.ihe.net/ITI/BALP/StructureDefinition/{profile}"
                        ));
                    });
                }
            });
            if let Some((sequence, link)) = self.link {
                e.name("extension").array(|list| {
                    list.object(|x| {
                        x.member("url", RECORD);
                        x.member("valueString", &format!("{sequence}:{}", HEXLOWER.encode(link)));
                    });
                });
            }
            coding(e.name("type"), event_type(&record.action));
            e.name("subtype").array(|list| self.subtypes(list));
            e.member("action", record.action.code().encode_utf8(&mut [0; 4]));
            e.member("recorded", &format_instant(record.instant));
            e.member("outcome", record.outcome().encode_utf8(&mut [0; 4]));
            e.member("outcomeDesc", &self.outcome());
            if record.purpose.is_some() || record.emergency.is_some() {
                e.name("purposeOfEvent").array(|list| self.purposes(list));
            }
            e.name("agent").array(|list| self.agents(list));
            e.name("source").object(|s| {
                s.name("observer").object(|o| self.observer(o));
                s.name("type").array(|list| {
                    let system = "http://terminology.hl7.org/CodeSystem/security-source-type";
                    coding(list, (system, "4", "Application Server"));
                });
            });
            if self.has_entities() {
                e.name("entity").array(|list| self.entities(list));
            }
        });
    }

    /// The pattern it follows.
    fn profile(&self) -> Option<String> {
        if !self.record.is_done() {
            return None;
        }
        let name = match &self.record.action {
            Action::Read | Action::VersionRead => "Read",
            Action::Search | Action::SearchSystem => "Query",
            Action::Create => "Create",
            Action::Update | Action::Patch => "Update",
            Action::Delete => "Delete",
            _ => return None,
        };
        // The patterns have one object an event, and a network address for each side.
        let objects = self.versions.len() + usize::from(is_reference(&self.record.target));
        if (name != "Query" && objects != 1) || self.record.address.is_none() || self.base.is_none() {
            return None;
        }
        let is_patient = match self.sight {
            Sight::Person(_) => true,
            Sight::Nobody => false,
            Sight::Whole => self.record.persons.len() == 1 && !self.record.is_everyone,
        };
        Some(format!("IHE.BasicAudit.{}{name}", if is_patient { "Patient" } else { "" }))
    }

    fn subtypes(&self, list: &mut JsonWriter) {
        let is_instance = self.record.target.contains('/');
        let interaction = match &self.record.action {
            Action::SignIn => return coding(list, (DCM, "110122", "Login")),
            Action::SignOut => return coding(list, (DCM, "110123", "Logout")),
            Action::BreakGlass => return coding(list, (DCM, "110127", "Emergency Override Started")),
            Action::Page | Action::Notification | Action::Prune | Action::Export | Action::Other(_) => {
                return coding(list, (OWN, self.record.action.name(), ""));
            }
            Action::History if is_instance => "history-instance",
            Action::History if self.record.target.is_empty() => "history-system",
            Action::History => "history-type",
            Action::Operation(name) => {
                coding(list, (INTERACTION, "operation", ""));
                return coding(list, (OWN, name, ""));
            }
            other => other.name(),
        };
        coding(list, (INTERACTION, interaction, ""));
    }

    fn outcome(&self) -> String {
        let record = self.record;
        let mut text = record.status.to_string();
        if record.rows > 0 {
            text += &format!("; rows: {}", record.rows);
        }
        if let Some(reason) = &record.reason {
            text += &format!("; {reason}");
        }
        text
    }

    fn purposes(&self, list: &mut JsonWriter) {
        if let Some(purpose) = &self.record.purpose {
            list.object(|p| {
                if purpose.bytes().all(|b| b.is_ascii_uppercase()) {
                    p.name("coding").array(|codes| coding(codes, (REASON, purpose, "")));
                } else {
                    p.member("text", purpose);
                }
            });
        }
        if let Some(reason) = &self.record.emergency {
            list.object(|p| {
                p.name("coding").array(|codes| coding(codes, (REASON, "BTG", "break the glass")));
                p.member("text", reason);
            });
        }
    }

    fn agents(&self, list: &mut JsonWriter) {
        let record = self.record;
        // The client is the one that receives a read; in the patterns for queries and writes, the one that sends them.
        let (client, server) = match record.action {
            Action::Read | Action::VersionRead => (DESTINATION_ROLE, SOURCE_ROLE),
            Action::Delete => (APPLICATION, CUSTODIAN),
            _ => (SOURCE_ROLE, DESTINATION_ROLE),
        };
        let is_write = matches!(record.action.code(), 'C' | 'U' | 'D');
        if let Some(agent) = &record.agent {
            list.object(|a| {
                a.name("type").object(|t| {
                    let role = if is_write {
                        (PARTICIPATION, "AUT", "author (originator)")
                    } else {
                        (PARTICIPATION, "IRCP", "information recipient")
                    };
                    t.name("coding").array(|codes| coding(codes, role));
                });
                reference(a.name("who"), agent);
                if let Some(name) = &record.agent_name {
                    a.member("name", name);
                }
                a.raw_member("requestor", "true");
            });
        }
        list.object(|a| {
            a.name("type").object(|t| {
                t.name("coding").array(|codes| coding(codes, client));
            });
            let channel = record.channel.as_deref().unwrap_or("unknown");
            reference(a.name("who"), record.client.as_deref().unwrap_or(&format!("a client ({channel})")));
            a.raw_member("requestor", if record.agent.is_none() { "true" } else { "false" });
            if let Some(address) = &record.address {
                a.name("network").object(|n| {
                    n.member("address", address);
                    n.member("type", "2");
                });
            }
        });
        list.object(|a| {
            a.name("type").object(|t| {
                t.name("coding").array(|codes| coding(codes, server));
            });
            a.name("who").object(|o| self.observer(o));
            a.raw_member("requestor", "false");
            if let Some(base) = self.base {
                a.name("network").object(|n| {
                    n.member("address", base);
                    n.member("type", "5");
                });
            }
        });
        let provider = ("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV", "healthcare provider");
        let others = [
            (&record.organisation, provider),
            (&record.on_behalf_of, (PARTICIPATION, "RESP", "responsible party")),
        ];
        for (other, role) in others {
            if let Some(who) = other {
                list.object(|a| {
                    a.name("type").object(|t| {
                        t.name("coding").array(|codes| coding(codes, role));
                    });
                    reference(a.name("who"), who);
                    a.raw_member("requestor", "false");
                });
            }
        }
    }

    fn observer(&self, json: &mut JsonWriter) {
        json.name("identifier").object(|i| {
            i.member("system", NODE);
            i.member("value", self.node);
        });
        json.member("display", "Yojigen");
    }

    fn has_query(&self) -> bool {
        matches!(self.record.action, Action::Search | Action::SearchSystem) || self.record.query.is_some()
    }

    fn has_entities(&self) -> bool {
        let record = self.record;
        !record.target.is_empty()
            || !self.versions.is_empty()
            || self.has_query()
            || !record.persons.is_empty()
            || record.is_everyone
            || record.request_id.is_some()
    }

    fn entities(&self, list: &mut JsonWriter) {
        let record = self.record;
        let target = Some(&record.target).filter(|t| !t.is_empty() && !self.is_searched());
        for what in target.into_iter().chain(self.versions) {
            list.object(|e| {
                reference(e.name("what"), what);
                coding(e.name("type"), SYSTEM_OBJECT);
                coding(e.name("role"), (ROLE, "4", "Domain Resource"));
            });
        }
        if self.has_query() {
            list.object(|e| {
                coding(e.name("type"), SYSTEM_OBJECT);
                coding(e.name("role"), (ROLE, "24", "Query"));
                let text = record.query.as_ref().map_or("", |q| q.text.as_str());
                let asked =
                    if text.is_empty() { record.target.clone() } else { format!("{}?{text}", record.target) };
                if let Some(query) = record.query.as_ref().filter(|q| q.is_cut()) {
                    let kept = query.text.len();
                    let said = format!("the first {kept} of {} bytes of what was asked", query.length);
                    e.member("description", &said);
                }
                e.member("query", &BASE64.encode(if asked.is_empty() { b"?" } else { asked.as_bytes() }));
            });
        }
        let persons: Vec<&str> = match self.sight {
            Sight::Whole => record.persons.iter().map(String::as_str).collect(),
            Sight::Person(id) => vec![id],
            Sight::Nobody => Vec::new(),
        };
        for id in persons {
            self.patient(list, |e| reference(e.name("what"), &format!("Patient/{id}")));
        }
        if record.is_everyone {
            self.patient(list, |e| {
                e.name("what").object(|w| {
                    w.member(
                        "display",
                        "persons who are not named: more than a record names, or a whole export",
                    );
                });
            });
        }
        if let Some(id) = &record.request_id {
            list.object(|e| {
                e.name("what").object(|w| {
                    w.name("identifier").object(|i| {
                        i.member("value", id);
                    });
                });
                let system = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
                coding(e.name("type"), (system, "XrequestId", ""));
            });
        }
    }

    /// Whether the target is what was searched, which stands in the query.
    fn is_searched(&self) -> bool {
        matches!(self.record.action, Action::Search | Action::SearchSystem)
    }

    fn patient(&self, list: &mut JsonWriter, what: impl FnOnce(&mut JsonWriter)) {
        list.object(|e| {
            what(e);
            coding(e.name("type"), PERSON);
            coding(e.name("role"), (ROLE, "1", "Patient"));
        });
    }
}

fn event_type(action: &Action) -> Coding {
    match action {
        Action::SignIn | Action::SignOut => (DCM, "110114", "User Authentication"),
        Action::BreakGlass => (DCM, "110113", "Security Alert"),
        Action::Prune => (DCM, "110101", "Audit Log Used"),
        Action::Page => (DCM, "110110", "Patient Record"),
        Action::Export => (DCM, "110106", "Export"),
        Action::Operation(name) if name == "$export" => (DCM, "110106", "Export"),
        _ => (EVENT_TYPE, "rest", "RESTful Operation"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Query;

    fn of(record: &Record, sight: Sight<'_>) -> serde_json::Value {
        let base = Some("http://localhost:1/fhir");
        let link = Some((7, &[0xab; 32]));
        let event = Event { id: "ledger-7", record, link, versions: &[], node: "n", base, sight };
        let json = event.json();
        let read = fhir::json::parse(json.as_bytes(), &fhir::Limits::default());
        assert!(read.is_ok(), "{json}\n{:?}", read.err());
        serde_json::from_str(&json).unwrap()
    }

    fn search(persons: &[&str]) -> Record {
        Record {
            action: Action::Search,
            status: 200,
            rows: 3,
            target: "Observation".to_owned(),
            query: Some(Query::of("patient=p&code=1")),
            persons: persons.iter().map(|p| (*p).to_owned()).collect(),
            address: Some("127.0.0.1".to_owned()),
            request_id: Some("r".to_owned()),
            ..Record::default()
        }
    }

    #[test]
    fn each_action_is_an_audit_event_that_reads() {
        let own = |name: &str| name.to_owned();
        let actions = [
            Action::Read,
            Action::VersionRead,
            Action::History,
            Action::Search,
            Action::SearchSystem,
            Action::Operation(own("$everything")),
            Action::Operation(own("$export")),
            Action::Bundle,
            Action::Create,
            Action::Update,
            Action::Patch,
            Action::Delete,
            Action::Export,
            Action::Notification,
            Action::Page,
            Action::SignIn,
            Action::SignOut,
            Action::BreakGlass,
            Action::Prune,
            Action::Other(own("TRACE")),
        ];
        for action in actions {
            for status in [200, 403, 404, 500] {
                for target in ["", "Observation", "Observation/o", "no such/thing/at all"] {
                    let record = Record {
                        action: action.clone(),
                        target: target.to_owned(),
                        agent: Some(own("Practitioner/1")),
                        agent_name: Some(own("X")),
                        purpose: Some(own("TREAT")),
                        emergency: Some(own("unconscious")),
                        organisation: Some(own("Organization/1")),
                        on_behalf_of: Some(own("someone")),
                        is_everyone: true,
                        status,
                        ..search(&["p", "q"])
                    };
                    of(&record, Sight::Whole);
                    of(&record, Sight::Person("q"));
                }
            }
        }
    }

    #[test]
    fn what_concerns_one_person_names_no_other() {
        let profile =
            |event: &serde_json::Value| event["meta"]["profile"][0].as_str().unwrap_or("none").to_owned();
        let whole = of(&search(&["p", "q"]), Sight::Whole);
        assert!(profile(&whole).ends_with("/IHE.BasicAudit.Query"), "{whole}");
        let own = of(&search(&["p", "q"]), Sight::Person("q"));
        assert!(profile(&own).ends_with("/IHE.BasicAudit.PatientQuery"), "{own}");
        assert!(!own.to_string().contains("Patient/p") && own.to_string().contains("Patient/q"), "{own}");
        assert_eq!(profile(&of(&Record { status: 403, ..search(&["p"]) }, Sight::Whole)), "none");
        assert!(profile(&of(&search(&["p"]), Sight::Whole)).ends_with("PatientQuery"));
        assert_eq!(
            BASE64.decode(own["entity"][0]["query"].as_str().unwrap().as_bytes()).unwrap(),
            b"Observation?patient=p&code=1"
        );
    }
}
