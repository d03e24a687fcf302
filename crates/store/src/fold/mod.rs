//! The fold: proposals in, one after the other; log entries, versions and index rows out.
//!
//! The fold alone decides (preconditions, conditional references, version numbers), alone gives numbers, and alone
//! writes. What it writes depends on nothing but the settings, the entries before and the bodies, so that the same log
//! folded anew gives the same bytes. A proposal that is rejected leaves no trace.

mod destroy;
mod numbering;
mod redact;
mod references;
mod resolve;
mod rights;
mod rows;
mod transaction;
mod write;

pub use destroy::Gone;

use fhir::date_time::Micros;
use fhir::{TypeId, r4};
use rustc_hash::FxHashMap;
use search::{Zone, parameters};

use self::transaction::{Changes, Transaction};
use crate::engine::{Engine, Family, View};
use crate::error::{Error, corrupt};
use crate::layout::bodies::NONCE_BYTES;
use crate::layout::log::{self, CHAIN_BYTES, Content, Entry, Operation, Settings};
use crate::layout::meta::{Counters, counters_key, index_key};
use crate::layout::{once, totals};
use crate::numbers::{PackedId, Place};
use crate::proposal::{CommandOutcome, Effect, Outcome, Proposal, Rejection};
use crate::references::ReferencePolicy;
use crate::search::Memory;

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
    memory: Memory,
    pub(crate) references: ReferencePolicy,
}

/// What a replay supplies in place of clock and entropy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) instant: Micros,
    pub(crate) nonces: Vec<Option<[u8; NONCE_BYTES]>>,
    pub(crate) resolved: Vec<Vec<(String, u8, PackedId)>>,
    pub(crate) criteria: Vec<Option<String>>,
    /// Of an entry that texts were taken out of: by which one, and the chain value it keeps.
    pub(crate) redacted: Option<(Place, [u8; CHAIN_BYTES])>,
}

impl Fold {
    /// The fold of a store as it stands; `None` if its log is empty.
    pub(crate) fn open(engine: &Engine, memory: Memory) -> Result<Option<Fold>, Error> {
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
            memory,
            references: ReferencePolicy::default(),
        }))
    }

    /// Begins a log.
    pub(crate) fn begin(
        engine: &Engine,
        settings: Settings,
        instant: Micros,
        memory: Memory,
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
            memory,
            references: ReferencePolicy::default(),
        };
        let entry = Entry {
            instant,
            circumstances: log::Circumstances::default(),
            once: None,
            content: Content::Settings(settings),
            redacted_by: None,
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
            redacted_by: None,
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
            self.memory.systems.learn(&uri, number);
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
