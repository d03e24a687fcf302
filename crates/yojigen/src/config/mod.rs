//! What the hub is told: flags, before the environment, before the configuration file, before defaults.
//!
//! There is one table of settings, and it is the command line: every option of `serve` is a [`Setting`] with name, type, range,
//! default and documentation, so the file's reader ([`file`]), the environment's ([`environment`]), `config show`,
//! `config list` and the page in the documentation are all made from it, and a new flag is a new setting. What the file and
//! the environment say becomes the default of the flag of the same name in every task that works on a data directory; a value is
//! checked by the flag's own parser.
//!
//! `demo` is left out: nothing that names the records of a community may put made-up persons among them.
//!
//! Design not chosen: a structure read by a derive of its own beside that of the command line. Two lists drift.

mod environment;
mod file;
mod settings;
mod show;
mod within;

pub(crate) use settings::{address, issuer, key_host, zone};
pub(crate) use show::run;
pub(crate) use within::Within;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory as _, FromArgMatches as _};

use crate::cli::Cli;
use settings::{Kind, Setting};

/// The tasks that take settings from file and environment, those of `serve` that they have; `show` is of `config` and of `log`.
const TASKS: &[&str] = &["serve", "import", "export", "backup", "restore", "doctor", "tail", "show"];
/// And those of `user` and `client`, which have names that others have too.
const VAULT_TASKS: &[&str] =
    &["add", "list", "disable", "enable", "password", "role", "link", "unlink", "remove"];
/// Those that only have to find and open a data directory, and the settings that say how.
const OPENING_TASKS: &[&str] = &["verify", "prune", "explain", "who", "compare", "rotate", "seal", "unseal"];
const OPENING: &[&str] = &["data", "key-file", "key-command"];

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment(String),
    Flag,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
            Origin::Flag => f.write_str("flag"),
        }
    }
}

/// A value that was found, as the flag of the same name would be given it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

/// A value in effect.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) setting: Setting,
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

/// Every setting as it is in effect for `config show`.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) values: Vec<Value>,
}

type Values = BTreeMap<&'static str, Told>;

/// What the program is asked to do, with all that it is told.
pub(crate) fn read() -> Result<(Cli, Configuration), Vec<String>> {
    let settings = settings::all();
    let words: Vec<OsString> = std::env::args_os().collect();
    // First what stands on the command line alone: it says which file is to be read, and whether any is.
    let command = with_defaults(Cli::command(), settings, &Values::new(), true);
    let alone = command.get_matches_from(&words);
    let (task, matches) = deepest(&alone);
    let is_of_vault = matches!(alone.subcommand_name(), Some("user" | "client"));
    if matches!(task, "demo" | "completions" | "list")
        && !is_of_vault
        && matches.try_get_one::<PathBuf>("config").ok().flatten().is_some()
    {
        return Err(vec![format!("{task} reads no configuration file; leave --config out")]);
    }
    let told = if is_of_vault || TASKS.contains(&task) || OPENING_TASKS.contains(&task) {
        let data = matches.try_get_one::<PathBuf>("data").ok().flatten();
        let is_flag = matches.try_contains_id("data").unwrap_or(false)
            && matches.value_source("data") == Some(ValueSource::CommandLine);
        let chosen = matches.try_get_one::<PathBuf>("config").ok().flatten();
        for finding in environment::misspelt(settings) {
            eprintln!("yojigen: {finding}");
        }
        collect(settings, chosen.map(PathBuf::as_path), data.filter(|_| is_flag).map(PathBuf::as_path))?
    } else {
        Values::new()
    };
    let is_shown = alone.subcommand_name() == Some("config");
    let command = with_defaults(Cli::command(), settings, &told, is_shown);
    let matches = command.get_matches_from(&words);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let matches = deepest(&matches).1;
    crate::key::take(matches).map_err(|finding| vec![finding])?;
    let values = if is_shown && task == "show" { in_effect(settings, matches, &told) } else { Vec::new() };
    Ok((cli, Configuration { values }))
}

/// What file and environment say, or all that is wrong with them.
pub(crate) fn collect(
    settings: &'static [Setting],
    chosen: Option<&Path>,
    data: Option<&Path>,
) -> Result<Values, Vec<String>> {
    let mut findings = Vec::new();
    let mut told = Values::new();
    match place(chosen, data) {
        Ok(Some(path)) => match file::read(&path, settings) {
            Ok(found) => told = found,
            Err(found) => findings.extend(found),
        },
        Ok(None) => {}
        Err(finding) => findings.push(finding),
    }
    match environment::read(settings) {
        Ok(found) => told.extend(found),
        Err(found) => findings.extend(found),
    }
    if findings.is_empty() { Ok(told) } else { Err(findings) }
}

