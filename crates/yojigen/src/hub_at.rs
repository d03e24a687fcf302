//! Opening the hub of a data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hub::{Hub, OsEntropy, SearchLimits, SystemClock};
use ledger::{Fresh, Ledger};
use store::{Entropy as _, Limits, Options, ReferencePolicy, Store};

use crate::cli::DataArguments;

/// How a data directory is opened.
#[derive(Clone, Debug)]
pub(crate) struct Opening<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// The time zone of a new one.
    pub zone: &'a str,
    /// Memory and durability.
    pub limits: Limits,
    /// For a population that must be the same every time.
    pub seed: Option<u64>,
    /// Whether what goes in says when it was recorded: then a new hub begins before all of that.
    pub is_recorded: bool,
    /// What becomes of references to what is not there.
    pub references: ReferencePolicy,
}

impl<'a> From<&'a DataArguments> for Opening<'a> {
    fn from(arguments: &'a DataArguments) -> Opening<'a> {
        let limits = Limits {
            block_cache: usize::try_from(arguments.cache << 20).unwrap_or(usize::MAX),
            is_durable: !arguments.not_durable,
            ..Limits::default()
        };
        Opening {
            path: &arguments.data,
            zone: &arguments.zone,
            limits,
            seed: None,
            is_recorded: false,
            references: ReferencePolicy::default(),
        }
    }
}

/// Opens the hub of a data directory, making one where there is nothing.
pub(crate) fn open(opening: &Opening<'_>) -> Result<Hub> {
    let options = Options {
        limits: Limits { key: crate::key::given()?, ..opening.limits },
        zone: opening.zone.to_owned(),
        clock: if opening.is_recorded { Box::new(Dawn) } else { Box::new(SystemClock) },
        entropy: Box::new(opening.seed.map_or_else(OsEntropy::new, OsEntropy::seeded)),
        references: opening.references,
    };
    let store =
        Store::open(opening.path, options).with_context(|| format!("opening {}", opening.path.display()))?;
    if store.settings().zone != opening.zone && opening.zone != "Asia/Tokyo" {
        bail!(
            "this data directory was made with the time zone {}; it cannot be served with {} (its index would have to be made anew)",
            store.settings().zone,
            opening.zone
        );
    }
    Ok(Hub::new(store, fhir::Limits::default(), SearchLimits::default()))
}

/// Limits as they are, and the key of the process.
pub(crate) fn limits() -> Result<Limits> {
    Ok(Limits { key: crate::key::given()?, ..Limits::default() })
}

/// Where the ledger of a data directory is.
pub(crate) fn ledger_folder(data: &Path) -> PathBuf {
    data.join("ledger")
}

/// Opens the ledger of a data directory, making one if there is none.
pub(crate) fn open_ledger(data: &Path) -> Result<Arc<Ledger>> {
    let folder = ledger_folder(data);
    let fresh = || {
        let mut entropy = OsEntropy::new();
        let mut key = [0; 32];
        key[..16].copy_from_slice(&entropy.nonce());
        key[16..].copy_from_slice(&entropy.nonce());
        Fresh { key, node: entropy.nonce() }
    };
    let ledger = Ledger::open_sealed(&folder, crate::key::of(data)?.as_ref(), fresh);
    Ok(Arc::new(ledger.with_context(|| format!("opening the read-audit ledger {}", folder.display()))?))
}

/// Fails unless there is a data directory: for tasks that only read.
pub(crate) fn must_exist(path: &Path) -> Result<()> {
    if Store::is_at(path) {
        return Ok(());
    }
    bail!("{} is not a data directory of yojigen; make one with import, demo or serve", path.display())
}

/// A clock that stands at the beginning of the year 1; no proposal asks it when all say their own moments.
struct Dawn;

impl store::Clock for Dawn {
    fn now(&mut self) -> i64 {
        -62_135_596_800_000_000
    }
}
