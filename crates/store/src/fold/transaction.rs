//! One proposal being folded: its commands in order, and what becomes of it as one batch.

use std::cell::RefCell;
use std::sync::Arc;

use fhir::date_time::Micros;
use fhir::{Issue, IssueType, r4};
use rocksdb::WriteBatch;
use rustc_hash::FxHashMap;
use search::restriction::Rights;

use super::rights::Gates;
use super::{Entropy, Fold, Recorded};
use crate::engine::{Engine, Families, Family, View};
use crate::error::Error;
use crate::layout::bodies::NONCE_BYTES;
use crate::layout::heads::{Head, State};
use crate::layout::log::{self, CHAIN_BYTES, Content, Entry, Operation};
use crate::layout::meta::{Counters, counters_key};
use crate::layout::{circumstances, heads, once};
use crate::numbers::{PackedId, Place, ResourceNumber};
use crate::proposal::{Action, Command, CommandOutcome, Outcome, Proposal, Reason, Rejection};

/// What a transaction changes in the fold's memory once it is written.
pub(super) struct Changes {
    pub(super) counters: Counters,
    pub(super) chain: [u8; CHAIN_BYTES],
    pub(super) instant: Micros,
    pub(super) totals: FxHashMap<u8, u64>,
    pub(super) classes: FxHashMap<(u8, u8), u16>,
    pub(super) symbols: FxHashMap<String, u32>,
    pub(super) new_symbols: Vec<(String, u32)>,
}

pub(super) struct Done {
    pub(super) batch: WriteBatch,
    pub(super) changes: Changes,
}

/// One proposal being folded.
pub(super) struct Transaction<'f> {
    pub(super) fold: &'f Fold,
    pub(super) view: View<'f>,
    pub(super) families: Families<'f>,
    pub(super) batch: WriteBatch,
    pub(super) place: Place,
    pub(super) index: u32,
    pub(super) commands: Vec<log::Command>,
    /// Numbers of resources met, and whether they were given in this transaction.
    pub(super) numbers: FxHashMap<(u8, PackedId), ResourceNumber>,
    /// Heads to be written.
    pub(super) heads: FxHashMap<ResourceNumber, Head>,
    /// The last head that was read.
    pub(super) last_head: RefCell<Option<(ResourceNumber, Head)>>,
    /// What the versions written refer to, by command.
    pub(super) referred: Vec<(u8, PackedId, usize)>,
    /// The command under way.
    pub(super) command: usize,
    /// What the writer may do, if not everything.
    pub(super) rights: Option<Arc<Rights>>,
    pub(super) gates: Gates<'f>,
    /// Whether the log is folded anew.
    pub(super) is_replay: bool,
    /// Whether it may leave references to what it deletes.
    pub(super) may_break_references: bool,
    /// The chain value of an entry whose own bytes no longer give it.
    pub(super) kept_chain: Option<[u8; CHAIN_BYTES]>,
    /// Resources this transaction has written, each once.
    pub(super) written: FxHashMap<ResourceNumber, usize>,
    pub(super) changes: Changes,
}

/// What the log keeps of a command beside what it did.
pub(super) struct Beside {
    pub(super) if_match: Option<u64>,
    pub(super) criteria: Option<String>,
    pub(super) resolved: Vec<(String, u8, PackedId)>,
}

/// The search a command is conditional on.
pub(super) fn criteria_of(command: &Command) -> Option<String> {
    match (&command.condition, &command.action) {
        (Some(condition), _) => Some(condition.criteria.text.clone()),
        (None, Action::Create { if_none_exist: Some(criteria), .. }) => Some(criteria.text.clone()),
        _ => None,
    }
}

pub(super) fn reject(index: usize, reason: Reason, code: IssueType, message: impl Into<String>) -> Rejection {
    Rejection::Command { index, reason, issue: Issue::error(code, message) }
}

