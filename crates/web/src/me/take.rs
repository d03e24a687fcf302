//! `/me/{id}/take`: everything to take along: as FHIR, and as a document to read, print or keep.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::{Limits, r4};
use hub::EverythingRequest;
use serde_json::Value;

use super::answer::show;
use super::frame::Frame;
use super::line::{Line, line};
use super::own::Own;
use crate::failure::Failure;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::{Visit, address};

/// Resources on a page of the document.
const ON_A_PAGE: &str = "150";
/// Characters of one element that are shown; a longer one (a picture in letters) is named with its length.
const LONGEST: usize = 1500;
const BASE: &str = "http://localhost/fhir";

#[derive(Template)]
#[template(path = "me/take.html")]
struct TakePage {
    shell: Shell,
    frame: Frame,
    everything: String,
    readable: String,
}

/// A resource in full.
struct Whole {
    /// `Observation/1`.
    reference: String,
    line: Option<Line>,
    /// Every element: where it stands, and what it says.
    elements: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "me/readable.html")]
struct ReadablePage {
    shell: Shell,
    frame: Frame,
    wholes: Vec<Whole>,
    total: String,
    next: Option<String>,
    first: Option<String>,
    as_at: String,
}

fn elements(place: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let skipped = ["resourceType", "meta", "text", "contained"];
    match value {
        Value::Object(all) => {
            for (name, inner) in all {
                if place.is_empty() && skipped.contains(&name.as_str()) && name != "contained" {
                    continue;
                }
                let inner_place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                elements(&inner_place, inner, out);
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| elements(place, inner, out)),
        Value::String(text) if text.len() > LONGEST && !text.contains(' ') => {
            out.push((place.to_owned(), format!("({} characters)", text.len())));
        }
        Value::String(text) => out.push((place.to_owned(), text.clone())),
        Value::Null => {}
        other => out.push((place.to_owned(), other.to_string())),
    }
}

fn readable(own: &Own) -> Result<ReadablePage, Failure> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut pairs = vec![pair("_count", ON_A_PAGE)];
    let cursor = own.visit.value("cursor");
    pairs.extend(cursor.map(|c| pair("_cursor", c)));
    let hub = &own.record.hub;
    let opened = hub.opened_pairs(&own.record.access, &pairs)?;
    let asked = EverythingRequest::read(hub, &opened)?;
    let owner = (r4().well_known().patient, own.id.as_str());
    let text = hub.everything(&own.record.access, owner, &asked, BASE, &[])?;
    let bundle: Value = serde_json::from_str(&text).unwrap_or_default();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let limits = Limits { resource_bytes: usize::MAX, depth: 128, ..Limits::default() };
    let whole = |entry: &Value| {
        let resource = &entry["resource"];
        let read = fhir::json::parse(resource.to_string().as_bytes(), &limits).ok();
        let mut all = Vec::new();
        elements("", resource, &mut all);
        let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        Whole {
            reference: format!("{}/{}", text("resourceType"), text("id")),
            line: read.and_then(|r| line(own, &r)),
            elements: all,
        }
    };
    let links = bundle["link"].as_array().cloned().unwrap_or_default();
    let next = links.iter().filter(|l| l["relation"] == "next").find_map(|l| l["url"].as_str());
    let next = next.and_then(|url| {
        let pairs = search::query::split(url.split_once('?')?.1).ok()?;
        pairs.into_iter().find(|(name, _)| name == "_cursor").map(|(_, value)| value)
    });
    let path = own.at("/take/readable");
    Ok(ReadablePage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "more"),
        wholes: entries.iter().map(whole).collect(),
        total: bundle["total"].as_u64().map(crate::quantity::grouped).unwrap_or_default(),
        next: next.map(|c| address(&path, &[pair("cursor", &c)])),
        first: cursor.map(|_| path),
        as_at: crate::calendar::written_moment(own.record.moment.max(0), &own.zone, own.words),
    })
}

/// Answers with the ways to take it.
pub(super) async fn draw(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, |own| {
        Ok(TakePage {
            shell: Shell::of(&own.visit),
            frame: Frame::of(own, "more"),
            everything: format!("/fhir/Patient/{}/$everything?_format=json", own.id),
            readable: own.at("/take/readable"),
        })
    })
    .await
}

/// Answers with the document.
pub(super) async fn document(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, readable).await
}
