//! `/me/{id}/sharing`: who may see the record, and for what; each choice is a FHIR Consent of its own.
//!
//! What holds without a choice follows from the hub's rules: an organisation that cares for somebody sees their record,
//! others do not, and nobody sees it for research or figures. A choice against that is an active Consent with one
//! provision; taking it back makes that Consent inactive. Consents from elsewhere are listed as they are, and hold too.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::{NodeRef, Resource};
use serde_json::{Value, json};

use super::answer::{Answer, act, show};
use super::entry::kind::{LOINC, OWN};
use super::frame::Frame;
use super::moment::{for_field, now, of_field};
use super::own::Own;
use crate::failure::Failure;
use crate::form::Form;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;
use crate::writing::Changes;

/// Consents and encounters that are read.
const MOST_CONSENTS: usize = 100;
const MOST_ENCOUNTERS: usize = 500;
const MOST_ORGANISATIONS: usize = 30;
/// The category of the choices made here.
const CHOICE: &str = "sharing-choice";

const REASONS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// Something that may be shared or not.
#[derive(Debug)]
struct Choice {
    /// `care/7`, `others`, `research`, `indicators`.
    key: String,
    /// The same, as an id within the page.
    anchor: String,
    name: String,
    /// What it means as it is, and what follows from changing it.
    state: String,
    follows: String,
    is_on: bool,
}

/// A Consent that was not made here.
#[derive(Debug)]
struct Other {
    id: String,
    version: String,
    words: String,
    when: String,
}

#[derive(Template)]
#[template(path = "me/sharing.html")]
struct SharingPage {
    shell: Shell,
    frame: Frame,
    address: String,
    organisations: Vec<Choice>,
    purposes: Vec<Choice>,
    others: Vec<Other>,
    /// What was changed just now, so that it can be taken back.
    undo: Option<(String, bool, String)>,
    may_write: bool,
    looked: String,
}

fn is_choice(node: NodeRef<'_>) -> bool {
    let codes = node.all("category").flat_map(|c| c.all("coding"));
    codes.filter_map(|c| c.text_at("code")).any(|code| code == CHOICE)
}

/// Whether a Consent made here is the choice of a key.
fn is_of(node: NodeRef<'_>, key: &str) -> bool {
    let text = |path: &str| node.text_at(path).map(String::from).unwrap_or_default();
    let (actor, purpose, kind) =
        (text("provision.actor.reference.reference"), text("provision.purpose.code"), text("provision.type"));
    match key.strip_prefix("care/") {
        Some(id) => kind == "deny" && purpose == "TREAT" && actor == format!("Organization/{id}"),
        None => kind == "permit" && actor.is_empty() && purpose == code(key),
    }
}

fn code(key: &str) -> &'static str {
    match key {
        "research" => "HRESCH",
        "indicators" => "PUBHLTH",
        _ => "TREAT",
    }
}

/// The Consents that hold now.
fn active(own: &Own) -> Result<Vec<Resource>, Failure> {
    own.some("Consent", &[("status", "active")], MOST_CONSENTS)
}

/// Whether it is shared as things are: without a choice, those who care see it and nobody else.
fn is_on(consents: &[Resource], key: &str) -> bool {
    let is_chosen = consents.iter().any(|c| is_choice(c.root()) && is_of(c.root(), key));
    is_chosen != key.starts_with("care/")
}

/// The organisations that have something in the record.
fn organisations(own: &Own) -> Result<Vec<String>, Failure> {
    let mut found = BTreeSet::new();
    let managing = own.patient.root().text_at("managingOrganization.reference").map(String::from);
    found.extend(managing);
    for (type_name, sort, path) in [
        ("Encounter", "-date", "serviceProvider.reference"),
        ("EpisodeOfCare", "", "managingOrganization.reference"),
    ] {
        let pairs = [("_sort", sort)];
        let pairs: &[(&str, &str)] = if sort.is_empty() { &[] } else { &pairs };
        let all = own.some(type_name, pairs, MOST_ENCOUNTERS)?;
        found.extend(all.iter().filter_map(|r| r.root().text_at(path)).map(String::from));
    }
    let ids = found.iter().filter_map(|r| r.strip_prefix("Organization/")).map(str::to_owned);
    Ok(ids.take(MOST_ORGANISATIONS).collect())
}

fn choice(own: &Own, consents: &[Resource], key: String, name: String) -> Choice {
    let is_on = is_on(consents, &key);
    let family = key.split('/').next().unwrap_or_default().to_owned();
    let state = format!("{family}-{}", if is_on { "on" } else { "off" });
    Choice {
        state: own.words.say_code("me-share-state", &state).unwrap_or_default(),
        follows: own.words.say_code("me-share-follows", &state).unwrap_or_default(),
        anchor: key.replace('/', "-"),
        key,
        name,
        is_on,
    }
}

