//! Finding a code by a few letters, frequent ones first: `/clinic/codes?of=problem&q=tou`.
//!
//! What is suggested are the lists that come with the program, and whatever this hub's record is coded with for so many
//! persons that it says nothing of anybody.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hub::{Access, Hub};
use search::normalize;
use serde::Serialize;

use super::kind::Kind;
use crate::failure::away;
use crate::language::Language;
use crate::record::Record;
use crate::visit::Visit;
use crate::words::Words;

/// So many are suggested.
const MOST: usize = 10;
/// Resources that are looked at for what is frequent, the newest, and how long what they say is believed.
const LOOKED_AT: usize = 1000;
const FRESH: Duration = Duration::from_secs(600);
/// A code that is not in a list is suggested if so many persons have it.
const FREQUENT: u32 = 5;
/// Characters taken of what is typed.
const LONGEST: usize = 60;

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Choice {
    pub(crate) system: String,
    pub(crate) code: String,
    /// The name in the page's language.
    pub(crate) name: String,
    /// What else goes with it: how a medicine is usually taken, a unit, a category.
    pub(crate) extra: String,
}

/// A line of a list.
#[derive(Clone, Debug)]
struct Line {
    system: &'static str,
    code: String,
    japanese: String,
    english: String,
    extra: String,
    /// What it is found by, folded.
    keys: Vec<String>,
}

const ICD10: &str = "http://hl7.org/fhir/sid/icd-10";
const LOINC: &str = "http://loinc.org";
const ATC: &str = "http://www.whocc.no/atc";
const CVX: &str = "http://hl7.org/fhir/sid/cvx";

/// A kind's list, its system, and its columns: code first or not, reading, extra.
fn list_of(kind: Kind) -> &'static [Line] {
    static LISTS: OnceLock<HashMap<Kind, Vec<Line>>> = OnceLock::new();
    let lists = LISTS.get_or_init(|| {
        let all = [
            (Kind::Problem, ICD10, "cjer", include_str!("../../data/codes/problem.tsv")),
            (Kind::Allergy, "", "jerx", include_str!("../../data/codes/allergy.tsv")),
            (Kind::Medicine, ATC, "cjex", include_str!("../../data/codes/medicine.tsv")),
            (Kind::Order, LOINC, "cjer", include_str!("../../data/codes/order.tsv")),
            (Kind::Result, LOINC, "cjerx", include_str!("../../data/codes/result.tsv")),
            (Kind::Vaccine, CVX, "cjer", include_str!("../../data/codes/vaccine.tsv")),
            (Kind::Referral, "", "jer", include_str!("../../data/codes/referral.tsv")),
        ];
        all.into_iter().map(|(kind, system, columns, text)| (kind, lines(system, columns, text))).collect()
    });
    lists.get(&kind).map_or(&[], Vec::as_slice)
}

fn lines(system: &'static str, columns: &str, text: &str) -> Vec<Line> {
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    rows.map(|row| {
        let mut parts: HashMap<char, &str> = HashMap::new();
        for (column, part) in columns.chars().zip(row.split('\t')) {
            parts.insert(column, part.trim());
        }
        let of = |column: char| parts.get(&column).copied().unwrap_or_default().to_owned();
        let named = [of('c'), of('j'), of('e')];
        let read = of('r');
        let keys = named.iter().map(String::as_str).chain(read.split(' ')).filter(|key| !key.is_empty());
        Line {
            system,
            keys: keys.map(folded).collect(),
            code: of('c'),
            japanese: of('j'),
            english: of('e'),
            extra: of('x'),
        }
    })
    .collect()
}

/// Text without what a searcher does not mind: width, case, marks, kind of kana.
fn folded(text: &str) -> String {
    let text = normalize::normalize(text);
    text.chars().map(|c| if ('\u{30a1}'..='\u{30f6}').contains(&c) { hiragana(c) } else { c }).collect()
}

fn hiragana(c: char) -> char {
    char::from_u32(u32::from(c) - 0x60).unwrap_or(c)
}

/// How many persons each code is used of, and what it is called.
type Uses = HashMap<(String, String), (u32, String)>;

fn uses(hub: &Hub, kind: Kind) -> Uses {
    static KNOWN: OnceLock<Mutex<HashMap<Kind, (Instant, Uses)>>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    {
        let known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, uses)) = known.get(&kind)
            && at.elapsed() < FRESH
        {
            return uses.clone();
        }
    }
    let found = counted(hub, kind);
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, (Instant::now(), found.clone()));
    found
}

