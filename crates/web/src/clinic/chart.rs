//! `/clinic/{id}`: one screen for one patient, now or as it was known at the end of a day.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use hub::Hub;

use super::kind::Kind;
use super::present::{Next, Paper, Taken, next, papers, taken};
use super::results::{self, Line};
use super::write::Panel;
use crate::audit::audited;
use crate::bedside::Bedside;
use crate::calendar::written_moment;
use crate::chart::as_of::AsOfView;
use crate::chart::lists::{self, Allergy};
use crate::chart::trends::Results;
use crate::chart::{timeline, timeline::Timeline, trends};
use crate::concept;
use crate::failure::Failure;
use crate::person::Person;
use crate::shell::{Shell, respond_with_scripts};
use crate::visit::Visit;

/// How many of each kind are fetched for the screen.
const OBSERVATIONS: usize = 400;
const ENCOUNTERS: usize = 200;
const OTHERS: usize = 200;
const MEDICINES: usize = 60;
const NEXT: usize = 12;
const PAPERS: usize = 12;
/// Past problems, and visits in the list.
const PAST: usize = 30;
const VISITS: usize = 12;
/// How far the slider goes back.
const DAYS_BACK: i64 = 3650;

/// A problem, and what can be done to it.
#[derive(Debug)]
pub(crate) struct ProblemLine {
    pub(crate) name: String,
    pub(crate) dates: String,
    pub(crate) status: String,
    pub(crate) reference: String,
    pub(crate) version: String,
    /// Whether the patient was not told yet.
    pub(crate) is_untold: bool,
}

/// Something that can be written.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) key: &'static str,
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) is_here: bool,
}

/// What the screen shows.
#[derive(Debug)]
pub(crate) struct ChartView {
    pub(crate) id: String,
    pub(crate) person: Person,
    pub(crate) as_of: AsOfView,
    /// Days before today the chart is of.
    pub(crate) back: i64,
    pub(crate) days_back: i64,
    pub(crate) today: String,
    pub(crate) moment: String,
    pub(crate) problems: Vec<ProblemLine>,
    pub(crate) past_problems: Vec<String>,
    pub(crate) allergies: Vec<Allergy>,
    pub(crate) taken: Vec<Taken>,
    pub(crate) lines: Vec<Line>,
    pub(crate) next: Vec<Next>,
    pub(crate) papers: Vec<Paper>,
    pub(crate) years: Vec<String>,
    pub(crate) timeline: Timeline,
    pub(crate) actions: Vec<Action>,
    pub(crate) is_cut: bool,
}

fn problems(bedside: &Bedside, most: usize) -> Result<(Vec<ProblemLine>, Vec<String>, bool), Failure> {
    let (conditions, is_cut) = bedside.some("Condition", "", most)?;
    let (present, past) = lists::problems_with_nodes(&conditions, bedside.pen());
    let line = |(problem, node): (lists::Problem, fhir::NodeRef<'_>)| ProblemLine {
        name: problem.name,
        dates: problem.dates,
        status: problem.status,
        reference: format!("Condition/{}", node.id().unwrap_or_default()),
        version: node.text_at("meta.versionId").unwrap_or_default().into_owned(),
        is_untold: node.path("meta").is_some_and(|meta| {
            meta.all("tag").any(|tag| tag.text_at("code").as_deref() == Some("UNINFORMED"))
        }),
    };
    let present = present.into_iter().map(line).collect();
    let past = past.into_iter().map(|(p, _)| format!("{} {}", p.name, p.dates)).take(PAST).collect();
    Ok((present, past, is_cut))
}

/// What can be written about a patient.
pub(crate) fn actions(bedside: &Bedside, here: Option<Kind>) -> Vec<Action> {
    let id = bedside.id();
    let write = |kind: Kind| Action {
        key: kind.key(),
        name: bedside.words.say(&format!("write-{}", kind.name())),
        address: format!("/clinic/{id}/write/{}", kind.name()),
        is_here: here == Some(kind),
    };
    let mut actions: Vec<Action> = Kind::ALL.into_iter().map(write).collect();
    let renew = Action {
        key: "r",
        name: bedside.words.say("write-renewal"),
        address: format!("/clinic/{id}/renew"),
        is_here: false,
    };
    actions.insert(3.min(actions.len()), renew);
    actions
}

