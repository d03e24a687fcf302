//! The index entries of every version: family `rows`.
//!
//! | key | value |
//! |---|---|
//! | person (5), type's number (1), resource (5), place, later first (5) | the entries |
//!
//! Each entry: parameter's number (1), varint length and bytes of the value key, varint length and bytes of the extra,
//! varint: twice the number of places before this version the row began, plus 1 if the resource has had several rows of
//! the parameter at once while it lived. Ordered by parameter, key, extra.
//!
//! Written by the fold with every version but deletions. An update ends the rows this list names, so newer code never
//! has to guess what older code wrote; and a search filters candidates by it without opening their bodies.

use search::LinkedEntry;

use crate::error::{Error, corrupt};
use crate::numbers::{
    NUMBER_BYTES, Place, ResourceNumber, Seat, descending_bytes, number_bytes, read_descending, read_number,
    read_varint, write_varint,
};

/// Key of a version; also that of its body.
pub(crate) fn key(seat: Seat, type_number: u8, place: Place) -> Vec<u8> {
    let mut key = prefix(seat, type_number);
    key.extend_from_slice(&descending_bytes(place));
    key
}

/// All versions of a resource kept with one person.
pub(crate) fn prefix(seat: Seat, type_number: u8) -> Vec<u8> {
    let mut key = Vec::with_capacity(3 * NUMBER_BYTES + 1);
    key.extend_from_slice(&number_bytes(seat.person.0));
    key.push(type_number);
    key.extend_from_slice(&number_bytes(seat.resource.0));
    key
}

/// What a version's key begins with: the part all versions of the resource share, where it is kept, and its type.
pub(crate) fn read_prefix(key: &[u8]) -> Option<(&[u8], Seat, u8)> {
    let (prefix, _) = key.split_at_checked(2 * NUMBER_BYTES + 1)?;
    let (person, rest) = prefix.split_at_checked(NUMBER_BYTES)?;
    let (type_number, resource) = rest.split_first()?;
    let seat =
        Seat { person: ResourceNumber(read_number(person)), resource: ResourceNumber(read_number(resource)) };
    Some((prefix, seat, *type_number))
}

/// The place a version's key ends with.
pub(crate) fn read_place(key: &[u8]) -> Place {
    read_descending(&key[key.len().saturating_sub(NUMBER_BYTES)..])
}

/// A row of a version: its entry, and the place it began at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) entry: LinkedEntry,
    pub(crate) from: Place,
    pub(crate) has_siblings: bool,
}

pub(crate) fn encode(rows: &[Row], place: Place) -> Vec<u8> {
    let mut value =
        Vec::with_capacity(rows.iter().map(|r| r.entry.key.len() + r.entry.extra.len() + 5).sum());
    for row in rows {
        value.push(row.entry.parameter);
        write_varint(&mut value, row.entry.key.len() as u64);
        value.extend_from_slice(&row.entry.key);
        write_varint(&mut value, row.entry.extra.len() as u64);
        value.extend_from_slice(&row.entry.extra);
        write_varint(&mut value, (place.0 - row.from.0) << 1 | u64::from(row.has_siblings));
    }
    value
}

/// An entry of a version, in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RowRef<'a> {
    pub(crate) parameter: u8,
    pub(crate) key: &'a [u8],
    pub(crate) extra: &'a [u8],
    /// How many places before the version the row began.
    pub(crate) age: u64,
    pub(crate) has_siblings: bool,
}

/// The entries of a version, in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Rows<'a> {
    type Item = RowRef<'a>;

    fn next(&mut self) -> Option<RowRef<'a>> {
        let (parameter, rest) = self.0.split_first()?;
        self.0 = rest;
        let mut part = || {
            let length = usize::try_from(read_varint(&mut self.0)?).ok()?;
            let (part, rest) = self.0.split_at_checked(length)?;
            self.0 = rest;
            Some(part)
        };
        let (key, extra) = (part()?, part()?);
        let bits = read_varint(&mut self.0)?;
        Some(RowRef { parameter: *parameter, key, extra, age: bits >> 1, has_siblings: bits & 1 == 1 })
    }
}

/// The rows of a version, owned.
pub(crate) fn decode(value: &[u8], place: Place) -> Result<Vec<Row>, Error> {
    let mut rows = Rows(value);
    let found: Vec<Row> = rows
        .by_ref()
        .map(|r| Row {
            entry: LinkedEntry { parameter: r.parameter, key: r.key.to_vec(), extra: r.extra.to_vec() },
            from: Place(place.0.saturating_sub(r.age)),
            has_siblings: r.has_siblings,
        })
        .collect();
    if rows.0.is_empty() {
        Ok(found)
    } else {
        Err(corrupt("a version's entries (family rows)", "they end too early"))
    }
}
