//! What is proposed to the store, and what becomes of it.

use std::sync::Arc;

use fhir::date_time::Micros;
use fhir::{Issue, TypeId};
use search::query::Query;
use search::restriction::Rights;

use crate::draft::Draft;
use crate::error::Error;
use crate::fold::Gone;
use crate::layout::log::Circumstances;
use crate::numbers::Place;

/// A transaction: all of it is committed, or nothing.
#[derive(Debug)]
pub struct Proposal {
    /// Who, for whom, why, by what means.
    pub circumstances: Circumstances,
    /// What is to be done, in this order.
    pub commands: Vec<Command>,
    /// A key under which it is done only once.
    pub once: Option<[u8; 16]>,
    /// When it was recorded, where the data says so (only on import into an empty hub).
    pub recorded: Option<Micros>,
    /// What the writer may do; `None` for one who may do everything.
    pub rights: Option<Arc<Rights>>,
    /// Whether what others refer to may be deleted even where the policy refuses that: an erasure does not wait for them.
    pub may_break_references: bool,
}

/// One thing to be done.
#[derive(Debug)]
pub struct Command {
    /// The type.
    pub resource_type: TypeId,
    /// The id.
    pub id: String,
    /// What.
    pub action: Action,
    /// Only if this is the current version.
    pub if_match: Option<u64>,
    /// Only if a search still finds what the command was planned on.
    pub condition: Option<Box<Condition>>,
    /// The version it was made from: if another is current, it is to be planned anew.
    pub based_on: Option<u64>,
    /// The number of the version to be made, where the data says so (only on import into an empty hub); used if it is
    /// greater than the current version's.
    pub version: Option<u64>,
    /// Whether the hub made the id up. Any other was chosen by the writer, which is a right of its own.
    pub has_new_id: bool,
}

impl Command {
    /// A command without preconditions, on an id the writer chose.
    #[must_use]
    pub fn new(resource_type: TypeId, id: impl Into<String>, action: Action) -> Command {
        let id = id.into();
        Command {
            resource_type,
            id,
            action,
            if_match: None,
            condition: None,
            based_on: None,
            version: None,
            has_new_id: false,
        }
    }
}

/// What a command was planned on. A conditional interaction is planned on what a search finds; whether it still finds
/// that is decided in the order of the log, and if it does not ([`Reason::Moved`]) the command is planned anew.
#[derive(Debug)]
pub struct Condition {
    /// The search.
    pub criteria: Criteria,
    /// The ids of all it found.
    pub found: Vec<String>,
}

/// A search that decides about a command.
#[derive(Debug)]
pub struct Criteria {
    /// As it was written.
    pub text: String,
    /// As it was understood.
    pub query: Query,
}

/// What is to be done with a resource.
#[derive(Debug)]
pub enum Action {
    /// Write a resource that must not exist yet; if the criteria find one, that one is meant instead.
    Create {
        /// The resource.
        draft: Box<Draft>,
        /// The references in it that are searches, understood.
        references: Vec<Criteria>,
        /// `If-None-Exist`
        if_none_exist: Option<Box<Criteria>>,
    },
    /// Write a resource, whether it exists or not.
    Update {
        /// The resource.
        draft: Box<Draft>,
        /// The references in it that are searches, understood.
        references: Vec<Criteria>,
    },
    /// Write a further version whose tags and security labels are just those it says.
    Replace {
        /// The resource.
        draft: Box<Draft>,
        /// The references in it that are searches, understood.
        references: Vec<Criteria>,
    },
    /// Delete it.
    Delete,
    /// Destroy what its versions said, up to this one; not what it says now.
    Destroy {
        /// The last version it concerns.
        up_to: u64,
    },
    /// Only in a replay: write a version whose text is no more.
    Gone(Box<Gone>),
}

/// What became of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its place in the log; `None` if there was nothing to record.
    pub place: Option<Place>,
    /// When.
    pub instant: Micros,
    /// Whether an earlier proposal under the same key is reported.
    pub is_repeated: bool,
    /// What became of each command, in order.
    pub commands: Vec<CommandOutcome>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutcome {
    /// What happened.
    pub effect: Effect,
    /// The type.
    pub resource_type: TypeId,
    /// The id, of the resource found if it was a conditional create.
    pub id: String,
    /// The current version.
    pub version: u64,
    /// When that was recorded.
    pub instant: Micros,
    /// What it refers to that is not there (`Type/id`).
    pub missing: Vec<String>,
}

/// What a command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// There is a resource where there was none.
    Created,
    /// There is a further version.
    Updated,
    /// The version there was says the same already.
    Unchanged,
    /// The resource exists no more.
    Deleted,
    /// There was nothing to delete.
    NothingToDelete,
    /// A conditional create found one.
    Found,
    /// Texts of it are no more.
    Destroyed,
}

/// Why a proposal was not committed. Nothing of it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejection {
    /// A command cannot be done.
    Command {
        /// Which one, from 0.
        index: usize,
        /// Why.
        reason: Reason,
        /// In words.
        issue: Issue,
    },
    /// The store failed.
    Store(Error),
}

/// Why a command cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The current version is not the one required.
    VersionConflict,
    /// What is required to exist does not, or does.
    PreconditionFailed,
    /// Criteria that must find one found several.
    MultipleMatches,
    /// It is not the writer's to do.
    Forbidden,
    /// Nothing is there, and the writer may not choose ids.
    NoChoiceOfIds,
    /// It would leave a reference to what is not there.
    BrokenReference,
    /// What is proposed contradicts itself or cannot be indexed.
    Invalid,
    /// What it was planned on no longer holds: plan it anew.
    Moved,
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Rejection {
        Rejection::Store(error)
    }
}
