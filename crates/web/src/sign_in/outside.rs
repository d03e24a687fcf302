//! `/auth/outside`: the browser goes to an outside provider, and comes back.

use std::sync::Arc;

use auth::{Kind, Way};
use axum::extract::State;
use axum::response::Response;
use search::query::split;

use super::{Start, away, enter, go, own_place, refused};

/// Sends the browser there.
pub(super) async fn begin((State(desk), guest): Start) -> Response {
    let return_to = own_place(guest.visit.value("return").unwrap_or_default()).to_owned();
    let (auth, browser, wanted) = (Arc::clone(&desk.auth), guest.token(), return_to.clone());
    match away(move || auth.begin_outside(&wanted, &browser)).await {
        Ok(place) => guest.remember(go(&place, &[])),
        Err(refusal) if refusal.kind == Kind::NotFound => refused(&guest.visit, refusal),
        Err(refusal) => enter::show_refusal(&desk, &guest, &return_to, &refusal),
    }
}

/// Takes its answer.
pub(super) async fn end((State(desk), guest): Start) -> Response {
    let (auth, browser, address) = (Arc::clone(&desk.auth), guest.token(), guest.address.clone());
    let pairs = split(&guest.query).unwrap_or_default();
    match away(move || auth.end_outside(&pairs, &browser, &address)).await {
        Ok(arrived) => {
            let (auth, user) = (Arc::clone(&desk.auth), arrived.user.id.clone());
            let begun = enter::begin(&desk, &guest, arrived.user, Way::Outside).await;
            let begun = match begun {
                Ok(begun) if arrived.has_shown_code => {
                    away(move || {
                        let session = auth.session(&begun)?;
                        session.map_or(Ok(()), |own| auth.second_factor_was_shown(&user, &own.id))?;
                        Ok(begun)
                    })
                    .await
                }
                begun => begun,
            };
            enter::arrive(&desk, &guest, begun, &arrived.return_to)
        }
        Err(refusal) if refusal.kind == Kind::NotFound => refused(&guest.visit, refusal),
        Err(refusal) => enter::show_refusal(&desk, &guest, "", &refusal),
    }
}

/// Sends the browser there to sign out.
pub(super) async fn leave((State(desk), guest): Start) -> Response {
    let auth = Arc::clone(&desk.auth);
    match away(move || auth.leave_outside()).await {
        Ok(place) => go(&place.unwrap_or_else(|| "/auth/sign-in".to_owned()), &[]),
        Err(refusal) if refusal.kind == Kind::NotFound => refused(&guest.visit, refusal),
        Err(refusal) => enter::show_refusal(&desk, &guest, "", &refusal),
    }
}
