//! The one way in and the one way out.
//!
//! Every write, wherever it comes from, becomes a [`store::Proposal`] here and meets the others at one door; every read
//! is made here. REST, import and pages only translate. Each operation on the record is one file.
//!
//! Every function takes an [`Access`]: who acts, for whom, why. What the log keeps of it are its circumstances; what it
//! may see and do are its rights, which become part of every plan of the store and of every decision of the fold.

mod access;
mod audit;
mod audit_event;
pub mod bundle;
pub mod capability;
mod clock;
mod conditional;
mod create;
mod delete;
mod erase;
mod everything;
mod failure;
mod history;
mod ids;
mod import;
mod inform;
mod jobs;
mod lastn;
mod matching;
mod merge;
mod meta;
pub mod openapi;
mod operations;
pub mod outcome;
pub mod patch;
mod provenance;
mod purge;
mod read;
mod references;
mod request;
mod seal;
mod search_system;
mod search_type;
mod seen;
mod stats;
mod subscriptions;
mod tally;
mod transaction;
mod update;
mod view_run;
mod vitals;

pub use access::Access;
pub use audit::{Audited, Peer, unwritten};
pub use audit_event::{AuditEventRequest, OWN_IDS};
pub use clock::{OsEntropy, SystemClock, now};
pub use conditional::{ATTEMPTS, ConditionalDelete};
pub use erase::{Accounts, EraseRequest};
pub use everything::EverythingRequest;
pub use failure::{Failure, Kind};
pub use history::{HistoryLevel, HistoryPage, HistoryQuery};
pub use ids::IdSource;
pub use import::{Dated, RecordedFrom};
pub use inform::InformRequest;
pub use jobs::{
    BulkDelete, BulkDeleteRequest, Erase, Export, ExportLevel, ExportRequest, Import, ImportRequest, Job,
    Jobs, MadeFile, Output, State as JobState, Work,
};
pub use lastn::LastnRequest;
pub use matching::{EVIDENCE, Grade, MatchModel, MatchRequest, THROUGH};
pub use merge::{MergeRequest, UnmergeRequest};
pub use meta::MetaChange;
pub use operations::{OPERATIONS, Operation, Target};
pub use provenance::Provenance;
pub use purge::PurgeRequest;
pub use references::BrokenReferencesRequest;
pub use request::{Prepared, WriteOptions, once_key};
pub use search_system::SystemSearch;
pub use search_type::SearchAnswer;
pub use search_type::SearchRequest;
pub use seen::Seen;
pub use stats::StatsRequest;
pub use subscriptions::{Bound, Rules as SubscriptionRules, Settings as SubscriptionSettings, Subscriptions};
pub use tally::{FEW, Tally};
pub use transaction::{
    Batch, EntryResponse, Prefer, ReadCondition, described, findings, is_bundle, too_many_entries,
    version_of_etag,
};
pub use view_run::{ViewRunRequest, ViewScope};
pub use vitals::{EVERY, Figure, Look, Taken, Vitals};

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::access::{ConsentMemory, Policy};
use fhir::Limits;
use store::{Budget, Store};

/// What a search may cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchLimits {
    /// Index rows looked at.
    pub rows: u64,
    /// Time.
    pub time: Duration,
    /// Results on a page where none is asked for.
    pub default_count: usize,
    /// Results on a page at most.
    pub max_count: usize,
}

impl Default for SearchLimits {
    fn default() -> SearchLimits {
        SearchLimits { rows: 20_000_000, time: Duration::from_secs(30), default_count: 50, max_count: 1000 }
    }
}

/// A hub: a store and the rules of its doors.
#[derive(Clone)]
pub struct Hub {
    store: Arc<Store>,
    ids: Arc<Mutex<IdSource>>,
    /// Limits on what comes in.
    pub limits: Limits,
    /// Limits on searches.
    pub search_limits: SearchLimits,
    /// Whether a conditional delete may delete several.
    pub conditional_delete: ConditionalDelete,
    /// Whether `$purge` may destroy.
    pub may_purge: bool,
    /// The weights of `$match`, if not those that come with the program.
    pub match_model: Option<Arc<MatchModel>>,
    /// Whom subscriptions may make the hub call.
    pub subscription_rules: Arc<SubscriptionRules>,
    /// From where `$import` may fetch.
    pub import_rules: Arc<SubscriptionRules>,
    /// Where reads are recorded, if they are.
    pub ledger: Option<Arc<ledger::Ledger>>,
    /// Where a person's accounts are, if anybody signs in.
    pub accounts: Option<Arc<dyn Accounts>>,
    pub(crate) bell: Arc<subscriptions::Bell>,
    /// The rules of who may see and do what.
    pub policy: Arc<Policy>,
    consents: Arc<ConsentMemory>,
    seal: seal::Seal,
}

impl Hub {
    /// A hub on a store.
    #[must_use]
    pub fn new(store: Store, limits: Limits, search_limits: SearchLimits) -> Hub {
        let ids = Arc::new(Mutex::new(IdSource::new()));
        let zone = store.zone().clone();
        Hub {
            store: Arc::new(store),
            ids,
            limits,
            search_limits,
            conditional_delete: ConditionalDelete::default(),
            may_purge: false,
            match_model: None,
            subscription_rules: Arc::default(),
            import_rules: Arc::default(),
            ledger: None,
            accounts: None,
            bell: Arc::default(),
            policy: Arc::new(Policy::standard(zone.clone())),
            consents: Arc::new(ConsentMemory::new(zone, clock::now)),
            seal: seal::Seal::new(),
        }
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// An id no resource has, later than the ids given before.
    #[must_use]
    pub fn new_id(&self) -> String {
        match self.ids.lock() {
            Ok(mut ids) => ids.give(),
            Err(poisoned) => poisoned.into_inner().give(),
        }
    }

    /// What a search may cost.
    #[must_use]
    pub fn budget(&self) -> Budget {
        Budget::new(self.search_limits.rows, self.search_limits.time)
    }
}
