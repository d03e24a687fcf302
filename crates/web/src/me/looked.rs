//! `/me/{id}/looked`: who looked at the record, when and why, from the read-audit ledger.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use hub::{AuditEventRequest, Kind};
use serde_json::Value;

use super::answer::show;
use super::frame::Frame;
use super::own::Own;
use crate::calendar::{Day, written_moment};
use crate::failure::Failure;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::{Visit, address};

/// Events of a page.
const ON_A_PAGE: &str = "100";
const BASE: &str = "http://localhost/fhir";

/// Somebody who looked, on one day, for one reason.
#[derive(Debug, PartialEq)]
struct Look {
    who: String,
    /// For whom they work; may be empty.
    at: String,
    day: Option<Day>,
    when: String,
    what: String,
    why: String,
    /// The reason given for passing the person's decision over.
    emergency: Option<String>,
    is_mine: bool,
    is_refused: bool,
    count: usize,
}

#[derive(Template)]
#[template(path = "me/looked.html")]
struct LookedPage {
    shell: Shell,
    frame: Frame,
    /// Whether the hub keeps who looked.
    is_kept: bool,
    others: Vec<(Look, String)>,
    mine: Vec<(Look, String)>,
    next: Option<String>,
    sharing: String,
}

fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    path.iter().try_fold(value, |v, part| v.get(part).or_else(|| v.get(0)?.get(part)))?.as_str()
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

/// One AuditEvent, read.
fn look(own: &Own, event: &Value) -> Option<Look> {
    let words = own.words;
    let moment = fhir::DateTime::parse(event["recorded"].as_str()?)?.interval(&own.zone).0;
    let agents: Vec<&Value> = list(event, "agent").collect();
    let is_type = |agent: &&&Value, code: &str| {
        list(&agent["type"], "coding").any(|c| c["code"].as_str() == Some(code))
    };
    let asked = agents.iter().find(|a| is_type(a, "IRCP") || is_type(a, "AUT"));
    let asked = asked.or_else(|| agents.iter().find(|a| a["requestor"].as_bool() == Some(true)))?;
    let reference = text(asked, &["who", "reference"]).unwrap_or_default();
    let is_mine = own.author().as_deref() == Some(reference) || reference == own.reference();
    let name = asked["name"].as_str().map(str::to_owned).or_else(|| own.name_of(reference));
    let who = if is_mine {
        words.say("me-looked-me")
    } else {
        // A door of an open hub is no name.
        let display = text(asked, &["who", "display"]).filter(|d| !d.starts_with("a client ("));
        let display = display.map(str::to_owned);
        name.or(display).unwrap_or_else(|| words.say("me-looked-somebody"))
    };
    let works = agents.iter().find(|a| is_type(a, "PROV"));
    let at = works.and_then(|a| own.name_of(text(a, &["who", "reference"])?)).unwrap_or_default();
    let mut why = Vec::new();
    let mut emergency = None;
    for purpose in list(event, "purposeOfEvent") {
        let code = list(purpose, "coding").find_map(|c| c["code"].as_str()).unwrap_or_default();
        if matches!(code, "BTG" | "ETREAT") {
            let said = purpose["text"].as_str().map(str::to_owned);
            emergency = emergency.filter(|e: &String| !e.is_empty()).or(said).or(Some(String::new()));
        }
        why.extend(words.say_code("me-purpose", code));
    }
    why.dedup();
    let action = event["action"].as_str().unwrap_or_default();
    let outcome = event["outcome"].as_str().unwrap_or("0");
    Some(Look {
        who,
        at,
        day: Some(Day::of_moment(moment, &own.zone)),
        when: written_moment(moment, &own.zone, words),
        what: words.say_code("me-looked-action", action).unwrap_or_default(),
        why: why.join(", "),
        emergency,
        is_mine,
        is_refused: outcome != "0",
        count: 1,
    })
}

/// Looks of one day, by one and for one reason, as one.
fn gathered(looks: Vec<Look>) -> Vec<Look> {
    let mut all: Vec<Look> = Vec::new();
    for look in looks {
        let same = |l: &&mut Look| {
            (&l.who, l.day, &l.what, &l.why, &l.emergency, l.is_refused)
                == (&look.who, look.day, &look.what, &look.why, &look.emergency, look.is_refused)
        };
        match all.iter_mut().find(same) {
            Some(known) => known.count += 1,
            None => all.push(look),
        }
    }
    all
}

fn page(own: &Own) -> Result<LookedPage, Failure> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut pairs = vec![pair("patient", &own.id), pair("_count", ON_A_PAGE)];
    pairs.extend(own.visit.value("cursor").map(|c| pair("_cursor", c)));
    let hub = &own.record.hub;
    let access = &own.record.access;
    let asked = AuditEventRequest::read(hub, access, None, &pairs)?;
    let told = match hub.audit_events(access, &asked, BASE) {
        Ok(text) => Some(serde_json::from_str::<Value>(&text).unwrap_or_default()),
        Err(why) if why.kind == Kind::NotSupported => None,
        Err(other) => return Err(other.into()),
    };
    let bundle = told.as_ref();
    let events = bundle.into_iter().flat_map(|b| list(b, "entry")).map(|e| &e["resource"]);
    let looks: Vec<Look> =
        events.filter(|e| e["resourceType"] == "AuditEvent").filter_map(|e| look(own, e)).collect();
    let (mine, others): (Vec<Look>, Vec<Look>) = gathered(looks).into_iter().partition(|l| l.is_mine);
    let counted = |look: Look| {
        let times = if look.count > 1 { own.words.say_count("times", look.count) } else { String::new() };
        (look, times)
    };
    let links = bundle.into_iter().flat_map(|b| list(b, "link"));
    let next = links.filter(|l| l["relation"] == "next").find_map(|l| l["url"].as_str());
    let cursor = next.and_then(|url| {
        let pairs = search::query::split(url.split_once('?')?.1).ok()?;
        pairs.into_iter().find(|(name, _)| name == "_cursor").map(|(_, value)| value)
    });
    Ok(LookedPage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "more"),
        is_kept: told.is_some(),
        others: others.into_iter().map(counted).collect(),
        mine: mine.into_iter().map(counted).collect(),
        next: cursor.map(|c| address(&own.at("/looked"), &[pair("cursor", &c)])),
        sharing: own.at("/sharing"),
    })
}

/// Answers with the page.
pub(super) async fn draw(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, page).await
}
