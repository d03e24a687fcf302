//! `$evaluate-measure` and `$care-gaps`: indicators, computed from what the one who asks may see.
//! (<https://hl7.org/fhir/R4/measure-operation-evaluate-measure.html>, <https://hl7.org/fhir/R4/measure-operation-care-gaps.html>)

use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use fhir::{DateTime, Issue, IssueType};
use figures::{Asked, Gap, Kind, Period, WhichIndicators};
use hub::{Failure, OPERATIONS};
use search::query::Pair;
use serde_json::{Value, json};

use super::operation::parameters;
use super::{Answer, Call};

fn invalid(name: &str, message: impl std::fmt::Display) -> Failure {
    Issue::error(IssueType::Invalid, format!("{name}: {message}")).into()
}

/// Reads what is asked for; `named` has the measures that are known already.
fn asked(call: &Call, operation: &str, pairs: &[Pair], mut named: Vec<String>) -> Result<Asked, Failure> {
    let (mut start, mut end, mut as_of, mut person, mut kind) = (None, None, None, None, None);
    for (name, text) in pairs {
        match name.as_str() {
            "periodStart" => start = Some(text.clone()),
            "periodEnd" => end = Some(text.clone()),
            "measure" => named.push(text.clone()),
            "reportType" => {
                kind = Some(match text.as_str() {
                    "subject" | "individual" => Kind::Individual,
                    "subject-list" => Kind::SubjectList,
                    "population" | "summary" => Kind::Summary,
                    other => {
                        let message = format!("'{other}' is not subject, subject-list or population");
                        return Err(invalid(name, message));
                    }
                });
            }
            "subject" | "patient" => {
                let id = text.strip_prefix("Patient/").unwrap_or(text);
                if !fhir::primitive::is_id(id) {
                    return Err(invalid(
                        name,
                        format!("'{text}' is not Patient/id; of groups, one person is asked at a time"),
                    ));
                }
                person = Some(id.to_owned());
            }
            "_asOf" => {
                let moment = DateTime::parse(text).map(|d| d.interval(call.app.hub.zone()).1 - 1);
                as_of =
                    Some(moment.ok_or_else(|| invalid(name, format!("'{text}' is not a date or instant")))?);
            }
            "lastReceivedOn" | "practitioner" => {
                return Err(invalid(name, "this hub does not evaluate by it; leave it out"));
            }
            other => {
                let known = OPERATIONS.iter().find(|o| o.name == operation).map(|o| o.parameters.join(", "));
                let known = known.unwrap_or_default();
                return Err(invalid(other, format!("{operation} has no such parameter (it has {known})")));
            }
        }
    }
    if named.is_empty() {
        return Err(Issue::error(
            IssueType::Required,
            "which measure? /fhir/Measure/id/$evaluate-measure, or measure=canonical",
        )
        .into());
    }
    // A month or a year as an end means its last day.
    let zone = call.app.hub.zone();
    let day = |text: Option<String>, is_end: bool, name: &str| -> Result<String, Failure> {
        let text = text
            .ok_or_else(|| Failure::from(Issue::error(IssueType::Required, format!("{name} is missing"))))?;
        let (from, until) = (DateTime::parse(&text).map(|d| d.interval(zone)))
            .ok_or_else(|| invalid(name, format!("'{text}' is not a date like 2025-04-01")))?;
        let moment = if is_end { until - 1 } else { from };
        Ok(zone.day(moment))
    };
    let period = Period::read(&day(start, false, "periodStart")?, &day(end, true, "periodEnd")?)
        .map_err(|e| invalid("periodStart, periodEnd", e))?;
    let kind = kind.unwrap_or(if person.is_some() { Kind::Individual } else { Kind::Summary });
    if kind == Kind::Individual && person.is_none() {
        return Err(invalid("reportType", "of whom? say subject=Patient/id"));
    }
    Ok(Asked { which: WhichIndicators::Named(named), period, as_of, person, kind })
}

/// Evaluates one measure, or several.
pub(super) async fn evaluate(
    mut call: Call,
    request: Request,
    id: Option<String>,
) -> Result<Answer, Failure> {
    if request.method() == Method::POST {
        parameters(&mut call, request).await?;
    }
    let asked = asked(&call, "$evaluate-measure", &call.pairs, id.into_iter().collect())?;
    let app = Arc::clone(&call.app);
    let work = move || {
        let reports = call.app.figures.evaluate(&call.access, &asked)?;
        let answer = match <[Value; 1]>::try_from(reports) {
            Ok([one]) => one,
            Err(several) => {
                let entries: Vec<Value> =
                    several.into_iter().map(|report| json!({"resource": report})).collect();
                json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
            }
        };
        Ok(Answer::json(200, answer.to_string()))
    };
    app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))
}

/// What is open of one person's care.
pub(super) async fn care_gaps(mut call: Call, request: Request) -> Result<Answer, Failure> {
    if request.method() == Method::POST {
        parameters(&mut call, request).await?;
    }
    let (mut named, mut wanted, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for (name, text) in &call.pairs {
        match name.as_str() {
            // An indicator belongs to a set, which is its topic.
            "measure" | "topic" => named.push(text.clone()),
            "status" => wanted.push(Gap::named(text).ok_or_else(|| {
                invalid(name, format!("'{text}' is not {} or {}", Gap::Open.code(), Gap::Closed.code()))
            })?),
            "reportType" => return Err(invalid(name, "$care-gaps tells of one person; leave it out")),
            _ => rest.push((name.clone(), text.clone())),
        }
    }
    let all = named.is_empty();
    let mut asked = asked(&call, "$care-gaps", &rest, if all { vec![String::new()] } else { named })?;
    if all {
        asked.which = WhichIndicators::All;
    }
    if asked.person.is_none() {
        return Err(Issue::error(IssueType::Required, "of whom? say subject=Patient/id").into());
    }
    let app = Arc::clone(&call.app);
    let work = move || {
        let document = call.app.figures.care_gaps(&call.access, &asked, &wanted)?;
        Ok(Answer::json(200, document.to_string()))
    };
    app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))
}
