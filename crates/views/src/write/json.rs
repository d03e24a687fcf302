//! Rows as JSON objects: every column of every row is there, decimals with their digits.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::column::{Column, ColumnType};

/// How the rows stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonLayout {
    /// One array.
    Array,
    /// A row a line.
    Lines,
}

/// Writes batches built with [`crate::Decimals::Texts`].
#[derive(Debug)]
pub struct JsonWriter<'c> {
    /// Each column with the text before its value, `"name":`.
    columns: Vec<(&'c Column, String)>,
    layout: JsonLayout,
    is_first: bool,
}

impl<'c> JsonWriter<'c> {
    /// A writer of these columns.
    #[must_use]
    pub fn new(columns: &'c [Column], layout: JsonLayout) -> JsonWriter<'c> {
        let columns = columns
            .iter()
            .map(|column| {
                let mut name = String::new();
                fhir::json::quote(&mut name, &column.name);
                name.push(':');
                (column, name)
            })
            .collect();
        JsonWriter { columns, layout, is_first: true }
    }

    /// Adds rows to the text.
    pub fn write(&mut self, batch: &RecordBatch, out: &mut String) {
        for row in 0..batch.num_rows() {
            match (self.layout, self.is_first) {
                (JsonLayout::Array, true) => out.push('['),
                (JsonLayout::Array, false) => out.push(','),
                (JsonLayout::Lines, _) => {}
            }
            self.is_first = false;
            out.push('{');
            for (at, ((column, name), array)) in self.columns.iter().zip(batch.columns()).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(name);
                cell(column, array, row, out);
            }
            out.push('}');
            if self.layout == JsonLayout::Lines {
                out.push('\n');
            }
        }
    }

    /// Ends the text.
    pub fn finish(self, out: &mut String) {
        if self.layout == JsonLayout::Array {
            out.push_str(if self.is_first { "[]" } else { "]" });
        }
    }
}

/// A cell as JSON; a list as an array.
pub(super) fn cell(column: &Column, array: &dyn Array, row: usize, out: &mut String) {
    match array.as_list_opt::<i32>() {
        Some(lists) => {
            let items = lists.value(row);
            out.push('[');
            for at in 0..items.len() {
                if at > 0 {
                    out.push(',');
                }
                value(column.column_type, &items, at, out);
            }
            out.push(']');
        }
        None => value(column.column_type, array, row, out),
    }
}

/// One value as JSON; `null` where there is none.
fn value(column_type: ColumnType, array: &dyn Array, row: usize, out: &mut String) {
    use std::fmt::Write as _;
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        match column_type {
            ColumnType::Text => fhir::json::quote(out, texts.value(row)),
            _ => out.push_str(texts.value(row)),
        }
    } else if let Some(booleans) = array.as_boolean_opt() {
        out.push_str(if booleans.value(row) { "true" } else { "false" });
    } else if let Some(integers) = array.as_primitive_opt::<Int32Type>() {
        let _ = write!(out, "{}", integers.value(row));
    } else if let Some(integers) = array.as_primitive_opt::<Int64Type>() {
        let _ = write!(out, "{}", integers.value(row));
    } else if let Some(decimals) = array.as_primitive_opt::<arrow::datatypes::Decimal128Type>() {
        out.push_str(&decimals.value_as_string(row));
    } else {
        out.push_str("null");
    }
}
