//! What stands between the internet and the hub, so that it needs no proxy before it.
//!
//! A connection passes, in this order: [`connections`] (how many there may be, in all and from an address), [`tls`] (its
//! handshake, in time), [`wire`] (every byte: [`framing`] refuses requests two parsers could read differently; heads come in
//! time, answers are taken in time), [`pace`] (bodies keep coming). A request then passes `identity`, which asks [`rates`], and every
//! answer takes the headers of [`headers`] along. [`redirect`] leads from http to https; [`acme`] keeps a certificate.
//!
//! Design not chosen: leaving it to a proxy. Most hubs of a small hospital would then be as safe as a configuration somebody
//! copied, and a proxy knows neither clients nor persons.

pub(crate) mod acme;
pub(crate) mod connections;
pub(crate) mod framing;
pub(crate) mod headers;
pub(crate) mod pace;
pub(crate) mod rates;
pub(crate) mod redirect;
pub(crate) mod tls;
pub(crate) mod wire;

use std::time::Duration;

pub use self::acme::Acme;
pub use self::connections::ConnectionLimits;
pub use self::rates::Rates;
pub use self::tls::{Certificates, Source};

/// How a hub meets the internet.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Where its certificate comes from; without one it speaks plain HTTP.
    pub tls: Option<Source>,
    /// How many connections there may be, and how long they may be idle.
    pub connections: ConnectionLimits,
    /// How many requests are taken.
    pub rates: Rates,
}

/// A head must be whole within this time after its first byte.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(20);
/// A handshake must be done within this time.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Whoever asked must take some of the answer within this time.
pub(crate) const STALL_TIME: Duration = Duration::from_secs(60);
