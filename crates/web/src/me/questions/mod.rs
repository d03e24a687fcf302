//! `/me/{id}/questions`: FHIR Questionnaires, answered page by page without a script and at once with one.
//!
//! * [`item`]: a Questionnaire's items, read.
//! * [`answers`]: what a form or a QuestionnaireResponse says, and the QuestionnaireResponse of it.
//! * [`enable`]: which items are asked, and what is computed.
//! * [`view`]: the form, drawn.
//!
//! Answers are kept as one goes: an `in-progress` QuestionnaireResponse is the draft, and completing it ends it.

mod answers;
mod enable;
mod item;
mod view;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::Resource;
use fluent_bundle::FluentValue;
use serde_json::Value;

use self::answers::Answers;
use self::item::{Item, items};
use self::view::{Node, nodes};
use super::answer::{Answer, act, show};
use super::frame::Frame;
use super::own::Own;
use crate::failure::Failure;
use crate::form::Form;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;
use crate::writing::Changes;

/// Questionnaires and responses that are listed.
const MOST: usize = 60;

/// A questionnaire that may be answered.
struct Listed {
    address: String,
    title: String,
    about: String,
    /// Whether an answer is under way.
    is_begun: bool,
    /// When it was answered last.
    answered: String,
}

#[derive(Template)]
#[template(path = "me/questions.html")]
struct ListPage {
    shell: Shell,
    frame: Frame,
    listed: Vec<Listed>,
}

#[derive(Template)]
#[template(path = "me/question.html")]
struct QuestionPage {
    shell: Shell,
    frame: Frame,
    title: String,
    about: String,
    address: String,
    /// The questionnaire's version this form was drawn from.
    version: String,
    nodes: Vec<Node>,
    errors: Vec<String>,
    is_saved: bool,
    may_write: bool,
    back: String,
}

/// A Questionnaire, read.
struct Questionnaire {
    id: String,
    version: String,
    /// What a response names it by.
    canonical: String,
    title: String,
    about: String,
    items: Vec<Item>,
}

impl Questionnaire {
    fn read(resource: &Resource) -> Questionnaire {
        let node = resource.root();
        let text = |path: &str| node.text_at(path).map(String::from).unwrap_or_default();
        let id = text("id");
        let json: Value = serde_json::from_str(resource.text()).unwrap_or_default();
        let canonical = match (text("url"), text("version")) {
            (url, _) if url.is_empty() => format!("Questionnaire/{id}"),
            (url, version) if version.is_empty() => url,
            (url, version) => format!("{url}|{version}"),
        };
        let title = [text("title"), text("name"), id.clone()].into_iter().find(|t| !t.is_empty());
        Questionnaire {
            version: text("meta.versionId"),
            canonical,
            title: title.unwrap_or_default(),
            about: text("description"),
            items: items(&json),
            id,
        }
    }

    fn is_answered_by(&self, named: &str) -> bool {
        let url = |text: &str| text.split('|').next().unwrap_or_default().to_owned();
        url(named) == url(&self.canonical) || named == format!("Questionnaire/{}", self.id)
    }
}

fn responses(own: &Own) -> Result<Vec<Resource>, Failure> {
    own.some("QuestionnaireResponse", &[("_sort", "-authored")], MOST)
}

fn list(own: &Own) -> Result<ListPage, Failure> {
    let found = own.record.search("Questionnaire", &[("status", "active")], MOST)?;
    let answered = responses(own)?;
    let text = |r: &Resource, path: &str| r.root().text_at(path).map(String::from).unwrap_or_default();
    let listed = found.resources.iter().map(|resource| {
        let one = Questionnaire::read(resource);
        let of: Vec<&Resource> =
            answered.iter().filter(|r| one.is_answered_by(&text(r, "questionnaire"))).collect();
        let done = of.iter().find(|r| matches!(text(r, "status").as_str(), "completed" | "amended"));
        let day = done.and_then(|r| crate::calendar::Day::read(&text(r, "authored"), &own.zone));
        Listed {
            address: own.at(&format!("/questions/{}", one.id)),
            is_begun: of.iter().any(|r| text(r, "status") == "in-progress"),
            answered: day.map(|d| d.written(own.words)).unwrap_or_default(),
            title: one.title,
            about: one.about,
        }
    });
    Ok(ListPage { listed: listed.collect(), shell: Shell::of(&own.visit), frame: Frame::of(own, "more") })
}

