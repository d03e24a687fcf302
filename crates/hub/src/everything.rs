//! `$everything`: a record in one Bundle (<https://hl7.org/fhir/R4/patient-operation-everything.html>,
//! <https://hl7.org/fhir/R4/encounter-operation-everything.html>).
//!
//! The owner comes first, then the members of its compartment, then what those refer to. Patients linked with a Patient
//! are the same person, so their records are in. Pages see the place in the log the first one saw.

use data_encoding::BASE64URL_NOPAD;
use fhir::date_time::{Micros, format_instant};
use fhir::issue::nearest;
use fhir::json::{JsonWriter, quote};
use fhir::{DateTime, Issue, IssueType, TypeId, r4};
use search::key::date::Interval;
use search::query::Pair;
use store::{Place, Wanted};

use crate::{Access, Failure, Hub, Kind, bundle};

/// A call of `$everything`.
#[derive(Clone, Debug, Default)]
pub struct EverythingRequest {
    wanted: Wanted,
    since: Option<Micros>,
    count: Option<usize>,
    as_of: Option<Micros>,
    /// The place of the first page, and how many came before this one.
    cursor: Option<(Place, usize)>,
    understood: Vec<Pair>,
}

/// A page has at most so many resources; a longer record goes on in the next.
const MAX_PAGE: usize = 10_000;

pub(crate) const NAMES: &[&str] = &["start", "end", "_since", "_type", "_count", "_asOf", "_cursor"];

impl EverythingRequest {
    /// Reads the parameters.
    ///
    /// # Errors
    /// What is not understood.
    pub fn read(hub: &Hub, pairs: &[Pair]) -> Result<EverythingRequest, Failure> {
        let mut request = EverythingRequest::default();
        let mut dates = Interval { start: Interval::BEGINNING, end: Interval::END };
        let interval = |text: &str| {
            let found = DateTime::parse(text).map(|d| d.interval(hub.zone()));
            found.ok_or_else(|| format!("'{text}' is not a date or instant"))
        };
        let mut issues = Vec::new();
        for (name, text) in pairs {
            let outcome = match name.as_str() {
                "start" => interval(text).map(|(start, _)| dates.start = start),
                "end" => interval(text).map(|(_, end)| dates.end = end),
                "_since" => interval(text).map(|(start, _)| request.since = Some(start)),
                "_asOf" => interval(text).map(|(_, end)| request.as_of = Some(end - 1)),
                "_type" => types(text).map(|found| request.wanted.types.extend(found)),
                "_count" => match text.parse() {
                    Ok(count) if count > 0 => {
                        request.count = Some(count);
                        Ok(())
                    }
                    _ => Err(format!("'{text}' is not a number of resources")),
                },
                "_cursor" => match cursor(text) {
                    Some(cursor) => {
                        request.cursor = Some(cursor);
                        Ok(())
                    }
                    None => Err("this is not a place in a record; begin it anew".to_owned()),
                },
                other => {
                    let near = nearest(other, NAMES.iter().copied());
                    let known = if near.is_empty() { NAMES.join(", ") } else { near.join(" or ") };
                    Err(format!("$everything has no such parameter (it has {known})"))
                }
            };
            match outcome {
                Ok(()) if name != "_cursor" => request.understood.push((name.clone(), text.clone())),
                Ok(()) => {}
                Err(message) => issues.push(Issue::error(IssueType::Invalid, format!("{name}: {message}"))),
            }
        }
        if pairs.iter().any(|(name, _)| matches!(name.as_str(), "start" | "end")) {
            request.wanted.dates = Some(dates);
        }
        if issues.is_empty() { Ok(request) } else { Err(Failure::invalid(issues)) }
    }
}

fn types(text: &str) -> Result<Vec<TypeId>, String> {
    text.split(',').map(|name| r4().known_resource_type(name)).collect()
}

fn cursor(text: &str) -> Option<(Place, usize)> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (place, skip) = bytes.split_first_chunk::<8>()?;
    let skip = <[u8; 8]>::try_from(skip).ok()?;
    Some((Place(u64::from_be_bytes(*place)), usize::try_from(u64::from_be_bytes(skip)).ok()?))
}

fn write_cursor(place: Place, skip: usize) -> String {
    BASE64URL_NOPAD.encode(&[place.0.to_be_bytes(), (skip as u64).to_be_bytes()].concat())
}

impl Hub {
    /// A record, or a page of it, as a Bundle of type searchset. `extra` goes into the links.
    ///
    /// # Errors
    /// If the owner does not exist, or the record costs too much.
    pub fn everything(
        &self,
        access: &Access,
        owner: (TypeId, &str),
        request: &EverythingRequest,
        base: &str,
        extra: &[Pair],
    ) -> Result<String, Failure> {
        let (owner_type, id) = owner;
        let reader = self.reader(access);
        let place = match request.cursor {
            Some((place, _)) if place <= reader.place() => place,
            Some(_) => {
                let message = "_cursor: this place in a record lies in the future of this hub; begin it anew";
                return Err(Issue::error(IssueType::Invalid, message).into());
            }
            None => self.place(&reader, request.as_of)?.unwrap_or(reader.place()),
        };
        let instant = reader.instant_of(place)?;
        // A moment in the past has to find the owner as it was then.
        let is_past = request.as_of.is_some() || request.cursor.is_some();
        self.read(access, owner_type, id, is_past.then_some(instant))?;
        let missing = || {
            let message = format!("there is no {}/{id}", r4().type_name(owner_type));
            Failure::new(Kind::NotFound, IssueType::NotFound, message)
        };
        let found = reader.everything(owner_type, id, place, &request.wanted, self.budget())?;
        let found = found.ok_or_else(missing)?;
        let skip = request.cursor.map_or(0, |(_, skip)| skip).min(found.len());
        let count = request.count.unwrap_or(MAX_PAGE).min(MAX_PAGE).min(found.len() - skip);
        let page = &found[skip..skip + count];
        let path = format!("{base}/{}/{id}/$everything", r4().type_name(owner_type));
        let links = [request.understood.as_slice(), extra].concat();
        let own =
            request.cursor.map(|(place, skip)| self.sealed(access, write_cursor(place, skip))).transpose()?;
        let next = (skip + count < found.len())
            .then(|| self.sealed(access, write_cursor(place, skip + count)))
            .transpose()?;
        let mut entries = String::new();
        reader.each(page, place, |kept| {
            if request.since.is_some_and(|since| kept.instant < since) {
                return;
            }
            access.saw(&kept);
            entries.push(if entries.is_empty() { '[' } else { ',' });
            entries.push_str("{\"fullUrl\":");
            quote(&mut entries, &format!("{base}/{}", bundle::local_name(&kept)));
            entries.push_str(",\"resource\":");
            kept.write(&mut entries);
            entries.push_str(",\"search\":{\"mode\":\"match\"}}");
        })?;
        let mut json = JsonWriter::new();
        json.object(|b| {
            b.member("resourceType", "Bundle");
            b.member("type", "searchset");
            b.member("timestamp", &format_instant(instant));
            if request.since.is_none() {
                b.raw_member("total", &found.len().to_string());
            }
            b.name("link").array(|list| {
                bundle::link(list, "self", &bundle::address(&path, &links, own.as_deref()));
                if next.is_some() {
                    bundle::link(list, "next", &bundle::address(&path, &links, next.as_deref()));
                }
            });
            if !entries.is_empty() {
                entries.push(']');
                b.raw_member("entry", &entries);
            }
        });
        Ok(json.finish())
    }
}
