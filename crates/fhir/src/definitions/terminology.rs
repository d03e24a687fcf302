//! The code systems and value sets R4 publishes, as far as token search and bindings need them.

use rustc_hash::FxHashMap;

/// Whether `A` and `a` are one code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaseSensitivity {
    /// They differ.
    Sensitive,
    /// They are the same.
    Insensitive,
    /// The system does not say.
    Unknown,
}

/// A code of a system.
#[derive(Clone, Copy, Debug)]
pub struct Concept {
    /// The code.
    pub code: &'static str,
    /// What people read.
    pub display: &'static str,
    /// How many concepts stand above it: its parent is the nearest concept before it with one less.
    pub depth: u16,
}

/// A code system.
#[derive(Debug)]
pub struct CodeSystem {
    /// Canonical URL.
    pub url: &'static str,
    /// Whether case matters.
    pub case_sensitivity: CaseSensitivity,
    /// `complete`, `fragment`, `example`, `not-present`, `supplement`.
    pub content: &'static str,
    /// Computer-friendly name.
    pub name: &'static str,
    /// In the order of publication.
    pub concepts: Vec<Concept>,
}

/// A part of a value set's composition.
#[derive(Debug, Default)]
pub struct ValueSetPart {
    /// Whether it takes codes away.
    pub is_exclude: bool,
    /// The system the codes come from; may be empty.
    pub system: &'static str,
    /// Value sets whose codes it takes.
    pub value_sets: Vec<&'static str>,
    /// Enumerated codes and displays (empty display: the system's own); none means all that pass the filters.
    pub concepts: Vec<(&'static str, &'static str)>,
    /// Property, operator, value.
    pub filters: Vec<(&'static str, &'static str, &'static str)>,
}

/// A value set.
#[derive(Debug)]
pub struct ValueSet {
    /// Canonical URL.
    pub url: &'static str,
    /// Computer-friendly name.
    pub name: &'static str,
    /// Its composition.
    pub parts: Vec<ValueSetPart>,
}

/// Code systems and value sets by URL.
#[derive(Debug, Default)]
pub struct Terminology {
    code_systems: FxHashMap<&'static str, CodeSystem>,
    value_sets: FxHashMap<&'static str, ValueSet>,
}

impl Terminology {
    /// The code system with this URL.
    #[must_use]
    pub fn code_system(&self, url: &str) -> Option<&CodeSystem> {
        self.code_systems.get(url)
    }

    /// The value set with this URL.
    #[must_use]
    pub fn value_set(&self, url: &str) -> Option<&ValueSet> {
        self.value_sets.get(url)
    }

    /// The system every code of a value set comes from, or `None` if there are several or none is named.
    #[must_use]
    pub fn only_system(&self, value_set: &str) -> Option<&'static str> {
        self.only_system_within(value_set, 8)
    }

    fn only_system_within(&self, value_set: &str, depth: u8) -> Option<&'static str> {
        let depth = depth.checked_sub(1)?;
        let set = self.value_set(value_set)?;
        let mut found = None;
        for part in set.parts.iter().filter(|p| !p.is_exclude) {
            let systems: Vec<&'static str> = if part.system.is_empty() {
                part.value_sets.iter().map(|v| self.only_system_within(v, depth)).collect::<Option<_>>()?
            } else {
                vec![part.system]
            };
            for system in systems {
                if found.is_some_and(|f| f != system) {
                    return None;
                }
                found = Some(system);
            }
        }
        found
    }
}

/// Reads the lines from the first `Y` on (see `table.rs` for their shape).
pub(super) fn read(text: &'static str) -> Terminology {
    let mut terminology = Terminology::default();
    let mut system: Option<CodeSystem> = None;
    let mut set: Option<ValueSet> = None;
    for line in text.lines() {
        let mut fields = line.split('\t');
        let kind = fields.next().unwrap_or("");
        let mut next = || fields.next().unwrap_or("");
        match kind {
            "Y" => {
                close(&mut terminology, &mut system, &mut set);
                let url = next();
                let case_sensitivity = match next() {
                    "s" => CaseSensitivity::Sensitive,
                    "i" => CaseSensitivity::Insensitive,
                    _ => CaseSensitivity::Unknown,
                };
                let (content, name) = (next(), next());
                system = Some(CodeSystem { url, case_sensitivity, content, name, concepts: Vec::new() });
            }
            "c" => {
                let depth = next().parse().unwrap_or(0);
                let (code, display) = (next(), next());
                if let Some(system) = &mut system {
                    system.concepts.push(Concept { code, display, depth });
                }
            }
            "V" => {
                close(&mut terminology, &mut system, &mut set);
                let (url, name) = (next(), next());
                set = Some(ValueSet { url, name, parts: Vec::new() });
            }
            "i" | "x" => {
                let system = next();
                let value_sets = next().split(' ').filter(|s| !s.is_empty()).collect();
                if let Some(set) = &mut set {
                    let is_exclude = kind == "x";
                    set.parts.push(ValueSetPart {
                        is_exclude,
                        system,
                        value_sets,
                        ..ValueSetPart::default()
                    });
                }
            }
            "f" | "v" => {
                let (first, second, third) = (next(), next(), next());
                if let Some(part) = set.as_mut().and_then(|s| s.parts.last_mut()) {
                    if kind == "f" {
                        part.filters.push((first, second, third));
                    } else {
                        part.concepts.push((first, second));
                    }
                }
            }
            _ => {}
        }
    }
    close(&mut terminology, &mut system, &mut set);
    terminology
}

fn close(terminology: &mut Terminology, system: &mut Option<CodeSystem>, set: &mut Option<ValueSet>) {
    if let Some(system) = system.take() {
        terminology.code_systems.insert(system.url, system);
    }
    if let Some(set) = set.take() {
        terminology.value_sets.insert(set.url, set);
    }
}
