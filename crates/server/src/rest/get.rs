//! read, vread, history, search, capabilities.

use axum::extract::Request;
use axum::http::header;
use fhir::date_time::Micros;
use fhir::{IssueType, r4};
use hub::{EntryResponse, Failure, HistoryLevel, HistoryQuery, Kind, SearchRequest, bundle, capability};
use search::query::Pair;
use store::{Budget, Kept};

use super::write::{interrupted, type_named};
use super::{Answer, Call, body, headers};

/// What an address asks for.
enum Interaction {
    Capabilities,
    Read { name: String, id: String },
    VersionRead { name: String, id: String, version: String },
    History(HistoryLevel),
    Search { name: String, compartment: Option<(String, String)> },
}

fn interaction(segments: &[String]) -> Result<Interaction, Failure> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let own = |s: &str| s.to_owned();
    Ok(match segments.as_slice() {
        ["metadata"] => Interaction::Capabilities,
        ["_history"] => Interaction::History(HistoryLevel::System),
        [] => {
            return Err(Failure::new(
                Kind::NotSupported,
                IssueType::NotSupported,
                "searching all types at once is not available here; name a type: /fhir/Patient, or see /fhir/metadata",
            ));
        }
        [name] if name.starts_with('$') => return Err(operation(name)),
        [name] => Interaction::Search { name: own(name), compartment: None },
        [name, "_history"] => Interaction::History(HistoryLevel::Type(type_named(name)?)),
        [_, id] | [_, id, ..] if id.starts_with('$') => return Err(operation(id)),
        [_, _, id] if id.starts_with('$') => return Err(operation(id)),
        [name, id] => Interaction::Read { name: own(name), id: own(id) },
        [name, id, "_history"] => Interaction::History(HistoryLevel::Instance(type_named(name)?, own(id))),
        [name, id, "_history", version] => {
            Interaction::VersionRead { name: own(name), id: own(id), version: own(version) }
        }
        [owner, id, "*"] => {
            return Err(Failure::new(
                Kind::NotSupported,
                IssueType::NotSupported,
                format!(
                    "searching all types of a compartment at once is not available here; name a type: {owner}/{id}/Observation"
                ),
            ));
        }
        [owner, id, name] => {
            Interaction::Search { name: own(name), compartment: Some((own(owner), own(id))) }
        }
        _ => {
            let message = format!("there is nothing at /fhir/{}", segments.join("/"));
            return Err(Failure::new(Kind::NotFound, IssueType::NotFound, message));
        }
    })
}

fn operation(name: &str) -> Failure {
    Failure::new(
        Kind::NotSupported,
        IssueType::NotSupported,
        format!("the operation {name} is not available here"),
    )
}

/// Answers a GET.
pub(super) async fn get(call: Call) -> Result<Answer, Failure> {
    let found = interaction(&call.segments)?;
    let pairs = search::query::split(&call.query)?;
    match found {
        Interaction::Search { name, compartment } => search(call, name, compartment, pairs).await,
        Interaction::History(level) => {
            let work = move || history(&call, &level, &pairs);
            // A history may be long; whoever asks for one does not mind the lane.
            work()
        }
        found => simple(&call, found, &pairs),
    }
}

/// What never costs much.
fn simple(call: &Call, found: Interaction, pairs: &[Pair]) -> Result<Answer, Failure> {
    match found {
        Interaction::Capabilities => {
            read_parameters(call, pairs)?;
            Ok(Answer::json(200, capabilities(call)))
        }
        Interaction::Read { name, id } => {
            let as_of = read_parameters(call, pairs)?;
            let kept = call.app.hub.read(&call.access, type_named(&name)?, &id, as_of)?;
            Ok(of_kept(&kept))
        }
        Interaction::VersionRead { name, id, version } => {
            let as_of = read_parameters(call, pairs)?;
            let kept = call.app.hub.vread(&call.access, type_named(&name)?, &id, &version, as_of)?;
            Ok(of_kept(&kept))
        }
        Interaction::History(_) | Interaction::Search { .. } => Err(interrupted()),
    }
}

fn of_kept(kept: &Kept) -> Answer {
    Answer::json(200, kept.json())
        .with(header::ETAG, bundle::etag(kept.version))
        .with(header::LAST_MODIFIED, headers::http_date(kept.instant))
}

/// The parameters of a read: `_asOf`, and `_format` where it is JSON.
fn read_parameters(call: &Call, pairs: &[Pair]) -> Result<Option<Micros>, Failure> {
    let mut as_of = None;
    for (name, value) in pairs {
        match name.as_str() {
            "_format" if value.contains("json") => {}
            "_pretty" if value == "false" => {}
            "_asOf" => {
                let level = HistoryLevel::System;
                as_of =
                    HistoryQuery::read(&[(name.clone(), value.clone())], &level, call.app.hub.zone())?.as_of;
            }
            _ if call.preferences.is_lenient => {}
            _ => {
                let message = format!("{name}: a read takes _asOf and _format=json, not this");
                return Err(Failure::new(Kind::Invalid, IssueType::NotSupported, message));
            }
        }
    }
    Ok(as_of)
}

