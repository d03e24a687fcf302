//! A view as it runs: what to go through, what to put into which column.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use fhir::TypeId;
use fhir::json::Projection;
use fhirpath::{Condition, Expression, Walk};

use crate::column::{Column, Decimals};
use crate::error::Error;
use crate::run::{Batches, Run};
use crate::{compile, definition};

/// A view, read, checked and ready to run.
#[derive(Debug)]
pub struct ViewDefinition {
    /// Its `name`, for computers.
    pub name: Option<String>,
    /// Its `title`, for people.
    pub title: Option<String>,
    /// Its canonical `url`.
    pub url: Option<String>,
    /// The type of the resources it is made of.
    pub resource: TypeId,
    /// Its columns in order.
    pub columns: Vec<Column>,
    pub(crate) wheres: Vec<Where>,
    pub(crate) units: Vec<Unit>,
    pub(crate) projection: Projection,
}

/// A condition on resources.
#[derive(Debug)]
pub(crate) struct Where {
    pub(crate) place: String,
    pub(crate) expression: Expression,
    pub(crate) condition: Option<Condition>,
}

/// A select.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) place: String,
    pub(crate) iteration: Loop,
    pub(crate) columns: Vec<Source>,
    pub(crate) selects: Vec<Unit>,
    pub(crate) union_all: Vec<Unit>,
}

/// How a select goes through elements.
#[derive(Debug)]
pub(crate) enum Loop {
    Once,
    Each { path: Path, or_null: bool },
    Repeat(Vec<Path>),
}

/// A path, made for speed where it can be.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) expression: Expression,
    pub(crate) walk: Option<Walk>,
}

/// What a column is filled from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) column: usize,
    pub(crate) collection: bool,
    pub(crate) path: Path,
    pub(crate) condition: Option<Condition>,
}

impl ViewDefinition {
    /// Reads a view's JSON.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(json: &[u8]) -> Result<ViewDefinition, Error> {
        compile::compile(definition::read(json)?)
    }

    /// The Arrow schema of its rows.
    #[must_use]
    pub fn schema(&self, decimals: Decimals) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(|c| c.field(decimals)).collect::<Vec<_>>()))
    }

    /// Whether it looks at `meta`, so that a kept text needs its version and moment put in.
    #[must_use]
    pub fn looks_at_meta(&self) -> bool {
        self.projection.has(fhir::r4().well_known().meta)
    }

    /// Its rows over the texts of resources, in batches of about so many; what is of another type has none.
    pub fn batches<I>(&self, texts: I, rows: usize, decimals: Decimals) -> Batches<'_, I::IntoIter>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Batches::new(Run::new(self, decimals), texts.into_iter(), rows)
    }
}
