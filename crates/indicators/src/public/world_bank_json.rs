//! Answers of the World Bank's service (v2): `[{"page": 1, "pages": 2, ...}, [{...}, ...]]`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::error::shortened;
use super::units::{is_world_bank_group, scaled};
use super::{Error, Figure, Next, Place, PlaceKind, Reading, Source, Years};

#[derive(Deserialize)]
struct Row {
    indicator: Named,
    country: Named,
    #[serde(default)]
    countryiso3code: String,
    date: String,
    value: Option<f64>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// Reads one page; the number of the next is in `next`.
pub(super) fn read(text: &str, code: &str, vintage: &str) -> Result<Reading, Error> {
    let form = |why: &serde_json::Error| Error::Form {
        place: format!("line {}, column {}", why.line(), why.column()),
        what: format!("no answer of the World Bank: {}", shortened(&why.to_string())),
    };
    let parts: Vec<Value> = serde_json::from_str(text).map_err(|why| form(&why))?;
    let mut parts = parts.into_iter();
    let head = parts.next().unwrap_or(Value::Null);
    if let Some(message) = head.pointer("/message/0/value").and_then(Value::as_str) {
        return Err(Error::Publisher(message.to_owned()));
    }
    let count = |name: &str| {
        let value = head.get(name)?;
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
        u32::try_from(number).ok()
    };
    let (Some(page), Some(pages)) = (count("page"), count("pages")) else {
        return Err(Error::Form {
            place: "the answer".to_owned(),
            what:
                "its first part has no 'page' and 'pages': it is of another service, or the download failed"
                    .to_owned(),
        });
    };
    let rows: Option<Vec<Row>> =
        serde_json::from_value(parts.next().unwrap_or(Value::Null)).map_err(|why| form(&why))?;
    let mut reading =
        Reading { next: (page < pages).then(|| Next::Page(page + 1, pages)), ..Reading::default() };
    for (row, line) in rows.unwrap_or_default().into_iter().zip(1u64..) {
        let here = || format!("page {page}, entry {line}");
        if row.indicator.id != code {
            return Err(Error::OtherIndicator {
                place: here(),
                found: row.indicator.id,
                expected: code.to_owned(),
            });
        }
        let Some(published) = row.value else {
            reading.without_value += 1;
            continue;
        };
        let years = Years::parse(&row.date).ok_or_else(|| Error::Form {
            place: here(),
            what: format!("date '{}' is no year", shortened(&row.date)),
        })?;
        let name = if row.countryiso3code.is_empty() { &row.country.id } else { &row.countryiso3code };
        let place = place(name);
        let scale = scaled(Source::WorldBank, code, place.kind);
        reading.figures.push(Figure {
            source: Source::WorldBank,
            code: code.to_owned(),
            vintage: vintage.to_owned(),
            place,
            years,
            dimensions: BTreeMap::new(),
            value: published * scale.factor,
            low: None,
            high: None,
            unit: scale.unit,
            line,
            comment: None,
        });
    }
    Ok(reading)
}

/// The release a page says it is of.
#[must_use]
pub fn last_updated(text: &str) -> Option<String> {
    let parts: Vec<Value> = serde_json::from_str(text).ok()?;
    parts.first()?.get("lastupdated")?.as_str().map(str::to_owned)
}

/// A country, a group, or the world. Groups without an ISO code have one of two characters.
pub(super) fn place(code: &str) -> Place {
    let kind = match code {
        "WLD" | "1W" => PlaceKind::World,
        code if code.len() != 3 || is_world_bank_group(code) => PlaceKind::Group,
        _ => PlaceKind::Country,
    };
    Place { kind, code: code.to_owned() }
}
