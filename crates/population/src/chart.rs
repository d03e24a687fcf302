//! Where every resource of a household passes through.

use fhir::json::JsonWriter;

use crate::Item;
use crate::calendar::{END_MOMENT, Moment};
use crate::rng::Rng;

/// The way out, and the chance that is used on the way.
pub(crate) struct Chart<'c> {
    pub(crate) rng: Rng,
    take: &'c mut dyn FnMut(Item) -> bool,
    wanted: bool,
}

impl<'c> Chart<'c> {
    pub(crate) fn new(rng: Rng, take: &'c mut dyn FnMut(Item) -> bool) -> Chart<'c> {
        Chart { rng, take, wanted: true }
    }

    /// Whether the taker still wants more.
    pub(crate) fn wanted(&self) -> bool {
        self.wanted
    }

    /// A new id in the form of a UUIDv7: the moment, then chance.
    pub(crate) fn id(&mut self, moment: Moment) -> String {
        let milliseconds = (moment * 1000) as u64;
        let (a, b) = (self.rng.bits(), self.rng.bits());
        format!(
            "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
            milliseconds >> 16,
            milliseconds & 0xffff,
            a & 0xfff,
            0x8000 | (a >> 50),
            b >> 16
        )
    }

    /// Records a resource; `fill` writes what follows the id. What would be recorded after the end is dropped.
    pub(crate) fn add(
        &mut self,
        resource_type: &'static str,
        id: &str,
        recorded: Moment,
        fill: impl FnOnce(&mut JsonWriter),
    ) {
        if !self.wanted || recorded > END_MOMENT {
            return;
        }
        let mut json = JsonWriter::new();
        json.object(|o| {
            o.member("resourceType", resource_type).member("id", id);
            fill(o);
        });
        let item =
            Item { recorded: recorded * 1_000_000, resource_type, id: id.to_owned(), json: json.finish() };
        self.wanted = (self.take)(item);
    }
}
