//! batch and transaction.

use std::sync::Arc;

use axum::extract::Request;
use fhir::{IssueType, Resource};
use hub::{Access, Batch, EntryResponse, Failure, Hub, Kind, ReadCondition, WriteOptions, is_bundle};
use store::{Outcome, Rejection};

use super::write::{interrupted, no_parameters, propose, submit};
use super::{Answer, Call, batch, body, format, get, headers};

/// `POST [base]`
pub(super) async fn bundle(call: Call, request: Request) -> Result<Answer, Failure> {
    no_parameters(&call)?;
    headers::no_conditions_but(request.headers(), &[])?;
    let format = format::of_body(request.headers())?;
    let options = headers::write_options(request.headers(), &call.app.hub.limits)?;
    let read = body::read(&call.app, request, call.app.hub.limits.bundle_bytes).await?;
    let access = call.access.clone();
    let is_light = read.bytes.len() <= call.app.lanes.limits.light_body;
    let plan = Arc::new(move |hub: &Hub| -> Result<(Batch, WriteOptions, Option<Resource>), Failure> {
        let (resource, refused) = batch::read(format, &read.bytes, &hub.limits)?;
        if !is_bundle(&resource) {
            let name = resource.root().type_name();
            let message = format!("only a Bundle is posted to the base; post a {name} to {name}");
            return Err(Failure::new(Kind::Invalid, IssueType::Invalid, message));
        }
        let mut batch = hub.plan_bundle(&access, resource.root(), &options)?;
        for (at, failure) in refused {
            batch.refuse(at, failure);
        }
        let document = batch.is_conditional().then_some(resource);
        Ok((batch, options.clone(), document))
    });
    let tried = if is_light { Some(plan(&call.app.light_hub())) } else { None };
    let planned = match tried {
        Some(Err(failure)) if failure.kind != Kind::TooCostly => return Err(failure),
        Some(Ok(planned)) if !planned.0.is_too_costly() => planned,
        _ => {
            let (hub, plan) = (call.app.hub.clone(), Arc::clone(&plan));
            call.app.lanes.heavy(move || plan(&hub)).await.unwrap_or_else(|| Err(interrupted()))?
        }
    };
    let (mut batch, options, document) = planned;
    // The room of the body is held as long as the document may be planned anew.
    let held = document.is_some().then_some(plan);
    // All are proposed before the first is waited for, so that they share a sync.
    let pending: Vec<_> = batch.take_writes().into_iter().map(|prepared| propose(&call, prepared)).collect();
    let mut outcomes = Vec::with_capacity(pending.len());
    for one in pending {
        outcomes.push(one.await.unwrap_or(Err(Rejection::Store(store::Error::Stopped))));
    }
    if let Some(document) = document {
        let anew = Anew { call: &call, access: &call.access, document: &document, options: &options };
        for (at, outcome) in outcomes.iter_mut().enumerate() {
            anew.write(&mut batch, at, outcome).await?;
        }
    }
    drop(held);
    let read = |url: &str, condition: &ReadCondition| -> EntryResponse { get::entry(&call, url, condition) };
    let json = call.app.hub.answer_bundle(&call.access, &batch, outcomes, call.preferences.answer, &read)?;
    Ok(Answer::json(200, json))
}

/// Conditional writes that were overtaken by others, made again.
struct Anew<'c> {
    call: &'c Call,
    access: &'c Access,
    document: &'c Resource,
    options: &'c WriteOptions,
}

impl Anew<'_> {
    async fn write(
        &self,
        batch: &mut Batch,
        at: usize,
        outcome: &mut Result<Outcome, Rejection>,
    ) -> Result<(), Failure> {
        for _ in 1..hub::ATTEMPTS {
            if !outcome.as_ref().is_err_and(Hub::is_moved) {
                break;
            }
            let prepared =
                self.call.app.hub.plan_again(self.access, batch, at, self.document.root(), self.options)?;
            let Some(prepared) = prepared else {
                // Now there is nothing to do.
                *outcome = Ok(Outcome { place: None, instant: 0, is_repeated: false, commands: Vec::new() });
                break;
            };
            *outcome = submit(self.call, prepared).await;
        }
        Ok(())
    }
}
