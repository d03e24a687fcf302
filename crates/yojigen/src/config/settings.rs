//! The table of settings, made from the options of `serve`.

use std::any::TypeId;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory as _};

use crate::cli::Cli;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Truth,
    Number,
    Text,
    /// A place in the file system; in a file, from the file's folder.
    Path,
}

/// A setting.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Its name as a flag, without the dashes, and in the file.
    pub(crate) name: &'static str,
    /// Its name in clap.
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Whether several values may be given.
    pub(crate) is_list: bool,
    /// Whether its value is shown to nobody.
    pub(crate) is_secret: bool,
    /// What is measured, or what the text is.
    pub(crate) unit: String,
    /// The range of a number, or the texts that are allowed; empty where any is.
    pub(crate) allowed: Vec<String>,
    pub(crate) default: Vec<String>,
    pub(crate) documentation: String,
    argument: Arg,
}

/// Every setting, in the order of `serve --help`.
pub(crate) fn all() -> &'static [Setting] {
    static SETTINGS: OnceLock<Vec<Setting>> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let command = Cli::command();
        let serve = command.get_subcommands().find(|task| task.get_name() == "serve");
        serve.into_iter().flat_map(Command::get_arguments).filter_map(setting).collect()
    })
}

pub(super) fn setting(argument: &Arg) -> Option<Setting> {
    let long = argument.get_long()?;
    if argument.is_global_set() || matches!(argument.get_action(), ArgAction::Help | ArgAction::HelpLong) {
        return None;
    }
    // The table lives as long as the program.
    let name: &'static str = Box::leak(long.to_owned().into_boxed_str());
    let of = argument.get_value_parser().type_id();
    let numbers = [
        TypeId::of::<u64>(),
        TypeId::of::<u32>(),
        TypeId::of::<u16>(),
        TypeId::of::<usize>(),
        TypeId::of::<i64>(),
        TypeId::of::<i32>(),
    ];
    let kind = if !argument.get_action().takes_values() || of == TypeId::of::<bool>() {
        Kind::Truth
    } else if numbers.iter().any(|number| of == *number) {
        Kind::Number
    } else if of == TypeId::of::<PathBuf>() {
        Kind::Path
    } else {
        Kind::Text
    };
    let unit = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let allowed = match kind {
        Kind::Truth => vec!["true".to_owned(), "false".to_owned()],
        _ => argument.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect(),
    };
    let default = match kind {
        Kind::Truth => vec!["false".to_owned()],
        _ => argument.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect(),
    };
    Some(Setting {
        name,
        id: argument.get_id().to_string(),
        kind,
        is_list: matches!(argument.get_action(), ArgAction::Append),
        is_secret: argument.is_hide_env_values_set(),
        unit: unit.filter(|_| kind != Kind::Truth).unwrap_or_default(),
        allowed,
        default,
        documentation: argument.get_help().map(ToString::to_string).unwrap_or_default(),
        argument: argument.clone().required(false),
    })
}

impl Setting {
    /// Its variable in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("YOJIGEN_{}", self.name.replace('-', "_").to_uppercase())
    }

    /// What is allowed, in words.
    pub(crate) fn allowed(&self) -> String {
        let one = match self.kind {
            Kind::Truth => "true or false".to_owned(),
            Kind::Number => {
                let range = self.allowed.first().map(|range| format!(" from {range}")).unwrap_or_default();
                let unit = if matches!(self.unit.as_str(), "" | "NUMBER") {
                    String::new()
                } else {
                    format!(" ({})", self.unit.to_lowercase())
                };
                format!("a whole number{range}{unit}")
            }
            _ if !self.allowed.is_empty() => format!("one of {}", self.allowed.join(", ")),
            Kind::Path => "a path".to_owned(),
            Kind::Text if self.unit.is_empty() => "a text".to_owned(),
            Kind::Text => format!("a text ({})", self.unit.to_lowercase()),
        };
        if self.is_list { format!("{one}, or a list of such") } else { one }
    }

    /// A line of a file as it should be written.
    pub(crate) fn example(&self) -> String {
        let value = self.default.first().or(self.allowed.first()).map_or("…", String::as_str);
        match self.kind {
            Kind::Truth => format!("{} = true", self.name),
            Kind::Number => format!("{} = {}", self.name, value.split(' ').next().unwrap_or(value)),
            Kind::Text | Kind::Path => format!("{} = \"{value}\"", self.name),
        }
    }

    /// Checks a value with the parser of the flag; what is wrong with it.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        if self.kind == Kind::Truth {
            return match value {
                "true" | "false" => Ok(()),
                _ => Err(self.refusal(value, "")),
            };
        }
        let word = format!("--{}={value}", self.name);
        let command = Command::new("yojigen").no_binary_name(true).arg(self.argument.clone());
        match command.try_get_matches_from([OsStr::new(&word)]) {
            Ok(_) => Ok(()),
            Err(error) => {
                let near = match error.get(ContextKind::SuggestedValue) {
                    Some(ContextValue::String(near)) => format!("; did you mean {near}?"),
                    _ => String::new(),
                };
                // What a parser says may repeat the value.
                let is_said = error.kind() == ErrorKind::ValueValidation
                    && self.kind != Kind::Number
                    && !self.is_secret;
                let said = std::error::Error::source(&error).filter(|_| is_said);
                Err(self.refusal(value, &said.map_or(near, |said| format!(": {said}"))))
            }
        }
    }

    fn refusal(&self, value: &str, further: &str) -> String {
        let value =
            if self.is_secret { "the secret that was found".to_owned() } else { format!("'{value}'") };
        format!("{}: {value} cannot be used; allowed is {}{further}", self.name, self.allowed())
    }
}

