//! What a value that was measured at home means: a table of thresholds, each with whose it is.
//!
//! The table is `data/thresholds.json`. It says what a value is to be seen to for, never what somebody has: that is for a
//! clinician.

use std::sync::OnceLock;

use fhir::NodeRef;
use serde_json::Value;

use super::own::Own;
use crate::words::Words;

const TABLE: &str = include_str!("../../data/thresholds.json");

/// A line of the table.
#[derive(Debug)]
struct Threshold {
    code: String,
    /// At or above, at or below.
    above: Option<f64>,
    below: Option<f64>,
    /// Only before, or after, a meal.
    meal: Option<String>,
    /// The key of what it means.
    means: String,
    level: u64,
    source: String,
}

/// What a value means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meaning {
    /// 0 as it should be, 1 to be watched, 2 to be talked about, 3 now.
    pub(super) level: u64,
    pub(super) words: String,
    /// Whose threshold it is.
    pub(super) source: String,
}

fn table() -> &'static [Threshold] {
    static READ: OnceLock<Vec<Threshold>> = OnceLock::new();
    READ.get_or_init(|| {
        let all: Vec<Value> = serde_json::from_str(TABLE).unwrap_or_default();
        let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
        let row = |row: &Value| {
            Some(Threshold {
                code: text(row, "code")?,
                above: row["above"].as_f64(),
                below: row["below"].as_f64(),
                meal: text(row, "meal"),
                means: text(row, "means")?,
                level: row["level"].as_u64()?,
                source: text(row, "source")?,
            })
        };
        all.iter().filter_map(row).collect()
    })
}

/// What a value of a code means; the gravest that holds.
pub(super) fn of(words: Words, code: &str, value: f64, meal: Option<&str>) -> Option<Meaning> {
    let holds = |t: &&Threshold| {
        t.code == code
            && t.above.is_none_or(|least| value >= least)
            && t.below.is_none_or(|most| value <= most)
            && t.meal.as_deref().is_none_or(|m| Some(m) == meal)
    };
    let found = table().iter().filter(holds).max_by_key(|t| t.level)?;
    let said = words.say_code("me-means", &found.means)?;
    Some(Meaning { level: found.level, words: said, source: found.source.clone() })
}

/// What blood pressure measured at home means.
pub(super) fn pressure(own: &Own, high: f64, low: f64) -> Option<Meaning> {
    let both = [of(own.words, "8480-6", high, None), of(own.words, "8462-4", low, None)];
    both.into_iter().flatten().max_by_key(|m| m.level)
}

/// What an observation means.
pub(super) fn meaning(own: &Own, node: NodeRef<'_>) -> Option<Meaning> {
    let number = |n: NodeRef<'_>| n.text_at("value.value").and_then(|v| v.parse::<f64>().ok());
    let component = |code: &str| {
        let is = |c: &NodeRef<'_>| c.text_at("code.coding.code").as_deref() == Some(code);
        node.all("component").find(is).and_then(number)
    };
    if let Some((high, low)) = component("8480-6").zip(component("8462-4")) {
        return pressure(own, high, low);
    }
    let code = node.text_at("code.coding.code")?;
    let meals = node.all("component").filter_map(|c| c.text_at("value.coding.code"));
    let meal = meals.map(String::from).find(|c| matches!(c.as_str(), "AC" | "PC"));
    of(own.words, &code, number(node)?, meal.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn every_line_reads_and_has_its_words() {
        let all: Vec<Value> = serde_json::from_str(TABLE).unwrap();
        assert!(table().len() == all.len() && all.len() > 8);
        for language in [Language::Japanese, Language::English] {
            let words = Words { language };
            for line in table() {
                assert!(words.say_code("me-means", &line.means).is_some(), "{}", line.means);
                assert!(!line.source.is_empty());
            }
        }
    }

    #[test]
    fn the_gravest_that_holds_is_said() {
        let words = Words { language: Language::English };
        let level =
            |code: &str, value: f64, meal: Option<&str>| of(words, code, value, meal).map(|m| m.level);
        assert_eq!(level("8480-6", 134.0, None), Some(0));
        assert_eq!(level("8480-6", 135.0, None), Some(1));
        assert_eq!(level("8480-6", 180.0, None), Some(3));
        assert_eq!(level("41653-7", 130.0, Some("AC")), Some(2));
        assert_eq!(level("41653-7", 130.0, Some("PC")), Some(0));
        assert_eq!(level("no-such", 1.0, None), None);
    }
}
