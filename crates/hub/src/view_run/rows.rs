//! The rows of a part of the resources a view is run over.

use std::time::Instant;

use arrow::array::RecordBatch;
use fhir::IssueType;
use fhir::date_time::Micros;
use store::{Found, Place, Reader};
use views::{Decimals, Run, ViewDefinition};

use super::refused;
use crate::{Access, Failure, Kind};

/// Bodies that are gone through at once.
pub(super) const PART: usize = 4096;
/// A batch is ended when it has more rows.
const MAX_BATCH: usize = 100_000;
/// What the rows of a part of the resources are made with.
pub(super) struct Part<'p> {
    pub(super) access: &'p Access,
    pub(super) reader: &'p Reader,
    pub(super) view: &'p ViewDefinition,
    pub(super) place: Place,
    pub(super) since: Option<Micros>,
    pub(super) now: Micros,
    pub(super) until: Option<Instant>,
    pub(super) decimals: Decimals,
}

impl Part<'_> {
    /// The rows of all of these.
    pub(super) fn all_rows(&self, mut found: &[Found]) -> Result<Vec<RecordBatch>, Failure> {
        let mut batches = Vec::new();
        while !found.is_empty() {
            let (batch, done) = self.rows(found)?;
            batches.push(batch);
            found = found.get(done..).unwrap_or_default();
        }
        Ok(batches)
    }

    /// The rows of the first of these, so many that a batch holds them; how many that were.
    pub(super) fn rows(&self, found: &[Found]) -> Result<(RecordBatch, usize), Failure> {
        let found = found.get(..PART).unwrap_or(found);
        let mut run = Run::new(self.view, self.decimals).at(self.now);
        let needs_meta = self.view.looks_at_meta();
        let mut whole = String::new();
        let (mut failure, mut done) = (Ok(()), 0);
        let mut is_late = false;
        for found in found.chunks(PART / 16) {
            self.reader.each(found, self.place, |kept| {
                is_late |= self.until.is_some_and(|until| Instant::now() > until);
                // After, not at: as $export has it.
                if is_late || failure.is_err() || self.since.is_some_and(|since| kept.instant <= since) {
                    return;
                }
                let before = run.rows();
                failure = match &kept.text {
                    Some(_) if needs_meta => {
                        whole.clear();
                        kept.write(&mut whole);
                        run.push_text(&whole)
                    }
                    Some((text, _)) => run.push_text(text),
                    None => Ok(()),
                };
                if run.rows() > before {
                    self.access.saw(&kept);
                }
            })?;
            done += found.len();
            if run.rows() > MAX_BATCH || is_late || failure.is_err() {
                break;
            }
        }
        failure.map_err(|e| refused(&e))?;
        if is_late {
            let message = "the view takes too long here; say _limit, patient or _since, or run it beside the hub: yojigen view run";
            return Err(Failure::new(Kind::TooCostly, IssueType::TooCostly, message));
        }
        Ok((run.batch().map_err(|e| refused(&e))?, done))
    }
}
