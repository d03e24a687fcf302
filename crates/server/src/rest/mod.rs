//! FHIR REST (<https://hl7.org/fhir/R4/http.html>): requests into calls of `hub`, answers into responses.

mod batch;
mod binary;
pub(crate) mod body;
mod bundle;
mod format;
mod get;
mod headers;
mod inform;
mod jobs;
mod made_file;
mod measure;
mod operation;
mod patch;
mod subscriptions;
mod view;
mod write;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::response::Response as AxumResponse;
use bytes::Bytes;
use fhir::subset::Subset;
use fhir::{Issue, IssueType};
use hub::{Access, Failure, Kind, outcome};
use search::query::Pair;

use self::format::{Format, Presentation};
pub(crate) use self::headers::decode;
pub(crate) use self::jobs::file as job_file;
use crate::edge::rates::TooMany;
use crate::{Shared, audit, identity, open};

/// What every interaction needs to know of its request.
pub(crate) struct Call {
    pub(crate) app: Shared,
    pub(crate) access: Access,
    /// The hub's base URL, as the client knows it.
    pub(crate) base: String,
    /// Path segments after `/fhir`, decoded.
    pub(crate) segments: Vec<String>,
    /// The parameters, decoded, without those about the answer's form.
    pub(crate) pairs: Vec<Pair>,
    pub(crate) presentation: Presentation,
    /// A Binary's content rather than the resource.
    pub(crate) content_wanted: Option<binary::ContentWanted>,
    pub(crate) preferences: headers::Preferences,
    /// What a read's answer depends on.
    pub(crate) conditions: headers::ReadConditions,
    /// The part that is answered of a resource that was written.
    pub(crate) part: Option<Subset>,
}

/// An answer on its way to a response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Option<String>,
    /// Content that is no text; its headers say what it is.
    pub(crate) content: Option<Bytes>,
    pub(crate) format: Format,
    /// Whether the body is in the form asked for already.
    pub(crate) is_presented: bool,
    /// The body's media type, if it is no resource.
    pub(crate) media_type: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: String) -> Answer {
        Answer { body: Some(body), ..Answer::empty(status) }
    }

    pub(crate) fn empty(status: u16) -> Answer {
        Answer {
            status,
            body: None,
            content: None,
            format: Format::Json,
            is_presented: false,
            media_type: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: String) -> Answer {
        self.headers.push((name, value));
        self
    }
}

/// Answers one request.
pub(crate) async fn handle(State(app): State<Shared>, request: Request) -> AxumResponse {
    let began = std::time::Instant::now();
    let method = request.method().clone();
    let correlation = headers::correlation(request.headers());
    let asked = audit::Asked::of(&app, &request);
    let access = access(&app, &request);
    let (answer, presentation) = match call(&app, &request, access.clone()) {
        Ok(call) => {
            let presentation = call.presentation.clone();
            (dispatch(call, request).await, presentation)
        }
        Err(failure) => (Err(failure), Presentation::default()),
    };
    let reason = answer.as_ref().err().and_then(|failure| Some(failure.issues.first()?.diagnostics.clone()));
    let answer = answer.unwrap_or_else(|failure| of_failure(&failure));
    let mut answer = present(&app, answer, presentation).await;
    if let Some(asked) = asked
        && let Err(failure) = audit::record(&app, asked, &access, answer.status, reason.as_deref()).await
    {
        answer = of_failure(&failure);
    }
    let mut response = respond(answer);
    response.headers_mut().extend(correlation);
    metrics::counter!("yojigen_requests_total", "method" => method_label(&method), "status" => status_label(response.status()))
        .increment(1);
    metrics::histogram!("yojigen_request_seconds", "method" => method_label(&method))
        .record(began.elapsed().as_secs_f64());
    response
}

