//! What a person is named by: to find the person in searches that were asked, in the log's criteria, in others' resources.
//!
//! *Strong* traces stand for one person, or nearly: identifiers, whole names, telephone numbers and mail addresses, lines of
//! addresses, the names of accounts. *Weak* ones are shared with others: a family name, a given name. Where a weak one is
//! enough to take a text out is said where it is used.
//!
//! Texts are compared as search compares them (`search::normalize`), and without the escapes of addresses.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use search::normalize::normalize;
use serde_json::Value;

/// Shorter identifiers than this say nothing.
const SHORTEST_IDENTIFIER: usize = 4;
/// The same of telecoms and lines of addresses.
const SHORTEST_LINE: usize = 5;
/// More traces than this are not compared with; a person has some dozens.
const MOST: usize = 20_000;

/// Why something is a trace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Sort {
    Identifier,
    Name,
    Telecom,
    Address,
    Account,
    /// A part of a name.
    Part,
}

impl Sort {
    /// As a report says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Sort::Identifier => "identifier",
            Sort::Name => "name",
            Sort::Telecom => "telecom",
            Sort::Address => "address",
            Sort::Account => "account",
            Sort::Part => "part of a name",
        }
    }
}

/// What a person is named by.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// As they are compared, each with why.
    texts: BTreeMap<String, Sort>,
    /// As they were written.
    written: BTreeSet<String>,
    /// Names in parts: the family name, and given names.
    names: BTreeSet<(String, Vec<String>)>,
}

impl Traces {
    fn add(&mut self, text: &str, sort: Sort, shortest: usize) {
        let plain = normalize(text);
        if plain.chars().count() >= shortest && self.texts.len() < MOST {
            // A text that is both is the stronger.
            let known = self.texts.entry(plain).or_insert(sort);
            *known = (*known).min(sort);
            self.written.insert(text.trim().to_owned());
        }
    }

    /// Adds what a resource of the person says: of a Patient who that is, of any the identifiers.
    pub(crate) fn read(&mut self, resource_type: &str, text: &str) {
        let Ok(resource) = serde_json::from_str::<Value>(text) else { return };
        if resource_type == "Patient" {
            self.identity(&resource);
            for contact in each(&resource["contact"]) {
                self.name(&contact["name"], Sort::Part);
                self.telecoms(&contact["telecom"]);
            }
        }
        self.identifiers(&resource);
    }

    fn identity(&mut self, patient: &Value) {
        for name in each(&patient["name"]) {
            self.name(name, Sort::Name);
        }
        self.telecoms(&patient["telecom"]);
        for address in each(&patient["address"]) {
            let lines: Vec<&str> = each(&address["line"]).filter_map(Value::as_str).collect();
            let whole = lines.concat();
            for text in lines.into_iter().chain(address["text"].as_str()).chain([whole.as_str()]) {
                self.add(text, Sort::Address, SHORTEST_LINE);
            }
        }
    }

    fn name(&mut self, name: &Value, sort: Sort) {
        let family = name["family"].as_str().unwrap_or_default();
        let given: Vec<&str> = each(&name["given"]).filter_map(Value::as_str).collect();
        for part in given.iter().chain([&family]) {
            self.add(part, Sort::Part, 2);
        }
        if let Some(text) = name["text"].as_str() {
            self.add(text, sort, 3);
        }
        if !family.is_empty() && !given.is_empty() {
            let joined = given.join(" ");
            for whole in
                [format!("{family}{joined}"), format!("{family} {joined}"), format!("{joined} {family}")]
            {
                self.add(&whole, sort, 3);
            }
            if sort == Sort::Name {
                self.names.insert((family.to_owned(), given.into_iter().map(str::to_owned).collect()));
            }
        }
    }

    fn telecoms(&mut self, telecoms: &Value) {
        for text in each(telecoms).filter_map(|t| t["value"].as_str()) {
            self.add(text, Sort::Telecom, SHORTEST_LINE);
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            self.add(&digits, Sort::Telecom, 8);
        }
    }

