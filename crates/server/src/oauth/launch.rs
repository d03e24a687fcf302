//! `POST /auth/launch`: a signed-in user starts an app on a patient (SMART App Launch 2.2, EHR launch). The page that asked
//! then opens the app's launch address with `iss` and `launch`.

use std::sync::Arc;

use auth::{Auth, Kind, Launch, Refusal};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{away, form, refused, secret_answer};

fn read(user: &str, body: &[u8]) -> Result<Launch, Refusal> {
    let wrong = |why: &str| Refusal::new(Kind::InvalidRequest, why);
    let expected = "the body is JSON: {\"patient\": id, \"encounter\": id, \"client\": client_id}, each where there is one";
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return Err(wrong(expected)) };
    let mut launch = Launch { user: user.to_owned(), client: None, patient: None, encounter: None };
    for (name, value) in members {
        let Value::String(text) = value else { return Err(wrong(expected)) };
        match name.as_str() {
            "patient" => launch.patient = Some(text),
            "encounter" => launch.encounter = Some(text),
            "client" => launch.client = Some(text),
            _ => return Err(wrong(expected)),
        }
    }
    Ok(launch)
}

/// Answers.
pub(super) async fn launch(State(auth): State<Arc<Auth>>, request: Request) -> Response {
    let identity = auth.identify(request.headers(), request.method());
    let user = match identity {
        // An app may not start others in its user's name.
        Ok(Some(identity)) if identity.client.is_none() => identity.subject.clone(),
        Ok(_) => {
            return refused(&Refusal::new(
                Kind::LoginRequired,
                "apps are started by a user who is signed in here",
            ));
        }
        Err(refusal) => return refused(&refusal),
    };
    let body = match form::bytes(request).await {
        Ok(body) => body,
        Err(refusal) => return refused(&refusal),
    };
    let base = auth.settings().fhir_base.clone();
    let begun = away(move || auth.begin_launch(&read(&user, &body)?)).await;
    match begun {
        Ok(handle) => {
            secret_answer(StatusCode::OK, &json!({"launch": handle, "iss": base, "expires_in": 300}))
        }
        Err(refusal) => refused(&refusal),
    }
}
