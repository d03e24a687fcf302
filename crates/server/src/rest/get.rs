//! read, vread, history, search, capabilities.

use axum::extract::Request;
use axum::http::header;
use data_encoding::BASE64URL_NOPAD;
use fhir::date_time::{Micros, format_instant};
use fhir::subset::Subset;
use fhir::{IssueType, TypeId, r4};
use hub::{
    AuditEventRequest, EntryResponse, Failure, HistoryLevel, HistoryQuery, Kind, ReadCondition,
    SearchRequest, SystemSearch, bundle, capability,
};
use search::query::{self, Pair, SubsetAsked};
use store::{Budget, Kept};

use super::write::{interrupted, type_named};
use super::{Answer, Call, binary, body, format, headers, operation};

/// What an address asks for.
enum Interaction {
    Capabilities,
    Read { name: String, id: String },
    VersionRead { name: String, id: String, version: String },
    History(HistoryLevel),
    Search { name: String, compartment: Option<(String, String)> },
    SearchAll { compartment: Option<(String, String)> },
}

fn interaction(segments: &[String]) -> Result<Interaction, Failure> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let own = |s: &str| s.to_owned();
    Ok(match segments.as_slice() {
        ["metadata"] => Interaction::Capabilities,
        ["_history"] => Interaction::History(HistoryLevel::System),
        [] => Interaction::SearchAll { compartment: None },
        [name] => Interaction::Search { name: own(name), compartment: None },
        [name, "_history"] => Interaction::History(HistoryLevel::Type(type_named(name)?)),
        [name, id] => Interaction::Read { name: own(name), id: own(id) },
        [name, id, "_history"] => Interaction::History(HistoryLevel::Instance(type_named(name)?, own(id))),
        [name, id, "_history", version] => {
            Interaction::VersionRead { name: own(name), id: own(id), version: own(version) }
        }
        [owner, id, "*"] => Interaction::SearchAll { compartment: Some((own(owner), own(id))) },
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
        Interaction::Search { name, compartment } => search(call, Some(name), compartment).await,
        Interaction::SearchAll { compartment } => search(call, None, compartment).await,
        Interaction::History(level) => {
            // A history may be long; whoever asks for one does not mind the lane.
            let app = std::sync::Arc::clone(&call.app);
            let work = move || history(&call, &level, &call.pairs);
            app.lanes.heavy(work).await.unwrap_or_else(|| Err(interrupted()))
        }
        // A Binary may be large, and its content has to be taken out of it.
        found if call.content_wanted.is_some() => {
            let app = std::sync::Arc::clone(&call.app);
            let work = move || simple(&call, found, &call.pairs);
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
            let others: Vec<Pair> = pairs.iter().filter(|(name, _)| name != "mode").cloned().collect();
            let asked = ReadParameters::of(call, &others, statement)?;
            let mut json = statement_wanted(call, pairs)?;
            if let Some(part) = &asked.subset {
                let whole = std::mem::take(&mut json);
                fhir::subset::write(&whole, part, &mut json);
            }
            let tag = BASE64URL_NOPAD.encode(&hub::once_key(&[json.as_bytes()]));
            let answer = match call.conditions.has_tag(&tag) {
                true => Answer::empty(304),
                false => Answer::json(200, json),
            };
            Ok(answer.with(header::ETAG, format!("W/\"{tag}\"")))
        }
        found => {
            if let Interaction::Read { name, id } = &found
                && name == "AuditEvent"
                && let Some(answer) = audit_event(call, id, pairs)?
            {
                return Ok(answer);
            }
            let (kept, asked) = kept(call, found, pairs)?;
            of_kept(call, &kept, &asked)
        }
    }
}

/// An AuditEvent the hub itself keeps, if the id is one's.
fn audit_event(call: &Call, id: &str, pairs: &[Pair]) -> Result<Option<Answer>, Failure> {
    let asked = ReadParameters::of(call, pairs, type_named("AuditEvent")?)?;
    let Some((json, instant)) = call.app.hub.audit_event(&call.access, id, &call.base)? else {
        return Ok(None);
    };
    let answer = match &asked.subset {
        _ if call.conditions.has(1, instant) => Answer::empty(304),
        None => Answer::json(200, json),
        Some(part) => {
            let mut out = String::new();
            fhir::subset::write(&json, part, &mut out);
            Answer::json(200, out)
        }
    };
    let answer = answer.with(header::ETAG, bundle::etag(1));
    Ok(Some(answer.with(header::LAST_MODIFIED, headers::http_date(instant))))
}

