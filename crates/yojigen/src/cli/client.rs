//! Which apps and systems may ask for access.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

use super::user::VaultArguments;

/// What is done about clients.
#[derive(Subcommand, Debug)]
pub(crate) enum ClientTask {
    /// Register an app or a system
    #[command(after_help = "\
Examples:
  yojigen client add diary --data hub --name '健康日記' --redirect-uri https://diary.example/cb \\
      --scope 'openid fhirUser launch/patient patient/*.rs offline_access'
  yojigen client add portal --data hub --name Portal --kind confidential --redirect-uri https://portal.example/cb \\
      --scope 'openid fhirUser launch user/*.cruds'
  yojigen client add warehouse --data hub --name 'Data warehouse' --kind keyed --keys jwks.json --scope 'system/*.rs'
  yojigen client add loader --data hub --name Loader --kind keyed --keys-uri https://loader.example/jwks.json --scope 'system/*.cruds'")]
    Add(Box<ClientAddArguments>),
    /// Print all clients
    List(VaultArguments),
    /// Remove a client; its tokens end at once
    Remove {
        /// The client_id
        id: String,
        #[command(flatten)]
        vault: VaultArguments,
    },
}

/// How a client proves who it is.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientKindArgument {
    /// It cannot: an app on a telephone or in a browser
    Public,
    /// By a secret, which is printed once: an app on a server
    Confidential,
    /// By a key of its own: an app on a server, or a system without users
    Keyed,
}

/// Arguments of `client add`.
#[derive(Args, Debug)]
pub(crate) struct ClientAddArguments {
    /// The client_id
    pub id: String,
    /// What users are shown
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// How it proves who it is
    #[arg(long, value_enum, default_value_t = ClientKindArgument::Public)]
    pub kind: ClientKindArgument,
    /// Where its users are sent back to, letter for letter; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub redirect_uris: Vec<String>,
    /// The most it may be granted: SMART scopes, with spaces between them
    #[arg(long, value_name = "SCOPES")]
    pub scope: String,
    /// A file with its public keys, a JSON Web Key Set
    #[arg(long, value_name = "FILE", conflicts_with = "keys_uri")]
    pub keys: Option<PathBuf>,
    /// Where it publishes its public keys instead, a JSON Web Key Set; the hub asks there if it is served with --key-host
    #[arg(long, value_name = "URL")]
    pub keys_uri: Option<String>,
    /// What a system is that acts for itself (a role of users); may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// For whom a system acts: Organization/5
    #[arg(long, value_name = "REFERENCE")]
    pub organization: Option<String>,
    /// For what it asks: a code of v3-ActReason (TREAT, HRESCH, PATRQT)
    #[arg(long, value_name = "CODE")]
    pub purpose: Option<String>,
    /// Let it ask about tokens of other clients: a resource server
    #[arg(long)]
    pub may_introspect: bool,
    #[command(flatten)]
    pub vault: VaultArguments,
}
