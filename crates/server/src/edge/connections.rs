//! How many connections there may be, in all and from one address.
//!
//! A connection beyond that is closed at once, which costs whoever opened it more than the hub. A network of IPv6 (/64) counts as one address,
//! since whoever has one address of it has them all. Proxies the operator trusts speak for many and have no share.
//! When most places are taken, idle connections end sooner.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Connections that wait for nothing last so long when most places are taken.
const CROWDED: Duration = Duration::from_secs(5);

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// At once.
    pub all: usize,
    /// Of these, from one address.
    pub per_address: usize,
    /// How long one may be open without a request.
    pub idle: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits { all: 4096, per_address: 1024, idle: Duration::from_secs(60) }
    }
}

/// The connections there are.
#[derive(Debug)]
pub(crate) struct Connections {
    limits: ConnectionLimits,
    trusted: Arc<[IpAddr]>,
    count: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    of: Arc<Connections>,
    address: Option<IpAddr>,
}

/// What is counted as one address.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        v4 => v4,
    }
}

impl Connections {
    pub(crate) fn new(limits: ConnectionLimits, trusted: Arc<[IpAddr]>) -> Arc<Connections> {
        let (count, by_address) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Connections { limits, trusted, count, by_address })
    }

    fn by_address(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from an address.
    ///
    /// # Errors
    /// Which limit is reached.
    pub(crate) fn take(self: &Arc<Connections>, address: IpAddr) -> Result<Seat, &'static str> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        // Dropped, it gives back what is counted so far.
        let mut seat = Seat { of: Arc::clone(self), address: None };
        if before >= self.limits.all {
            return Err("all");
        }
        if !self.trusted.contains(&address.to_canonical()) {
            let address = neighbourhood(address);
            let mut by_address = self.by_address();
            let known = by_address.entry(address).or_insert(0);
            if *known >= self.limits.per_address {
                return Err("address");
            }
            *known += 1;
            seat.address = Some(address);
        }
        metrics::gauge!("yojigen_connections").set((before + 1) as f64);
        Ok(seat)
    }

    /// How long a connection may be idle at most.
    pub(crate) fn longest_idle(&self) -> Duration {
        self.limits.idle
    }

    /// How long a connection may be idle now.
    pub(crate) fn idle(&self) -> Duration {
        let is_crowded = self.count.load(Ordering::Relaxed) > self.limits.all / 4 * 3;
        if is_crowded { CROWDED.min(self.limits.idle) } else { self.limits.idle }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let before = self.of.count.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("yojigen_connections").set((before - 1) as f64);
        let Some(address) = self.address else { return };
        let mut by_address = self.of.by_address();
        if let Some(known) = by_address.get_mut(&address) {
            *known -= 1;
            if *known == 0 {
                by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_a_share_and_what_ends_makes_room() {
        let limits = ConnectionLimits { all: 3, per_address: 2, idle: Duration::from_secs(60) };
        let proxy: IpAddr = "192.0.2.9".parse().unwrap();
        let connections = Connections::new(limits, Arc::new([proxy]));
        let take = |address: &str| connections.take(address.parse().unwrap());
        let first = take("192.0.2.1").unwrap();
        let second = take("::ffff:192.0.2.1").unwrap();
        assert_eq!(take("192.0.2.1").unwrap_err(), "address");
        let third = take("2001:db8::1").unwrap();
        assert_eq!(take("192.0.2.2").unwrap_err(), "all");
        assert_eq!(connections.idle(), CROWDED);
        drop((first, second));
        let _other = take("2001:db8::ffff").unwrap();
        assert_eq!(take("2001:db8::2").unwrap_err(), "address");
        drop(third);
        let _proxied = [take("192.0.2.9").unwrap(), take("192.0.2.9").unwrap()];
        assert_eq!(take("192.0.2.9").unwrap_err(), "all");
        drop((_other, _proxied));
        assert!(connections.by_address().is_empty() && connections.count.load(Ordering::Relaxed) == 0);
        assert_eq!(connections.idle(), limits.idle);
    }
}
