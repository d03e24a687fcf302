//! Operations: addresses whose last segment begins with `$` (<https://hl7.org/fhir/R4/operations.html>).

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use fhir::issue::nearest;
use fhir::{IssueType, TypeId, r4};
use hub::{
    BrokenReferencesRequest, EverythingRequest, ExportLevel, Failure, Kind, LastnRequest, MatchRequest,
    MergeRequest, MetaChange, OPERATIONS, PurgeRequest, StatsRequest, SystemClock, Target, UnmergeRequest,
    bundle,
};
use search::query::Pair;
use store::Clock as _;

use super::write::{Prepare, first, no_parameters, options, submit_while_moved, type_named};
use super::{Answer, Call, body, format, headers, inform, jobs, measure, subscriptions, view};

/// What an operation is called on.
enum Place {
    System,
    Type(TypeId),
    Instance(TypeId, String),
}

fn names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|operation| operation.name)
}

/// Where an operation is called that was called elsewhere.
fn misplaced(name: &str) -> String {
    let known = OPERATIONS.iter().filter(|operation| operation.name == name);
    let addresses: Vec<String> = known
        .flat_map(|operation| operation.on)
        .map(|target| match target {
            Target::System => format!("/fhir/{name}"),
            Target::Type(of) => format!("/fhir/{of}/{name}"),
            Target::AnyType => format!("/fhir/Type/{name}"),
            Target::Instance(of) => format!("/fhir/{of}/id/{name}"),
            Target::AnyInstance => format!("/fhir/Type/id/{name}"),
        })
        .collect();
    format!("{name} is called at {}", addresses.join(" or "))
}

/// Whether an address is that of an operation.
pub(super) fn is_operation(segments: &[String]) -> bool {
    segments.last().is_some_and(|s| s.starts_with('$'))
}

/// What may be called under an access to a part of the record; what is not here needs the whole.
const RESTRICTED: &[&str] = &[
    "$care-gaps",
    "$everything",
    "$export",
    "$inform",
    "$evaluate-measure",
    "$lastn",
    "$match",
    "$meta",
    "$meta-add",
    "$meta-delete",
    "$run",
    "$stats",
    "$viewdefinition-run",
];

