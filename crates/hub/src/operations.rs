//! The operations there are: the table that the doors and the OpenAPI description work with.

use crate::{everything, jobs};

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name, with the `$`.
    pub name: &'static str,
    /// What it does.
    pub documentation: &'static str,
    /// What it is called on.
    pub on: &'static [Target],
    /// The parameters it takes in the address.
    pub parameters: &'static [&'static str],
    /// Whether GET calls it.
    pub is_read: bool,
    /// Whether POST calls it, with a Parameters resource.
    pub is_posted: bool,
}

/// What an operation is called on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The whole hub.
    System,
    /// A type.
    Type(&'static str),
    /// One resource of a type.
    Instance(&'static str),
    /// One resource of any type.
    AnyInstance,
}

/// All of them, by name.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "$broken-references",
        documentation: "References to resources of this hub that are not there",
        on: &[Target::System],
        parameters: &["_count", "_cursor"],
        is_read: true,
        is_posted: false,
    },
    Operation {
        name: "$everything",
        documentation: "The whole record of a person, or of an encounter",
        on: &[Target::Instance("Patient"), Target::Instance("Encounter")],
        parameters: everything::NAMES,
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$export",
        documentation: "Bulk export as a job; sent with Prefer: respond-async",
        on: &[Target::System, Target::Type("Patient"), Target::Instance("Group")],
        parameters: jobs::EXPORT_NAMES,
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$meta",
        documentation: "Profiles, tags and security labels",
        on: &[Target::AnyInstance],
        parameters: &[],
        is_read: true,
        is_posted: false,
    },
    Operation {
        name: "$meta-add",
        documentation: "Adds profiles, tags and security labels",
        on: &[Target::AnyInstance],
        parameters: &[],
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$meta-delete",
        documentation: "Takes profiles, tags and security labels away",
        on: &[Target::AnyInstance],
        parameters: &[],
        is_read: false,
        is_posted: true,
    },
];
