//! The items of a Questionnaire (<https://hl7.org/fhir/R4/questionnaire.html>), with what SDC adds to them.

use serde_json::Value;

/// Items that are read, all in all, and how deep.
const MOST: usize = 1000;
const DEEPEST: usize = 8;
/// Options of one item.
const MOST_OPTIONS: usize = 200;

const CALCULATED: &str =
    "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression";
const LEAST: &str = "http://hl7.org/fhir/StructureDefinition/minValue";
const MAXIMUM: &str = "http://hl7.org/fhir/StructureDefinition/maxValue";
const UNIT: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit";
const HIDDEN: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-hidden";
const OCCURS: &str = "http://hl7.org/fhir/StructureDefinition/questionnaire-maxOccurs";

/// An option: what it is called, and the answer it stands for (`{"valueCoding": …}`).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) text: String,
    pub(super) value: Value,
}

/// One condition of whether an item is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) question: String,
    pub(super) operator: String,
    /// `{"answerCoding": …}` as it stands.
    pub(super) answer: Value,
}

/// An item.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Item {
    pub(super) link_id: String,
    pub(super) text: String,
    pub(super) kind: String,
    pub(super) is_required: bool,
    pub(super) repeats: bool,
    pub(super) is_read_only: bool,
    pub(super) is_hidden: bool,
    pub(super) most_characters: Option<usize>,
    pub(super) most_times: usize,
    pub(super) least: Option<Value>,
    pub(super) most: Option<Value>,
    pub(super) unit: Option<Value>,
    pub(super) options: Vec<Choice>,
    pub(super) conditions: Vec<Condition>,
    pub(super) needs_any: bool,
    /// Values to begin with.
    pub(super) initial: Vec<Value>,
    /// What it is computed by, in FHIRPath.
    pub(super) calculated: Option<String>,
    pub(super) items: Vec<Item>,
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

fn extension<'v>(item: &'v Value, url: &str) -> Option<&'v Value> {
    list(item, "extension").find(|e| e["url"] == url)
}

/// The `value[x]` of an element, under its name.
pub(super) fn value_of(element: &Value, prefix: &str) -> Option<Value> {
    let all = element.as_object()?;
    let (name, value) = all.iter().find(|(n, _)| n.starts_with(prefix) && !n.starts_with('_'))?;
    let kind = name.strip_prefix(prefix)?;
    Some(serde_json::json!({format!("value{kind}"): value}))
}

/// What an answer is called.
pub(super) fn called(value: &Value) -> String {
    let Some((name, inner)) = value.as_object().and_then(|all| all.iter().next()) else {
        return String::new();
    };
    match name.as_str() {
        "valueCoding" => {
            ["display", "code"].iter().find_map(|n| inner[*n].as_str()).unwrap_or_default().to_owned()
        }
        "valueQuantity" => inner["value"].to_string(),
        "valueReference" => {
            ["display", "reference"].iter().find_map(|n| inner[*n].as_str()).unwrap_or_default().to_owned()
        }
        _ => inner.as_str().map_or_else(|| inner.to_string(), str::to_owned),
    }
}

/// The options of a value set that stands in the Questionnaire.
fn contained(questionnaire: &Value, reference: &str) -> Vec<Choice> {
    let Some(id) = reference.strip_prefix('#') else { return Vec::new() };
    let Some(set) = list(questionnaire, "contained").find(|c| c["id"] == id) else { return Vec::new() };
    let choice = |system: &Value, concept: &Value| {
        let mut coding = serde_json::Map::new();
        for (name, value) in
            [("system", system), ("code", &concept["code"]), ("display", &concept["display"])]
        {
            if !value.is_null() {
                coding.insert(name.to_owned(), value.clone());
            }
        }
        let value = serde_json::json!({"valueCoding": coding});
        Choice { text: called(&value), value }
    };
    let expanded: Vec<Choice> =
        list(&set["expansion"], "contains").map(|c| choice(&c["system"], c)).take(MOST_OPTIONS).collect();
    if !expanded.is_empty() {
        return expanded;
    }
    let includes = list(&set["compose"], "include");
    includes.flat_map(|i| list(i, "concept").map(|c| choice(&i["system"], c))).take(MOST_OPTIONS).collect()
}

fn read(questionnaire: &Value, all: &Value, depth: usize, count: &mut usize) -> Vec<Item> {
    if depth > DEEPEST {
        return Vec::new();
    }
    let mut found = Vec::new();
    for item in list(all, "item") {
        *count += 1;
        if *count > MOST {
            break;
        }
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let is = |name: &str| item[name].as_bool() == Some(true);
        let expression = |url: &str| {
            extension(item, url).and_then(|e| e["valueExpression"]["expression"].as_str()).map(str::to_owned)
        };
        let mut options: Vec<Choice> = list(item, "answerOption")
            .filter_map(|o| value_of(o, "value"))
            .map(|value| Choice { text: called(&value), value })
            .take(MOST_OPTIONS)
            .collect();
        if options.is_empty() {
            options = contained(questionnaire, item["answerValueSet"].as_str().unwrap_or_default());
        }
        let mut initial: Vec<Value> = list(item, "initial").filter_map(|i| value_of(i, "value")).collect();
        let selected = list(item, "answerOption").filter(|o| o["initialSelected"].as_bool() == Some(true));
        initial.extend(selected.filter_map(|o| value_of(o, "value")));
        let prefix = text("prefix");
        let own = text("text");
        let bound = |url: &str| extension(item, url).and_then(|e| value_of(e, "value"));
        let times = extension(item, OCCURS).and_then(|e| e["valueInteger"].as_u64()).unwrap_or(20);
        found.push(Item {
            link_id: text("linkId"),
            text: if prefix.is_empty() { own } else { format!("{prefix} {own}") },
            kind: text("type"),
            is_required: is("required"),
            repeats: is("repeats"),
            is_read_only: is("readOnly"),
            is_hidden: extension(item, HIDDEN).is_some_and(|e| e["valueBoolean"].as_bool() == Some(true)),
            most_characters: item["maxLength"].as_u64().and_then(|n| usize::try_from(n).ok()),
            most_times: usize::try_from(times).unwrap_or(20).clamp(1, 20),
            least: bound(LEAST),
            most: bound(MAXIMUM),
            unit: extension(item, UNIT).map(|e| e["valueCoding"].clone()),
            options,
            conditions: list(item, "enableWhen")
                .map(|c| Condition {
                    question: c["question"].as_str().unwrap_or_default().to_owned(),
                    operator: c["operator"].as_str().unwrap_or_default().to_owned(),
                    answer: value_of(c, "answer").unwrap_or(Value::Null),
                })
                .collect(),
            needs_any: item["enableBehavior"] == "any",
            initial,
            calculated: expression(CALCULATED),
            items: read(questionnaire, item, depth + 1, count),
        });
    }
    found
}

/// The items of a Questionnaire.
pub(super) fn items(questionnaire: &Value) -> Vec<Item> {
    read(questionnaire, questionnaire, 0, &mut 0)
}
