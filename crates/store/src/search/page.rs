//! One page of a search, and the way to its neighbours.

use data_encoding::BASE64URL_NOPAD;
use fhir::{Issue, IssueType};
use search::query::{Query, Total};
use serde::{Deserialize, Serialize};

use super::collect::Driver;
use super::include::Member;
use super::plan::Plan;
use super::sort::{Position, Request};
use super::values::ValueWalk;
use super::{Failure, Searcher};
use crate::layout::live;
use crate::numbers::{Place, Seat};

/// A resource on a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its type's number.
    pub type_number: u8,
    /// Where it is kept.
    pub seat: Seat,
}

/// A page of a search.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The matches, in order.
    pub matches: Vec<Found>,
    /// What includes add.
    pub included: Vec<Found>,
    /// How many matches there are in all, if it was asked for or is known.
    pub total: Option<u64>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
    /// Where the page before begins, if there is one.
    pub previous: Option<Cursor>,
}

/// Where a page begins. It names data, not rights: who reads it is asked anew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// The place in the log the whole search is true for.
    pub at: Place,
    is_backward: bool,
    after: After,
}

/// The resource a page begins after, in the order its source gives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum After {
    /// In the order of seats.
    Seat(Seat),
    /// In the order of the values of a condition (by its number): the key of a row, without the seat, and the seat.
    Value(u32, Vec<u8>, Seat),
    /// In the order of a sort.
    Sorted(Position),
}

impl Cursor {
    /// As text for a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        BASE64URL_NOPAD.encode(&postcard::to_stdvec(self).unwrap_or_default())
    }

    /// From a URL's text.
    ///
    /// # Errors
    /// If the text is not a cursor this hub gave.
    pub fn decode(text: &str) -> Result<Cursor, Issue> {
        let refuse = || {
            Issue::error(
                IssueType::Invalid,
                "_cursor: this is not a place in a search; begin the search anew",
            )
        };
        if text.len() > 4096 {
            return Err(refuse());
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| refuse())?;
        postcard::from_bytes(&bytes).map_err(|_| refuse())
    }
}

impl Searcher<'_> {
    /// A page of at most `count` matches.
    pub(crate) fn page(&self, query: &Query, count: usize, cursor: Option<&Cursor>) -> Result<Page, Failure> {
        let plan = self.plan(query.resource_type, &query.criteria)?;
        let is_backward = cursor.is_some_and(|c| c.is_backward);
        // One more than the page holds, to know whether there is another.
        let mut positions = self.positions(&plan, query, count + 1, cursor)?;
        let has_more = positions.len() > count;
        positions.truncate(count);
        if is_backward {
            positions.reverse();
        }
        let place = |after: &(After, Seat), is_backward: bool| Cursor {
            at: self.at,
            is_backward,
            after: after.0.clone(),
        };
        let (has_next, has_previous) =
            if is_backward { (!positions.is_empty(), has_more) } else { (has_more, cursor.is_some()) };
        let next = positions.last().filter(|_| has_next).map(|p| place(p, false));
        let previous = positions.first().filter(|_| has_previous).map(|p| place(p, true));
        let members: Vec<Member> = positions.iter().map(|(_, seat)| (plan.type_number, *seat)).collect();
        let included = self.included(&members, &query.includes, &query.reverse_includes)?;
        let total = match query.total {
            Total::None => None,
            Total::Accurate | Total::Estimate => Some(self.count_plan(&plan)?),
            Total::IfFree if self.gate.is_none() && plan.is_everything() => Some(self.count_plan(&plan)?),
            Total::IfFree if cursor.is_none() && !has_more => Some(members.len() as u64),
            Total::IfFree => None,
        };
        let found = |(type_number, seat): Member| Found { type_number, seat };
        Ok(Page {
            matches: members.into_iter().map(found).collect(),
            included: included.into_iter().map(found).collect(),
            total,
            next,
            previous,
        })
    }

    /// Matches in the direction of travel, each with its place in the order.
    fn positions(
        &self,
        plan: &Plan,
        query: &Query,
        limit: usize,
        cursor: Option<&Cursor>,
    ) -> Result<Vec<(After, Seat)>, Failure> {
        if plan.is_empty {
            return Ok(Vec::new());
        }
        let is_backward = cursor.is_some_and(|c| c.is_backward);
        let mismatch = || {
            Failure::Query(Issue::error(
                IssueType::Invalid,
                "_cursor: this place belongs to another search; begin the search anew",
            ))
        };
        if !query.sort.is_empty() {
            let after = match cursor.map(|c| &c.after) {
                None => None,
                Some(After::Sorted(position)) if position.keys.len() == query.sort.len() => Some(position),
                Some(_) => return Err(mismatch()),
            };
            let request = Request { sort: &query.sort, after, is_backward, limit };
            let found = self.sorted(plan, &request)?;
            return Ok(found.into_iter().map(|p| (After::Sorted(p.clone()), p.seat)).collect());
        }
        let sources = self.sources(plan)?;
        let driver = match cursor.map(|c| &c.after) {
            None => self.choose(&sources)?,
            Some(After::Seat(_)) => Driver::Seats,
            Some(After::Value(at, ..))
                if plan.conditions.get(*at as usize).is_some_and(|c| !c.is_negated) =>
            {
                Driver::Values(*at as usize)
            }
            Some(_) => return Err(mismatch()),
        };
        let mut found = Vec::new();
        match driver {
            Driver::Seats => {
                let (mut stream, covered) = self.seat_stream(&sources, is_backward)?;
                if let Some(After::Seat(seat)) = cursor.map(|c| &c.after) {
                    stream.seek(*seat)?;
                    if stream.current() == Some(*seat) {
                        stream.advance()?;
                    }
                }
                let nothing = vec![false; covered.len()];
                while let Some(seat) = stream.current() {
                    let covered = if stream.is_certain() { &covered } else { &nothing };
                    if self.passes(plan, seat, covered)? {
                        found.push((After::Seat(seat), seat));
                        if found.len() >= limit {
                            break;
                        }
                    }
                    stream.advance()?;
                }
            }
            Driver::Values(at) => {
                let mut covered = vec![false; plan.conditions.len()];
                covered[at] = true;
                let after = match cursor.map(|c| &c.after) {
                    Some(After::Value(_, key, seat)) => Some([key.as_slice(), &seat.bytes()].concat()),
                    _ => None,
                };
                let (condition, ranges) = (&plan.conditions[at], &sources.ranges[at]);
                let mut walk =
                    ValueWalk::new(self, plan.type_number, condition, ranges, after.as_deref(), is_backward)?;
                while let Some((seat, mut key)) = walk.next()? {
                    if self.passes(plan, seat, &covered)? {
                        let length = live::read_key(&key).map_or(key.len(), |(value, _)| value.len() + 2);
                        key.truncate(length);
                        found.push((After::Value(u32::try_from(at).unwrap_or(u32::MAX), key, seat), seat));
                        if found.len() >= limit {
                            break;
                        }
                    }
                }
            }
        }
        Ok(found)
    }
}
