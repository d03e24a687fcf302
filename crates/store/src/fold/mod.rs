//! The fold: proposals in, one after the other; log entries, versions and index rows out.
//!
//! The fold alone decides (preconditions, conditional references, version numbers), alone gives numbers, and alone
//! writes. What it writes depends on nothing but the settings, the entries before and the bodies, so that the same log
//! folded anew gives the same bytes. A proposal that is rejected leaves no trace.

mod destroy;
mod references;
mod rows;

pub use destroy::Gone;

use fhir::body::{Body, KeptLabels};
use fhir::date_time::Micros;
use fhir::definitions::SearchParameterType;
use fhir::{Issue, IssueType, TypeId, r4};
use rocksdb::WriteBatch;
use rustc_hash::FxHashMap;
use search::{Linker, OTHER_REFERENCES, Zone, parameters};

use crate::draft::{Draft, Substitutions, kept_labels};
use crate::engine::{Engine, Families, Family, View};
use crate::error::{Error, corrupt};
use crate::layout::bodies::{Content as BodyContent, NONCE_BYTES, Version};
use crate::layout::heads::{Head, State};
use crate::layout::log::{self, CHAIN_BYTES, Content, Entry, Operation, Settings};
use crate::layout::meta::{Counters, counters_key, index_key};
use crate::layout::{broken, circumstances, classes, heads, history, ids, live, once, past, symbols, totals};
use crate::numbers::{PackedId, Place, ResourceNumber, Seat};
use crate::proposal::{
    Action, Command, CommandOutcome, Condition, Criteria, Effect, Outcome, Proposal, Reason, Rejection,
};
use crate::references::ReferencePolicy;
use crate::search::{Searcher, SystemNames};

/// What tells the time.
pub trait Clock: Send {
    /// Microseconds since 1970 UTC. May jump; the log's own instants never go back.
    fn now(&mut self) -> Micros;
}

/// What makes nonces.
pub trait Entropy: Send {
    /// Bytes nobody can guess.
    fn nonce(&mut self) -> [u8; NONCE_BYTES];
}

/// More code systems than this are not kept in memory.
const SYMBOL_CACHE: usize = 50_000;

/// The fold and what it remembers between proposals.
pub(crate) struct Fold {
    counters: Counters,
    last_instant: Micros,
    chain: [u8; CHAIN_BYTES],
    settings: Settings,
    zone: Zone,
    totals: FxHashMap<u8, u64>,
    symbols: FxHashMap<String, u32>,
    classes: FxHashMap<(u8, u8), u16>,
    systems: SystemNames,
    pub(crate) references: ReferencePolicy,
}

/// What a replay supplies in place of clock and entropy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) instant: Micros,
    pub(crate) nonces: Vec<Option<[u8; NONCE_BYTES]>>,
    pub(crate) resolved: Vec<Vec<(String, u8, PackedId)>>,
    pub(crate) criteria: Vec<Option<String>>,
}

impl Fold {
    /// The fold of a store as it stands; `None` if its log is empty.
    pub(crate) fn open(engine: &Engine, systems: SystemNames) -> Result<Option<Fold>, Error> {
        let view = View::newest(engine)?;
        let Some(value) = view.get(Family::State, counters_key())? else { return Ok(None) };
        let counters = Counters::decode(&value)
            .ok_or_else(|| corrupt("the counters (state, table m)", "they do not parse"))?;
        let (chain, last) = read_entry(&view, counters.place)?;
        let (_, first) = read_entry(&view, Place(1))?;
        let Content::Settings(settings) = first.content else {
            return Err(corrupt("entry 1 of the log", "it does not state the settings"));
        };
        let zone = zone(&settings)?;
        Ok(Some(Fold {
            counters,
            last_instant: last.instant,
            chain,
            settings,
            zone,
            totals: FxHashMap::default(),
            symbols: FxHashMap::default(),
            classes: FxHashMap::default(),
            systems,
            references: ReferencePolicy::default(),
        }))
    }

