//! Results as small drawings of one kind: the same ten years, each its own scale, a band for what is usual.

use fhir::Resource;

use super::Pen;
use super::observations::{Finding, Flag, Point, Series, gather};
use super::span::coordinate;
use crate::calendar::Day;
use crate::quantity::{on_axis, with_unit};
use crate::words::Words;

/// Drawings on a chart.
const MOST_TRENDS: usize = 12;
/// Other results that are listed.
const MOST_OTHERS: usize = 60;
/// Rows of a text alternative, and points of a line.
const MOST_ROWS: usize = 16;
const MOST_POINTS: usize = 400;
/// Points of a line that are drawn, about.
const MOST_DRAWN: usize = 80;
/// How high a drawing is.
const HEIGHT: f64 = 300.0;

/// What a scale shows: from the low to the high end, with a line in the middle.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// The narrowest scale of two round steps that holds all values.
    fn holding(values: impl Iterator<Item = f64>) -> Scale {
        let (mut least, mut most) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        if !(least.is_finite() && most.is_finite()) {
            (least, most) = (0.0, 1.0);
        }
        // A line that hardly moves shall look so.
        let room = (most.abs() * 0.04).max(0.02);
        if most - least < room {
            (least, most) = (least - room / 2.0, most + room / 2.0);
        }
        let mut power = 10f64.powf(((most - least) / 2.0).log10().floor());
        for _ in 0..3 {
            for factor in [1.0, 2.0, 2.5, 5.0] {
                let step = factor * power;
                let low = (least / step).floor() * step;
                if low + 2.0 * step >= most {
                    return Scale { low, high: low + 2.0 * step };
                }
            }
            power *= 10.0;
        }
        Scale { low: least, high: most }
    }

    fn y(&self, value: f64) -> f64 {
        ((self.high - value) / (self.high - self.low) * HEIGHT).clamp(0.0, HEIGHT)
    }

    /// Top, middle, bottom.
    fn labels(&self) -> [String; 3] {
        [on_axis(self.high), on_axis((self.low + self.high) / 2.0), on_axis(self.low)]
    }
}

/// A line and its points.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) points: String,
    pub(crate) dots: String,
    pub(crate) last: String,
}

/// A drawing.
#[derive(Debug)]
pub(crate) struct Trend {
    /// The code of what is measured, if it is known.
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) latest: String,
    pub(crate) unit: String,
    pub(crate) date: String,
    pub(crate) date_iso: String,
    pub(crate) flag: Option<(&'static str, String)>,
    pub(crate) range: String,
    pub(crate) band: Option<(String, String)>,
    pub(crate) grid: String,
    pub(crate) axis: [String; 3],
    pub(crate) lines: Vec<Line>,
    pub(crate) description: String,
    /// Date and value, newest first.
    pub(crate) rows: Vec<(String, String)>,
    pub(crate) summary: String,
    /// That there are older ones than the rows, or nothing.
    pub(crate) cut: String,
}

/// A result that is listed.
#[derive(Debug)]
pub(crate) struct Other {
    /// The code of what is measured; empty if there is none.
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) flag: Option<(&'static str, String)>,
    pub(crate) date: String,
}

/// The results of a chart.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) trends: Vec<Trend>,
    pub(crate) others: Vec<Other>,
    pub(crate) others_summary: String,
    pub(crate) first_year: String,
    pub(crate) last_year: String,
}

fn flag(flag: Option<Flag>, words: Words) -> Option<(&'static str, String)> {
    Some(match flag? {
        Flag::High => ("▲", words.say("high")),
        Flag::Low => ("▼", words.say("low")),
        Flag::Abnormal => ("◆", words.say("abnormal")),
    })
}

fn short(point: &Point) -> String {
    match &point.second {
        Some(second) => format!("{} / {}", point.value.short(), second.short()),
        None => point.value.short(),
    }
}

fn exact(point: &Point) -> String {
    match &point.second {
        Some(second) => format!("{} / {}", point.value.digits, second.exact()),
        None => point.value.exact(),
    }
}

/// What a line shows of many points: of each stretch the first, the least, the most and the last, so that no peak is lost.
fn thinned(points: &[(Day, f64)]) -> Vec<(Day, f64)> {
    if points.len() <= MOST_DRAWN {
        return points.to_vec();
    }
    let stretch = (points.len() * 4).div_ceil(MOST_DRAWN);
    let mut kept = Vec::with_capacity(MOST_DRAWN + 4);
    for part in points.chunks(stretch) {
        let by = |a: &usize, b: &usize| {
            let value = |at: &usize| part.get(*at).map_or(f64::NAN, |(_, value)| *value);
            value(a).total_cmp(&value(b))
        };
        let (least, most) = ((0..part.len()).min_by(by), (0..part.len()).max_by(by));
        let mut all: Vec<usize> =
            [Some(0), least, most, part.len().checked_sub(1)].into_iter().flatten().collect();
        all.sort_unstable();
        all.dedup();
        kept.extend(all.iter().filter_map(|at| part.get(*at)));
    }
    kept
}

