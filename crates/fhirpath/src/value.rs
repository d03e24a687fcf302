//! What expressions yield: nodes of a resource, and values computed from them.

use std::borrow::Cow;
use std::sync::Arc;

use fhir::primitive::Primitive;
use fhir::{DateTime, NodeRef, TypeId, r4};
use rust_decimal::Decimal;

use crate::types::{SystemType, TypeSpecifier};

/// An ordered collection.
pub type Collection<'a> = Vec<Item<'a>>;

/// A time of day as written: hours, minutes, seconds, milliseconds; what was not written is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// 0–23.
    pub hour: u8,
    /// 0–59.
    pub minute: Option<u8>,
    /// 0–60, with thousandths.
    pub second_millis: Option<u32>,
}

impl Time {
    /// Reads `hh[:mm[:ss[.f…]]]`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Time> {
        let mut parts = text.splitn(3, ':');
        let two = |part: &str, max: u8| part.parse::<u8>().ok().filter(|v| part.len() == 2 && *v <= max);
        let hour = two(parts.next()?, 23)?;
        let Some(minute) = parts.next() else {
            return Some(Time { hour, minute: None, second_millis: None });
        };
        let minute = Some(two(minute, 59)?);
        let Some(seconds) = parts.next() else { return Some(Time { hour, minute, second_millis: None }) };
        let (whole, fraction) = seconds.split_once('.').map_or((seconds, None), |(w, f)| (w, Some(f)));
        let mut millis = u32::from(two(whole, 60)?) * 1000;
        if let Some(fraction) = fraction {
            if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
            millis += padded.parse::<u32>().ok()?;
        }
        Some(Time { hour, minute, second_millis: Some(millis) })
    }
}

/// A number with a unit: a UCUM code, or a calendar unit such as `year`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// The number.
    pub value: Decimal,
    /// The unit; `1` where there is none.
    pub unit: String,
    /// Whether the unit is a calendar unit (`year`, not `'a'`).
    pub is_calendar: bool,
}

/// A value of one of FHIRPath's own types.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    String(Arc<str>),
    Date(DateTime, Arc<str>),
    DateTime(DateTime, Arc<str>),
    Time(Time, Arc<str>),
    Quantity(Quantity),
    /// The outcome of `type()`: namespace and name.
    Type(&'static str, &'static str),
}

impl Value {
    /// Its type; `None` for the outcome of `type()`.
    #[must_use]
    pub fn system_type(&self) -> Option<SystemType> {
        Some(match self {
            Value::Boolean(_) => SystemType::Boolean,
            Value::Integer(_) => SystemType::Integer,
            Value::Decimal(_) => SystemType::Decimal,
            Value::String(_) => SystemType::String,
            Value::Date(..) => SystemType::Date,
            Value::DateTime(..) => SystemType::DateTime,
            Value::Time(..) => SystemType::Time,
            Value::Quantity(_) => SystemType::Quantity,
            Value::Type(..) => return None,
        })
    }

    /// A date from its text, `YYYY[-MM[-DD]]`.
    #[must_use]
    pub fn date(text: &str) -> Option<Value> {
        DateTime::parse(text).filter(|d| !d.has_time()).map(|d| Value::Date(d, text.into()))
    }

    /// A date and time from its text; the time may be missing, and end after the hour.
    #[must_use]
    pub fn date_time(text: &str) -> Option<Value> {
        let text = text.strip_suffix('T').unwrap_or(text);
        let parsed = DateTime::parse(text).or_else(|| {
            // FHIRPath allows hours alone, which FHIR does not.
            let (date, time) = text.split_once('T')?;
            let (hour, zone) = time.split_at_checked(2)?;
            DateTime::parse(&format!("{date}T{hour}:00{zone}"))
        })?;
        Some(Value::DateTime(parsed, text.into()))
    }

    /// A time of day from its text.
    #[must_use]
    pub fn time(text: &str) -> Option<Value> {
        Time::parse(text).map(|t| Value::Time(t, text.into()))
    }

    /// As text, the way `toString()` writes it.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Value::Boolean(v) => v.to_string(),
            Value::Integer(v) => v.to_string(),
            Value::Decimal(v) => v.to_string(),
            Value::String(v) | Value::Date(_, v) | Value::DateTime(_, v) | Value::Time(_, v) => v.to_string(),
            Value::Quantity(q) if q.is_calendar => format!("{} {}", q.value, q.unit),
            Value::Quantity(q) => format!("{} '{}'", q.value, q.unit),
            Value::Type(namespace, name) => format!("{namespace}.{name}"),
        }
    }
}

