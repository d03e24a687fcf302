//! The one place where a request goes into the read-audit ledger, before it is answered.
//!
//! Exports, sign-ins and breaking the glass wait until the record is on disk; everything else is answered as soon as the
//! ledger has it in its queue.

use axum::extract::Request;
use axum::http::Method;
use fhir::IssueType;
use hub::{Access, Audited, Failure, Kind, Peer};
use ledger::Action;
use tokio::sync::oneshot;

use crate::Shared;

/// Of a reason so much is kept.
const MAX_REASON: usize = 200;

/// A request, as the ledger has it.
pub(crate) struct Asked {
    action: Action,
    target: String,
    query: Option<String>,
    address: Option<String>,
}

impl Asked {
    /// What is asked; `None` of what shows nothing of the record.
    pub(crate) fn of(app: &Shared, request: &Request) -> Option<Asked> {
        app.hub.ledger()?;
        let path = request.uri().path();
        let fhir = path.strip_prefix("/fhir").filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let (action, target) = match fhir {
            Some(rest) => {
                let segments: Vec<String> = rest.split('/').filter(|s| !s.is_empty()).map(decoded).collect();
                interaction(request.method(), &segments)?
            }
            None => (Action::Page, decoded(path)),
        };
        Some(Asked {
            action,
            target,
            query: request.uri().query().map(str::to_owned),
            address: request.extensions().get::<Peer>().map(|peer| peer.0.to_string()),
        })
    }

    /// A sign-in, or its end.
    pub(crate) fn to_sign_in(app: &Shared, request: &Request, action: Action) -> Option<Asked> {
        app.hub.ledger()?;
        let address = request.extensions().get::<Peer>().map(|peer| peer.0.to_string());
        // Neither name nor password is kept: what was typed wrongly may be either.
        Some(Asked { action, target: String::new(), query: None, address })
    }

    /// What is asked at an address outside of FHIR, by a name of its own.
    pub(crate) fn other(
        app: &Shared,
        action: &str,
        target: String,
        query: String,
        address: Option<String>,
    ) -> Option<Asked> {
        app.hub.ledger()?;
        Some(Asked { action: Action::Other(action.to_owned()), target, query: Some(query), address })
    }

    /// Says that it is the files of an export that are asked for.
    pub(crate) fn export(self) -> Asked {
        Asked { action: Action::Export, ..self }
    }
}

/// A segment without its escapes, or, if they are wrong, as it came.
fn decoded(segment: &str) -> String {
    crate::rest::decode(segment).unwrap_or_else(|_| segment.to_owned())
}

/// What an address and method ask for, and of what.
fn interaction(method: &Method, segments: &[String]) -> Option<(Action, String)> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let is_read = *method == Method::GET || *method == Method::HEAD;
    let joined = |parts: &[&str]| parts.join("/");
    Some(match (segments.as_slice(), is_read, method.as_str()) {
        (["metadata" | "_websocket"], true, _) | (["_jobs", _], ..) => return None,
        ([on @ .., name], _, "GET" | "HEAD" | "POST") if name.starts_with('$') => {
            (Action::Operation((*name).to_owned()), joined(on))
        }
        ([on @ .., "_history"], true, _) => (Action::History, joined(on)),
        ([_, _, "_history", _], true, _) => (Action::VersionRead, joined(&segments)),
        ([] | [_, _, "*"], true, _) => (Action::SearchSystem, joined(&segments)),
        ([_] | [_, _, _], true, _) => (Action::Search, joined(&segments)),
        ([_, _], true, _) => (Action::Read, joined(&segments)),
        ([], _, "POST") => (Action::Bundle, String::new()),
        (["_search"], _, "POST") => (Action::SearchSystem, String::new()),
        ([on @ .., "_search"], _, "POST") => (Action::Search, joined(on)),
        ([_], _, "POST") => (Action::Create, joined(&segments)),
        ([_] | [_, _], _, "PUT") => (Action::Update, joined(&segments)),
        ([_] | [_, _], _, "PATCH") => (Action::Patch, joined(&segments)),
        ([_] | [_, _], _, "DELETE") => (Action::Delete, joined(&segments)),
        (_, _, method) => (Action::Other(method.to_owned()), joined(&segments)),
    })
}

/// Puts a request and how it ended into the ledger.
///
/// # Errors
/// If the ledger does not take it: then the answer must not go out.
pub(crate) async fn record(
    app: &Shared,
    asked: Asked,
    access: &Access,
    status: u16,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let Some(ledger) = app.hub.ledger() else { return Ok(()) };
    let emergency = access.subject.as_ref().and_then(|subject| subject.break_glass.clone());
    let waits = emergency.is_some() || asked.action.waits_for_flush();
    let reason = reason.map(|text| ledger::cut(text, MAX_REASON).to_owned());
    let audited = Audited {
        action: asked.action,
        status,
        reason,
        target: asked.target,
        query: asked.query.filter(|q| !q.is_empty()),
        address: asked.address,
        emergency,
    };
    let Some(sequence) = app.hub.audit(access, audited)? else { return Ok(()) };
    if !waits {
        return Ok(());
    }
    let (sender, receiver) = oneshot::channel();
    ledger.when_flushed(sequence, Box::new(move |outcome| drop(sender.send(outcome))));
    match receiver.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(hub::unwritten(&error)),
        Err(_) => {
            let message = "the hub is stopping; ask again";
            Err(Failure::new(Kind::Unavailable, IssueType::Timeout, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_an_action_and_a_target() {
        for (method, path, expected) in [
            ("GET", "Patient/1", Some(("read", "Patient/1"))),
            ("HEAD", "Patient/1/_history/2", Some(("vread", "Patient/1/_history/2"))),
            ("GET", "Patient/1/_history", Some(("history", "Patient/1"))),
            ("GET", "_history", Some(("history", ""))),
            ("GET", "", Some(("search-system", ""))),
            ("GET", "Observation", Some(("search-type", "Observation"))),
            ("POST", "Observation/_search", Some(("search-type", "Observation"))),
            ("POST", "Patient/1/Observation/_search", Some(("search-type", "Patient/1/Observation"))),
            ("GET", "Patient/1/*", Some(("search-system", "Patient/1/*"))),
            ("GET", "Patient/1/$everything", Some(("$everything", "Patient/1"))),
            ("POST", "Patient/$match", Some(("$match", "Patient"))),
            ("POST", "", Some(("transaction", ""))),
            ("POST", "Patient", Some(("create", "Patient"))),
            ("PUT", "Patient/1", Some(("update", "Patient/1"))),
            ("PATCH", "Patient/1", Some(("patch", "Patient/1"))),
            ("DELETE", "Patient/1", Some(("delete", "Patient/1"))),
            ("TRACE", "Patient/1", Some(("TRACE", "Patient/1"))),
            ("GET", "metadata", None),
            ("GET", "_jobs/1", None),
        ] {
            let segments: Vec<String> =
                path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
            let found = interaction(&method.parse().unwrap(), &segments);
            let found = found.as_ref().map(|(action, target)| (action.name(), target.as_str()));
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
