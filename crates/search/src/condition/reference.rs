//! References.

use fhir::{Reference, r4};

use super::token::{self, TokenTest};
use super::{Numbers, Scan, Test};
use crate::key::cut;
use crate::key::reference::{self, IDENTIFIER, LOCAL, ReferenceKey, URI, resource_bytes};
use crate::query::ReferenceValue;

/// A reference to something.
#[derive(Clone, Debug)]
pub enum ReferenceTest {
    /// To one of these resources (type's number, resource's number; ordered), pinned to a version if one is given.
    Local(Vec<(u8, u64)>, Option<String>),
    /// By URI, and the version after `|`.
    Uri(String, Option<String>),
    /// By identifier.
    Identifier(Box<TokenTest>),
}

impl ReferenceTest {
    pub(super) fn consume<'k>(&self, key: &'k [u8], extra: &[u8]) -> Option<(bool, &'k [u8])> {
        let (found, rest) = reference::read(key)?;
        let is_version = |wanted: &Option<String>| wanted.as_ref().is_none_or(|v| v.as_bytes() == extra);
        let passes = match (self, found) {
            (ReferenceTest::Local(any_of, version), ReferenceKey::Local(type_number, number)) => {
                any_of.binary_search(&(type_number, number)).is_ok() && is_version(version)
            }
            (ReferenceTest::Uri(uri, version), ReferenceKey::Uri(bytes)) => {
                cut(uri).as_bytes() == bytes && is_version(version)
            }
            (ReferenceTest::Identifier(test), ReferenceKey::Identifier(..)) => {
                test.consume(&key[1..], extra).is_some_and(|(passes, _)| passes)
            }
            _ => false,
        };
        Some((passes, rest))
    }
}

/// Whether a reference's key can be one to this type (a type's number): one by URL says its type, one by identifier
/// does not.
pub(super) fn may_be_of_type(key: &[u8], only: u8) -> bool {
    match reference::read(key) {
        Some((ReferenceKey::Local(type_number, _), _)) => type_number == only,
        Some((ReferenceKey::Uri(uri), _)) => match std::str::from_utf8(uri).map(Reference::parse) {
            Ok(Reference::Rest { resource_type, .. }) => r4().resource_number(resource_type) == Some(only),
            _ => false,
        },
        Some((ReferenceKey::Identifier(..), _)) => true,
        None => false,
    }
}

fn local_key(type_number: u8, number: u64) -> Vec<u8> {
    let mut key = vec![LOCAL, type_number];
    key.extend_from_slice(&resource_bytes(number));
    key
}

/// A reference to any of these resources.
pub(super) fn to_any(resources: &[(u8, u64)]) -> (Test, Vec<Scan>) {
    let mut resources = resources.to_vec();
    resources.sort_unstable();
    resources.dedup();
    let scans = resources.iter().map(|(t, n)| Scan::one(local_key(*t, *n))).collect();
    (Test::Reference(ReferenceTest::Local(resources, None)), scans)
}

pub(super) fn link(value: &ReferenceValue, numbers: &dyn Numbers) -> (Test, Vec<Scan>) {
    match value {
        ReferenceValue::Local(types, id, version) => {
            let mut found: Vec<(u8, u64)> = types
                .iter()
                .filter_map(|t| Some((r4().resource_number(*t)?, numbers.resource(*t, id)?)))
                .collect();
            found.sort_unstable();
            if found.is_empty() {
                return (Test::Never, Vec::new());
            }
            let scans = found.iter().map(|(t, n)| Scan::one(local_key(*t, *n))).collect();
            (Test::Reference(ReferenceTest::Local(found, version.clone())), scans)
        }
        ReferenceValue::Uri(uri, version) => {
            let mut key = vec![URI];
            key.extend_from_slice(cut(uri).as_bytes());
            key.push(0);
            (Test::Reference(ReferenceTest::Uri(uri.clone(), version.clone())), vec![Scan::one(key)])
        }
        ReferenceValue::Identifier(system, code) => match token::link(system, code.as_deref(), numbers) {
            (Test::Token(test), scans) => {
                let scans = scans.into_iter().map(|s| s.after(&[IDENTIFIER])).collect();
                (Test::Reference(ReferenceTest::Identifier(Box::new(test))), scans)
            }
            never => never,
        },
    }
}
