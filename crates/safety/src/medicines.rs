//! Which ingredients and groups there are, and how they are recognised: by code, else by name.
//!
//! Codes are looked up in one map. Names are looked for in normalised text (NFKC, lower case, no spaces between Japanese
//! characters) with one automaton, the longest name first, so that ヘパリン is not seen in ヘパリン類似物質; a name in Latin letters
//! must stand alone.

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};
use rustc_hash::FxHashMap;
use unicode_normalization::UnicodeNormalization as _;

use crate::bits::Bits;
use crate::report::Named;
use crate::rows::{ClassRow, MedicineRow, ProductRow};

/// Code systems by which medicines and allergies are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum System {
    Atc,
    RxNorm,
    Yj,
    Snomed,
}

impl System {
    /// The system a URL or OID stands for.
    fn of(url: &str) -> Option<System> {
        Some(match url {
            "http://www.whocc.no/atc" | "urn:oid:2.16.840.1.113883.6.73" => System::Atc,
            "http://www.nlm.nih.gov/research/umls/rxnorm" | "urn:oid:2.16.840.1.113883.6.88" => {
                System::RxNorm
            }
            // 20.2.73 stands in a NamingSystem of JP-CLINS. Price-list and general-name codes begin like YJ codes; so
            // do codes of allergens, after three letters.
            "urn:oid:1.2.392.100495.20.1.73"
            | "urn:oid:1.2.392.100495.20.2.73"
            | "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code"
            | "urn:oid:1.2.392.100495.20.1.72"
            | "urn:oid:1.2.392.100495.20.1.81"
            | "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode"
            | "http://jpfhir.jp/fhir/core/CodeSystem/GCM/JP_JfagyMedicationAllergen_CS" => System::Yj,
            "http://snomed.info/sct" => System::Snomed,
            _ => return None,
        })
    }
}

/// Text as names are looked for in it.
#[must_use]
pub fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in text.nfkc().flat_map(char::to_lowercase) {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        // Spaces divide words of Latin letters only.
        if std::mem::take(&mut space) && c.is_ascii() && out.chars().next_back().is_some_and(|p| p.is_ascii())
        {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// An ingredient, or the group a code names where the ingredient is not known, as found in something written.
#[derive(Clone, Debug, PartialEq)]
pub struct Ingredient {
    /// Its number among the medicines; `None` if only its group is known.
    pub(crate) medicine: Option<usize>,
    /// Itself and the groups it is in.
    pub(crate) is: Bits,
    /// Its name.
    pub name: Named,
    /// Milligrams in one piece, where the name says so.
    pub strength: Option<f64>,
    /// Whether it acts where it is put.
    pub is_local: bool,
    /// Whether it is injected: amounts are others then.
    pub is_injected: bool,
}

struct Entry {
    id: String,
    name: Named,
    is: Bits,
    local: bool,
    whole: bool,
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Medicine(usize),
    Class(usize),
}

/// The ingredients and groups.
#[derive(Default)]
pub struct Medicines {
    medicines: Vec<Entry>,
    classes: Vec<Entry>,
    subjects: FxHashMap<String, usize>,
    codes: FxHashMap<(System, String), Vec<usize>>,
    class_codes: FxHashMap<String, Vec<usize>>,
    atc_prefixes: Vec<(String, usize)>,
    targets: Vec<Vec<Target>>,
    names: Option<AhoCorasick>,
}

impl std::fmt::Debug for Medicines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} medicines, {} classes", self.medicines.len(), self.classes.len())
    }
}

/// A name found in a text, with the bytes it stands at.
struct Hit {
    targets: Vec<Target>,
    start: usize,
    end: usize,
}

/// Words that say that a medicine acts where it is put.
const LOCAL: &[&str] = &[
    "クリーム",
    "軟膏",
    "ローション",
    "ゲル",
    "点眼",
    "点鼻",
    "点耳",
    "うがい",
    "含嗽",
    "外用",
    "塗布",
    "パップ",
    "テープ",
    "貼付",
    "湿布",
    "トローチ",
];
const LOCAL_WORDS: &[&str] =
    &["cream", "ointment", "lotion", "topical", "gel", "ophthalmic", "otic", "nasal", "eye", "ear", "patch"];

