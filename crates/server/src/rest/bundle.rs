//! batch and transaction.

use axum::extract::Request;
use fhir::IssueType;
use hub::{Batch, EntryResponse, Failure, Kind, is_bundle};

use super::write::{interrupted, submit};
use super::{Answer, Call, body, get, headers};

/// `POST [base]`
pub(super) async fn bundle(call: Call, request: Request) -> Result<Answer, Failure> {
    body::check_type(request.headers())?;
    let options = headers::write_options(request.headers(), &call.app.hub.limits)?;
    let read = body::read(&call.app, request, call.app.hub.limits.bundle_bytes).await?;
    let (hub, access) = (call.app.hub.clone(), call.access.clone());
    let is_light = read.bytes.len() <= call.app.lanes.limits.light_body;
    let plan = move || -> Result<Batch, Failure> {
        let document = fhir::json::parse(&read.bytes, &hub.limits)?;
        if !is_bundle(&document) {
            let name = document.root().type_name();
            let message = format!("only a Bundle is posted to the base; post a {name} to {name}");
            return Err(Failure::new(Kind::Invalid, IssueType::Invalid, message));
        }
        let batch = hub.plan_bundle(&access, document.root(), &options);
        drop(read.room);
        batch
    };
    let mut batch = if is_light {
        plan()?
    } else {
        call.app.lanes.heavy(plan).await.unwrap_or_else(|| Err(interrupted()))?
    };
    let mut pending = Vec::new();
    for prepared in batch.take_writes() {
        pending.push(submit(&call, prepared));
    }
    // All are proposed before the first is waited for, so that they share a sync.
    let outcomes = join(pending).await;
    let finish = move || {
        let read = |url: &str| -> EntryResponse { get::entry(&call, url) };
        call.app.hub.answer_bundle(&call.access, &batch, outcomes, call.preferences.answer, &read)
    };
    let json = finish()?;
    Ok(Answer::json(200, json))
}

/// Waits for all, in order, each started before any is waited for.
async fn join<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut pinned: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outcomes: Vec<Option<T>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut is_done = true;
        for (future, outcome) in pinned.iter_mut().zip(&mut outcomes) {
            if outcome.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *outcome = Some(value),
                    std::task::Poll::Pending => is_done = false,
                }
            }
        }
        if is_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}
