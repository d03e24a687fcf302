//! A criterion, linked to the store's numbers: which ranges of value keys to scan, and a test for one entry.
//!
//! The two are written side by side in one file a parameter type, and hold together by one rule: an entry that passes
//! the test lies in one of the scans. Scans may take in more; the test decides.

mod date;
mod number;
mod quantity;
mod reference;
mod string;
mod token;
mod uri;

use fhir::date_time::Micros;
use fhir::{TypeId, r4};

use crate::extract::part_extra;
use crate::parameters::{Parameter, Storage};
use crate::query::Value;

/// The store's numbers, for reading: what has none was never seen, and nothing can match it.
pub trait Numbers {
    /// The number of a code system.
    fn system(&self, uri: &str) -> Option<u32>;
    /// The number of a resource.
    fn resource(&self, resource_type: TypeId, id: &str) -> Option<u64>;
    /// The numbers of the code systems in which case matters.
    fn case_sensitive_systems(&self) -> Vec<u32>;
}

/// The moment `ap` on dates measures its distance from.
#[derive(Clone, Copy, Debug)]
pub struct Now(pub Micros);

/// A part of a parameter's value keys to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scan {
    /// The keys from `start` to before `end`.
    Range {
        /// First key.
        start: Vec<u8>,
        /// First key after them.
        end: Vec<u8>,
        /// Whether they are all of one value, so that within the range entries stand in the order of resources.
        is_one_value: bool,
        /// For dates: the class all keys are of, so that a class the index has none of can be skipped.
        date_class: Option<u8>,
    },
    /// For every variable part found after `prefix`, the inner scans after it.
    Each {
        /// What stands before the variable part.
        prefix: Vec<u8>,
        /// The shape of the variable part.
        part: Part,
        /// What to look at after it.
        inner: Vec<Scan>,
    },
}

/// A variable part of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// A system's number.
    System,
    /// A unit and its system's number.
    Unit,
}

impl Part {
    /// Its length at the start of `key`.
    #[must_use]
    pub fn length(self, key: &[u8]) -> Option<usize> {
        let text = match self {
            Part::System => 0,
            Part::Unit => key.iter().position(|b| *b == 0)? + 1,
        };
        let whole = text + crate::entry::SYSTEM_BYTES;
        (key.len() >= whole).then_some(whole)
    }
}

impl Scan {
    fn range(start: Vec<u8>, end: Vec<u8>) -> Scan {
        Scan::Range { start, end, is_one_value: false, date_class: None }
    }

    /// All keys of one value.
    fn one(value: Vec<u8>) -> Scan {
        let end = after_prefix(&value);
        Scan::Range { start: value, end, is_one_value: true, date_class: None }
    }

    /// All keys that begin with these bytes.
    fn prefix(prefix: Vec<u8>) -> Scan {
        let end = after_prefix(&prefix);
        Scan::range(prefix, end)
    }

    fn all() -> Scan {
        Scan::range(Vec::new(), vec![0xff; 4])
    }

    /// The same after more bytes.
    fn after(self, before: &[u8]) -> Scan {
        let join = |tail: Vec<u8>| [before, &tail].concat();
        match self {
            Scan::Range { start, end, is_one_value, .. } => {
                Scan::Range { start: join(start), end: join(end), is_one_value, date_class: None }
            }
            Scan::Each { prefix, part, inner } => Scan::Each { prefix: join(prefix), part, inner },
        }
    }

    /// Several parts of a composite, one after the other: what is fixed of the first decides where the next begins.
    fn then(self, next: &[Scan]) -> Vec<Scan> {
        match self {
            Scan::Range { start, is_one_value: true, .. } => {
                next.iter().cloned().map(|n| n.after(&start)).collect()
            }
            Scan::Range { .. } => vec![match self {
                Scan::Range { start, end, .. } => Scan::range(start, end),
                other => other,
            }],
            Scan::Each { prefix, part, inner } => {
                let inner = inner.into_iter().flat_map(|i| i.then(next)).collect();
                vec![Scan::Each { prefix, part, inner }]
            }
        }
    }
}

/// The first key after all that begin with `prefix`.
#[must_use]
pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0xff; 8]
}

/// Decides about one entry.
#[derive(Clone, Debug)]
pub enum Test {
    /// Every entry passes (`:missing=false`).
    Any,
    /// None does.
    Never,
    /// A code.
    Token(token::TokenTest),
    /// A text.
    String(string::StringTest),
    /// An interval of time.
    Date(date::DateTest),
    /// A number.
    Number(number::NumberTest),
    /// A quantity.
    Quantity(quantity::QuantityTest),
    /// A reference.
    Reference(reference::ReferenceTest),
    /// A URI.
    Uri(uri::UriTest),
    /// All parts.
    Composite(Vec<Test>),
}

impl Test {
    /// Whether an entry passes.
    #[must_use]
    pub fn passes(&self, key: &[u8], extra: &[u8]) -> bool {
        match self {
            Test::Any => true,
            Test::Never => false,
            Test::Composite(parts) => {
                let mut rest = key;
                for (at, part) in parts.iter().enumerate() {
                    match part.consume(rest, part_extra(extra, at)) {
                        Some((true, after)) => rest = after,
                        _ => return false,
                    }
                }
                true
            }
            _ => self.consume(key, extra).is_some_and(|(passes, _)| passes),
        }
    }

