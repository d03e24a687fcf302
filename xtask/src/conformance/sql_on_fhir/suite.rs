//! Runs one file of the suite.

use serde_json::{Map, Value};
use views::write::{JsonLayout, JsonWriter};
use views::{Decimals, Run, ViewDefinition};

/// A test and what it came to.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) title: String,
    /// Why it failed.
    pub(super) outcome: Result<(), String>,
}

/// Runs the tests of a file; `None` if the file is not of the suite's layout.
pub(super) fn run(text: &str) -> Result<Option<Vec<Case>>, serde_json::Error> {
    let file: Value = serde_json::from_str(text)?;
    let (Some(Value::Array(resources)), Some(Value::Array(tests))) =
        (file.get("resources"), file.get("tests"))
    else {
        return Ok(None);
    };
    let resources: Vec<String> = resources.iter().map(Value::to_string).collect();
    let cases = tests.iter().map(|test| Case {
        title: test.get("title").and_then(Value::as_str).unwrap_or_default().to_owned(),
        outcome: outcome(test, &resources),
    });
    Ok(Some(cases.collect()))
}

fn outcome(test: &Value, resources: &[String]) -> Result<(), String> {
    let view = test.get("view").map(Value::to_string).unwrap_or_default();
    let found = rows(&view, resources);
    if test.get("expectError").and_then(Value::as_bool) == Some(true) {
        return match found {
            Err(_) => Ok(()),
            Ok((_, rows)) => Err(format!("expected an error, found {} rows", rows.len())),
        };
    }
    let (columns, rows) = found.map_err(|e| format!("expected rows, found the error: {e}"))?;
    if let Some(Value::Array(expected)) = test.get("expectColumns") {
        let expected: Vec<_> = expected.iter().filter_map(Value::as_str).collect();
        if expected != columns {
            return Err(format!("expected the columns {expected:?}, found {columns:?}"));
        }
    }
    if let Some(expected) = test.get("expectCount").and_then(Value::as_u64)
        && rows.len() as u64 != expected
    {
        return Err(format!("expected {expected} rows, found {}", rows.len()));
    }
    match test.get("expect") {
        Some(Value::Array(expected)) => same_rows(expected, &rows),
        _ if test.get("expectCount").is_some() || test.get("expectColumns").is_some() => Ok(()),
        _ => Err("the test says nothing to expect".to_owned()),
    }
}

type Rows = (Vec<String>, Vec<Value>);

fn rows(view: &str, resources: &[String]) -> Result<Rows, String> {
    let view = ViewDefinition::read(view.as_bytes()).map_err(|e| e.to_string())?;
    let mut run = Run::new(&view, Decimals::Texts);
    resources.iter().try_for_each(|text| run.push_text(text)).map_err(|e| e.to_string())?;
    let batch = run.batch().map_err(|e| e.to_string())?;
    let mut writer = JsonWriter::new(&view.columns, JsonLayout::Array);
    let mut text = String::new();
    writer.write(&batch, &mut text);
    writer.finish(&mut text);
    let rows = serde_json::from_str(&text).map_err(|e| format!("not JSON: {e}: {text}"))?;
    Ok((view.columns.iter().map(|c| c.name.clone()).collect(), rows))
}

/// The same rows in any order.
fn same_rows(expected: &[Value], found: &[Value]) -> Result<(), String> {
    let mut open: Vec<&Value> = found.iter().collect();
    for row in expected {
        match open.iter().position(|other| same(row, other)) {
            Some(at) => {
                open.swap_remove(at);
            }
            None => return Err(format!("expected the row {row}\nfound {}", Value::from(found.to_vec()))),
        }
    }
    match open.first() {
        None => Ok(()),
        Some(row) => Err(format!("found a row that is not expected: {row}")),
    }
}

/// Numbers are the same however they are written; a member that is not there is null.
fn same(a: &Value, b: &Value) -> bool {
    let member = |object: &Map<String, Value>, name: &str| object.get(name).cloned().unwrap_or_default();
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.keys().chain(y.keys()).all(|name| same(&member(x, name), &member(y, name)))
        }
        _ => a == b,
    }
}
