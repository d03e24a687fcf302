//! What a check says.

use serde::Deserialize;

/// A kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Against recorded allergies and intolerances.
    Allergy,
    /// Against medicines already taken: the same, or of the same group.
    Duplicate,
    /// Against medicines already taken: known interactions.
    Interaction,
    /// Against the kidneys' function.
    Renal,
    /// Against a pregnancy.
    Pregnancy,
    /// Amounts and age.
    Dose,
}

impl Kind {
    /// All kinds, in the order they are shown.
    pub const ALL: [Kind; 6] =
        [Kind::Allergy, Kind::Duplicate, Kind::Interaction, Kind::Renal, Kind::Pregnancy, Kind::Dose];

    /// Its name in messages and data.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Allergy => "allergy",
            Kind::Duplicate => "duplicate",
            Kind::Interaction => "interaction",
            Kind::Renal => "renal",
            Kind::Pregnancy => "pregnancy",
            Kind::Dose => "dose",
        }
    }
}

/// How much a finding weighs, in the words of its source. It is a reason to look, never a prohibition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look, and go on with care.
    Caution,
    /// Harm is likely enough that another way should be looked for.
    Serious,
    /// The label says not to.
    Contraindicated,
}

impl Severity {
    /// Its name in messages and data.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Caution => "caution",
            Severity::Serious => "serious",
            Severity::Contraindicated => "contraindicated",
        }
    }
}

/// Something with a name in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Named {
    /// In Japanese.
    pub ja: String,
    /// In English.
    pub en: String,
}

impl Named {
    /// The same in both languages: what somebody wrote.
    #[must_use]
    pub fn written(text: &str) -> Named {
        Named { ja: text.to_owned(), en: text.to_owned() }
    }
}

/// Where a rule comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: Named,
    /// The year of the guideline, or as of which a label says so.
    pub year: u16,
    /// Where it can be read.
    pub url: String,
}

/// What of the record a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    /// `AllergyIntolerance/1`, if the resource has an id.
    pub reference: Option<String>,
    /// Its name: that of the ingredient or group, or as written.
    pub name: Named,
    /// As it is written in the record.
    pub written: String,
}

/// One thing that speaks against an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// The rule's version.
    pub version: u32,
    /// The kind of check.
    pub kind: Kind,
    /// How much it weighs.
    pub severity: Severity,
    /// The ingredient that is ordered.
    pub medicine: Named,
    /// What it meets in the record, if it is about something there.
    pub against: Option<Against>,
    /// Where the rule comes from.
    pub source: Source,
    /// The key of its sentence (`words`).
    pub message: &'static str,
    /// The key of what may happen, if the rule says so.
    pub effect: Option<String>,
    /// The key of the way out.
    pub advice: String,
    /// What the sentences are filled with.
    pub arguments: Vec<(&'static str, Named)>,
}

/// What came of a kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Something was found.
    Found,
    /// It was looked at and nothing was found; gaps say what was left out.
    NothingFound,
    /// It does not apply to this person.
    NotApplicable,
    /// It was not looked at; gaps say why.
    NotChecked,
}

impl State {
    /// Its name in messages and data.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Found => "found",
            State::NothingFound => "nothing-found",
            State::NotApplicable => "not-applicable",
            State::NotChecked => "not-checked",
        }
    }
}

/// Why something was not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The medicine that is ordered is none the hub knows.
    OrderNotRecognised(String),
    /// A medicine of the record is none the hub knows.
    MedicineNotRecognised(String),
    /// An allergy of the record is none the hub knows.
    AllergyNotRecognised(String),
    /// No rule of this kind is about this medicine.
    NoRule(Named),
    /// It acts where it is put; the rules are about what is taken.
    LocalUse(Named),
    /// Allergies were not given, or may not be seen.
    AllergiesNotSeen,
    /// Nothing is recorded of allergies, not even that there are none.
    NoAllergyRecorded,
    /// Medicines were not given, or may not be seen.
    MedicinesNotSeen,
    /// Neither eGFR nor creatinine within twelve months.
    NoKidneyFunction,
    /// The rule asks for creatinine clearance; eGFR was taken for it.
    ClearanceNotKnown,
    /// Nothing within a pregnancy's time says whether the person is pregnant.
    PregnancyNotKnown,
    /// The age is not known.
    AgeNotKnown,
    /// The sex is not known.
    SexNotKnown,
    /// How much is taken cannot be read.
    DoseNotReadable(Named),
    /// How often it is taken cannot be read; only single amounts were looked at.
    FrequencyNotReadable(Named),
    /// The amounts are those for adults.
    NoRuleForChildren(Named),
    /// A service outside did not answer.
    ServiceFailed(String),
}

impl Gap {
    /// The key of its sentence, and what fills it.
    #[must_use]
    pub fn message(&self) -> (&'static str, Option<Named>) {
        let written = |text: &str| Some(Named::written(text));
        match self {
            Gap::OrderNotRecognised(text) => ("gap-order-not-recognised", written(text)),
            Gap::MedicineNotRecognised(text) => ("gap-medicine-not-recognised", written(text)),
            Gap::AllergyNotRecognised(text) => ("gap-allergy-not-recognised", written(text)),
            Gap::NoRule(name) => ("gap-no-rule", Some(name.clone())),
            Gap::LocalUse(name) => ("gap-local-use", Some(name.clone())),
            Gap::AllergiesNotSeen => ("gap-allergies-not-seen", None),
            Gap::NoAllergyRecorded => ("gap-no-allergy-recorded", None),
            Gap::MedicinesNotSeen => ("gap-medicines-not-seen", None),
            Gap::NoKidneyFunction => ("gap-no-kidney-function", None),
            Gap::ClearanceNotKnown => ("gap-clearance-not-known", None),
            Gap::PregnancyNotKnown => ("gap-pregnancy-not-known", None),
            Gap::AgeNotKnown => ("gap-age-not-known", None),
            Gap::SexNotKnown => ("gap-sex-not-known", None),
            Gap::DoseNotReadable(name) => ("gap-dose-not-readable", Some(name.clone())),
            Gap::FrequencyNotReadable(name) => ("gap-frequency-not-readable", Some(name.clone())),
            Gap::NoRuleForChildren(name) => ("gap-no-rule-for-children", Some(name.clone())),
            Gap::ServiceFailed(text) => ("gap-service-failed", written(text)),
        }
    }
}

/// What came of one kind of check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The kind.
    pub kind: Kind,
    /// What came of it.
    pub state: State,
    /// What was not looked at, and why.
    pub gaps: Vec<Gap>,
}

/// What a check says of one order.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What speaks against it, the weightiest first.
    pub findings: Vec<Finding>,
    /// What was looked at: one for each kind.
    pub coverage: Vec<Check>,
}

impl Report {
    /// What came of one kind of check.
    #[must_use]
    pub fn check(&self, kind: Kind) -> Option<&Check> {
        self.coverage.iter().find(|check| check.kind == kind)
    }
}
