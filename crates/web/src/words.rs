//! Every sentence of the pages, from the Fluent files in `locales`.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use crate::language::Language;

/// The texts of each language.
const JAPANESE: &[&str] = &[
    include_str!("../locales/ja/common.ftl"),
    include_str!("../locales/ja/people.ftl"),
    include_str!("../locales/ja/chart.ftl"),
    include_str!("../locales/ja/results.ftl"),
    include_str!("../locales/ja/sign_in.ftl"),
    include_str!("../locales/ja/me.ftl"),
    include_str!("../locales/ja/clinic.ftl"),
    include_str!("../locales/ja/operator.ftl"),
    include_str!("../locales/ja/figures.ftl"),
];
const ENGLISH: &[&str] = &[
    include_str!("../locales/en/common.ftl"),
    include_str!("../locales/en/people.ftl"),
    include_str!("../locales/en/chart.ftl"),
    include_str!("../locales/en/results.ftl"),
    include_str!("../locales/en/sign_in.ftl"),
    include_str!("../locales/en/me.ftl"),
    include_str!("../locales/en/clinic.ftl"),
    include_str!("../locales/en/operator.ftl"),
    include_str!("../locales/en/figures.ftl"),
];

type Bundle = FluentBundle<FluentResource>;

fn bundle(language: Language) -> &'static Bundle {
    static BUNDLES: OnceLock<[Bundle; 2]> = OnceLock::new();
    let bundles =
        BUNDLES.get_or_init(|| [make(Language::Japanese, JAPANESE), make(Language::English, ENGLISH)]);
    match language {
        Language::Japanese => &bundles[0],
        Language::English => &bundles[1],
    }
}

/// A file that does not read is taken as far as it does; a test reads all of them.
fn make(language: Language, files: &[&str]) -> Bundle {
    let locale: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![locale]);
    // No sentence here mixes directions of writing, and isolating marks would be copied with the text.
    bundle.set_use_isolating(false);
    for file in files {
        let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(partial, _)| partial);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

/// The sentences of one language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// The language.
    pub(crate) language: Language,
}

impl Words {
    /// A sentence; one that is missing shows its key.
    pub(crate) fn say(&self, key: &str) -> String {
        self.find(key, None).unwrap_or_else(|| key.to_owned())
    }

    /// A sentence with places filled.
    pub(crate) fn say_with(&self, key: &str, values: &[(&str, FluentValue<'_>)]) -> String {
        let arguments: FluentArgs<'_> = values.iter().map(|(name, value)| (*name, value.clone())).collect();
        self.find(key, Some(&arguments)).unwrap_or_else(|| key.to_owned())
    }

    /// A sentence about so many of something: `$count` for its grammar, `$shown` for its digits.
    pub(crate) fn say_count(&self, key: &str, count: usize) -> String {
        let shown = crate::quantity::grouped(count as u64);
        self.say_with(key, &[("count", FluentValue::from(count)), ("shown", FluentValue::from(shown))])
    }

    /// Why somebody goes on in spite of a finding.
    pub(crate) fn override_word(&self, why: &str) -> String {
        self.say(&format!("override-{why}"))
    }

    /// A word for a code, if there is one.
    pub(crate) fn say_code(&self, family: &str, code: &str) -> Option<String> {
        self.find(&format!("{family}-{}", code.to_ascii_lowercase()), None)
    }

    fn find(&self, key: &str, arguments: Option<&FluentArgs<'_>>) -> Option<String> {
        let bundle = bundle(self.language);
        let pattern = bundle.get_message(key)?.value()?;
        Some(bundle.format_pattern(pattern, arguments, &mut Vec::new()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    /// The keys of a Fluent text: what stands before `=` at the beginning of a line.
    fn keys(files: &[&str]) -> BTreeSet<String> {
        let lines =
            files.iter().flat_map(|f| f.lines()).filter(|l| l.starts_with(|c: char| c.is_ascii_alphabetic()));
        lines.filter_map(|l| l.split_once('=')).map(|(key, _)| key.trim().to_owned()).collect()
    }

    fn files_under(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_under(&path, found);
            } else {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }

    /// The keys written in a text as the first argument of a `say`.
    fn said(text: &str) -> Vec<String> {
        let calls = [".say(", ".say_with(", ".say_count("];
        let places =
            calls.iter().flat_map(|call| text.match_indices(call).map(|(at, _)| &text[at + call.len()..]));
        let literals = places.filter_map(|rest| rest.trim_start().strip_prefix('"'));
        literals.filter_map(|l| l.split_once('"')).map(|(key, _)| key.to_owned()).collect()
    }

    #[test]
    fn every_file_reads() {
        for file in JAPANESE.iter().chain(ENGLISH) {
            if let Err((_, errors)) = FluentResource::try_new((*file).to_owned()) {
                panic!("{errors:?}");
            }
        }
    }

    #[test]
    fn no_key_is_there_twice() {
        for files in [JAPANESE, ENGLISH] {
            let each: usize = files.iter().map(|file| keys(&[*file]).len()).sum();
            assert_eq!(each, keys(files).len(), "a key is in two files");
        }
    }

    #[test]
    fn both_languages_have_the_same_keys() {
        assert_eq!(keys(JAPANESE), keys(ENGLISH));
    }

    #[test]
    fn every_key_that_is_said_exists() {
        let mut texts = Vec::new();
        // Asked for as the test runs: one build directory may serve several clones.
        let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap();
        files_under(&root.join("templates"), &mut texts);
        files_under(&root.join("src"), &mut texts);
        let known = keys(JAPANESE);
        let used: BTreeSet<String> =
            texts.iter().flat_map(|t| said(t.split("#[cfg(test)]").next().unwrap())).collect();
        assert!(used.len() > 50, "the search for keys finds them");
        let missing: Vec<&String> = used.difference(&known).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_sentence_fills_its_places() {
        let english = Words { language: Language::English };
        assert_eq!(english.say_count("people-found", 1), "1 person");
        assert_eq!(english.say_count("people-found", 1200), "1,200 people");
        assert_eq!(english.say("no-such-key"), "no-such-key");
    }
}
