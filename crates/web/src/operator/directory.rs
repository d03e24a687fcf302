//! `/hub/directory`: organisations, places, people who work there and what is offered (IHE mCSD: Organization, Location,
//! Practitioner, PractitionerRole, HealthcareService), and where the places are.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fhir::NodeRef;
use hub::Access;
use search::query::literal;

use super::map::{self, Map, Position};
use super::{Place, places, runs_the_hub};
use crate::concept;
use crate::failure::{Failure, away};
use crate::quantity::grouped;
use crate::record::Record;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;
use crate::words::Words;

/// Resources of a type that are shown.
const SHOWN: usize = 60;

/// A resource in words.
struct Line {
    name: String,
    kind: String,
    more: String,
    /// Its number on the map.
    number: Option<usize>,
}

/// The resources of a type.
struct Section {
    type_name: &'static str,
    name: String,
    total: String,
    has_more: bool,
    lines: Vec<Line>,
}

/// A place on the map.
struct Mark {
    number: usize,
    x: f64,
    y: f64,
    label_x: f64,
    label_y: f64,
    name: String,
}

#[derive(Template)]
#[template(path = "operator/directory.html")]
struct DirectoryPage {
    shell: Shell,
    places: Vec<Place>,
    sought: String,
    sections: Vec<Section>,
    map: Map,
    marks: Vec<Mark>,
    width: f64,
    height: f64,
}

/// Types, and the parameter a text is looked for in.
const TYPES: [(&str, &str); 5] = [
    ("Organization", "name"),
    ("Location", "name"),
    ("HealthcareService", "name"),
    ("Practitioner", "name"),
    ("PractitionerRole", "practitioner.name"),
];

fn text(node: NodeRef<'_>, path: &str) -> String {
    node.text_at(path).map(String::from).unwrap_or_default()
}

/// A name as it is written: its text, else family and given.
fn name_of(node: NodeRef<'_>) -> String {
    let own = text(node, "name");
    if !own.is_empty() {
        return own;
    }
    let whole = text(node, "name.text");
    if !whole.is_empty() {
        return whole;
    }
    [text(node, "name.family"), text(node, "name.given")].join(" ").trim().to_owned()
}

fn line(node: NodeRef<'_>, names: &HashMap<String, String>, words: Words) -> Line {
    let named = |path: &str| {
        let reference = text(node, path);
        names.get(&reference).cloned().unwrap_or(reference)
    };
    let first = |paths: &[&str]| {
        paths.iter().find_map(|path| concept::name_at(node, path, words)).unwrap_or_default()
    };
    let type_name = text(node, "resourceType");
    let (name, kind, more) = match type_name.as_str() {
        "Organization" => (
            name_of(node),
            first(&["type"]),
            [text(node, "address.city"), text(node, "address.text")].join(" "),
        ),
        "Location" => {
            (name_of(node), first(&["type", "physicalType"]), named("managingOrganization.reference"))
        }
        "HealthcareService" => {
            (name_of(node), first(&["specialty", "type", "category"]), named("providedBy.reference"))
        }
        "PractitionerRole" => {
            let who = named("practitioner.reference");
            (who, first(&["specialty", "code"]), named("organization.reference"))
        }
        _ => (name_of(node), first(&["qualification.code"]), String::new()),
    };
    let name = if name.is_empty() { format!("{type_name}/{}", text(node, "id")) } else { name };
    Line { name, kind, more: more.trim().to_owned(), number: None }
}

fn position(node: NodeRef<'_>) -> Option<Position> {
    let degrees = |path: &str| text(node, path).parse::<f64>().ok();
    Position::of(degrees("position.latitude")?, degrees("position.longitude")?)
}

fn draw(site: &Site, access: Access, visit: &Visit) -> Result<DirectoryPage, Failure> {
    let words = visit.words;
    let record = Record::of(site.hub.clone(), access, None);
    let sought: String = visit.value("q").unwrap_or_default().chars().take(120).collect();
    let mut sections = Vec::new();
    let (mut positions, mut names_of_marks) = (Vec::new(), Vec::new());
    let mut names: HashMap<String, String> = HashMap::new();
    for (type_name, parameter) in TYPES {
        let asked = literal(&sought);
        let mut pairs = Vec::new();
        if !sought.is_empty() {
            pairs.push((parameter, asked.as_str()));
        }
        if type_name != "PractitionerRole" {
            pairs.push(("_sort", "name"));
        } else {
            pairs.push(("_include", "PractitionerRole:practitioner"));
            pairs.push(("_include", "PractitionerRole:organization"));
        }
        pairs.push(("_total", "accurate"));
        let found = record.search(type_name, &pairs, SHOWN)?;
        for resource in found.resources.iter().chain(&found.included) {
            let root = resource.root();
            names.insert(format!("{}/{}", text(root, "resourceType"), text(root, "id")), name_of(root));
        }
        let mut lines = Vec::new();
        for resource in &found.resources {
            let root = resource.root();
            let mut line = line(root, &names, words);
            if type_name == "Location"
                && let Some(position) = position(root)
            {
                positions.push(position);
                line.number = Some(positions.len());
                names_of_marks.push(line.name.clone());
            }
            lines.push(line);
        }
        sections.push(Section {
            type_name,
            name: words.say_code("hub-type", type_name).unwrap_or_else(|| type_name.to_owned()),
            total: found.total.map(grouped).unwrap_or_default(),
            has_more: found.next.is_some(),
            lines,
        });
    }
    let map = map::draw(&positions).unwrap_or_default();
    let mark = |(at, (point, name)): (usize, (&(f64, f64), String))| Mark {
        number: at + 1,
        x: point.0,
        y: point.1,
        label_x: point.0 + 9.0,
        label_y: point.1 + 5.0,
        name,
    };
    let marks = map.points.iter().zip(names_of_marks).enumerate().map(mark).collect();
    Ok(DirectoryPage {
        shell: Shell::of(visit),
        places: places(visit),
        sought,
        sections,
        map,
        marks,
        width: map::WIDTH,
        height: map::HEIGHT,
    })
}

/// Answers with the page.
pub(super) async fn page(State(site): State<Site>, visit: Visit) -> Response {
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (asked, access) = (visit.clone(), visit.access());
    match away(move || draw(&site, access, &asked)).await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}
