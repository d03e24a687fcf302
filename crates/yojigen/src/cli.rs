//! What the command line understands.
//!
//! The options of `serve` are the settings of the hub: each is also a key of the configuration file and a variable of the
//! environment ([`crate::config`]). Adding a field here, with its default and [`Within`] a range, is all there is to it; its first comment line
//! becomes its row in the documentation. `hide_env_values = true` marks a secret.

mod access;
mod client;
mod config;
mod edge;
mod erase;
mod indicator;
mod key;
mod ledger;
mod log;
mod serve;
mod sql;
mod user;
mod view;

pub(crate) use self::access::{
    AccessTask, CompareArguments, ExplainArguments, SubjectArguments, WhoArguments,
};
pub(crate) use self::client::{ClientKindArgument, ClientTask};
pub(crate) use self::config::ConfigTask;
pub(crate) use self::edge::{EdgeArguments, host};
pub(crate) use self::erase::EraseArguments;
pub(crate) use self::indicator::{
    FiguresArguments, IndicatorEvaluateArguments, IndicatorFetchArguments, IndicatorProjectArguments,
    IndicatorReleaseArguments, IndicatorTask, IndicatorUhcArguments, IndicatorVerifyArguments, KindArgument,
    SourceArgument, TableFormatArgument,
};
pub(crate) use self::key::{KeyArguments, KeyRotateArguments, KeySealArguments, KeyTask};
pub(crate) use self::ledger::{LedgerFilterArguments, LedgerTask};
pub(crate) use self::log::{LogShowArguments, LogTailArguments, LogTask};
pub(crate) use self::serve::{
    AuditArgument, ConditionalDeleteArgument, ReferencesArgument, ResourceLimitArguments, ServeArguments,
    SignInArguments, SubscriptionArguments,
};
pub(crate) use self::sql::{AnswerFormatArgument, SqlArguments};
pub(crate) use self::user::UserTask;
pub(crate) use self::view::{FormatArgument, ViewRunArguments, ViewTask};

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Within;

/// An open health hub: every person's lifelong record, on one machine or many.
#[derive(Parser, Debug)]
#[command(name = "yojigen", version, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  yojigen demo                                       a hub with a synthetic community, to look at
  yojigen import patients.tar.zst --data hub         load files into a new hub
  yojigen serve --data hub --open                    serve it on this machine: http://localhost:8080/
  yojigen doctor --data hub                          is everything still there, and does it agree?
  yojigen config show                                every setting, and where it comes from

