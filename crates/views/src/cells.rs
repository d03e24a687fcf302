//! Cells of a row, and the builders they are appended to.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Int32Builder, Int64Builder, ListArray, StringBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::Field;
use arrow::error::ArrowError;
use fhir::NodeRef;
use fhir::resource::Shape;
use fhirpath::{Item, Value};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::column::{Column, ColumnType, Decimals, PRECISION, SCALE};

/// What stands in a column of the row being made. Small: it is moved for every column of every row.
#[derive(Debug)]
pub(crate) enum Cell<'a> {
    Null,
    Node(NodeRef<'a>),
    Boolean(bool),
    /// The key of a resource, `Type/id`.
    Key(NodeRef<'a>),
    Text(Cow<'a, str>),
    Value(Box<Value>),
    List(Vec<Item<'a>>),
}

/// The values of a column.
#[derive(Debug)]
enum Items {
    Boolean(BooleanBuilder),
    Integer(Int32Builder),
    Integer64(Int64Builder),
    Decimal(Decimal128Builder),
    Text(StringBuilder),
}

/// A column being built.
#[derive(Debug)]
pub(crate) struct Builder {
    column_type: ColumnType,
    items: Items,
    field: Arc<Field>,
    /// Where each row's list begins and ends, if rows hold lists.
    offsets: Option<Vec<i32>>,
}

type Appended = Result<(), String>;

impl Builder {
    pub(crate) fn new(column: &Column, decimals: Decimals) -> Builder {
        let items = match column.column_type {
            ColumnType::Boolean => Items::Boolean(BooleanBuilder::new()),
            ColumnType::Integer => Items::Integer(Int32Builder::new()),
            ColumnType::Integer64 => Items::Integer64(Int64Builder::new()),
            ColumnType::Decimal if decimals == Decimals::Numbers => {
                Items::Decimal(Decimal128Builder::new().with_data_type(column.item_type(decimals)))
            }
            ColumnType::Decimal | ColumnType::Text | ColumnType::Json => Items::Text(StringBuilder::new()),
        };
        let field = Arc::new(Field::new_list_field(column.item_type(decimals), true));
        Builder { column_type: column.column_type, items, field, offsets: column.collection.then(|| vec![0]) }
    }

    /// Appends a row's cell; what cannot stand there is told.
    pub(crate) fn append(&mut self, cell: &Cell<'_>) -> Appended {
        if self.offsets.is_none() {
            return self.append_one(cell);
        }
        match cell {
            Cell::Null => {}
            Cell::List(items) => items.iter().try_for_each(|item| self.append_item(item))?,
            one => self.append_one(one)?,
        }
        let length =
            i32::try_from(self.length()).map_err(|_| "more values than a column holds".to_owned())?;
        self.offsets.iter_mut().for_each(|o| o.push(length));
        Ok(())
    }

    fn length(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        match &self.items {
            Items::Boolean(b) => b.len(),
            Items::Integer(b) => b.len(),
            Items::Integer64(b) => b.len(),
            Items::Decimal(b) => b.len(),
            Items::Text(b) => b.len(),
        }
    }

    fn append_one(&mut self, cell: &Cell<'_>) -> Appended {
        match cell {
            Cell::Null => self.append_null(),
            Cell::Node(node) => return self.append_node(*node),
            Cell::Boolean(value) => return self.append_value(&Value::Boolean(*value)),
            Cell::Key(resource) => {
                let Some(id) = resource.id() else {
                    self.append_null();
                    return Ok(());
                };
                let type_name = resource.type_name();
                match &mut self.items {
                    Items::Text(b) if self.column_type == ColumnType::Text => {
                        let _ = write!(b, "{type_name}/{id}");
                        b.append_value("");
                    }
                    _ => return Err(self.refused(&format!("the key {type_name}/{id}"))),
                }
            }
            Cell::Text(text) => return self.append_text(text),
            Cell::Value(value) => return self.append_value(value),
            Cell::List(_) => return Err(self.refused("several values")),
        }
        Ok(())
    }

    fn append_item(&mut self, item: &Item<'_>) -> Appended {
        match item {
            Item::Node(node) => self.append_node(*node),
            Item::Value(value) => self.append_value(value),
            Item::Stub(_) => Err(self.refused("a resource that is not here")),
        }
    }

    fn append_null(&mut self) {
        match &mut self.items {
            Items::Boolean(b) => b.append_null(),
            Items::Integer(b) => b.append_null(),
            Items::Integer64(b) => b.append_null(),
            Items::Decimal(b) => b.append_null(),
            Items::Text(b) => b.append_null(),
        }
    }

    fn refused(&self, found: &str) -> String {
        let shown: String = found.chars().take(60).collect();
        format!("the column holds {}, found {shown}", self.column_type.word())
    }

    fn append_text(&mut self, text: &str) -> Appended {
        match &mut self.items {
            Items::Text(b) if self.column_type == ColumnType::Text => {
                b.append_value(text);
                Ok(())
            }
            Items::Text(b) if self.column_type == ColumnType::Json => {
                let mut quoted = String::with_capacity(text.len() + 2);
                fhir::json::quote(&mut quoted, text);
                b.append_value(quoted);
                Ok(())
            }
            _ => Err(self.refused(&format!("'{text}'"))),
        }
    }

    fn append_node(&mut self, node: NodeRef<'_>) -> Appended {
        let shape = node.node().shape;
        if shape == Shape::Absent {
            self.append_null();
            return Ok(());
        }
        let raw = node.raw();
        match (&mut self.items, self.column_type, shape) {
            (Items::Text(b), ColumnType::Json, _) => b.append_value(node.json()),
            (Items::Text(b), ColumnType::Text, Shape::Plain | Shape::Number | Shape::Boolean) => {
                b.append_value(raw)
            }
            (Items::Text(b), ColumnType::Text, Shape::Escaped) => {
                b.append_value(node.value().unwrap_or_default())
            }
            (Items::Text(b), ColumnType::Decimal, Shape::Number) => b.append_value(raw),
            (Items::Boolean(b), _, Shape::Boolean) => b.append_value(raw == "true"),
            (Items::Integer(b), _, Shape::Number) => match raw.parse() {
                Ok(number) => b.append_value(number),
                Err(_) => return Err(self.refused(raw)),
            },
            (Items::Integer64(b), _, Shape::Number) => match raw.parse() {
                Ok(number) => b.append_value(number),
                Err(_) => return Err(self.refused(raw)),
            },
            (Items::Decimal(b), _, Shape::Number) => match fhirpath::decimal(raw).and_then(scaled) {
                Some(number) => b.append_value(number),
                None => return Err(too_large(raw)),
            },
            (_, _, Shape::Object) => return Err(self.refused(&format!("a {}", node.type_name()))),
            _ => return Err(self.refused(&format!("'{raw}'"))),
        }
        Ok(())
    }

    fn append_value(&mut self, value: &Value) -> Appended {
        match (&mut self.items, value) {
            (Items::Boolean(b), Value::Boolean(found)) => b.append_value(*found),
            (Items::Integer(b), found) => match whole(found).and_then(|n| i32::try_from(n).ok()) {
                Some(number) => b.append_value(number),
                None => return Err(self.refused(&value.to_text())),
            },
            (Items::Integer64(b), found) => match whole(found) {
                Some(number) => b.append_value(number),
                None => return Err(self.refused(&value.to_text())),
            },
            (Items::Decimal(b), Value::Decimal(_) | Value::Integer(_)) => {
                let decimal = match value {
                    Value::Integer(n) => Decimal::from(*n),
                    Value::Decimal(d) => *d,
                    _ => Decimal::ZERO,
                };
                match scaled(decimal) {
                    Some(number) => b.append_value(number),
                    None => return Err(too_large(&value.to_text())),
                }
            }
            (Items::Text(b), Value::Decimal(_) | Value::Integer(_)) => b.append_value(value.to_text()),
            (Items::Text(_), _) if self.column_type != ColumnType::Decimal => {
                return self.append_text(&value.to_text());
            }
            _ => return Err(self.refused(&value.to_text())),
        }
        Ok(())
    }

    /// The column so far; the builder is empty again.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let values: ArrayRef = match &mut self.items {
            Items::Boolean(b) => Arc::new(b.finish()),
            Items::Integer(b) => Arc::new(b.finish()),
            Items::Integer64(b) => Arc::new(b.finish()),
            Items::Decimal(b) => Arc::new(b.finish()),
            Items::Text(b) => Arc::new(b.finish()),
        };
        match &mut self.offsets {
            None => Ok(values),
            Some(offsets) => {
                let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
                Ok(Arc::new(ListArray::try_new(Arc::clone(&self.field), offsets, values, None)?))
            }
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(n) => Some(*n),
        Value::Decimal(d) if d.fract().is_zero() => d.to_i64(),
        _ => None,
    }
}

/// A decimal in units of its column's last digit; `None` if it is too large.
fn scaled(decimal: Decimal) -> Option<i128> {
    let scale = u32::try_from(SCALE).ok()?;
    let rounded = decimal.round_dp_with_strategy(scale, RoundingStrategy::MidpointNearestEven);
    let missing = scale.checked_sub(rounded.scale())?;
    let number = rounded.mantissa().checked_mul(10i128.checked_pow(missing)?)?;
    (number.unsigned_abs() < 10u128.pow(u32::from(PRECISION))).then_some(number)
}

fn too_large(found: &str) -> String {
    let shown: String = found.chars().take(60).collect();
    format!("{shown} has more digits before the point than a column of decimals holds (26)")
}
