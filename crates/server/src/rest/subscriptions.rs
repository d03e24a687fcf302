//! `$status`, `$events` and `$get-ws-binding-token` of subscriptions.

use std::sync::Arc;

use fhir::IssueType;
use hub::{Failure, Kind, Subscriptions};

use super::write::interrupted;
use super::{Answer, Call};

fn subscriptions(call: &Call) -> Result<Subscriptions, Failure> {
    let missing =
        || Failure::new(Kind::NotSupported, IssueType::NotSupported, "this hub serves no subscriptions");
    call.app.subscriptions.clone().ok_or_else(missing)
}

/// Answers where it holds nobody up: it may wait for the feed.
async fn answered(
    call: Call,
    work: impl FnOnce(&Subscriptions, &Call) -> Result<String, Failure> + Send + 'static,
) -> Result<Answer, Failure> {
    let (app, subscriptions) = (Arc::clone(&call.app), subscriptions(&call)?);
    let json = app.lanes.heavy(move || work(&subscriptions, &call)).await;
    Ok(Answer::json(200, json.unwrap_or_else(|| Err(interrupted()))?))
}

/// `$status`
pub(super) async fn status(call: Call, id: Option<String>) -> Result<Answer, Failure> {
    answered(call, move |subscriptions, call| {
        subscriptions.status(&call.access, id.as_deref(), &call.pairs, &call.base)
    })
    .await
}

/// `$events`
pub(super) async fn events(call: Call, id: String) -> Result<Answer, Failure> {
    answered(call, move |subscriptions, call| {
        subscriptions.events(&call.access, &id, &call.pairs, &call.base)
    })
    .await
}

/// `$get-ws-binding-token`
pub(super) fn binding_token(call: &Call, id: Option<&str>) -> Result<Answer, Failure> {
    let url = hub::capability::websocket(&call.base);
    Ok(Answer::json(200, subscriptions(call)?.binding_token(&call.access, id, &call.pairs, &url)?))
}