/// Carries an operation out.
pub(super) async fn operation(mut call: Call, request: Request) -> Result<Answer, Failure> {
    // R4 has no such type, and nothing of one is kept: the view comes with the call.
    if let [kind, rest @ ..] = call.segments.as_slice()
        && kind == "ViewDefinition"
        && view::asks_for_rows(&call.segments)
    {
        return match rest {
            [_] => view::run(call, request, None).await,
            _ => {
                let message = "R4 has no ViewDefinition, so one is kept as the content of a Library: /fhir/Library/id/$viewdefinition-run";
                Err(Failure::new(Kind::NotFound, IssueType::NotSupported, message))
            }
        };
    }
    let (place, name) = match call.segments.as_slice() {
        [name] => (Place::System, name.clone()),
        [kind, name] => (Place::Type(type_named(kind)?), name.clone()),
        [kind, id, name] => (Place::Instance(type_named(kind)?, id.clone()), name.clone()),
        _ => {
            let message = format!("there is nothing at /fhir/{}", call.segments.join("/"));
            return Err(Failure::new(Kind::NotFound, IssueType::NotFound, message));
        }
    };
    if !RESTRICTED.contains(&name.as_str()) {
        call.access.whole(&name)?;
    }
    if name.starts_with("$meta") && !matches!(place, Place::Instance(..)) {
        call.access.whole("$meta of a type or of the hub")?;
    }
    let method = request.method().clone();
    if name.starts_with("$meta") {
        no_parameters(&call)?;
    }
    match (name.as_str(), place) {
        ("$everything", Place::Instance(resource_type, id)) if has_everything(resource_type) => {
            everything(call, request, resource_type, id).await
        }
        ("$export", place) => {
            let headers = request.headers().clone();
            parameters(&mut call, request).await?;
            let level = match place {
                Place::System => ExportLevel::System,
                Place::Type(t) if r4().type_name(t) == "Patient" => ExportLevel::Patient,
                Place::Instance(t, id) if r4().type_name(t) == "Group" => ExportLevel::Group(id),
                _ => {
                    let message = "$export is called on the whole hub, on Patient, or on a Group: /fhir/$export, /fhir/Patient/$export, /fhir/Group/id/$export";
                    return Err(Failure::new(Kind::NotFound, IssueType::NotSupported, message));
                }
            };
            jobs::export(&call, &headers, level)
        }
        ("$broken-references", Place::System) if method != Method::POST => {
            let asked = BrokenReferencesRequest::read(&call.pairs)?;
            let app = Arc::clone(&call.app);
            let address = format!("{}/{name}", call.base);
            let work = move || call.app.hub.broken_references(&call.access, &asked, &address);
            let json = app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))?;
            Ok(Answer::json(200, json))
        }
        ("$broken-references", _) => Err(Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            "$broken-references is asked of the whole hub: GET /fhir/$broken-references",
        )),
        ("$import", Place::System) if method == Method::POST => jobs::import(call, request).await,
        ("$bulk-delete", Place::Type(t)) if method == Method::POST => {
            jobs::bulk_delete(call, request, t).await
        }
        ("$import" | "$bulk-delete", _) => Err(Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            "these are asked for with POST: /fhir/$import with a manifest, /fhir/Type/$bulk-delete?search",
        )),
        ("$purge", Place::Instance(resource_type, id)) if method == Method::POST => {
            parameters(&mut call, request).await?;
            let asked = PurgeRequest::read(&call.app.hub, &call.pairs)?;
            let app = Arc::clone(&call.app);
            let work = move || call.app.hub.purge(&call.access, resource_type, &id, asked);
            let json = app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))?;
            Ok(Answer::json(200, json))
        }
        ("$erase", Place::Instance(t, id)) if t == r4().well_known().patient && method == Method::POST => {
            jobs::erase(call, request, id).await
        }
        ("$evaluate-measure", Place::Type(t)) if r4().type_name(t) == "Measure" => {
            measure::evaluate(call, request, None).await
        }
        ("$care-gaps", Place::Type(t)) if r4().type_name(t) == "Measure" => {
            measure::care_gaps(call, request).await
        }
        ("$evaluate-measure", Place::Instance(t, id)) if r4().type_name(t) == "Measure" => {
            measure::evaluate(call, request, Some(id)).await
        }
        ("$viewdefinition-run", Place::System) => view::run(call, request, None).await,
        (name, Place::Instance(t, id)) if view::is_run(name) && r4().type_name(t) == "Library" => {
            view::run(call, request, Some(id)).await
        }
        ("$lastn", Place::Type(t)) if r4().type_name(t) == "Observation" => lastn(call, request).await,
        ("$stats", Place::Type(t)) if r4().type_name(t) == "Observation" => stats(call, request).await,
        ("$match", Place::Type(t)) if r4().type_name(t) == "Patient" && method == Method::POST => {
            match_patients(call, request).await
        }
        ("$match", Place::Type(t)) if r4().type_name(t) == "Patient" => Err(Failure::new(
            Kind::NotAllowed,
            IssueType::NotSupported,
            "$match takes a Patient: call it with POST, so that no name stands in an address",
        )),
        ("$merge" | "$unmerge", Place::Type(t))
            if r4().type_name(t) == "Patient" && method == Method::POST =>
        {
            join(call, request, name == "$merge").await
        }
        ("$merge" | "$unmerge", Place::Type(t)) if r4().type_name(t) == "Patient" => Err(Failure::new(
            Kind::NotAllowed,
            IssueType::NotSupported,
            format!("{name} changes the record: call it with POST"),
        )),
        ("$inform", Place::Instance(t, id)) if r4().type_name(t) == "Condition" && method == Method::POST => {
            inform::inform(call, request, &id).await
        }
        ("$inform", Place::Instance(t, _)) if r4().type_name(t) == "Condition" => Err(Failure::new(
            Kind::NotAllowed,
            IssueType::NotSupported,
            "$inform changes the record: call it with POST",
        )),
        ("$status", Place::Type(t)) if is_subscription(t) => {
            parameters(&mut call, request).await?;
            subscriptions::status(call, None).await
        }
        ("$status", Place::Instance(t, id)) if is_subscription(t) => {
            parameters(&mut call, request).await?;
            subscriptions::status(call, Some(id)).await
        }
        ("$events", Place::Instance(t, id)) if is_subscription(t) => {
            parameters(&mut call, request).await?;
            subscriptions::events(call, id).await
        }
        ("$get-ws-binding-token", Place::Type(t)) if is_subscription(t) => {
            parameters(&mut call, request).await?;
            subscriptions::binding_token(&call, None)
        }
        ("$get-ws-binding-token", Place::Instance(t, id)) if is_subscription(t) => {
            parameters(&mut call, request).await?;
            subscriptions::binding_token(&call, Some(&id))
        }
        ("$status" | "$events" | "$get-ws-binding-token", _) => Err(Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            format!("{name} is called on a Subscription: /fhir/Subscription/id/{name}"),
        )),
        ("$everything", Place::Instance(..)) => Err(Failure::new(
            Kind::NotFound,
            IssueType::NotSupported,
            "$everything is called on a Patient or an Encounter",
        )),
        ("$meta", Place::Instance(resource_type, id)) => {
            Ok(Answer::json(200, call.app.hub.meta(&call.access, resource_type, &id)?))
        }
        ("$meta-add", Place::Instance(resource_type, id)) if method == Method::POST => {
            change_meta(call, request, resource_type, id, MetaChange::Add).await
        }
        ("$meta-delete", Place::Instance(resource_type, id)) if method == Method::POST => {
            change_meta(call, request, resource_type, id, MetaChange::Delete).await
        }
        ("$meta-add" | "$meta-delete" | "$purge", Place::Instance(..)) => Err(Failure::new(
            Kind::NotAllowed,
            IssueType::NotSupported,
            format!("{name} changes the record: call it with POST"),
        )),
        (known, _) if names().any(|name| name == known) => {
            Err(Failure::new(Kind::NotFound, IssueType::NotSupported, misplaced(known)))
        }
        _ => {
            let near = nearest(&name, names());
            let hint = if near.is_empty() {
                String::new()
            } else {
                format!(" (did you mean {}?)", near.join(" or "))
            };
            let message = format!("the operation {name} is not available here{hint}");
            Err(Failure::new(Kind::NotFound, IssueType::NotSupported, message))
        }
    }
}

