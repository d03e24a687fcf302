//! `/hub/users`: who may sign in. The same tasks as `yojigen user`, done here (`auth::admin`).

use askama::Template;
use auth::admin::{Task, perform};
use auth::{Auth, NewUser, ROLES};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::{Place, places, runs_the_hub};
use crate::audit::audited;
use crate::failure::Failure;
use crate::form::Form;
use crate::language::Language;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;
use crate::words::Words;

/// Users on a page.
const ON_A_PAGE: usize = 50;

/// A role that may be given.
struct Role {
    code: &'static str,
    name: String,
    has: bool,
}

/// A user in words.
struct Line {
    login: String,
    name: String,
    roles: Vec<Role>,
    role_names: String,
    of: String,
    /// What is to be known of how they sign in.
    marks: Vec<String>,
    is_disabled: bool,
    is_self: bool,
    is_managed: bool,
}

#[derive(Template)]
#[template(path = "operator/users.html")]
struct UsersPage {
    shell: Shell,
    places: Vec<Place>,
    is_open: bool,
    sought: String,
    lines: Vec<Line>,
    has_more: bool,
    roles: Vec<Role>,
    /// A link that is shown once, and for whom.
    link: String,
    done: String,
    fault: String,
}

fn roles(words: Words, has: &dyn Fn(&str) -> bool) -> Vec<Role> {
    let role = |code: &&'static str| Role {
        code,
        name: words.say_code("hub-role", code).unwrap_or_else(|| (*code).to_owned()),
        has: has(code),
    };
    ROLES.iter().map(role).collect()
}

fn line(user: &Value, own: Option<&str>, words: Words) -> Line {
    let text = |name: &str| user[name].as_str().unwrap_or_default().to_owned();
    let has = |role: &str| user["roles"].as_array().is_some_and(|all| all.iter().any(|own| own == role));
    let roles = roles(words, &has);
    let names: Vec<&str> = roles.iter().filter(|role| role.has).map(|role| role.name.as_str()).collect();
    let mut marks = Vec::new();
    let count = |name: &str| user[name].as_u64().unwrap_or(0);
    for (is, key) in [
        (user["disabled"] == true, "hub-user-disabled"),
        (count("passkeys") > 0, "hub-user-passkey"),
        (user["hasCode"] == true, "hub-user-code"),
        (count("links") > 0, "hub-user-elsewhere"),
        (count("links") == 0 && count("passkeys") == 0 && user["hasPassword"] == false, "hub-user-not-yet"),
    ] {
        if is {
            marks.push(words.say(key));
        }
    }
    Line {
        login: text("login"),
        name: text("name"),
        role_names: names.join(if words.language == Language::Japanese { "、" } else { ", " }),
        roles,
        of: [text("fhirUser"), text("organization")].join(" ").trim().to_owned(),
        marks,
        is_disabled: user["disabled"] == true,
        is_self: user["id"].as_str() == own,
        is_managed: user["managed"] == true,
    }
}

/// What was done, and the link there is to be given.
#[derive(Default)]
struct Outcome {
    link: String,
    done: String,
    fault: String,
}

fn draw(auth: Option<&Auth>, visit: &Visit, outcome: Outcome) -> Result<UsersPage, Failure> {
    let words = visit.words;
    let own = visit.subject().and_then(|subject| subject.user.clone());
    let sought = visit.value("q").unwrap_or_default().to_lowercase();
    let mut users = match auth {
        Some(auth) => perform(auth, &Task::ListUsers).map_err(Failure::Refused)?,
        None => Value::Null,
    };
    let mut users = users.as_array_mut().map(std::mem::take).unwrap_or_default();
    let is_meant = |user: &Value| {
        let texts = ["login", "name"].map(|name| user[name].as_str().unwrap_or_default().to_lowercase());
        texts.iter().any(|text| text.contains(&sought))
    };
    users.retain(is_meant);
    let has_more = users.len() > ON_A_PAGE;
    users.truncate(ON_A_PAGE);
    Ok(UsersPage {
        shell: Shell::of(visit),
        places: places(visit),
        is_open: auth.is_none(),
        lines: users.iter().map(|user| line(user, own.as_deref(), words)).collect(),
        has_more,
        roles: roles(words, &|_| false),
        sought,
        link: outcome.link,
        done: outcome.done,
        fault: outcome.fault,
    })
}

/// Answers with the list.
pub(super) async fn list(State(site): State<Site>, visit: Visit) -> Response {
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    show(&site, &visit, Outcome::default(), StatusCode::OK).await
}

async fn show(site: &Site, visit: &Visit, outcome: Outcome, status: StatusCode) -> Response {
    let (auth, asked) = (site.auth.clone(), visit.clone());
    match crate::failure::away(move || draw(auth.as_deref(), &asked, outcome)).await {
        Ok(page) => respond(visit, status, &page),
        Err(failure) => failure.page(visit),
    }
}

/// What the ledger says was done to whom: who gave whom which roles, and who made a link for whom.
fn target(form: &Form) -> String {
    let roles: Vec<&str> = form.all("role").collect();
    let short = |text: &str| text.chars().take(100).collect::<String>();
    let parts = [short(form.field("login")), short(form.field("action")), short(&roles.join(","))];
    format!("users/{}", parts.join("/").trim_end_matches('/'))
}

/// What a form asks for; why not, if it does not.
fn asked(form: &Form, auth: &Auth) -> Result<Task, Failure> {
    let login = form.field("login").to_owned();
    let roles: Vec<String> = form.all("role").map(str::to_owned).collect();
    let own = form.visit.subject().and_then(|subject| subject.user.clone());
    let is_self = || auth.user_named(&login).is_ok_and(|user| Some(&user.id) == own.as_ref());
    let words = form.visit.words;
    let given = |name: &str| form.given(name).map(str::to_owned);
    match form.field("action") {
        "invite" => Ok(Task::AddUser(NewUser {
            login,
            name: form.field("name").to_owned(),
            roles,
            fhir_user: given("fhir-user"),
            patient: None,
            proxied: Vec::new(),
            organization: given("organization"),
            password: None,
        })),
        "link" => {
            Ok(Task::SetPassword { login, password: None, without_code: false, without_passkeys: false })
        }
        // Nobody locks themselves out.
        "disable" if is_self() => Err(super::refused(words.say("hub-user-self"))),
        "roles" if is_self() && !roles.iter().any(|role| role == "operator") => {
            Err(super::refused(words.say("hub-user-self")))
        }
        "disable" | "enable" => {
            Ok(Task::DisableUser { login, is_disabled: form.field("action") == "disable" })
        }
        "roles" => Ok(Task::SetRoles { login, roles }),
        other => {
            Err(super::refused(format!("action: '{other}' is none of invite, link, disable, enable, roles")))
        }
    }
}

/// Does what a form asks for, and shows the list with what came of it.
pub(super) async fn act(State(site): State<Site>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let Some(auth) = site.auth.clone() else { return Failure::NothingHere.page(&visit) };
    let target = target(&form);
    let done = audited(site.hub.clone(), &visit, target, move |_, _| {
        perform(&auth, &asked(&form, &auth)?).map_err(Failure::Refused)
    });
    let (outcome, status) = match done.await {
        Ok(told) => {
            let link = told["link"].as_str().unwrap_or_default().to_owned();
            (Outcome { link, done: visit.words.say("saved"), fault: String::new() }, StatusCode::OK)
        }
        Err(failure) => match failure.on_form() {
            Ok((fault, status)) => (Outcome { fault, ..Outcome::default() }, status),
            Err(other) => return other.page(&visit),
        },
    };
    show(&site, &visit, outcome, status).await
}