/// A Consent from elsewhere in words: whom it is about, for what, and what it says.
fn in_words(own: &Own, node: NodeRef<'_>) -> String {
    let says = match node.text_at("provision.type").as_deref() {
        Some("deny") => own.words.say("me-share-denies"),
        Some(_) => own.words.say("me-share-permits"),
        None => own.words.say("me-share-several"),
    };
    let actors = node.path("provision").into_iter().flat_map(|p| p.all("actor"));
    let actors: Vec<String> = actors
        .filter_map(|a| {
            let display = a.text_at("reference.display").map(String::from);
            display.or_else(|| own.name_of(&a.text_at("reference.reference")?))
        })
        .take(5)
        .collect();
    let purposes = node.path("provision").into_iter().flat_map(|p| p.all("purpose"));
    let purposes: Vec<String> =
        purposes.filter_map(|p| own.words.say_code("me-purpose", &p.text_at("code")?)).take(5).collect();
    let everyone = || own.words.say("me-share-everyone");
    let actors = if actors.is_empty() { everyone() } else { actors.join(", ") };
    let purposes =
        if purposes.is_empty() { own.words.say("me-share-any-purpose") } else { purposes.join(", ") };
    format!("{says}: {actors} · {purposes}")
}

fn page(own: &Own) -> Result<SharingPage, Failure> {
    let consents = active(own)?;
    let mut all: Vec<Choice> = Vec::new();
    for id in organisations(own)? {
        let name = own.name_of(&format!("Organization/{id}"));
        let name = name.unwrap_or_else(|| own.words.say("me-share-unnamed"));
        all.push(choice(own, &consents, format!("care/{id}"), name));
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let purposes = ["others", "research", "indicators"].map(|key| {
        let name = own.words.say_code("me-share", key).unwrap_or_default();
        choice(own, &consents, key.to_owned(), name)
    });
    let others = consents.iter().map(Resource::root).filter(|node| !is_choice(*node));
    let other = |node: NodeRef<'_>| Other {
        id: node.id().map(String::from).unwrap_or_default(),
        version: node.text_at("meta.versionId").map(String::from).unwrap_or_default(),
        words: in_words(own, node),
        when: node
            .text_at("dateTime")
            .and_then(|t| crate::calendar::Day::read(&t, &own.zone))
            .map(|d| d.written(own.words))
            .unwrap_or_default(),
    };
    let changed = own.visit.value("changed").unwrap_or_default();
    let undo = all.iter().chain(&purposes).find(|c| c.key == changed);
    Ok(SharingPage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "more"),
        address: own.at("/sharing"),
        undo: undo.map(|c| (c.key.clone(), c.is_on, c.name.clone())),
        organisations: all,
        purposes: purposes.into_iter().collect(),
        others: others.map(other).collect(),
        may_write: own.may_write("Consent"),
        looked: own.at("/looked"),
    })
}

/// A Consent with one provision.
fn consent(own: &Own, key: &str) -> Value {
    let concept = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
    let organisation = key.strip_prefix("care/");
    let mut provision = json!({
        "type": if organisation.is_some() { "deny" } else { "permit" },
        "purpose": [{"system": REASONS, "code": code(key)}],
    });
    if let Some(id) = organisation {
        let role = concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP");
        provision["actor"] =
            json!([{"role": role, "reference": {"reference": format!("Organization/{id}")}}]);
    }
    let at = of_field(&for_field(now(), &own.zone), &own.zone).map(|(at, _)| at).unwrap_or_default();
    json!({
        "resourceType": "Consent",
        "status": "active",
        "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [concept(LOINC, "59284-0"), concept(OWN, CHOICE)],
        "patient": own.subject(),
        "dateTime": at,
        "performer": [{"reference": own.author().unwrap_or_default()}],
        "policyRule": concept(
            "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            if organisation.is_some() { "OPTOUT" } else { "OPTIN" },
        ),
        "provision": provision,
    })
}

/// The end of a Consent.
fn ended(resource: &Resource) -> Option<(Value, String)> {
    let mut all: Value = serde_json::from_str(resource.text()).ok()?;
    let version = resource.root().text_at("meta.versionId").map(String::from)?;
    all["status"] = json!("inactive");
    Some((all, version))
}

fn work(own: &Own, form: &Form) -> Result<Answer<SharingPage>, Failure> {
    let consents = active(own)?;
    let mut changes = Changes::default();
    if let Some(id) = form.given("end") {
        let found = consents.iter().find(|c| c.root().id().as_deref() == Some(id) && !is_choice(c.root()));
        if let Some((resource, _)) = found.and_then(ended) {
            changes.update(resource, form.field("version"));
        }
    } else {
        let key = form.field("choice");
        let is_known = matches!(key, "others" | "research" | "indicators")
            || key.strip_prefix("care/").is_some_and(fhir::primitive::is_id);
        if !is_known {
            return Err(Failure::NothingHere);
        }
        let wants_on = form.field("to") == "on";
        if is_on(&consents, key) != wants_on {
            // A choice that is there is ended; else one is made.
            let own_choices: Vec<_> = consents
                .iter()
                .filter(|c| is_choice(c.root()) && is_of(c.root(), key))
                .filter_map(ended)
                .collect();
            if own_choices.is_empty() {
                changes.create("", consent(own, key));
            }
            for (resource, version) in own_choices {
                changes.update(resource, &version);
            }
        }
    }
    if !changes.is_empty() {
        changes.commit(&own.record.hub, &own.record.access)?;
    }
    let changed = form.field("choice");
    let said = if form.field("to") == "on" { "shared" } else { "unshared" };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let pairs = [pair("said", said), pair("changed", changed)];
    Ok(Answer::Go(crate::visit::address(&own.at("/sharing"), &pairs)))
}

/// Answers with the page.
pub(super) async fn draw(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, page).await
}

/// Changes a choice.
pub(super) async fn change(State(site): State<Site>, Path(id): Path<String>, form: Form) -> Response {
    act(site, form, id, work).await
}
