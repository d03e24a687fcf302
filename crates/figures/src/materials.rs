//! The rows of views over what an access may see.

use std::sync::{Arc, PoisonError};

use arrow::array::RecordBatch;
use fhir::IssueType;
use hub::{Access, Failure, Kind, ViewScope};
use measures::{Materials, View};
use store::Place;
use views::Decimals;

use crate::Figures;

/// Rows are in memory while they are counted; so many bytes of them at most.
const MOST: usize = 8 << 30;

/// Rows of the whole record, kept for the next time it is counted at the same place. What an access may see is decided anew
/// each time, since a consent ends by the clock too.
#[derive(Debug)]
pub(crate) struct Built {
    place: Place,
    materials: Arc<Materials>,
}

impl Figures {
    /// The rows of views at a place of the log: over all an access may see, or over these Patients alone.
    pub(crate) fn materials(
        &self,
        access: &Access,
        place: Place,
        views: &[Arc<View>],
        patients: &[String],
    ) -> Result<Arc<Materials>, Failure> {
        let is_kept = access.rights.is_none() && patients.is_empty();
        let known = is_kept.then(|| self.known(place)).flatten();
        let mut materials = known.map_or_else(|| Materials::at(place.0), |known| Materials::clone(&known));
        let missing: Vec<&Arc<View>> = views.iter().filter(|view| !materials.has(view)).collect();
        let threads = self.started()?.engine.threads();
        let scope = ViewScope {
            patients: patients.to_vec(),
            // All of them show one place, whatever is written meanwhile.
            as_of: Some(self.hub.reader(access).instant_of(place)?),
            // The hub's own counting takes what it takes; who looks at a part of the record has the time of a search.
            time: access.subject.as_ref().and_then(|s| s.user.as_ref()).map(|_| self.hub.search_limits.time),
            ..ViewScope::default()
        };
        let mut bytes = materials.bytes();
        for view in &missing {
            let mut batches: Vec<RecordBatch> = Vec::new();
            let mut take = |batch: RecordBatch| {
                bytes += batch.get_array_memory_size();
                if bytes > MOST {
                    let message = format!(
                        "the rows of the views are more than {} GB; evaluate fewer indicators at once",
                        MOST >> 30
                    );
                    return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
                }
                batches.push(batch);
                Ok(true)
            };
            self.hub.view_batches(access, &view.definition, &scope, Decimals::Numbers, threads, &mut take)?;
            materials.put(view, batches);
        }
        let materials = Arc::new(materials);
        if is_kept && !missing.is_empty() {
            let built = Built { place, materials: Arc::clone(&materials) };
            *self.built.lock().unwrap_or_else(PoisonError::into_inner) = Some(built);
        }
        Ok(materials)
    }

    fn known(&self, place: Place) -> Option<Arc<Materials>> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.as_ref().filter(|built| built.place == place).map(|built| Arc::clone(&built.materials))
    }
}
