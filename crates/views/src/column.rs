//! Columns: their FHIR types and the Arrow types they become.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use fhir::primitive::Primitive;
use fhir::{TypeId, r4};
use fhirpath::{SystemType, Types};

/// How a column of decimals is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimals {
    /// `Decimal128(38, 12)`: to compute with.
    Numbers,
    /// The text as it was written: to be written again.
    Texts,
}

/// Digits of a decimal column.
pub(crate) const PRECISION: u8 = 38;
/// Of these, after the point.
pub(crate) const SCALE: i8 = 12;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `integer`, `positiveInt`, `unsignedInt`: 32 bits.
    Integer,
    /// `integer64`
    Integer64,
    /// `decimal`
    Decimal,
    /// Every other primitive: a text, as JSON has it.
    Text,
    /// A complex type: its JSON.
    Json,
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its FHIR type, as declared or found; `None` where it is not known.
    pub fhir_type: Option<String>,
    /// What it holds.
    pub column_type: ColumnType,
    /// Whether a row holds a list of values.
    pub collection: bool,
    /// What the view says of it.
    pub description: Option<String>,
    /// Where the view defines it.
    pub place: String,
}

impl ColumnType {
    fn of_primitive(primitive: Primitive) -> ColumnType {
        match primitive {
            Primitive::Boolean => ColumnType::Boolean,
            Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => ColumnType::Integer,
            Primitive::Decimal => ColumnType::Decimal,
            _ => ColumnType::Text,
        }
    }

    fn of(id: TypeId) -> ColumnType {
        r4().type_of(id).primitive.map_or(ColumnType::Json, ColumnType::of_primitive)
    }

    /// What a FHIR type's name stands for; `None` if there is no such type.
    pub(crate) fn named(name: &str) -> Option<ColumnType> {
        if name == "integer64" {
            return Some(ColumnType::Integer64);
        }
        r4().type_named(name).map(ColumnType::of)
    }

    /// What a path's outcome asks for, and the FHIR type's name if it is one; a text where it is not known.
    pub(crate) fn found(types: &Types) -> (ColumnType, Option<String>) {
        let fhir = types.fhir.iter().map(|id| (ColumnType::of(*id), r4().type_name(*id)));
        let system = types.system.iter().map(|system| match system {
            SystemType::Boolean => (ColumnType::Boolean, "boolean"),
            SystemType::Integer => (ColumnType::Integer, "integer"),
            SystemType::Decimal => (ColumnType::Decimal, "decimal"),
            SystemType::Date => (ColumnType::Text, "date"),
            SystemType::DateTime => (ColumnType::Text, "dateTime"),
            SystemType::Time => (ColumnType::Text, "time"),
            SystemType::Any | SystemType::String | SystemType::Quantity => (ColumnType::Text, "string"),
        });
        let all: Vec<_> = fhir.chain(system).collect();
        match all.as_slice() {
            [(only, name)] => (*only, Some((*name).to_owned())),
            [(first, _), rest @ ..] if rest.iter().all(|(other, _)| other == first) => (*first, None),
            _ => (ColumnType::Text, None),
        }
    }

    /// A word for messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            ColumnType::Boolean => "a boolean",
            ColumnType::Integer => "an integer of 32 bits",
            ColumnType::Integer64 => "an integer of 64 bits",
            ColumnType::Decimal => "a decimal",
            ColumnType::Text => "a text",
            ColumnType::Json => "an element",
        }
    }
}

impl Column {
    /// The Arrow type of one value.
    pub(crate) fn item_type(&self, decimals: Decimals) -> DataType {
        match self.column_type {
            ColumnType::Boolean => DataType::Boolean,
            ColumnType::Integer => DataType::Int32,
            ColumnType::Integer64 => DataType::Int64,
            ColumnType::Decimal if decimals == Decimals::Numbers => DataType::Decimal128(PRECISION, SCALE),
            ColumnType::Decimal | ColumnType::Text | ColumnType::Json => DataType::Utf8,
        }
    }

    /// The Arrow field; its metadata says the FHIR type and what the view says of the column.
    pub(crate) fn field(&self, decimals: Decimals) -> Field {
        let item = self.item_type(decimals);
        let data_type =
            if self.collection { DataType::List(Arc::new(Field::new_list_field(item, true))) } else { item };
        let mut metadata = HashMap::new();
        metadata.extend(self.fhir_type.clone().map(|t| ("fhir:type".to_owned(), t)));
        metadata.extend(self.description.clone().map(|d| ("description".to_owned(), d)));
        Field::new(&self.name, data_type, true).with_metadata(metadata)
    }
}
