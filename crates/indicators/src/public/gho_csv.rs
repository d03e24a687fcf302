//! CSV files of the Global Health Observatory (Athena): columns by their names, whatever their order.

use std::collections::BTreeMap;

use super::error::shortened;
use super::text::{Limits, number};
use super::units::{agrees, scaled};
use super::{Error, Figure, Place, PlaceKind, Reading, Source, Years};

/// Columns that tell no figures apart: what a row is, where it is, what it says.
const NO_DIMENSION: [&str; 12] = [
    "GHO",
    "PUBLISHSTATE",
    "YEAR",
    "REGION",
    "WORLDBANKINCOMEGROUP",
    "UNREGION",
    "COUNTRY",
    "Display Value",
    "Numeric",
    "Low",
    "High",
    "Comments",
];

/// Reads the text of a file that should be of this indicator.
pub(super) fn read(text: &str, code: &str, vintage: &str, limits: &Limits) -> Result<Reading, Error> {
    let mut rows = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let form = |place: String, what: &dyn std::fmt::Display| Error::Form { place, what: what.to_string() };
    let header = rows.headers().map_err(|why| form("line 1".to_owned(), &why))?.clone();
    let column = |name: &str| header.iter().position(|h| h.trim() == name);
    let missing: Vec<String> =
        ["GHO", "YEAR", "Numeric"].iter().filter(|n| column(n).is_none()).map(|n| (*n).to_owned()).collect();
    if !missing.is_empty() {
        return Err(Error::Columns { missing, found: header.iter().map(shortened).collect() });
    }
    let dimensions: Vec<(usize, &str)> =
        header.iter().map(str::trim).enumerate().filter(|(_, name)| !NO_DIMENSION.contains(name)).collect();
    let mut reading = Reading::default();
    let mut row = csv::StringRecord::new();
    loop {
        let line = rows.position().line();
        let here = || format!("line {line}");
        if !rows.read_record(&mut row).map_err(|why| form(here(), &why))? {
            break;
        }
        if let Some(cell) = row.iter().find(|cell| cell.len() > limits.cell) {
            return Err(Error::Cell { line, bytes: cell.len(), most: limits.cell });
        }
        let cell = |name: &str| column(name).and_then(|at| row.get(at)).unwrap_or_default().trim();
        if cell("GHO") != code {
            return Err(Error::OtherIndicator {
                place: here(),
                found: cell("GHO").to_owned(),
                expected: code.to_owned(),
            });
        }
        let Some(published) = number(cell("Numeric"), here)? else {
            reading.without_value += 1;
            continue;
        };
        let years = Years::parse(cell("YEAR")).ok_or_else(|| Error::Form {
            place: here(),
            what: format!("YEAR '{}' is neither a year nor two", shortened(cell("YEAR"))),
        })?;
        let place = place(cell("COUNTRY"), cell("WORLDBANKINCOMEGROUP"), cell("UNREGION"), cell("REGION"))
            .ok_or_else(|| Error::Form { place: here(), what: "the row names no place".to_owned() })?;
        let scale = scaled(Source::WhoGho, code, place.kind);
        let value = published * scale.factor;
        if !agrees(value, cell("Display Value")) {
            return Err(Error::Unit {
                place: here(),
                code: code.to_owned(),
                value: value.to_string(),
                shown: cell("Display Value").to_owned(),
            });
        }
        let bound = |name: &str| Ok::<_, Error>(number(cell(name), here)?.map(|bound| bound * scale.factor));
        let named: BTreeMap<String, String> = dimensions
            .iter()
            .filter_map(|(at, name)| row.get(*at).map(|value| ((*name).to_owned(), value.trim().to_owned())))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        reading.figures.push(Figure {
            source: Source::WhoGho,
            code: code.to_owned(),
            vintage: vintage.to_owned(),
            place,
            years,
            dimensions: named,
            value,
            low: bound("Low")?,
            high: bound("High")?,
            unit: scale.unit,
            line,
            comment: Some(cell("Comments").to_owned()).filter(|c| !c.is_empty()),
        });
    }
    Ok(reading)
}

/// What a row is about: the country it names, else the group, else the region.
fn place(country: &str, income: &str, united_nations: &str, region: &str) -> Option<Place> {
    let named = |kind, code: &str| Some(Place { kind, code: code.to_owned() });
    match (country, income, united_nations, region) {
        ("", "", "", "") => None,
        ("", "" | "WB_WORLD_INCOME", "" | "1", "GLOBAL") => named(PlaceKind::World, "GLOBAL"),
        ("", "", "", region) => named(PlaceKind::Group, region),
        ("", "", code, _) | ("", code, ..) => named(PlaceKind::Group, code),
        (code, ..) => named(PlaceKind::Country, code),
    }
}
