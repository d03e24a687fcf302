//! history: of a resource, of a type, of everything (<https://hl7.org/fhir/R4/http.html#history>).

use data_encoding::BASE64URL_NOPAD;
use fhir::date_time::Micros;
use fhir::issue::nearest;
use fhir::subset::Subset;
use fhir::{DateTime, Issue, IssueType, TypeId, r4};
use search::Zone;
use search::query::{self, Pair, SubsetAsked};
use store::{HistoryEntry, HistoryRange, Place, Reader};

use crate::{Access, Failure, Hub, Kind};

/// Whose history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryLevel {
    /// One resource's.
    Instance(TypeId, String),
    /// All resources' of a type.
    Type(TypeId),
    /// Everything's.
    System,
}

/// What part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// `_since`
    pub since: Option<Micros>,
    /// `_at`
    pub at: Option<(Micros, Micros)>,
    /// `_count`
    pub count: Option<usize>,
    /// `_asOf`
    pub as_of: Option<Micros>,
    /// `_summary`, `_elements`: the part of each version that is answered.
    pub subset: Option<Subset>,
    /// Circumstances of the commit, by field number.
    pub circumstances: Vec<(u8, String)>,
    /// `_cursor`: the whole history's place, and the place and index the page comes after.
    pub cursor: Option<(Place, Place, u32)>,
    /// What was understood, as given, without `_cursor`.
    pub understood: Vec<Pair>,
}

/// A page of a history.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// Newest first.
    pub entries: Vec<HistoryEntry>,
    /// The `_cursor` of the next page, if there is one.
    pub next: Option<String>,
    /// When the state it is true for was recorded.
    pub instant: Micros,
}

pub(crate) const NAMES: &[&str] =
    &["_since", "_at", "_count", "_asOf", "_cursor", "_summary", "_elements", "_format", "_pretty"];

/// Parameters that may stand only once.
const ONCE: &[&str] = &["_since", "_at", "_count", "_asOf", "_cursor"];

impl HistoryLevel {
    /// What `_summary` or `_elements` asks for; nothing if it is the whole.
    fn part(&self, name: &str, text: &str) -> Result<Option<Subset>, String> {
        let resource_type = match self {
            HistoryLevel::Instance(resource_type, _) | HistoryLevel::Type(resource_type) => *resource_type,
            HistoryLevel::System if name == "_elements" => {
                return Err("everything's history has resources of all types; ask for that of one".to_owned());
            }
            HistoryLevel::System => r4().well_known().resource,
        };
        match query::subset(resource_type, name, text) {
            Some(Ok(SubsetAsked::Part(part))) => Ok(Some(part)),
            Some(Ok(SubsetAsked::Count)) => Err("count is for searches".to_owned()),
            Some(Err(message)) => Err(message),
            Some(Ok(SubsetAsked::Whole)) | None => Ok(None),
        }
    }
}

impl HistoryQuery {
    /// Reads a history's parameters.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(pairs: &[Pair], level: &HistoryLevel, zone: &Zone) -> Result<HistoryQuery, Failure> {
        let mut query = HistoryQuery::default();
        let mut issues = Vec::new();
        for (at, (name, text)) in pairs.iter().enumerate() {
            let outcome = match name.as_str() {
                once if ONCE.contains(&once) && pairs[..at].iter().any(|(earlier, _)| earlier == name) => {
                    Err("it stands twice; a history takes it once".to_owned())
                }
                "_summary" | "_elements" => level.part(name, text).and_then(|part| match part {
                    Some(part) => query::widen(&mut query.subset, part),
                    None => Ok(()),
                }),
                "_since" => moment(text, zone).map(|(start, _)| query.since = Some(start)),
                "_at" => moment(text, zone).map(|interval| query.at = Some(interval)),
                "_asOf" => moment(text, zone).map(|(_, end)| query.as_of = Some(end - 1)),
                "_count" => match text.parse() {
                    Ok(count) => {
                        query.count = Some(count);
                        Ok(())
                    }
                    Err(_) => Err(format!("'{text}' is not a number of versions")),
                },
                "_cursor" => match cursor(text) {
                    Some(cursor) => {
                        query.cursor = Some(cursor);
                        Ok(())
                    }
                    None => Err("this is not a place in a history; begin it anew".to_owned()),
                },
                other => match (Reader::circumstance(other), level) {
                    (Some(field), HistoryLevel::System) => {
                        query.circumstances.push((field, text.clone()));
                        Ok(())
                    }
                    _ => {
                        let near = nearest(other, NAMES.iter().copied());
                        let hint = if near.is_empty() { NAMES.join(", ") } else { near.join(" or ") };
                        Err(format!("a history has no such parameter (it has {hint})"))
                    }
                },
            };
            match outcome {
                Ok(()) if name != "_cursor" => query.understood.push((name.clone(), text.clone())),
                Ok(()) => {}
                Err(message) => issues.push(Issue::error(IssueType::Invalid, format!("{name}: {message}"))),
            }
        }
        if issues.is_empty() { Ok(query) } else { Err(Failure::invalid(issues)) }
    }
}

