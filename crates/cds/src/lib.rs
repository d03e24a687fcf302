//! CDS Hooks 2.0 (<https://cds-hooks.hl7.org/2.0/>): what `safety` says of orders, as cards. Only what goes over the wire is in
//! `server`.
//!
//! * [`services`]: what is offered, and the prefetch it asks for.
//! * [`request`]: a call, read.
//! * [`facts`]: what is known of the person: the prefetch, else this hub's own record under the caller's access. The
//!   `fhirServer` a caller names is never asked: it would make the hub send requests for strangers.
//! * [`check`]: the orders of a call, or what a person takes, each beside the rest.
//! * [`cards`]: findings and what was not checked.
//! * [`feedback`]: what became of a card.
//! * [`outside`]: services of others, those that the operator named.

pub mod cards;
pub mod check;
pub mod facts;
pub mod feedback;
pub mod outside;
pub mod request;
pub mod services;

pub use cards::Card;
pub use facts::Known;
pub use outside::Outside;
pub use request::Call;
pub use services::{SERVICES, Service};
