//! A rule as its file has it, and whether it can be taken.

use std::collections::BTreeMap;

use fhir::{TypeId, r4};
use search::Zone;
use serde::Deserialize;

use super::{filled, row_criteria};
use crate::subject::{Purpose, Subject};

/// What can be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum May {
    Read,
    Search,
    Create,
    Update,
    Delete,
    ChooseIds,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RuleWhose {
    Own,
    Proxied,
    Organisation,
    Anyone,
    Nobody,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    #[default]
    Permit,
    Hide,
    Forbid,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ConsentNeed {
    Required,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) roles: Vec<String>,
    #[serde(default)]
    pub(super) may: Vec<May>,
    pub(super) types: Vec<String>,
    pub(super) whose: RuleWhose,
    #[serde(default)]
    pub(super) r#where: Option<String>,
    #[serde(default)]
    pub(super) purposes: Vec<String>,
    #[serde(default)]
    pub(super) consent: Option<ConsentNeed>,
    #[serde(default)]
    pub(super) effect: Effect,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) groups: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) rule: Vec<Rule>,
}

/// A rule that has been read and checked.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) rule: Rule,
    pub(super) types: Vec<TypeId>,
    pub(super) is_of_all: bool,
    pub(super) purposes: Vec<Purpose>,
}

/// Checks a rule of a file.
///
/// # Errors
/// Why it cannot be decided by the index.
pub(super) fn check(
    rule: Rule,
    groups: &BTreeMap<String, Vec<String>>,
    zone: &Zone,
) -> Result<Checked, String> {
    if rule.roles.is_empty() || rule.types.is_empty() {
        return Err("it names no roles or no types".to_owned());
    }
    if rule.may.is_empty() == (rule.effect != Effect::Hide) {
        return Err(
            "a rule that permits or forbids says what (may = [...]); one that hides says none".to_owned()
        );
    }
    let mut purposes = Vec::with_capacity(rule.purposes.len());
    for name in &rule.purposes {
        purposes.push(Purpose::of(name).ok_or_else(|| {
            format!(
                "'{name}' is no purpose; they are care, own-use, emergency, research, indicators, operations"
            )
        })?);
    }
    let is_of_all = rule.types.iter().any(|t| t == "*");
    let mut types = Vec::new();
    for name in rule.types.iter().filter(|t| *t != "*") {
        match name.strip_prefix('@') {
            Some(group) => {
                let members = groups.get(group).ok_or_else(|| format!("there is no group '{group}'"))?;
                for member in members {
                    types.push(r4().known_resource_type(member)?);
                }
            }
            None => types.push(r4().known_resource_type(name)?),
        }
    }
    if let Some(text) = &rule.r#where {
        // With something put in for what the subject has, it must read for each type.
        let sample = Subject {
            patient: Some("x".to_owned()),
            fhir_user: Some("Practitioner/x".to_owned()),
            organisations: vec!["x".to_owned()],
            ..Subject::nobody(Purpose::Care)
        };
        let pairs = filled(text, &sample)?.unwrap_or_default();
        if is_of_all {
            let is_common =
                pairs.iter().all(|(name, _)| COMMON.contains(&name.split(':').next().unwrap_or_default()));
            if !is_common {
                return Err(format!("where of all types can ask {} only", COMMON.join(", ")));
            }
            row_criteria(r4().well_known().patient, &pairs, zone)?;
        }
        for resource_type in &types {
            row_criteria(*resource_type, &pairs, zone)
                .map_err(|why| format!("{}: {why}", r4().type_name(*resource_type)))?;
        }
    }
    Ok(Checked { rule, types, is_of_all, purposes })
}

/// The parameters of every type, whose numbers are the same in all.
const COMMON: &[&str] = &["_tag", "_security", "_profile", "_source"];
