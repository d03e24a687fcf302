//! Constants: `%name` in a view's paths.

use std::sync::Arc;

use fhir::primitive::Primitive;
use fhirpath::Value;
use serde_json::Map;

use crate::definition::is_sql_name;
use crate::error::Error;

/// The types a constant may have, as their names end in `value[x]`.
const TYPES: &[(&str, &str)] = &[
    ("valueBase64Binary", "base64Binary"),
    ("valueBoolean", "boolean"),
    ("valueCanonical", "canonical"),
    ("valueCode", "code"),
    ("valueDate", "date"),
    ("valueDateTime", "dateTime"),
    ("valueDecimal", "decimal"),
    ("valueId", "id"),
    ("valueInstant", "instant"),
    ("valueInteger", "integer"),
    ("valueInteger64", "integer64"),
    ("valueMarkdown", "markdown"),
    ("valueOid", "oid"),
    ("valuePositiveInt", "positiveInt"),
    ("valueString", "string"),
    ("valueTime", "time"),
    ("valueUnsignedInt", "unsignedInt"),
    ("valueUri", "uri"),
    ("valueUrl", "url"),
    ("valueUuid", "uuid"),
];

/// What paths may ask for without the view's doing.
const TAKEN: &[&str] = &["resource", "rootResource", "context", "ucum", "sct", "loinc", "rowIndex"];

/// Reads the constants of a view: names and values.
pub(crate) fn read(
    constants: &[(String, Map<String, serde_json::Value>)],
) -> Result<Vec<(String, Value)>, Error> {
    let mut found: Vec<(String, Value)> = Vec::new();
    for (place, members) in constants {
        let name = match members.get("name") {
            Some(serde_json::Value::String(name)) => name.clone(),
            _ => {
                return Err(Error::at(
                    format!("{place}.name"),
                    "is missing: paths ask for the constant as %name",
                ));
            }
        };
        let at = format!("{place}.name");
        if !is_sql_name(&name) {
            let shown: String = name.chars().take(60).collect();
            return Err(Error::at(
                at,
                format!("'{shown}' is not a name: a letter, then letters, digits and _"),
            ));
        }
        if TAKEN.contains(&name.as_str()) {
            return Err(Error::at(at, format!("%{name} has a meaning already; choose another name")));
        }
        if found.iter().any(|(other, _)| *other == name) {
            return Err(Error::at(at, format!("there are two constants called {name}")));
        }
        found.push((name, value(place, members)?));
    }
    Ok(found)
}

fn value(place: &str, members: &Map<String, serde_json::Value>) -> Result<Value, Error> {
    let mut values = Vec::new();
    for (member, json) in members {
        match TYPES.iter().find(|(key, _)| key == member) {
            Some((_, name)) => values.push((member, *name, json)),
            None if matches!(
                member.as_str(),
                "name" | "id" | "extension" | "modifierExtension" | "description"
            ) => {}
            None => {
                return Err(Error::at(
                    format!("{place}.{member}"),
                    "a constant has a name and one value of a primitive type, as in valueString",
                ));
            }
        }
    }
    let [(member, name, json)] = values.as_slice() else {
        let message = if values.is_empty() {
            "has no value: it needs one, as in valueString"
        } else {
            "has several values: it may have one"
        };
        return Err(Error::at(place, message));
    };
    let at = format!("{place}.{member}");
    let text = match (json, *name) {
        (serde_json::Value::String(text), _) => text.clone(),
        (serde_json::Value::Bool(b), "boolean") => b.to_string(),
        (
            serde_json::Value::Number(n),
            "integer" | "integer64" | "positiveInt" | "unsignedInt" | "decimal",
        ) => n.to_string(),
        _ => return Err(Error::at(at, format!("'{json}' is not a {name}"))),
    };
    of_type(name, &text).map_err(|expected| {
        let shown: String = text.chars().take(60).collect();
        Error::at(at, format!("'{shown}' is not a {name}: expected {expected}"))
    })
}

fn of_type(name: &str, text: &str) -> Result<Value, &'static str> {
    let primitive = Primitive::from_name(name);
    if let Some(primitive) = primitive {
        primitive.check(text)?;
    }
    let found = match name {
        "boolean" => match text {
            "true" => Some(Value::Boolean(true)),
            "false" => Some(Value::Boolean(false)),
            _ => None,
        },
        "integer" | "integer64" | "positiveInt" | "unsignedInt" => text.parse().ok().map(Value::Integer),
        "decimal" => fhirpath::decimal(text).map(Value::Decimal),
        "date" => Value::date(text),
        "dateTime" | "instant" => Value::date_time(text),
        "time" => Value::time(text),
        _ => Some(Value::String(Arc::from(text))),
    };
    found.ok_or("a value of that type")
}
