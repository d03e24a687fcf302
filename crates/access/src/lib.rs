//! Who may see and do what, as a value: no clock, no store, nobody asked.
//!
//! A [`Subject`] is who acts, for what purpose and under which scopes. [`Policy`] holds the hub's rules as data. Together
//! they give [`Rights`](search::restriction::Rights), which the store makes part of every plan and of every decision of
//! the fold: a row outside does not exist for the subject.
//!
//! * [`policy`]: the rules, and how they become grants. A rule that a row's index entries cannot decide is refused.
//! * [`scope`]: what an app asks for, in SMART's words. Scopes only take away.
//! * [`consent`]: what a person decided about their own record.
//! * [`subject`]: who acts.

pub mod consent;
mod member;
pub mod policy;
pub mod scope;
pub mod subject;

pub use consent::ConsentMemory;
pub use policy::Policy;
pub use subject::{Purpose, Subject};
