//! `/me/{id}/entry/{type}/{rid}`: changing or removing an entry of one's own.

use axum::extract::{Path, State};
use axum::response::Response;
use fhir::Resource;
use hub::Kind as Refused;

use super::add::{EntryPage, draw};
use super::kind::{Kind, of};
use super::read::{Entered, read};
use super::{build, kind};
use crate::failure::Failure;
use crate::form::Form;
use crate::me::answer::{Answer, act, show};
use crate::me::line::{is_of_person, moment as recorded};
use crate::me::moment::{for_field, now};
use crate::me::own::Own;
use crate::site::Site;
use crate::visit::Visit;
use crate::writing::Changes;

/// Whose address it is: person, type, id.
type Place = (String, String, String);

/// An entry that is there and is of whoever looks.
struct Entry {
    kind: &'static Kind,
    resource: Resource,
    version: String,
}

fn entry(own: &Own, type_name: &str, id: &str) -> Result<Entry, Failure> {
    let is_known = kind::KINDS.iter().any(|k| k.type_name() == type_name);
    let resource = if is_known { own.record.read(type_name, id)? } else { None };
    let resource = resource.ok_or(Failure::NothingHere)?;
    let node = resource.root();
    let is_about = node.text_at("subject.reference").as_deref() == Some(own.reference().as_str());
    let kind = of(node).filter(|_| is_about && is_of_person(own, node).1).ok_or(Failure::NothingHere)?;
    let version = node.text_at("meta.versionId").map(String::from).unwrap_or_default();
    Ok(Entry { kind, resource, version })
}

fn entered(own: &Own, entry: &Entry) -> Entered {
    let node = entry.resource.root();
    let at = recorded(node).and_then(|text| fhir::DateTime::parse(&text));
    Entered {
        values: build::values(entry.kind, node).into_iter().collect(),
        at_field: at.map(|at| for_field(at.interval(&own.zone).0, &own.zone)).unwrap_or_default(),
        ..Entered::default()
    }
}

fn page(own: &Own, entry: &Entry, entered: &Entered) -> EntryPage {
    let mut page = draw(own, entry.kind, entered, entry.version.clone(), true);
    page.back = own.at("/timeline");
    page
}

/// Answers with the entry as a form.
pub(in crate::me) async fn form(
    State(site): State<Site>,
    Path((id, type_name, rid)): Path<Place>,
    visit: Visit,
) -> Response {
    show(site, visit, id, move |own| {
        let entry = entry(own, &type_name, &rid)?;
        Ok(page(own, &entry, &entered(own, &entry)))
    })
    .await
}

fn work(own: &Own, form: &Form, type_name: &str, rid: &str) -> Result<Answer<EntryPage>, Failure> {
    let entry = entry(own, type_name, rid)?;
    // The version the form was drawn from, not the one that is there now.
    let version = form.field("once");
    let reference = format!("{type_name}/{rid}");
    let mut changes = Changes::default();
    let is_removal = form.field("action") == "remove";
    let mut sent = read(own, entry.kind, form, now());
    sent.errors.retain(|name, _| *name != "file");
    if is_removal {
        changes.delete(&reference, version);
    } else if sent.is_well() {
        let made = build::changed(own, entry.kind, &sent, entry.resource.text());
        changes.update(made.ok_or(Failure::NothingHere)?, version);
    } else {
        let mut again = page(own, &entry, &sent);
        version.clone_into(&mut again.once);
        return Ok(Answer::Again(again));
    }
    match changes.commit(&own.record.hub, &own.record.access) {
        Ok(_) if is_removal => Ok(Answer::Go(own.at("?said=removed"))),
        Ok(_) => Ok(Answer::Go(own.at(&format!("?saved={reference}")))),
        Err(Failure::Hub(why)) if matches!(why.kind, Refused::PreconditionFailed | Refused::Conflict) => {
            // Somebody changed it in between: both are shown, and the next save is over what is there now.
            let mut again = page(own, &entry, &sent);
            again.there = Some(build::told(own.words, entry.kind, entry.resource.root()));
            Ok(Answer::Again(again))
        }
        Err(other) => Err(other),
    }
}

/// Changes or removes the entry.
pub(in crate::me) async fn save(
    State(site): State<Site>,
    Path((id, type_name, rid)): Path<Place>,
    form: Form,
) -> Response {
    act(site, form, id, move |own, form| work(own, form, &type_name, &rid)).await
}