    /// Begins a log.
    pub(crate) fn begin(
        engine: &Engine,
        settings: Settings,
        instant: Micros,
        systems: SystemNames,
    ) -> Result<Fold, Error> {
        let zone = zone(&settings)?;
        let mut fold = Fold {
            counters: Counters::default(),
            last_instant: Micros::MIN,
            chain: [0; CHAIN_BYTES],
            settings: settings.clone(),
            zone,
            totals: FxHashMap::default(),
            symbols: FxHashMap::default(),
            classes: FxHashMap::default(),
            systems,
            references: ReferencePolicy::default(),
        };
        let entry = Entry {
            instant,
            circumstances: log::Circumstances::default(),
            once: None,
            content: Content::Settings(settings),
        };
        let mut transaction = Transaction::new(&mut fold, engine, instant)?;
        transaction.append(&entry);
        transaction.put(Family::State, index_key(), parameters().fingerprint().to_be_bytes());
        let done = transaction.finish();
        engine.write(done.batch)?;
        fold.accept(done.changes);
        Ok(fold)
    }

    /// Whether the index was made by a program that would make it the same.
    pub(crate) fn is_index_current(engine: &Engine) -> Result<bool, Error> {
        let made = View::newest(engine)?.get(Family::State, index_key())?;
        Ok(made.is_some_and(|value| *value == parameters().fingerprint().to_be_bytes()))
    }

    /// States new settings, from here on.
    pub(crate) fn restate(
        &mut self,
        engine: &Engine,
        settings: Settings,
        instant: Micros,
    ) -> Result<(), Error> {
        let instant = instant.max(self.last_instant.saturating_add(1));
        let mut transaction = Transaction::new(self, engine, instant)?;
        let circumstances = log::Circumstances::default();
        transaction.append(&Entry {
            instant,
            circumstances,
            once: None,
            content: Content::Settings(settings),
        });
        let done = transaction.finish();
        engine.write(done.batch)?;
        self.accept(done.changes);
        Ok(())
    }

    pub(crate) fn place(&self) -> Place {
        self.counters.place
    }

    pub(crate) fn chain(&self) -> [u8; CHAIN_BYTES] {
        self.chain
    }

    pub(crate) fn last_instant(&self) -> Micros {
        self.last_instant
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Decides about a proposal and hands what follows from it to the engine (not yet synced).
    pub(crate) fn apply(
        &mut self,
        engine: &Engine,
        proposal: Proposal,
        now: Micros,
        entropy: &mut dyn Entropy,
        recorded: Option<&Recorded>,
    ) -> Result<Outcome, Rejection> {
        if let Some(key) = &proposal.once
            && let Some(place) = View::newest(engine)?.get(Family::State, once::key(key))?
        {
            return Ok(self.repeat(engine, once::decode(&place))?);
        }
        let instant = match (recorded, proposal.recorded) {
            (Some(recorded), _) => recorded.instant,
            (None, given) => given.unwrap_or(now).max(self.last_instant.saturating_add(1)),
        };
        let mut transaction = Transaction::new(self, engine, instant)?;
        let outcome = transaction.run(proposal, entropy, recorded)?;
        let done = transaction.finish();
        if outcome.place.is_some() {
            engine.write(done.batch)?;
            self.accept(done.changes);
        }
        Ok(outcome)
    }

    /// Takes over what a written transaction changed.
    fn accept(&mut self, changes: Changes) {
        self.counters = changes.counters;
        self.chain = changes.chain;
        self.last_instant = changes.instant;
        self.totals.extend(changes.totals);
        self.classes.extend(changes.classes);
        if self.symbols.len() > SYMBOL_CACHE {
            self.symbols.clear();
        }
        for (uri, number) in changes.new_symbols {
            self.systems.learn(&uri, number);
            self.symbols.insert(uri, number);
        }
        self.symbols.extend(changes.symbols);
    }

    /// The outcome of an earlier proposal, from the log.
    fn repeat(&self, engine: &Engine, place: Place) -> Result<Outcome, Error> {
        let (_, entry) = read_entry(&View::newest(engine)?, place)?;
        let instant = entry.instant;
        let Content::Transaction(commands) = entry.content else {
            return Err(corrupt(&format!("entry {place} of the log"), "it has no commands"));
        };
        let commands = commands.into_iter().map(|command| CommandOutcome {
            effect: match command.operation {
                Operation::Create => Effect::Created,
                Operation::Update | Operation::Replace => Effect::Updated,
                Operation::Delete => Effect::Deleted,
                Operation::Destroy => Effect::Destroyed,
            },
            resource_type: type_of(command.type_number),
            id: command.id.unpack(),
            version: command.version,
            instant,
            missing: Vec::new(),
        });
        Ok(Outcome { place: Some(place), instant, is_repeated: true, commands: commands.collect() })
    }
}

fn zone(settings: &Settings) -> Result<Zone, Error> {
    Zone::named(&settings.zone).ok_or_else(|| {
        corrupt(
            "entry 1 of the log",
            format!("it names the time zone '{}', which is not known", settings.zone),
        )
    })
}

/// Chain and entry at a place.
pub(crate) fn read_entry(view: &View<'_>, place: Place) -> Result<([u8; CHAIN_BYTES], Entry), Error> {
    let value = view.get(Family::Log, log::key(place))?;
    let value = value.ok_or_else(|| corrupt(&format!("entry {place} of the log"), "it is missing"))?;
    Entry::decode(place, &value)
}

/// The resource type with this number; the hub writes no others.
pub(crate) fn type_of(number: u8) -> TypeId {
    r4().resource_numbered(number).unwrap_or(r4().well_known().resource)
}

/// What a transaction changes in the fold's memory once it is written.
struct Changes {
    counters: Counters,
    chain: [u8; CHAIN_BYTES],
    instant: Micros,
    totals: FxHashMap<u8, u64>,
    classes: FxHashMap<(u8, u8), u16>,
    symbols: FxHashMap<String, u32>,
    new_symbols: Vec<(String, u32)>,
}

struct Done {
    batch: WriteBatch,
    changes: Changes,
}

/// One proposal being folded.
struct Transaction<'f> {
    fold: &'f Fold,
    view: View<'f>,
    families: Families<'f>,
    batch: WriteBatch,
    place: Place,
    index: u32,
    commands: Vec<log::Command>,
    /// Numbers of resources met, and whether they were given in this transaction.
    numbers: FxHashMap<(u8, PackedId), ResourceNumber>,
    /// Heads to be written.
    heads: FxHashMap<ResourceNumber, Head>,
    /// What the versions written refer to, by command.
    referred: Vec<(u8, PackedId, usize)>,
    /// The command under way.
    command: usize,
    /// Whether the log is folded anew.
    is_replay: bool,
    /// Resources this transaction has written, each once.
    written: FxHashMap<ResourceNumber, usize>,
    changes: Changes,
}

