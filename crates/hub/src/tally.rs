//! How many there are of something in the whole record, for those who run the hub: a number, and nothing of anybody's.
//!
//! An operator sees no person's record, and may know how much goes on. A number of a few could be somebody known, so a
//! number below [`FEW`] is not told to them; whoever may see everything is told it.

use fhir::IssueType;
use search::query::Query;
use store::Budget;

use crate::{Access, Failure, Hub, Kind};

/// Fewer than so many are "a few".
pub const FEW: u64 = 10;
/// The role of those who run the hub.
const OPERATOR: &str = "operator";

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// So many.
    Exactly(u64),
    /// At least one, and fewer than [`FEW`].
    Few,
    /// They are too many to be counted for a page.
    Costly,
}

impl Tally {
    /// The number, where it is told.
    #[must_use]
    pub fn known(self) -> Option<u64> {
        match self {
            Tally::Exactly(count) => Some(count),
            Tally::Few | Tally::Costly => None,
        }
    }
}

fn told(count: u64, is_whole: bool) -> Tally {
    if is_whole || count == 0 || count >= FEW { Tally::Exactly(count) } else { Tally::Few }
}

impl Hub {
    /// Counts what a query finds in the whole record.
    ///
    /// # Errors
    /// If whoever asks neither sees everything nor runs the hub; if the query or the store fails.
    pub fn tally(&self, access: &Access, query: &Query, budget: Budget) -> Result<Tally, Failure> {
        let runs_the_hub = |s: &::access::Subject| {
            s.client.is_none() && s.scopes.is_none() && s.roles.iter().any(|role| role == OPERATOR)
        };
        let is_whole = access.rights.is_none();
        if !is_whole && !access.subject.as_deref().is_some_and(runs_the_hub) {
            let message = "numbers of the whole record are for those who run the hub";
            return Err(Failure::new(Kind::Forbidden, IssueType::Forbidden, message));
        }
        let reader = self.store.reader();
        let place = reader.place_of(query, None)?;
        match reader.count(query, place, budget) {
            Ok(count) => Ok(told(count, is_whole)),
            Err(failure) => match Failure::from(failure) {
                costly if costly.kind == Kind::TooCostly => Ok(Tally::Costly),
                failure => Err(failure),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_told_only_to_those_who_see_everything() {
        assert_eq!(told(3, false), Tally::Few);
        assert_eq!(told(3, true), Tally::Exactly(3));
        assert_eq!((told(0, false), told(10, false)), (Tally::Exactly(0), Tally::Exactly(10)));
    }
}
