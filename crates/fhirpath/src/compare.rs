//! Equality, equivalence and order (N1, section 6.1 and 6.2). `None` is "no answer": the outcome is empty.

use std::cmp::Ordering;

use fhir::date_time::{FixedZone, Precision};
use fhir::{DateTime, NodeRef};
use rust_decimal::Decimal;

use crate::value::{Item, Quantity, Time, Value};

/// Whether two collections are equal: same number, pairwise equal.
pub(crate) fn equal(left: &[Item<'_>], right: &[Item<'_>]) -> Option<bool> {
    if left.is_empty() || right.is_empty() {
        return None;
    }
    if left.len() != right.len() {
        return Some(false);
    }
    left.iter().zip(right).try_fold(true, |so_far, (a, b)| Some(so_far && equal_items(a, b)?))
}

/// Whether one of the items equals `item`.
pub(crate) fn contains_equal(items: &[Item<'_>], item: &Item<'_>) -> bool {
    items.iter().any(|other| equal_items(other, item) == Some(true))
}

pub(crate) fn equal_items(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    if let (Item::Node(a), Item::Node(b)) = (left, right) {
        if a == b {
            return Some(true);
        }
        let (is_value_a, is_value_b) = (left.value().is_some(), right.value().is_some());
        if !is_value_a || !is_value_b {
            return Some(is_value_a == is_value_b && equal_nodes(*a, *b));
        }
    }
    match (left.value(), right.value()) {
        (Some(a), Some(b)) => equal_values(&a, &b),
        (None, None) => match (left, right) {
            (Item::Stub(a), Item::Stub(b)) => Some(a == b),
            _ => Some(false),
        },
        _ => Some(false),
    }
}

/// Elements are equal if their children are, in any spelling of white space (which is not kept anyway).
fn equal_nodes(a: NodeRef<'_>, b: NodeRef<'_>) -> bool {
    if a.value() != b.value() {
        return false;
    }
    let (mut left, mut right): (Vec<_>, Vec<_>) = (a.children().collect(), b.children().collect());
    if left.len() != right.len() {
        return false;
    }
    // Members may come in any order; repetitions of one element keep theirs (the sort is stable).
    left.sort_by_key(|n| n.name());
    right.sort_by_key(|n| n.name());
    left.iter()
        .zip(&right)
        .all(|(x, y)| x.name() == y.name() && equal_items(&Item::Node(*x), &Item::Node(*y)) == Some(true))
}

fn equal_values(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Boolean(x), Value::Boolean(y)) => Some(x == y),
        (Value::String(x), Value::String(y)) => Some(x == y),
        (Value::Integer(x), Value::Integer(y)) => Some(x == y),
        (Value::Type(..), Value::Type(..)) => Some(a == b),
        (Value::Integer(_) | Value::Decimal(_), Value::Integer(_) | Value::Decimal(_)) => {
            Some(number(a) == number(b))
        }
        (Value::Date(x, _) | Value::DateTime(x, _), Value::Date(y, _) | Value::DateTime(y, _)) => {
            compare_moments(x, y).map(|o| o == Ordering::Equal)
        }
        (Value::Time(x, _), Value::Time(y, _)) => compare_times(*x, *y).map(|o| o == Ordering::Equal),
        (Value::Quantity(_), _) | (_, Value::Quantity(_)) => {
            let (x, y) = (crate::functions::to_quantity(a), crate::functions::to_quantity(b));
            match (x, y) {
                (Some(x), Some(y)) => compare_quantities(&x, &y).map(|o| o == Ordering::Equal),
                _ => Some(false),
            }
        }
        _ => Some(false),
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(i) => Some(Decimal::from(*i)),
        Value::Decimal(d) => Some(*d),
        _ => None,
    }
}

/// Whether `left` comes before, with or after `right`; an error text if their types have no order.
pub(crate) fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, String> {
    match (left, right) {
        (Value::String(x), Value::String(y)) => Ok(Some(x.cmp(y))),
        (Value::Integer(_) | Value::Decimal(_), Value::Integer(_) | Value::Decimal(_)) => {
            Ok(number(left).zip(number(right)).map(|(x, y)| x.cmp(&y)))
        }
        (Value::Date(x, _) | Value::DateTime(x, _), Value::Date(y, _) | Value::DateTime(y, _)) => {
            Ok(compare_moments(x, y))
        }
        (Value::Time(x, _), Value::Time(y, _)) => Ok(compare_times(*x, *y)),
        (Value::Quantity(_), _) | (_, Value::Quantity(_)) => {
            match (crate::functions::to_quantity(left), crate::functions::to_quantity(right)) {
                (Some(x), Some(y)) => Ok(compare_quantities(&x, &y)),
                _ => Err(cannot_compare(left, right)),
            }
        }
        _ => Err(cannot_compare(left, right)),
    }
}

fn cannot_compare(left: &Value, right: &Value) -> String {
    let name = |v: &Value| v.system_type().map_or("a type", crate::types::SystemType::name);
    format!("{} and {} have no order", name(left), name(right))
}