/// What the log keeps of a command beside what it did.
struct Beside {
    if_match: Option<u64>,
    criteria: Option<String>,
    resolved: Vec<(String, u8, PackedId)>,
}

/// The search a command is conditional on.
fn criteria_of(command: &Command) -> Option<String> {
    match (&command.condition, &command.action) {
        (Some(condition), _) => Some(condition.criteria.text.clone()),
        (None, Action::Create { if_none_exist: Some(criteria), .. }) => Some(criteria.text.clone()),
        _ => None,
    }
}

fn reject(index: usize, reason: Reason, code: IssueType, message: impl Into<String>) -> Rejection {
    Rejection::Command { index, reason, issue: Issue::error(code, message) }
}

impl<'f> Transaction<'f> {
    fn new(fold: &'f mut Fold, engine: &'f Engine, instant: Micros) -> Result<Transaction<'f>, Error> {
        let place = Place(fold.counters.place.0 + 1);
        Ok(Transaction {
            view: View::newest(engine)?,
            families: engine.families()?,
            batch: WriteBatch::default(),
            place,
            index: 0,
            commands: Vec::new(),
            numbers: FxHashMap::default(),
            heads: FxHashMap::default(),
            referred: Vec::new(),
            command: 0,
            is_replay: false,
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

    fn put(&mut self, family: Family, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.batch.put_cf(self.families.of(family), key, value);
    }

    fn delete(&mut self, family: Family, key: impl AsRef<[u8]>) {
        self.batch.delete_cf(self.families.of(family), key);
    }

    fn run(
        &mut self,
        mut proposal: Proposal,
        entropy: &mut dyn Entropy,
        recorded: Option<&Recorded>,
    ) -> Result<Outcome, Rejection> {
        self.is_replay = recorded.is_some();
        let mut found = vec![None; proposal.commands.len()];
        let mut resolved = vec![Vec::new(); proposal.commands.len()];
        if let Some(recorded) = recorded {
            resolved.clone_from(&recorded.resolved);
            resolved.resize(proposal.commands.len(), Vec::new());
        } else {
            self.resolve(&mut proposal, &mut found, &mut resolved)?;
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
                    None => criteria_of(&command),
                },
                resolved: std::mem::take(&mut resolved[index]),
            };
            self.command = index;
            outcomes.push(self.command(index, command, nonce, beside)?);
        }
        self.note_broken(&mut outcomes, recorded.is_none())?;
        let instant = self.changes.instant;
        if self.commands.is_empty() {
            // Nothing to record: not even the numbers given on the way.
            return Ok(Outcome { place: None, instant, is_repeated: false, commands: outcomes });
        }
        let entry = Entry {
            instant,
            circumstances: proposal.circumstances,
            once: proposal.once,
            content: Content::Transaction(std::mem::take(&mut self.commands)),
        };
        self.append(&entry);
        Ok(Outcome { place: Some(self.place), instant, is_repeated: false, commands: outcomes })
    }

