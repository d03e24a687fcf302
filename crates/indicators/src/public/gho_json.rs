//! Answers of the Global Health Observatory's OData service: `{"value": [...], "@odata.nextLink": ...}`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::error::shortened;
use super::units::{agrees, scaled};
use super::{Error, Figure, Next, Place, PlaceKind, Reading, Source, Years};

#[derive(Deserialize)]
struct Answer {
    value: Option<Vec<Row>>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    indicator_code: String,
    spatial_dim_type: Option<String>,
    spatial_dim: Option<String>,
    time_dim: Option<Value>,
    dim1_type: Option<String>,
    dim1: Option<String>,
    dim2_type: Option<String>,
    dim2: Option<String>,
    dim3_type: Option<String>,
    dim3: Option<String>,
    data_source_dim: Option<String>,
    value: Option<String>,
    numeric_value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    comments: Option<String>,
}

/// Reads one answer; where it goes on is in `next`.
pub(super) fn read(text: &str, code: &str, vintage: &str) -> Result<Reading, Error> {
    let answer: Answer = serde_json::from_str(text).map_err(|why| Error::Form {
        place: format!("line {}, column {}", why.line(), why.column()),
        what: format!("no answer of the observatory: {}", shortened(&why.to_string())),
    })?;
    if let Some(error) = answer.error {
        let message = error.get("message").and_then(Value::as_str).map(str::to_owned);
        return Err(Error::Publisher(message.unwrap_or_else(|| error.to_string())));
    }
    let rows = answer.value.ok_or_else(|| Error::Form {
        place: "the answer".to_owned(),
        what: "it has no 'value': it is of another service, or the download failed".to_owned(),
    })?;
    let mut reading = Reading { next: answer.next.map(Next::Link), ..Reading::default() };
    for (row, line) in rows.into_iter().zip(1u64..) {
        let here = || format!("entry {line}");
        if row.indicator_code != code {
            return Err(Error::OtherIndicator {
                place: here(),
                found: row.indicator_code,
                expected: code.to_owned(),
            });
        }
        let Some(published) = row.numeric_value.filter(|v| v.is_finite()) else {
            reading.without_value += 1;
            continue;
        };
        let time = match &row.time_dim {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let years = Years::parse(&time).ok_or_else(|| Error::Form {
            place: here(),
            what: format!("TimeDim '{}' is neither a year nor two", shortened(&time)),
        })?;
        let place = place(row.spatial_dim_type.as_deref(), row.spatial_dim.as_deref())
            .ok_or_else(|| Error::Form { place: here(), what: "the entry names no place".to_owned() })?;
        let scale = scaled(Source::WhoGho, code, place.kind);
        let value = published * scale.factor;
        if let Some(shown) = row.value.as_deref().filter(|shown| !agrees(value, shown)) {
            return Err(Error::Unit {
                place: here(),
                code: code.to_owned(),
                value: value.to_string(),
                shown: shown.to_owned(),
            });
        }
        let named = [
            (row.dim1_type, row.dim1),
            (row.dim2_type, row.dim2),
            (row.dim3_type, row.dim3),
            (Some("DATASOURCE".to_owned()), row.data_source_dim),
        ];
        let dimensions: BTreeMap<String, String> =
            named.into_iter().filter_map(|(name, value)| dimension(name?, &value?)).collect();
        reading.figures.push(Figure {
            source: Source::WhoGho,
            code: code.to_owned(),
            vintage: vintage.to_owned(),
            place,
            years,
            dimensions,
            value,
            low: row.low.map(|bound| bound * scale.factor),
            high: row.high.map(|bound| bound * scale.factor),
            unit: scale.unit,
            line,
            comment: row.comments.filter(|c| !c.is_empty()),
        });
    }
    Ok(reading)
}

/// `SEX`, `SEX_BTSX` as the files have it: `SEX`, `BTSX`.
fn dimension(name: String, value: &str) -> Option<(String, String)> {
    let plain = value.strip_prefix(&format!("{name}_")).unwrap_or(value).to_owned();
    (!plain.is_empty()).then_some((name, plain))
}

fn place(kind: Option<&str>, code: Option<&str>) -> Option<Place> {
    let code = code.filter(|code| !code.is_empty())?;
    let kind = match (kind, code) {
        (Some("COUNTRY"), _) => PlaceKind::Country,
        (Some("GLOBAL"), _) | (_, "GLOBAL" | "WB_WORLD_INCOME") => PlaceKind::World,
        (Some(_), _) => PlaceKind::Group,
        (None, code) if code.len() == 3 => PlaceKind::Country,
        (None, _) => PlaceKind::Group,
    };
    let code = if kind == PlaceKind::World { "GLOBAL" } else { code };
    Some(Place { kind, code: code.to_owned() })
}
