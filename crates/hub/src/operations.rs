//! The operations there are: the table that the doors and the OpenAPI description work with.

use crate::{erase, everything, jobs, view_run};

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
    /// Any type.
    AnyType,
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
        name: "$bulk-delete",
        documentation: "Deletes what a search finds, as a job; without expected, a preview",
        on: &[Target::AnyType],
        parameters: &["expected"],
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$erase",
        documentation: "Erases a person on lawful request, as a job; with preview, says what it concerns",
        on: &[Target::Instance("Patient")],
        parameters: erase::NAMES,
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$events",
        documentation: "What a subscription was told, by event number",
        on: &[Target::Instance("Subscription")],
        parameters: &["eventsSinceNumber", "eventsUntilNumber", "content"],
        is_read: true,
        is_posted: true,
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
        name: "$get-ws-binding-token",
        documentation: "A token that binds subscriptions to a websocket",
        on: &[Target::Type("Subscription"), Target::Instance("Subscription")],
        parameters: &[],
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$import",
        documentation: "Bulk import by a manifest, as a job; sent with Prefer: respond-async",
        on: &[Target::System],
        parameters: &[],
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$inform",
        documentation: "A clinician told the patient of a diagnosis: takes the tag UNINFORMED away, with a Provenance",
        on: &[Target::Instance("Condition")],
        parameters: &[],
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$lastn",
        documentation: "The newest observations of each code, of any search",
        on: &[Target::Type("Observation")],
        parameters: &["max"],
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$match",
        documentation: "Who a person may be, graded and explained",
        on: &[Target::Type("Patient")],
        parameters: &[],
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$merge",
        documentation: "Joins two Patients that are one person",
        on: &[Target::Type("Patient")],
        parameters: &[],
        is_read: false,
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
    Operation {
        name: "$purge",
        documentation: "Destroys what a resource or a person's record said",
        on: &[Target::AnyInstance],
        parameters: &["keep-current", "before", "preview"],
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$stats",
        documentation: "Statistics of a person's measurements",
        on: &[Target::Type("Observation")],
        parameters: &[],
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$status",
        documentation: "How subscriptions stand",
        on: &[Target::Type("Subscription"), Target::Instance("Subscription")],
        parameters: &[],
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$unmerge",
        documentation: "Takes back what a merge did",
        on: &[Target::Type("Patient")],
        parameters: &[],
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$evaluate-measure",
        documentation: "An indicator, counted over what the one who asks may see, as of any moment",
        on: &[Target::Type("Measure"), Target::Instance("Measure")],
        parameters: &["measure", "periodStart", "periodEnd", "reportType", "subject", "_asOf"],
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$care-gaps",
        documentation: "What is open of one person's care, by indicators, as a document",
        on: &[Target::Type("Measure")],
        parameters: &["periodStart", "periodEnd", "subject", "topic", "measure", "status", "_asOf"],
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$viewdefinition-run",
        documentation: "The rows of a view of SQL on FHIR: a ViewDefinition, or a Parameters with viewResource or viewReference",
        on: &[Target::System],
        parameters: view_run::NAMES,
        is_read: false,
        is_posted: true,
    },
    Operation {
        name: "$care-gaps",
        documentation: "What is open of one person's care, by indicators, as a document",
        on: &[Target::Type("Measure")],
        parameters: &["periodStart", "periodEnd", "subject", "topic", "measure", "status", "_asOf"],
        is_read: true,
        is_posted: true,
    },
    Operation {
        name: "$viewdefinition-run",
        documentation: "The rows of the view that a Library holds",
        on: &[Target::Instance("Library")],
        parameters: view_run::LIBRARY_NAMES,
        is_read: true,
        is_posted: true,
    },
];
