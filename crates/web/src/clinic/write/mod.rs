//! `/clinic/{id}/write/{kind}`: a short form beside the chart, and its signing.

mod build;
mod dosage;
mod snippets;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use fhir::date_time::format_instant;
use uuid::Uuid;

use self::build::{About, Fault, build};
use super::chart::{PatientPage, view};
use super::codes::{Choice, choices};
use super::drafts::not_saved;
use super::kind::Kind;
use super::safety::{self, Checked};
use super::{is_clinician, writer};
use crate::audit::audited;
use crate::bedside::Bedside;
use crate::calendar::written_moment;
use crate::drafts::{Draft, Fields, Save, Saved, Writer, new_id};
use crate::failure::Failure;
use crate::form::Form;
use crate::shell::{Shell, respond, respond_with_scripts};
use crate::site::Site;
use crate::visit::Visit;
use crate::writing::Changes;

/// Fields that are no part of what is written.
const OWN: [&str; 6] = ["action", "draft", "revision", "window", "pick", "override"];

/// Another's draft of the same kind, or a text that was kept.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) when: String,
    pub(crate) text: String,
    pub(crate) address: String,
}

/// The form beside the chart.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) kind: &'static str,
    pub(crate) title: String,
    /// What the first field asks for.
    pub(crate) what_label: String,
    pub(crate) post: String,
    pub(crate) drafts: String,
    pub(crate) draft: String,
    pub(crate) revision: u64,
    pub(crate) fields: Fields,
    pub(crate) faults: BTreeMap<String, String>,
    /// Codes that may be meant by what was typed.
    pub(crate) choices: Vec<Choice>,
    /// Texts that can be put into a note, as JSON.
    pub(crate) snippets: String,
    pub(crate) others: Vec<Other>,
    pub(crate) kept: Vec<Other>,
    pub(crate) notice: Option<String>,
    pub(crate) is_restored: bool,
    pub(crate) today: String,
    /// What is to be looked at before a medicine is signed.
    pub(crate) checked: Option<Checked>,
    /// Where it is checked while it is written.
    pub(crate) check: String,
}

impl Panel {
    /// What stands in a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// What is wrong with a field.
    pub(crate) fn fault(&self, name: &str) -> Option<&String> {
        self.faults.get(name)
    }

    /// Whether a box is ticked, or a choice made.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.value(name) == value
    }
}

/// Digits and signs in half width, without spaces at the ends.
pub(crate) fn half_width(text: &str) -> String {
    let half = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    };
    text.trim().chars().map(half).collect()
}

/// What is told with the form.
#[derive(Default)]
struct Told {
    faults: Vec<Fault>,
    notice: Option<String>,
    checked: Option<Checked>,
}

struct Writing {
    site: Site,
    visit: Visit,
    kind: Kind,
    who: Writer,
}

