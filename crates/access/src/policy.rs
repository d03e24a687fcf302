//! The hub's rules, as data, and how they become grants.
//!
//! A rule is accepted only if what it says can be asked of the index: whose a row is, of which type, and what its own
//! entries hold. A chain, a text search or a parameter that is not there is refused with the reason, before any hub
//! serves under it.

mod described;
mod rule;

use std::sync::Arc;

use fhir::{TypeId, r4};
use search::query::{self, Criterion, Pair, Reading, literal};
use search::restriction::{Grant, Membership, Restriction, Rights, Types, Whose};
use search::{Zone, parameters};

pub use self::described::Described;
use self::rule::{Checked, Effect, File, May, RuleWhose, check};
use crate::consent::ConsentMemory;
use crate::scope::{Level, Permissions, ResourceScope};
use crate::subject::Subject;

/// The rules a hub comes with.
pub const DEFAULT: &str = include_str!("../rules/default.toml");

/// More rules than this are refused: each costs a little at every read.
const MAX_RULES: usize = 500;
/// More grants than this for one subject are refused; the store tells as many apart.
const MAX_GRANTS: usize = 120;

/// The rules of a hub.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Checked>,
    zone: Zone,
}

impl Policy {
    /// The rules a hub comes with. (Rules that did not read would permit nothing; a test sees to it that they do.)
    #[must_use]
    pub fn standard(zone: Zone) -> Policy {
        Policy::read(DEFAULT, zone.clone()).unwrap_or(Policy { rules: Vec::new(), zone })
    }

    /// Reads rules.
    ///
    /// # Errors
    /// What of them cannot be read or cannot be decided by the index, naming the rule.
    pub fn read(text: &str, zone: Zone) -> Result<Policy, String> {
        let file: File = toml_edit::de::from_str(text).map_err(|e| format!("the rules do not read: {e}"))?;
        if file.rule.len() > MAX_RULES {
            return Err(format!("{} rules; at most {MAX_RULES} are served", file.rule.len()));
        }
        let mut rules = Vec::with_capacity(file.rule.len());
        for rule in file.rule {
            let name = rule.name.clone();
            let checked = check(rule, &file.groups, &zone).map_err(|why| format!("rule '{name}': {why}"))?;
            rules.push(checked);
        }
        Ok(Policy { rules, zone })
    }

    /// The roles some rule names.
    #[must_use]
    pub fn roles(&self) -> Vec<&str> {
        let mut roles: Vec<&str> =
            self.rules.iter().flat_map(|c| c.rule.roles.iter().map(String::as_str)).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// The rules in their order, in the words of their file.
    #[must_use]
    pub fn described(&self) -> Vec<Described<'_>> {
        self.rules.iter().map(|checked| Described::of(&checked.rule)).collect()
    }

    /// What a subject may do.
    ///
    /// # Errors
    /// A scope that no index can decide; more grants than can be told apart.
    pub fn rights(&self, subject: &Arc<Subject>, memory: &Arc<ConsentMemory>) -> Result<Rights, String> {
        let consents = subject.acting_purpose().is_bound_by_consent().then(|| memory.of(Arc::clone(subject)));
        let mut hidden = Vec::new();
        for checked in self.of(subject, Effect::Hide) {
            hidden.extend(self.grants(checked, subject)?);
        }
        let made = |may: May| -> Result<Arc<Restriction>, String> {
            let mut own = Vec::new();
            for checked in self.of(subject, Effect::Permit).filter(|c| c.rule.may.contains(&may)) {
                own.extend(self.grants(checked, subject)?);
            }
            let mut layers = vec![own];
            if let Some(scopes) = &subject.scopes {
                let wanted = permission(may);
                let mut granted = Vec::new();
                for scope in scopes.resources().filter(|s| s.permissions.contains(wanted)) {
                    granted.extend(self.scope(scope, subject)?);
                }
                layers.push(granted);
            }
            if layers.iter().map(Vec::len).sum::<usize>() > MAX_GRANTS {
                return Err(format!(
                    "more than {MAX_GRANTS} rules and scopes concern one subject; ask for fewer scopes"
                ));
            }
            let mut hidden = hidden.clone();
            for checked in self.of(subject, Effect::Forbid).filter(|c| c.rule.may.contains(&may)) {
                hidden.extend(self.grants(checked, subject)?);
            }
            Ok(Arc::new(Restriction { layers, hidden, consents: consents.clone() }))
        };
        let may_choose_ids = self.of(subject, Effect::Permit).any(|c| c.rule.may.contains(&May::ChooseIds));
        Ok(Rights {
            read: made(May::Read)?,
            search: made(May::Search)?,
            create: made(May::Create)?,
            update: made(May::Update)?,
            delete: made(May::Delete)?,
            may_choose_ids,
        })
    }