    /// Values of identifiers, wherever they stand.
    fn identifiers(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if name == "identifier" {
                        for text in each(member).filter_map(|i| i["value"].as_str()) {
                            self.add(text, Sort::Identifier, SHORTEST_IDENTIFIER);
                        }
                    }
                    if name == "subscriberId" {
                        self.add(member.as_str().unwrap_or_default(), Sort::Identifier, SHORTEST_IDENTIFIER);
                    }
                    self.identifiers(member);
                }
            }
            Value::Array(list) => list.iter().for_each(|one| self.identifiers(one)),
            _ => {}
        }
    }

    /// Adds the names of the person's accounts.
    pub(crate) fn accounts(&mut self, names: &[String]) {
        names.iter().for_each(|name| self.add(name, Sort::Account, 3));
    }

    /// What of the person a text names; `None` if nothing.
    pub(crate) fn named(&self, text: &str) -> Option<Sort> {
        let (plain, decoded) = (normalize(text), normalize(&decoded(text)));
        let found = self
            .texts
            .iter()
            .filter(|(trace, _)| plain.contains(trace.as_str()) || decoded.contains(trace.as_str()));
        found.map(|(_, sort)| *sort).min()
    }

    /// Whether a text names the person so that it can hardly be another.
    pub(crate) fn is_named(&self, text: &str) -> bool {
        self.named(text).is_some_and(|sort| sort != Sort::Part)
    }

    /// What finds strong traces in texts as they are kept.
    pub(crate) fn finder(&self) -> Finder {
        let strong =
            |text: &&String| self.texts.get(&normalize(text)).is_some_and(|sort| *sort != Sort::Part);
        let (mut patterns, mut marks) = (Vec::new(), Vec::new());
        for text in self.written.iter().filter(strong) {
            marks.extend(self.texts.get(&normalize(text)).copied().map(Mark::Whole));
            patterns.push(text.clone());
        }
        // Names in parts, as JSON has them.
        for (name, (family, given)) in self.names.iter().enumerate() {
            let pieces = given.iter().map(|text| Value::from(text.as_str()).to_string());
            let family = format!("\"family\":{}", Value::from(family.as_str()));
            for (piece, text) in [family].into_iter().chain(pieces).enumerate() {
                marks.push(Mark::Piece(name, piece));
                patterns.push(text);
            }
        }
        let lengths = self.names.iter().map(|(_, given)| given.len() + 1).collect();
        // Too many for its memory: then nothing is found by them, which a person's dozens never are.
        Finder { automaton: aho_corasick::AhoCorasick::new(patterns).ok(), marks, lengths }
    }

    /// Everything as it was written: to look for it in files.
    pub(crate) fn written(&self) -> impl Iterator<Item = &str> {
        self.written.iter().map(String::as_str)
    }
}

/// What a pattern stands for.
#[derive(Clone, Copy)]
enum Mark {
    /// Alone for the person.
    Whole(Sort),
    /// Together with the others of a name: which name, which piece.
    Piece(usize, usize),
}

/// Finds what names a person in texts of resources.
pub(crate) struct Finder {
    automaton: Option<aho_corasick::AhoCorasick>,
    marks: Vec<Mark>,
    /// How many pieces each name has.
    lengths: Vec<usize>,
}

impl Finder {
    /// What of the person a text names.
    pub(crate) fn find(&self, text: &str) -> BTreeSet<Sort> {
        let (mut found, mut pieces) = (BTreeSet::new(), BTreeSet::new());
        let Some(automaton) = &self.automaton else { return found };
        for mark in
            automaton.find_overlapping_iter(text).filter_map(|m| self.marks.get(m.pattern().as_usize()))
        {
            match *mark {
                Mark::Whole(sort) => drop(found.insert(sort)),
                Mark::Piece(name, piece) => drop(pieces.insert((name, piece))),
            }
        }
        let is_whole =
            |(name, length): (usize, &usize)| (0..*length).all(|piece| pieces.contains(&(name, piece)));
        if !pieces.is_empty() && self.lengths.iter().enumerate().any(is_whole) {
            found.insert(Sort::Name);
        }
        found
    }
}