/// Brings an answer into the form asked for; a large one where it holds nobody up.
pub(crate) async fn present(app: &Shared, mut answer: Answer, presentation: Presentation) -> Answer {
    let is_as_it_is = presentation.format == Format::Json && !presentation.is_pretty;
    let is_done = std::mem::replace(&mut answer.is_presented, true) || is_as_it_is;
    let Some(json) = answer.body.take_if(|_| !is_done) else { return answer };
    answer.format = presentation.format;
    let written = if json.len() <= app.lanes.limits.light_body {
        format::present(json, &presentation)
    } else {
        let work = move || format::present(json, &presentation);
        app.lanes.heavy(work).await.unwrap_or_else(|| Err(write::interrupted()))
    };
    match written {
        Ok(body) => Answer { body: Some(body), ..answer },
        Err(failure) => of_failure(&failure),
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

fn status_label(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// Who asks, for whom, why and by what means.
fn access(app: &Shared, request: &Request) -> Access {
    let mut access = identity::of_request(app, request);
    access.circumstances.request_id = headers::request_id(request.headers());
    access
}

fn call(app: &Shared, request: &Request, access: Access) -> Result<Call, Failure> {
    let uri = request.uri();
    let host = open::host(request.headers(), uri).unwrap_or("localhost");
    let base =
        app.auth.as_ref().map_or_else(|| format!("http://{host}/fhir"), |a| a.settings().fhir_base.clone());
    let path = uri.path().strip_prefix("/fhir").unwrap_or_default();
    let segments =
        path.split('/').filter(|s| !s.is_empty()).map(headers::decode).collect::<Result<Vec<_>, _>>()?;
    let mut pairs = search::query::split(uri.query().unwrap_or_default())?;
    let content_wanted = binary::content_wanted(&segments, request.headers())
        .filter(|_| !pairs.iter().any(|(name, _)| name == "_format"));
    let presentation = if content_wanted.is_some() || view::asks_for_rows(&segments) {
        Presentation::default()
    } else {
        format::negotiate(request.headers(), &mut pairs)?
    };
    let preferences = headers::preferences(request.headers());
    let conditions = headers::read_conditions(request.headers());
    let app = Shared::clone(app);
    let part = None;
    Ok(Call {
        app,
        access,
        base,
        segments,
        pairs,
        presentation,
        content_wanted,
        preferences,
        conditions,
        part,
    })
}

const READS: &str = "GET, HEAD, OPTIONS";

/// The methods there are at an address of REST's, not an operation's; none if there is no such address.
fn methods(segments: &[&str]) -> Option<&'static str> {
    Some(match segments {
        [] => "GET, HEAD, POST, OPTIONS",
        ["metadata" | "_history"] | [_, "_history"] => READS,
        [.., "_search"] if segments.len() <= 4 => "POST, OPTIONS",
        [_] => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        [_, _] => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
        [_, _, _] | [_, _, "_history", _] => READS,
        _ => return None,
    })
}

/// The refusal of a method, with those there are.
fn not_allowed(method: &Method, segments: &[&str], allowed: &'static str) -> Answer {
    let message = format!("there is no {method} at /fhir/{}, only {allowed}", segments.join("/"));
    let failure = Failure::new(Kind::NotAllowed, IssueType::NotSupported, message);
    of_failure(&failure).with(header::ALLOW, allowed.to_owned())
}

async fn dispatch(mut call: Call, request: Request) -> Result<Answer, Failure> {
    let segments = call.segments.clone();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if operation::is_operation(&call.segments) {
        let allowed = "GET, HEAD, POST";
        if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) {
            return Ok(not_allowed(request.method(), &segments, allowed));
        }
        return match operation::operation(call, request).await {
            // What changes something is called with POST alone.
            Err(failure) if failure.kind == Kind::NotAllowed => {
                Ok(of_failure(&failure).with(header::ALLOW, "POST".to_owned()))
            }
            done => done,
        };
    }
    if let ["_jobs", id] = segments.as_slice() {
        return match *request.method() {
            Method::GET | Method::HEAD => jobs::status(&call, id),
            Method::DELETE => jobs::cancel(&call, id),
            _ => Ok(not_allowed(request.method(), &segments, "GET, HEAD, DELETE")),
        };
    }
    let Some(allowed) = methods(&segments) else {
        let message = format!("there is nothing at /fhir/{}", segments.join("/"));
        return Err(Failure::new(Kind::NotFound, IssueType::NotFound, message));
    };
    if request.method() == Method::OPTIONS {
        return Ok(Answer::empty(204).with(header::ALLOW, allowed.to_owned()));
    }
    if !allowed.split(", ").any(|method| method == request.method().as_str()) {
        return Ok(not_allowed(request.method(), &segments, allowed));
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read && !matches!(segments.as_slice(), [.., "_search"]) {
        write::take_part(&mut call)?;
    }
    match (request.method(), segments.as_slice()) {
        (&Method::GET | &Method::HEAD, _) => get::get(call).await,
        (&Method::POST, []) => bundle::bundle(call, request).await,
        (&Method::POST, [.., "_search"]) => get::search_by_post(call, request).await,
        (&Method::POST, [_]) => write::create(call, request).await,
        (&Method::PUT, [_, _]) => write::update(call, request).await,
        (&Method::DELETE, [_, _]) => write::delete(call, request).await,
        (&Method::PUT, [_]) => write::conditional_update(call, request).await,
        (&Method::DELETE, [_]) => write::conditional_delete(call, request).await,
        (&Method::PATCH, [_] | [_, _]) => patch::patch(call, request).await,
        (method, _) => Ok(not_allowed(method, &segments, allowed)),
    }
}

fn respond(answer: Answer) -> AxumResponse {
    let mut response = Response::builder().status(answer.status);
    if let Some(headers) = response.headers_mut() {
        for (name, value) in answer.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if answer.body.is_some() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static(answer.media_type.unwrap_or(answer.format.media_type())),
            );
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    let body = answer.content.unwrap_or_else(|| answer.body.map_or_else(Bytes::new, Bytes::from));
    response.body(axum::body::Body::from(body)).unwrap_or_default()
}

/// A failure as an OperationOutcome.
fn of_failure(failure: &Failure) -> Answer {
    let mut answer = Answer::json(failure.kind.status(), outcome::outcome(&failure.issues));
    if let Some(version) = failure.version {
        answer = answer.with(header::ETAG, hub::bundle::etag(version));
    }
    if failure.kind == Kind::Unavailable {
        answer = answer.with(header::RETRY_AFTER, "2".to_owned());
    }
    answer
}

/// A failure as a response.
pub(crate) fn respond_with_failure(failure: &Failure) -> AxumResponse {
    respond(of_failure(failure))
}

/// A request that is one too many.
pub(crate) fn respond_with_too_many(too_many: TooMany) -> AxumResponse {
    let TooMany { of, wait } = too_many;
    let message = format!("too many requests of this {of}; the next is taken in {wait} seconds");
    let issue = Issue::error(IssueType::Throttled, message);
    let answer = Answer::json(429, outcome::outcome(std::slice::from_ref(&issue)));
    respond(answer.with(header::RETRY_AFTER, wait.to_string()))
}

/// One finding as an OperationOutcome.
pub(crate) fn respond_with_issue(status: u16, issue: &Issue) -> AxumResponse {
    respond(Answer::json(status, outcome::outcome(std::slice::from_ref(issue))))
}
