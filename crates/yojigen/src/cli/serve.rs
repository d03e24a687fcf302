//! How a hub is served.

use super::{DataArguments, EdgeArguments};
use crate::config::Within;
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Arguments of `serve`.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub data: DataArguments,
    /// Where to listen; beside loopback only with a certificate, or where --url says how the hub is reached by https
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Let everyone on this machine read and write everything, without signing in
    #[arg(long)]
    pub open: bool,
    /// How many a conditional delete (DELETE Type?search) may delete
    #[arg(long, value_enum, default_value_t = ConditionalDeleteArgument::Single)]
    pub conditional_delete: ConditionalDeleteArgument,
    /// What becomes of references to resources of this hub that are not there
    #[arg(long, value_enum, default_value_t = ReferencesArgument::Record)]
    pub references: ReferencesArgument,
    /// A file with the rules of who may see and do what, instead of those that come with the program (yojigen access rules)
    #[arg(long, value_name = "FILE")]
    pub access_rules: Option<PathBuf>,
    /// Whether who looks at whom is recorded in the ledger; if nothing is said it is off with --open, else on
    #[arg(long, value_enum)]
    pub audit: Option<AuditArgument>,
    /// Let $purge and $erase destroy what resources said, beyond recall
    #[arg(long)]
    pub allow_purge: bool,
    /// From where $import may fetch files beside this machine: addresses under https://host/path; may be given several times
    #[arg(long = "import-source", value_name = "PREFIX")]
    pub import_sources: Vec<String>,
    /// A file with weights and thresholds of Patient/$match, instead of those that come with the program
    #[arg(long, value_name = "FILE")]
    pub match_weights: Option<PathBuf>,
    /// A CDS Hooks service of others that is asked about orders and told of the person, https://host/cds-services/id; may be given
    /// several times
    #[arg(long = "cds-service", value_name = "URL")]
    pub cds_services: Vec<String>,
    #[command(flatten)]
    pub sign_in: SignInArguments,
    #[command(flatten)]
    pub edge: EdgeArguments,
    #[command(flatten)]
    pub subscriptions: SubscriptionArguments,
    #[command(flatten)]
    pub resources: ResourceLimitArguments,
    #[command(flatten)]
    pub limits: LimitArguments,
}

/// How people and apps are let in.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Signing in")]
pub(crate) struct SignInArguments {
    /// The address the hub is known by, https://host; without it http://localhost and the port
    #[arg(long, value_name = "URL", value_parser = crate::config::address)]
    pub url: Option<String>,
    /// How long an app's access token lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = Within(1, 86_400))]
    pub token_lifetime: u64,
    /// How long a person stays signed in without doing anything
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = Within(1, 86_400))]
    pub session_idle: u64,
    /// How long a person stays signed in at most
    #[arg(long, value_name = "SECONDS", default_value_t = 43_200, value_parser = Within(1, 604_800))]
    pub session_longest: u64,
    /// Let apps register themselves (RFC 7591)
    #[arg(long)]
    pub allow_registration: bool,
    /// The outside OpenID provider where people sign in too: its issuer identifier, letter for letter
    #[arg(long, value_name = "URL", value_parser = crate::config::issuer, requires = "openid_client_id")]
    pub openid_issuer: Option<String>,
    /// What this hub is called at the outside provider
    #[arg(long, value_name = "ID", requires = "openid_issuer")]
    pub openid_client_id: Option<String>,
    /// A file whose first line is the secret this hub has at the outside provider; read at each sign-in
    #[arg(long, value_name = "FILE", requires = "openid_issuer")]
    pub openid_client_secret_file: Option<PathBuf>,
    /// A file that says what the outside provider's accounts mean here: whose are let in, which claims give which role
    #[arg(long, value_name = "FILE", requires = "openid_issuer")]
    pub openid_rules: Option<PathBuf>,
    /// A proxy that is believed when it names whom it speaks for (X-Forwarded-For); may be given several times
    #[arg(long = "trusted-proxy", value_name = "ADDRESS")]
    pub trusted_proxies: Vec<std::net::IpAddr>,
}

/// Whether reading is audited.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditArgument {
    /// Each read has a record before it is answered
    On,
    /// Nobody knows who looked
    Off,
}

