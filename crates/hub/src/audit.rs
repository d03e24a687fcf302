//! What a request that read, was refused, or signed in leaves in the read-audit ledger.
//!
//! The door that answers says what was done and how it ended; whose rows left has been collected under its [`Access`]
//! ([`crate::seen`]); who, why and by what means stand in the access's circumstances. The record is appended before the
//! answer; if it cannot be, there is no answer.

use std::net::IpAddr;
use std::sync::Arc;

use fhir::IssueType;
use ledger::{Action, Ledger, Query, Record};
use store::Clock as _;

use crate::seen::Seen;
use crate::{Access, Failure, Hub, Kind, SystemClock};

/// Where a request came from; a server puts it into what the request carries along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What a door knows of a request.
#[derive(Clone, Debug, Default)]
pub struct Audited {
    /// What was done.
    pub action: Action,
    /// How it ended, as HTTP says it.
    pub status: u16,
    /// Why, if it did not end well.
    pub reason: Option<String>,
    /// On what: `Type/id`, `Type`, or nothing.
    pub target: String,
    /// What was asked, as it stood in the address.
    pub query: Option<String>,
    /// The client's network address.
    pub address: Option<String>,
    /// Why the glass was broken, if it was.
    pub emergency: Option<String>,
}

impl Hub {
    /// The access, with what collects whose rows leave; the same where there is no ledger.
    #[must_use]
    pub fn watched(&self, access: Access) -> Access {
        let seen = self.ledger.as_ref().map(|_| Arc::new(Seen::default()));
        Access { seen, ..access }
    }

    /// Puts a request into the ledger; its number, or none where there is no ledger, or the request's commit says it all.
    ///
    /// # Errors
    /// If the ledger does not take it: then nothing may be answered.
    pub fn audit(&self, access: &Access, audited: Audited) -> Result<Option<u64>, Failure> {
        let Some(ledger) = &self.ledger else { return Ok(None) };
        let collected = access.seen.as_ref().map(|seen| seen.collected()).unwrap_or_default();
        let is_write =
            matches!(audited.action, Action::Bundle) || matches!(audited.action.code(), 'C' | 'U' | 'D');
        let is_all_in_its_commit = collected.has_commit || (is_write && collected.rows == 0);
        if audited.status < 400 && !collected.has_read && is_all_in_its_commit {
            return Ok(None);
        }
        let mut persons = collected.persons;
        // Whom was asked about knows of it, whatever the answer was.
        let asked = audited.target.strip_prefix("Patient/").and_then(|rest| rest.split('/').next());
        if let Some(id) = asked
            && !persons.iter().any(|p| p == id)
        {
            persons.push(id.to_owned());
        }
        let circumstances = access.circumstances.clone();
        let record = Record {
            instant: SystemClock.now(),
            action: audited.action,
            status: audited.status,
            reason: audited.reason,
            agent: circumstances.author,
            agent_name: None,
            on_behalf_of: circumstances.on_behalf_of,
            organisation: circumstances.organisation,
            client: circumstances.client,
            purpose: circumstances.purpose,
            emergency: audited.emergency,
            channel: circumstances.channel,
            address: audited.address,
            request_id: circumstances.request_id,
            target: audited.target,
            query: collected.query.or_else(|| audited.query.as_deref().map(Query::of)),
            rows: collected.rows,
            persons,
            is_everyone: collected.is_everyone,
        };
        ledger.append(record).map(Some).map_err(|error| unwritten(&error))
    }

    /// The same, on disk when it returns: what is done outside a server.
    ///
    /// # Errors
    /// If the ledger does not take it.
    pub fn audit_durably(&self, access: &Access, audited: Audited) -> Result<(), Failure> {
        let (Some(ledger), Some(_)) = (&self.ledger, self.audit(access, audited)?) else { return Ok(()) };
        ledger.flush().map_err(|error| unwritten(&error))
    }

    /// The ledger, if what is read is audited.
    #[must_use]
    pub fn ledger(&self) -> Option<&Arc<Ledger>> {
        self.ledger.as_ref()
    }
}

/// Why nothing is answered.
#[must_use]
pub fn unwritten(error: &ledger::Error) -> Failure {
    let message = format!("{error}; nothing is answered until it can be, so that nobody looks unseen");
    Failure::new(Kind::Unavailable, IssueType::NoStore, message)
}