/// The version a read or vread is about.
fn kept(call: &Call, found: Interaction, pairs: &[Pair]) -> Result<(Kept, ReadParameters), Failure> {
    match found {
        Interaction::Read { name, id } => {
            let resource_type = type_named(&name)?;
            let asked = ReadParameters::of(call, pairs, resource_type)?;
            Ok((call.app.hub.read(&call.access, resource_type, &id, asked.as_of)?, asked))
        }
        Interaction::VersionRead { name, id, version } => {
            let resource_type = type_named(&name)?;
            let asked = ReadParameters::of(call, pairs, resource_type)?;
            Ok((call.app.hub.vread(&call.access, resource_type, &id, &version, asked.as_of)?, asked))
        }
        _ => Err(interrupted()),
    }
}

fn of_kept(call: &Call, kept: &Kept, asked: &ReadParameters) -> Result<Answer, Failure> {
    let answer = if call.conditions.has(kept.version, kept.instant) {
        Answer::empty(304)
    } else if let Some(wanted) = &call.content_wanted {
        binary::content(kept, wanted.range(kept.version))?
    } else {
        let mut json = String::new();
        bundle::write_part(kept, asked.subset.as_ref(), &mut json);
        Answer::json(200, json)
    };
    Ok(answer
        .with(header::ETAG, bundle::etag(kept.version))
        .with(header::LAST_MODIFIED, headers::http_date(kept.instant)))
}

/// What `mode` asks for (<https://hl7.org/fhir/R4/http.html#capabilities>): all that is normative and more, or what there is
/// of terminology.
fn statement_wanted(call: &Call, pairs: &[Pair]) -> Result<String, Failure> {
    match pairs.iter().find(|(name, _)| name == "mode").map(|(_, value)| value.as_str()) {
        None | Some("full" | "normative") => Ok(capabilities(call)),
        Some("terminology") => Ok(capability::terminology(&about(call))),
        Some(other) => {
            let message = format!("mode: full, normative or terminology, not '{other}'");
            Err(Failure::new(Kind::Invalid, IssueType::Value, message))
        }
    }
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
                Some(Ok(SubsetAsked::Part(part))) => match query::widen(&mut asked.subset, part) {
                    Ok(()) => continue,
                    Err(message) => format!("{name}: {message}"),
                },
                Some(Ok(SubsetAsked::Whole)) => continue,
                Some(Ok(SubsetAsked::Count)) => "_summary: count is for searches".to_owned(),
                Some(Err(message)) => format!("{name}: {message}"),
                None if call.preferences.is_lenient => continue,
                None => {
                    format!("{name}: a read takes _asOf, _summary, _elements, _format and _pretty, not this")
                }
            };
            return Err(Failure::new(Kind::Invalid, IssueType::NotSupported, message));
        }
        Ok(asked)
    }
}

fn about(call: &Call) -> capability::About<'_> {
    capability::About {
        version: &call.app.version,
        base: &call.base,
        zone: call.app.hub.zone().name(),
        started: &call.app.started,
        conditional_delete: call.app.hub.conditional_delete,
        references: call.app.hub.store().references(),
        issuer: call.app.auth.as_ref().map(|auth| auth.settings().issuer.as_str()),
    }
}

fn capabilities(call: &Call) -> String {
    capability::statement(&about(call))
}

fn history(call: &Call, level: &HistoryLevel, pairs: &[Pair]) -> Result<Answer, Failure> {
    let pairs = call.app.hub.opened_pairs(&call.access, pairs)?;
    let query = HistoryQuery::read(&pairs, level, call.app.hub.zone())?;
    let page = call.app.hub.history(&call.access, level, &query)?;
    let path = match level {
        HistoryLevel::System => format!("{}/_history", call.base),
        HistoryLevel::Type(t) => format!("{}/{}/_history", call.base, r4().type_name(*t)),
        HistoryLevel::Instance(t, id) => format!("{}/{}/{id}/_history", call.base, r4().type_name(*t)),
    };
    let links = [query.understood.as_slice(), &call.presentation.pairs].concat();
    Ok(Answer::json(200, bundle::history(&page, query.subset.as_ref(), &links, &call.base, &path)))
}

