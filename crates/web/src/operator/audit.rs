//! `/hub/audit`: who did what, from the read-audit ledger and the log, by person, agent, time and action; also as a table
//! (CSV). Whoever the hub's rules show AuditEvents to sees it, in full.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use hub::{Access, AuditEventRequest, Hub, Kind};
use search::query::Pair;
use serde_json::Value;

use super::{Place, is_for, places};
use crate::audit::audited;
use crate::calendar::written_moment;
use crate::failure::Failure;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::{Visit, address};
use crate::words::Words;

/// Events on a page, and in one step of a table.
const ON_A_PAGE: &str = "50";
const AT_ONCE: &str = "1000";
/// So many are named of whom or what an event is about.
const NAMED: usize = 8;
/// Events of a table at most.
const MOST: usize = 10_000;
const BASE: &str = "http://localhost/fhir";

/// An event in words.
#[derive(Debug, Default)]
struct Line {
    when: String,
    recorded: String,
    who: String,
    reference: String,
    action: String,
    what: String,
    about: Vec<String>,
    why: String,
    outcome: String,
    is_refused: bool,
    address: String,
    /// How many more it is about than are named on the page.
    more: usize,
}

/// What is asked for, as it stands in the form.
#[derive(Default)]
struct Sought {
    patient: String,
    agent: String,
    from: String,
    until: String,
    action: String,
}