fn moment(text: &str, zone: &Zone) -> Result<(Micros, Micros), String> {
    let mended = text.replacen(' ', "+", usize::from(text.len() > 16));
    let parsed = DateTime::parse(&mended);
    parsed.map(|d| d.interval(zone)).ok_or_else(|| format!("'{text}' is not a date or instant"))
}

fn cursor(text: &str) -> Option<(Place, Place, u32)> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (at, rest) = bytes.split_first_chunk::<8>()?;
    let (after, rest) = rest.split_first_chunk::<8>()?;
    let index = <[u8; 4]>::try_from(rest).ok()?;
    Some((Place(u64::from_be_bytes(*at)), Place(u64::from_be_bytes(*after)), u32::from_be_bytes(index)))
}

fn encode(at: Place, after: Place, index: u32) -> String {
    let bytes = [at.0.to_be_bytes().as_slice(), &after.0.to_be_bytes(), &index.to_be_bytes()].concat();
    BASE64URL_NOPAD.encode(&bytes)
}

impl Hub {
    /// A page of a history.
    ///
    /// # Errors
    /// If there is no such resource; a store's failure.
    pub fn history(
        &self,
        access: &Access,
        level: &HistoryLevel,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Failure> {
        if !matches!(level, HistoryLevel::Instance(..)) {
            access.whole("the history of a type or of the hub")?;
        }
        let reader = self.reader_by_id(access);
        let place = match query.cursor {
            Some((at, ..)) => at.min(reader.place()),
            None => self.place(&reader, query.as_of)?.unwrap_or(reader.place()),
        };
        let count = query.count.unwrap_or(self.search_limits.default_count).min(self.search_limits.max_count);
        let range = HistoryRange {
            since: query.since,
            at: query.at,
            after: query.cursor.map(|(_, after, index)| (after, index)),
            as_of: Some(place),
            limit: count + 1,
        };
        let mut entries = match level {
            HistoryLevel::Instance(resource_type, id) => {
                let found = reader.instance_history(*resource_type, id, &range)?;
                found.ok_or_else(|| {
                    let message = format!("there is no {}/{id}", r4().type_name(*resource_type));
                    Failure::new(Kind::NotFound, IssueType::NotFound, message)
                })?
            }
            HistoryLevel::Type(resource_type) => reader.type_history(*resource_type, &range)?,
            HistoryLevel::System => reader.system_history(&range, &query.circumstances)?,
        };
        let has_more = entries.len() > count;
        entries.truncate(count);
        for entry in &entries {
            access.saw(&entry.kept);
            if entry.kept.text.is_none() && access.seen.is_some() {
                // A deletion is about whom the version before it was.
                let before = entry.kept.version.saturating_sub(1);
                let kept = reader.version(entry.kept.resource_type, &entry.kept.id, before, Some(place))?;
                kept.iter().for_each(|kept| access.saw_beside(kept));
            }
        }
        let next = entries.last().filter(|_| has_more).map(|e| encode(place, e.place, e.index));
        let next = next.map(|text| self.sealed(access, text)).transpose()?;
        Ok(HistoryPage { entries, next, instant: reader.instant_of(place)? })
    }
}