Exit codes: 0 done, 1 done with findings or rejects, 2 not done. YOJIGEN_LOG=info says more; NO_COLOR says it plainly.")]
pub(crate) struct Cli {
    /// The configuration file; without it yojigen.toml beside the data directory or here, if there is one
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Task {
    /// Serve a hub: FHIR at /fhir, pages at /
    #[command(after_help = "\
Examples:
  yojigen serve --data hub --url https://hub.example   behind a proxy that speaks https
  yojigen serve --data hub                             the same, reached by http://localhost:8080 only
  yojigen serve --data hub --open                      to look at: everyone on this machine may do everything

People sign in and apps bring tokens; the first start prints a link for the first operator. With --open nobody signs in:
then it listens on loopback, answers only to names of this machine and refuses pages of other origins. SIGTERM or Ctrl-C
ends it in order.

Each option can also stand in the configuration file (listen = \"127.0.0.1:9000\") or in the environment
(YOJIGEN_LISTEN). A flag goes before the environment, that before the file. --help tells the limits, too.")]
    Serve(Box<ServeArguments>),
    /// Load FHIR files into a hub
    #[command(after_help = "\
Examples:
  yojigen import patients/ --data hub                  every file of a folder
  yojigen import data.ndjson.zst bundle.json --data hub
  yojigen import package.tgz --server http://localhost:8080/fhir
  yojigen import old/ --data hub --recorded-from meta.lastUpdated

Reads JSON (a resource, or a transaction, batch, collection or searchset Bundle), NDJSON, FHIR packages (.tgz) and
archives (.tar), plain or compressed (.gz, .zst). Each piece is committed once: run the same command again to go on
after an interruption, or to be sure; nothing is added twice. What is refused goes to a file with the reason beside it,
and the exit code is 1.")]
    Import(ImportArguments),
    /// Write a hub's resources to NDJSON files, one a type
    #[command(after_help = "\
Examples:
  yojigen export out --data hub
  yojigen export out --data hub --type Patient --type Observation
  yojigen export out --data hub --as-of 2025-04-01

An export imported into an empty data directory keeps its moments of recording and version numbers.")]
    Export(ExportArguments),
    /// Copy a hub's log to a folder or an object storage (S3); again and again, each time only what is new
    #[command(after_help = "\
Examples:
  yojigen backup /mnt/backup --data hub           the whole log, or what it has more than the backup
  yojigen backup s3://bucket/hub --data hub       the same, to an object storage
  yojigen backup s3://bucket --list --check       what is there, and is it whole?
  yojigen backup /mnt/backup --data hub --erase   leave out of it what the hub has destroyed or erased since

The hub may be serving. A backup is a prefix of the log, whenever it is interrupted; run it again to go on.

An object storage is reached as AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY say; without the latter
two as AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_PROFILE say. A part lies in TMPDIR on its way.")]
    Backup(BackupArguments),
    /// Make a hub from a backup, as it was at its end or at any moment before
    #[command(after_help = "\
Examples:
  yojigen restore /mnt/backup --data hub
  yojigen restore /mnt/backup --data hub --as-of 2026-03-31T18:00:00+09:00
  yojigen restore s3://bucket/hub --data hub

Every file is checked against its hash and every entry against the log's chain; the index is made anew.")]
    Restore(RestoreArguments),
    /// Erase a person on lawful request: the record, and the person from whatever else the hub keeps
    #[command(after_help = "\
Examples:
  yojigen erase Patient/4711 --data hub --dry-run           what it would destroy, and what else names the person
  yojigen erase Patient/4711 --data hub --reason 'case 12'  do it
  yojigen erase Patient/4711 --data hub --reason 'case 12' --also Group/9 --also Bundle/33
  yojigen backup /mnt/backup --data hub --erase             the same in a backup that was taken before

The hub may be serving. What others keep of the person is told one by one and stays until it is decided: then name it with
--also, or change it and destroy what it said before with $purge. The exit code is 1 while something is left to decide.")]
    Erase(EraseArguments),
    /// Examine a hub: every version, every index row, the log's chain
    #[command(after_help = "\
Examples:
  yojigen doctor --data hub                what is damaged, if anything (exit code 1)
  yojigen doctor --data hub --rebuild      make the index anew from the log

The hub must not be running. --rebuild writes beside the old data and needs as much room again while it runs.")]
    Doctor(DoctorArguments),
    /// Make a synthetic Japanese community, the same for the same seed, and serve it
    #[command(after_help = "\
Examples:
  yojigen demo                                         1,000 persons, served at http://localhost:8080/
  yojigen demo --persons 20000 --seed 7 --data big --no-serve
  yojigen demo --persons 1000000 --ndjson out          as files, without a hub")]
    Demo(DemoArguments),
    /// Who may sign in
    #[command(subcommand)]
    User(UserTask),
    /// Which apps and systems may ask for access
    #[command(subcommand)]
    Client(ClientTask),
    /// Who may see what, and why
    #[command(subcommand)]
    Access(AccessTask),
    /// Read a hub's ledger: who looked at whom, when and why
    #[command(subcommand)]
    Ledger(LedgerTask),
    /// Read a hub's log: who wrote what, when
    #[command(subcommand)]
    Log(LogTask),
    /// Rows of the record for SQL, spreadsheets and data frames: views of SQL on FHIR
    #[command(subcommand)]
    View(ViewTask),
    /// Ask about the record in SQL
    #[command(after_help = "\
Examples:
  yojigen sql --data hub
  yojigen sql --data hub \"select sex, count(*) from patient group by sex\"
  yojigen sql --data hub --as-of 2026-04-01 --format json \"select icd10, count(distinct person) as persons from condition group by icd10 order by persons desc limit 10\"

Tables are the views of the indicators (without a question they are named) and those of --view. Only reading is possible. The hub must
not be running.")]
    Sql(SqlArguments),
    /// Public figures of health: fetch, compute, project
    #[command(subcommand)]
    Indicator(IndicatorTask),
    /// Encryption at rest: make a key, change it, encrypt a data directory
    #[command(subcommand)]
    Key(KeyTask),
    /// What the hub is told by its configuration file, the environment and flags
    #[command(subcommand)]
    Config(ConfigTask),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  yojigen completions bash > /etc/bash_completion.d/yojigen")]
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// Where a hub is, and what it may use.
#[derive(Args, Debug, Clone)]
pub(crate) struct DataArguments {
    /// The data directory; made if it does not exist
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The time zone (IANA name) of dates without one; fixed when the data directory is made
    #[arg(long, value_name = "NAME", default_value = "Asia/Tokyo", value_parser = crate::config::zone)]
    pub zone: String,
    /// Memory for the engine's cache of blocks
    #[arg(long, value_name = "MEGABYTES", default_value_t = 128, value_parser = Within(8, 1 << 20))]
    pub cache: u64,
    /// Answer writes before they are on disk. Never do this to data you want to keep; it is for measuring what durability costs
    #[arg(long, hide_short_help = true)]
    pub not_durable: bool,
    #[command(flatten)]
    pub key: KeyArguments,
}

/// Arguments of `import`.
#[derive(Args, Debug)]
pub(crate) struct ImportArguments {
    /// Files and folders, in the order given
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The data directory to load into; the hub must not be running
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub key: KeyArguments,
    /// A running hub to load into, by its FHIR base
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub server: Option<String>,
    /// Take the moments of recording from the data (only into an empty data directory)
    #[arg(long, value_name = "ELEMENT", conflicts_with = "server")]
    pub recorded_from: Option<RecordedFromArgument>,
    /// Load again what has been loaded before
    #[arg(long)]
    pub again: bool,
    /// Where refused pieces go, each with the reason
    #[arg(long, value_name = "FILE", default_value = "rejects.ndjson")]
    pub rejects: PathBuf,
    /// The time zone (IANA name) of dates without one; fixed when the data directory is made
    #[arg(long, value_name = "NAME", default_value = "Asia/Tokyo", value_parser = crate::config::zone)]
    pub zone: String,
    #[command(flatten)]
    pub resources: ResourceLimitArguments,
    /// Requests at once (with --server)
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    pub jobs: usize,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Elements that say when something was recorded.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordedFromArgument {
    /// The moment and version the data was last updated elsewhere
    #[value(name = "meta.lastUpdated")]
    LastUpdated,
    /// The moment a result was issued
    #[value(name = "issued")]
    Issued,
    /// The end of the period it is about
    #[value(name = "period")]
    Period,
}

/// Arguments of `export`.
#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// The folder to write to; made if it does not exist, must be empty
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub data: DataArguments,
    /// Only this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// As it was known at this moment
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `backup`.
#[derive(Args, Debug)]
pub(crate) struct BackupArguments {
    /// Where the backup is, or is to be: a folder, or s3://bucket/prefix
    #[arg(value_name = "PLACE")]
    pub place: String,
    /// The data directory; the hub may be serving
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    pub data: Option<PathBuf>,
    /// Leave out what the hub has destroyed or erased since; only files that hold something of it are written anew
    #[arg(long, conflicts_with = "list")]
    pub erase: bool,
    #[command(flatten)]
    pub key: KeyArguments,
    /// Another key to encrypt the backup with, where it is not to be the hub's own
    #[arg(long, value_name = "FILE")]
    pub backup_key_file: Option<PathBuf>,
    /// Do not encrypt the backup of a hub that is encrypted
    #[arg(long, conflicts_with = "backup_key_file")]
    pub clear: bool,
    /// Show the backups that lie there and one level below; nothing is written
    #[arg(long)]
    pub list: bool,
    /// With --list: read them whole and compare every file with its hash
    #[arg(long, requires = "list")]
    pub check: bool,
    /// Print what the backup holds as JSON
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
}

/// Arguments of `restore`.
#[derive(Args, Debug)]
pub(crate) struct RestoreArguments {
    /// Where the backup is: a folder, or s3://bucket/prefix
    #[arg(value_name = "PLACE")]
    pub backup: String,
    /// The data directory to make; it must not exist, or be empty
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// The key the backup is encrypted with, where it is not that of the new data directory
    #[arg(long, value_name = "FILE")]
    pub backup_key_file: Option<PathBuf>,
    /// Make a data directory that is not encrypted from a backup that is
    #[arg(long)]
    pub clear: bool,
    /// As it was recorded by this moment (a date or instant; a date's end, in UTC)
    #[arg(long, value_name = "MOMENT", conflicts_with = "place")]
    pub as_of: Option<String>,
    /// Up to this entry of the log
    #[arg(long, value_name = "NUMBER")]
    pub place: Option<u64>,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
}

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub data: DataArguments,
    /// Make the index anew from the log
    #[arg(long)]
    pub rebuild: bool,
    /// Merge what is on disk into its most compact form
    #[arg(long, conflicts_with = "rebuild")]
    pub compact: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// How many persons live in the community
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub persons: u64,
    /// Which community; the same number gives the same one
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// The data directory to put it in
    #[arg(long, value_name = "DIR", default_value = "yojigen-demo")]
    pub data: PathBuf,
    #[command(flatten)]
    pub key: KeyArguments,
    /// Write NDJSON files to this folder instead of making a hub
    #[arg(long, value_name = "DIR")]
    pub ndjson: Option<PathBuf>,
    /// Where to listen; loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Make the community and stop
    #[arg(long)]
    pub no_serve: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}