/// Draws the screen.
pub(crate) fn view(bedside: &Bedside, here: Option<Kind>) -> Result<ChartView, Failure> {
    let words = bedside.words;
    let (problems, past_problems, mut is_cut) = problems(bedside, OTHERS)?;
    let mut fetch = |name: &str, sort: &str, most: usize| -> Result<Vec<fhir::Resource>, Failure> {
        let (found, has_more) = bedside.some(name, sort, most)?;
        is_cut |= has_more;
        Ok(found)
    };
    let allergies = fetch("AllergyIntolerance", "", OTHERS)?;
    let observations = fetch("Observation", "-date", OBSERVATIONS)?;
    let encounters = fetch("Encounter", "-date", ENCOUNTERS)?;
    let pen = bedside.pen();
    let path = format!("/clinic/{}", bedside.id());
    let mut timeline = timeline::timeline(&encounters, pen);
    timeline.rows.truncate(VISITS);
    Ok(ChartView {
        id: bedside.id(),
        person: bedside.person(),
        as_of: AsOfView::of(&bedside.as_of, bedside.present, &path, words),
        back: (bedside.present.days() - bedside.on.days()).clamp(0, DAYS_BACK),
        days_back: DAYS_BACK,
        today: bedside.present.iso(),
        moment: written_moment(bedside.record.moment.max(0), &bedside.zone, words),
        problems,
        past_problems,
        allergies: lists::allergies(&allergies, pen),
        taken: taken(bedside, MEDICINES)?,
        lines: results::lines(&observations, pen),
        next: next(bedside, NEXT)?,
        papers: papers(bedside, PAPERS)?,
        years: pen.span.labels(),
        timeline,
        actions: actions(bedside, here),
        is_cut,
    })
}

#[derive(Template)]
#[template(path = "clinic/patient.html")]
pub(crate) struct PatientPage {
    pub(crate) shell: Shell,
    pub(crate) chart: ChartView,
    pub(crate) panel: Option<Panel>,
    pub(crate) said: Option<String>,
    /// Where what was thrown away comes back.
    pub(crate) back: Option<String>,
}

/// Answers with the screen.
pub(crate) async fn chart(State(hub): State<Hub>, Path(id): Path<String>, visit: Visit) -> Response {
    let asked = visit.clone();
    let target = format!("Patient/{id}");
    let drawn = audited(hub, &visit, target, move |hub, access| {
        let bedside = Bedside::of(hub, access, &asked, &id)?;
        let done = asked.value("done").filter(|done| Kind::of(done).is_some() || super::act::is_deed(done));
        let said = done.map(|done| asked.words.say(&format!("done-{done}")));
        let thrown = asked.value("kind").and_then(Kind::of).zip(asked.value("draft"));
        let back = thrown.filter(|(_, draft)| done == Some("discard") && crate::drafts::is_id(draft));
        let back = back.map(|(kind, draft)| format!("/clinic/{id}/write/{}?draft={draft}", kind.name()));
        Ok(PatientPage { chart: view(&bedside, None)?, shell: Shell::of(&asked), panel: None, said, back })
    });
    match drawn.await {
        Ok(page) => respond_with_scripts(&visit, StatusCode::OK, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}

#[derive(Template)]
#[template(path = "clinic/trends.html")]
struct TrendsPage {
    shell: Shell,
    id: String,
    person: Person,
    results: Results,
}

/// Answers with the results drawn large.
pub(crate) async fn trends(State(hub): State<Hub>, Path(id): Path<String>, visit: Visit) -> Response {
    const MOST: usize = 2000;
    let asked = visit.clone();
    let target = format!("Patient/{id}");
    let drawn = audited(hub, &visit, target, move |hub, access| {
        let bedside = Bedside::of(hub, access, &asked, &id)?;
        let (observations, _) = bedside.some("Observation", "-date", MOST)?;
        let results = trends::results(&observations, bedside.pen());
        Ok(TrendsPage { shell: Shell::of(&asked), id: bedside.id(), person: bedside.person(), results })
    });
    match drawn.await {
        Ok(page) => respond_with_scripts(&visit, StatusCode::OK, &page, ""),
        Err(failure) => failure.page(&visit),
    }
}

/// The names of what a concept at a path says, for lists.
pub(crate) fn named(node: fhir::NodeRef<'_>, path: &str, bedside: &Bedside) -> String {
    concept::name_at(node, path, bedside.words).unwrap_or_else(|| bedside.words.say("unnamed"))
}