impl Writing {
    fn panel(
        &self,
        bedside: &Bedside,
        draft: Option<Draft>,
        id: String,
        fields: Fields,
        told: Told,
    ) -> Panel {
        let words = self.visit.words;
        let patient = bedside.id();
        let moment = |seconds: u64| {
            let micros = i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000);
            written_moment(micros, &bedside.zone, words)
        };
        let text = |fields: &Fields| {
            let parts = ["what", "usage", "value", "text", "comment"].iter().filter_map(|f| fields.get(*f));
            parts.filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("\n")
        };
        let of_person = self.site.drafts.of_person(&patient);
        let others = of_person.iter().filter(|other| other.kind == self.kind.name() && other.id != id);
        let others = others.map(|other| Other {
            name: other.name.clone(),
            when: moment(other.saved),
            text: text(&other.fields),
            address: format!("/clinic/{patient}/write/{}?draft={}", self.kind.name(), other.id),
        });
        let others = others.collect();
        let kept = draft.iter().flat_map(|draft| &draft.kept).map(|kept| Other {
            name: kept.by.clone(),
            when: moment(kept.at),
            text: text(&kept.fields),
            address: String::new(),
        });
        let what = fields.get("what").cloned().unwrap_or_default();
        let is_open_question = !what.is_empty() && fields.get("chosen") != Some(&what);
        let choices = match is_open_question && !matches!(self.kind, Kind::Note) {
            true => choices(&self.site.hub, self.kind, &what, words),
            false => Vec::new(),
        };
        let base = format!("/clinic/{patient}");
        Panel {
            kind: self.kind.name(),
            title: words.say(&format!("write-{}", self.kind.name())),
            what_label: words.say(&format!("what-{}", self.kind.name())),
            post: format!("{base}/write/{}", self.kind.name()),
            drafts: format!("{base}/draft/{}", self.kind.name()),
            is_restored: draft.is_some(),
            revision: draft.as_ref().map_or(0, |draft| draft.revision),
            kept: kept.collect(),
            draft: id,
            faults: told.faults.iter().map(|(f, key)| ((*f).to_owned(), words.say(key))).collect(),
            choices,
            snippets: String::new(),
            others,
            notice: told.notice,
            today: bedside.present.iso(),
            check: format!("{base}/check"),
            checked: told.checked,
            fields,
        }
    }

    /// The page with the form.
    fn page(
        &self,
        bedside: &Bedside,
        draft: Option<Draft>,
        id: String,
        fields: Fields,
        told: Told,
    ) -> Result<PatientPage, Failure> {
        let chart = view(bedside, Some(self.kind))?;
        let mut panel = self.panel(bedside, draft, id, fields, told);
        panel.snippets = snippets::of(&chart, self.visit.words);
        Ok(PatientPage { shell: Shell::of(&self.visit), chart, panel: Some(panel), said: None, back: None })
    }
}