    /// Conditional creates that find one, and conditional references: what they mean is put in before anything is
    /// written.
    fn resolve(
        &mut self,
        proposal: &mut Proposal,
        found: &mut [Option<CommandOutcome>],
        resolved: &mut [Vec<(String, u8, PackedId)>],
    ) -> Result<(), Rejection> {
        for (index, command) in proposal.commands.iter().enumerate() {
            if let Some(condition) = &command.condition {
                self.check(index, condition)?;
            }
        }
        let mut substitutions = Substitutions::new();
        for (index, command) in proposal.commands.iter().enumerate() {
            let Action::Create { if_none_exist: Some(criteria), .. } = &command.action else { continue };
            if let Some(outcome) = self.find_existing(index, criteria)? {
                let own = format!("{}/{}", r4().type_name(command.resource_type), command.id);
                let existing = format!("{}/{}", r4().type_name(outcome.resource_type), outcome.id);
                substitutions.insert(own, existing);
                found[index] = Some(outcome);
            }
        }
        for (index, command) in proposal.commands.iter_mut().enumerate() {
            if found[index].is_some() {
                continue;
            }
            let (draft, references) = match &mut command.action {
                Action::Create { draft, references, .. }
                | Action::Update { draft, references }
                | Action::Replace { draft, references } => (draft, references),
                Action::Delete | Action::Destroy { .. } | Action::Gone(_) => continue,
            };
            let mut own = substitutions.clone();
            for criteria in references.iter() {
                let (type_number, id) = self.find_target(index, criteria)?;
                own.insert(
                    criteria.text.clone(),
                    format!("{}/{}", r4().type_name(type_of(type_number)), id.unpack()),
                );
                resolved[index].push((criteria.text.clone(), type_number, id));
            }
            if own.keys().any(|from| draft.body.text.contains(from.as_str())) {
                **draft = draft
                    .rewritten(&command.id, &own, &KeptLabels::default(), self.fold.zone())
                    .map_err(|issue| Rejection::Command { index, reason: Reason::Invalid, issue })?;
            }
        }
        Ok(())
    }

    /// Whether a search still finds what a command was planned on.
    fn check(&self, index: usize, condition: &Condition) -> Result<(), Rejection> {
        let mut found = Vec::new();
        for number in self.matches(index, &condition.criteria, condition.found.len() + 1)? {
            found.push(self.stored_head(number)?.id.unpack());
        }
        let mut planned = condition.found.clone();
        planned.sort_unstable();
        found.sort_unstable();
        if found == planned {
            return Ok(());
        }
        let text = &condition.criteria.text;
        let message = format!("what {text} finds changed while this was being written; try again");
        Err(reject(index, Reason::Moved, IssueType::Conflict, message))
    }

    /// The first resources that satisfy criteria, at most so many.
    fn matches(
        &self,
        index: usize,
        criteria: &Criteria,
        limit: usize,
    ) -> Result<Vec<ResourceNumber>, Rejection> {
        let searcher =
            Searcher::newest(self.view, self.fold.counters.place, self.fold.last_instant, &self.fold.systems);
        searcher.first_matches(&criteria.query, limit).map_err(|failure| match failure {
            crate::search::Failure::Store(error) => Rejection::Store(error),
            crate::search::Failure::Query(issue) => {
                Rejection::Command { index, reason: Reason::PreconditionFailed, issue }
            }
        })
    }

