//! One request that read, was refused, or signed in.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the encoding's version, 1; 2 of a record that texts were erased from |
//! | 32 | *version 2*: the erasure's seal (`erase.rs`) |
//! | n | [`Record`], postcard: numbers in as few bytes as they need, texts after their length |

use serde::{Deserialize, Serialize};

use crate::chain::LINK_BYTES;
use crate::error::{Error, damaged};

const VERSION: u8 = 1;
pub(crate) const ERASED: u8 = 2;

/// A record names so many persons; what left of more is a record of everyone's, with their number.
pub const MAX_PERSONS: usize = 10_000;
/// So many bytes of a query are kept.
pub const MAX_QUERY: usize = 2048;
/// So many bytes of any other text.
const MAX_TEXT: usize = 512;

/// What was done. New ones are added at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A resource as it is.
    #[default]
    Read,
    /// A version of a resource.
    VersionRead,
    /// Versions: of a resource, a type, everything.
    History,
    /// A search of a type.
    Search,
    /// A search of several types.
    SearchSystem,
    /// An operation, by its name with the `$`.
    Operation(String),
    /// A batch or transaction.
    Bundle,
    /// A write that made no commit: it was refused, or found what it was to make.
    Create,
    /// The same.
    Update,
    /// The same.
    Patch,
    /// The same.
    Delete,
    /// Files of an export.
    Export,
    /// A notification to a subscriber.
    Notification,
    /// A page for people.
    Page,
    /// A sign-in.
    SignIn,
    /// A sign-out.
    SignOut,
    /// An access beyond one's rights, in an emergency.
    BreakGlass,
    /// The ledger was pruned.
    Prune,
    /// A request that is none of these.
    Other(String),
}

impl Action {
    /// Its name, as people and tools read it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Action::Read => "read",
            Action::VersionRead => "vread",
            Action::History => "history",
            Action::Search => "search-type",
            Action::SearchSystem => "search-system",
            Action::Operation(name) | Action::Other(name) => name,
            Action::Bundle => "transaction",
            Action::Create => "create",
            Action::Update => "update",
            Action::Patch => "patch",
            Action::Delete => "delete",
            Action::Export => "export",
            Action::Notification => "notification",
            Action::Page => "page",
            Action::SignIn => "sign-in",
            Action::SignOut => "sign-out",
            Action::BreakGlass => "break-glass",
            Action::Prune => "prune",
        }
    }

    /// `AuditEvent.action`: C, R, U, D or E.
    #[must_use]
    pub fn code(&self) -> char {
        match self {
            Action::Read | Action::VersionRead | Action::History | Action::Export | Action::Page => 'R',
            Action::Create => 'C',
            Action::Update | Action::Patch => 'U',
            Action::Delete | Action::Prune => 'D',
            _ => 'E',
        }
    }

    /// Whether its answer waits until the record is on disk.
    #[must_use]
    pub fn waits_for_flush(&self) -> bool {
        match self {
            Action::Export | Action::SignIn | Action::SignOut | Action::BreakGlass | Action::Prune => true,
            Action::Operation(name) => matches!(name.as_str(), "$export" | "$viewdefinition-run" | "$run"),
            _ => false,
        }
    }
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The text, or its beginning.
    pub text: String,
    /// How long it was, in bytes.
    pub length: u64,
}

impl Query {
    /// A query, cut to [`MAX_QUERY`] bytes; what is secret in it is left out.
    #[must_use]
    pub fn of(text: &str) -> Query {
        let text = without_secrets(text);
        Query { length: text.len() as u64, text: cut(&text, MAX_QUERY).to_owned() }
    }

    /// Whether it is not all.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.length > self.text.len() as u64
    }
}

/// Parameters that carry what may be written nowhere.
const SECRETS: [&str; 7] = [
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "client_assertion",
    "password",
    "code_verifier",
];

fn without_secrets(text: &str) -> std::borrow::Cow<'_, str> {
    let is_secret = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
    };
    if !text.split('&').any(is_secret) {
        return text.into();
    }
    let kept = text.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(pair) => format!("{name}=(left out)"),
        _ => pair.to_owned(),
    });
    kept.collect::<Vec<_>>().join("&").into()
}

/// The beginning of a text, at most so many bytes.
#[must_use]
pub fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    // No character has more than four bytes.
    let end = (most.saturating_sub(3)..=most).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When: microseconds since 1970 UTC; the ledger makes it greater than the record's before.
    pub instant: i64,
    /// What was done.
    pub action: Action,
    /// How it ended, as HTTP says it.
    pub status: u16,
    /// Why, if it did not end well.
    pub reason: Option<String>,
    /// Who (`Practitioner/1`, a user's id).
    pub agent: Option<String>,
    /// The agent's name, for people.
    pub agent_name: Option<String>,
    /// On behalf of whom.
    pub on_behalf_of: Option<String>,
    /// For which organisation.
    pub organisation: Option<String>,
    /// By which program.
    pub client: Option<String>,
    /// To what purpose.
    pub purpose: Option<String>,
    /// Why the glass was broken, if it was.
    pub emergency: Option<String>,
    /// Through which door.
    pub channel: Option<String>,
    /// The network address of the client.
    pub address: Option<String>,
    /// The id the client gave the request.
    pub request_id: Option<String>,
    /// On what: `Type/id`, `Type`, or nothing for the whole hub.
    pub target: String,
    /// What was asked.
    pub query: Option<Query>,
    /// How many rows left.
    pub rows: u64,
    /// Ids of the Patients whose rows left, or who were asked for; each once.
    pub persons: Vec<String>,
    /// Whether rows of persons left that are not named: then it is on everyone's list.
    pub is_everyone: bool,
}