fn questionnaire(own: &Own, id: &str) -> Result<Questionnaire, Failure> {
    let found = if fhir::primitive::is_id(id) { own.record.read("Questionnaire", id)? } else { None };
    found.map(|r| Questionnaire::read(&r)).ok_or(Failure::NothingHere)
}

/// The draft there is: the response and its version.
fn draft(own: &Own, asked: &Questionnaire) -> Result<Option<Resource>, Failure> {
    let author = own.author().unwrap_or_default();
    let is_draft = |r: &Resource| {
        let text = |path: &str| r.root().text_at(path).map(String::from).unwrap_or_default();
        text("status") == "in-progress"
            && text("author.reference") == author
            && asked.is_answered_by(&text("questionnaire"))
    };
    Ok(responses(own)?.into_iter().find(is_draft))
}

fn draw(own: &Own, asked: &Questionnaire, answers: &Answers, more: &str, is_checked: bool) -> QuestionPage {
    let computed = enable::computed(own, asked, answers);
    let nodes = nodes(own.words, &asked.items, &computed, more, is_checked);
    let errors = nodes.iter().filter_map(|n| n.error.as_ref().map(|e| format!("{}: {e}", n.text))).collect();
    QuestionPage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "more"),
        title: asked.title.clone(),
        about: asked.about.clone(),
        address: own.at(&format!("/questions/{}", asked.id)),
        version: asked.version.clone(),
        errors,
        is_saved: own.visit.value("kept").is_some(),
        may_write: own.may_write("QuestionnaireResponse"),
        back: own.at("/questions"),
        nodes,
    }
}

fn page(own: &Own, id: &str) -> Result<QuestionPage, Failure> {
    let asked = questionnaire(own, id)?;
    let answers = match draft(own, &asked)? {
        Some(resource) => Answers::of_response(&asked.items, &resource, &own.zone),
        None => Answers::initial(&asked.items, &own.zone),
    };
    let more = own.visit.value("more").unwrap_or_default().to_owned();
    Ok(draw(own, &asked, &answers, &more, false))
}

fn work(own: &Own, form: &Form, id: &str) -> Result<Answer<QuestionPage>, Failure> {
    let asked = questionnaire(own, id)?;
    let answers = Answers::of_form(&asked.items, form, &own.zone);
    let action = form.field("action");
    let is_complete = action == "complete";
    let mut drawn = draw(own, &asked, &answers, "", is_complete);
    if form.field("version") != asked.version {
        drawn.errors = vec![own.words.say("me-questions-changed")];
        return Ok(Answer::Again(drawn));
    }
    if !drawn.errors.is_empty() || !drawn.may_write {
        return Ok(Answer::Again(drawn));
    }
    let computed = enable::computed(own, &asked, &answers);
    let mut made =
        answers::response(own, &asked, &computed, if is_complete { "completed" } else { "in-progress" });
    let mut changes = Changes::default();
    match draft(own, &asked)? {
        Some(there) => {
            let text = |path: &str| there.root().text_at(path).map(String::from).unwrap_or_default();
            made["id"] = Value::from(text("id"));
            let is_same = serde_json::from_str::<Value>(there.text())
                .is_ok_and(|old| old["item"] == made["item"] && old["status"] == made["status"]);
            if !is_same {
                changes.update(made, &text("meta.versionId"));
            }
        }
        None => changes.create("", made),
    }
    if !changes.is_empty() {
        changes.commit(&own.record.hub, &own.record.access)?;
    }
    if is_complete {
        return Ok(Answer::Go(own.at("/questions?said=saved")));
    }
    let mut pairs = vec![("kept".to_owned(), "1".to_owned())];
    pairs.extend(action.strip_prefix("more:").map(|name| ("more".to_owned(), name.to_owned())));
    Ok(Answer::Go(crate::visit::address(&own.at(&format!("/questions/{id}")), &pairs)))
}

/// Answers with what may be answered.
pub(super) async fn choose(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, list).await
}

/// Answers with a questionnaire.
pub(super) async fn form(
    State(site): State<Site>,
    Path((id, asked)): Path<(String, String)>,
    visit: Visit,
) -> Response {
    show(site, visit, id, move |own| page(own, &asked)).await
}

/// Keeps answers.
pub(super) async fn save(
    State(site): State<Site>,
    Path((id, asked)): Path<(String, String)>,
    form: Form,
) -> Response {
    act(site, form, id, move |own, form| work(own, form, &asked)).await
}

/// A sentence about a value.
fn said(words: crate::words::Words, key: &str, value: &str) -> String {
    words.say_with(key, &[("value", FluentValue::from(value.to_owned()))])
}