/// The configuration file: the one named, or `yojigen.toml` beside the data directory, or in the working directory if the data
/// directory is not named.
fn place(chosen: Option<&Path>, data: Option<&Path>) -> Result<Option<PathBuf>, String> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(path) = chosen.map(Path::to_owned).or_else(|| variable("YOJIGEN_CONFIG")) {
        return match path.is_file() {
            true => Ok(Some(path)),
            false => Err(format!(
                "{}: there is no such file; name another with --config or YOJIGEN_CONFIG",
                path.display()
            )),
        };
    }
    let data = data.map(Path::to_owned).or_else(|| variable("YOJIGEN_DATA"));
    let beside = data.as_deref().and_then(Path::parent).map(|folder| folder.join("yojigen.toml"));
    Ok(Some(beside.unwrap_or_else(|| PathBuf::from("yojigen.toml"))).filter(|path| path.is_file()))
}

/// The command line with what was told as defaults. `is_relaxed`: nothing is required.
fn with_defaults(
    command: clap::Command,
    settings: &[Setting],
    told: &Values,
    is_relaxed: bool,
) -> clap::Command {
    command.mut_subcommands(|task| {
        if matches!(task.get_name(), "config" | "log" | "user" | "client") {
            return with_defaults(task, settings, told, is_relaxed);
        }
        if matches!(task.get_name(), "ledger" | "access" | "key") {
            let opening: Vec<Setting> =
                settings.iter().filter(|s| OPENING.contains(&s.name)).cloned().collect();
            return with_defaults(task, &opening, told, is_relaxed);
        }
        if OPENING_TASKS.contains(&task.get_name()) {
            return with_told(task, settings, told, is_relaxed);
        }
        if !TASKS.contains(&task.get_name()) && !VAULT_TASKS.contains(&task.get_name()) {
            return task;
        }
        with_told(task, settings, told, is_relaxed)
    })
}

/// A task with what was told as defaults.
fn with_told(task: clap::Command, settings: &[Setting], told: &Values, is_relaxed: bool) -> clap::Command {
    task.mut_args(|argument| {
        let Some(setting) = settings.iter().find(|s| Some(s.name) == argument.get_long()) else {
            return argument;
        };
        let mut argument = argument;
        if let (Kind::Number, Some(range)) = (setting.kind, setting.allowed.first()) {
            let help = format!("{} [{range}]", setting.documentation);
            argument = argument.help(help).hide_possible_values(true);
        }
        if setting.kind == Kind::Truth && matches!(argument.get_action(), ArgAction::SetTrue) {
            // So that a flag can also take back what the file says.
            argument = argument
                .action(ArgAction::Set)
                .value_parser(clap::value_parser!(bool))
                .num_args(0..=1)
                .require_equals(true)
                .value_name("true|false")
                .hide_possible_values(true)
                .default_missing_value("true")
                .default_value("false")
                .hide_default_value(true);
        }
        if let Some(told) = told.get(setting.name) {
            argument = argument.required(false).default_values(told.values.clone());
            return if setting.is_secret { argument.hide_default_value(true) } else { argument };
        }
        if is_relaxed { argument.required(false) } else { argument }
    })
}

/// The task that is asked for.
fn deepest(matches: &ArgMatches) -> (&str, &ArgMatches) {
    let (mut name, mut found) = ("", matches);
    while let Some((task, further)) = found.subcommand() {
        (name, found) = (task, further);
    }
    (name, found)
}

fn in_effect(settings: &[Setting], matches: &ArgMatches, told: &Values) -> Vec<Value> {
    let value = |setting: &Setting| {
        let raw = matches.try_get_raw(&setting.id).ok().flatten();
        let values = raw.into_iter().flatten().map(|v| v.to_string_lossy().into_owned()).collect();
        let is_flag = matches.value_source(&setting.id) == Some(ValueSource::CommandLine);
        let told = told.get(setting.name).map(|t| t.origin.clone());
        let origin = if is_flag { Origin::Flag } else { told.unwrap_or(Origin::Default) };
        Value { setting: setting.clone(), values, origin }
    };
    settings.iter().map(value).collect()
}
