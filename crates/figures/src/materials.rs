//! The rows of views over what an access may see.

use std::sync::{Arc, PoisonError};

use hub::{Access, Failure, ViewScope};
use measures::{Materials, View};
use store::Place;
use views::Decimals;

use crate::Figures;

/// Rows that were built for the hub's own counting, kept for the next time it counts at the same place.
#[derive(Debug)]
pub(crate) struct Built {
    place: Place,
    materials: Arc<Materials>,
}

impl Figures {
    /// The rows of views at a place of the log.
    pub(crate) fn materials(
        &self,
        access: &Access,
        place: Place,
        views: &[Arc<View>],
        is_kept: bool,
    ) -> Result<Arc<Materials>, Failure> {
        let known = is_kept.then(|| self.known(place)).flatten();
        let mut materials = known.map_or_else(|| Materials::at(place.0), |known| Materials::clone(&known));
        let missing: Vec<&Arc<View>> = views.iter().filter(|view| !materials.has(view)).collect();
        // All of them show one place, whatever is written meanwhile.
        let as_of = Some(self.hub.reader(access).instant_of(place)?);
        for view in &missing {
            let scope = ViewScope { as_of, ..ViewScope::default() };
            let mut batches = Vec::new();
            let mut take = |batch| {
                batches.push(batch);
                Ok(true)
            };
            // What is seen leaves as figures alone: no row of it is told to the ledger one by one.
            self.hub.view_batches(
                access,
                &view.definition,
                &scope,
                Decimals::Numbers,
                self.started()?.engine.threads(),
                &mut take,
            )?;
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
