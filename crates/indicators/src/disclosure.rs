//! Disclosure control: tables of counts that can be published without telling of few persons.
//!
//! A count of 1 to k − 1 is not published (*primary*). With totals beside it that is not enough: what is left out follows from
//! what is there. So further counts are left out (*complementary*), until nothing follows. What follows is not judged by a rule
//! of thumb: everything that is published, in every table about the same persons and in earlier releases, is one system of
//! equations ([`System`]), and a table is safe if there are other whole numbers that fit all of it as well and differ enough in
//! every count that must not be known ([`Proof`]).
//!
//! The solver (floating point) only proposes such numbers; that they fit is checked in integers. A wrong proposal costs a count
//! more that is left out, never a person.
//!
//! * The interval of a suppressed count is at least `width` wide, by default k − 2: no narrower than 1 to k − 1, which the
//!   suppression itself tells. Two suppressed counts of one line therefore have a known sum of k or more.
//! * Strata: where groups overlap (0–17, 0–18), what lies between them (18) is protected though no table shows it.
//! * Zeros are published or treated like small counts, as the rule says; who attacks is taken to know the rule.
//! * Not covered: an attacker who knows persons in the table, or who runs this program on guesses of it.

mod audit;
mod link;
mod proportion;
mod protect;
mod search;
mod system;
mod table;

pub use self::audit::{Audit, Finding, audit};
pub use self::proportion::{Proportion, proportion_table, proportions};
pub use self::protect::{Published, Shown, protect};
pub use self::system::{Proof, System};
pub use self::table::{Dimension, Error, Group, Rule, Table, Zeros};

#[cfg(test)]
mod attack;
#[cfg(test)]
mod tests;
