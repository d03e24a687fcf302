//! Rows as Parquet.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::column::Decimals;
use crate::plan::ViewDefinition;

/// Rows of one group of a file.
const GROUP_ROWS: usize = 128 * 1024;

/// Writes batches built with [`Decimals::Numbers`].
pub struct ParquetWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> std::fmt::Debug for ParquetWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ParquetWriter")
    }
}

impl<W: Write + Send> ParquetWriter<W> {
    /// A writer of a view's rows.
    ///
    /// # Errors
    /// What the Parquet writer says.
    pub fn new(view: &ViewDefinition, out: W) -> Result<ParquetWriter<W>, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by("Yojigen".to_owned())
            .build();
        let schema = view.schema(Decimals::Numbers);
        Ok(ParquetWriter { writer: ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))? })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// What the Parquet writer says.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        self.writer.write(batch)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// What the Parquet writer says.
    pub fn finish(self) -> Result<W, ParquetError> {
        self.writer.into_inner()
    }
}
