//! `_include` and `_revinclude`.

use fhir::{Issue, IssueType, r4};
use rustc_hash::FxHashSet;
use search::condition::Condition;
use search::query::Include;

use super::plan::Plan;
use super::{Failure, Searcher};
use crate::numbers::Seat;

/// More included resources than this are refused: a page must stay a page.
const MAX_INCLUDED: usize = 10_000;
/// `:iterate` goes this many steps.
const MAX_STEPS: usize = 10;

/// A resource on a page: its type's number and where it is kept.
pub(super) type Member = (u8, Seat);

impl Searcher<'_> {
    /// What includes add to matches: each resource once, none that is a match, all of the search's place.
    pub(super) fn included(
        &self,
        matches: &[Member],
        includes: &[Include],
        reverse: &[Include],
    ) -> Result<Vec<Member>, Failure> {
        if includes.is_empty() && reverse.is_empty() {
            return Ok(Vec::new());
        }
        let mut seen: FxHashSet<Member> = matches.iter().copied().collect();
        let mut added: Vec<Member> = Vec::new();
        let mut fresh: Vec<Member> = matches.to_vec();
        for step in 0..MAX_STEPS {
            let mut next = Vec::new();
            for include in includes.iter().filter(|i| step == 0 || i.is_iterated) {
                self.follow(include, &fresh, &mut next)?;
            }
            for include in reverse.iter().filter(|i| step == 0 || i.is_iterated) {
                self.follow_back(include, &fresh, &mut next)?;
            }
            next.retain(|member| seen.insert(*member));
            if next.is_empty() {
                break;
            }
            if added.len() + next.len() > MAX_INCLUDED {
                return Err(Failure::Query(Issue::error(
                    IssueType::TooCostly,
                    format!(
                        "this page includes more than {MAX_INCLUDED} resources; ask for a smaller _count or fewer includes"
                    ),
                )));
            }
            added.extend_from_slice(&next);
            fresh = next;
        }
        Ok(added)
    }

    /// What the references of these resources point at.
    fn follow(&self, include: &Include, from: &[Member], out: &mut Vec<Member>) -> Result<(), Failure> {
        let Some(source) = r4().resource_number(include.source) else { return Ok(()) };
        let only = include.target.and_then(|t| r4().resource_number(t));
        let seats: Vec<Seat> = from.iter().filter(|(t, _)| *t == source).map(|(_, s)| *s).collect();
        for parameter in &include.parameters {
            let own = match parameter.storage {
                search::parameters::Storage::OnlyType(_, t) => r4().resource_number(t),
                _ => only,
            };
            for (type_number, number) in self.targets(&seats, source, parameter, own)? {
                if only.is_none_or(|o| o == type_number)
                    && let Some(seat) = self.seat_of_number(type_number, number)?
                {
                    out.push((type_number, seat));
                }
            }
        }
        Ok(())
    }

    /// What points at these resources.
    fn follow_back(&self, include: &Include, to: &[Member], out: &mut Vec<Member>) -> Result<(), Failure> {
        let Some(source) = r4().resource_number(include.source) else { return Ok(()) };
        let only = include.target.and_then(|t| r4().resource_number(t));
        let targets: Vec<(u8, u64)> = to
            .iter()
            .filter(|(t, _)| only.is_none_or(|o| o == *t))
            .map(|(t, s)| (*t, s.resource.0))
            .collect();
        for parameter in &include.parameters {
            let condition = Condition::references(parameter, &targets);
            if condition.alternatives.is_empty() {
                continue;
            }
            let plan = Plan {
                type_number: source,
                conditions: vec![condition],
                lists: Vec::new(),
                places: Vec::new(),
                is_empty: false,
            };
            let mut count = 0;
            self.visit(&plan, |seat| {
                out.push((source, seat));
                count += 1;
                Ok(count <= MAX_INCLUDED)
            })?;
        }
        Ok(())
    }
}
