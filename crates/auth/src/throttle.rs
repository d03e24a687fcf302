//! Guesses cost time: after some failures for an account or from an address the next must wait, longer each time.
//!
//! Counted thrice: for an account from an address (strictly), from an address (a hospital may stand behind one), and for an
//! account from anywhere, where the wait stays short, for it would let anyone lock anyone out. Kept in memory and bounded;
//! whoever can restart the hub has no need to guess.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::refusal::{Kind, Refusal};

/// What is counted: so many failures cost nothing yet, and the longest wait in seconds.
const OF_BOTH: Bound = Bound { free: 5, longest: 900 };
const OF_ADDRESS: Bound = Bound { free: 30, longest: 900 };
const OF_ACCOUNT: Bound = Bound { free: 20, longest: 60 };
/// After so many seconds without failure they are forgotten.
const FORGOTTEN: u64 = 3600;
/// So many are remembered.
const MOST: usize = 50_000;

#[derive(Clone, Copy, Debug)]
struct Bound {
    free: u32,
    longest: u64,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: u64,
}

/// What is guessed at, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guess<'a> {
    /// The account, or the client.
    pub(crate) account: &'a str,
    /// The address.
    pub(crate) address: &'a str,
}

impl Guess<'_> {
    fn keys(self) -> [(String, Bound); 3] {
        [
            (format!("both {} {}", self.address, self.account), OF_BOTH),
            (format!("account {}", self.account), OF_ACCOUNT),
            (format!("address {}", self.address), OF_ADDRESS),
        ]
    }
}

/// Failures of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<String, Failures>>,
}

fn wait(failures: Failures, bound: Bound, now: u64) -> u64 {
    let beyond = failures.count.saturating_sub(bound.free);
    if beyond == 0 {
        return 0;
    }
    let pause = (1_u64 << beyond.min(10)).min(bound.longest);
    (failures.last + pause).saturating_sub(now)
}

impl Throttle {
    fn failures(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a guess may be made now. It counts as a failure until it turns out right, so that many at once count
    /// as many.
    pub(crate) fn try_guess(&self, guess: Guess<'_>, now: u64) -> Result<(), Refusal> {
        let mut failures = self.failures();
        let keys = guess.keys();
        let longest = keys
            .iter()
            .filter_map(|(key, bound)| failures.get(key).map(|f| wait(*f, *bound, now)))
            .max()
            .unwrap_or(0);
        if longest > 0 {
            let description = format!("too many failed attempts; try again in {longest} seconds");
            return Err(Refusal { retry_after: Some(longest), ..Refusal::new(Kind::Throttled, description) });
        }
        if failures.len() >= MOST {
            failures.retain(|_, f| f.last + OF_BOTH.longest > now);
        }
        if failures.len() >= MOST {
            failures.clear();
        }
        for (key, _) in keys {
            let known = failures.entry(key).or_insert(Failures { count: 0, last: now });
            if known.last + FORGOTTEN <= now {
                known.count = 0;
            }
            known.count = known.count.saturating_add(1);
            known.last = now;
        }
        Ok(())
    }

    /// The guess was right: the account's failures are forgotten, the address's lessened by this one.
    pub(crate) fn was_right(&self, guess: Guess<'_>) {
        let mut failures = self.failures();
        let [(both, _), (account, _), (address, _)] = guess.keys();
        failures.remove(&both);
        failures.remove(&account);
        if let Some(known) = failures.get_mut(&address) {
            known.count = known.count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_cost_more_and_more() {
        let throttle = Throttle::default();
        let guess = Guess { account: "hanako", address: "192.0.2.1" };
        let mut now = 1000;
        let mut made = 0;
        for _ in 0..3600 {
            made += usize::from(throttle.try_guess(guess, now).is_ok());
            now += 1;
        }
        assert!((10..20).contains(&made), "{made} guesses in an hour");
        // Another account from another address does not wait.
        assert!(throttle.try_guess(Guess { account: "taro", address: "192.0.2.2" }, now).is_ok());
        // Who knows the password may begin anew.
        throttle.was_right(guess);
        assert!(throttle.try_guess(guess, now + 3600).is_ok());
    }

    #[test]
    fn an_address_that_tries_everyone_waits() {
        let throttle = Throttle::default();
        let made = (0..1000).filter(|n| {
            throttle.try_guess(Guess { account: &n.to_string(), address: "192.0.2.1" }, 5).is_ok()
        });
        assert_eq!(made.count(), OF_ADDRESS.free as usize + 1);
    }

    #[test]
    fn who_is_guessed_at_from_everywhere_waits_a_minute_at_most() {
        let throttle = Throttle::default();
        for n in 0..1000 {
            let _ = throttle.try_guess(Guess { account: "hanako", address: &n.to_string() }, 5000 + n);
        }
        let own = Guess { account: "hanako", address: "home" };
        let waits = throttle.try_guess(own, 6000).unwrap_err().retry_after.unwrap();
        assert!((1..=60).contains(&waits), "{waits}");
        assert!(throttle.try_guess(own, 6000 + waits).is_ok());
    }
}