fn capabilities(call: &Call) -> String {
    let about = capability::About {
        version: &call.app.version,
        base: &call.base,
        zone: call.app.hub.zone().name(),
        started: &call.app.started,
    };
    capability::statement(&about)
}

fn history(call: &Call, level: &HistoryLevel, pairs: &[Pair]) -> Result<Answer, Failure> {
    let query = HistoryQuery::read(pairs, level, call.app.hub.zone())?;
    let page = call.app.hub.history(&call.access, level, &query)?;
    let path = match level {
        HistoryLevel::System => format!("{}/_history", call.base),
        HistoryLevel::Type(t) => format!("{}/{}/_history", call.base, r4().type_name(*t)),
        HistoryLevel::Instance(t, id) => format!("{}/{}/{id}/_history", call.base, r4().type_name(*t)),
    };
    Ok(Answer::json(200, bundle::history(&page, &query.understood, &call.base, &path)))
}

/// `POST [base]/Type/_search`: the same as GET with the form's parameters after the address's.
pub(super) async fn search_by_post(mut call: Call, request: Request) -> Result<Answer, Failure> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Failure::new(
            Kind::UnsupportedMediaType,
            IssueType::NotSupported,
            "a search by POST sends its parameters as application/x-www-form-urlencoded",
        ));
    }
    let read = body::read(&call.app, request, 1 << 20).await?;
    let form = std::str::from_utf8(&read.bytes)
        .map_err(|_| Failure::new(Kind::Invalid, IssueType::Invalid, "the form is not UTF-8"))?;
    if !form.is_empty() {
        if !call.query.is_empty() {
            call.query.push('&');
        }
        call.query.push_str(form);
    }
    call.segments.pop();
    match interaction(&call.segments)? {
        Interaction::Search { name, compartment } => {
            let pairs = search::query::split(&call.query)?;
            search(call, name, compartment, pairs).await
        }
        _ => Err(Failure::new(Kind::NotFound, IssueType::NotFound, "there is no search at this address")),
    }
}

/// A search, first with a small budget where it arrived; if that does not suffice, anew in the heavy lane.
async fn search(
    call: Call,
    name: String,
    compartment: Option<(String, String)>,
    pairs: Vec<Pair>,
) -> Result<Answer, Failure> {
    let light = Budget::of_rows(call.app.lanes.limits.light_rows);
    match run_search(&call, &name, compartment.as_ref(), &pairs, light) {
        Err(failure) if failure.kind == Kind::TooCostly => {
            let app = std::sync::Arc::clone(&call.app);
            let budget = call.app.hub.budget();
            app.lanes
                .heavy(move || run_search(&call, &name, compartment.as_ref(), &pairs, budget))
                .await
                .unwrap_or_else(|| Err(interrupted()))
        }
        done => done,
    }
}

fn run_search(
    call: &Call,
    name: &str,
    compartment: Option<&(String, String)>,
    pairs: &[Pair],
    budget: Budget,
) -> Result<Answer, Failure> {
    let resource_type = type_named(name)?;
    let owner =
        compartment.map(|(owner, id)| Ok::<_, Failure>((type_named(owner)?, id.as_str()))).transpose()?;
    let request = SearchRequest {
        resource_type,
        compartment: owner,
        pairs,
        base: &call.base,
        is_lenient: call.preferences.is_lenient,
    };
    let query = call.app.hub.query(&request)?;
    let answer = call.app.hub.search(&call.access, query, budget)?;
    let path = match compartment {
        Some((owner, id)) => format!("{}/{owner}/{id}/{name}", call.base),
        None => format!("{}/{name}", call.base),
    };
    Ok(Answer::json(200, bundle::searchset(&answer, &call.base, &path)))
}

/// Answers an address within a batch or transaction.
pub(super) fn entry(call: &Call, url: &str) -> EntryResponse {
    let relative = url.strip_prefix(&call.base).unwrap_or(url).trim_start_matches('/');
    let (path, query) = relative.split_once('?').unwrap_or((relative, ""));
    let answer = || -> Result<Answer, Failure> {
        let segments =
            path.split('/').filter(|s| !s.is_empty()).map(headers::decode).collect::<Result<Vec<_>, _>>()?;
        let pairs = search::query::split(query)?;
        match interaction(&segments)? {
            Interaction::Search { name, compartment } => {
                run_search(call, &name, compartment.as_ref(), &pairs, call.app.hub.budget())
            }
            Interaction::History(level) => history(call, &level, &pairs),
            found => simple(call, found, &pairs),
        }
    };
    match answer() {
        Err(failure) => EntryResponse::of_failure(&failure),
        Ok(answer) => {
            let header = |name: header::HeaderName| {
                answer.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone())
            };
            EntryResponse {
                status: answer.status,
                etag: header(header::ETAG),
                last_modified: None,
                location: None,
                is_outcome: false,
                resource: answer.body,
            }
        }
    }
}
