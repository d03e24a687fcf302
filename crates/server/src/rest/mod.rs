//! FHIR REST (<https://hl7.org/fhir/R4/http.html>): requests into calls of `hub`, answers into responses.

mod body;
mod bundle;
mod get;
mod headers;
mod write;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::response::Response as AxumResponse;
use bytes::Bytes;
use fhir::{Issue, IssueType};
use hub::{Access, Failure, Kind, outcome};

use crate::{Shared, open};

/// The media type of every answer.
const FHIR_JSON: &str = "application/fhir+json;charset=utf-8";

/// What every interaction needs to know of its request.
pub(crate) struct Call {
    pub(crate) app: Shared,
    pub(crate) access: Access,
    /// The hub's base URL, as the client knows it.
    pub(crate) base: String,
    /// Path segments after `/fhir`, decoded.
    pub(crate) segments: Vec<String>,
    /// The query string, undecoded.
    pub(crate) query: String,
    pub(crate) preferences: headers::Preferences,
}

/// An answer on its way to a response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Option<String>,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: String) -> Answer {
        Answer { status, body: Some(body), headers: Vec::new() }
    }

    pub(crate) fn empty(status: u16) -> Answer {
        Answer { status, body: None, headers: Vec::new() }
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
    let answer = match call(app, &request) {
        Ok(call) => match negotiate(&request) {
            Ok(()) => dispatch(call, request).await,
            Err(answer) => Err(answer),
        },
        Err(failure) => Err(failure),
    };
    let response = match answer {
        Ok(answer) => respond(answer),
        Err(failure) => respond_with_failure(&failure),
    };
    metrics::counter!("yojigen_requests_total", "method" => method_label(&method), "status" => status_label(response.status()))
        .increment(1);
    metrics::histogram!("yojigen_request_seconds", "method" => method_label(&method))
        .record(began.elapsed().as_secs_f64());
    response
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
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

fn call(app: Shared, request: &Request) -> Result<Call, Failure> {
    let uri = request.uri();
    let host = open::host(request.headers(), uri).unwrap_or("localhost");
    let base = format!("http://{host}/fhir");
    let path = uri.path().strip_prefix("/fhir").unwrap_or_default();
    let segments =
        path.split('/').filter(|s| !s.is_empty()).map(headers::decode).collect::<Result<Vec<_>, _>>()?;
    let mut access = Access::open("rest");
    access.circumstances.request_id = headers::request_id(request.headers());
    let preferences = headers::preferences(request.headers());
    Ok(Call { app, access, base, segments, query: uri.query().unwrap_or_default().to_owned(), preferences })
}

/// Whether the client takes JSON.
fn negotiate(request: &Request) -> Result<(), Failure> {
    let Some(accept) = request.headers().get(header::ACCEPT).and_then(|a| a.to_str().ok()) else {
        return Ok(());
    };
    let takes_json = accept.split(',').any(|range| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        matches!(
            kind,
            "*/*"
                | "application/*"
                | "application/fhir+json"
                | "application/json"
                | "application/json+fhir"
                | "text/json"
                | "text/html"
                | ""
        )
    });
    if takes_json {
        return Ok(());
    }
    Err(Failure::new(
        Kind::NotAcceptable,
        IssueType::NotSupported,
        format!("Accept: '{accept}' is not available here; application/fhir+json is"),
    ))
}

async fn dispatch(call: Call, request: Request) -> Result<Answer, Failure> {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match (request.method(), segments.as_slice()) {
        (&Method::GET | &Method::HEAD, _) => get::get(call).await,
        (&Method::POST, []) => bundle::bundle(call, request).await,
        (&Method::POST, [.., "_search"]) => get::search_by_post(call, request).await,
        (&Method::POST, [_]) => write::create(call, request).await,
        (&Method::PUT, [_, _]) => write::update(call, request).await,
        (&Method::DELETE, [_, _]) => write::delete(call, request).await,
        (&Method::PUT | &Method::DELETE, [_]) => Err(Failure::new(
            Kind::NotSupported,
            IssueType::NotSupported,
            "conditional updates and deletes are not available here; name the resource by its id: Type/id",
        )),
        (&Method::PATCH, _) => Err(Failure::new(
            Kind::NotSupported,
            IssueType::NotSupported,
            "PATCH is not available here; send the whole resource with PUT",
        )),
        (method, _) => Err(Failure::new(
            Kind::NotAllowed,
            IssueType::NotSupported,
            format!("there is no {method} at /fhir/{}", call.segments.join("/")),
        )),
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
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    let body = answer.body.map_or_else(Bytes::new, Bytes::from);
    response.body(axum::body::Body::from(body)).unwrap_or_default()
}

/// A failure as an OperationOutcome.
pub(crate) fn respond_with_failure(failure: &Failure) -> AxumResponse {
    let mut answer = Answer::json(failure.kind.status(), outcome::outcome(&failure.issues));
    if let Some(version) = failure.version {
        answer = answer.with(header::ETAG, hub::bundle::etag(version));
    }
    if failure.kind == Kind::Unavailable {
        answer = answer.with(header::RETRY_AFTER, "2".to_owned());
    }
    respond(answer)
}

/// One finding as an OperationOutcome.
pub(crate) fn respond_with_issue(status: u16, issue: &Issue) -> AxumResponse {
    respond(Answer::json(status, outcome::outcome(std::slice::from_ref(issue))))
}