fn has_everything(resource_type: TypeId) -> bool {
    matches!(r4().type_name(resource_type), "Patient" | "Encounter")
}

fn is_subscription(resource_type: TypeId) -> bool {
    r4().type_name(resource_type) == "Subscription"
}

/// The parameters of an operation that may come as a form or a Parameters resource: those of simple values, as pairs.
pub(super) async fn parameters(call: &mut Call, request: Request) -> Result<(), Failure> {
    if request.method() != Method::POST {
        return Ok(());
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    if content_type.is_some_and(|t| t.starts_with("application/x-www-form-urlencoded")) {
        let sent = body::read(&call.app, request, 1 << 20).await?;
        call.access.asked(&String::from_utf8_lossy(&sent.bytes));
        call.pairs.extend(body::form(&sent)?);
        return Ok(());
    }
    let kind = format::of_body(request.headers())?;
    let sent = body::read(&call.app, request, 1 << 20).await?;
    if sent.bytes.is_empty() {
        return Ok(());
    }
    let resource = kind.read(&sent.bytes, &call.app.hub.limits)?;
    for parameter in resource.root().all("parameter") {
        let (Some(name), Some(value)) = (parameter.text_at("name"), parameter.text_at("value")) else {
            let message = "the operation's parameters are simple values";
            return Err(
                Failure::new(Kind::Invalid, IssueType::Invalid, message).under("Parameters.parameter")
            );
        };
        call.pairs.push((name.into_owned(), value.into_owned()));
    }
    call.access.asked(&super::write::criteria(call));
    Ok(())
}

/// What a form or Parameters asks of the answer's form: it stands, whatever the headers say.
fn asked_in_body(call: &mut Call, headers: &HeaderMap) -> Result<bool, Failure> {
    let is_asked = call.pairs.iter().any(|(name, _)| matches!(name.as_str(), "_format" | "_pretty"));
    if is_asked {
        call.presentation = format::negotiate(headers, &mut call.pairs)?;
    }
    Ok(is_asked)
}

/// An operation that only reads, within a batch or transaction; nothing if the address is none of an operation.
pub(super) fn entry(call: &Call, segments: &[String], pairs: &[Pair]) -> Option<Result<Answer, Failure>> {
    let name = segments.last().filter(|name| name.starts_with('$'))?;
    let answer = || -> Result<String, Failure> {
        let hub = &call.app.hub;
        match segments {
            [kind, id, _] if name == "$everything" && has_everything(type_named(kind)?) => {
                let pairs = hub.opened_pairs(&call.access, pairs)?;
                let asked = EverythingRequest::read(hub, &pairs)?;
                hub.everything(&call.access, (type_named(kind)?, id.as_str()), &asked, &call.base, &[])
            }
            [kind, id, _] if name == "$meta" && pairs.is_empty() => {
                hub.meta(&call.access, type_named(kind)?, id)
            }
            [kind, _] if name == "$lastn" && kind == "Observation" => {
                let asked = LastnRequest::read(hub, pairs, &call.base, call.preferences.is_lenient)?;
                let answer = hub.lastn(&call.access, &asked, hub.budget())?;
                Ok(bundle::searchset(&answer, &call.base, &format!("{}/Observation/$lastn", call.base)))
            }
            _ => {
                let message = format!(
                    "{name} is not done within a Bundle here; $everything, $meta and Observation/$lastn are, by GET"
                );
                Err(Failure::new(Kind::NotSupported, IssueType::NotSupported, message))
            }
        }
    };
    Some(answer().map(|json| Answer::json(200, json)))
}

async fn lastn(mut call: Call, request: Request) -> Result<Answer, Failure> {
    let headers = request.headers().clone();
    parameters(&mut call, request).await?;
    let is_asked = asked_in_body(&mut call, &headers)?;
    let asked = LastnRequest::read(&call.app.hub, &call.pairs, &call.base, call.preferences.is_lenient)?;
    let (app, presentation) = (Arc::clone(&call.app), call.presentation.clone());
    // It goes through all that the search finds.
    let work = move || {
        let mut answer = call.app.hub.lastn(&call.access, &asked, call.app.hub.budget())?;
        answer.query.understood.extend_from_slice(&call.presentation.pairs);
        let path = format!("{}/Observation/$lastn", call.base);
        Ok(Answer::json(200, bundle::searchset(&answer, &call.base, &path)))
    };
    let answer = app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))?;
    if !is_asked {
        return Ok(answer);
    }
    let mut answer = super::present(&app, answer, presentation).await;
    answer.is_presented = true;
    Ok(answer)
}

