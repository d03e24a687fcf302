//! Guesses cost time: after some failures for an account or from an address the next must wait, longer each time.
//!
//! Kept in memory and bounded; whoever can restart the hub has no need to guess. An account is never locked for good: that
//! would let anyone lock anyone out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::refusal::{Kind, Refusal};

/// So many failures of an account cost nothing yet.
const FREE_OF_ACCOUNT: u32 = 5;
/// So many from an address: behind one there may be a hospital.
const FREE_OF_ADDRESS: u32 = 30;
/// The longest wait, in seconds.
const LONGEST: u64 = 900;
/// After so many seconds without failure they are forgotten.
const FORGOTTEN: u64 = 3600;
/// So many are remembered.
const MOST: usize = 50_000;

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
    fn keys(self) -> [(String, u32); 2] {
        [
            (format!("account {}", self.account), FREE_OF_ACCOUNT),
            (format!("address {}", self.address), FREE_OF_ADDRESS),
        ]
    }
}

/// Failures of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<String, Failures>>,
}

fn wait(failures: Failures, free: u32, now: u64) -> u64 {
    let beyond = failures.count.saturating_sub(free);
    if beyond == 0 {
        return 0;
    }
    let pause = (1_u64 << beyond.min(10)).min(LONGEST);
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
            .filter_map(|(key, free)| failures.get(key).map(|f| wait(*f, *free, now)))
            .max()
            .unwrap_or(0);
        if longest > 0 {
            let description = format!("too many failed attempts; try again in {longest} seconds");
            return Err(Refusal { retry_after: Some(longest), ..Refusal::new(Kind::Throttled, description) });
        }
        if failures.len() >= MOST {
            failures.retain(|_, f| f.last + LONGEST > now);
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
        let [(account, _), (address, _)] = guess.keys();
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
        assert_eq!(made.count(), FREE_OF_ADDRESS as usize + 1);
    }
}
