//! Findings, gaps and states as sentences, from the Fluent files in `locales`.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use crate::report::{Finding, Gap, Kind, Named, Severity, State};

/// A language of the sentences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// 日本語
    Japanese,
    /// English
    English,
}

const JAPANESE: &str = include_str!("../locales/ja.ftl");
const ENGLISH: &str = include_str!("../locales/en.ftl");

type Bundle = FluentBundle<FluentResource>;

fn bundle(language: Language) -> &'static Bundle {
    static BUNDLES: OnceLock<[Bundle; 2]> = OnceLock::new();
    let [japanese, english] = BUNDLES.get_or_init(|| [make("ja", JAPANESE), make("en", ENGLISH)]);
    match language {
        Language::Japanese => japanese,
        Language::English => english,
    }
}

/// A file that does not read is taken as far as it does; a test reads both.
fn make(tag: &str, text: &str) -> Bundle {
    let locale: LanguageIdentifier = tag.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![locale]);
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(partial, _)| partial);
    bundle.add_resource_overriding(resource);
    bundle
}

impl Named {
    /// The name in a language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Japanese => &self.ja,
            Language::English => &self.en,
        }
    }
}

/// A finding in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What was found, in one short sentence.
    pub summary: String,
    /// Why it matters.
    pub reason: String,
    /// The way out.
    pub advice: String,
    /// The rule's source, with its year.
    pub source: String,
}

impl Language {
    /// The language of a tag (`en`, `en-GB`, `JA_jp`); Japanese if it is not spoken here.
    #[must_use]
    pub fn of_tag(tag: &str) -> Language {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("en") { Language::English } else { Language::Japanese }
    }

    fn find(self, key: &str, arguments: Option<&FluentArgs<'_>>) -> Option<String> {
        let bundle = bundle(self);
        let pattern = bundle.get_message(key)?.value()?;
        Some(bundle.format_pattern(pattern, arguments, &mut Vec::new()).into_owned())
    }

    /// A sentence of the crate; one that is missing shows its key.
    #[must_use]
    pub fn say(self, key: &str, values: &[(&str, &str)]) -> String {
        let arguments: FluentArgs<'_> =
            values.iter().map(|(name, value)| (*name, FluentValue::from(*value))).collect();
        self.find(key, Some(&arguments)).unwrap_or_else(|| key.to_owned())
    }

    /// A finding in words.
    #[must_use]
    pub fn say_finding(self, finding: &Finding) -> Said {
        let against = finding.against.as_ref();
        let known = against.map(|a| a.name.in_language(self)).unwrap_or_default();
        let written = against.map(|a| a.written.as_str()).unwrap_or_default();
        let mut values = vec![
            ("medicine", finding.medicine.in_language(self)),
            ("against", known),
            ("written", if written.is_empty() { known } else { written }),
        ];
        values.extend(finding.arguments.iter().map(|(name, value)| (*name, value.in_language(self))));
        let reason = match &finding.effect {
            Some(effect) => self.say(effect, &values),
            None => self.say(&format!("{}-reason", finding.message), &values),
        };
        let source = finding.source.name.in_language(self);
        let year = finding.source.year.to_string();
        Said {
            summary: self.say(finding.message, &values),
            reason,
            advice: self.say(&finding.advice, &values),
            source: self.say("source", &[("name", source), ("year", &year)]),
        }
    }

    /// Why something was not looked at.
    #[must_use]
    pub fn say_gap(self, gap: &Gap) -> String {
        let (key, name) = gap.message();
        let name = name.unwrap_or_default();
        self.say(key, &[("name", name.in_language(self))])
    }

    /// The name of a kind of check.
    #[must_use]
    pub fn say_kind(self, kind: Kind) -> String {
        self.say(&format!("kind-{}", kind.name()), &[])
    }

    /// The name of a state.
    #[must_use]
    pub fn say_state(self, state: State) -> String {
        self.say(&format!("state-{}", state.name()), &[])
    }

    /// The name of a severity.
    #[must_use]
    pub fn say_severity(self, severity: Severity) -> String {
        self.say(&format!("severity-{}", severity.name()), &[])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rules::Rules;

    fn keys(text: &str) -> BTreeSet<String> {
        let lines = text.lines().filter(|l| l.starts_with(|c: char| c.is_ascii_alphabetic()));
        lines.filter_map(|l| l.split_once('=')).map(|(key, _)| key.trim().to_owned()).collect()
    }

    #[test]
    fn both_languages_read_and_have_the_same_keys() {
        for text in [JAPANESE, ENGLISH] {
            if let Err((_, errors)) = FluentResource::try_new(text.to_owned()) {
                panic!("{errors:?}");
            }
        }
        assert_eq!(keys(JAPANESE), keys(ENGLISH));
    }

    #[test]
    fn every_effect_and_advice_of_a_rule_has_words_and_no_words_are_left_over() {
        let rules = Rules::load().unwrap();
        let mut used: BTreeSet<String> =
            ["advice-one-of-them", "advice-other-for-age", "advice-check-amount"].map(str::to_owned).into();
        used.extend(rules.allergies.iter().map(|r| r.row.advice.clone()));
        used.extend(rules.interactions.iter().flat_map(|r| [r.row.effect.clone(), r.row.advice.clone()]));
        used.extend(rules.renal.iter().flat_map(|r| r.row.steps.iter().map(|s| s.advice.clone())));
        used.extend(rules.pregnancy.iter().flat_map(|r| [r.row.effect.clone(), r.row.advice.clone()]));
        let known: BTreeSet<String> = keys(JAPANESE)
            .into_iter()
            .filter(|k| k.starts_with("advice-") || k.starts_with("effect-"))
            .collect();
        assert_eq!(used, known);
    }
}
