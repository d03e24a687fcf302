//! A notification shows a subscriber rows of the record: it goes into the read-audit ledger before it is sent.

use ledger::Action;
use store::Reader;

use super::definition::Content;
use super::notification::Told;
use crate::{Access, Audited, Failure, Hub};

/// Puts a notification into the ledger; `to` is where it goes. Each attempt is one.
///
/// # Errors
/// If the ledger does not take it: then it must not be sent.
pub(super) fn audit(
    hub: &Hub,
    reader: &Reader,
    id: &str,
    to: &str,
    content: Content,
    told: &[Told],
) -> Result<(), Failure> {
    if hub.ledger().is_none() || told.is_empty() || content == Content::Empty {
        return Ok(());
    }
    let access = hub.watched(Access::open("subscriptions"));
    for one in told {
        // What is only named is named of somebody, too.
        access.saw_all(&one.resource(reader)?);
    }
    // Of an address what stands after ? may be a secret.
    let to = to.split(['?', '#']).next().unwrap_or_default();
    let audited = Audited {
        action: Action::Notification,
        status: 200,
        target: format!("Subscription/{id}"),
        reason: Some(format!("sent to {to}")).filter(|_| !to.is_empty()),
        ..Audited::default()
    };
    hub.audit(&access, audited).map(drop)
}
