//! Which items are asked (`enableWhen`), and what is computed from answers (`calculatedExpression`).

use fhir::Limits;
use fhirpath::{Context, Expression};
use serde_json::Value;

use super::Questionnaire;
use super::answers::{Answers, Given, Place, item_at, response, typed};
use super::item::{Condition, Item};
use crate::me::own::Own;

/// Items a run may look at.
const BUDGET: usize = 100_000;
/// One value may follow from another that is computed; so many rounds.
const ROUNDS: usize = 3;

/// Whether an item at a place is asked: what is around it is, and its conditions hold.
pub(super) fn is_enabled(all: &[Item], item: &Item, place: &Place, answers: &Answers) -> bool {
    for depth in 1..place.len() {
        let outer: Place = place.iter().take(depth).copied().collect();
        if let Some(around) = item_at(all, &outer)
            && !holds(all, around, &outer, answers)
        {
            return false;
        }
    }
    holds(all, item, place, answers)
}

fn holds(all: &[Item], item: &Item, place: &Place, answers: &Answers) -> bool {
    if item.conditions.is_empty() {
        return true;
    }
    let mut each = item.conditions.iter().map(|c| is_met(c, &answers.seen_from(all, &c.question, place)));
    if item.needs_any { each.any(|met| met) } else { each.all(|met| met) }
}

fn is_met(condition: &Condition, given: &[&Given]) -> bool {
    let values: Vec<&Value> = given.iter().filter_map(|g| g.value.as_ref()).collect();
    if condition.operator == "exists" {
        let wanted = condition.answer["valueBoolean"].as_bool().unwrap_or(true);
        return values.is_empty() != wanted;
    }
    let compare = |value: &&Value| order(value, &condition.answer);
    match condition.operator.as_str() {
        "=" => values.iter().any(|v| is_equal(v, &condition.answer)),
        // Of an item that is not answered nothing is known, so nothing differs.
        "!=" => !values.is_empty() && !values.iter().any(|v| is_equal(v, &condition.answer)),
        ">" => values.iter().any(|v| compare(v).is_some_and(std::cmp::Ordering::is_gt)),
        "<" => values.iter().any(|v| compare(v).is_some_and(std::cmp::Ordering::is_lt)),
        ">=" => values.iter().any(|v| compare(v).is_some_and(std::cmp::Ordering::is_ge)),
        "<=" => values.iter().any(|v| compare(v).is_some_and(std::cmp::Ordering::is_le)),
        _ => false,
    }
}

fn inner(value: &Value) -> (&str, &Value) {
    value.as_object().and_then(|all| all.iter().next()).map_or(("", &Value::Null), |(n, v)| (n.as_str(), v))
}

fn is_equal(value: &Value, wanted: &Value) -> bool {
    let ((_, a), (_, b)) = (inner(value), inner(wanted));
    if b.is_object() && !b["code"].is_null() && a.is_object() && a["value"].is_null() {
        return a["code"] == b["code"] && (b["system"].is_null() || a["system"] == b["system"]);
    }
    order(value, wanted).map_or(a == b, std::cmp::Ordering::is_eq)
}

fn order(value: &Value, wanted: &Value) -> Option<std::cmp::Ordering> {
    let ((_, a), (_, b)) = (inner(value), inner(wanted));
    let number = |v: &Value| v.as_f64().or_else(|| v["value"].as_f64());
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(a.as_str()?.cmp(b.as_str()?)),
    }
}

/// The answers with what follows from them.
pub(super) fn computed(own: &Own, asked: &Questionnaire, answers: &Answers) -> Answers {
    fn formulas<'i>(items: &'i [Item], outer: &Place, out: &mut Vec<(Place, &'i Item, &'i str)>) {
        for (at, item) in items.iter().enumerate() {
            let mut place = outer.clone();
            place.push((at, 0));
            if let Some(text) = &item.calculated {
                out.push((place.clone(), item, text));
            }
            formulas(&item.items, &place, out);
        }
    }
    let mut all = Vec::new();
    formulas(&asked.items, &Vec::new(), &mut all);
    let mut answers = answers.clone();
    if all.is_empty() {
        return answers;
    }
    for _ in 0..ROUNDS {
        let before = answers.clone();
        let text = response(own, asked, &answers, "in-progress").to_string();
        let Ok(resource) = fhir::json::parse(text.as_bytes(), &Limits::default()) else { break };
        for (place, item, formula) in &all {
            let found = run(&resource, formula);
            answers.given.remove(place);
            if let Some(text) = found {
                let given = Given { value: typed(item, &text, &own.zone), text };
                answers.given.insert(place.clone(), vec![given]);
            }
        }
        if answers == before {
            break;
        }
    }
    answers
}