/// One line through the points, oldest first.
fn line(points: &[(Day, f64)], scale: Scale, pen: Pen<'_>) -> Line {
    let points = thinned(points);
    let places: Vec<(String, String)> =
        points.iter().map(|(day, v)| (coordinate(pen.span.x(*day)), coordinate(scale.y(*v)))).collect();
    // A point is a line of hardly any length with round ends: it stays round however the drawing is stretched.
    let dot = |(x, y): &(String, String)| format!("M{x} {y}h.01");
    Line {
        points: places.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" "),
        dots: if places.len() <= 60 { places.iter().map(dot).collect() } else { String::new() },
        last: places.last().map(dot).unwrap_or_default(),
    }
}

/// Draws a series that has points within the years.
fn draw(series: &Series, pen: Pen<'_>) -> Option<Trend> {
    let words = pen.words;
    let within: Vec<&Point> = series.points.iter().filter(|p| pen.span.contains(p.day)).collect();
    let within = &within[within.len().saturating_sub(MOST_POINTS)..];
    let (oldest, latest) = (within.first()?, within.last()?);
    let range = series.range;
    let values =
        within.iter().flat_map(|p| [Some(p.value.number), p.second.as_ref().map(|s| s.number)]).flatten();
    let limits = range.into_iter().flat_map(|(low, high)| [low, high]).flatten();
    let scale = Scale::holding(values.chain(limits));
    let first: Vec<(Day, f64)> = within.iter().map(|p| (p.day, p.value.number)).collect();
    let second: Vec<(Day, f64)> =
        within.iter().filter_map(|p| Some((p.day, p.second.as_ref()?.number))).collect();
    let lines = [first, second].iter().filter(|l| !l.is_empty()).map(|l| line(l, scale, pen)).collect();
    let band = range.map(|(low, high)| {
        let (top, bottom) = (scale.y(high.unwrap_or(scale.high)), scale.y(low.unwrap_or(scale.low)));
        (coordinate(top), coordinate((bottom - top).max(0.0)))
    });
    let unit = latest.value.unit.clone();
    let value = |text: &str| fluent_bundle::FluentValue::from(text.to_owned());
    let description = words.say_with(
        "trend-description",
        &[
            ("name", value(&series.name)),
            ("first", value(&with_unit(&short(oldest), &unit))),
            ("firstdate", value(&oldest.day.written(words))),
            ("last", value(&with_unit(&short(latest), &unit))),
            ("lastdate", value(&latest.day.written(words))),
        ],
    );
    Some(Trend {
        key: series.key.clone(),
        name: series.name.clone(),
        latest: short(latest),
        date: latest.day.written(words),
        date_iso: latest.day.iso(),
        flag: flag(series.flag, words),
        range: range.map(|r| range_text(r, words)).unwrap_or_default(),
        band,
        grid: pen.span.grid(300),
        axis: scale.labels(),
        lines,
        description,
        rows: within.iter().rev().take(MOST_ROWS).map(|p| (p.day.written(words), exact(p))).collect(),
        summary: words.say_count("values", within.len()),
        cut: if within.len() > MOST_ROWS { words.say_count("newest-rows", MOST_ROWS) } else { String::new() },
        unit,
    })
}

fn range_text((low, high): (Option<f64>, Option<f64>), words: Words) -> String {
    let range = match (low, high) {
        (Some(low), Some(high)) => format!("{}–{}", on_axis(low), on_axis(high)),
        (Some(low), None) => format!("≥ {}", on_axis(low)),
        (None, Some(high)) => format!("≤ {}", on_axis(high)),
        (None, None) => return String::new(),
    };
    words.say_with("usual-range", &[("range", range.into())])
}

/// Draws what has changed over the years and lists the rest.
pub(crate) fn results(observations: &[Resource], pen: Pen<'_>) -> Results {
    let gathered = gather(observations, pen);
    let mut results = Results {
        first_year: pen.span.first.to_string(),
        last_year: pen.span.last().to_string(),
        ..Results::default()
    };
    for series in &gathered.series {
        let is_trend = series.points.iter().filter(|p| pen.span.contains(p.day)).count() > 1;
        if is_trend && results.trends.len() < MOST_TRENDS {
            results.trends.extend(draw(series, pen));
        } else if let Some(latest) = series.points.last() {
            results.others.push(Other {
                key: series.key.clone(),
                name: series.name.clone(),
                value: with_unit(&short(latest), &latest.value.unit),
                flag: flag(series.flag, pen.words),
                date: latest.day.written(pen.words),
            });
        }
    }
    results.others.extend(gathered.findings.into_iter().map(|f| listed(f, pen.words)));
    results.others.truncate(MOST_OTHERS);
    results.others_summary = pen.words.say_count("other-results", results.others.len());
    results
}