    fn of<'p>(&'p self, subject: &'p Subject, effect: Effect) -> impl Iterator<Item = &'p Checked> {
        let purpose = subject.acting_purpose();
        self.rules.iter().filter(move |checked| {
            checked.rule.effect == effect
                && checked.rule.roles.iter().any(|role| subject.roles.contains(role))
                && (checked.purposes.is_empty() || checked.purposes.contains(&purpose))
        })
    }

    /// What a rule comes to for a subject.
    fn grants(&self, checked: &Checked, subject: &Subject) -> Result<Vec<Grant>, String> {
        let rule = &checked.rule;
        let whose = match rule.whose {
            RuleWhose::Anyone => Whose::Anyone,
            RuleWhose::Nobody => Whose::Nobody,
            RuleWhose::Own => Whose::Patients(subject.patient.iter().cloned().collect()),
            RuleWhose::Proxied => Whose::Patients(subject.proxied.clone()),
            RuleWhose::Organisation => Whose::Members(memberships(&subject.organisations)),
        };
        let grant = |types: Types, criteria: Vec<Criterion>| Grant {
            name: rule.name.clone(),
            types,
            whose: whose.clone(),
            criteria,
            needs_consent: rule.consent.is_some(),
        };
        let Some(text) = &rule.r#where else {
            let types = if checked.is_of_all { Types::ALL } else { Types::of(checked.types.iter().copied()) };
            return Ok(vec![grant(types, Vec::new())]);
        };
        // A rule about the subject's own does not concern who has none.
        let Some(pairs) = filled(text, subject)? else { return Ok(Vec::new()) };
        if checked.is_of_all {
            // What is said of all types is said by what all have.
            let criteria = row_criteria(r4().well_known().patient, &pairs, &self.zone)?;
            return Ok(vec![grant(Types::ALL, criteria)]);
        }
        let each = checked.types.iter().map(|resource_type| {
            Ok(grant(Types::of([*resource_type]), row_criteria(*resource_type, &pairs, &self.zone)?))
        });
        each.collect()
    }

    /// What a scope comes to.
    fn scope(&self, scope: &ResourceScope, subject: &Subject) -> Result<Vec<Grant>, String> {
        let mut whose = match scope.level {
            Level::User | Level::System => vec![Whose::Anyone],
            Level::Patient => {
                let patient = subject.context_patient.iter().cloned().collect();
                vec![Whose::Patients(patient), Whose::Nobody]
            }
        };
        if scope.level == Level::Patient
            && scope.permissions.and(Permissions::READ.or(Permissions::SEARCH)).is_empty()
        {
            whose.pop(); // what is nobody's is not written in a patient's name
        }
        let types = match scope.resource_type {
            Some(resource_type) => Types::of([resource_type]),
            None => Types::ALL,
        };
        let criteria = if scope.search.is_empty() {
            Vec::new()
        } else {
            let Some(resource_type) = scope.resource_type else {
                return Err(format!("scope '{scope}' searches all types; name one"));
            };
            let pairs = query::split(&scope.search.join("&")).map_err(|issue| issue.diagnostics)?;
            row_criteria(resource_type, &pairs, &self.zone)
                .map_err(|why| format!("scope '{scope}': {why}"))?
        };
        let name = scope.to_string();
        let grant = |whose| Grant {
            name: name.clone(),
            types,
            whose,
            criteria: criteria.clone(),
            needs_consent: false,
        };
        Ok(whose.into_iter().map(grant).collect())
    }
}

fn permission(may: May) -> Permissions {
    match may {
        May::Read => Permissions::READ,
        May::Search => Permissions::SEARCH,
        May::Create | May::ChooseIds => Permissions::CREATE,
        May::Update => Permissions::UPDATE,
        May::Delete => Permissions::DELETE,
    }
}

