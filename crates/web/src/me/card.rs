//! `/me/{id}/card`: what helpers need to know at once, as a card for the wallet.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::{NodeRef, Resource};

use super::answer::show;
use super::frame::Frame;
use super::line::{is_void, line};
use super::own::Own;
use crate::chart::lists::{Allergy, allergies, problems};
use crate::chart::medicines::medicines;
use crate::concept;
use crate::failure::Failure;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;

/// What fits on a card.
const MOST: usize = 8;
/// Blood groups in LOINC: ABO and Rh, ABO, Rh.
const BLOOD: &str = "882-1,883-9,10331-7";

/// Somebody to be called.
#[derive(Debug)]
struct Contact {
    name: String,
    relation: String,
    telephone: String,
}

#[derive(Template)]
#[template(path = "me/card.html")]
struct CardPage {
    shell: Shell,
    frame: Frame,
    blood: String,
    allergies: Vec<Allergy>,
    problems: Vec<String>,
    medicines: Vec<String>,
    contacts: Vec<Contact>,
    /// How many more there are than fit.
    more: usize,
    as_at: String,
}

fn contact(own: &Own, node: NodeRef<'_>) -> Contact {
    let name = node.child("name").map(|name| {
        let given = name.all("given").filter_map(|g| g.value().map(String::from));
        let parts: Vec<String> = name.text_at("family").map(String::from).into_iter().chain(given).collect();
        name.text_at("text").map_or_else(|| parts.join(" "), String::from)
    });
    let mut telephones = node.all("telecom").filter(|t| t.text_at("system").as_deref() != Some("email"));
    Contact {
        name: name.filter(|n| !n.is_empty()).unwrap_or_else(|| own.words.say("name-missing")),
        relation: concept::name_at(node, "relationship", own.words).unwrap_or_default(),
        telephone: telephones.find_map(|t| t.text_at("value")).map(String::from).unwrap_or_default(),
    }
}

fn page(own: &Own) -> Result<CardPage, Failure> {
    let bloods = own.some("Observation", &[("code", BLOOD), ("_sort", "-date")], 6)?;
    let mut blood: Vec<String> = bloods.iter().filter_map(|o| line(own, o)).map(|l| l.value).collect();
    blood.dedup();
    let conditions = own.some("Condition", &[], 300)?;
    let known: Vec<Resource> = conditions.into_iter().filter(|c| !is_void(c.root())).collect();
    let mut problems: Vec<String> = problems(&known, own.pen()).0.into_iter().map(|p| p.name).collect();
    problems.dedup();
    let requests = own.some("MedicationRequest", &[("_sort", "-authoredon")], 200)?;
    let current = medicines(&own.record, &requests, own.pen())?.rows.into_iter().filter(|m| m.is_current);
    let mut taken: Vec<String> = current.map(|m| m.name).collect();
    let related = own.some("RelatedPerson", &[], 10)?;
    let is_over = |r: &&Resource| r.root().text_at("active").as_deref() != Some("false");
    let mut contacts: Vec<Contact> = own.patient.root().all("contact").map(|c| contact(own, c)).collect();
    contacts.extend(related.iter().filter(is_over).map(|r| contact(own, r.root())));
    contacts.truncate(3);
    let more = problems.len().saturating_sub(MOST) + taken.len().saturating_sub(MOST);
    problems.truncate(MOST);
    taken.truncate(MOST);
    Ok(CardPage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "more"),
        blood: blood.join(" "),
        allergies: allergies(&own.some("AllergyIntolerance", &[], 100)?, own.pen()),
        problems,
        medicines: taken,
        contacts,
        more,
        as_at: own.on.written(own.words),
    })
}

/// Answers with the page.
pub(super) async fn draw(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, page).await
}