fn counted(hub: &Hub, kind: Kind) -> Uses {
    let Some((name, path)) = kind.coded_as() else { return Uses::new() };
    // What is counted here leaves the hub only as a code that many have.
    let record = Record::of(hub.clone(), Access::open("codes"), None);
    let found = record.search(name, &[("_sort", "-_lastUpdated")], LOOKED_AT).unwrap_or_default();
    let mut persons: HashMap<(String, String), (BTreeSet<String>, String)> = HashMap::new();
    for resource in &found.resources {
        let root = resource.root();
        let whose = ["subject.reference", "patient.reference"].iter().find_map(|path| root.text_at(path));
        let (Some(concept), Some(whose)) = (root.path(path), whose) else { continue };
        for coding in concept.all("coding") {
            let (Some(system), Some(code)) = (coding.text_at("system"), coding.text_at("code")) else {
                continue;
            };
            let of_code = persons.entry((system.into_owned(), code.into_owned())).or_default();
            of_code.0.insert(whose.clone().into_owned());
            if of_code.1.is_empty() {
                of_code.1 = coding.text_at("display").map(String::from).unwrap_or_default();
            }
        }
    }
    let counted = |(persons, name): (BTreeSet<String>, String)| {
        (u32::try_from(persons.len()).unwrap_or(u32::MAX), name)
    };
    persons.into_iter().map(|(code, of_code)| (code, counted(of_code))).collect()
}

/// What is meant by a few letters, likeliest first.
pub(crate) fn choices(hub: &Hub, kind: Kind, typed: &str, words: Words) -> Vec<Choice> {
    let typed: String = typed.chars().take(LONGEST).collect();
    let sought = folded(typed.trim());
    if sought.is_empty() {
        return Vec::new();
    }
    let uses = uses(hub, kind);
    let used = |code: &str| {
        let counts = uses.iter().filter(|((_, c), _)| c == code).map(|(_, (count, _))| *count);
        counts.max().unwrap_or(0)
    };
    let mut found: Vec<(u8, std::cmp::Reverse<u32>, Choice)> = Vec::new();
    for line in list_of(kind) {
        let Some(quality) = quality(line.keys.iter().map(String::as_str), &sought) else { continue };
        let name = match words.language {
            Language::Japanese => &line.japanese,
            Language::English => &line.english,
        };
        let choice = Choice {
            system: if line.code.is_empty() { String::new() } else { line.system.to_owned() },
            code: line.code.clone(),
            name: name.clone(),
            extra: line.extra.clone(),
        };
        found.push((quality, std::cmp::Reverse(used(&line.code)), choice));
    }
    for ((system, code), (count, name)) in &uses {
        if *count < FREQUENT || name.is_empty() || list_of(kind).iter().any(|line| line.code == *code) {
            continue;
        }
        let keys = [folded(name), folded(code)];
        if let Some(quality) = quality(keys.iter().map(String::as_str), &sought) {
            let choice = Choice {
                system: system.clone(),
                code: code.clone(),
                name: name.clone(),
                extra: String::new(),
            };
            found.push((quality, std::cmp::Reverse(*count), choice));
        }
    }
    found.sort_by_key(|(quality, uses, _)| (*quality, *uses));
    found.into_iter().map(|(.., choice)| choice).take(MOST).collect()
}

/// The one that is meant, if what was typed is a name, a code or a reading as it stands.
pub(crate) fn exact(kind: Kind, typed: &str, words: Words) -> Option<Choice> {
    let sought = folded(typed.trim());
    let line = list_of(kind).iter().find(|line| line.keys.contains(&sought))?;
    let name = match words.language {
        Language::Japanese => &line.japanese,
        Language::English => &line.english,
    };
    Some(Choice {
        system: if line.code.is_empty() { String::new() } else { line.system.to_owned() },
        code: line.code.clone(),
        name: name.clone(),
        extra: line.extra.clone(),
    })
}

/// Begins with it, has a word that does, has it somewhere.
fn quality<'k>(keys: impl Iterator<Item = &'k str>, sought: &str) -> Option<u8> {
    keys.filter_map(|key| {
        if key.starts_with(sought) {
            Some(0)
        } else if key.split([' ', '-', '(', '（', '・']).any(|word| word.starts_with(sought)) {
            Some(1)
        } else {
            key.contains(sought).then_some(2)
        }
    })
    .min()
}

/// Answers with suggestions, as JSON.
pub(crate) async fn codes(State(hub): State<Hub>, visit: Visit) -> Response {
    let kind = visit.value("of").and_then(Kind::of);
    let Some(kind) = kind.filter(|_| super::is_clinician(&visit)) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let (typed, words) = (visit.value("q").unwrap_or_default().to_owned(), visit.words);
    let found = away(move || Ok(choices(&hub, kind, &typed, words))).await.unwrap_or_default();
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, serde_json::to_string(&found).unwrap_or_default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JA: Words = Words { language: Language::Japanese };

    #[test]
    fn every_list_reads_and_every_line_is_found_by_its_name() {
        for kind in Kind::ALL {
            for line in list_of(kind) {
                assert!(!line.japanese.is_empty() && !line.english.is_empty(), "{line:?}");
                assert!(exact(kind, &line.japanese, JA).is_some(), "{line:?}");
                assert!(quality(line.keys.iter().map(String::as_str), &folded(&line.english)) == Some(0));
            }
        }
    }

    #[test]
    fn kana_of_either_kind_letters_and_codes_find() {
        for typed in ["とうにょう", "トウニョウ", "2型", "e11", "Type 2"] {
            let sought = folded(typed);
            let found = list_of(Kind::Problem)
                .iter()
                .any(|l| l.code == "E11.9" && quality(l.keys.iter().map(String::as_str), &sought) <= Some(1));
            assert!(found, "{typed}");
        }
    }
}