#[derive(Template)]
#[template(path = "operator/audit.html")]
struct AuditPage {
    shell: Shell,
    places: Vec<Place>,
    sought: Sought,
    actions: Vec<(&'static str, String)>,
    /// Why nothing is shown, if so.
    fault: String,
    lines: Vec<Line>,
    next: Option<String>,
    table: String,
}

const ACTIONS: [&str; 5] = ["R", "E", "C", "U", "D"];

fn sought(visit: &Visit) -> Sought {
    let of = |name: &str| visit.value(name).unwrap_or_default().to_owned();
    Sought {
        patient: of("patient").trim_start_matches("Patient/").to_owned(),
        agent: of("agent"),
        from: of("from"),
        until: of("until"),
        action: of("action"),
    }
}

impl Sought {
    /// As parameters of the page.
    fn pairs(&self) -> Vec<Pair> {
        let all = [
            ("patient", &self.patient),
            ("agent", &self.agent),
            ("from", &self.from),
            ("until", &self.until),
            ("action", &self.action),
        ];
        let given = all.into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// As a search for AuditEvents.
    fn search(&self, count: &str, cursor: Option<&str>) -> Vec<Pair> {
        let pair = |(name, value): (String, String)| match name.as_str() {
            "from" => ("date".to_owned(), format!("ge{value}")),
            "until" => ("date".to_owned(), format!("le{value}")),
            _ => (name, value),
        };
        let mut pairs: Vec<Pair> = self.pairs().into_iter().map(pair).collect();
        pairs.push(("_count".to_owned(), count.to_owned()));
        pairs.extend(cursor.map(|cursor| ("_cursor".to_owned(), cursor.to_owned())));
        pairs
    }
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

/// The login of a user who is known by nothing but their id.
fn login(site: &Site, id: &str) -> Option<String> {
    let user = site.auth.as_ref().filter(|_| auth::is_id(id))?.user(id).ok()??;
    Some(user.login)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn line(event: &Value, site: &Site, words: Words) -> Line {
    let hub = &site.hub;
    let recorded = text(&event["recorded"]);
    let moment = fhir::DateTime::parse(&recorded).map(|date| date.interval(hub.zone()).0);
    let asks = list(event, "agent").find(|agent| agent["requestor"] == true);
    let who = asks.map(|agent| {
        let who = &agent["who"];
        [&agent["name"], &who["display"], &who["reference"]].iter().map(|v| text(v)).find(|t| !t.is_empty())
    });
    // By its number; the hub's own is by its name.
    let mut networks =
        list(event, "agent").map(|agent| &agent["network"]).filter(|network| network["type"] == "2");
    let address = networks.find_map(|network| network["address"].as_str());
    let coded = list(event, "subtype").filter_map(|code| code["display"].as_str().or(code["code"].as_str()));
    let mut what: Vec<String> = coded.map(str::to_owned).collect();
    let mut about = Vec::new();
    for entity in list(event, "entity") {
        let named = &entity["what"];
        // What is no resource is said by its name alone.
        let reference =
            named["reference"].as_str().or(named["display"].as_str()).unwrap_or_default().to_owned();
        if !reference.is_empty() && !about.contains(&reference) {
            about.push(reference);
        }
        let query = entity["query"].as_str().and_then(|query| BASE64.decode(query.as_bytes()).ok());
        what.extend(query.and_then(|query| String::from_utf8(query).ok()).filter(|query| query != "?"));
    }
    let why = list(event, "purposeOfEvent").filter_map(|purpose| {
        let code = purpose["coding"][0]["code"].as_str();
        let said = purpose["text"].as_str();
        Some([code?, said.unwrap_or_default()].join(" ").trim().to_owned())
    });
    let action = text(&event["action"]);
    Line {
        when: moment.map(|at| written_moment(at, hub.zone(), words)).unwrap_or_default(),
        recorded,
        who: who.flatten().map(|who| login(site, &who).unwrap_or(who)).unwrap_or_default(),
        reference: asks.map(|agent| text(&agent["who"]["reference"])).unwrap_or_default(),
        action: words.say_code("hub-action", &action).unwrap_or(action),
        what: what.join(" "),
        about,
        why: why.collect::<Vec<_>>().join(", "),
        outcome: text(&event["outcomeDesc"]),
        is_refused: event["outcome"] != "0",
        address: address.unwrap_or_default().to_owned(),
        more: 0,
    }
}

/// The same with as many named as a page takes.
fn short(mut line: Line) -> Line {
    line.more = line.about.len().saturating_sub(NAMED);
    line.about.truncate(NAMED);
    line
}

/// A page of events, and where the next begins.
fn events(hub: &Hub, access: &Access, pairs: &[Pair]) -> Result<(Vec<Value>, Option<String>), hub::Failure> {
    let asked = AuditEventRequest::read(hub, access, None, pairs)?;
    let told = hub.audit_events(access, &asked, BASE)?;
    let bundle: Value = serde_json::from_str(&told).unwrap_or_default();
    let resources = list(&bundle, "entry").map(|entry| entry["resource"].clone());
    let found = resources.filter(|resource| resource["resourceType"] == "AuditEvent").collect();
    let next = list(&bundle, "link").find(|link| link["relation"] == "next");
    let cursor = next.and_then(|link| {
        let pairs = search::query::split(link["url"].as_str()?.split_once('?')?.1).ok()?;
        pairs.into_iter().find(|(name, _)| name == "_cursor").map(|(_, value)| value)
    });
    Ok((found, cursor))
}

fn draw(site: &Site, access: &Access, visit: &Visit) -> Result<AuditPage, Failure> {
    let hub = &site.hub;
    let (words, sought) = (visit.words, sought(visit));
    let pairs = sought.search(ON_A_PAGE, visit.value("cursor"));
    let (found, next, fault) = match events(hub, access, &pairs) {
        Ok((found, next)) => (found, next, String::new()),
        Err(why) if why.kind == Kind::NotSupported => (Vec::new(), None, words.say("hub-audit-off")),
        Err(why) if why.kind == Kind::Forbidden => (Vec::new(), None, words.say("hub-audit-not-yours")),
        Err(why) if why.kind == Kind::Invalid => {
            let said = why.issues.iter().map(|issue| issue.diagnostics.clone()).collect::<Vec<_>>();
            (Vec::new(), None, said.join("; "))
        }
        Err(other) => return Err(other.into()),
    };
    let page = sought.pairs();
    let next = next
        .map(|cursor| address("/hub/audit", &[page.clone(), vec![("cursor".to_owned(), cursor)]].concat()));
    let action = |code: &&'static str| (*code, words.say_code("hub-action", code).unwrap_or_default());
    Ok(AuditPage {
        shell: Shell::of(visit),
        places: places(visit),
        actions: ACTIONS.iter().map(action).collect(),
        lines: found.iter().map(|event| short(line(event, site, words))).collect(),
        table: address("/hub/audit.csv", &page),
        next,
        fault,
        sought,
    })
}

/// Answers with the page.
pub(super) async fn page(State(site): State<Site>, visit: Visit) -> Response {
    if !is_for(&visit, &["operator", "auditor"]) {
        return Failure::NotFor.page(&visit);
    }
    let asked = visit.clone();
    let target = "AuditEvent".to_owned();
    match audited(site.hub.clone(), &visit, target, move |_, access| draw(&site, &access, &asked)).await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}

/// A cell no spreadsheet takes for a formula.
pub(crate) fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn table(site: &Site, access: &Access, visit: &Visit) -> Result<Vec<u8>, Failure> {
    let hub = &site.hub;
    let (words, sought) = (visit.words, sought(visit));
    let broken = |_| super::refused("the table could not be written");
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heads = ["recorded", "agent", "name", "action", "what", "entity", "purpose", "outcome", "address"];
    writer.write_record(heads).map_err(broken)?;
    let (mut cursor, mut written) = (None, 0);
    while written < MOST {
        let (found, next) = events(hub, access, &sought.search(AT_ONCE, cursor.as_deref()))?;
        for event in found.iter().take(MOST - written) {
            let line = line(event, site, words);
            let about = line.about.join(" ");
            let cells = [
                &line.recorded,
                &line.reference,
                &line.who,
                &line.action,
                &line.what,
                &about,
                &line.why,
                &line.outcome,
                &line.address,
            ];
            writer.write_record(cells.map(|text| cell(text))).map_err(broken)?;
        }
        written += found.len();
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    writer.into_inner().map_err(|_| super::refused("the table could not be written"))
}

/// Answers with the table.
pub(super) async fn csv(State(site): State<Site>, visit: Visit) -> Response {
    if !is_for(&visit, &["operator", "auditor"]) {
        return Failure::NotFor.page(&visit);
    }
    let asked = visit.clone();
    let target = "AuditEvent".to_owned();
    match audited(site.hub.clone(), &visit, target, move |_, access| table(&site, &access, &asked)).await {
        Ok(bytes) => {
            let headers: [(HeaderName, &str); 4] = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
                (header::CACHE_CONTROL, "no-store"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, bytes).into_response()
        }
        Err(failure) => failure.page(&visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("山田"), "山田");
    }

    #[test]
    fn a_time_is_asked_for_from_and_until() {
        let sought = Sought { from: "2026-01-01".to_owned(), action: "R".to_owned(), ..Sought::default() };
        let pairs = sought.search("5", None);
        assert!(pairs.contains(&("date".to_owned(), "ge2026-01-01".to_owned())));
        assert!(pairs.contains(&("action".to_owned(), "R".to_owned())));
    }
}