    /// Whether the value at the start of a key passes, and what follows it.
    fn consume<'k>(&self, key: &'k [u8], extra: &[u8]) -> Option<(bool, &'k [u8])> {
        match self {
            Test::Token(test) => test.consume(key, extra),
            Test::String(test) => test.consume(key, extra),
            Test::Date(test) => test.consume(key),
            Test::Number(test) => test.consume(key),
            Test::Quantity(test) => test.consume(key),
            Test::Reference(test) => test.consume(key, extra),
            Test::Uri(test) => test.consume(key, extra),
            Test::Any | Test::Never | Test::Composite(_) => None,
        }
    }
}

/// One value of one parameter's entries.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// The number the entries stand under.
    pub number: u8,
    /// Only references to this type (a type's number).
    pub only_type: Option<u8>,
    /// Decides about an entry.
    pub test: Test,
    /// Where to look.
    pub scans: Vec<Scan>,
}

impl Alternative {
    /// Whether an entry of this parameter passes.
    #[must_use]
    pub fn passes(&self, key: &[u8], extra: &[u8]) -> bool {
        self.only_type.is_none_or(|only| reference::may_be_of_type(key, only)) && self.test.passes(key, extra)
    }
}

/// A criterion on one parameter.
#[derive(Clone, Debug)]
pub struct Condition {
    /// One of these holds…
    pub alternatives: Vec<Alternative>,
    /// … or, negated, none does.
    pub is_negated: bool,
}

impl Condition {
    /// Values of a parameter.
    #[must_use]
    pub fn values(
        parameter: &Parameter,
        any_of: &[Value],
        is_negated: bool,
        numbers: &dyn Numbers,
        now: Now,
    ) -> Condition {
        let linked: Vec<(Test, Vec<Scan>)> = any_of.iter().map(|value| link(value, numbers, now)).collect();
        Condition { alternatives: alternatives(parameter, &linked), is_negated }
    }

    /// A reference to one of these resources (type's number, resource's number).
    #[must_use]
    pub fn references(parameter: &Parameter, resources: &[(u8, u64)]) -> Condition {
        let linked = if resources.is_empty() { Vec::new() } else { vec![reference::to_any(resources)] };
        Condition { alternatives: alternatives(parameter, &linked), is_negated: false }
    }

    /// Whether a parameter has a value at all.
    #[must_use]
    pub fn presence(parameter: &Parameter, is_missing: bool) -> Condition {
        let linked = [(Test::Any, vec![Scan::all()])];
        let alternatives = alternatives(parameter, &linked);
        Condition { alternatives, is_negated: is_missing }
    }

    /// Whether the entries of a resource (number, key, extra) satisfy it.
    #[must_use]
    pub fn holds<'e>(&self, entries: impl Iterator<Item = (u8, &'e [u8], &'e [u8])>) -> bool {
        let mut entries = entries;
        let found = entries.any(|(number, key, extra)| self.admits(number, key, extra));
        found != self.is_negated
    }

    /// Whether an entry satisfies one of the alternatives.
    #[must_use]
    pub fn admits(&self, number: u8, key: &[u8], extra: &[u8]) -> bool {
        self.alternatives.iter().any(|a| a.number == number && a.passes(key, extra))
    }
}

fn alternatives(parameter: &Parameter, linked: &[(Test, Vec<Scan>)]) -> Vec<Alternative> {
    let only_type = match parameter.storage {
        Storage::OnlyType(_, only) => r4().resource_number(only),
        _ => None,
    };
    let mut found = Vec::new();
    for number in parameter.numbers() {
        for (test, scans) in linked {
            if !matches!(test, Test::Never) {
                found.push(Alternative { number, only_type, test: test.clone(), scans: scans.clone() });
            }
        }
    }
    found
}

fn link(value: &Value, numbers: &dyn Numbers, now: Now) -> (Test, Vec<Scan>) {
    match value {
        Value::Token(system, code) => token::link(system, code.as_deref(), numbers),
        Value::StartsWith(text) => string::starts_with(text),
        Value::Exactly(text) => string::exactly(text),
        Value::Contains(text) => string::contains_text(text),
        Value::Date(prefix, interval) => date::link(*prefix, *interval, now),
        Value::Number(prefix, number) => number::link(*prefix, number),
        Value::Quantity(prefix, number, system, unit) => {
            quantity::link(*prefix, number, system.as_deref(), unit.as_deref(), numbers)
        }
        Value::Reference(reference) => reference::link(reference, numbers),
        Value::Uri(uri) => uri::link(uri),
        Value::Composite(parts) => {
            let linked: Vec<(Test, Vec<Scan>)> = parts.iter().map(|p| link(p, numbers, now)).collect();
            if linked.iter().any(|(test, _)| matches!(test, Test::Never)) {
                return (Test::Never, Vec::new());
            }
            let (tests, mut scans): (Vec<Test>, Vec<Vec<Scan>>) = linked.into_iter().unzip();
            // From the last part to the first: each scan is continued by those of what follows.
            let mut tail = scans.pop().unwrap_or_default();
            while let Some(part) = scans.pop() {
                tail = part.into_iter().flat_map(|s| s.then(&tail)).collect();
            }
            (Test::Composite(tests), tail)
        }
    }
}
