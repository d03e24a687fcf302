//! CSV files of the World Bank: `geo,time,<code>` with one value a row, or the wide file of its site with a column a year.

use std::collections::BTreeMap;

use super::error::shortened;
use super::text::{Limits, number};
use super::units::scaled;
use super::world_bank_json::place;
use super::{Error, Figure, Reading, Source, Years};

/// Reads the text of a file that should be of this indicator.
pub(super) fn read(text: &str, code: &str, vintage: &str, limits: &Limits) -> Result<Reading, Error> {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut row = csv::StringRecord::new();
    let mut header: Option<Vec<String>> = None;
    let mut first: Vec<String> = Vec::new();
    let mut reading = Reading::default();
    loop {
        let line = rows.position().line();
        let here = || format!("line {line}");
        if !rows.read_record(&mut row).map_err(|why| Error::Form { place: here(), what: why.to_string() })? {
            break;
        }
        if let Some(cell) = row.iter().find(|cell| cell.len() > limits.cell) {
            return Err(Error::Cell { line, bytes: cell.len(), most: limits.cell });
        }
        let Some(names) = &header else {
            let names: Vec<String> = row.iter().map(|name| name.trim().to_owned()).collect();
            if first.is_empty() {
                first.clone_from(&names);
            }
            // The wide file begins with lines about itself.
            if names.iter().any(|n| n == "Country Code") || names.starts_with(&["geo".into(), "time".into()])
            {
                header = Some(names);
            }
            continue;
        };
        let cell = |name: &str| {
            let at = names.iter().position(|n| n == name)?;
            row.get(at).map(str::trim)
        };
        let mut push = |geo: &str, years: Years, text: &str| -> Result<(), Error> {
            let Some(published) = number(text, here)? else {
                reading.without_value += 1;
                return Ok(());
            };
            let place = place(&geo.to_ascii_uppercase());
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
            Ok(())
        };
        if let (Some(geo), Some(time)) = (cell("geo"), cell("time")) {
            let is_code = names.get(2).is_some_and(|n| n.replace('_', ".").eq_ignore_ascii_case(code));
            if !is_code {
                let found = names.get(2).cloned().unwrap_or_default();
                return Err(Error::OtherIndicator {
                    place: "line 1".to_owned(),
                    found,
                    expected: code.to_owned(),
                });
            }
            let years = Years::parse(time).ok_or_else(|| Error::Form {
                place: here(),
                what: format!("time '{}' is no year", shortened(time)),
            })?;
            push(geo, years, row.get(2).unwrap_or_default())?;
        } else {
            let found = cell("Indicator Code").unwrap_or_default();
            if found != code {
                return Err(Error::OtherIndicator {
                    place: here(),
                    found: found.to_owned(),
                    expected: code.to_owned(),
                });
            }
            let geo = cell("Country Code").unwrap_or_default();
            for (name, text) in names.iter().zip(row.iter()) {
                if let Some(years) = Years::parse(name) {
                    push(geo, years, text)?;
                }
            }
        }
    }
    match header {
        Some(_) => Ok(reading),
        None => Err(Error::Columns {
            missing: vec!["geo, time (or Country Code, Indicator Code)".to_owned()],
            found: first.iter().map(|name| shortened(name)).collect(),
        }),
    }
}
