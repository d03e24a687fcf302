//! The machine's clock and entropy, where they enter.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use store::{Clock, Entropy};

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&mut self) -> i64 {
        now()
    }
}

/// What it says: microseconds since 1970 UTC.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A generator for cryptography, seeded by the operating system.
#[derive(Debug)]
pub struct OsEntropy(StdRng);

impl OsEntropy {
    /// A freshly seeded generator.
    #[must_use]
    pub fn new() -> OsEntropy {
        OsEntropy(rand::make_rng())
    }

    /// A generator that gives the same every time, for a population that must.
    #[must_use]
    pub fn seeded(seed: u64) -> OsEntropy {
        OsEntropy(StdRng::seed_from_u64(seed))
    }
}

impl Default for OsEntropy {
    fn default() -> OsEntropy {
        OsEntropy::new()
    }
}

impl Entropy for OsEntropy {
    fn nonce(&mut self) -> [u8; 16] {
        self.0.random()
    }
}