/// Reads the name of a time zone.
pub(crate) fn zone(name: &str) -> Result<String, String> {
    match search::Zone::named(name) {
        Some(_) => Ok(name.to_owned()),
        None => {
            Err("this is not a time zone; write an IANA name such as Asia/Tokyo or Europe/Lisbon".to_owned())
        }
    }
}

/// Reads the address a hub is known by.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let expected = "write https://host or https://host:port; http is for loopback only";
    let text = text.trim_end_matches('/');
    let (scheme, host) = text.split_once("://").ok_or(expected)?;
    let is_well =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let is_right = scheme == "https" || (scheme == "http" && is_loopback);
    if is_right && !host.is_empty() && host.bytes().all(is_well) {
        Ok(text.to_owned())
    } else {
        Err(expected.to_owned())
    }
}

/// A host that is asked for keys of clients.
pub(crate) fn key_host(text: &str) -> Result<String, String> {
    let expected = "write a host, keys.example or keys.example:8443, without https:// and path";
    auth::is_key_host(text).then(|| text.to_owned()).ok_or_else(|| expected.to_owned())
}

/// An issuer identifier (OpenID Connect Discovery 1.0, section 3): an address that may have a path, kept letter for letter.
pub(crate) fn issuer(text: &str) -> Result<String, String> {
    let (scheme, rest) = text.split_once("://").ok_or("write https://host, perhaps with a path")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    address(&format!("{scheme}://{host}"))?;
    if path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%:@+".contains(&b)) {
        Ok(text.to_owned())
    } else {
        Err("an issuer has no query and no fragment".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_says_its_range_and_every_setting_what_it_is() {
        assert!(all().len() > 15);
        for setting in all() {
            assert!(!setting.documentation.is_empty(), "{} has no documentation", setting.name);
            assert!(
                setting.kind != Kind::Number || !setting.allowed.is_empty(),
                "{} has no range",
                setting.name
            );
            for default in &setting.default {
                assert_eq!(setting.check(default), Ok(()), "the default of {}", setting.name);
            }
        }
    }

    /// What stands on the command line is what the code takes by itself.
    #[test]
    fn defaults_are_those_of_the_code() {
        let default = |name: &str| -> u64 {
            all().iter().find(|s| s.name == name).unwrap().default[0].parse().unwrap()
        };
        let (resource, search) = (fhir::Limits::default(), hub::SearchLimits::default());
        let (lanes, store) = (server::LaneLimits::default(), store::Limits::default());
        let (connections, rates) = (server::ConnectionLimits::default(), server::Rates::default());
        for (name, value) in [
            ("max-resource", resource.resource_bytes as u64 >> 20),
            ("max-entries", resource.bundle_entries as u64),
            ("max-depth", resource.depth as u64),
            ("max-issues", resource.issues as u64),
            ("max-search-rows", search.rows),
            ("max-search-time", search.time.as_secs()),
            ("count", search.default_count as u64),
            ("max-count", search.max_count as u64),
            ("heavy", lanes.heavy as u64),
            ("body-memory", lanes.body_bytes as u64 >> 20),
            ("light-body", lanes.light_body as u64 >> 10),
            ("light-rows", lanes.light_rows),
            ("write-buffer", store.write_buffer as u64 >> 20),
            ("background-jobs", store.background_jobs as u64),
            ("connections", connections.all as u64),
            ("connections-per-address", connections.per_address as u64),
            ("connection-idle", connections.idle.as_secs()),
            ("rate-per-client", rates.per_client),
            ("rate-per-person", rates.per_person),
            ("rate-per-address", rates.per_address),
            ("rate-burst", rates.burst),
        ] {
            assert_eq!(default(name), value, "{name}");
        }
    }
}