/// Shows the form: with the draft that is named, else with one's own last one, else empty.
pub(crate) async fn page(
    State(site): State<Site>,
    Path((id, kind)): Path<(String, String)>,
    visit: Visit,
) -> Response {
    let Some(kind) = Kind::of(&kind) else { return Failure::NothingHere.page(&visit) };
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let writing = Writing { who: writer(&visit), site, visit: visit.clone(), kind };
    let (hub, target) = (writing.site.hub.clone(), format!("Patient/{id}"));
    let drawn = audited(hub, &visit, target, move |hub, access| {
        let bedside = Bedside::of(hub, access, &writing.visit, &id)?;
        let drafts = &writing.site.drafts;
        let draft = match writing.visit.value("draft") {
            Some(named) => drafts.get(&id, named).filter(|draft| draft.kind == kind.name()),
            None if writing.visit.value("new").is_some() => None,
            None => drafts.last_of(&id, kind.name(), &writing.who.id),
        };
        let fields = draft.as_ref().map(|draft| draft.fields.clone()).unwrap_or_default();
        let draft_id = draft.as_ref().map_or_else(new_id, |draft| draft.id.clone());
        writing.page(&bedside, draft, draft_id, fields, Told::default())
    });
    match drawn.await {
        Ok(page) => respond_with_scripts(&visit, StatusCode::OK, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}

/// What comes of a form.
enum Done {
    /// It is written, or thrown away.
    Over(String),
    /// The form again.
    Again(Box<PatientPage>, u16),
}

#[derive(Template)]
#[template(path = "clinic/checked.html")]
struct CheckedPart {
    words: crate::words::Words,
    checked: Checked,
    may_go_on: bool,
}

/// Checks a medicine while it is being written; a part of a page.
pub(crate) async fn check(State(site): State<Site>, Path(id): Path<String>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let target = format!("Patient/{id}");
    let who = writer(&visit);
    let outside = Arc::clone(&site.outside);
    let by = visit.subject().and_then(|subject| subject.fhir_user.clone());
    let drawn = audited(site.hub, &visit, target, move |hub, access| {
        let plain = Visit { pairs: Vec::new(), ..form.visit.clone() };
        let bedside = Bedside::of(hub, access, &plain, &id)?;
        let fields: Fields = form.fields.iter().cloned().collect();
        let (reference, today) = (bedside.reference(), bedside.present.iso());
        let about = About {
            kind: Kind::Medicine,
            patient: &reference,
            practitioner: None,
            name: &who.name,
            encounter: None,
            organization: None,
            now: &format_instant(hub::now()),
            today: &today,
            words: form.visit.words,
        };
        Ok(match build(&about, &fields) {
            Ok(order) => {
                let mut checked = safety::check(&safety::facts(&bedside)?, &order, form.visit.words);
                checked.cards = safety::ask(&outside, &bedside, by.as_deref(), &order);
                Some(checked)
            }
            Err(_) => None,
        })
    });
    match drawn.await {
        Ok(Some(checked)) => {
            let part = CheckedPart { words: visit.words, checked, may_go_on: false };
            respond(&visit, StatusCode::OK, &part)
        }
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(failure) => failure.page(&visit),
    }
}

/// Signs, keeps as a draft, or throws away.
pub(crate) async fn post(
    State(site): State<Site>,
    Path((id, kind)): Path<(String, String)>,
    form: Form,
) -> Response {
    let visit = form.visit.clone();
    let Some(kind) = Kind::of(&kind) else { return Failure::NothingHere.page(&visit) };
    if !is_clinician(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let writing = Writing { who: writer(&visit), site, visit: visit.clone(), kind };
    let (hub, target) = (writing.site.hub.clone(), format!("Patient/{id}"));
    let person = id.clone();
    let done = audited(hub, &visit, target, move |hub, access| {
        let bedside =
            Bedside::of(hub, access, &Visit { pairs: Vec::new(), ..writing.visit.clone() }, &person)?;
        writing.posted(&bedside, &form)
    });
    match done.await {
        Ok(Done::Over(done)) => go(&format!("/clinic/{id}?done={done}")),
        Ok(Done::Again(page, status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            respond_with_scripts(&visit, status, page.as_ref(), "")
        }
        Err(failure) => failure.page(&visit),
    }
}

/// Leads the browser on.
pub(crate) fn go(place: &str) -> Response {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/clinic"));
    let headers = [(header::LOCATION, place), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

impl Writing {
    fn posted(&self, bedside: &Bedside, form: &Form) -> Result<Done, Failure> {
        let (drafts, patient) = (&self.site.drafts, bedside.id());
        let given = form.given("draft").filter(|id| crate::drafts::is_id(id));
        let id = given.map_or_else(new_id, str::to_owned);
        let there = drafts.get(&patient, &id);
        if form.field("action") == "discard" {
            drafts.throw(&patient, &id).map_err(not_saved)?;
            return Ok(Done::Over(format!("discard&kind={}&draft={id}", self.kind.name())));
        }
        let pairs = form.fields.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        let mut fields: Fields = pairs.map(|(n, v)| (n.clone(), v.replace("\r\n", "\n"))).collect();
        pick(&mut fields, form.field("pick"));
        let again = |draft: Option<Draft>, fields: Fields, told: Told, status: u16| {
            Ok(Done::Again(Box::new(self.page(bedside, draft, id.clone(), fields, told)?), status))
        };
        let notice = |key: &str| Told { notice: Some(self.visit.words.say(key)), ..Told::default() };
        if form.is_cut {
            return again(there, fields, notice("form-cut"), 413);
        }
        let base: u64 = form.field("revision").parse().unwrap_or(0);
        // Who signs has seen what they sign: not what others changed in it meanwhile.
        if let Some(draft) = &there
            && draft.revision != base
            && draft.fields != fields
            && (draft.window.is_empty() || draft.window != form.field("window"))
        {
            let window = form.field("window").to_owned();
            let save = Save { base, was: Fields::new(), fields: fields.clone(), window };
            let saved = drafts.save(&patient, self.kind.name(), &id, &self.who, save).map_err(not_saved)?;
            let (Saved::Stored(draft) | Saved::Merged(draft) | Saved::Conflict(draft)) = saved;
            let now = draft.fields.clone();
            return again(Some(draft), now, notice("draft-changed"), 409);
        }
        let keep = |fields: &Fields| {
            let base = there.as_ref().map_or(0, |draft| draft.revision);
            let window = form.field("window").to_owned();
            let save = Save { base, was: Fields::new(), fields: fields.clone(), window };
            drafts.save(&patient, self.kind.name(), &id, &self.who, save).map_err(not_saved)
        };
        if form.field("action") != "sign" && form.given("override").is_none() {
            let (Saved::Stored(draft) | Saved::Merged(draft) | Saved::Conflict(draft)) = keep(&fields)?;
            return again(Some(draft), fields, notice("draft-kept"), 200);
        }
        let subject = self.visit.subject();
        let encounter = self.encounter(bedside)?;
        let organization =
            subject.and_then(|s| s.organisations.first()).map(|id| format!("Organization/{id}"));
        let now = format_instant(hub::now());
        let (reference, today) = (bedside.reference(), bedside.present.iso());
        let about = About {
            kind: self.kind,
            patient: &reference,
            practitioner: subject.and_then(|s| s.fhir_user.as_deref()),
            name: &self.who.name,
            encounter: encounter.as_deref(),
            organization: organization.as_deref(),
            now: &now,
            today: &today,
            words: self.visit.words,
        };
        let resource = match build(&about, &fields) {
            Ok(resource) => resource,
            Err(faults) => {
                keep(&fields)?;
                let there = drafts.get(&patient, &id);
                return again(there, fields, Told { faults, ..Told::default() }, 422);
            }
        };
        let mut changes = Changes::default();
        if self.kind == Kind::Medicine {
            let checked = safety::check(&safety::facts(bedside)?, &resource, self.visit.words);
            let why = form.given("override").filter(|why| safety::REASONS.contains(why));
            match why {
                None if checked.is_grave => {
                    keep(&fields)?;
                    let there = drafts.get(&patient, &id);
                    let told = Told { checked: Some(checked), ..notice("safety-first") };
                    return again(there, fields, told, 422);
                }
                Some(why) => {
                    let urn = format!("urn:uuid:{}", Uuid::now_v7());
                    let why = self.visit.words.say(&format!("override-{why}"));
                    let by = resource["requester"].clone();
                    changes.create(&urn, resource);
                    for issue in safety::issues(&checked, &reference, &urn, &by, &now, &why) {
                        changes.create("", issue);
                    }
                }
                None => changes.create("", resource),
            }
        } else {
            changes.create("", resource);
        }
        // A form that is sent twice as it was is signed once; one that was changed since is another.
        let written = serde_json::to_vec(&fields).unwrap_or_default();
        changes.once(&[b"clinic", self.kind.name().as_bytes(), id.as_bytes(), &written]);
        match changes.commit(&bedside.record.hub, &bedside.record.access) {
            Ok(_) => {
                // It is signed either way; what cannot be removed now goes after a month.
                let _ = drafts.remove(&patient, &id);
                Ok(Done::Over(self.kind.name().to_owned()))
            }
            Err(Failure::Hub(failure)) if failure.kind.status() < 500 => {
                keep(&fields)?;
                let there = drafts.get(&patient, &id);
                let why = failure.issues.first().map(|issue| issue.diagnostics.clone()).unwrap_or_default();
                let notice = format!("{} {why}", self.visit.words.say("not-signed"));
                again(there, fields, Told { notice: Some(notice), ..Told::default() }, failure.kind.status())
            }
            Err(failure) => Err(failure),
        }
    }

    /// The encounter of today that is under way, if there is one.
    fn encounter(&self, bedside: &Bedside) -> Result<Option<String>, Failure> {
        let pairs = [("status", "in-progress,arrived,triaged"), ("_sort", "-date")];
        let found = bedside.found("Encounter", &pairs, 1)?;
        let first = found.first().and_then(|encounter| encounter.root().id().map(String::from));
        Ok(first.map(|id| format!("Encounter/{id}")))
    }
}

/// One of the codes that were offered was picked: `system|code|name|extra`, percent-encoded by parts.
fn pick(fields: &mut Fields, picked: &str) {
    let parts: Vec<&str> = picked.split('\u{1f}').collect();
    if let [system, code, name, extra] = parts.as_slice() {
        for (field, value) in
            [("system", system), ("code", code), ("what", name), ("chosen", name), ("extra", extra)]
        {
            fields.insert(field.to_owned(), (*value).to_owned());
        }
    }
}
