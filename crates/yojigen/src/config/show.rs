//! `yojigen config`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, FromArgMatches as _};
use fhir::json::JsonWriter;

use super::settings::{self, Kind, Setting};
use super::{Configuration, Origin, Told, Value, Values, collect, environment, with_defaults};
use crate::cli::{Cli, ConfigTask, Task};
use crate::serve;

/// What is shown in the place of a secret.
const MASK: &str = "********";

/// Shows, checks or lists.
pub(crate) fn run(
    task: &ConfigTask,
    chosen: Option<&Path>,
    configuration: &Configuration,
) -> Result<ExitCode> {
    match task {
        ConfigTask::Show(arguments) if arguments.json => say!("{}", as_json(&configuration.values)),
        ConfigTask::Show(_) => {
            for Value { setting, values, origin } in &configuration.values {
                say!("{:<20} {:<28} {origin}", setting.name, shown(setting, values));
            }
        }
        ConfigTask::Check { file } => return Ok(check(file.as_deref().or(chosen))),
        ConfigTask::List { markdown: true } => say!("{}", markdown().trim_end()),
        ConfigTask::List { markdown: false } => {
            for setting in settings::all() {
                say!("{}: {}", setting.name, setting.documentation);
                let default = shown(setting, &setting.default);
                say!("    {}; default: {default}; {}", setting.allowed(), setting.variable());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A value for people's eyes.
fn shown(setting: &Setting, values: &[String]) -> String {
    match values {
        [] => "(none)".to_owned(),
        _ if setting.is_secret => MASK.to_owned(),
        values => values.iter().map(|v| without_password(v)).collect::<Vec<_>>().join(", "),
    }
}

/// `scheme://user:password@host` without the password.
fn without_password(value: &str) -> String {
    let masked = || {
        let (scheme, rest) = value.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user, _) = authority.rsplit_once('@')?;
        let name = user.split_once(':')?.0;
        Some(format!("{scheme}://{name}:{MASK}{}", &rest[user.len()..]))
    };
    masked().unwrap_or_else(|| value.to_owned())
}

fn write_value(json: &mut JsonWriter, setting: &Setting, value: &str) {
    if !setting.is_secret && matches!(setting.kind, Kind::Truth | Kind::Number) {
        json.raw(value);
    } else {
        json.string(&shown(setting, &[value.to_owned()]));
    }
}

fn as_json(values: &[Value]) -> String {
    let mut json = JsonWriter::new();
    json.array(|list| {
        for Value { setting, values, origin } in values {
            list.object(|o| {
                o.member("name", setting.name);
                match values.as_slice() {
                    [] => {
                        o.raw_member("value", "null");
                    }
                    [one] if !setting.is_list => {
                        o.name("value");
                        write_value(o, setting, one);
                    }
                    several => {
                        o.name("value").array(|list| {
                            for value in several {
                                write_value(list, setting, value);
                            }
                        });
                    }
                }
                match origin {
                    Origin::Default => o.member("origin", "default"),
                    Origin::Flag => o.member("origin", "flag"),
                    Origin::Environment(name) => o.member("origin", "environment").member("variable", name),
                    Origin::File { path, line } => o
                        .member("origin", "file")
                        .member("file", &path.to_string_lossy())
                        .raw_member("line", &line.to_string()),
                };
            });
        }
    });
    json.finish()
}

/// Says what is wrong with file and environment, each alone and together.
fn check(file: Option<&Path>) -> ExitCode {
    let known = settings::all();
    let mut findings = environment::misspelt(known);
    let told = match collect(known, file, None) {
        Ok(told) => told,
        Err(found) => {
            findings.extend(found);
            Values::new()
        }
    };
    let count = told.len();
    if findings.is_empty() {
        findings.extend(together(told));
    }
    for finding in &findings {
        say!("{finding}");
    }
    if findings.is_empty() {
        say!("nothing is wrong: {count} of {} settings are set, the others have their defaults", known.len());
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// What `serve` would refuse of values that are each right.
fn together(mut told: Values) -> Vec<String> {
    let nowhere = Told { values: vec!["hub".to_owned()], origin: Origin::Default };
    told.entry("data").or_insert(nowhere);
    let command = with_defaults(Cli::command(), settings::all(), &told, true);
    let matches = command.try_get_matches_from(["yojigen", "serve"]);
    match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(Cli { task: Task::Serve(arguments), .. }) => serve::findings(&arguments),
        Ok(_) => Vec::new(),
        Err(error) => vec![error.to_string()],
    }
}

/// The table of the documentation.
fn markdown() -> String {
    let mut out = "| setting | allowed | default | what it is |\n|---|---|---|---|\n".to_owned();
    let cell = |text: &str| text.replace('|', "\\|");
    for setting in settings::all() {
        let default = match setting.default.as_slice() {
            [] => String::new(),
            values => format!("`{}`", values.join(", ")),
        };
        out += &format!(
            "| `{}` | {} | {default} | {} |\n",
            setting.name,
            cell(&setting.allowed()),
            cell(&setting.documentation)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_addresses_are_masked() {
        assert_eq!(
            without_password("smtp://me:s3cret@mail.example:25/x"),
            format!("smtp://me:{MASK}@mail.example:25/x")
        );
        assert_eq!(without_password("http://localhost:80/a@b:c"), "http://localhost:80/a@b:c");
        assert_eq!(without_password("127.0.0.1:80"), "127.0.0.1:80");
    }
}
