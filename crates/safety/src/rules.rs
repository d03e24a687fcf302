//! The rules, read from their files and made ready once.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bits::Bits;
use crate::facts::{Facts, Medication};
use crate::medicines::Medicines;
use crate::report::{Named, Report, Source};
use crate::rows::{
    AllergyRow, ClassRow, DoseRow, DuplicateRow, InteractionRow, MedicineRow, PregnancyRow, ProductRow,
    RenalRow, SourceRow,
};

/// A rule with the sets it is about.
#[derive(Debug)]
pub(crate) struct Ready<R> {
    pub(crate) row: R,
    /// What is ordered; of interactions, one side.
    pub(crate) a: Bits,
    /// What it meets; of interactions, the other side.
    pub(crate) b: Bits,
}

/// All rules.
#[derive(Debug)]
pub struct Rules {
    /// The ingredients and groups the rules speak of.
    pub medicines: Medicines,
    sources: FxHashMap<String, SourceRow>,
    pub(crate) allergies: Vec<Ready<AllergyRow>>,
    pub(crate) duplicates: Vec<Ready<DuplicateRow>>,
    pub(crate) interactions: Vec<Ready<InteractionRow>>,
    pub(crate) renal: Vec<Ready<RenalRow>>,
    pub(crate) pregnancy: Vec<Ready<PregnancyRow>>,
    pub(crate) doses: Vec<Ready<DoseRow>>,
}

/// A rule as the documentation lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The rule's id.
    pub id: String,
    /// The rule's version.
    pub version: u32,
    /// The kind of check.
    pub kind: crate::Kind,
}

#[derive(Deserialize)]
struct File<R> {
    #[serde(alias = "medicine", alias = "class", alias = "product", alias = "source")]
    rule: Vec<R>,
}

fn read<R: DeserializeOwned>(name: &str, text: &str) -> Result<Vec<R>, String> {
    let file: File<R> = toml_edit::de::from_str(text).map_err(|e| format!("{name}: {e}"))?;
    Ok(file.rule)
}

macro_rules! file {
    ($name:literal) => {
        read($name, include_str!(concat!("../rules/", $name)))
    };
}

impl Rules {
    /// The rules that come with the hub. Files that do not read give none, and everything is *not checked* then; a test
    /// reads them.
    #[must_use]
    pub fn shipped() -> &'static Rules {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| Rules::load().unwrap_or_else(|_| Rules::none()))
    }

    /// Reads the rules that come with the hub.
    ///
    /// # Errors
    /// If a file does not read, or names a medicine, class or source there is not.
    pub fn load() -> Result<Rules, String> {
        let medicines: Vec<MedicineRow> = file!("medicines.toml")?;
        let classes: Vec<ClassRow> = file!("classes.toml")?;
        let products: Vec<ProductRow> = file!("products.toml")?;
        let sources: Vec<SourceRow> = file!("sources.toml")?;
        let medicines = Medicines::new(medicines, classes, products)?;
        let sources = sources.into_iter().map(|row| (row.id.clone(), row)).collect();
        let mut rules = Rules { sources, ..Rules::of(medicines) };
        let rows: Vec<AllergyRow> = file!("allergy.toml")?;
        rules.allergies = rules.ready(rows, |r| (&r.id, &r.source, &r.order, &r.to))?;
        let rows: Vec<DuplicateRow> = file!("duplicate.toml")?;
        rules.duplicates = rules.ready(rows, |r| (&r.id, &r.source, one(&r.class), one(&r.class)))?;
        let rows: Vec<InteractionRow> = file!("interaction.toml")?;
        rules.interactions = rules.ready(rows, |r| (&r.id, &r.source, &r.a, &r.b))?;
        let rows: Vec<RenalRow> = file!("renal.toml")?;
        rules.renal = rules.ready(rows, |r| (&r.id, &r.source, &r.of, &[]))?;
        let rows: Vec<PregnancyRow> = file!("pregnancy.toml")?;
        rules.pregnancy = rules.ready(rows, |r| (&r.id, &r.source, &r.of, &[]))?;
        let rows: Vec<DoseRow> = file!("dose.toml")?;
        rules.doses = rules.ready(rows, |r| (&r.id, &r.source, &r.of, &[]))?;
        Ok(rules)
    }

    fn none() -> Rules {
        let medicines = Medicines::new(Vec::new(), Vec::new(), Vec::new());
        Rules::of(medicines.unwrap_or_default())
    }

    fn of(medicines: Medicines) -> Rules {
        Rules {
            medicines,
            sources: FxHashMap::default(),
            allergies: Vec::new(),
            duplicates: Vec::new(),
            interactions: Vec::new(),
            renal: Vec::new(),
            pregnancy: Vec::new(),
            doses: Vec::new(),
        }
    }

    fn ready<R>(
        &self,
        rows: Vec<R>,
        parts: impl for<'r> Fn(&'r R) -> (&'r String, &'r String, &'r [String], &'r [String]),
    ) -> Result<Vec<Ready<R>>, String> {
        let set = |id: &str, names: &[String]| {
            names.iter().try_fold(Bits::default(), |mut bits, name| {
                bits.insert(self.medicines.subject(name).map_err(|e| format!("{id}: {e}"))?);
                Ok::<_, String>(bits)
            })
        };
        let made = rows.into_iter().map(|row| {
            let (id, source, a, b) = parts(&row);
            if !self.sources.contains_key(source) {
                return Err(format!("{id}: there is no source '{source}'"));
            }
            let (a, b) = (set(id, a)?, set(id, b)?);
            Ok(Ready { row, a, b })
        });
        made.collect()
    }

    /// A source by its id; a label is that of the medicine.
    pub(crate) fn source(&self, id: &str, medicine: &Named) -> Source {
        let Some(row) = self.sources.get(id) else {
            return Source { name: Named::written(id), year: 0, url: String::new() };
        };
        let name = Named { ja: row.ja.replace("{}", &medicine.ja), en: row.en.replace("{}", &medicine.en) };
        Source { name, year: row.year, url: row.url.clone() }
    }

    #[cfg(test)]
    pub(crate) fn sources(&self) -> impl Iterator<Item = (u16, &str)> {
        self.sources.values().map(|row| (row.year, row.url.as_str()))
    }

    /// What speaks against an order, and what was looked at.
    #[must_use]
    pub fn check(&self, facts: &Facts, order: &Medication) -> Report {
        crate::check::check(self, facts, order)
    }

    /// Every rule, in the order of the files.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        use crate::Kind;
        let mut all = Vec::new();
        let mut add = |kind, id: &String, version| all.push(Listed { id: id.clone(), version, kind });
        self.allergies.iter().for_each(|r| add(Kind::Allergy, &r.row.id, r.row.version));
        self.duplicates.iter().for_each(|r| add(Kind::Duplicate, &r.row.id, r.row.version));
        self.interactions.iter().for_each(|r| add(Kind::Interaction, &r.row.id, r.row.version));
        self.renal.iter().for_each(|r| add(Kind::Renal, &r.row.id, r.row.version));
        self.pregnancy.iter().for_each(|r| add(Kind::Pregnancy, &r.row.id, r.row.version));
        self.doses.iter().for_each(|r| add(Kind::Dose, &r.row.id, r.row.version));
        all
    }
}

/// A name as a list; none if it is empty.
fn one(name: &String) -> &[String] {
    if name.is_empty() { &[] } else { std::slice::from_ref(name) }
}