/// One item of a collection.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// An element of a resource.
    Node(NodeRef<'a>),
    /// A computed value.
    Value(Value),
    /// A resource that was referred to but not fetched; only its type is known.
    Stub(TypeId),
}

impl<'a> Item<'a> {
    /// The element, if it is one.
    #[must_use]
    pub fn node(&self) -> Option<NodeRef<'a>> {
        match self {
            Item::Node(node) => Some(*node),
            _ => None,
        }
    }

    /// The value: computed, of a primitive element, or of a Quantity element.
    #[must_use]
    pub fn value(&self) -> Option<Cow<'_, Value>> {
        match self {
            Item::Value(value) => Some(Cow::Borrowed(value)),
            Item::Node(node) => node_value(*node).map(Cow::Owned),
            Item::Stub(_) => None,
        }
    }

    /// The text of a string-like item.
    #[must_use]
    pub fn string(&self) -> Option<Cow<'_, str>> {
        match self {
            Item::Value(Value::String(text)) => Some(Cow::Borrowed(text)),
            Item::Node(node) if is_string_like(*node) => node.value(),
            _ => None,
        }
    }

    /// Whether it is of a type or one derived from it.
    #[must_use]
    pub fn is(&self, specifier: TypeSpecifier) -> bool {
        match (self, specifier) {
            (_, TypeSpecifier::System(SystemType::Any)) => true,
            (Item::Node(node), TypeSpecifier::Fhir(id) | TypeSpecifier::Quantity(id)) => {
                r4().is_a(node.value_type(), id)
            }
            (Item::Stub(found), TypeSpecifier::Fhir(id)) => r4().is_a(*found, id),
            (Item::Value(value), TypeSpecifier::System(system)) => value.system_type() == Some(system),
            (Item::Value(value), TypeSpecifier::Quantity(_)) => {
                value.system_type() == Some(SystemType::Quantity)
            }
            _ => false,
        }
    }
}

impl From<Value> for Item<'_> {
    fn from(value: Value) -> Self {
        Item::Value(value)
    }
}

pub(crate) fn is_string_like(node: NodeRef<'_>) -> bool {
    match node.type_definition().primitive {
        None => false,
        Some(primitive) => !matches!(
            primitive,
            Primitive::Boolean
                | Primitive::Integer
                | Primitive::PositiveInt
                | Primitive::UnsignedInt
                | Primitive::Decimal
                | Primitive::Date
                | Primitive::DateTime
                | Primitive::Instant
                | Primitive::Time
        ),
    }
}

/// The FHIRPath value of a FHIR element (<https://hl7.org/fhir/R4/fhirpath.html#types>).
fn node_value(node: NodeRef<'_>) -> Option<Value> {
    let Some(primitive) = node.type_definition().primitive else {
        return quantity_of(node).map(Value::Quantity);
    };
    let text = node.value()?;
    match primitive {
        Primitive::Boolean => Some(Value::Boolean(text == "true")),
        Primitive::Integer | Primitive::PositiveInt | Primitive::UnsignedInt => {
            text.parse().ok().map(Value::Integer)
        }
        Primitive::Decimal => parse_decimal(&text).map(Value::Decimal),
        Primitive::Date => Value::date(&text),
        Primitive::DateTime | Primitive::Instant => Value::date_time(&text),
        Primitive::Time => Value::time(&text),
        _ => Some(Value::String(text.into())),
    }
}

/// A decimal from FHIR's text, exponents included; `None` beyond what 28 digits hold.
pub(crate) fn parse_decimal(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { text.parse().ok() }
}

fn quantity_of(node: NodeRef<'_>) -> Option<Quantity> {
    if !r4().is_a(node.value_type(), r4().well_known().quantity) {
        return None;
    }
    let value = parse_decimal(&node.child("value")?.value()?)?;
    let unit = node.text_at("code").or_else(|| node.text_at("unit")).unwrap_or(Cow::Borrowed("1"));
    Some(Quantity { value, unit: unit.into_owned(), is_calendar: false })
}
