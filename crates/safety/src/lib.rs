//! Safety at the moment of writing: what speaks against an order, and what was looked at to know.
//!
//! Pure: no clock, no store, nothing read but what is given. [`Facts`] gathers what FHIR resources say of one person;
//! [`Order`] is what is being written; [`Rules::check`] puts both beside rules that are data (`rules/*.toml`, each with its
//! source and a case that shows it) and gives a [`Report`]: findings, and for each kind of check what came of it. What no
//! rule covers is *not checked*, with the reason; it is never silence.
//!
//! * [`medicines`]: which ingredients and groups there are, and by which codes and names they are known.
//! * [`facts`]: allergies, medicines, kidneys, pregnancy, age, from resources (JP Core, US Core and plain R4).
//! * [`dosage`]: how much and how often, from `dosageInstruction` or its text.
//! * [`kidney`]: eGFR and creatinine clearance where they are not recorded.
//! * [`words`]: findings and gaps as sentences, in Japanese and English.
//!
//! Not chosen: a terminology server or a bought database behind it. They can stand beside it through CDS Hooks; what the hub
//! says by itself must be readable, dated and testable by anyone.

mod bits;
#[cfg(test)]
mod cases;
mod check;
pub mod dosage;
pub mod facts;
pub mod kidney;
pub mod medicines;
pub mod report;
mod rows;
pub mod rules;
pub mod words;

pub use facts::{Area, Facts, Medication};
pub use medicines::Medicines;
pub use report::{Check, Finding, Gap, Kind, Named, Report, Severity, Source, State};
pub use rules::Rules;
pub use words::Language;

/// What is being written: a medication like those a person takes already, not yet one of them.
pub type Order = Medication;
