//! What views have made: tables in memory, or Parquet files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sql::Session;
use views::Decimals;

use crate::error::Error;
use crate::library::View;

/// Where the rows of a view are.
#[derive(Clone, Debug)]
enum Source {
    Memory(SchemaRef, Vec<RecordBatch>),
    Parquet(SchemaRef, Vec<PathBuf>),
}

/// What views have made, at one place of the log.
#[derive(Clone, Debug, Default)]
pub struct Materials {
    /// The place of the log they show; 0 where there is none.
    pub place: u64,
    tables: BTreeMap<String, Source>,
}

impl Materials {
    /// Nothing yet, for a place of the log.
    #[must_use]
    pub fn at(place: u64) -> Materials {
        Materials { place, tables: BTreeMap::new() }
    }

    /// Whether a view's rows are there.
    #[must_use]
    pub fn has(&self, view: &View) -> bool {
        self.tables.contains_key(&view.hash)
    }

    /// Takes the rows of a view, built with [`Decimals::Numbers`].
    pub fn put(&mut self, view: &View, batches: Vec<RecordBatch>) {
        let schema = view.definition.schema(Decimals::Numbers);
        self.tables.insert(view.hash.clone(), Source::Memory(schema, batches));
    }

    /// Takes Parquet files with the rows of a view.
    pub fn put_parquet(&mut self, view: &View, files: Vec<PathBuf>) {
        let schema = view.definition.schema(Decimals::Numbers);
        self.tables.insert(view.hash.clone(), Source::Parquet(schema, files));
    }

    /// Builds views from the resources' texts and takes their rows; resources of other types are passed over.
    ///
    /// # Errors
    /// A text that is no resource; values that do not fit their columns.
    pub fn build<T: AsRef<str> + Sync>(
        &mut self,
        views: &[std::sync::Arc<View>],
        texts: &[T],
        threads: usize,
    ) -> Result<(), Error> {
        for view in views {
            let batches = views::parallel::batches(&view.definition, texts, threads, Decimals::Numbers);
            let said = |e: views::Error| Error::new(format!("the view `{}`", view.name), "", e.to_string());
            self.put(view, batches.map_err(said)?);
        }
        Ok(())
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let batches = self.tables.values().flat_map(|source| match source {
            Source::Memory(_, batches) => batches.as_slice(),
            Source::Parquet(..) => &[],
        });
        batches.map(RecordBatch::get_array_memory_size).sum()
    }

    /// Gives a view's rows to a session.
    ///
    /// # Errors
    /// A view that was not built; rows that cannot be read.
    pub fn give(&self, session: &Session, view: &View, name: &str) -> Result<(), Error> {
        let of = format!("the view `{}`", view.name);
        let given = match self.tables.get(&view.hash) {
            Some(Source::Memory(schema, batches)) => session.add(name, schema, batches),
            Some(Source::Parquet(schema, files)) => session.add_parquet(name, schema, files),
            None => {
                return Err(Error::new(
                    of,
                    "",
                    "it was not built; build the views the indicators need first",
                ));
            }
        };
        given.map_err(|e| Error::sql(&of, "", &e))
    }
}