impl<'f> Transaction<'f> {
    pub(super) fn new(
        fold: &'f mut Fold,
        engine: &'f Engine,
        instant: Micros,
    ) -> Result<Transaction<'f>, Error> {
        let place = Place(fold.counters.place.0 + 1);
        fold.memory.members.begin(place);
        Ok(Transaction {
            view: View::newest(engine)?,
            families: engine.families()?,
            batch: WriteBatch::default(),
            place,
            index: 0,
            commands: Vec::new(),
            numbers: FxHashMap::default(),
            heads: FxHashMap::default(),
            last_head: RefCell::default(),
            referred: Vec::new(),
            command: 0,
            rights: None,
            gates: Gates::default(),
            is_replay: false,
            kept_chain: None,
            may_break_references: false,
            written: FxHashMap::default(),
            changes: Changes {
                counters: Counters { place, ..fold.counters },
                chain: fold.chain,
                instant,
                totals: FxHashMap::default(),
                classes: FxHashMap::default(),
                symbols: FxHashMap::default(),
                new_symbols: Vec::new(),
            },
            fold,
        })
    }

    pub(super) fn put(&mut self, family: Family, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.families.put(&mut self.batch, family, key, value);
    }

    pub(super) fn delete(&mut self, family: Family, key: impl AsRef<[u8]>) {
        self.families.delete(&mut self.batch, family, key);
    }

    pub(super) fn run(
        &mut self,
        mut proposal: Proposal,
        entropy: &mut dyn Entropy,
        recorded: Option<&Recorded>,
    ) -> Result<Outcome, Rejection> {
        self.is_replay = recorded.is_some();
        self.rights = proposal.rights.take();
        self.may_break_references = proposal.may_break_references;
        let mut found = vec![None; proposal.commands.len()];
        let mut resolved = vec![Vec::new(); proposal.commands.len()];
        if let Some(recorded) = recorded {
            resolved.clone_from(&recorded.resolved);
            resolved.resize(proposal.commands.len(), Vec::new());
        } else {
            self.resolve(&mut proposal, &mut found, &mut resolved)?;
            for (text, ..) in resolved.iter_mut().flatten() {
                *text = log::salted(text, &entropy.nonce());
            }
        }
        let mut outcomes = Vec::with_capacity(proposal.commands.len());
        for (index, command) in proposal.commands.into_iter().enumerate() {
            if let Some(outcome) = found[index].take() {
                outcomes.push(outcome);
                continue;
            }
            let nonce = recorded.and_then(|r| r.nonces.get(index).copied().flatten());
            let nonce = nonce.unwrap_or_else(|| entropy.nonce());
            let beside = Beside {
                if_match: command.if_match.or(command.based_on),
                criteria: match recorded {
                    Some(recorded) => recorded.criteria.get(index).cloned().flatten(),
                    None => criteria_of(&command).map(|text| log::salted(&text, &entropy.nonce())),
                },
                resolved: std::mem::take(&mut resolved[index]),
            };
            self.command = index;
            outcomes.push(self.command(index, command, nonce, beside)?);
        }
        self.note_broken(&mut outcomes, recorded.is_none())?;
        let instant = self.changes.instant;
        self.kept_chain = recorded.and_then(|r| r.redacted).map(|(_, chain)| chain);
        if self.commands.is_empty() {
            // Nothing to record: not even the numbers given on the way.
            return Ok(Outcome { place: None, instant, is_repeated: false, commands: outcomes });
        }
        let entry = Entry {
            instant,
            circumstances: proposal.circumstances,
            once: proposal.once,
            content: Content::Transaction(std::mem::take(&mut self.commands)),
            redacted_by: recorded.and_then(|r| r.redacted).map(|(by, _)| by),
        };
        self.append(&entry);
        Ok(Outcome { place: Some(self.place), instant, is_repeated: false, commands: outcomes })
    }

    pub(super) fn command(
        &mut self,
        index: usize,
        command: Command,
        nonce: [u8; NONCE_BYTES],
        beside: Beside,
    ) -> Result<CommandOutcome, Rejection> {
        let Some(type_number) = r4().resource_number(command.resource_type) else {
            return Err(reject(index, Reason::Invalid, IssueType::Invalid, "this type has no instances"));
        };
        let name = format!("{}/{}", r4().type_name(command.resource_type), command.id);
        let id = PackedId::new(&command.id);
        if matches!(command.action, Action::Delete | Action::Destroy { .. })
            && command.if_match.is_none()
            && !self.is_numbered(type_number, &id)?
        {
            // What the log does not record must leave no trace, not even a number given.
            return Ok(self.nothing_to_delete(&command));
        }
        if let Some(outcome) = self.permitted(index, &command, type_number, &id)? {
            return Ok(outcome);
        }
        let number = self.number(type_number, &id)?;
        if let Some(earlier) = self.written.insert(number, index) {
            return Err(reject(
                index,
                Reason::Invalid,
                IssueType::Duplicate,
                format!(
                    "{name} is also written by entry {}; a transaction writes a resource once",
                    earlier + 1
                ),
            ));
        }
        let head = self.head(number)?;
        if let Some(wanted) = command.if_match {
            let found = match head.state {
                State::Live => format!("its current version is {}", head.version),
                State::Deleted => "it is deleted".to_owned(),
                State::Unwritten => "it does not exist".to_owned(),
            };
            if head.state != State::Live || head.version != wanted {
                return Err(reject(
                    index,
                    Reason::VersionConflict,
                    IssueType::Conflict,
                    format!(
                        "If-Match requires version {wanted} of {name}, but {found}; read it and apply your change to that"
                    ),
                ));
            }
        }
        if let Some(version) = command.based_on
            && (head.state != State::Live || head.version != version)
        {
            let message = format!("{name} changed while this was being written; try again");
            return Err(reject(index, Reason::Moved, IssueType::Conflict, message));
        }
        let mut head = head;
        if let Some(version) = command.version.and_then(|v| v.checked_sub(1)).filter(|v| *v > head.version) {
            // Earlier versions are not known here.
            head.version = version;
        }
        match command.action {
            Action::Delete => self.end(&command.id, beside, number, head).map_err(Rejection::Store),
            Action::Destroy { up_to } => self.destroy(index, &command.id, number, head, up_to),
            Action::Gone(gone) => self.write_gone(&command.id, number, head, *gone, beside),
            Action::Create { .. } if head.state == State::Live => Err(reject(
                index,
                // What was planned on a search that found nothing is planned anew.
                if command.condition.is_some() { Reason::Moved } else { Reason::Invalid },
                IssueType::Duplicate,
                format!("{name} exists already; update it, or create without an id"),
            )),
            Action::Create { draft, .. } | Action::Update { draft, .. } => {
                self.write(index, &command.id, number, head, *draft, nonce, beside, Operation::Update)
            }
            Action::Replace { draft, .. } => {
                self.write(index, &command.id, number, head, *draft, nonce, beside, Operation::Replace)
            }
        }
    }

    /// Appends an entry to the log, with what is known by it.
    pub(super) fn append(&mut self, entry: &Entry) {
        let bytes = entry.encode();
        self.changes.chain = match self.kept_chain {
            Some(chain) => chain,
            None => log::chain(&self.changes.chain, &bytes),
        };
        let value = [self.changes.chain.as_slice(), &bytes].concat();
        self.put(Family::Log, log::key(self.place), value);
        for (field, text) in (0u8..).zip(entry.circumstances.fields()) {
            if let Some(text) = text {
                self.put(Family::State, circumstances::key(field, text, self.place), []);
            }
        }
        if let Some(key) = &entry.once {
            self.put(Family::State, once::key(key), once::encode(self.place));
        }
    }

    pub(super) fn finish(mut self) -> Done {
        // In the order of numbers: a map's own order must not show.
        let mut heads: Vec<(ResourceNumber, Head)> = std::mem::take(&mut self.heads).into_iter().collect();
        heads.sort_unstable_by_key(|(number, _)| *number);
        for (number, head) in heads {
            self.put(Family::State, heads::key(number), head.encode());
        }
        let counters = self.changes.counters.encode();
        self.put(Family::State, counters_key(), counters);
        Done { batch: self.batch, changes: self.changes }
    }
}