/// What makes a person one of an organisation's: an encounter there, an episode of care it manages, or that it keeps the
/// person's Patient.
fn memberships(organisations: &[String]) -> Vec<Membership> {
    let by =
        [("Encounter", "service-provider"), ("Patient", "organization"), ("EpisodeOfCare", "organization")];
    let mut found = Vec::new();
    for (name, code) in by {
        let Some(resource_type) = r4().resource_type(name) else { continue };
        let Some(parameter) = parameters().of(resource_type).named(code) else { continue };
        let Some(organisation) = r4().resource_type("Organization") else { continue };
        found.extend(organisations.iter().map(|id| Membership {
            resource_type,
            parameter,
            target: (organisation, id.clone()),
        }));
    }
    found
}

/// A rule's search with the subject's own put in; `None` if the subject has none.
fn filled(text: &str, subject: &Subject) -> Result<Option<Vec<Pair>>, String> {
    let pairs = query::split(text).map_err(|issue| issue.diagnostics)?;
    let mut filled = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let mut values = vec![value];
        for (place, own) in [
            ("{patient}", subject.patient.iter().cloned().collect::<Vec<_>>()),
            ("{fhirUser}", subject.fhir_user.iter().cloned().collect()),
            ("{organisation}", subject.organisations.clone()),
        ] {
            if values.iter().any(|v| v.contains(place)) {
                values = values
                    .iter()
                    .flat_map(|v| own.iter().map(move |o| v.replace(place, &literal(o))))
                    .collect();
            }
        }
        if values.is_empty() {
            return Ok(None);
        }
        filled.push((name, values.join(",")));
    }
    Ok(Some(filled))
}

/// Criteria that one row's own entries decide.
fn row_criteria(resource_type: TypeId, pairs: &[Pair], zone: &Zone) -> Result<Vec<Criterion>, String> {
    let reading = Reading { zone, base: None, is_lenient: false };
    let query = query::read(resource_type, pairs, reading)
        .map_err(|issues| issues.first().map(|i| i.diagnostics.clone()).unwrap_or_default())?;
    let is_only_criteria = query.sort.is_empty()
        && query.includes.is_empty()
        && query.reverse_includes.is_empty()
        && query.count.is_none()
        && query.as_of.is_none()
        && query.cursor.is_none()
        && query.subset.is_none();
    if !is_only_criteria {
        return Err(
            "only conditions on a resource can be asked, nothing about answers (_sort, _count …)".to_owned()
        );
    }
    for criterion in &query.criteria {
        match criterion {
            Criterion::Values { .. } | Criterion::Missing { .. } | Criterion::Id(_) => {}
            Criterion::LastUpdated(_) => {
                return Err(
                    "_lastUpdated changes with every write and decides nothing about who may see".to_owned()
                );
            }
            Criterion::Chain { .. } | Criterion::Has { .. } | Criterion::Compartment { .. } => {
                return Err(
                    "a chain looks at other resources; only the row's own entries can be asked, so that \
                     the index decides"
                        .to_owned(),
                );
            }
        }
    }
    Ok(query.criteria)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        Zone::named("Asia/Tokyo").unwrap()
    }

    fn rule(more: &str) -> String {
        format!("[[rule]]\nname = \"r\"\nroles = [\"person\"]\nmay = [\"read\"]\n{more}\n")
    }

    #[test]
    fn the_rules_a_hub_comes_with_read() {
        let policy = Policy::read(DEFAULT, zone()).unwrap();
        assert!(policy.roles().contains(&"clinician"));
    }

    #[test]
    fn rules_the_index_cannot_decide_are_refused_by_name() {
        for (more, expected) in [
            ("types = [\"Observation\"]\nwhose = \"anyone\"\nwhere = \"subject:Patient.name=x\"", "chain"),
            ("types = [\"Observation\"]\nwhose = \"anyone\"\nwhere = \"kode=x\"", "kode"),
            ("types = [\"Observation\"]\nwhose = \"anyone\"\nwhere = \"_sort=code\"", "answers"),
            ("types = [\"Observatoin\"]\nwhose = \"anyone\"", "Observation"),
            ("types = [\"*\"]\nwhose = \"anyone\"\nwhere = \"code=x\"", "_tag"),
            ("types = [\"@nothing\"]\nwhose = \"anyone\"", "group"),
            ("types = [\"*\"]\nwhose = \"anyone\"\npurposes = [\"fun\"]", "purpose"),
            ("types = [\"*\"]\nwhose = \"anyone\"\nwere = \"x\"", "were"),
        ] {
            let refused = Policy::read(&rule(more), zone()).unwrap_err();
            assert!(refused.contains(expected), "{more}: {refused}");
        }
    }
}