    fn find_existing(&self, index: usize, criteria: &Criteria) -> Result<Option<CommandOutcome>, Rejection> {
        let name = r4().type_name(criteria.query.resource_type);
        match self.matches(index, criteria, 2)?.as_slice() {
            [] => Ok(None),
            [number] => {
                let head = self.stored_head(*number)?;
                let (instant, _) = self.current(*number, &head)?;
                Ok(Some(CommandOutcome {
                    effect: Effect::Found,
                    resource_type: type_of(head.type_number),
                    id: head.id.unpack(),
                    version: head.version,
                    instant,
                    missing: Vec::new(),
                }))
            }
            _ => Err(reject(
                index,
                Reason::MultipleMatches,
                IssueType::MultipleMatches,
                format!("If-None-Exist {name}?{} finds more than one; make it narrower", criteria.text),
            )),
        }
    }

    fn find_target(&self, index: usize, criteria: &Criteria) -> Result<(u8, PackedId), Rejection> {
        let text = &criteria.text;
        match self.matches(index, criteria, 2)?.as_slice() {
            [number] => {
                let head = self.stored_head(*number)?;
                Ok((head.type_number, head.id))
            }
            [] => Err(reject(
                index,
                Reason::PreconditionFailed,
                IssueType::NotFound,
                format!(
                    "the conditional reference {text} finds nothing; create what it means first, or in the same transaction with urn:uuid"
                ),
            )),
            _ => Err(reject(
                index,
                Reason::MultipleMatches,
                IssueType::MultipleMatches,
                format!("the conditional reference {text} finds more than one; make it narrower"),
            )),
        }
    }

    fn stored_head(&self, number: ResourceNumber) -> Result<Head, Error> {
        let value = self.view.get(Family::State, heads::key(number))?;
        let value = value.ok_or_else(|| {
            corrupt("a head (state, table r)", format!("that of resource {} is missing", number.0))
        })?;
        Head::decode(&value)
    }

    /// Whether a resource has a number.
    fn is_numbered(&self, type_number: u8, id: &PackedId) -> Result<bool, Error> {
        Ok(self.numbers.contains_key(&(type_number, id.clone()))
            || self.view.get(Family::State, ids::key(type_number, id))?.is_some())
    }

    /// The number of a resource, given now if it has none.
    fn number(&mut self, type_number: u8, id: &PackedId) -> Result<ResourceNumber, Error> {
        let key = (type_number, id.clone());
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        let number = match self.view.get(Family::State, ids::key(type_number, id))? {
            Some(value) => ids::decode(&value),
            None => {
                self.changes.counters.resource.0 += 1;
                let number = self.changes.counters.resource;
                self.put(Family::State, ids::key(type_number, id), ids::encode(number));
                self.heads.insert(number, Head::unwritten(type_number, id.clone()));
                number
            }
        };
        self.numbers.insert(key, number);
        Ok(number)
    }

    fn head(&self, number: ResourceNumber) -> Result<Head, Error> {
        match self.heads.get(&number) {
            Some(head) => Ok(head.clone()),
            None => self.stored_head(number),
        }
    }

