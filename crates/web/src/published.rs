//! `/figures`: what is published of the hub's figures, for everyone. Of the record nothing else is looked at.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use fhir::DateTime;
use figures::{Release, Why, set_of, text_in};
use serde_json::Value;

use crate::calendar::written_moment;
use crate::failure::{Failure, away};
use crate::operator::{Figure, cell};
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;

/// An indicator of a release.
struct Line {
    title: String,
    direction: &'static str,
    version: String,
    figure: Figure,
    /// Why there is nothing of it; empty if there is.
    why: String,
    /// Where its last figures are, if it is left out for those.
    earlier: Option<u64>,
    parts: Vec<Part>,
}

/// An indicator by something.
struct Part {
    name: String,
    figures: Vec<Figure>,
    /// Whether it is left out because of an earlier release.
    is_near: bool,
}

struct Set {
    name: String,
    lines: Vec<Line>,
}

/// A release in a list.
pub(crate) struct Item {
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) period: String,
    pub(crate) published: String,
    pub(crate) withdrawn: String,
    pub(crate) is_withdrawn: bool,
    is_here: bool,
}

/// A release that is drawn.
struct Drawn {
    number: u64,
    title: String,
    period: String,
    published: String,
    moment: String,
    instant: String,
    code_version: String,
    withdrawn: String,
    is_withdrawn: bool,
    sets: Vec<Set>,
}

#[derive(Template)]
#[template(path = "figures.html")]
struct FiguresPage {
    shell: Shell,
    items: Vec<Item>,
    drawn: Option<Drawn>,
}

/// A moment as it is read; as it stands where it is none.
fn moment(site: &Site, visit: &Visit, text: &str) -> String {
    let zone = site.hub.zone();
    let read = DateTime::parse(text).map(|moment| moment.interval(zone).0);
    read.map_or_else(|| text.to_owned(), |at| written_moment(at, zone, visit.words))
}

fn period(release: &Release) -> String {
    format!("{} – {}", release.period.0, release.period.1)
}

/// Releases in a list, the newest first.
pub(crate) fn items(site: &Site, visit: &Visit, releases: &[Arc<Release>], here: Option<u64>) -> Vec<Item> {
    let item = |release: &Arc<Release>| Item {
        number: release.number,
        title: release.title.clone(),
        period: period(release),
        published: moment(site, visit, &release.published),
        withdrawn: release.withdrawn.as_ref().map(|w| w.reason.clone()).unwrap_or_default(),
        is_withdrawn: release.withdrawn.is_some(),
        is_here: here == Some(release.number),
    };
    releases.iter().rev().map(item).collect()
}

fn parts(release: &Release, report: &Value, id: &str, unit: &str, visit: &Visit) -> Vec<Part> {
    let words = visit.words;
    let near: Vec<&str> = release.not_by(id).collect();
    let part = |stratifier: &Value| {
        let code = &stratifier["code"][0];
        let name = code["coding"][0]["code"].as_str().or_else(|| code["text"].as_str()).unwrap_or_default();
        let figure = |stratum: &Value| {
            let value = stratum["value"]["text"].as_str().unwrap_or_default();
            let name = match value {
                "" => words.say("hub-stratum-none"),
                value => words.say_code("hub-stratum", value).unwrap_or_else(|| value.to_owned()),
            };
            Figure::read(stratum, name, unit)
        };
        let is_near = near.contains(&name);
        let strata = stratifier["stratum"].as_array().filter(|_| !is_near).map_or(&[][..], Vec::as_slice);
        Part {
            name: words.say_code("hub-by", name).unwrap_or_else(|| name.to_owned()),
            figures: strata.iter().map(figure).collect(),
            is_near,
        }
    };
    report["group"][0]["stratifier"].as_array().into_iter().flatten().map(part).collect()
}

