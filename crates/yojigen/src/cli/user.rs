//! Who may sign in.

use super::KeyArguments;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Where the users are.
#[derive(Args, Debug)]
pub(crate) struct VaultArguments {
    /// The data directory; the hub may be serving
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// What is done about users.
#[derive(Subcommand, Debug)]
pub(crate) enum UserTask {
    /// Add a user; prints a link to set the password, unless one comes on standard input
    #[command(after_help = "\
Examples:
  yojigen user add hanako --data hub --role clinician --name '山田 花子' --fhir-user Practitioner/17
  yojigen user add taro --data hub --role person --patient 4711
  echo 'a long enough password' | yojigen user add ope --data hub --role operator --password-stdin

Roles: person, proxy, clinician, pharmacist, registrar, operator, researcher, auditor, peer.")]
    Add(Box<UserAddArguments>),
    /// Print all users
    List(VaultArguments),
    /// Let a user in no more; sessions end and apps lose access at once
    Disable {
        /// The login name
        login: String,
        #[command(flatten)]
        vault: VaultArguments,
    },
    /// Let a user in again
    Enable {
        /// The login name
        login: String,
        #[command(flatten)]
        vault: VaultArguments,
    },
    /// Give a user a new password; prints a link to set it, unless one comes on standard input
    Password {
        /// The login name
        login: String,
        /// Take it from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        /// Take the second factor away, which was lost
        #[arg(long)]
        without_code: bool,
        /// Take all passkeys away: the device was lost, or another had the account
        #[arg(long)]
        without_passkeys: bool,
        /// The address the hub is known by, for the link
        #[arg(long, value_name = "URL", value_parser = crate::config::address)]
        url: Option<String>,
        #[command(flatten)]
        vault: VaultArguments,
    },
    /// Let a user in who signs in at the outside provider as somebody it knows
    Link {
        /// The login name
        login: String,
        /// The provider's issuer identifier, letter for letter
        #[arg(long, value_name = "URL", value_parser = crate::config::issuer)]
        issuer: String,
        /// Who the user is there (sub)
        #[arg(long, value_name = "SUBJECT")]
        subject: String,
        #[command(flatten)]
        vault: VaultArguments,
    },
    /// Let a user in no more who signs in elsewhere; sessions end and apps lose access at once
    Unlink {
        /// The login name
        login: String,
        #[command(flatten)]
        vault: VaultArguments,
    },
    /// Give a user other roles, instead of those it had
    Role {
        /// The login name
        login: String,
        /// The roles
        #[arg(required = true, value_name = "ROLE")]
        roles: Vec<String>,
        #[command(flatten)]
        vault: VaultArguments,
    },
}

/// Arguments of `user add`.
#[derive(Args, Debug)]
pub(crate) struct UserAddArguments {
    /// The login name
    pub login: String,
    /// What the user is; may be given several times
    #[arg(long = "role", required = true, value_name = "ROLE")]
    pub roles: Vec<String>,
    /// What others are shown; the login name without it
    #[arg(long, value_name = "NAME", default_value = "")]
    pub name: String,
    /// The user's own resource: Practitioner/17, Patient/4711, RelatedPerson/3
    #[arg(long, value_name = "REFERENCE")]
    pub fhir_user: Option<String>,
    /// The id of the Patient that is the user's own record
    #[arg(long, value_name = "ID")]
    pub patient: Option<String>,
    /// The id of a Patient the user acts for, as a proxy; may be given several times
    #[arg(long = "proxy-for", value_name = "ID")]
    pub proxied: Vec<String>,
    /// For whom the user works: Organization/5
    #[arg(long, value_name = "REFERENCE")]
    pub organization: Option<String>,
    /// Take the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// The address the hub is known by, for the link
    #[arg(long, value_name = "URL", value_parser = crate::config::address)]
    pub url: Option<String>,
    #[command(flatten)]
    pub vault: VaultArguments,
}
