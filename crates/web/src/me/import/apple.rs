//! Apple Health's `export.xml`, alone or in its `export.zip`, read as it streams by.
//!
//! Steps and sleep come in many short pieces, of several devices: a day has the sum of the device that has most. Blood pressure
//! comes as two records of one moment. Heart rate, of which a watch has one every few minutes, is taken at rest only.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor};

use fhir::date_time::Micros;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::Read;
use super::measured::{Measured, Of};
use crate::me::moment::for_field;
use crate::me::own::Own;
use crate::quantity::on_axis;

/// Bytes of XML, records, and days that are looked at.
const MOST_BYTES: u64 = 600 << 20;
const MOST_RECORDS: usize = 6_000_000;
const MOST_DAYS: usize = 20_000;
const MOST_EVENT: usize = 1 << 20;

/// A record's attributes.
#[derive(Default)]
struct Record {
    kind: String,
    unit: String,
    value: String,
    source: String,
    start: String,
    end: String,
}

/// What is put together from several records.
#[derive(Default)]
struct Sums {
    /// Of a moment, the upper and the lower pressure.
    pressures: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Of a day and device, steps and minutes asleep.
    steps: BTreeMap<String, BTreeMap<String, f64>>,
    sleep: BTreeMap<String, BTreeMap<String, f64>>,
}

/// The export in a zip.
pub(super) fn zipped(own: &Own, bytes: &[u8]) -> Result<Read, String> {
    let unread = || own.words.say("me-import-zip");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| unread())?;
    let is_export = |name: &&str| name.ends_with(".xml") && !name.contains("_cda") && !name.contains("/.");
    let name = archive.file_names().find(is_export).map(str::to_owned).ok_or_else(unread)?;
    let file = archive.by_name(&name).map_err(|_| unread())?;
    read(own, file)
}

/// The export alone.
pub(super) fn plain(own: &Own, bytes: &[u8]) -> Result<Read, String> {
    read(own, bytes)
}

fn read(own: &Own, source: impl std::io::Read) -> Result<Read, String> {
    let unread = || own.words.say("me-import-xml");
    let mut reader = Reader::from_reader(BufReader::new(source.take(MOST_BYTES)));
    let (mut out, mut sums, mut buffer) = (Read::default(), Sums::default(), Vec::new());
    let (mut records, mut is_health) = (0, false);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(e) | Event::Empty(e)) => match e.name().as_ref() {
                "HealthData" => is_health = true,
                "Record" if is_health => {
                    records += 1;
                    if records > MOST_RECORDS {
                        out.is_cut = true;
                        break;
                    }
                    take(own, &attributes(&e), records, &mut sums, &mut out);
                }
                _ if !is_health => return Err(unread()),
                _ => {}
            },
            Ok(Event::Eof) => break,
            // An export that was cut off is taken as far as it goes.
            Err(_) if is_health => {
                out.is_cut = true;
                break;
            }
            Err(_) => return Err(unread()),
            Ok(_) => {}
        }
        if buffer.len() > MOST_EVENT {
            return Err(unread());
        }
    }
    if !is_health {
        return Err(unread());
    }
    summed(sums, &mut out);
    Ok(out)
}

fn attributes(e: &BytesStart<'_>) -> Record {
    let mut record = Record::default();
    for attribute in e.attributes().flatten() {
        let text = &attribute.value;
        let text: String = text.chars().take(120).collect();
        match attribute.key.as_ref() {
            "type" => record.kind = text,
            "unit" => record.unit = text,
            "value" => record.value = text,
            "sourceName" => record.source = text,
            "startDate" => record.start = text,
            "endDate" => record.end = text,
            _ => {}
        }
    }
    record
}

/// `2024-01-05 07:00:00 +0900` as a moment.
fn moment(own: &Own, text: &str) -> Option<Micros> {
    let (date, rest) = text.split_once(' ')?;
    let (time, offset) = rest.split_once(' ')?;
    let (hours, minutes) = (offset.get(..3)?, offset.get(3..5)?);
    let read = fhir::DateTime::parse(&format!("{date}T{time}{hours}:{minutes}"))?;
    Some(read.interval(&own.zone).0)
}

