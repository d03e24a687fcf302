//! `/me/{id}/results`: how values went, at home and at the clinic apart, and what each test is.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fhir::Resource;

use super::answer::show;
use super::frame::Frame;
use super::line::is_of_person;
use super::own::Own;
use crate::chart::Pen;
use crate::chart::span::Span;
use crate::chart::trends::{Results, Trend, results};
use crate::failure::Failure;
use crate::shell::Shell;
use crate::site::Site;
use crate::visit::Visit;

/// The newest observations that are drawn.
const MOST: usize = 1200;
/// Points of a line, and rows of its table.
const MOST_POINTS: usize = 90;
const MOST_ROWS: usize = 12;

/// Drawings of one place, with what each test is.
struct Part {
    key: &'static str,
    heading: String,
    /// Each with its explanation.
    trends: Vec<(Trend, Option<String>)>,
    others: Vec<(crate::chart::trends::Other, Option<String>)>,
    summary: String,
    first_year: String,
    last_year: String,
}

#[derive(Template)]
#[template(path = "me/results.html")]
struct ResultsPage {
    shell: Shell,
    frame: Frame,
    parts: Vec<Part>,
    is_cut: bool,
    add: String,
}

/// Every so-manyth point of a line, and always the last.
fn thinned(points: &str) -> String {
    let all: Vec<&str> = points.split(' ').collect();
    if all.len() <= MOST_POINTS {
        return points.to_owned();
    }
    let step = all.len().div_ceil(MOST_POINTS);
    let kept = all.iter().rev().step_by(step).copied().collect::<Vec<_>>();
    kept.into_iter().rev().collect::<Vec<_>>().join(" ")
}

fn part(own: &Own, key: &'static str, heading: String, observations: &[Resource], pen: Pen<'_>) -> Part {
    let Results { trends, others, others_summary, first_year, last_year } = results(observations, pen);
    let explained = |key: &str| own.words.say_code("me-test", key);
    let slim = |mut trend: Trend| {
        for line in &mut trend.lines {
            line.points = thinned(&line.points);
        }
        if trend.rows.len() > MOST_ROWS {
            trend.rows.truncate(MOST_ROWS);
            trend.cut = own.words.say_count("newest-rows", MOST_ROWS);
        }
        let said = explained(&trend.key);
        (trend, said)
    };
    Part {
        key,
        heading,
        trends: trends.into_iter().map(slim).collect(),
        others: others
            .into_iter()
            .map(|o| {
                let said = explained(&o.key);
                (o, said)
            })
            .collect(),
        summary: others_summary,
        first_year,
        last_year,
    }
}

fn page(own: &Own) -> Result<ResultsPage, Failure> {
    let found = own.record.of_person("Observation", &own.id, "-date", MOST)?;
    let latest = found.resources.first().and_then(|r| {
        let text = super::line::moment(r.root())?;
        crate::calendar::Day::read(&text, &own.zone)
    });
    let pen = Pen { span: Span::ending(own.on, latest), ..own.pen() };
    let (home, clinic): (Vec<Resource>, Vec<Resource>) =
        found.resources.into_iter().partition(|r| is_of_person(own, r.root()).0);
    let parts = [
        part(own, "home", own.words.say("me-at-home"), &home, pen),
        part(own, "clinic", own.words.say("me-at-clinic"), &clinic, pen),
    ];
    Ok(ResultsPage {
        shell: Shell::of(&own.visit),
        frame: Frame::of(own, "more"),
        parts: parts.into_iter().filter(|p| !p.trends.is_empty() || !p.others.is_empty()).collect(),
        is_cut: found.next.is_some(),
        add: own.at("/add"),
    })
}

/// Answers with the page.
pub(super) async fn draw(State(site): State<Site>, Path(id): Path<String>, visit: Visit) -> Response {
    show(site, visit, id, page).await
}
