//! Who acts, for whom, why and by what means.

use std::sync::Arc;

use store::Circumstances;

use crate::seen::Seen;

/// An access to the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What the log keeps of it.
    pub circumstances: Circumstances,
    /// Collects whose rows leave, for the ledger; none where reading is not audited. No part of what an access is.
    pub seen: Option<Arc<Seen>>,
}

impl Access {
    /// An access through a door, with nobody named: what there is while a hub is open to all on its machine.
    #[must_use]
    pub fn open(channel: &str) -> Access {
        Access {
            circumstances: Circumstances { channel: Some(channel.to_owned()), ..Circumstances::default() },
            ..Access::default()
        }
    }
}