/// Whether a normalised name says so.
fn is_local_name(text: &str) -> bool {
    LOCAL.iter().any(|word| text.contains(word))
        || text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| LOCAL_WORDS.contains(&word))
}

fn is_injected_name(text: &str) -> bool {
    ["注", "点滴"].iter().any(|word| text.contains(word))
        || text
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|word| matches!(word, "injection" | "injectable" | "infusion" | "syringe"))
}

/// How a medicine comes into the body, as far as rules tell it apart.
#[derive(Clone, Copy, Default)]
struct Way {
    is_local: bool,
    is_injected: bool,
}

impl Medicines {
    pub(crate) fn new(
        rows: Vec<MedicineRow>,
        class_rows: Vec<ClassRow>,
        products: Vec<ProductRow>,
    ) -> Result<Medicines, String> {
        let count = rows.len();
        let mut subjects = FxHashMap::default();
        for (at, id) in rows.iter().map(|m| &m.id).chain(class_rows.iter().map(|c| &c.id)).enumerate() {
            if subjects.insert(id.clone(), at).is_some() {
                return Err(format!("'{id}' is there twice"));
            }
        }
        let find = |id: &str| subjects.get(id).copied().ok_or_else(|| format!("there is no '{id}'"));
        let mut codes: FxHashMap<(System, String), Vec<usize>> = FxHashMap::default();
        let mut names: FxHashMap<String, Vec<Target>> = FxHashMap::default();
        let mut medicines = Vec::with_capacity(count);
        for (at, row) in rows.iter().enumerate() {
            let listed = [(System::Atc, &row.atc), (System::Yj, &row.yj), (System::RxNorm, &row.rx)];
            for (system, code) in listed.into_iter().flat_map(|(s, list)| list.iter().map(move |c| (s, c))) {
                codes.entry((system, code.clone())).or_default().push(at);
            }
            let english = if row.en.is_empty() { vec![row.id.replace('-', " ")] } else { row.en.clone() };
            for name in row.ja.iter().chain(&english) {
                names.entry(normalised(name)).or_default().push(Target::Medicine(at));
            }
            let name = Named {
                ja: row.ja.first().cloned().unwrap_or_else(|| row.id.clone()),
                en: english.first().cloned().unwrap_or_default(),
            };
            let mut is = Bits::default();
            is.insert(at);
            medicines.push(Entry { id: row.id.clone(), name, is, local: row.local, whole: row.whole });
        }
        for row in &products {
            for id in &row.of {
                codes.entry((System::RxNorm, row.rx.clone())).or_default().push(find(id)?);
            }
        }
        let (mut classes, mut class_codes, mut atc_prefixes) = (Vec::new(), FxHashMap::default(), Vec::new());
        for (at, row) in class_rows.iter().enumerate() {
            let subject = count + at;
            for name in row.ja.iter().chain(&row.en) {
                names.entry(normalised(name)).or_default().push(Target::Class(at));
            }
            for code in &row.snomed {
                class_codes.entry(code.clone()).or_insert_with(Vec::new).push(at);
            }
            atc_prefixes.extend(row.atc.iter().map(|prefix| (prefix.clone(), at)));
            let of_code =
                |m: &MedicineRow| m.atc.iter().any(|c| row.atc.iter().any(|p| c.starts_with(p.as_str())));
            for (m, medicine) in rows.iter().enumerate().filter(|(_, m)| of_code(m)) {
                if let Some(entry) = medicines.get_mut(m).filter(|_| !row.without.contains(&medicine.id)) {
                    entry.is.insert(subject);
                }
            }
            let name = Named {
                ja: row.ja.first().cloned().unwrap_or_else(|| row.id.clone()),
                en: row.en.first().cloned().unwrap_or_default(),
            };
            let mut is = Bits::default();
            is.insert(subject);
            classes.push(Entry { id: row.id.clone(), name, is, local: false, whole: false });
        }
        // Classes are made of classes: until nothing is added any more.
        loop {
            let mut is_changed = false;
            for (at, row) in class_rows.iter().enumerate() {
                let subject = count + at;
                for member in &row.of {
                    let member = find(member)?;
                    let entries = medicines.iter_mut().chain(classes.iter_mut());
                    for entry in entries.filter(|e| e.is.has(member) && !e.is.has(subject)) {
                        if !row.without.contains(&entry.id) {
                            entry.is.insert(subject);
                            is_changed = true;
                        }
                    }
                }
            }
            if !is_changed {
                break;
            }
        }
        let (patterns, targets): (Vec<String>, Vec<Vec<Target>>) = names.into_iter().unzip();
        let names = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Unanchored)
            .build(&patterns)
            .map_err(|e| e.to_string())?;
        let names = Some(names);
        Ok(Medicines { medicines, classes, subjects, codes, class_codes, atc_prefixes, targets, names })
    }

    /// How many ingredients are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.medicines.len()
    }

    /// The number of a medicine or class, and its set.
    pub(crate) fn subject(&self, id: &str) -> Result<usize, String> {
        self.subjects.get(id).copied().ok_or_else(|| format!("there is no medicine or class '{id}'"))
    }

    /// The name of a medicine or class.
    pub(crate) fn name_of(&self, subject: usize) -> Named {
        let count = self.medicines.len();
        let entry = self.medicines.get(subject).or_else(|| self.classes.get(subject.wrapping_sub(count)));
        entry.map(|e| e.name.clone()).unwrap_or_default()
    }

    fn hits(&self, text: &str) -> Vec<Hit> {
        let mut found = Vec::new();
        let Some(names) = &self.names else { return found };
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(hit) = names.find(Input::new(text).span(at..text.len()).anchored(Anchored::No)) {
            let (start, end) = (hit.start(), hit.end());
            let letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
            let is_inside = (start > 0 && letter(start) && letter(start - 1))
                || (end > 0 && letter(end - 1) && letter(end) && text.get(end..) != Some("s"));
            if is_inside {
                at = start + text.get(start..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
                continue;
            }
            if let Some(targets) = self.targets.get(hit.pattern().as_usize()) {
                found.push(Hit { targets: targets.clone(), start, end });
            }
            at = end;
        }
        found
    }

    fn by_codes(&self, codings: &[(String, String)], found: &mut Vec<usize>) {
        for (url, code) in codings {
            let Some(system) = System::of(url) else { continue };
            let code = code.trim();
            let look = |code: &str| self.codes.get(&(system, code.to_owned())).cloned();
            let medicines = match system {
                System::Yj => code.strip_prefix("GCM").unwrap_or(code).get(..7).and_then(look),
                System::Atc => look(code).or_else(|| code.get(..5).and_then(look)),
                _ => look(code),
            };
            found.extend(medicines.into_iter().flatten());
        }
    }

    fn ingredient(&self, medicine: usize, strength: Option<f64>, way: Way) -> Option<Ingredient> {
        let entry = self.medicines.get(medicine)?;
        Some(Ingredient {
            medicine: Some(medicine),
            is: entry.is.clone(),
            name: entry.name.clone(),
            strength,
            is_local: entry.local || (way.is_local && !entry.whole),
            is_injected: way.is_injected,
        })
    }

    /// What is in a medicine, from its codings (system, code), and the texts that name it (displays, text).
    #[must_use]
    pub fn ingredients(&self, codings: &[(String, String)], texts: &[String]) -> Vec<Ingredient> {
        let mut by_code = Vec::new();
        self.by_codes(codings, &mut by_code);
        let mut found: Vec<(usize, Option<f64>)> = Vec::new();
        let mut add =
            |medicine: usize, strength: Option<f64>| match found.iter_mut().find(|f| f.0 == medicine) {
                Some(known) => known.1 = known.1.or(strength),
                None => found.push((medicine, strength)),
            };
        by_code.iter().for_each(|medicine| add(*medicine, None));
        let mut way = Way { is_local: is_local_code(codings), is_injected: is_injected_code(codings) };
        let mut other_strength = None;
        for text in texts {
            let text = normalised(text);
            way.is_local |= is_local_name(&text);
            way.is_injected |= is_injected_name(&text);
            let hits: Vec<Hit> = self.hits(&text);
            let medicines =
                hits.iter().filter(|h| h.targets.iter().any(|t| matches!(t, Target::Medicine(_))));
            let medicines: Vec<&Hit> = medicines.collect();
            if medicines.is_empty() {
                other_strength = other_strength.or_else(|| crate::dosage::strength(&text));
            }
            for (at, hit) in medicines.iter().enumerate() {
                let end = medicines.get(at + 1).map_or(text.len(), |next| next.start);
                let strength = text.get(hit.end..end).and_then(crate::dosage::strength);
                for target in &hit.targets {
                    if let Target::Medicine(medicine) = target {
                        // A name of trade that stands for two ingredients says nothing of either's amount.
                        add(*medicine, strength.filter(|_| hit.targets.len() == 1));
                    }
                }
            }
        }
        if let [(_, strength)] = found.as_mut_slice() {
            *strength = strength.or(other_strength);
        }
        let known: Vec<Ingredient> =
            found.into_iter().filter_map(|(m, strength)| self.ingredient(m, strength, way)).collect();
        if known.is_empty() { self.group(codings, way).into_iter().collect() } else { known }
    }

    /// The group that an ATC code names, where the ingredient is not known.
    fn group(&self, codings: &[(String, String)], way: Way) -> Option<Ingredient> {
        let atc = codings.iter().filter(|(url, _)| System::of(url) == Some(System::Atc));
        let mut is = Bits::default();
        let mut name = None;
        for (_, code) in atc {
            for (_, class) in self.atc_prefixes.iter().filter(|(prefix, _)| code.starts_with(prefix.as_str()))
            {
                if let Some(entry) = self.classes.get(*class) {
                    is.add(&entry.is);
                    name.get_or_insert_with(|| entry.name.clone());
                }
            }
        }
        let Way { is_local, is_injected } = way;
        Some(Ingredient { medicine: None, is, name: name?, strength: None, is_local, is_injected })
    }

    /// What an allergy is to: ingredients and groups.
    pub(crate) fn allergens(&self, codings: &[(String, String)], texts: &[String]) -> Vec<(Bits, Named)> {
        let mut found: Vec<(Bits, Named)> = Vec::new();
        let mut add = |entry: &Entry| {
            if !found.iter().any(|(is, _)| *is == entry.is) {
                found.push((entry.is.clone(), entry.name.clone()));
            }
        };
        let mut by_code = Vec::new();
        self.by_codes(codings, &mut by_code);
        by_code.iter().filter_map(|m| self.medicines.get(*m)).for_each(&mut add);
        for (url, code) in codings {
            if System::of(url) == Some(System::Snomed) {
                let classes = self.class_codes.get(code).into_iter().flatten();
                classes.filter_map(|c| self.classes.get(*c)).for_each(&mut add);
            }
        }
        for text in texts {
            for hit in self.hits(&normalised(text)) {
                for target in &hit.targets {
                    match target {
                        Target::Medicine(m) => self.medicines.get(*m).into_iter().for_each(&mut add),
                        Target::Class(c) => self.classes.get(*c).into_iter().for_each(&mut add),
                    }
                }
            }
        }
        if found.is_empty() {
            found.extend(self.group(codings, Way::default()).map(|group| (group.is, group.name)));
        }
        found
    }
}

