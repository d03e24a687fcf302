//! `/auth/token` and what goes with it: introspection, revocation, registration, userinfo, keys.

use std::sync::Arc;

use auth::{Auth, Kind, Refusal, bearer};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::form::{self, Form};
use super::{answer, away, refused, secret_answer};

fn told(outcome: Result<Value, Refusal>) -> Response {
    match outcome {
        Ok(body) => secret_answer(StatusCode::OK, &body),
        Err(refusal) => refused(&refusal),
    }
}

/// Does what a form asks.
async fn asked(
    auth: Arc<Auth>,
    request: Request,
    work: impl FnOnce(&Auth, &Form) -> Result<Value, Refusal> + Send + 'static,
) -> Response {
    match Form::read(request).await {
        Ok(form) => told(away(move || work(&auth, &form)).await),
        Err(refusal) => refused(&refusal),
    }
}

/// `POST /auth/token`
pub(super) async fn token(State(auth): State<Arc<Auth>>, request: Request) -> Response {
    let work = |auth: &Auth, form: &Form| {
        // Who asks comes first: nobody else learns anything of a code or token.
        let grant_type = form.needed("grant_type")?;
        let known = ["authorization_code", "refresh_token", "client_credentials"];
        if !known.contains(&grant_type) {
            let why = format!("grant_type is one of {}", known.join(", "));
            return Err(Refusal::new(Kind::UnsupportedGrantType, why));
        }
        let shown = form.shown()?;
        let is_unnamed = [shown.id, shown.secret, shown.assertion].iter().all(Option::is_none);
        let client = match form.value("refresh_token").filter(|_| is_unnamed && grant_type == "refresh_token")
        {
            Some(refresh) => auth.holder_of_refresh(refresh)?,
            None => auth.authenticate(&shown)?,
        };
        match grant_type {
            "authorization_code" => auth.exchange_code(
                &client,
                form.needed("code")?,
                form.needed("redirect_uri")?,
                form.needed("code_verifier")?,
            ),
            "refresh_token" => auth.refresh(&client, form.needed("refresh_token")?, form.value("scope")),
            _ => auth.client_credentials(&client, form.needed("scope")?),
        }
    };
    asked(auth, request, work).await
}

/// `POST /auth/introspect`
pub(super) async fn introspect(State(auth): State<Arc<Auth>>, request: Request) -> Response {
    let work = |auth: &Auth, form: &Form| {
        let client = auth.authenticate(&form.shown()?)?;
        if client.kind == auth::ClientKind::Public {
            return Err(Refusal::new(Kind::InvalidClient, "a public client may not ask about tokens"));
        }
        auth.introspect(&client, form.needed("token")?)
    };
    asked(auth, request, work).await
}

/// `POST /auth/revoke`
pub(super) async fn revoke(State(auth): State<Arc<Auth>>, request: Request) -> Response {
    let form = match Form::read(request).await {
        Ok(form) => form,
        Err(refusal) => return refused(&refusal),
    };
    let work = move || {
        let client = auth.authenticate(&form.shown()?)?;
        auth.revoke(&client, form.needed("token")?)
    };
    match away(work).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refused(&refusal),
    }
}

/// `POST /auth/register`
pub(super) async fn register(State(auth): State<Arc<Auth>>, request: Request) -> Response {
    let body = match form::bytes(request).await {
        Ok(body) => body,
        Err(refusal) => return refused(&refusal),
    };
    let Ok(about) = serde_json::from_slice::<Value>(&body) else {
        return refused(&Refusal::new(Kind::InvalidClientMetadata, "the body is no JSON"));
    };
    match away(move || auth.register(&about)).await {
        Ok(body) => secret_answer(StatusCode::CREATED, &body),
        Err(refusal) => refused(&refusal),
    }
}

/// `GET /auth/userinfo`
pub(super) async fn user_info(State(auth): State<Arc<Auth>>, request: Request) -> Response {
    let token = match bearer(request.headers()) {
        Ok(Some(token)) => token.to_owned(),
        Ok(None) => {
            return refused(&Refusal::new(
                Kind::InvalidToken,
                "this takes an access token (Authorization: Bearer …)",
            ));
        }
        Err(refusal) => return refused(&refusal),
    };
    told(away(move || auth.user_info(&token)).await)
}

/// `GET /auth/jwks`
pub(super) async fn key_set(State(auth): State<Arc<Auth>>) -> Response {
    match away(move || auth.key_set()).await {
        Ok(keys) => answer(StatusCode::OK, &keys, "public, max-age=300"),
        Err(refusal) => refused(&refusal),
    }
}
