//! A questionnaire, drawn: one node for each heading, text and field that is asked.

use super::answers::{Answers, Given, Place, name};
use super::enable::is_enabled;
use super::item::{Item, called};
use super::said;
use crate::words::Words;

/// Nodes of a page.
const MOST: usize = 1500;

/// Something on the page.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) text: String,
    pub(super) name: String,
    /// An id for the page.
    pub(super) id: String,
    pub(super) depth: usize,
    /// `group`, `display`, `radio`, `check`, `select`, `text`, `number`, `date`, `dateTime`, `time`, `area`, `computed`,
    /// `unknown`.
    pub(super) input: &'static str,
    pub(super) value: String,
    pub(super) unit: String,
    /// Value, words, whether it is chosen.
    pub(super) options: Vec<(String, String, bool)>,
    /// The free answer of an open choice.
    pub(super) other: Option<String>,
    pub(super) is_required: bool,
    pub(super) error: Option<String>,
    /// What a further time is asked for by.
    pub(super) more: Option<String>,
    pub(super) most_characters: usize,
}

fn input(item: &Item) -> &'static str {
    match item.kind.as_str() {
        _ if item.is_read_only || item.calculated.is_some() => "computed",
        "boolean" => "radio",
        "integer" | "decimal" | "quantity" => "number",
        "date" => "date",
        "dateTime" => "dateTime",
        "time" => "time",
        "text" => "area",
        "string" | "url" => "text",
        "choice" | "open-choice" if item.options.is_empty() && item.kind == "open-choice" => "text",
        "choice" | "open-choice" if item.options.is_empty() => "unknown",
        "choice" | "open-choice" if item.repeats => "check",
        "choice" if item.options.len() > 8 => "select",
        "choice" | "open-choice" => "radio",
        _ => "unknown",
    }
}

fn fault(words: Words, item: &Item, given: &[Given], is_checked: bool) -> Option<String> {
    if let Some(bad) = given.iter().find(|g| g.value.is_none()) {
        return Some(said(words, "me-answer-unread", &bad.text));
    }
    if given.is_empty() && item.is_required && is_checked && item.calculated.is_none() {
        return Some(words.say("me-answer-missing"));
    }
    for one in given {
        let value = one.value.as_ref().map(called).unwrap_or_default();
        let number = |v: &serde_json::Value| called(v).parse::<f64>().ok();
        let is_below = |limit: &serde_json::Value| match (value.parse::<f64>().ok(), number(limit)) {
            (Some(value), Some(limit)) => value < limit,
            _ => value < called(limit),
        };
        let is_above = |limit: &serde_json::Value| match (value.parse::<f64>().ok(), number(limit)) {
            (Some(value), Some(limit)) => value > limit,
            _ => value > called(limit),
        };
        if let Some(least) = item.least.as_ref().filter(|l| is_below(l)) {
            return Some(said(words, "me-answer-below", &called(least)));
        }
        if let Some(most) = item.most.as_ref().filter(|m| is_above(m)) {
            return Some(said(words, "me-answer-above", &called(most)));
        }
        if item.most_characters.is_some_and(|most| value.chars().count() > most) {
            return Some(said(words, "me-answer-long", &item.most_characters.unwrap_or(0).to_string()));
        }
    }
    None
}

struct Pen<'a> {
    words: Words,
    all: &'a [Item],
    answers: &'a Answers,
    more: &'a str,
    is_checked: bool,
}

impl Pen<'_> {
    fn draw(&self, items: &[Item], outer: &Place, depth: usize, out: &mut Vec<Node>) {
        for (at, item) in items.iter().enumerate() {
            if item.is_hidden || out.len() >= MOST {
                continue;
            }
            let is_several = item.repeats && input(item) != "check";
            let mut times = self.answers.times(outer, at).max(1);
            let mut first = outer.clone();
            first.push((at, 0));
            if is_several && self.more == name(&first) {
                times += 1;
            }
            let times = if is_several { times.min(item.most_times) } else { 1 };
            for time in 0..times {
                let mut place = outer.clone();
                place.push((at, time));
                if !is_enabled(self.all, item, &place, self.answers) {
                    continue;
                }
                let mut node = self.node(item, &place, depth);
                if is_several && time + 1 == times && times < item.most_times {
                    node.more = Some(name(&first));
                }
                let more = if item.kind == "group" { node.more.take() } else { None };
                out.push(node);
                self.draw(&item.items, &place, depth + 1, out);
                if more.is_some() {
                    out.push(Node { more, input: "again", ..self.node(item, &place, depth) });
                }
            }
        }
    }

    fn node(&self, item: &Item, place: &Place, depth: usize) -> Node {
        let none = Vec::new();
        let given = self.answers.given.get(place).unwrap_or(&none);
        let is_chosen = |value: &str| given.iter().any(|g| g.text == value);
        let drawn = match item.kind.as_str() {
            "group" => "group",
            "display" => "display",
            _ => input(item),
        };
        let options = match item.kind.as_str() {
            "boolean" => [("true", "yes"), ("false", "no")]
                .map(|(value, key)| {
                    (
                        value.to_owned(),
                        self.words.say_code("me-answer", key).unwrap_or_default(),
                        is_chosen(value),
                    )
                })
                .to_vec(),
            _ => item
                .options
                .iter()
                .enumerate()
                .map(|(at, choice)| (format!("#{at}"), choice.text.clone(), is_chosen(&format!("#{at}"))))
                .collect(),
        };
        let text = given.first().map(|g| g.text.clone()).unwrap_or_default();
        let value = if drawn == "computed" {
            given.iter().filter_map(|g| g.value.as_ref()).map(called).collect::<Vec<_>>().join(", ")
        } else {
            text
        };
        let name = name(place);
        let unit = item.unit.as_ref().and_then(|u| u["display"].as_str().or(u["code"].as_str()));
        Node {
            text: item.text.clone(),
            id: name.replace('.', "-"),
            name,
            depth: depth.min(4),
            input: drawn,
            value: value.chars().take(8000).collect(),
            unit: unit.map(crate::quantity::unit).unwrap_or_default(),
            other: (item.kind == "open-choice" && !item.options.is_empty()).then(|| {
                given.iter().find(|g| !g.text.starts_with('#')).map(|g| g.text.clone()).unwrap_or_default()
            }),
            options,
            is_required: item.is_required,
            error: if matches!(drawn, "group" | "display") {
                None
            } else {
                fault(self.words, item, given, self.is_checked)
            },
            more: None,
            most_characters: item.most_characters.unwrap_or(4000).min(8000),
        }
    }
}

/// What is asked, in order.
pub(super) fn nodes(
    words: Words,
    items: &[Item],
    answers: &Answers,
    more: &str,
    is_checked: bool,
) -> Vec<Node> {
    let mut out = Vec::new();
    Pen { words, all: items, answers, more, is_checked }.draw(items, &Vec::new(), 0, &mut out);
    out
}