fn listed(finding: Finding, words: Words) -> Other {
    let date = finding.day.map_or_else(|| words.say("date-missing"), |d| d.written(words));
    Other { key: String::new(), name: finding.name, value: finding.value, flag: None, date }
}

#[cfg(test)]
mod tests {
    use fhir::Limits;

    use super::*;
    use crate::chart::span::{Span, tests::day};
    use crate::language::Language;

    #[test]
    fn a_scale_is_round_and_holds_its_values() {
        let scale = |values: &[f64]| Scale::holding(values.iter().copied());
        assert_eq!(scale(&[118.0, 142.0, 76.0]), Scale { low: 50.0, high: 150.0 });
        assert_eq!(scale(&[5.4, 6.9]), Scale { low: 5.0, high: 7.0 });
        for values in [&[0.0][..], &[1e12, -1e12], &[120.0, 120.0], &[0.001, 0.002], &[-5.0, -4.0], &[]] {
            let found = scale(values);
            assert!(
                found.high > found.low && values.iter().all(|v| *v >= found.low && *v <= found.high),
                "{values:?} {found:?}"
            );
        }
    }

    fn drawn(observations: &[&str]) -> Results {
        let zone = search::Zone::named("Asia/Tokyo").unwrap();
        let parsed = |o: &&str| fhir::json::parse(o.as_bytes(), &Limits::default()).unwrap();
        let resources: Vec<Resource> = observations.iter().map(parsed).collect();
        let words = Words { language: Language::English };
        results(&resources, Pen { words, zone: &zone, on: day("2026-11-23"), span: Span { first: 2017 } })
    }

    fn observation(rest: &str) -> String {
        format!(r#"{{"resourceType":"Observation","status":"final",{rest}}}"#)
    }

    #[test]
    fn a_series_is_drawn_with_its_range() {
        let a1c = |date: &str, value: &str| {
            observation(&format!(
                r#""code":{{"coding":[{{"system":"http://loinc.org","code":"4548-4"}}]}},"effectiveDateTime":"{date}",
                "valueQuantity":{{"value":{value},"unit":"%"}},"referenceRange":[{{"low":{{"value":4.9}},"high":{{"value":6.0}}}}]"#
            ))
        };
        let found = drawn(&[&a1c("2020-01-01", "6.4"), &a1c("2018-01-01", "5.8")]);
        let trend = &found.trends[0];
        assert_eq!((trend.name.as_str(), trend.latest.as_str(), trend.unit.as_str()), ("HbA1c", "6.4", "%"));
        assert_eq!(trend.lines[0].points, "100,165 300,120");
        assert_eq!(trend.axis, ["8", "6", "4"]);
        assert_eq!(trend.band, Some(("150".into(), "82.5".into())));
        assert_eq!(trend.flag.as_ref().map(|f| f.0), Some("▲"));
    }

    #[test]
    fn of_many_points_the_peaks_are_drawn() {
        let points: Vec<(Day, f64)> = (0..390)
            .map(|at| (day("2020-01-01"), if at == 211 { 900.0 } else { f64::from(at % 7) }))
            .collect();
        let drawn = thinned(&points);
        assert!(drawn.len() <= MOST_DRAWN + 4, "{}", drawn.len());
        assert!(drawn.iter().any(|(_, value)| *value == 900.0));
        assert_eq!((drawn.first(), drawn.last()), (points.first(), points.last()));
    }

    #[test]
    fn blood_pressure_is_two_lines() {
        let pressure = |date: &str, high: u32, low: u32| {
            let part = |code: &str, value: u32| {
                format!(
                    r#"{{"code":{{"coding":[{{"code":"{code}"}}]}},"valueQuantity":{{"value":{value},"unit":"mmHg"}}}}"#
                )
            };
            observation(&format!(
                r#""code":{{"text":"BP"}},"effectiveDateTime":"{date}","component":[{},{}]"#,
                part("8480-6", high),
                part("8462-4", low)
            ))
        };
        let found = drawn(&[&pressure("2020", 130, 80), &pressure("2019-05", 120, 70)]);
        assert_eq!(found.trends[0].lines.len(), 2);
        assert_eq!(found.trends[0].latest, "130 / 80");
    }

    #[test]
    fn odd_observations_do_no_harm() {
        let found = drawn(&[
            &observation(r#""code":{"text":"no value"}"#),
            &observation(r#""code":{"coding":[{"version":"1"}]},"valueQuantity":{"value":1e400}"#),
            &observation(r#""code":{"text":"no unit, no date"},"valueQuantity":{"value":5}"#),
            &observation(r#""code":{"text":"words"},"valueString":"<b>","effectiveDateTime":"1985-04""#),
            &observation(r#""code":{"text":"one"},"valueInteger":3,"effectiveDateTime":"2020""#),
        ]);
        assert!(found.trends.is_empty());
        assert_eq!(
            found.others.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(),
            ["one", "no unit, no date", "words"]
        );
    }
}
