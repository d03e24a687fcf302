//! An answer, and the forms it is written in.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;

/// The rows of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
}

impl Answer {
    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    fn parts(&self) -> Vec<&RecordBatch> {
        self.batches.iter().collect()
    }

    /// Writes an array of objects; what is null is left out of its object.
    ///
    /// # Errors
    /// What writing says.
    pub fn write_json(&self, out: &mut impl Write) -> Result<(), ArrowError> {
        if self.rows() == 0 {
            return Ok(out.write_all(b"[]")?);
        }
        let mut writer = arrow::json::ArrayWriter::new(out);
        writer.write_batches(&self.parts())?;
        writer.finish()
    }

    /// Writes an object a line.
    ///
    /// # Errors
    /// What writing says.
    pub fn write_ndjson(&self, out: &mut impl Write) -> Result<(), ArrowError> {
        let mut writer = arrow::json::LineDelimitedWriter::new(out);
        writer.write_batches(&self.parts())?;
        writer.finish()
    }

    /// Writes comma-separated values below a line of names.
    ///
    /// # Errors
    /// Columns that CSV cannot hold (lists), and what writing says.
    pub fn write_csv(&self, out: &mut impl Write) -> Result<(), ArrowError> {
        let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
        if self.batches.is_empty() {
            return writer.write(&RecordBatch::new_empty(self.schema.clone()));
        }
        self.batches.iter().try_for_each(|batch| writer.write(batch))
    }

    /// Writes an Arrow IPC stream.
    ///
    /// # Errors
    /// What writing says.
    pub fn write_arrow(&self, out: &mut impl Write) -> Result<(), ArrowError> {
        let mut writer = StreamWriter::try_new(out, &self.schema)?;
        self.batches.iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    }
}