fn digits(value: f64, places: usize) -> String {
    on_axis((value * 10f64.powi(places as i32)).round() / 10f64.powi(places as i32))
}

fn take(own: &Own, record: &Record, number: usize, sums: &mut Sums, out: &mut Read) {
    let Some(name) = record
        .kind
        .strip_prefix("HKQuantityTypeIdentifier")
        .or_else(|| record.kind.strip_prefix("HKCategoryTypeIdentifier"))
    else {
        return;
    };
    let wanted = [
        "BloodPressureSystolic",
        "BloodPressureDiastolic",
        "StepCount",
        "SleepAnalysis",
        "BodyMass",
        "BodyTemperature",
        "OxygenSaturation",
        "BloodGlucose",
        "RestingHeartRate",
    ];
    if !wanted.contains(&name) {
        return;
    }
    let Some(start) = moment(own, &record.start) else {
        let value = record.start.as_str().to_owned();
        out.fault(number, own.words.say_with("me-import-date", &[("value", value.into())]));
        return;
    };
    let at = for_field(start, &own.zone);
    if name == "SleepAnalysis" {
        let end = moment(own, &record.end).unwrap_or(start);
        if record.value.contains("Asleep") && end > start && sums.sleep.len() < MOST_DAYS {
            let day = for_field(end, &own.zone).get(..10).unwrap_or_default().to_owned();
            *sums.sleep.entry(day).or_default().entry(record.source.clone()).or_default() +=
                (end - start) as f64 / 3.6e9;
        }
        return;
    }
    let value = record.value.parse::<f64>().ok().filter(|v| v.is_finite());
    let Some(value) = value else {
        let said = format!("{name}: {}", record.value);
        out.fault(number, own.words.say_with("me-import-value", &[("value", said.into())]));
        return;
    };
    let one = match name {
        "BloodPressureSystolic" | "BloodPressureDiastolic" => {
            if sums.pressures.len() < MOST_DAYS * 4 {
                let known = sums.pressures.entry(at).or_default();
                let part = if name == "BloodPressureSystolic" { &mut known.0 } else { &mut known.1 };
                *part = Some(digits(value, 0));
            }
            return;
        }
        "StepCount" => {
            if sums.steps.len() < MOST_DAYS {
                let day = at.get(..10).unwrap_or_default().to_owned();
                *sums.steps.entry(day).or_default().entry(record.source.clone()).or_default() += value;
            }
            return;
        }
        "BodyMass" => ("weight", digits(if record.unit == "lb" { value * 0.453_592_37 } else { value }, 2)),
        "BodyTemperature" => {
            ("temperature", digits(if record.unit.contains('F') { (value - 32.0) / 1.8 } else { value }, 1))
        }
        "OxygenSaturation" => ("oxygen", digits(if value <= 1.0 { value * 100.0 } else { value }, 0)),
        "BloodGlucose" => {
            ("glucose", digits(if record.unit.starts_with("mmol") { value * 18.016 } else { value }, 0))
        }
        _ => ("pulse", digits(value, 0)),
    };
    let measured = Of::named(one.0).map(|kind| Measured { kind, at, values: vec![one.1.clone()] });
    match measured.filter(Measured::is_possible) {
        Some(measured) => out.put(measured),
        None => {
            let said = format!("{name}: {}", record.value);
            out.fault(number, own.words.say_with("me-import-value", &[("value", said.into())]));
        }
    }
}

fn summed(sums: Sums, out: &mut Read) {
    let mut put = |key: &str, at: String, values: Vec<String>| {
        let measured = Of::named(key).map(|kind| Measured { kind, at, values });
        if let Some(measured) = measured.filter(Measured::is_possible) {
            out.put(measured);
        }
    };
    for (at, pair) in sums.pressures {
        if let (Some(high), Some(low)) = pair {
            put("pressure", at, vec![high, low]);
        }
    }
    for (key, days, places) in [("steps", sums.steps, 0), ("sleep", sums.sleep, 1)] {
        for (day, sources) in days {
            let most = sources.values().copied().fold(0.0, f64::max);
            put(key, day, vec![digits(most, places)]);
        }
    }
}