impl Record {
    /// Whether what was asked was done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.status < 400
    }

    /// `AuditEvent.outcome`: 0 done, 4 not done, 8 refused, or the hub failed.
    #[must_use]
    pub fn outcome(&self) -> char {
        match self.status {
            ..=399 => '0',
            401 | 403 | 500.. => '8',
            _ => '4',
        }
    }

    /// Brings what came from outside to its bounds.
    pub(crate) fn bounded(mut self) -> Record {
        let texts = [
            &mut self.reason,
            &mut self.agent,
            &mut self.agent_name,
            &mut self.on_behalf_of,
            &mut self.organisation,
            &mut self.client,
            &mut self.purpose,
            &mut self.emergency,
            &mut self.channel,
            &mut self.address,
            &mut self.request_id,
        ];
        for text in texts.into_iter().flatten() {
            text.truncate(cut(text, MAX_TEXT).len());
        }
        self.target.truncate(cut(&self.target, MAX_TEXT).len());
        if self.persons.len() > MAX_PERSONS {
            self.persons.truncate(MAX_PERSONS);
            self.is_everyone = true;
        }
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let start = Vec::with_capacity(160);
        let mut bytes = start;
        bytes.push(VERSION);
        postcard::to_extend(self, bytes).unwrap_or_default()
    }

    /// The bytes of a record that texts were erased from.
    pub(crate) fn encode_erased(&self, seal: impl FnOnce(&[u8]) -> [u8; LINK_BYTES]) -> Vec<u8> {
        let rest = postcard::to_stdvec(self).unwrap_or_default();
        [&[ERASED], seal(&rest).as_slice(), &rest].concat()
    }

    pub(crate) fn decode(bytes: &[u8], sequence: u64) -> Result<Record, Error> {
        let place = || format!("record {sequence} of the ledger");
        // The seal is for who examines the chain.
        let unsealed = bytes.strip_prefix(&[ERASED]).and_then(|rest| rest.get(LINK_BYTES..));
        match unsealed.map_or(bytes.split_first(), |rest| Some((&VERSION, rest))) {
            Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
                Ok((record, [])) => Ok(record),
                Ok(_) => Err(damaged(place(), "something stands behind it")),
                Err(error) => Err(damaged(place(), format!("it does not read ({error})"))),
            },
            Some((other, _)) => {
                Err(damaged(place(), format!("its encoding {other} is not known to this version")))
            }
            None => Err(damaged(place(), "it is empty")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            Just(Action::Read),
            Just(Action::Search),
            Just(Action::Prune),
            "\\$[a-z]{1,9}".prop_map(Action::Operation),
            ".{0,9}".prop_map(Action::Other),
        ]
    }

    prop_compose! {
        fn record()(
            (instant, status, rows, is_everyone) in (any::<i64>(), any::<u16>(), any::<u64>(), any::<bool>()),
            action in action(),
            agent in proptest::option::of(".{0,40}"),
            emergency in proptest::option::of(".{0,40}"),
            query in proptest::option::of((".{0,60}", any::<u64>())),
            target in "[A-Za-z/0-9]{0,40}",
            persons in proptest::collection::vec("[a-z0-9\\-\\.]{1,64}", 0..5),
        ) -> Record {
            let query = query.map(|(text, length)| Query { text, length });
            Record { instant, status, rows, is_everyone, action, agent, emergency, query, target, persons, ..Record::default() }
        }
    }

    proptest! {
        #[test]
        fn records_read_back(record in record()) {
            prop_assert_eq!(Record::decode(&record.encode(), 1).unwrap(), record);
        }

        #[test]
        fn what_is_no_record_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&bytes, 1);
        }

        #[test]
        fn what_is_cut_or_longer_is_refused(record in record(), at in 0usize..60, tail in any::<u8>()) {
            let bytes = record.encode();
            prop_assert!(Record::decode(&bytes[..at.min(bytes.len() - 1)], 1).is_err());
            prop_assert!(Record::decode(&[bytes, vec![tail]].concat(), 1).is_err());
        }
    }

    #[test]
    fn long_queries_are_cut_and_say_so() {
        let query = Query::of(&"あ".repeat(1000));
        assert!(query.is_cut() && query.length == 3000 && query.text.len() == 2046, "{}", query.text.len());
        assert!(!Query::of("name=x").is_cut());
    }

    #[test]
    fn secrets_are_left_out() {
        let query = Query::of("_id=1&access_token=abc&Password=x&code=8480-6");
        assert_eq!(query.text, "_id=1&access_token=(left out)&Password=(left out)&code=8480-6");
    }
}
