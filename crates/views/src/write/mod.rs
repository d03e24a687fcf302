//! Rows as JSON, NDJSON, CSV and Parquet.

mod csv;
mod json;
mod parquet;

use std::io::Write;

use arrow::array::RecordBatch;

pub use self::csv::CsvWriter;
pub use self::json::{JsonLayout, JsonWriter};
pub use self::parquet::ParquetWriter;
use crate::column::Decimals;
use crate::plan::ViewDefinition;

/// A form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One array of objects.
    Json,
    /// An object a line.
    Ndjson,
    /// RFC 4180.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 4] = [Format::Json, Format::Ndjson, Format::Csv, Format::Parquet];

    /// The form with a name or media type.
    #[must_use]
    pub fn named(name: &str) -> Option<Format> {
        // A '+' in a query string stands for a space.
        let name = name.split(';').next().unwrap_or_default().trim().replace(' ', "+").to_ascii_lowercase();
        Some(match name.as_str() {
            "json" | "application/json" | "application/fhir+json" => Format::Json,
            "ndjson" | "application/ndjson" | "application/x-ndjson" | "application/fhir+ndjson" => {
                Format::Ndjson
            }
            "csv" | "text/csv" => Format::Csv,
            "parquet" | "application/vnd.apache.parquet" | "application/parquet" => Format::Parquet,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv;charset=utf-8",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// How the batches that are written in this form are built.
    #[must_use]
    pub fn decimals(self) -> Decimals {
        match self {
            Format::Parquet => Decimals::Numbers,
            _ => Decimals::Texts,
        }
    }
}

enum Form<'v, W: Write + Send> {
    Json(JsonWriter<'v>, String, W),
    Csv(Box<CsvWriter<'v>>, W),
    Parquet(Box<ParquetWriter<W>>),
}

/// Writes a view's rows in a form.
pub struct RowWriter<'v, W: Write + Send> {
    form: Form<'v, W>,
}

impl<W: Write + Send> std::fmt::Debug for RowWriter<'_, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RowWriter")
    }
}

impl<'v, W: Write + Send> RowWriter<'v, W> {
    /// A writer to `out`; of CSV, with a first line that names the columns if `header` is set.
    ///
    /// # Errors
    /// What writing says.
    pub fn new(view: &'v ViewDefinition, format: Format, header: bool, out: W) -> std::io::Result<Self> {
        let json = |layout| JsonWriter::new(&view.columns, layout);
        let form = match format {
            Format::Json => Form::Json(json(JsonLayout::Array), String::new(), out),
            Format::Ndjson => Form::Json(json(JsonLayout::Lines), String::new(), out),
            Format::Csv => Form::Csv(
                Box::new(CsvWriter::new(&view.columns, header).map_err(std::io::Error::other)?),
                out,
            ),
            Format::Parquet => {
                Form::Parquet(Box::new(ParquetWriter::new(view, out).map_err(std::io::Error::other)?))
            }
        };
        Ok(RowWriter { form })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// What writing says.
    pub fn write(&mut self, batch: &RecordBatch) -> std::io::Result<()> {
        match &mut self.form {
            Form::Json(writer, text, out) => {
                writer.write(batch, text);
                out.write_all(text.as_bytes())?;
                text.clear();
                Ok(())
            }
            Form::Csv(writer, out) => {
                writer.write(batch).map_err(std::io::Error::other)?;
                out.write_all(&writer.take().map_err(std::io::Error::other)?)
            }
            Form::Parquet(writer) => writer.write(batch).map_err(std::io::Error::other),
        }
    }

    /// Ends it; what was written to.
    ///
    /// # Errors
    /// What writing says.
    pub fn finish(self) -> std::io::Result<W> {
        match self.form {
            Form::Json(writer, mut text, mut out) => {
                writer.finish(&mut text);
                out.write_all(text.as_bytes())?;
                Ok(out)
            }
            Form::Csv(mut writer, mut out) => {
                out.write_all(&writer.take().map_err(std::io::Error::other)?)?;
                Ok(out)
            }
            Form::Parquet(writer) => writer.finish().map_err(std::io::Error::other),
        }
    }
}
