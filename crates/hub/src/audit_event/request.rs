//! What a search for AuditEvents asks.

use data_encoding::BASE64URL_NOPAD;
use fhir::issue::nearest;
use fhir::{DateTime, Issue, IssueType};
use ledger::Filter;
use search::query::Pair;

use crate::{Access, Failure, Hub, Kind};

/// Where a page goes on: before these numbers of the ledger and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) ledger: u64,
    pub(super) log: u64,
}

impl Default for Cursor {
    fn default() -> Cursor {
        Cursor { ledger: u64::MAX, log: u64::MAX }
    }
}

impl Cursor {
    pub(super) fn encode(self) -> String {
        BASE64URL_NOPAD.encode(&[self.ledger.to_be_bytes(), self.log.to_be_bytes()].concat())
    }

    fn decode(text: &str) -> Option<Cursor> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (ledger, log) = bytes.split_first_chunk::<8>()?;
        Some(Cursor { ledger: u64::from_be_bytes(*ledger), log: u64::from_be_bytes(log.try_into().ok()?) })
    }
}

/// A search for AuditEvents.
#[derive(Clone, Debug, Default)]
pub struct AuditEventRequest {
    /// Whom they are about.
    pub(super) patients: Vec<String>,
    /// What else they have to be.
    pub(super) filter: Filter,
    pub(super) count: Option<usize>,
    pub(super) cursor: Option<Cursor>,
    /// The same as it was given away.
    pub(super) cursor_given: Option<String>,
    pub(super) understood: Vec<Pair>,
}

const NAMES: &[&str] =
    &["patient", "agent", "date", "entity", "action", "outcome", "_count", "_sort", "_cursor", "_ledger"];

pub(super) fn no_ledger() -> Failure {
    Failure::new(
        Kind::NotSupported,
        IssueType::NotSupported,
        "reading is not audited here; a hub with --audit on keeps a ledger",
    )
}

impl AuditEventRequest {
    /// Reads the parameters; `patient` is a compartment's.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(
        hub: &Hub,
        access: &Access,
        patient: Option<&str>,
        pairs: &[Pair],
    ) -> Result<AuditEventRequest, Failure> {
        let mut request = AuditEventRequest::default();
        let cursor = pairs.iter().find(|(name, _)| name == "_cursor").map(|(_, text)| text.clone());
        let pairs = &hub.opened_pairs(access, pairs)?;
        let mut issues = Vec::new();
        request.patients.extend(patient.map(str::to_owned));
        request.cursor_given = cursor;
        for (name, text) in pairs {
            match request.take(hub, name, text) {
                Ok(()) if matches!(name.as_str(), "_cursor" | "_ledger") => {}
                Ok(()) => request.understood.push((name.clone(), text.clone())),
                Err(message) => issues.push(Issue::error(IssueType::Invalid, format!("{name}: {message}"))),
            }
        }
        if !issues.is_empty() {
            return Err(Failure::invalid(issues));
        }
        if let Some(patient) = patient {
            request.understood.push(("patient".to_owned(), patient.to_owned()));
        }
        let filter = &request.filter;
        if filter.entity.is_some()
            && request.patients.is_empty()
            && filter.agent.is_none()
            && filter.from.is_none()
        {
            let message =
                "entity: say patient, agent or date=ge… beside it; all there is would have to be looked at";
            return Err(Issue::error(IssueType::Required, message).into());
        }
        Ok(request)
    }

    fn take(&mut self, hub: &Hub, name: &str, text: &str) -> Result<(), String> {
        let codes = |known: &str| -> Result<Vec<char>, String> {
            let code = |part: &str| part.chars().next().filter(|c| part.len() == 1 && known.contains(*c));
            let all = text.split(',').map(|part| {
                code(part).ok_or_else(|| format!("'{part}' is none of {}", known.replace("", " ").trim()))
            });
            all.collect()
        };
        match name {
            "patient" | "patient:Patient" => {
                for id in text.split(',') {
                    let id = id.strip_prefix("Patient/").unwrap_or(id);
                    if id.is_empty() || id.contains('/') {
                        return Err(format!("'{id}' is not the id of a Patient"));
                    }
                    self.patients.push(id.to_owned());
                }
            }
            "agent" => set(&mut self.filter.agent, text)?,
            "entity" => match text.strip_prefix("Patient/") {
                Some(id) => self.patients.push(id.to_owned()),
                None => set(&mut self.filter.entity, text)?,
            },
            "date" => self.date(hub, text)?,
            "action" => self.filter.actions = codes("CRUDE")?,
            // 12, that a hub went away, nobody writes any more.
            "outcome" => self.filter.outcomes = codes("048")?,
            "_sort" if matches!(text, "-date" | "-recorded") => {}
            "_sort" => return Err("they come newest first: _sort=-date".to_owned()),
            "_ledger" if text == "true" => {}
            "_ledger" => return Err("it is true or false".to_owned()),
            "_count" => match text.parse() {
                Ok(count) if count > 0 => self.count = Some(count),
                _ => return Err(format!("'{text}' is not a number of events from 1 on")),
            },
            "_cursor" => {
                let found = Cursor::decode(text);
                self.cursor =
                    Some(found.ok_or("this is not a place in the audit events; begin the search anew")?);
            }
            other => {
                let near = nearest(other, NAMES.iter().copied());
                let known = if near.is_empty() { NAMES.join(", ") } else { near.join(" or ") };
                return Err(format!(
                    "the hub's own audit events have no such parameter (they have {known}); with _ledger=false those sent by others are searched"
                ));
            }
        }
        Ok(())
    }

    fn date(&mut self, hub: &Hub, text: &str) -> Result<(), String> {
        let (prefix, date) = match text.get(..2) {
            Some(prefix) if prefix.bytes().all(|b| b.is_ascii_lowercase()) => (prefix, &text[2..]),
            _ => ("eq", text),
        };
        let mended = date.replacen(' ', "+", usize::from(date.len() > 16));
        let parsed = DateTime::parse(&mended).ok_or_else(|| format!("'{text}' is not a date or instant"))?;
        let (start, end) = parsed.interval(hub.zone());
        let (from, until) = match prefix {
            "eq" => (Some(start), Some(end)),
            "ge" => (Some(start), None),
            "gt" | "sa" => (Some(end), None),
            "le" => (None, Some(end)),
            "lt" | "eb" => (None, Some(start)),
            other => return Err(format!("the prefix {other} is none of eq, ge, gt, sa, le, lt, eb")),
        };
        self.filter.from = self.filter.from.max(from);
        if let Some(until) = until {
            self.filter.until = Some(self.filter.until.map_or(until, |known| known.min(until)));
        }
        Ok(())
    }

    fn wants(&self, codes: &str) -> bool {
        self.filter.actions.is_empty() || self.filter.actions.iter().any(|action| codes.contains(*action))
    }

    /// Whether records of the ledger may be among them.
    pub(super) fn wants_reads(&self) -> bool {
        self.wants("CRUDE")
    }

    /// Whether entries of the log may be.
    pub(super) fn wants_writes(&self) -> bool {
        self.wants("CUDE") && (self.filter.outcomes.is_empty() || self.filter.outcomes.contains(&'0'))
    }
}

fn set(place: &mut Option<String>, text: &str) -> Result<(), String> {
    if text.is_empty() || place.is_some() {
        return Err("it is given once, with a value".to_owned());
    }
    *place = Some(text.to_owned());
    Ok(())
}
