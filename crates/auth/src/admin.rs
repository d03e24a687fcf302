//! What an operator does on the command line.
//!
//! A task is a value: on a stopped hub the command performs it on the vault, which it opens itself; while the hub runs the
//! vault is the hub's, and the command hands the task to it through a socket in the vault's folder ([`listen`], [`send`]).
//! Who may open the folder may do either, so the socket asks for nothing more.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Auth, Client, Invitation, NewClient, NewLink, NewUser, Refusal, User};

/// The socket's name in the vault's folder.
pub const SOCKET: &str = "control";
/// So long a task is at most.
const LONGEST: u64 = 1 << 20;
/// Whoever asks has so long for it.
const TIME: Duration = Duration::from_secs(10);

/// A task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Task {
    /// Adds a user; without a password with an invitation.
    AddUser(NewUser),
    /// All users.
    ListUsers,
    /// Lets a user in no more, or again.
    DisableUser {
        /// Who.
        login: String,
        /// Whether no more.
        is_disabled: bool,
    },
    /// Gives a user other roles.
    SetRoles {
        /// Who.
        login: String,
        /// Which.
        roles: Vec<String>,
    },
    /// Sets a password, or makes a link for it; and takes the second factor away, if that is lost.
    SetPassword {
        /// Who.
        login: String,
        /// To what.
        password: Option<String>,
        /// Whether the second factor is taken away.
        without_code: bool,
        /// Whether all passkeys are.
        #[serde(default)]
        without_passkeys: bool,
    },
    /// Links a user with an account of an outside provider.
    LinkUser {
        /// Who.
        login: String,
        /// With which.
        link: NewLink,
    },
    /// Ends all links of a user.
    UnlinkUser {
        /// Who.
        login: String,
    },
    /// Registers a client.
    AddClient(NewClient),
    /// All clients.
    ListClients,
    /// Removes a client.
    RemoveClient {
        /// Which.
        id: String,
    },
}

fn of_user(auth: &Auth, user: &User) -> Result<Value, Refusal> {
    let (passkeys, links) = (auth.passkeys(&user.id)?.len(), auth.links(&user.id)?.len());
    Ok(
        json!({"id": user.id, "login": user.login, "name": user.name, "roles": user.roles, "fhirUser": user.fhir_user,
        "patient": user.patient, "proxyFor": user.proxied, "organization": user.organization, "disabled": user.is_disabled,
        "hasPassword": user.has_password(), "hasCode": user.has_totp(), "passkeys": passkeys,
        "managed": user.is_managed, "links": links}),
    )
}

fn of_client(client: &Client) -> Value {
    json!({"id": client.id, "name": client.name, "kind": client.kind, "redirectUris": client.redirect_uris,
        "scopes": client.scopes, "roles": client.roles, "organization": client.organization,
        "purpose": client.purpose, "keysUri": client.keys_uri, "dynamic": client.is_dynamic, "mayIntrospect": client.may_introspect})
}

/// Performs a task: what it tells.
///
/// # Errors
/// Why it was not done.
pub fn perform(auth: &Auth, task: &Task) -> Result<Value, Refusal> {
    let invited = |user: &User| -> Result<Value, Refusal> {
        let invitation = auth.invite(&Invitation::Password { user: user.id.clone() })?;
        Ok(json!(format!("{}/auth/invitation?secret={invitation}", auth.settings().issuer)))
    };
    match task {
        Task::AddUser(new) => {
            let user = auth.add_user(new)?;
            let mut told = of_user(auth, &user)?;
            if new.password.is_none() {
                told["link"] = invited(&user)?;
            }
            Ok(told)
        }
        Task::ListUsers => auth.users()?.iter().map(|user| of_user(auth, user)).collect(),
        Task::DisableUser { login, is_disabled } => {
            let user = auth.user_named(login)?;
            of_user(auth, &auth.disable_user(&user.id, *is_disabled)?)
        }
        Task::SetRoles { login, roles } => {
            let user = auth.user_named(login)?;
            of_user(auth, &auth.set_roles(&user.id, roles)?)
        }
        Task::SetPassword { login, password, without_code, without_passkeys } => {
            let mut user = auth.user_named(login)?;
            if *without_passkeys {
                auth.remove_passkeys(&user.id)?;
            }
            if *without_code {
                user = auth.remove_totp(&user.id)?;
            }
            match password {
                Some(password) => of_user(auth, &auth.set_password(&user.id, password)?),
                None => {
                    let mut told = of_user(auth, &user)?;
                    told["link"] = invited(&user)?;
                    Ok(told)
                }
            }
        }
        Task::LinkUser { login, link } => {
            let user = auth.user_named(login)?;
            auth.link_user(&user.id, link)?;
            of_user(auth, &user)
        }
        Task::UnlinkUser { login } => {
            let user = auth.user_named(login)?;
            auth.unlink_user(&user.id)?;
            of_user(auth, &user)
        }
        Task::AddClient(new) => {
            let (client, secret) = auth.add_client(new)?;
            let mut told = of_client(&client);
            if let Some(secret) = secret {
                told["secret"] = json!(secret);
            }
            Ok(told)
        }
        Task::ListClients => Ok(auth.clients()?.iter().map(of_client).collect()),
        Task::RemoveClient { id } => Ok(of_client(&auth.remove_client(id)?)),
    }
}

/// Performs the tasks that come through the socket, as long as the program runs.
///
/// # Errors
/// If the socket cannot be made; its path may be too long for one.
pub fn listen(auth: &Arc<Auth>, folder: &Path) -> std::io::Result<()> {
    let auth = Arc::clone(auth);
    listen_at(&folder.join(SOCKET), move |line| match serde_json::from_str::<Task>(line) {
        Ok(task) => perform(&auth, &task).map_err(|refusal| refusal.description),
        Err(_) => Err("the running hub does not know this task; it is of another version".to_owned()),
    })
}

/// Answers what comes through a socket that is its owner's alone, a line of JSON each, as long as the program runs.
///
/// # Errors
/// If the socket cannot be made; its path may be too long for one.
pub fn listen_at(
    path: &Path,
    answer: impl Fn(&str) -> Result<Value, String> + Send + 'static,
) -> std::io::Result<()> {
    // No other hub runs here: what lies there was left behind.
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Err(error) = tell(&answer, &stream) {
                tracing::debug!(%error, "a task did not come whole");
            }
        }
    })?;
    Ok(())
}

fn tell(answer: &dyn Fn(&str) -> Result<Value, String>, mut stream: &UnixStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TIME))?;
    stream.set_write_timeout(Some(TIME))?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    let told = match answer(&line) {
        Ok(value) => json!({"done": value}),
        Err(why) => json!({"refused": why}),
    };
    writeln!(stream, "{told}")
}

/// Hands a task to the hub that runs on this vault: what it tells, or why it was not done.
///
/// # Errors
/// If no hub answers.
pub fn send(folder: &Path, task: &Task) -> std::io::Result<Result<Value, String>> {
    let text = serde_json::to_string(task).map_err(std::io::Error::other)?;
    ask(&folder.join(SOCKET), &text, TIME)
}

/// Asks something through a socket ([`listen_at`]): what it tells, or why it was not done.
///
/// # Errors
/// If nobody answers in time.
pub fn ask(path: &Path, text: &str, time: Duration) -> std::io::Result<Result<Value, String>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(time))?;
    writeln!(stream, "{text}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let mut told: Value = serde_json::from_str(&line).map_err(std::io::Error::other)?;
    match told.get("refused").and_then(Value::as_str) {
        Some(why) => Ok(Err(why.to_owned())),
        None => Ok(Ok(told["done"].take())),
    }
}
