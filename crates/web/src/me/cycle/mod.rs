//! `/me/{id}/cycle`: what was noticed, what it means, what was decided and done, and what changed.
//!
//! Choices are in `docs/decisions/2611-self-care.md`: a decision is an Observation that is derived from what was observed,
//! a goal and a reminder are Goals. What is under way and what became of it follow from these.

mod decide;
mod notice;
mod plan;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use self::decide::{CHOICES, Decision, decisions};
use self::notice::{Noticed, noticed};
use self::plan::{GoalView, MEASURES, Reminder, plans};
use super::answer::{Answer, act, show};
use super::frame::Frame;
use super::own::Own;
use crate::failure::Failure;
use crate::form::Form;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "me/cycle.html")]
struct CyclePage {
    shell: Shell,
    frame: Frame,
    address: String,
    fault: Option<String>,
    noticed: Vec<Noticed>,
    /// Code and words of what may be decided.
    choices: Vec<(&'static str, String)>,
    decisions: Vec<Decision>,
    goals: Vec<GoalView>,
    reminders: Vec<Reminder>,
    /// Code, words and unit of what may be aimed at.
    measures: Vec<(&'static str, String)>,
    may_decide: bool,
    may_plan: bool,
    today: String,
    add: String,
}

fn draw(own: &Own, fault: Option<String>) -> Result<CyclePage, Failure> {
    let words = own.words;
    let (goals, reminders) = plans(own)?;
    let measure = |m: &plan::Measure| {
        let name = words.say_code("me-measure", m.code).unwrap_or_default();
        (m.code, format!("{name} ({})", crate::quantity::unit(m.unit)))
    };
    Ok(CyclePage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "more"),
        address: own.at("/cycle"),
        fault,
        noticed: noticed(own)?,
        choices: CHOICES.iter().map(|c| (*c, words.say_code("me-choice", c).unwrap_or_default())).collect(),
        decisions: decisions(own)?,
        goals,
        reminders,
        measures: MEASURES.iter().map(measure).collect(),
        may_decide: own.may_write("Observation"),
        may_plan: own.may_write("Goal"),
        today: own.on.iso(),
        add: own.at("/add"),
    })
}

/// Answers with the page.
pub(super) async fn page(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, |own| draw(own, None)).await
}

fn work(own: &Own, form: &Form) -> Result<Answer<CyclePage>, Failure> {
    let done = match form.field("action") {
        "decide" => decide::decide(own, form)?,
        "did" => decide::did(own, form)?,
        "goal" => plan::add_goal(own, form)?,
        "reminder" => plan::add_reminder(own, form)?,
        "done" => plan::end(own, form, true)?,
        "drop" => plan::end(own, form, false)?,
        _ => return Err(Failure::NothingHere),
    };
    match done {
        Ok(changes) => {
            if !changes.is_empty() {
                changes.commit(&own.record.hub, &own.record.access)?;
            }
            let said = if form.field("action") == "done" { "done" } else { "saved" };
            Ok(Answer::Go(own.at(&format!("/cycle?said={said}"))))
        }
        Err(fault) => Ok(Answer::Again(draw(own, Some(fault))?)),
    }
}

/// Takes a decision, a goal, a reminder, or what became of them.
pub(super) async fn change(State(site): State<Site>, Path(id): Path<String>, form: Form) -> Response {
    act(site, form, id, work).await
}
