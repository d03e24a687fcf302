//! `/hub/clients`: the apps and systems that are registered. The same tasks as `yojigen client`, done here.

use askama::Template;
use auth::admin::{Task, perform};
use auth::{Auth, ClientKind, NewClient};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::{Place, places, refused, runs_the_hub};
use crate::audit::audited;
use crate::failure::{Failure, away};
use crate::form::Form;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;

/// Clients on a page.
const ON_A_PAGE: usize = 100;

/// A client in words.
struct Line {
    id: String,
    name: String,
    kind: String,
    scopes: String,
    redirects: Vec<String>,
    more: String,
    is_dynamic: bool,
}

#[derive(Default)]
struct Outcome {
    id: String,
    secret: String,
    done: String,
    fault: String,
}

#[derive(Template)]
#[template(path = "operator/clients.html")]
struct ClientsPage {
    shell: Shell,
    places: Vec<Place>,
    is_open: bool,
    lines: Vec<Line>,
    has_more: bool,
    outcome: Outcome,
}

fn line(client: &Value, visit: &Visit) -> Line {
    let text = |name: &str| client[name].as_str().unwrap_or_default().to_owned();
    let list = |name: &str| -> Vec<String> {
        let all = client[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        all.map(str::to_owned).collect()
    };
    let mut more = list("roles");
    more.extend([text("organization"), text("keysUri")].into_iter().filter(|text| !text.is_empty()));
    Line {
        id: text("id"),
        name: text("name"),
        kind: visit.words.say_code("hub-client", &text("kind")).unwrap_or_else(|| text("kind")),
        scopes: text("scopes"),
        redirects: list("redirectUris"),
        more: more.join(" "),
        is_dynamic: client["dynamic"] == true,
    }
}

fn draw(auth: Option<&Auth>, visit: &Visit, outcome: Outcome) -> Result<ClientsPage, Failure> {
    let clients = match auth {
        Some(auth) => perform(auth, &Task::ListClients).map_err(Failure::Refused)?,
        None => Value::Null,
    };
    let all = clients.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(ClientsPage {
        shell: Shell::of(visit),
        places: places(visit),
        is_open: auth.is_none(),
        lines: all.iter().take(ON_A_PAGE).map(|client| line(client, visit)).collect(),
        has_more: all.len() > ON_A_PAGE,
        outcome,
    })
}

async fn show(site: &Site, visit: &Visit, outcome: Outcome, status: StatusCode) -> Response {
    let (auth, asked) = (site.auth.clone(), visit.clone());
    match away(move || draw(auth.as_deref(), &asked, outcome)).await {
        Ok(page) => respond(visit, status, &page),
        Err(failure) => failure.page(visit),
    }
}

/// Answers with the list.
pub(super) async fn list(State(site): State<Site>, visit: Visit) -> Response {
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    show(&site, &visit, Outcome::default(), StatusCode::OK).await
}

fn asked(form: &Form) -> Result<Task, Failure> {
    let given = |name: &str| form.given(name).map(str::to_owned);
    let words = |name: &str| form.field(name).split_whitespace().map(str::to_owned).collect::<Vec<String>>();
    match form.field("action") {
        "remove" => Ok(Task::RemoveClient { id: form.field("id").to_owned() }),
        "add" => {
            let kind = match form.field("kind") {
                "public" => ClientKind::Public,
                "confidential" => ClientKind::Confidential,
                "keyed" => ClientKind::Keyed,
                other => {
                    return Err(refused(format!("kind: '{other}' is none of public, confidential, keyed")));
                }
            };
            let keys = given("keys").map(|text| serde_json::from_str::<Value>(&text)).transpose();
            Ok(Task::AddClient(NewClient {
                id: form.field("id").to_owned(),
                name: form.field("name").to_owned(),
                kind,
                redirect_uris: words("redirect-uris"),
                scopes: words("scopes").join(" "),
                keys: keys.map_err(|error| refused(format!("keys: this is no JSON ({error})")))?,
                keys_uri: given("keys-uri"),
                purpose: None,
                roles: Vec::new(),
                organization: given("organization"),
                may_introspect: false,
                is_dynamic: false,
            }))
        }
        other => Err(refused(format!("action: '{other}' is none of add, remove"))),
    }
}

/// Does what a form asks for, and shows the list with what came of it.
pub(super) async fn act(State(site): State<Site>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let Some(auth) = site.auth.clone() else { return Failure::NothingHere.page(&visit) };
    let target = format!("clients/{}/{}", form.field("id"), form.field("action"));
    let done = audited(site.hub.clone(), &visit, target, move |_, _| {
        perform(&auth, &asked(&form)?).map_err(Failure::Refused)
    });
    let (outcome, status) = match done.await {
        Ok(told) => {
            let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
            let done = visit.words.say("saved");
            (Outcome { id: text("id"), secret: text("secret"), done, fault: String::new() }, StatusCode::OK)
        }
        Err(failure) => match failure.on_form() {
            Ok((fault, status)) => (Outcome { fault, ..Outcome::default() }, status),
            Err(other) => return other.page(&visit),
        },
    };
    show(&site, &visit, outcome, status).await
}
