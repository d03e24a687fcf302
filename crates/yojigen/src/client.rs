//! `yojigen client`

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use auth::admin::Task;
use auth::{ClientKind, NewClient};
use serde_json::Value;

use crate::cli::{ClientKindArgument, ClientTask};
use crate::vault::perform;

/// Does it.
pub(crate) fn run(task: &ClientTask) -> Result<ExitCode> {
    let (vault, asked) = match task {
        ClientTask::Add(arguments) => {
            let keys = match &arguments.keys {
                Some(file) => {
                    let text = std::fs::read_to_string(file)
                        .with_context(|| format!("reading {}", file.display()))?;
                    let keys: Value = serde_json::from_str(&text)
                        .with_context(|| format!("{} is no JSON", file.display()))?;
                    Some(keys)
                }
                None => None,
            };
            let new = NewClient {
                id: arguments.id.clone(),
                name: arguments.name.clone(),
                kind: match arguments.kind {
                    ClientKindArgument::Public => ClientKind::Public,
                    ClientKindArgument::Confidential => ClientKind::Confidential,
                    ClientKindArgument::Keyed => ClientKind::Keyed,
                },
                redirect_uris: arguments.redirect_uris.clone(),
                scopes: arguments.scope.clone(),
                keys,
                keys_uri: arguments.keys_uri.clone(),
                purpose: arguments.purpose.clone(),
                roles: arguments.roles.clone(),
                organization: arguments.organization.clone(),
                may_introspect: arguments.may_introspect,
                is_dynamic: false,
            };
            (&arguments.vault, Task::AddClient(new))
        }
        ClientTask::List(vault) => (vault, Task::ListClients),
        ClientTask::Remove { id, vault } => (vault, Task::RemoveClient { id: id.clone() }),
    };
    let told = perform(&vault.data, None, &asked)?;
    if vault.json {
        say!("{told:#}");
        return Ok(ExitCode::SUCCESS);
    }
    match &told {
        Value::Array(list) => list.iter().for_each(|client| say!("{}", line(client))),
        client => say!("{}", line(client)),
    }
    if let (ClientTask::Add(_), Some(uri)) = (task, told["keysUri"].as_str()) {
        say!("its keys are read at {uri}, by a hub that is served with --key-host and that host");
    }
    if let Some(secret) = told["secret"].as_str() {
        say!("its secret, shown this once:");
        say!("  {secret}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A client in a line.
fn line(client: &Value) -> String {
    let text = |name: &str| client[name].as_str().unwrap_or_default();
    let own = if client["dynamic"] == true { "  (registered itself)" } else { "" };
    format!("{}  {}  {}  {}{own}", text("id"), text("kind"), text("name"), text("scopes"))
}
