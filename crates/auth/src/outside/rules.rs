//! What accounts of an outside provider mean here: a TOML file of the operator's.
//!
//! ```toml
//! name = "Sakura Hospital"        # on the button
//! accounts = "add"                # "known": only who was linked before (yojigen user link)
//! scope = "openid profile groups"
//!
//! [claims]
//! login = "preferred_username"
//! fhir-user = "practitioner"
//!
//! [[role]]
//! claim = "groups"
//! value = "doctors"
//! role = "clinician"
//! ```

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::user::check_roles;

/// Whose first sign-in is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Accounts {
    /// Who was linked before.
    #[default]
    Known,
    /// Everyone who has a role by the rules; an account is added.
    Add,
}

/// Which claim says what.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct ClaimNames {
    pub(super) login: String,
    pub(super) name: String,
    pub(super) fhir_user: Option<String>,
    pub(super) patient: Option<String>,
    pub(super) organization: Option<String>,
}

impl Default for ClaimNames {
    fn default() -> ClaimNames {
        ClaimNames {
            login: "preferred_username".to_owned(),
            name: "name".to_owned(),
            fhir_user: None,
            patient: None,
            organization: None,
        }
    }
}

/// Who has a role.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleRule {
    /// The claim, `realm_access.roles` for one within another; without one everybody.
    claim: Option<String>,
    /// Its value, or one of its values; without one whoever has the claim.
    value: Option<String>,
    role: String,
}

/// What accounts there mean here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Rules {
    /// What the provider is called on the sign-in page.
    pub(super) name: Option<String>,
    pub(super) accounts: Accounts,
    /// Whether who is not linked, and whose email is verified there, is the user of this hub with that login name.
    pub(super) link_verified_email: bool,
    pub(super) scope: String,
    /// Whether claims are asked for at the userinfo endpoint too.
    pub(super) userinfo: bool,
    pub(super) claims: ClaimNames,
    role: Vec<RoleRule>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            name: None,
            accounts: Accounts::Known,
            link_verified_email: false,
            scope: "openid profile".to_owned(),
            userinfo: false,
            claims: ClaimNames::default(),
            role: Vec::new(),
        }
    }
}

/// A claim, or one within another.
pub(super) fn claim<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    // A name may have dots of its own: https://hospital.example/groups.
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let mut parts = path.split('.');
    parts
        .by_ref()
        .next()
        .and_then(|first| claims.get(first))
        .and_then(|first| parts.try_fold(first, |value, part| value.get(part)))
}

impl Rules {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Rules, String> {
        let rules: Rules =
            toml_edit::de::from_str(text).map_err(|e| format!("the rules do not read: {e}"))?;
        for rule in &rules.role {
            check_roles(std::slice::from_ref(&rule.role)).map_err(|refusal| refusal.description)?;
            if rule.value.is_some() && rule.claim.is_none() {
                return Err(format!(
                    "a rule for the role {} has a value, and no claim that has it",
                    rule.role
                ));
            }
        }
        if rules.accounts == Accounts::Add && rules.role.is_empty() {
            return Err("accounts = \"add\" needs a [[role]]: who has none is not let in".to_owned());
        }
        if !rules.scope.split(' ').any(|word| word == "openid") {
            return Err("scope has the word openid".to_owned());
        }
        if rules.name.as_ref().is_some_and(|name| name.is_empty() || name.chars().count() > 60) {
            return Err("name has 1 to 60 characters".to_owned());
        }
        Ok(rules)
    }

    /// The roles of whom these claims are about.
    pub(super) fn roles(&self, claims: &Map<String, Value>) -> Vec<String> {
        let has = |rule: &RoleRule| {
            let Some(path) = &rule.claim else { return true };
            match (claim(claims, path), &rule.value) {
                (None | Some(Value::Null), _) => false,
                (Some(_), None) => true,
                (Some(Value::Array(list)), Some(wanted)) => list.iter().any(|v| v.as_str() == Some(wanted)),
                (Some(value), Some(wanted)) => value.as_str() == Some(wanted),
            }
        };
        let mut roles: Vec<String> = Vec::new();
        for rule in self.role.iter().filter(|rule| has(rule)) {
            if !roles.contains(&rule.role) {
                roles.push(rule.role.clone());
            }
        }
        roles
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn roles_follow_from_claims() {
        let rules = Rules::read(
            "accounts = \"add\"\n[[role]]\nclaim = \"groups\"\nvalue = \"doctors\"\nrole = \"clinician\"\n\
             [[role]]\nclaim = \"realm_access.roles\"\nvalue = \"it\"\nrole = \"operator\"\n\
             [[role]]\nclaim = \"https://h.example/mynumber\"\nrole = \"person\"\n",
        )
        .unwrap();
        let roles = |claims: Value| rules.roles(claims.as_object().unwrap());
        assert_eq!(roles(json!({"groups": ["a", "doctors"]})), ["clinician"]);
        assert_eq!(
            roles(json!({"groups": "doctors", "realm_access": {"roles": ["it"]}})),
            ["clinician", "operator"]
        );
        assert_eq!(roles(json!({"https://h.example/mynumber": "1"})), ["person"]);
        for none in [
            json!({}),
            json!({"groups": ["doctors2"]}),
            json!({"groups": null}),
            json!({"groups": [["doctors"]]}),
        ] {
            assert!(roles(none.clone()).is_empty(), "{none}");
        }
    }

    #[test]
    fn rules_that_are_wrong_are_told() {
        for (text, why) in [
            ("accounts = \"all\"", "do not read"),
            ("acounts = \"add\"", "do not read"),
            ("accounts = \"add\"", "[[role]]"),
            ("[[role]]\nrole = \"doctor\"", "not known"),
            ("[[role]]\nrole = \"person\"\nvalue = \"x\"", "no claim"),
            ("scope = \"profile\"", "openid"),
            ("[claims]\nemail = \"x\"", "do not read"),
        ] {
            let said = Rules::read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        assert!(Rules::read("").is_ok());
    }
}