fn sets(site: &Site, visit: &Visit, all: &[Arc<Release>], release: &Release) -> Result<Vec<Set>, Failure> {
    let words = visit.words;
    let mut sets: Vec<Set> = Vec::new();
    for indicator in site.figures.indicators()? {
        let measure = &indicator.measure;
        let (id, unit) = (measure.id.as_str(), measure.unit.as_str());
        let (report, why) = (release.report(id), release.why(id));
        // What was no indicator then is not in it.
        if report.is_none() && why.is_none() {
            continue;
        }
        let earlier = (why == Some(Why::Near)).then(|| {
            let before = all.iter().rev().filter(|r| r.number < release.number);
            before.filter(|r| r.report(id).is_some()).map(|r| r.number).next()
        });
        let named = report.and_then(|r| r["measure"].as_str()).and_then(|measure| measure.split_once('|'));
        let line = Line {
            title: text_in(&measure.json, "title", words.language.tag()).to_owned(),
            direction: if measure.increase_is_better { "↑" } else { "↓" },
            version: named.map(|(_, version)| version.to_owned()).unwrap_or_default(),
            figure: report.map(|r| Figure::read(&r["group"][0], String::new(), unit)).unwrap_or_default(),
            why: why.and_then(|why| words.say_code("figures-why", why.code())).unwrap_or_default(),
            earlier: earlier.flatten(),
            parts: report.map(|r| parts(release, r, id, unit, visit)).unwrap_or_default(),
        };
        let set = set_of(indicator);
        let name = words.say_code("hub-set", set).unwrap_or_else(|| set.to_owned());
        match sets.iter_mut().find(|set| set.name == name) {
            Some(set) => set.lines.push(line),
            None => sets.push(Set { name, lines: vec![line] }),
        }
    }
    Ok(sets)
}

fn draw(site: &Site, visit: &Visit, number: Option<u64>) -> Result<FiguresPage, Failure> {
    let all = site.figures.releases()?;
    let chosen = match number {
        Some(number) => Some(all.iter().find(|r| r.number == number).ok_or(Failure::NothingHere)?),
        // The newest that stands.
        None => all.iter().rev().find(|r| r.withdrawn.is_none()),
    };
    let drawn = match chosen {
        Some(release) => Some(Drawn {
            number: release.number,
            title: release.title.clone(),
            period: period(release),
            published: moment(site, visit, &release.published),
            moment: moment(site, visit, &release.data_instant),
            instant: release.data_instant.clone(),
            code_version: release.code_version.clone(),
            withdrawn: release.withdrawn.as_ref().map(|w| w.reason.clone()).unwrap_or_default(),
            is_withdrawn: release.withdrawn.is_some(),
            sets: sets(site, visit, &all, release)?,
        }),
        None => None,
    };
    let here = chosen.map(|r| r.number);
    Ok(FiguresPage { shell: Shell::of(visit), items: items(site, visit, &all, here), drawn })
}

/// The newest release.
pub(crate) async fn newest(State(site): State<Site>, visit: Visit) -> Response {
    answer(site, visit, None).await
}

async fn answer(site: Site, visit: Visit, number: Option<u64>) -> Response {
    let asked = visit.clone();
    match away(move || draw(&site, &asked, number)).await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}

