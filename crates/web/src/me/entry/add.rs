//! `/me/{id}/add/{kind}`: entering one thing.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::kind::{Kind, PARTS, Shape, named};
use super::read::{Entered, read};
use super::view::{FieldView, fields};
use super::{build, document};
use crate::failure::Failure;
use crate::form::Form;
use crate::me::answer::{Answer, act, show};
use crate::me::frame::Frame;
use crate::me::moment;
use crate::me::own::Own;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;
use crate::writing::Changes;

#[derive(Template)]
#[template(path = "me/entry.html")]
pub(super) struct EntryPage {
    pub(super) shell: Shell,
    pub(super) frame: Frame,
    pub(super) title: String,
    pub(super) lead: Option<String>,
    pub(super) address: String,
    /// The key this form is taken once by, or the version it changes.
    pub(super) once: String,
    pub(super) fields: Vec<FieldView>,
    pub(super) at: String,
    pub(super) at_error: Option<String>,
    pub(super) errors: Vec<String>,
    pub(super) doubts: Vec<String>,
    pub(super) is_file: bool,
    pub(super) may_write: bool,
    /// Whether it changes what is there.
    pub(super) is_change: bool,
    /// What is there now, where somebody changed it in between.
    pub(super) there: Option<Vec<(String, String)>>,
    pub(super) back: String,
}

fn missing() -> Failure {
    Failure::NothingHere
}

fn usual(own: &Own, kind: &Kind) -> Entered {
    let now = moment::now();
    let mut entered = Entered { at_field: moment::for_field(now, &own.zone), ..Entered::default() };
    let hour: u32 = entered.at_field.get(11..13).and_then(|h| h.parse().ok()).unwrap_or(0);
    let part = if (4..15).contains(&hour) { PARTS.first() } else { PARTS.last() };
    if kind.shape == Shape::Pressure {
        entered.values.insert("part", part.map(|p| (*p).to_owned()).unwrap_or_default());
    }
    for field in kind.fields {
        if let super::kind::Input::Choice([first, ..]) = field.input
            && !entered.values.contains_key(field.name)
            && field.name != "mood"
        {
            entered.values.insert(field.name, (*first).to_owned());
        }
    }
    entered
}

pub(super) fn draw(own: &Own, kind: &Kind, entered: &Entered, once: String, is_change: bool) -> EntryPage {
    let words = own.words;
    EntryPage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "add"),
        title: words.say_code("me-entry", kind.key).unwrap_or_default(),
        lead: words.say_code("me-entry-lead", kind.key),
        address: own.visit.path.clone(),
        once,
        fields: fields(own, kind, entered, is_change),
        at: entered.at_field.clone(),
        at_error: entered.errors.get("at").cloned(),
        errors: entered.errors.values().cloned().collect(),
        doubts: entered.doubts.clone(),
        is_file: kind.shape == Shape::Document && !is_change,
        may_write: own.may_write(kind.type_name()),
        is_change,
        there: None,
        back: own.at("/add"),
    }
}

/// Answers with the form.
pub(in crate::me) async fn form(
    State(site): State<Site>,
    Path((id, key)): Path<(String, String)>,
    visit: Visit,
) -> Response {
    show(site, visit, id, move |own| {
        let kind = named(&key).ok_or_else(missing)?;
        Ok(draw(own, kind, &usual(own, kind), uuid::Uuid::now_v7().to_string(), false))
    })
    .await
}

fn saved(own: &Own, kind: &Kind, form: &Form) -> Result<Answer<EntryPage>, Failure> {
    let mut entered = read(own, kind, form, moment::now());
    let file = document::read(own, kind, form, &mut entered);
    let once = form.field("once").to_owned();
    if !entered.is_well() || !own.may_write(kind.type_name()) {
        return Ok(Answer::Again(draw(own, kind, &entered, once, false)));
    }
    let mut changes = Changes::default();
    let mut at = 0;
    match file {
        Some(file) => document::create(own, &entered, &file, &mut changes),
        None => {
            for resource in build::resources(own, kind, &entered) {
                changes.create("", resource);
                at += 1;
            }
        }
    }
    if !once.is_empty() {
        changes.once(&[b"me-entry", own.id.as_bytes(), kind.key.as_bytes(), once.as_bytes()]);
    }
    let written = changes.commit(&own.record.hub, &own.record.access)?;
    let kept = if at == 0 { written.len().min(1) } else { at };
    let references: Vec<&str> = written.iter().take(kept).map(|w| w.reference.as_str()).collect();
    Ok(Answer::Go(own.at(&format!("?saved={}", references.join(",")))))
}

/// Takes what was entered.
pub(in crate::me) async fn save(
    State(site): State<Site>,
    Path((id, key)): Path<(String, String)>,
    form: Form,
) -> Response {
    act(site, form, id, move |own, form| saved(own, named(&key).ok_or_else(missing)?, form)).await
}
