//! Rows as CSV (RFC 4180): nothing stands for no value, a list is written as JSON.

use arrow::array::{Array, AsArray, RecordBatch};

use super::json;
use crate::column::{Column, ColumnType};

/// Writes batches built with [`crate::Decimals::Texts`].
#[derive(Debug)]
pub struct CsvWriter<'c> {
    columns: &'c [Column],
    writer: csv::Writer<Vec<u8>>,
}

impl<'c> CsvWriter<'c> {
    /// A writer of these columns, with or without a first line that names them.
    ///
    /// # Errors
    /// What the CSV writer says.
    pub fn new(columns: &'c [Column], header: bool) -> Result<CsvWriter<'c>, csv::Error> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        if header {
            writer.write_record(columns.iter().map(|c| &c.name))?;
        }
        Ok(CsvWriter { columns, writer })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// What the CSV writer says.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), csv::Error> {
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for (column, array) in self.columns.iter().zip(batch.columns()) {
                let texts = array.as_string_opt::<i32>().filter(|_| column.column_type != ColumnType::Json);
                if array.is_null(row) {
                    self.writer.write_field("")?;
                } else if let Some(texts) = texts {
                    self.writer.write_field(texts.value(row))?;
                } else {
                    text.clear();
                    json::cell(column, array, row, &mut text);
                    self.writer.write_field(&text)?;
                }
            }
            self.writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    /// What was written since the last call.
    ///
    /// # Errors
    /// What the CSV writer says.
    pub fn take(&mut self) -> Result<Vec<u8>, csv::Error> {
        self.writer.flush()?;
        let next = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let done = std::mem::replace(&mut self.writer, next);
        done.into_inner().map_err(|e| csv::Error::from(e.into_error()))
    }
}