    fn command(
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
            return Ok(CommandOutcome {
                effect: Effect::NothingToDelete,
                resource_type: command.resource_type,
                id: command.id,
                version: 0,
                instant: self.changes.instant,
                missing: Vec::new(),
            });
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

    /// Writes a version.
    #[allow(clippy::too_many_arguments)] // they are the parts of one command
    fn write(
        &mut self,
        index: usize,
        id: &str,
        number: ResourceNumber,
        mut head: Head,
        mut draft: Draft,
        nonce: [u8; NONCE_BYTES],
        beside: Beside,
        operation: Operation,
    ) -> Result<CommandOutcome, Rejection> {
        let was_live = head.state == State::Live;
        let resource_type = type_of(head.type_number);
        if was_live && head.has_labels && operation != Operation::Replace {
            let (_, old) = self.current(number, &head)?;
            let labels = kept_labels(&old, &draft.body).map_err(|issue| Rejection::Command {
                index,
                reason: Reason::Invalid,
                issue,
            })?;
            if !labels.is_empty() {
                draft = draft
                    .rewritten(id, &Substitutions::new(), &labels, self.fold.zone())
                    .map_err(|issue| Rejection::Command { index, reason: Reason::Invalid, issue })?;
            }
        }
        let size = u32::try_from(draft.body.text.len()).unwrap_or(u32::MAX);
        if was_live && head.size == size {
            let (instant, old) = self.current(number, &head)?;
            if old.text == draft.body.text {
                let (effect, version) = (Effect::Unchanged, head.version);
                let (id, missing) = (id.to_owned(), Vec::new());
                return Ok(CommandOutcome { effect, resource_type, id, version, instant, missing });
            }
        }
        let person = match &draft.extracted.person {
            Some(id) => {
                let patient = r4().resource_number(r4().well_known().patient).unwrap_or(0);
                self.number(patient, &PackedId::new(id))?
            }
            None => ResourceNumber(0),
        };
        let old_seat = head.seat(number);
        let seat = Seat { person, resource: number };
        // In a replay the version before may be one whose text is destroyed: then it has none.
        let has_rows = was_live && head.since.0 > 0;
        let old_rows = if has_rows { self.old_rows(old_seat, &head)? } else { Vec::new() };
        let mut entries = Vec::with_capacity(draft.extracted.entries.len());
        let referred = self.referred.len();
        for entry in std::mem::take(&mut draft.extracted.entries) {
            if entry.parameter == OTHER_REFERENCES
                && let Some((type_number, id)) = search::key::reference::read_by_id(&entry.key)
            {
                self.referred.push((type_number, PackedId::new(id), self.command));
            }
            entries.push(entry.link(self)?);
        }
        if resource_type == r4().well_known().bundle {
            // It refers to its own entries.
            self.referred.truncate(referred);
        }
        let has_moved = has_rows && old_seat != seat;
        let mut change = if has_moved {
            rows::step(&[], entries, self.place)
        } else {
            rows::step(&old_rows, entries, self.place)
        };
        if has_moved {
            change.ended = rows::end(&old_rows);
            self.end_row(head.type_number, live::ALL, &[], old_seat, head.since, live::Flags::default(), &[]);
        }
        for group in &change.ended {
            self.end_row(
                head.type_number,
                group.parameter,
                &group.key,
                old_seat,
                group.from,
                group.flags,
                &group.extra,
            );
        }
        self.note_classes(head.type_number, &change.written)?;
        for group in &change.written {
            let key = live::key(head.type_number, group.parameter, &group.key, seat);
            let row = live::LiveRow { from: group.from, flags: group.flags, extra: &group.extra };
            self.put(Family::Live, key, row.encode());
        }
        if !has_rows || has_moved {
            let key = live::key(head.type_number, live::ALL, &[], seat);
            let row = live::LiveRow { from: self.place, flags: live::Flags::default(), extra: &[] };
            self.put(Family::Live, key, row.encode());
            head.since = self.place;
        }
        if !was_live {
            self.begin_live(&head)?;
        }
        if head.place.0 > 0 && head.person != person {
            head.earlier_persons.push((self.place, head.person));
        }
        let operation = if was_live { operation } else { Operation::Create };
        head.state = State::Live;
        head.version += 1;
        head.place = self.place;
        head.person = person;
        head.size = size;
        head.has_labels = draft.has_labels;
        let rows_key = crate::layout::rows::key(seat, head.type_number, self.place);
        self.put(Family::Rows, &rows_key, crate::layout::rows::encode(&change.rows, self.place));
        let version = Version {
            version: head.version,
            is_creation: !was_live,
            instant: self.changes.instant,
            content: BodyContent::Text { nonce: &nonce, splice: draft.body.splice, text: &draft.body.text },
        };
        self.put(Family::Bodies, &rows_key, version.encode());
        self.note_version(head.type_number, number);
        self.commands.push(log::Command {
            operation,
            type_number: head.type_number,
            id: head.id.clone(),
            if_match: beside.if_match,
            criteria: beside.criteria,
            resolved: beside.resolved,
            body: Some((log::body_hash(&nonce, &draft.body.text), size)),
            resource: number,
            person,
            version: head.version,
        });
        let version = head.version;
        self.heads.insert(number, head);
        Ok(CommandOutcome {
            effect: if was_live { Effect::Updated } else { Effect::Created },
            resource_type,
            id: id.to_owned(),
            version,
            instant: self.changes.instant,
            missing: Vec::new(),
        })
    }

    /// Deletes a resource.
    fn end(
        &mut self,
        id: &str,
        beside: Beside,
        number: ResourceNumber,
        mut head: Head,
    ) -> Result<CommandOutcome, Error> {
        let resource_type = type_of(head.type_number);
        if head.state != State::Live {
            let instant =
                if head.place.0 > 0 { self.current(number, &head)?.0 } else { self.changes.instant };
            return Ok(CommandOutcome {
                effect: Effect::NothingToDelete,
                resource_type,
                id: id.to_owned(),
                version: head.version,
                instant,
                missing: Vec::new(),
            });
        }
        let seat = head.seat(number);
        let has_rows = head.since.0 > 0;
        let old_rows = if has_rows { self.old_rows(seat, &head)? } else { Vec::new() };
        for group in rows::end(&old_rows) {
            self.end_row(
                head.type_number,
                group.parameter,
                &group.key,
                seat,
                group.from,
                group.flags,
                &group.extra,
            );
        }
        if has_rows {
            self.end_row(head.type_number, live::ALL, &[], seat, head.since, live::Flags::default(), &[]);
        }
        self.count(head.type_number, -1)?;
        self.put(Family::State, broken::key(head.type_number, &head.id), []);
        head.state = State::Deleted;
        head.version += 1;
        head.place = self.place;
        head.size = 0;
        let version = Version {
            version: head.version,
            is_creation: false,
            instant: self.changes.instant,
            content: BodyContent::Deletion,
        };
        self.put(
            Family::Bodies,
            crate::layout::rows::key(seat, head.type_number, self.place),
            version.encode(),
        );
        self.note_version(head.type_number, number);
        self.commands.push(log::Command {
            operation: Operation::Delete,
            type_number: head.type_number,
            id: head.id.clone(),
            if_match: beside.if_match,
            criteria: beside.criteria,
            resolved: beside.resolved,
            body: None,
            resource: number,
            person: head.person,
            version: head.version,
        });
        let version = head.version;
        self.heads.insert(number, head);
        Ok(CommandOutcome {
            effect: Effect::Deleted,
            resource_type,
            id: id.to_owned(),
            version,
            instant: self.changes.instant,
            missing: Vec::new(),
        })
    }

    /// When a resource's current version was recorded, and its body (empty for a deletion).
    fn current(&self, number: ResourceNumber, head: &Head) -> Result<(Micros, Body), Error> {
        let key = crate::layout::rows::key(head.seat(number), head.type_number, head.place);
        let value = self.view.get(Family::Bodies, key)?;
        let value = value.ok_or_else(|| {
            corrupt("a body (family bodies)", format!("that of resource {} is missing", number.0))
        })?;
        let version = Version::decode(&value)?;
        Ok((version.instant, destroy::text_of(&version)))
    }

    fn old_rows(&self, seat: Seat, head: &Head) -> Result<Vec<crate::layout::rows::Row>, Error> {
        let key = crate::layout::rows::key(seat, head.type_number, head.place);
        let value = self.view.get(Family::Rows, key)?;
        let value = value.ok_or_else(|| {
            corrupt(
                "a version's entries (family rows)",
                format!("those of resource {} are missing", seat.resource.0),
            )
        })?;
        crate::layout::rows::decode(&value, head.place)
    }

    /// Moves a row from `live` to `past`.
    #[allow(clippy::too_many_arguments)] // they are the parts of one row
    fn end_row(
        &mut self,
        type_number: u8,
        parameter: u8,
        value: &[u8],
        seat: Seat,
        from: Place,
        flags: live::Flags,
        extra: &[u8],
    ) {
        let key = live::key(type_number, parameter, value, seat);
        self.delete(Family::Live, &key);
        let row = past::PastRow { to: self.place, flags, extra };
        self.put(Family::Past, past::key(&key, from), row.encode());
    }

    /// Adds to the total of a type.
    fn count(&mut self, type_number: u8, change: i64) -> Result<(), Error> {
        let known =
            self.changes.totals.get(&type_number).or_else(|| self.fold.totals.get(&type_number)).copied();
        let total = match known {
            Some(total) => total,
            None => stored_total(&self.view, type_number, self.place)?,
        };
        let total = total.saturating_add_signed(change);
        self.changes.totals.insert(type_number, total);
        self.put(Family::State, totals::key(type_number, self.place), totals::encode(total));
        Ok(())
    }

    /// Lists the version in its type's history.
    fn note_version(&mut self, type_number: u8, number: ResourceNumber) {
        self.put(Family::State, history::key(type_number, self.place, self.index), history::encode(number));
        self.index += 1;
    }

    /// Notes classes of dates that occur for the first time.
    fn note_classes(&mut self, type_number: u8, groups: &[rows::Group]) -> Result<(), Error> {
        let set = parameters().of(type_of(type_number));
        for group in groups {
            let is_date = set
                .parameters
                .get(usize::from(group.parameter))
                .is_some_and(|p| p.kind == SearchParameterType::Date);
            let Some(class) = group.key.first().filter(|_| is_date) else { continue };
            self.note_class(type_number, group.parameter, *class)?;
        }
        Ok(())
    }

    fn note_class(&mut self, type_number: u8, parameter: u8, class: u8) -> Result<(), Error> {
        let key = (type_number, parameter);
        let known = self.changes.classes.get(&key).or_else(|| self.fold.classes.get(&key)).copied();
        let bits = match known {
            Some(bits) => bits,
            None => {
                let stored = self.view.get(Family::State, classes::key(type_number, parameter))?;
                stored.map_or(0, |value| classes::decode(&value))
            }
        };
        let with = bits | 1 << class;
        if with != bits {
            self.put(Family::State, classes::key(type_number, parameter), classes::encode(with));
        }
        self.changes.classes.insert(key, with);
        Ok(())
    }

    /// A resource that was not there is: it counts, and is missing no longer.
    fn begin_live(&mut self, head: &Head) -> Result<(), Error> {
        self.count(head.type_number, 1)?;
        let broken = broken::key(head.type_number, &head.id);
        if self.view.get(Family::State, &broken)?.is_some() {
            self.delete(Family::State, broken);
        }
        Ok(())
    }

    /// Appends an entry to the log, with what is known by it.
    fn append(&mut self, entry: &Entry) {
        let bytes = entry.encode();
        self.changes.chain = log::chain(&self.changes.chain, &bytes);
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

    fn finish(mut self) -> Done {
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

/// The total of a type before a place.
fn stored_total(view: &View<'_>, type_number: u8, before: Place) -> Result<u64, Error> {
    total_at(view, type_number, Place(before.0.saturating_sub(1)))
}

/// The total of a type as of a place.
pub(crate) fn total_at(view: &View<'_>, type_number: u8, place: Place) -> Result<u64, Error> {
    let start = totals::key(type_number, place);
    let end = search::condition::after_prefix(&totals::prefix(type_number));
    let mut rows = view.range(Family::State, &start, &end);
    rows.seek_to_first();
    let total = rows.value().map_or(0, totals::decode);
    rows.status()?;
    Ok(total)
}

impl Linker for Transaction<'_> {
    type Error = Error;

    fn system(&mut self, uri: &str) -> Result<u32, Error> {
        if let Some(number) = self.changes.symbols.get(uri).or_else(|| self.fold.symbols.get(uri)) {
            return Ok(*number);
        }
        let number = match self.view.get(Family::State, symbols::number_key(uri))? {
            Some(value) => symbols::decode(&value),
            None => {
                self.changes.counters.symbol += 1;
                let number = self.changes.counters.symbol;
                self.put(Family::State, symbols::number_key(uri), symbols::encode(number));
                self.put(Family::State, symbols::text_key(number), uri);
                self.changes.new_symbols.push((uri.to_owned(), number));
                number
            }
        };
        self.changes.symbols.insert(uri.to_owned(), number);
        Ok(number)
    }

    fn resource(&mut self, resource_type: TypeId, id: &str) -> Result<u64, Error> {
        let type_number = r4().resource_number(resource_type).unwrap_or(u8::MAX);
        let id = PackedId::new(id);
        let number = self.number(type_number, &id)?;
        self.referred.push((type_number, id, self.command));
        Ok(number.0)
    }
}