/// The parts of a moment that can be compared, coarse to fine, on one clock if both have a zone.
fn compare_moments(x: &DateTime, y: &DateTime) -> Option<Ordering> {
    // A date and a date-time compare as far as both go.
    let same_zone = x.offset_minutes() == y.offset_minutes();
    let have_zones = x.offset_minutes().is_some() && y.offset_minutes().is_some();
    if x.has_time() && y.has_time() && !same_zone {
        if !have_zones {
            return None;
        }
        let (start_x, start_y) = (x.interval(&FixedZone(0)).0, y.interval(&FixedZone(0)).0);
        return same_precision(x, y).then(|| start_x.cmp(&start_y));
    }
    let parts = |d: &DateTime| {
        let (year, month, day) = d.date();
        let (hour, minute, second, micros) = d.time();
        let p = d.precision();
        let when = |least: Precision, part: i64| (p >= least).then_some(part);
        [
            Some(i64::from(year)),
            when(Precision::Month, i64::from(month)),
            when(Precision::Day, i64::from(day)),
            when(Precision::Minute, i64::from(hour) * 60 + i64::from(minute)),
            when(Precision::Second, i64::from(second) * 1_000_000 + i64::from(micros)),
        ]
    };
    compare_parts(parts(x).into_iter().zip(parts(y)))
}

fn same_precision(x: &DateTime, y: &DateTime) -> bool {
    x.precision().min(Precision::Second) == y.precision().min(Precision::Second)
}

/// The first difference decides; a part only one of them has leaves no answer.
fn compare_parts(parts: impl Iterator<Item = (Option<i64>, Option<i64>)>) -> Option<Ordering> {
    for pair in parts {
        match pair {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => return Some(a.cmp(&b)),
            (None, None) => break,
            _ => return None,
        }
    }
    Some(Ordering::Equal)
}

fn compare_times(x: Time, y: Time) -> Option<Ordering> {
    let parts = |t: Time| [Some(i64::from(t.hour)), t.minute.map(i64::from), t.second_millis.map(i64::from)];
    compare_parts(parts(x).into_iter().zip(parts(y)))
}

/// Units that mean the same: a UCUM code, its calendar unit where the two agree, and how many of the smallest.
fn scale(quantity: &Quantity) -> (&str, Decimal) {
    let unit = quantity.unit.as_str();
    let seconds = |n: i64| ("s", Decimal::from(n));
    match (unit, quantity.is_calendar) {
        ("week", true) | ("wk", false) => ("d", Decimal::from(7)),
        ("day", true) | ("d", false) => ("d", Decimal::ONE),
        ("hour", true) | ("h", false) => seconds(3600),
        ("minute", true) | ("min", false) => seconds(60),
        ("second", true) | ("s", false) => seconds(1),
        ("millisecond", true) | ("ms", false) => ("s", Decimal::new(1, 3)),
        ("year", true) => ("year", Decimal::from(12)),
        ("month", true) => ("year", Decimal::ONE),
        _ => (unit, Decimal::ONE),
    }
}

fn compare_quantities(x: &Quantity, y: &Quantity) -> Option<Ordering> {
    let ((unit_x, scale_x), (unit_y, scale_y)) = (scale(x), scale(y));
    if unit_x != unit_y {
        return None;
    }
    Some(x.value.checked_mul(scale_x)?.cmp(&y.value.checked_mul(scale_y)?))
}

/// Whether two collections say the same: same number, in any order, ignoring case and white space of texts and
/// precision of numbers.
pub(crate) fn equivalent(left: &[Item<'_>], right: &[Item<'_>]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut open: Vec<&Item<'_>> = right.iter().collect();
    left.iter().all(|item| match open.iter().position(|other| equivalent_items(item, other)) {
        Some(at) => {
            open.swap_remove(at);
            true
        }
        None => false,
    })
}

fn equivalent_items(left: &Item<'_>, right: &Item<'_>) -> bool {
    match (left.value(), right.value()) {
        (Some(a), Some(b)) => equivalent_values(&a, &b),
        (None, None) => match (left.node(), right.node()) {
            (Some(a), Some(b)) => {
                let children = |n: NodeRef<'_>| n.children().filter(|c| c.name() != "id").count();
                children(a) == children(b)
                    && a.children()
                        .filter(|c| c.name() != "id")
                        .all(|x| b.all(x.name()).any(|y| equivalent_items(&Item::Node(x), &Item::Node(y))))
            }
            _ => false,
        },
        _ => false,
    }
}

fn equivalent_values(a: &Value, b: &Value) -> bool {
    let normal = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    match (a, b) {
        (Value::String(x), Value::String(y)) => normal(x) == normal(y),
        (Value::Integer(_) | Value::Decimal(_), Value::Integer(_) | Value::Decimal(_)) => {
            let (Some(x), Some(y)) = (number(a), number(b)) else { return false };
            let places = x.normalize().scale().min(y.normalize().scale());
            x.round_dp(places) == y.round_dp(places)
        }
        (Value::Quantity(x), Value::Quantity(y)) => {
            let ((unit_x, scale_x), (unit_y, scale_y)) = (loose_scale(x), loose_scale(y));
            let (vx, vy) = (x.value.checked_mul(scale_x), y.value.checked_mul(scale_y));
            unit_x == unit_y && vx.is_some() && vx == vy
        }
        _ => equal_values(a, b) == Some(true),
    }
}

/// As [`scale`], with calendar years and months taken for UCUM's.
fn loose_scale(quantity: &Quantity) -> (&str, Decimal) {
    match (quantity.unit.as_str(), quantity.is_calendar) {
        ("a", false) => ("year", Decimal::from(12)),
        ("mo", false) => ("year", Decimal::ONE),
        _ => scale(quantity),
    }
}
