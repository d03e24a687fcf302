//! `yojigen user`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use auth::admin::Task;
use auth::{NewLink, NewUser};
use serde_json::Value;

use crate::cli::UserTask;
use crate::vault::{password_from_input, perform};

/// Does it.
pub(crate) fn run(task: &UserTask) -> Result<ExitCode> {
    let password = |is_asked: bool| is_asked.then(password_from_input).transpose();
    match task {
        UserTask::Add(arguments) => {
            let new = NewUser {
                login: arguments.login.clone(),
                name: arguments.name.clone(),
                roles: arguments.roles.clone(),
                fhir_user: arguments.fhir_user.clone(),
                patient: arguments.patient.clone(),
                proxied: arguments.proxied.clone(),
                organization: arguments.organization.clone(),
                password: password(arguments.password_stdin)?,
            };
            let vault = &arguments.vault;
            told(&vault.data, arguments.url.as_deref(), &Task::AddUser(new), vault.json)
        }
        UserTask::List(vault) => {
            let list = perform(&vault.data, None, &Task::ListUsers)?;
            if vault.json {
                say!("{list:#}");
            } else {
                list.as_array().into_iter().flatten().for_each(|user| say!("{}", line(user)));
            }
            Ok(ExitCode::SUCCESS)
        }
        UserTask::Disable { login, vault } => {
            let task = Task::DisableUser { login: login.clone(), is_disabled: true };
            told(&vault.data, None, &task, vault.json)
        }
        UserTask::Enable { login, vault } => {
            let task = Task::DisableUser { login: login.clone(), is_disabled: false };
            told(&vault.data, None, &task, vault.json)
        }
        UserTask::Password { login, password_stdin, without_code, without_passkeys, url, vault } => {
            let task = Task::SetPassword {
                login: login.clone(),
                password: password(*password_stdin)?,
                without_code: *without_code,
                without_passkeys: *without_passkeys,
            };
            told(&vault.data, url.as_deref(), &task, vault.json)
        }
        UserTask::Link { login, issuer, subject, vault } => {
            let link = NewLink { issuer: issuer.clone(), subject: subject.clone() };
            told(&vault.data, None, &Task::LinkUser { login: login.clone(), link }, vault.json)
        }
        UserTask::Unlink { login, vault } => {
            told(&vault.data, None, &Task::UnlinkUser { login: login.clone() }, vault.json)
        }
        UserTask::Role { login, roles, vault } => {
            let task = Task::SetRoles { login: login.clone(), roles: roles.clone() };
            told(&vault.data, None, &task, vault.json)
        }
    }
}

fn told(data: &Path, url: Option<&str>, task: &Task, is_json: bool) -> Result<ExitCode> {
    let user = perform(data, url, task)?;
    if is_json {
        say!("{user:#}");
        return Ok(ExitCode::SUCCESS);
    }
    say!("{}", line(&user));
    if let Some(link) = user["link"].as_str() {
        say!("to set a passkey or the password, once, within a day:");
        say!("  {link}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A user in a line.
fn line(user: &Value) -> String {
    let text = |name: &str| user[name].as_str().unwrap_or_default();
    let roles: Vec<&str> = user["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut line = format!("{}  {}  {}", text("login"), roles.join(","), text("name"));
    for name in ["fhirUser", "organization"] {
        if !text(name).is_empty() {
            line += &format!("  {}", text(name));
        }
    }
    for (name, word) in [("disabled", "disabled"), ("hasCode", "second factor")] {
        if user[name] == true {
            line += &format!("  ({word})");
        }
    }
    match user["passkeys"].as_u64() {
        _ if user["links"].as_u64().is_some_and(|count| count > 0) => line += "  (signs in elsewhere)",
        Some(count) if count > 0 => line += "  (passkey)",
        _ if user["hasPassword"] == false => line += "  (no password yet)",
        _ => {}
    }
    line
}