/// `POST [base]/Type/_search`: the same as GET with the form's parameters after the address's.
pub(super) async fn search_by_post(mut call: Call, request: Request) -> Result<Answer, Failure> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    let request_headers = request.headers().clone();
    let request_query = request.uri().query().unwrap_or_default().to_owned();
    let read = body::read(&call.app, request, 1 << 20).await?;
    // Who puts all parameters into the address sends no form.
    if !(is_form || read.bytes.is_empty()) {
        return Err(Failure::new(
            Kind::UnsupportedMediaType,
            IssueType::NotSupported,
            "a search by POST sends its parameters as application/x-www-form-urlencoded",
        ));
    }
    call.access.asked(&query_of(&request_query, &read.bytes));
    call.pairs.extend(body::form(&read)?);
    if call.pairs.iter().any(|(name, _)| matches!(name.as_str(), "_format" | "_pretty")) {
        call.presentation = format::negotiate(&request_headers, &mut call.pairs)?;
    }
    call.segments.pop();
    let searched = match interaction(&call.segments)? {
        Interaction::Search { name, compartment } => Some((Some(name), compartment)),
        Interaction::SearchAll { compartment } => Some((None, compartment)),
        _ => None,
    };
    match searched {
        Some((name, compartment)) => {
            let (app, presentation) = (std::sync::Arc::clone(&call.app), call.presentation.clone());
            let answer =
                search(call, name, compartment).await.unwrap_or_else(|failure| super::of_failure(&failure));
            let mut answer = super::present(&app, answer, presentation).await;
            // What the form asks for stands, whatever the headers say.
            answer.is_presented = true;
            Ok(answer)
        }
        None => Err(Failure::new(Kind::NotFound, IssueType::NotFound, "there is no search at this address")),
    }
}

/// What a search by POST asks: what stands in the address, then the form.
fn query_of(address: &str, form: &[u8]) -> String {
    let form = String::from_utf8_lossy(form);
    if address.is_empty() { form.into_owned() } else { format!("{address}&{form}") }
}

/// A search, first with a small budget where it arrived; if that does not suffice, anew in the heavy lane.
async fn search(
    call: Call,
    name: Option<String>,
    compartment: Option<(String, String)>,
) -> Result<Answer, Failure> {
    // Of several types each would look at so many rows: that is no light work. The ledger is flushed first.
    let is_heavy = name.is_none() || is_of_ledger(&call, name.as_deref(), compartment.as_ref(), &call.pairs);
    let light = Budget::of_rows(if is_heavy { 0 } else { call.app.lanes.limits.light_rows });
    let tried = if is_heavy {
        None
    } else {
        Some(run_search(&call, name.as_deref(), compartment.as_ref(), &call.pairs, light))
    };
    match tried {
        Some(Err(failure)) if failure.kind != Kind::TooCostly => Err(failure),
        Some(Ok(answer)) => Ok(answer),
        _ => {
            let app = std::sync::Arc::clone(&call.app);
            let budget = call.app.hub.budget();
            app.lanes
                .heavy(move || run_search(&call, name.as_deref(), compartment.as_ref(), &call.pairs, budget))
                .await
                .unwrap_or_else(|| Err(interrupted()))
        }
    }
}

/// Whether a search is for the hub's own audit events.
fn is_of_ledger(
    call: &Call,
    name: Option<&str>,
    compartment: Option<&(String, String)>,
    pairs: &[Pair],
) -> bool {
    name == Some("AuditEvent")
        && compartment.is_none_or(|(owner, _)| owner == "Patient")
        && call.app.hub.ledger().is_some()
        && !pairs.iter().any(|(name, value)| name == "_ledger" && value == "false")
}

/// Notes whom a search names, whatever it finds.
fn asked_for(call: &Call, compartment: Option<&(String, String)>, pairs: &[Pair]) {
    if let Some((_, id)) = compartment.filter(|(owner, _)| owner == "Patient") {
        call.access.asked_for(id);
    }
    let named = pairs.iter().filter(|(name, _)| {
        matches!(name.as_str(), "patient" | "subject" | "patient:Patient" | "subject:Patient")
    });
    for (name, value) in named {
        for one in value.split(',') {
            let local = one.strip_prefix("Patient/");
            let bare = Some(one).filter(|id| !id.contains(['/', ':', '|']) && name != "subject");
            if let Some(id) = local.or(bare).filter(|id| !id.is_empty()) {
                call.access.asked_for(id);
            }
        }
    }
}