/// A release as a table: a line for each figure.
fn table(site: &Site, release: &Release) -> Result<Vec<u8>, Failure> {
    let failed = |_| super::operator::refused("the table could not be written");
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = "release,status,set,indicator,method_version,by,stratum,score,unit,low,high,numerator,denominator,\
                left_out,period_start,period_end,data_instant,code_version";
    writer.write_record(head.split(',')).map_err(failed)?;
    let number = release.number.to_string();
    let status = if release.withdrawn.is_some() { "withdrawn" } else { "published" };
    for indicator in site.figures.indicators()? {
        let measure = &indicator.measure;
        let mut line = |version: &str, by: &str, stratum: &str, group: &Value, why: &str| {
            let part = |name: &str| {
                let all = group["extension"][0]["extension"].as_array();
                let found = all.and_then(|all| all.iter().find(|p| p["url"] == name));
                found.map(|p| p["valueDecimal"].to_string()).unwrap_or_default()
            };
            let count = |codes: &[&str]| {
                let all = group["population"].as_array().map_or(&[][..], Vec::as_slice);
                let of = |code: &&str| all.iter().find(|p| p["code"]["coding"][0]["code"] == **code);
                let found = codes.iter().find_map(of).and_then(|p| p["count"].as_u64());
                found.map(|n| n.to_string()).unwrap_or_default()
            };
            let score = &group["measureScore"]["value"];
            let score = if score.is_null() { String::new() } else { score.to_string() };
            writer.write_record([
                &number,
                status,
                set_of(indicator),
                &measure.id,
                version,
                &cell(by),
                &cell(stratum),
                &score,
                &measure.unit,
                &part("low"),
                &part("high"),
                &count(&["numerator"]),
                &count(&["denominator", "measure-population", "initial-population"]),
                why,
                &release.period.0,
                &release.period.1,
                &release.data_instant,
                &release.code_version,
            ])
        };
        if let Some(why) = release.why(&measure.id) {
            line("", "", "", &Value::Null, why.code()).map_err(failed)?;
        }
        let Some(report) = release.report(&measure.id) else { continue };
        let version = report["measure"].as_str().and_then(|m| m.split_once('|')).map_or("", |(_, v)| v);
        let why = |group: &Value| {
            let is_out = |p: &Value| p["count"].is_null();
            let has_gap = group["population"].as_array().is_some_and(|all| all.iter().any(is_out));
            if group["measureScore"]["value"].is_null() && has_gap { "few" } else { "" }
        };
        let group = &report["group"][0];
        line(version, "", "", group, why(group)).map_err(failed)?;
        for stratifier in group["stratifier"].as_array().into_iter().flatten() {
            let code = &stratifier["code"][0];
            let by = code["coding"][0]["code"].as_str().or_else(|| code["text"].as_str()).unwrap_or_default();
            let is_near = release.not_by(&measure.id).any(|name| name == by);
            for stratum in stratifier["stratum"].as_array().into_iter().flatten() {
                let why = if is_near { "near" } else { why(stratum) };
                line(version, by, stratum["value"]["text"].as_str().unwrap_or_default(), stratum, why)
                    .map_err(failed)?;
            }
        }
    }
    writer.into_inner().map_err(|_| super::operator::refused("the table could not be written"))
}

/// One release: a page, or with `.json` the Bundle, with `.csv` a table.
pub(crate) async fn one(State(site): State<Site>, Path(name): Path<String>, visit: Visit) -> Response {
    let (number, form) = name.split_once('.').unwrap_or((&name, ""));
    let number = number.parse::<u64>().ok().filter(|_| !number.starts_with(['0', '+']));
    let (Some(number), true) = (number, ["", "json", "csv"].contains(&form)) else {
        return Failure::NothingHere.page(&visit);
    };
    if form.is_empty() {
        return answer(site, visit, Some(number)).await;
    }
    let is_json = form == "json";
    let made = away(move || {
        let all = site.figures.releases()?;
        let release = all.iter().find(|r| r.number == number).ok_or(Failure::NothingHere)?;
        if is_json { Ok(release.json.clone().into_bytes()) } else { table(&site, release) }
    });
    match made.await {
        Ok(bytes) => {
            let kind =
                if is_json { "application/fhir+json; charset=utf-8" } else { "text/csv; charset=utf-8" };
            let headers: [(HeaderName, String); 4] = [
                (header::CONTENT_TYPE, kind.to_owned()),
                (
                    header::CONTENT_DISPOSITION,
                    format!(
                        "attachment; filename=\"figures-{number}.{}\"",
                        if is_json { "json" } else { "csv" }
                    ),
                ),
                (header::CACHE_CONTROL, "no-store".to_owned()),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            ];
            (headers, bytes).into_response()
        }
        Err(failure) => failure.page(&visit),
    }
}