async fn stats(call: Call, request: Request) -> Result<Answer, Failure> {
    let sent = match *request.method() {
        Method::POST => {
            let kind = format::of_body(request.headers())?;
            Some((kind, body::read(&call.app, request, 1 << 20).await?))
        }
        _ => None,
    };
    let app = Arc::clone(&call.app);
    let work = move || {
        let hub = &call.app.hub;
        let sent = sent.filter(|(_, body)| !body.bytes.is_empty());
        let body = sent.map(|(kind, body)| kind.read(&body.bytes, &hub.limits)).transpose()?;
        let asked = StatsRequest::read(hub, &call.pairs, body.as_ref(), &call.base)?;
        let now = SystemClock.now();
        Ok(Answer::json(200, hub.stats(&call.access, &asked, &call.base, now, hub.budget())?))
    };
    app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))
}

async fn match_patients(call: Call, request: Request) -> Result<Answer, Failure> {
    let kind = format::of_body(request.headers())?;
    let sent = body::read(&call.app, request, 1 << 20).await?;
    let app = Arc::clone(&call.app);
    let work = move || {
        let hub = &call.app.hub;
        let read = kind.read(&sent.bytes, &hub.limits)?;
        let asked = MatchRequest::read(hub, &read, &call.pairs)?;
        Ok(Answer::json(200, hub.match_patients(&call.access, &asked, &call.base)?))
    };
    app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))
}