fn run(resource: &fhir::Resource, formula: &str) -> Option<String> {
    let expression = Expression::parse(formula).ok()?;
    let context =
        Context { now: Some(crate::me::moment::now()), budget: BUDGET, ..Context::new(resource.root()) };
    let found = expression.evaluate(&context).ok()?;
    match found.as_slice() {
        [one] => one.value().map(|v| match v.as_ref() {
            fhirpath::Value::Quantity(q) => q.value.to_string(),
            other => other.to_text(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::item::items;
    use super::*;

    fn zone() -> search::Zone {
        search::Zone::named("Asia/Tokyo").unwrap()
    }

    fn asked(operator: &str, answer: Value, kind: &str) -> Vec<Item> {
        let mut condition = json!({"question": "a", "operator": operator});
        for (name, value) in answer.as_object().unwrap() {
            condition[name] = value.clone();
        }
        items(&json!({"item": [
            {"linkId": "a", "type": kind},
            {"linkId": "b", "type": "string", "enableWhen": [condition]},
        ]}))
    }

    fn is_asked(items: &[Item], answer: Option<&str>) -> bool {
        let mut answers = Answers::default();
        if let Some(text) = answer {
            let given = Given { text: text.to_owned(), value: typed(&items[0], text, &zone()) };
            answers.given.insert(vec![(0, 0)], vec![given]);
        }
        is_enabled(items, &items[1], &vec![(1, 0)], &answers)
    }

    #[test]
    fn every_operator_is_understood() {
        for (operator, answer, kind, given, is) in [
            ("exists", json!({"answerBoolean": true}), "string", Some("x"), true),
            ("exists", json!({"answerBoolean": true}), "string", None, false),
            ("exists", json!({"answerBoolean": false}), "string", None, true),
            ("=", json!({"answerInteger": 3}), "integer", Some("3"), true),
            ("=", json!({"answerInteger": 3}), "integer", None, false),
            ("!=", json!({"answerInteger": 3}), "integer", Some("4"), true),
            ("!=", json!({"answerInteger": 3}), "integer", None, false),
            (">", json!({"answerDecimal": 37.5}), "decimal", Some("37.6"), true),
            (">", json!({"answerDecimal": 37.5}), "decimal", Some("37.5"), false),
            (">=", json!({"answerDecimal": 37.5}), "decimal", Some("37.5"), true),
            ("<", json!({"answerDate": "2026-01-01"}), "date", Some("2025-12-31"), true),
            ("<=", json!({"answerDate": "2026-01-01"}), "date", Some("2026-01-02"), false),
            ("=", json!({"answerBoolean": true}), "boolean", Some("true"), true),
            ("=", json!({"answerBoolean": true}), "boolean", Some("false"), false),
        ] {
            assert_eq!(
                is_asked(&asked(operator, answer.clone(), kind), given),
                is,
                "{operator} {answer} {given:?}"
            );
        }
    }

    #[test]
    fn all_or_any_and_what_is_around_hold() {
        let read = |behavior: &str| {
            items(&json!({"item": [
                {"linkId": "a", "type": "boolean"}, {"linkId": "c", "type": "boolean"},
                {"linkId": "g", "type": "group", "enableBehavior": behavior, "enableWhen": [
                    {"question": "a", "operator": "=", "answerBoolean": true},
                    {"question": "c", "operator": "=", "answerBoolean": true}],
                 "item": [{"linkId": "b", "type": "string"}]}]}))
        };
        let mut answers = Answers::default();
        let all = read("all");
        answers.given.insert(
            vec![(0, 0)],
            vec![Given { text: "true".into(), value: typed(&all[0], "true", &zone()) }],
        );
        let inner: Place = vec![(2, 0), (0, 0)];
        assert!(!is_enabled(&all, &all[2].items[0], &inner, &answers));
        let any = read("any");
        assert!(is_enabled(&any, &any[2].items[0], &inner, &answers));
    }
}
