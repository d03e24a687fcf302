//! read, vread, history, search, capabilities.

use axum::extract::Request;
use axum::http::header;
use fhir::date_time::Micros;
use fhir::subset::Subset;
use fhir::{IssueType, TypeId, r4};
use hub::{EntryResponse, Failure, HistoryLevel, HistoryQuery, Kind, SearchRequest, bundle, capability};
use search::query::{self, Pair, SubsetAsked};
use store::{Budget, Kept};

use super::write::{interrupted, type_named};
use super::{Answer, Call, body, format, headers};

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
        [name] => Interaction::Search { name: own(name), compartment: None },
        [name, "_history"] => Interaction::History(HistoryLevel::Type(type_named(name)?)),
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

/// Answers a GET.
pub(super) async fn get(call: Call) -> Result<Answer, Failure> {
    match interaction(&call.segments)? {
        Interaction::Search { name, compartment } => search(call, name, compartment).await,
        Interaction::History(level) => {
            // A history may be long; whoever asks for one does not mind the lane.
            let app = std::sync::Arc::clone(&call.app);
            let work = move || history(&call, &level, &call.pairs);
            app.lanes.heavy(work).await.unwrap_or_else(|| Err(interrupted()))
        }
        found => simple(&call, found, &call.pairs),
    }
}

/// What never costs much.
fn simple(call: &Call, found: Interaction, pairs: &[Pair]) -> Result<Answer, Failure> {
    match found {
        Interaction::Capabilities => {
            let statement = r4().resource_type("CapabilityStatement").unwrap_or(r4().well_known().resource);
            let asked = ReadParameters::of(call, pairs, statement)?;
            let mut json = capabilities(call);
            if let Some(part) = &asked.subset {
                let whole = std::mem::take(&mut json);
                fhir::subset::write(&whole, part, &mut json);
            }
            Ok(Answer::json(200, json))
        }
        Interaction::Read { name, id } => {
            let resource_type = type_named(&name)?;
            let asked = ReadParameters::of(call, pairs, resource_type)?;
            let kept = call.app.hub.read(&call.access, resource_type, &id, asked.as_of)?;
            Ok(of_kept(call, &kept, &asked))
        }
        Interaction::VersionRead { name, id, version } => {
            let resource_type = type_named(&name)?;
            let asked = ReadParameters::of(call, pairs, resource_type)?;
            let kept = call.app.hub.vread(&call.access, resource_type, &id, &version, asked.as_of)?;
            Ok(of_kept(call, &kept, &asked))
        }
        Interaction::History(_) | Interaction::Search { .. } => Err(interrupted()),
    }
}

fn of_kept(call: &Call, kept: &Kept, asked: &ReadParameters) -> Answer {
    let answer = if call.conditions.has(kept.version, kept.instant) {
        Answer::empty(304)
    } else {
        let mut json = String::new();
        bundle::write_part(kept, asked.subset.as_ref(), &mut json);
        Answer::json(200, json)
    };
    answer
        .with(header::ETAG, bundle::etag(kept.version))
        .with(header::LAST_MODIFIED, headers::http_date(kept.instant))
}

/// The parameters of a read: `_asOf`, `_summary`, `_elements`.
struct ReadParameters {
    as_of: Option<Micros>,
    subset: Option<Subset>,
}

impl ReadParameters {
    fn of(call: &Call, pairs: &[Pair], resource_type: TypeId) -> Result<ReadParameters, Failure> {
        let mut asked = ReadParameters { as_of: None, subset: None };
        for (name, value) in pairs {
            if name == "_asOf" {
                let level = HistoryLevel::System;
                let pair = (name.clone(), value.clone());
                asked.as_of = HistoryQuery::read(&[pair], &level, call.app.hub.zone())?.as_of;
                continue;
            }
            let message = match query::subset(resource_type, name, value) {
                Some(Ok(SubsetAsked::Part(part))) => {
                    asked.subset = Some(part);
                    continue;
                }
                Some(Ok(SubsetAsked::Whole)) => continue,
                Some(Ok(SubsetAsked::Count)) => "_summary: count is for searches".to_owned(),
                Some(Err(message)) => format!("{name}: {message}"),
                None if call.preferences.is_lenient => continue,
                None => format!("{name}: a read takes _asOf, _summary, _elements, _format and _pretty, not this"),
            };
            return Err(Failure::new(Kind::Invalid, IssueType::NotSupported, message));
        }
        Ok(asked)
    }
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
    let links = [query.understood.as_slice(), &call.presentation.pairs].concat();
    Ok(Answer::json(200, bundle::history(&page, &links, &call.base, &path)))
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
    let request_headers = request.headers().clone();
    let read = body::read(&call.app, request, 1 << 20).await?;
    let form = std::str::from_utf8(&read.bytes)
        .map_err(|_| Failure::new(Kind::Invalid, IssueType::Invalid, "the form is not UTF-8"))?;
    call.pairs.extend(query::split(form)?);
    if call.pairs.iter().any(|(name, _)| matches!(name.as_str(), "_format" | "_pretty")) {
        call.presentation = format::negotiate(&request_headers, &mut call.pairs)?;
    }
    call.segments.pop();
    match interaction(&call.segments)? {
        Interaction::Search { name, compartment } => {
            let (app, presentation) = (std::sync::Arc::clone(&call.app), call.presentation.clone());
            let answer = search(call, name, compartment).await?;
            Ok(super::present(&app, answer, presentation).await)
        }
        _ => Err(Failure::new(Kind::NotFound, IssueType::NotFound, "there is no search at this address")),
    }
}

/// A search, first with a small budget where it arrived; if that does not suffice, anew in the heavy lane.
async fn search(
    call: Call,
    name: String,
    compartment: Option<(String, String)>,
) -> Result<Answer, Failure> {
    let light = Budget::of_rows(call.app.lanes.limits.light_rows);
    match run_search(&call, &name, compartment.as_ref(), &call.pairs, light) {
        Err(failure) if failure.kind == Kind::TooCostly => {
            let app = std::sync::Arc::clone(&call.app);
            let budget = call.app.hub.budget();
            app.lanes
                .heavy(move || run_search(&call, &name, compartment.as_ref(), &call.pairs, budget))
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
    let mut answer = call.app.hub.search(&call.access, query, budget)?;
    answer.query.understood.extend_from_slice(&call.presentation.pairs);
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
        let pairs: Vec<Pair> = pairs.into_iter().filter(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty")).collect();
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
