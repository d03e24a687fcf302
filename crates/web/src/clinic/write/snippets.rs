//! Texts a note is begun with or filled by: a dot, a letter, and Tab.

use serde_json::json;

use crate::clinic::chart::ChartView;
use crate::words::Words;

/// The texts by their letters, as JSON.
pub(crate) fn of(chart: &ChartView, words: Words) -> String {
    let lines = |items: Vec<String>| match items.is_empty() {
        true => words.say("snippet-none"),
        false => items.join("\n"),
    };
    let problems = chart.problems.iter().map(|p| format!("・{} {}", p.name, p.dates).trim_end().to_owned());
    let taken = chart.taken.iter().map(|t| format!("・{} {}", t.name, t.dosage).trim_end().to_owned());
    let allergies =
        chart.allergies.iter().map(|a| format!("・{} {}", a.name, a.reactions).trim_end().to_owned());
    let results = chart.lines.iter().take(12).map(|l| {
        let flag = l.flag.as_ref().map(|(sign, _)| *sign).unwrap_or_default();
        format!("・{} {}{} {}{} ({})", l.name, l.value, flag, l.unit, delta(l.delta.as_deref()), l.date)
    });
    json!({
        "soap": "S)\n\nO)\n\nA)\n\nP)\n",
        "p": lines(problems.collect()),
        "m": lines(taken.collect()),
        "a": lines(allergies.collect()),
        "r": lines(results.collect()),
        "d": chart.today,
    })
    .to_string()
}

fn delta(delta: Option<&str>) -> String {
    delta.map(|delta| format!(" [{delta}]")).unwrap_or_default()
}
