//! Index entries: what one resource says about one search parameter.

use fhir::TypeId;

/// Bytes of a code system's number in a key.
pub const SYSTEM_BYTES: usize = 4;
/// Bytes of a resource's number in a key.
pub const RESOURCE_BYTES: usize = 5;

/// A place in a key that waits for a number only the store knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The byte of the key where the number goes.
    pub at: u16,
    /// What the number is of.
    pub target: LinkTarget,
}

/// What a number stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkTarget {
    /// A code system's URI: [`SYSTEM_BYTES`].
    System(String),
    /// A resource: [`RESOURCE_BYTES`].
    Resource(TypeId, String),
}

/// An entry whose links are still open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The parameter's number within the resource type.
    pub parameter: u8,
    /// The value key, with zeros where links go.
    pub key: Vec<u8>,
    /// What an exact comparison needs beyond the key (a text's spelling, a reference's version); often empty.
    pub extra: Vec<u8>,
    /// The open places.
    pub links: Vec<Link>,
}

/// An entry as it is stored.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LinkedEntry {
    /// The parameter's number within the resource type.
    pub parameter: u8,
    /// The value key.
    pub key: Vec<u8>,
    /// See [`Entry::extra`].
    pub extra: Vec<u8>,
}

/// Gives numbers to systems and resources, making new ones where there are none.
pub trait Linker {
    /// Why a number could not be given.
    type Error;

    /// The number of a code system.
    ///
    /// # Errors
    /// As the implementation says.
    fn system(&mut self, uri: &str) -> Result<u32, Self::Error>;

    /// The number of a resource.
    ///
    /// # Errors
    /// As the implementation says.
    fn resource(&mut self, resource_type: TypeId, id: &str) -> Result<u64, Self::Error>;
}

impl Entry {
    /// Closes the links.
    ///
    /// # Errors
    /// As the linker says.
    pub fn link<L: Linker>(mut self, linker: &mut L) -> Result<LinkedEntry, L::Error> {
        for link in &self.links {
            let at = usize::from(link.at);
            match &link.target {
                LinkTarget::System(uri) => {
                    let number = linker.system(uri)?;
                    self.key[at..at + SYSTEM_BYTES].copy_from_slice(&number.to_be_bytes());
                }
                LinkTarget::Resource(resource_type, id) => {
                    let number = linker.resource(*resource_type, id)?;
                    self.key[at..at + RESOURCE_BYTES]
                        .copy_from_slice(&number.to_be_bytes()[8 - RESOURCE_BYTES..]);
                }
            }
        }
        Ok(LinkedEntry { parameter: self.parameter, key: self.key, extra: self.extra })
    }
}

/// Writes value keys: bytes, and the links in them.
#[derive(Clone, Default, Debug)]
pub struct KeyWriter {
    /// The key so far.
    pub key: Vec<u8>,
    /// Its links.
    pub links: Vec<Link>,
    /// See [`Entry::extra`].
    pub extra: Vec<u8>,
}

impl KeyWriter {
    /// Reserves room for a code system's number; no URI is number zero.
    pub fn system(&mut self, uri: Option<&str>) {
        if let Some(uri) = uri {
            self.link(LinkTarget::System(uri.to_owned()));
        }
        self.key.extend_from_slice(&[0; SYSTEM_BYTES]);
    }

    /// Reserves room for a resource's number.
    pub fn resource(&mut self, resource_type: TypeId, id: &str) {
        self.link(LinkTarget::Resource(resource_type, id.to_owned()));
        self.key.extend_from_slice(&[0; RESOURCE_BYTES]);
    }

    fn link(&mut self, target: LinkTarget) {
        let at = u16::try_from(self.key.len()).unwrap_or(u16::MAX);
        self.links.push(Link { at, target });
    }

    /// The entry of a parameter.
    #[must_use]
    pub fn entry(self, parameter: u8) -> Entry {
        Entry { parameter, key: self.key, extra: self.extra, links: self.links }
    }
}
