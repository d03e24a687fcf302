//! What stays of a text that was destroyed: nothing it said, only what folding it made the store number. Without that, the
//! log could not be folded anew into the same rows.
//!
//! | bytes | what |
//! |---|---|
//! | n | [`Remains`], postcard |
//!
//! Stands in the version's place in `bodies`. Written when a text is destroyed.

use fhir::definitions::SearchParameterType;
use fhir::r4;
use rustc_hash::FxHashSet;
use search::entry::LinkTarget;
use search::key::reference;
use search::{Entry, OTHER_REFERENCES, parameters};
use serde::{Deserialize, Serialize};

use crate::draft::Draft;
use crate::error::{Error, corrupt};
use crate::fold::type_of;
use crate::numbers::PackedId;

/// What stays of a text that was destroyed.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Remains {
    /// The Patient whose record it belonged to.
    pub(crate) person: Option<String>,
    /// What it named, in the order numbers were given.
    pub(crate) named: Vec<Named>,
    /// The classes of dates it had: parameter's number, class.
    pub(crate) classes: Vec<(u8, u8)>,
}

/// Something a text named.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Named {
    /// A code system.
    System(String),
    /// A resource, by type's number and id.
    Resource(u8, PackedId),
    /// The same, without giving it a number.
    Unnumbered(u8, PackedId),
}

impl Remains {
    /// What stays of a draft.
    pub(crate) fn of(draft: &Draft, type_number: u8) -> Remains {
        let set = parameters().of(type_of(type_number));
        let is_date = |entry: &Entry| {
            set.parameters
                .get(usize::from(entry.parameter))
                .is_some_and(|p| p.kind == SearchParameterType::Date)
        };
        let mut seen = FxHashSet::default();
        let mut remains = Remains { person: draft.extracted.person.clone(), ..Remains::default() };
        for entry in &draft.extracted.entries {
            if entry.parameter == OTHER_REFERENCES
                && let Some((type_number, id)) = reference::read_by_id(&entry.key)
            {
                remains.add(Named::Unnumbered(type_number, PackedId::new(id)), &mut seen);
            }
            for link in &entry.links {
                let named = match &link.target {
                    LinkTarget::System(uri) => Named::System(uri.clone()),
                    LinkTarget::Resource(resource_type, id) => {
                        let number = r4().resource_number(*resource_type).unwrap_or(u8::MAX);
                        Named::Resource(number, PackedId::new(id))
                    }
                };
                remains.add(named, &mut seen);
            }
            if let Some(class) = entry.key.first().filter(|_| is_date(entry))
                && !remains.classes.contains(&(entry.parameter, *class))
            {
                remains.classes.push((entry.parameter, *class));
            }
        }
        remains
    }

    fn add(&mut self, named: Named, seen: &mut FxHashSet<Named>) {
        if seen.insert(named.clone()) {
            self.named.push(named);
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Serialising plain data into a vector cannot fail.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Remains, Error> {
        postcard::from_bytes(bytes)
            .map_err(|e| corrupt("what stays of a destroyed body (family bodies)", e.to_string()))
    }
}