/// Whether a YJ code is one for outer use (digits 5 to 7 from 700 on) but neither suppository nor inhalation; or an ATC code
/// of skin, eyes, ears or nose.
fn is_local_code(codings: &[(String, String)]) -> bool {
    codings.iter().any(|(url, code)| match System::of(url) {
        Some(System::Yj) => {
            let route = code.get(4..7).and_then(|digits| digits.parse::<u32>().ok());
            route.is_some_and(|digits| digits >= 700) && !matches!(code.as_bytes().get(7), Some(b'J' | b'G'))
        }
        Some(System::Atc) => {
            ["D0", "D1", "S0", "M02A", "C05A", "C05B", "R01A"].iter().any(|p| code.starts_with(p))
                && !["D01B", "D05B", "D10BA"].iter().any(|p| code.starts_with(p))
        }
        _ => false,
    })
}

/// Whether a YJ code is one for injection: digits 5 to 7 from 400 to 699.
fn is_injected_code(codings: &[(String, String)]) -> bool {
    codings.iter().filter(|(url, _)| System::of(url) == Some(System::Yj)).any(|(_, code)| {
        let route = code.get(4..7).and_then(|digits| digits.parse::<u32>().ok());
        route.is_some_and(|digits| (400..700).contains(&digits))
    })
}