fn run_search(
    call: &Call,
    name: Option<&str>,
    compartment: Option<&(String, String)>,
    pairs: &[Pair],
    budget: Budget,
) -> Result<Answer, Failure> {
    asked_for(call, compartment, pairs);
    let owner =
        compartment.map(|(owner, id)| Ok::<_, Failure>((type_named(owner)?, id.as_str()))).transpose()?;
    let Some(name) = name else {
        let (base, is_lenient) = (call.base.as_str(), call.preferences.is_lenient);
        let search = SystemSearch { compartment: owner, pairs, base, is_lenient };
        let mut answer = call.app.hub.search_system(&call.access, &search, budget)?;
        answer.query.understood.extend_from_slice(&call.presentation.pairs);
        let path =
            compartment.map_or_else(|| call.base.clone(), |(owner, id)| format!("{base}/{owner}/{id}/*"));
        return Ok(Answer::json(200, bundle::searchset(&answer, base, &path)));
    };
    if is_of_ledger(call, Some(name), compartment, pairs) {
        let patient = compartment.map(|(_, id)| id.as_str());
        let asked = AuditEventRequest::read(&call.app.hub, &call.access, patient, pairs)?;
        return Ok(Answer::json(200, call.app.hub.audit_events(&call.access, &asked, &call.base)?));
    }
    let resource_type = type_named(name)?;
    let stored: Vec<Pair>;
    let pairs = if name == "AuditEvent" && call.app.hub.ledger().is_some() {
        stored = pairs.iter().filter(|(name, _)| name != "_ledger").cloned().collect();
        stored.as_slice()
    } else {
        pairs
    };
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
pub(super) fn entry(call: &Call, url: &str, condition: &ReadCondition) -> EntryResponse {
    call.access.reads();
    let relative = url.strip_prefix(&call.base).unwrap_or(url).trim_start_matches('/');
    let (path, query) = relative.split_once('?').unwrap_or((relative, ""));
    let whole =
        |answer: Answer| EntryResponse { resource: answer.body, ..EntryResponse::of_status(answer.status) };
    let answer = || -> Result<EntryResponse, Failure> {
        let segments =
            path.split('/').filter(|s| !s.is_empty()).map(headers::decode).collect::<Result<Vec<_>, _>>()?;
        let pairs = search::query::split(query)?;
        let pairs: Vec<Pair> =
            pairs.into_iter().filter(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty")).collect();
        if let Some(answer) = operation::entry(call, &segments, &pairs) {
            return Ok(whole(answer?));
        }
        Ok(match interaction(&segments)? {
            Interaction::Search { name, compartment } => {
                whole(run_search(call, Some(&name), compartment.as_ref(), &pairs, call.app.hub.budget())?)
            }
            Interaction::SearchAll { compartment } => {
                whole(run_search(call, None, compartment.as_ref(), &pairs, call.app.hub.budget())?)
            }
            Interaction::History(level) => whole(history(call, &level, &pairs)?),
            Interaction::Capabilities => whole(simple(call, Interaction::Capabilities, &pairs)?),
            found => {
                if let Interaction::Read { name, id } = &found
                    && name == "AuditEvent"
                    && let Some(answer) = audit_event(call, id, &pairs)?
                {
                    return Ok(whole(answer));
                }
                let (kept, asked) = kept(call, found, &pairs)?;
                let conditions = headers::ReadConditions::of_entry(condition, call.app.hub.zone())?;
                let is_known = conditions.has(kept.version, kept.instant);
                let resource = (!is_known).then(|| {
                    let mut json = String::new();
                    bundle::write_part(&kept, asked.subset.as_ref(), &mut json);
                    json
                });
                EntryResponse {
                    resource,
                    etag: Some(bundle::etag(kept.version)),
                    last_modified: Some(format_instant(kept.instant)),
                    ..EntryResponse::of_status(if is_known { 304 } else { 200 })
                }
            }
        })
    };
    answer().unwrap_or_else(|failure| EntryResponse::of_failure(&failure))
}
