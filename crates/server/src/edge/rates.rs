//! How many requests are taken from a client, for a person, and from an address where nobody is signed in.
//!
//! A token bucket for each, kept as one number: the moment by which all that was asked would be paid at the rate (the generic cell rate
//! algorithm, ATM Forum TM 4.0). A bucket whose moment has passed is the same as none, so that memory is bounded by forgetting those.
//!
//! Design not chosen: counting the cost of requests. `lanes` holds what is costly; a rate that nobody can foretell is a rate nobody
//! can keep to.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::connections::neighbourhood;

/// How many requests are taken in a second; 0 for as many as come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// From one client.
    pub per_client: u64,
    /// For one person.
    pub per_person: u64,
    /// From one address, where nobody is signed in.
    pub per_address: u64,
    /// For so many seconds' worth of requests may come at once.
    pub burst: u64,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates { per_client: 1000, per_person: 200, per_address: 100, burst: 10 }
    }
}

const SHARDS: usize = 16;
/// So many buckets a shard has at most.
const MOST: usize = 8192;
const NANOS: u64 = 1_000_000_000;

/// Buckets of one rate.
#[derive(Debug)]
struct Buckets {
    /// Nanoseconds a request costs.
    cost: u64,
    /// Nanoseconds that may be owed.
    credit: u64,
    shards: [Mutex<HashMap<u64, u64>>; SHARDS],
}

impl Buckets {
    fn new(rate: u64, burst: u64) -> Option<Buckets> {
        let cost = NANOS.checked_div(rate)?.max(1);
        Some(Buckets { cost, credit: (burst * NANOS).max(cost), shards: Default::default() })
    }

    /// Takes a request at a moment; seconds to wait if it is one too many.
    fn take(&self, key: u64, now: u64) -> Result<(), u64> {
        let shard = &self.shards[(key % SHARDS as u64) as usize];
        let mut buckets = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = buckets.get(&key).copied().unwrap_or(0).max(now) + self.cost;
        if paid - now > self.credit {
            return Err((paid - now - self.credit).div_ceil(NANOS));
        }
        if buckets.len() >= MOST && !buckets.contains_key(&key) {
            buckets.retain(|_, paid| *paid > now);
            if buckets.len() >= MOST {
                buckets.clear();
            }
        }
        buckets.insert(key, paid);
        Ok(())
    }
}

/// One request too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Whose.
    pub(crate) of: &'static str,
    /// Seconds to wait.
    pub(crate) wait: u64,
}

/// The requests of late.
#[derive(Debug)]
pub(crate) struct Limiter {
    began: Instant,
    hasher: RandomState,
    clients: Option<Buckets>,
    persons: Option<Buckets>,
    addresses: Option<Buckets>,
}

impl Limiter {
    pub(crate) fn new(rates: Rates) -> Limiter {
        let buckets = |rate| Buckets::new(rate, rates.burst);
        Limiter {
            began: Instant::now(),
            hasher: RandomState::new(),
            clients: buckets(rates.per_client),
            persons: buckets(rates.per_person),
            addresses: buckets(rates.per_address),
        }
    }

    fn take(&self, of: &'static str, buckets: Option<&Buckets>, key: impl Hash) -> Result<(), TooMany> {
        let Some(buckets) = buckets else { return Ok(()) };
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX / 2);
        buckets.take(self.hasher.hash_one(key), now).map_err(|wait| {
            metrics::counter!("yojigen_throttled_total", "of" => of).increment(1);
            TooMany { of, wait }
        })
    }

    /// Takes a request of whoever is known.
    ///
    /// # Errors
    /// If it is one too many.
    pub(crate) fn known(&self, client: Option<&str>, person: Option<&str>) -> Result<(), TooMany> {
        if let Some(client) = client {
            self.take("client", self.clients.as_ref(), client)?;
        }
        if let Some(person) = person {
            self.take("person", self.persons.as_ref(), person)?;
        }
        Ok(())
    }

    /// Takes a request of somebody who is not known.
    ///
    /// # Errors
    /// If it is one too many.
    pub(crate) fn unknown(&self, address: IpAddr) -> Result<(), TooMany> {
        self.take("address", self.addresses.as_ref(), neighbourhood(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_rate() {
        let buckets = Buckets::new(10, 2).unwrap();
        let mut now = 5 * NANOS;
        let taken = (0..100).filter(|_| buckets.take(1, now).is_ok()).count();
        assert_eq!(taken, 20);
        assert_eq!(buckets.take(1, now), Err(1));
        assert!(buckets.take(2, now).is_ok(), "another's bucket is full");
        let mut taken = 0;
        for _ in 0..1000 {
            now += NANOS / 100;
            taken += usize::from(buckets.take(1, now).is_ok());
        }
        assert!((99..=101).contains(&taken), "{taken} in ten seconds");
        // Rested, it has its burst again and no more.
        now += 3600 * NANOS;
        assert_eq!((0..100).filter(|_| buckets.take(1, now).is_ok()).count(), 20);
    }

    #[test]
    fn memory_is_bounded_whoever_asks() {
        let buckets = Buckets::new(10, 2).unwrap();
        for key in 0..500_000 {
            let _ = buckets.take(key, 7);
        }
        let kept: usize = buckets.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MOST, "{kept}");
        // Those who asked long ago make room for those who ask now, who are not forgotten.
        let now = 3600 * NANOS;
        for _ in 0..20 {
            buckets.take(1, now).unwrap();
        }
        for key in 1_000_000..1_050_000 {
            let _ = buckets.take(key, now);
        }
        assert!(buckets.take(1, now).is_err());
    }

    #[test]
    fn no_rate_is_no_limit_and_a_network_is_one_address() {
        let none = Limiter::new(Rates { per_client: 0, per_person: 0, per_address: 0, burst: 1 });
        assert!((0..10_000).all(|_| none.known(Some("c"), Some("p")).is_ok()));
        let few = Limiter::new(Rates { per_client: 1000, per_person: 1, per_address: 1, burst: 1 });
        assert!(few.unknown("2001:db8::1".parse().unwrap()).is_ok());
        let again = few.unknown("2001:db8::2".parse().unwrap()).unwrap_err();
        assert_eq!((again.of, again.wait), ("address", 1));
        assert!(few.known(Some("c"), Some("p")).is_ok());
        assert_eq!(few.known(Some("c"), Some("p")).unwrap_err().of, "person");
        assert!(few.known(Some("c"), Some("q")).is_ok());
    }
}
