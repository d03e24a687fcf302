//! Settings from the environment: `YOJIGEN_` and the setting's name in capitals, `_` for `-`.
//!
//! An empty variable counts as none. A list is separated by commas. Variables that are near a setting's are told, since they
//! are most likely misspelt; others may be a container platform's.

use fhir::issue::nearest;

use super::settings::{Kind, Setting};
use super::{Origin, Told, Values};

/// Variables of the program that are no settings.
const OTHERS: &[&str] = &["YOJIGEN_CONFIG", "YOJIGEN_LOG"];

/// What the environment says, or all that is wrong with it.
pub(super) fn read(settings: &'static [Setting]) -> Result<Values, Vec<String>> {
    let (mut told, mut findings) = (Values::new(), Vec::new());
    for setting in settings {
        let name = setting.variable();
        let Some(value) = std::env::var_os(&name).filter(|v| !v.is_empty()) else { continue };
        let Some(value) = value.to_str() else {
            findings.push(format!("environment variable {name}: it is not UTF-8"));
            continue;
        };
        let values: Vec<String> = match setting.kind {
            _ if setting.is_list => value.split(',').map(|v| v.trim().to_owned()).collect(),
            Kind::Truth => vec![truth(value)],
            _ => vec![value.to_owned()],
        };
        match values.iter().find_map(|value| setting.check(value).err()) {
            Some(finding) => findings.push(format!("environment variable {name}: {finding}")),
            None => {
                told.insert(setting.name, Told { values, origin: Origin::Environment(name) });
            }
        }
    }
    if findings.is_empty() { Ok(told) } else { Err(findings) }
}

fn truth(value: &str) -> String {
    match value {
        "1" => "true".to_owned(),
        "0" => "false".to_owned(),
        other => other.to_lowercase(),
    }
}

/// Variables that seem to be misspelt.
pub(super) fn misspelt(settings: &[Setting]) -> Vec<String> {
    let mut known: Vec<String> = settings.iter().map(Setting::variable).collect();
    known.extend(OTHERS.iter().map(ToString::to_string));
    let mut found = Vec::new();
    for (name, _) in std::env::vars_os() {
        let Some(own) = name.to_str().and_then(|n| n.strip_prefix("YOJIGEN_")) else { continue };
        let names: Vec<&str> = known.iter().filter_map(|k| k.strip_prefix("YOJIGEN_")).collect();
        if names.contains(&own) {
            continue;
        }
        let near = nearest(own, names.into_iter().filter(|k| k.len().abs_diff(own.len()) < 3));
        if let Some(near) = near.first() {
            let name = name.to_string_lossy();
            found.push(format!(
                "environment variable {name}: there is no such setting; did you mean YOJIGEN_{near}?"
            ));
        }
    }
    found
}
