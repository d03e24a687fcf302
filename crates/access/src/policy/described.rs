//! Rules in the words of their file, for who looks at them.

use super::rule::{Effect, May, Rule, RuleWhose};

/// A rule in the words of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described<'r> {
    /// What it is called.
    pub name: &'r str,
    /// `permit`, `hide` or `forbid`.
    pub effect: &'static str,
    /// Who.
    pub roles: &'r [String],
    /// `read`, `search`, …
    pub may: Vec<&'static str>,
    /// Types and groups.
    pub types: &'r [String],
    /// Whose.
    pub whose: &'static str,
    /// Where, as a search.
    pub condition: Option<&'r str>,
    /// Only for these purposes.
    pub purposes: &'r [String],
    /// Whether the person must have permitted it.
    pub needs_consent: bool,
}

impl Described<'_> {
    pub(super) fn of(rule: &Rule) -> Described<'_> {
        let may = |may: &May| match may {
            May::Read => "read",
            May::Search => "search",
            May::Create => "create",
            May::Update => "update",
            May::Delete => "delete",
            May::ChooseIds => "choose-ids",
        };
        Described {
            name: &rule.name,
            effect: match rule.effect {
                Effect::Permit => "permit",
                Effect::Hide => "hide",
                Effect::Forbid => "forbid",
            },
            roles: &rule.roles,
            may: rule.may.iter().map(may).collect(),
            types: &rule.types,
            whose: match rule.whose {
                RuleWhose::Own => "own",
                RuleWhose::Proxied => "proxied",
                RuleWhose::Organisation => "organisation",
                RuleWhose::Anyone => "anyone",
                RuleWhose::Nobody => "nobody",
            },
            condition: rule.r#where.as_deref(),
            purposes: &rule.purposes,
            needs_consent: rule.consent.is_some(),
        }
    }
}