/// The members of a list, or the one thing that stands in its place.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Value::Array(list) => (list.as_slice(), None),
        Value::Null => (&[][..], None),
        one => (&[][..], Some(one)),
    };
    list.iter().chain(one)
}

/// A text of an address without its escapes; as it came, if they are wrong.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = bytes
            .get(at + 1..at + 3)
            .filter(|_| *byte == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        out.push(escaped.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// A text of a resource in which what names something stands for itself: without the escapes that hide it.
pub(crate) fn unescaped(text: &str) -> std::borrow::Cow<'_, str> {
    let has = |escape: &[u8]| memchr::memmem::find(text.as_bytes(), escape).is_some();
    if has(b"\\/") || has(b"\\u") { fhir::json::unescape(text).into() } else { text.into() }
}

/// Passes everything in a text that has the form of `Type/id`, references and addresses alike, to `found`.
pub(crate) fn each_name<'t>(text: &'t str, found: &mut dyn FnMut(&'t str)) {
    let bytes = text.as_bytes();
    for at in memchr::memchr_iter(b'/', bytes) {
        let before = bytes[..at].iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
        if !bytes[at - before].is_ascii_uppercase() {
            continue;
        }
        let is_id = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        let after = bytes[at + 1..].iter().take_while(is_id).count();
        if (1..=64).contains(&after) {
            found(&text[at - before..at + 1 + after]);
        }
    }
}

/// The names a text has in it that are among some.
pub(crate) fn names_among(text: &str, names: &HashSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_name(text, &mut |name| {
        if names.contains(name) {
            found.insert(name.to_owned());
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces() -> Traces {
        let mut traces = Traces::default();
        traces.read(
            "Patient",
            r#"{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"AB-7391"}],"name":[{"family":"四次元","given":["花子"]},{"family":"ヨジゲン","given":["ハナコ"]}],
                "telecom":[{"value":"090-1111-2222"}],"address":[{"line":["架空町九丁目八番七号"]}]}"#,
        );
        traces
    }

    #[test]
    fn a_person_is_found_however_it_is_written() {
        let traces = traces();
        for (text, sort) in [
            ("identifier=urn:x|ab-7391", Some(Sort::Identifier)),
            ("identifier=urn%3Ax%7CAB%2D7391", Some(Sort::Identifier)),
            ("name=%E5%9B%9B%E6%AC%A1%E5%85%83%E8%8A%B1%E5%AD%90", Some(Sort::Name)),
            ("name=よじげん+はなこ", Some(Sort::Name)),
            ("phone=09011112222", Some(Sort::Telecom)),
            ("address=架空町九丁目八番七号", Some(Sort::Address)),
            ("family=四次元&birthdate=1950", Some(Sort::Part)),
            ("family=山田", None),
            ("identifier=%zz", None),
        ] {
            assert_eq!(traces.named(text), sort, "{text}");
        }
        assert!(!traces.is_named("family=四次元") && traces.is_named("ID AB-7391"));
        let found = traces.finder().find("…四次元花子 (AB-7391)…");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [Sort::Identifier, Sort::Name]);
        let is_found = |text: &str| !traces.finder().find(text).is_empty();
        assert!(is_found(r#"{"name":[{"family":"四次元","given":["花子"]}]}"#));
        assert!(!is_found(r#"{"name":[{"family":"四次元","given":["太郎"]}]}"#));
        assert!(!is_found(r#"{"name":[{"family":"山田","given":["花子"]}]}"#));
    }

    #[test]
    fn names_of_resources_are_found_in_references_and_addresses() {
        let mut found = Vec::new();
        let text = r#"{"a":"Patient/p1","b":"https://h/fhir/Observation/o-1/_history/2","c":"Patients/x","d":"text/html","e":"Patient/"}"#;
        each_name(text, &mut |name| found.push(name.to_owned()));
        assert_eq!(found, ["Patient/p1", "Observation/o-1", "Patients/x"]);
        assert_eq!(unescaped(r#""Patient\/\u0070""#), "\"Patient/p\"");
    }
}
