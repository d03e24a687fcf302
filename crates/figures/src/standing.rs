//! Who is in which population, remembered, so that after a change only those are counted anew whose record changed.
//!
//! What is remembered is what was counted at the newest place of the log, of the whole record or of all whose Consents let them be
//! counted. It holds until a Consent begins or ends by the clock; what was written since is found in the log
//! ([`Changed`]).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use arrow::array::RecordBatch;
use fhir::date_time::Micros;
use hub::{Access, Failure, SystemClock};
use measures::{Evaluation, Indicator, Materials, Members, Period, View, views_of};
use store::{Clock as _, Place};

use crate::Figures;
use crate::changed::Changed;
use crate::failure::failure_of;

/// Bytes that are remembered at most.
const MOST: usize = 1 << 30;

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Audience {
    /// Everybody: for whoever has the whole record.
    Everybody,
    /// All whose Consents let them be counted.
    Consenting,
}

/// What is remembered of an indicator.
#[derive(Clone, Debug)]
struct Stood {
    place: Place,
    until: Option<Micros>,
    members: Members,
}

/// What it is remembered by: who is counted, the days, and the text of what is counted.
type Key = (Audience, String, String);

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Standing(BTreeMap<Key, Stood>);

fn key(audience: Audience, period: Period, indicator: &Indicator) -> Key {
    let measure = &indicator.measure;
    let of = format!("{}|{}|{}", measure.url, measure.version, indicator.library.hash);
    (audience, format!("{}/{}", period.start, period.end), of)
}

impl Figures {
    fn stood(&self, key: &Key, place: Place, now: Micros) -> Option<Stood> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let stood = standing.0.get(key)?;
        let holds = stood.place <= place && stood.until.is_none_or(|until| now < until);
        holds.then(|| stood.clone())
    }

    fn stand(&self, key: Key, stood: Stood) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may have counted at a later place meanwhile.
        if standing.0.get(&key).is_some_and(|known| known.place > stood.place) {
            return;
        }
        let bytes: usize = standing.0.values().map(|s| s.members.bytes()).sum();
        if bytes + stood.members.bytes() > MOST {
            standing.0.clear();
        }
        standing.0.insert(key, stood);
    }

    /// Who is in which population of each indicator at the newest place; what is remembered is brought up to it.
    pub(crate) fn members(
        &self,
        access: &Access,
        audience: Audience,
        place: Place,
        period: Period,
        indicators: &[Arc<Indicator>],
    ) -> Result<Vec<Members>, Failure> {
        let now = SystemClock.now();
        let known: Vec<Option<Stood>> =
            indicators.iter().map(|i| self.stood(&key(audience, period, i), place, now)).collect();
        // Those of one place are brought up together.
        let mut together: BTreeMap<Option<u64>, Vec<usize>> = BTreeMap::new();
        for (at, stood) in known.iter().enumerate() {
            together.entry(stood.as_ref().map(|s| s.place.0)).or_default().push(at);
        }
        let mut found: BTreeMap<usize, Members> = BTreeMap::new();
        for (from, all) in together {
            let of: Vec<Arc<Indicator>> = all.iter().filter_map(|at| indicators.get(*at).cloned()).collect();
            let before: Vec<&Members> =
                all.iter().filter_map(|at| Some(&known.get(*at)?.as_ref()?.members)).collect();
            let members = match from {
                Some(from) if from == place.0 => before.into_iter().cloned().collect(),
                Some(from) => match self.brought_up(access, (Place(from), place), period, &of, &before)? {
                    Some(members) => members,
                    None => self.anew(access, place, period, &of)?,
                },
                None => self.anew(access, place, period, &of)?,
            };
            found.extend(all.into_iter().zip(members));
        }
        let until = match audience {
            Audience::Everybody => None,
            Audience::Consenting => self.hub.next_change_of_consents(now),
        };
        let members: Vec<Members> = found.into_values().collect();
        for (indicator, members) in indicators.iter().zip(&members) {
            self.stand(key(audience, period, indicator), Stood { place, until, members: members.clone() });
        }
        Ok(members)
    }

    /// Of everybody.
    fn anew(
        &self,
        access: &Access,
        place: Place,
        period: Period,
        indicators: &[Arc<Indicator>],
    ) -> Result<Vec<Members>, Failure> {
        let materials = self.materials(access, place, &views_of(indicators), &[])?;
        self.populations(&materials, period, indicators)
    }

    fn populations(
        &self,
        materials: &Materials,
        period: Period,
        indicators: &[Arc<Indicator>],
    ) -> Result<Vec<Members>, Failure> {
        let evaluation = Evaluation::new(&self.started()?.engine, materials, period);
        indicators.iter().map(|i| evaluation.members(i).map_err(|e| failure_of(&e))).collect()
    }

    /// What was known at one place, with those counted anew whose record changed up to another; none if that is too much.
    fn brought_up(
        &self,
        access: &Access,
        (from, place): (Place, Place),
        period: Period,
        indicators: &[Arc<Indicator>],
        before: &[&Members],
    ) -> Result<Option<Vec<Members>>, Failure> {
        let views: Vec<Arc<View>> = views_of(indicators);
        let Changed::Persons(persons) = self.changed(from, place, &views)? else { return Ok(None) };
        if persons.is_empty() {
            return Ok(Some(before.iter().copied().cloned().collect()));
        }
        let mut patients: Vec<String> =
            persons.iter().filter_map(|p| p.strip_prefix("Patient/").map(str::to_owned)).collect();
        patients.sort_unstable();
        let definitions: Vec<_> = views.iter().map(|view| &view.definition).collect();
        let mut rows: Vec<Vec<RecordBatch>> = vec![Vec::new(); views.len()];
        let threads = self.started()?.engine.threads();
        self.hub.views_of_persons(access, &definitions, &patients, place, threads, &mut |at, batch| {
            rows.get_mut(at).into_iter().for_each(|rows| rows.push(batch.clone()));
            Ok(())
        })?;
        let mut materials = Materials::at(place.0);
        views.iter().zip(rows).for_each(|(view, rows)| materials.put(view, rows));
        let newer = self.populations(&materials, period, indicators)?;
        let brought = before.iter().zip(&newer).map(|(before, newer)| before.with(&persons, newer));
        brought.collect::<Result<_, _>>().map(Some).map_err(|e| failure_of(&e))
    }
}
