//! Utility functions (N1, section 5.9), reflection (section 10) and aggregates (section 7).

use fhir::definitions::TypeKind;
use fhir::r4;

use super::Call;
use crate::error::Error;
use crate::evaluate::Scope;
use crate::types::SystemType;
use crate::value::{Collection, Item, Value};

type Outcome<'a> = Result<Collection<'a>, Error>;

/// Returns its input; nothing is written anywhere, since a log must not hold what records say.
pub(super) fn trace<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    for (index, item) in call.input.iter().enumerate() {
        if let Some(projection) = call.arguments.get(1) {
            scope.each(item, index).evaluate(projection)?;
        }
    }
    Ok(call.input)
}

pub(super) fn type_<'a>(_: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let named = |item: &Item<'_>| match item {
        Item::Node(node) => {
            let definition = node.type_definition();
            let name = if definition.kind == TypeKind::Nested { "BackboneElement" } else { definition.name };
            Value::Type("FHIR", name)
        }
        Item::Stub(id) => Value::Type("FHIR", r4().type_name(*id)),
        Item::Value(value) => Value::Type("System", value.system_type().map_or("Any", SystemType::name)),
    };
    Ok(call.input.iter().map(|item| Item::Value(named(item))).collect())
}

pub(super) fn aggregate<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Outcome<'a> {
    let mut total = match call.arguments.get(1) {
        Some(initial) => scope.evaluate(initial)?,
        None => Vec::new(),
    };
    for (index, item) in call.input.iter().enumerate() {
        scope.spend(total.len() + 1)?;
        total = scope.each(item, index).with_total(&total).evaluate(&call.arguments[0])?;
    }
    Ok(total)
}