/// What joins two Patients, or parts them again.
enum Joining {
    Merge(MergeRequest),
    Unmerge(UnmergeRequest),
}

impl Joining {
    fn is_preview(&self) -> bool {
        match self {
            Joining::Merge(asked) => asked.is_preview,
            Joining::Unmerge(asked) => asked.is_preview,
        }
    }
}

async fn join(call: Call, request: Request, is_merge: bool) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    let kind = format::of_body(request.headers())?;
    let options = options(request.headers(), &call)?;
    if options.if_match.is_some() {
        let message =
            "If-Match: two Patients change; name versions in the references (Patient/id/_history/version)";
        return Err(Failure::new(Kind::Invalid, IssueType::NotSupported, message));
    }
    let sent = body::read(&call.app, request, 1 << 20).await?;
    let hub = &call.app.hub;
    let read = kind.read(&sent.bytes, &hub.limits)?;
    let asked = Arc::new(match is_merge {
        true => Joining::Merge(MergeRequest::read(&read, &call.base, &hub.limits)?),
        false => Joining::Unmerge(UnmergeRequest::read(&read, &call.base)?),
    });
    if asked.is_preview() {
        let json = match &*asked {
            Joining::Merge(asked) => hub.merge_preview(&call.access, asked)?,
            Joining::Unmerge(asked) => hub.unmerge_preview(&call.access, asked)?,
        };
        return Ok(Answer::json(200, json));
    }
    let planned = Arc::clone(&asked);
    let prepare: Prepare = Arc::new(move |hub, access| match &*planned {
        Joining::Merge(asked) => hub.merge(access, asked, &options),
        Joining::Unmerge(asked) => hub.unmerge(access, asked, &options),
    });
    // The target comes first.
    let target = first(submit_while_moved(&call, true, prepare).await?)?;
    let json = match &*asked {
        Joining::Merge(asked) => hub.merge_answer(&call.access, asked, &target.id)?,
        Joining::Unmerge(asked) => hub.unmerge_answer(&call.access, asked, &target.id)?,
    };
    Ok(Answer::json(200, json))
}

async fn everything(
    mut call: Call,
    request: Request,
    resource_type: TypeId,
    id: String,
) -> Result<Answer, Failure> {
    parameters(&mut call, request).await?;
    let pairs = call.app.hub.opened_pairs(&call.access, &call.pairs)?;
    let asked = EverythingRequest::read(&call.app.hub, &pairs)?;
    let app = Arc::clone(&call.app);
    let work = move || {
        let owner = (resource_type, id.as_str());
        call.app.hub.everything(&call.access, owner, &asked, &call.base, &call.presentation.pairs)
    };
    // A record may be long.
    let json = app.lanes.heavy(work).await.unwrap_or_else(|| Err(super::write::interrupted()))?;
    Ok(Answer::json(200, json))
}

async fn change_meta(
    call: Call,
    request: Request,
    resource_type: TypeId,
    id: String,
    how: MetaChange,
) -> Result<Answer, Failure> {
    headers::no_conditions_but(request.headers(), &["if-match"])?;
    let kind = format::of_body(request.headers())?;
    let options = options(request.headers(), &call)?;
    let sent = body::read(&call.app, request, 1 << 20).await?;
    let is_light = sent.bytes.len() <= call.app.lanes.limits.light_body;
    let parameters = kind.read(&sent.bytes, &call.app.hub.limits)?;
    let named = id.clone();
    let prepare: Prepare = Arc::new(move |hub, access| {
        hub.change_meta(access, resource_type, &named, &parameters, how, &options)
    });
    submit_while_moved(&call, is_light, prepare).await?;
    Ok(Answer::json(200, call.app.hub.meta(&call.access, resource_type, &id)?))
}
