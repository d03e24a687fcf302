//! What a person enters: a few kinds of things, each with its fields, its checks, and the resources it becomes.
//!
//! [`kind`] is the table; [`read`] takes a form apart and looks at it; [`build`] makes resources of it and reads them
//! back into fields; [`add`] and [`change`] are the pages.

pub(super) mod add;
pub(super) mod build;
pub(super) mod change;
pub(super) mod choose;
pub(super) mod document;
pub(crate) mod kind;
pub(super) mod read;
pub(super) mod view;
