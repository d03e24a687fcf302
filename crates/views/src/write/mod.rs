//! Rows as JSON, NDJSON, CSV and Parquet.

mod csv;
mod json;
mod parquet;

pub use csv::CsvWriter;
pub use json::{JsonLayout, JsonWriter};
pub use parquet::ParquetWriter;
