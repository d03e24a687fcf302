//! The vault of secrets of a data directory: opened by `serve`, and by `user` and `client` where no hub runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use auth::admin::{self, Task};
use auth::vault::{DiskVault, VaultError};
use auth::{Auth, Invitation, Outside, Rules, Settings};
use sealing::DataKeys;
use serde_json::Value;

use crate::cli::SignInArguments;
use crate::hub_at;

/// What has expired is removed so often.
const TIDY: Duration = Duration::from_secs(600);

pub(crate) fn folder(data: &Path) -> PathBuf {
    data.join("auth")
}

/// Lets people and apps in, to a hub that is being served.
pub(crate) fn serve(data: &Path, arguments: &SignInArguments, issuer: &str) -> Result<Arc<Auth>> {
    let settings = Settings {
        access_lifetime: arguments.token_lifetime,
        session_idle: arguments.session_idle,
        session_longest: arguments.session_longest,
        may_register: arguments.allow_registration,
        key_hosts: arguments.key_hosts.clone(),
        second_factor_roles: arguments.second_factor_roles.clone(),
        ..Settings::at(issuer)
    };
    let vault = DiskVault::open_sealed(&folder(data), crate::key::of(data)?.as_deref())?;
    let auth = Auth::new(Box::new(vault), settings);
    let auth = match outside(arguments)? {
        Some(outside) => auth.with_outside(outside),
        None => auth,
    };
    let auth = Arc::new(auth);
    auth.tidy()?;
    if let Err(error) = admin::listen(&auth, &folder(data)) {
        tracing::warn!(%error, "yojigen user and client do not reach this hub while it runs");
    }
    let tidied = Arc::downgrade(&auth);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TIDY).await;
            let Some(auth) = tidied.upgrade() else { return };
            let done = tokio::task::spawn_blocking(move || auth.tidy()).await;
            if let Ok(Err(error)) = done {
                tracing::warn!(%error, "expired secrets could not be removed");
            }
        }
    });
    Ok(auth)
}

/// The outside provider, if there is one.
fn outside(arguments: &SignInArguments) -> Result<Option<Outside>> {
    let (Some(issuer), Some(client_id)) = (&arguments.openid_issuer, &arguments.openid_client_id) else {
        return Ok(None);
    };
    let rules = match &arguments.openid_rules {
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            Rules::read(&text).map_err(|why| anyhow!("{}: {why}", file.display()))?
        }
        None => Rules::default(),
    };
    if let Some(file) = &arguments.openid_client_secret_file {
        std::fs::metadata(file).with_context(|| format!("reading {}", file.display()))?;
    }
    let secret_file = arguments.openid_client_secret_file.clone();
    Ok(Some(Outside { issuer: issuer.clone(), client_id: client_id.clone(), secret_file, rules }))
}

/// Says how the first operator comes in, if there is nobody yet.
pub(crate) fn greet(auth: &Auth) -> Result<()> {
    if auth.has_no_users()? {
        let secret = auth.invite(&Invitation::FirstOperator)?;
        say!("  first operator, once, within the hour:");
        say!("         {}/auth/invitation?secret={secret}", auth.settings().issuer);
    }
    Ok(())
}

/// Performs a task on a hub that is stopped, or by the one that runs; what it tells.
pub(crate) fn perform(data: &Path, url: Option<&str>, task: &Task) -> Result<Value> {
    hub_at::must_exist(data)?;
    let folder = folder(data);
    match DiskVault::open_sealed(&folder, crate::key::of(data)?.as_deref()) {
        Ok(vault) => {
            // Only links that are printed carry it.
            let auth = Auth::new(Box::new(vault), Settings::at(url.unwrap_or("http://localhost:8080")));
            admin::perform(&auth, task).map_err(|refusal| anyhow!(refusal.description))
        }
        Err(VaultError::Busy(_)) => {
            let told = admin::send(&folder, task).with_context(|| {
                format!(
                    "{} is in use, and the hub that uses it does not answer at its socket",
                    folder.display()
                )
            })?;
            told.map_err(|why| anyhow!(why))
        }
        Err(error) => Err(error.into()),
    }
}

/// Copies the vault of a data directory into another that is sealed otherwise.
pub(crate) fn copy(
    from: &Path,
    keys: Option<&DataKeys>,
    to: &Path,
    keys_there: Option<&DataKeys>,
) -> Result<()> {
    if folder(from).exists() {
        let vault = DiskVault::open_sealed(&folder(from), keys)?;
        vault.copy_into(&DiskVault::open_sealed(&folder(to), keys_there)?)?;
    }
    Ok(())
}

/// A password from standard input: its first line.
pub(crate) fn password_from_input() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("reading the password")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password came on standard input");
    }
    Ok(password.to_owned())
}