/// What becomes of references to what is not there.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum ReferencesArgument {
    /// They are stored
    Off,
    /// They are stored; the answer to the write says so, and $broken-references lists them
    Record,
    /// What has one is not stored, and what is referred to is not deleted
    Refuse,
}

/// What subscriptions may do.
#[derive(Args, Debug)]
pub(crate) struct SubscriptionArguments {
    /// What subscriptions may call beside this machine: addresses under https://host/path, mail to mailto:name@host,
    /// mailto:@host or (to anyone) mailto:; may be given several times
    #[arg(long = "subscription-endpoint", value_name = "PREFIX")]
    pub endpoints: Vec<String>,
    /// How often in a row a subscriber may fail before its subscription goes to error; the pauses grow from half a
    /// second to five minutes
    #[arg(long = "subscription-retries", value_name = "NUMBER", default_value_t = 10, value_parser = Within(0, 1000))]
    pub retries: u64,
    /// The relay that takes the email of subscriptions: smtp://host:port,
    /// smtp://user:password@host:587?tls=required, smtps://user:password@host
    #[arg(long, value_name = "URL", hide_env_values = true, requires = "smtp_sender")]
    pub smtp: Option<String>,
    /// The address email is sent from
    #[arg(long, value_name = "ADDRESS")]
    pub smtp_sender: Option<String>,
}

impl Default for SubscriptionArguments {
    fn default() -> SubscriptionArguments {
        SubscriptionArguments { endpoints: Vec::new(), retries: 10, smtp: None, smtp_sender: None }
    }
}

/// How many a conditional delete may delete.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum ConditionalDeleteArgument {
    /// One at most; more matches are refused
    Single,
    /// All that match, up to 1,000
    Multiple,
}

/// How large a thing from outside may be.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Limits")]
pub(crate) struct ResourceLimitArguments {
    /// Size of one resource
    #[arg(long, value_name = "MEGABYTES", default_value_t = 16, value_parser = Within(1, 1024), hide_short_help = true)]
    pub max_resource: u64,
    /// How deep a resource's elements may be nested
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = Within(16, 100), hide_short_help = true)]
    pub max_depth: u64,
    /// Findings told of one resource before reading stops
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = Within(1, 10_000), hide_short_help = true)]
    pub max_issues: u64,
}

/// What requests may cost.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArguments {
    /// Size of a Bundle; no more than --body-memory has room for
    #[arg(long, value_name = "MEGABYTES", default_value_t = 96, value_parser = Within(1, 4096), hide_short_help = true)]
    pub max_bundle: u64,
    /// Entries of a batch or transaction
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = Within(1, 1_000_000), hide_short_help = true)]
    pub max_entries: u64,
    /// Index rows a search may look at before it is refused
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000_000, value_parser = Within(1000, 10_000_000_000), hide_short_help = true)]
    pub max_search_rows: u64,
    /// Time a search may take before it is refused
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = Within(1, 3600), hide_short_help = true)]
    pub max_search_time: u64,
    /// Results on a page where no _count is asked for
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = Within(1, 10_000), hide_short_help = true)]
    pub count: u64,
    /// Results on a page at most, whatever _count says
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = Within(1, 10_000), hide_short_help = true)]
    pub max_count: u64,
    /// Heavy pieces of work at once (large bodies, costly searches, whole records)
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = Within(1, 256), hide_short_help = true)]
    pub heavy: u64,
    /// Memory for all request bodies at once; more wait
    #[arg(long, value_name = "MEGABYTES", default_value_t = 96, value_parser = Within(8, 1 << 20), hide_short_help = true)]
    pub body_memory: u64,
    /// A larger body is heavy work
    #[arg(long, value_name = "KILOBYTES", default_value_t = 128, value_parser = Within(1, 1 << 20), hide_short_help = true)]
    pub light_body: u64,
    /// A search that looks at more index rows is heavy work
    #[arg(long, value_name = "NUMBER", default_value_t = 5000, value_parser = Within(0, 10_000_000), hide_short_help = true)]
    pub light_rows: u64,
    /// Memory for recent writes before the engine writes them out
    #[arg(long, value_name = "MEGABYTES", default_value_t = 64, value_parser = Within(4, 65_536), hide_short_help = true)]
    pub write_buffer: u64,
    /// Threads of the engine for writing out and merging
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = Within(1, 64), hide_short_help = true)]
    pub background_jobs: u64,
}
