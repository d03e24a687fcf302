//! A form taken apart: what each field says, what does not read, and what is worth a second look.

use std::collections::BTreeMap;

use fhir::date_time::Micros;
use fluent_bundle::FluentValue;

use super::kind::{Field, Input, Kind, Shape};
use crate::form::Form;
use crate::me::moment::{self, of_field};
use crate::me::own::Own;
use crate::words::Words;

/// Characters of what is said.
const MOST_WORDS: usize = 4000;
const MOST_LINE: usize = 300;
/// A moment may lie so far ahead, for clocks that differ.
const AHEAD: Micros = 10 * 60_000_000;
/// Nobody has entries of before.
const EARLIEST: Micros = -2_208_988_800_000_000;

/// What was entered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::me) struct Entered {
    /// Each field's text as it was sent; numbers as they are written in FHIR.
    pub(in crate::me) values: BTreeMap<&'static str, String>,
    /// The moment, as in FHIR, and as in a form.
    pub(in crate::me) at: String,
    pub(in crate::me) at_field: String,
    /// What does not read, by field.
    pub(in crate::me) errors: BTreeMap<&'static str, String>,
    /// What may be right and seldom is.
    pub(in crate::me) doubts: Vec<String>,
    /// Whether whoever enters it says that it is right.
    pub(in crate::me) is_sure: bool,
}

impl Entered {
    /// A field's text; none if it is empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A field's number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.value(name)?.parse().ok()
    }

    /// Whether it can be saved.
    pub(super) fn is_well(&self) -> bool {
        self.errors.is_empty() && (self.is_sure || self.doubts.is_empty())
    }
}

/// A number as people write it: full-width digits, a comma for the point, its unit behind it.
fn number(text: &str) -> Option<String> {
    let plain: String = text.chars().filter_map(plain_character).collect();
    let digits = plain.trim_end_matches(|c: char| !c.is_ascii_digit());
    let whole = digits.strip_prefix('+').unwrap_or(digits);
    let (before, after) = whole.split_once('.').unwrap_or((whole, ""));
    let is_digits = |part: &str| part.len() <= 12 && part.bytes().all(|b| b.is_ascii_digit());
    if before.is_empty()
        || !is_digits(before)
        || !is_digits(after)
        || (whole.contains('.') && after.is_empty())
    {
        return None;
    }
    let before = before.trim_start_matches('0');
    let before = if before.is_empty() { "0" } else { before };
    Some(if after.is_empty() { before.to_owned() } else { format!("{before}.{after}") })
}

fn plain_character(c: char) -> Option<char> {
    match c {
        '０'..='９' => char::from_u32(u32::from(c) - 0xfee0),
        '．' | '。' | ',' | '，' | '、' => Some('.'),
        c if c.is_whitespace() => None,
        c => Some(c),
    }
}

fn label(words: Words, kind: &Kind, field: &Field) -> String {
    super::view::label(words, kind, field)
}

/// Reads a form of a kind.
pub(super) fn read(own: &Own, kind: &Kind, form: &Form, now: Micros) -> Entered {
    let words = own.words;
    let mut entered = Entered { is_sure: form.field("sure") == "1", ..Entered::default() };
    for field in kind.fields {
        let sent = form.field(field.name);
        let said = |key: &str, values: &[(&str, FluentValue<'_>)]| words.say_with(key, values);
        let name = || FluentValue::from(label(words, kind, field));
        let text = match field.input {
            Input::Number { least, low, high, most, places, unit } if !sent.is_empty() => {
                match number(sent) {
                    Some(digits) => {
                        let value: f64 = digits.parse().unwrap_or(f64::NAN);
                        let has_too_many =
                            digits.split_once('.').is_some_and(|(_, rest)| rest.len() > places);
                        let range = || {
                            [
                                ("field", name()),
                                ("least", FluentValue::from(crate::quantity::on_axis(least))),
                                ("most", FluentValue::from(crate::quantity::on_axis(most))),
                                ("value", FluentValue::from(format!("{digits} {unit}").trim().to_owned())),
                            ]
                        };
                        if !(least..=most).contains(&value) {
                            entered.errors.insert(field.name, said("me-number-beyond", &range()));
                        } else if has_too_many {
                            let places = [("field", name()), ("places", FluentValue::from(places))];
                            entered.errors.insert(field.name, said("me-number-places", &places));
                        } else if !(low..=high).contains(&value) {
                            entered.doubts.push(said("me-number-doubt", &range()));
                        }
                        digits
                    }
                    None => {
                        entered.errors.insert(field.name, said("me-number-unread", &[("field", name())]));
                        sent.chars().take(MOST_LINE).collect()
                    }
                }
            }
            Input::Choice(of) => of.iter().find(|c| **c == sent).map(|c| (*c).to_owned()).unwrap_or_default(),
            Input::Line => sent.chars().filter(|c| !c.is_control()).take(MOST_LINE).collect(),
            Input::Area => sent
                .replace("\r\n", "\n")
                .chars()
                .filter(|c| !c.is_control() || *c == '\n')
                .take(MOST_WORDS)
                .collect(),
            Input::Number { .. } | Input::File => String::new(),
        };
        let is_missing = field.is_required && text.trim().is_empty() && field.input != Input::File;
        if is_missing && !entered.errors.contains_key(field.name) {
            entered.errors.insert(field.name, said("me-field-missing", &[("field", name())]));
        }
        entered.values.insert(field.name, text);
    }
    if kind.shape == Shape::Pressure {
        pressures(words, &mut entered);
    }
    at(own, form, now, &mut entered);
    entered
}

/// The second reading is whole or not there, and the lower is below the upper.
fn pressures(words: Words, entered: &mut Entered) {
    for (high, low) in [("high1", "low1"), ("high2", "low2")] {
        match (entered.number(high), entered.number(low)) {
            (Some(upper), Some(lower)) if lower >= upper => {
                entered.errors.insert(low, words.say("me-pressure-crossed"));
            }
            (Some(_), None) if high == "high2" => {
                entered.errors.entry(low).or_insert_with(|| words.say("me-pressure-half"));
            }
            (None, Some(_)) if high == "high2" => {
                entered.errors.entry(high).or_insert_with(|| words.say("me-pressure-half"));
            }
            _ => {}
        }
    }
}

/// When it was: what the form says, else now.
fn at(own: &Own, form: &Form, now: Micros, entered: &mut Entered) {
    let sent = form.given("at").map_or_else(|| moment::for_field(now, &own.zone), str::to_owned);
    entered.at_field = sent.chars().take(40).collect();
    match of_field(&sent, &own.zone) {
        Some((written, moment)) if (EARLIEST..=now + AHEAD).contains(&moment) => entered.at = written,
        Some(_) => {
            entered.errors.insert("at", own.words.say("me-at-beyond"));
        }
        None => {
            entered.errors.insert("at", own.words.say("me-at-unread"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for (text, digits) in [
            ("128", "128"),
            ("１２８", "128"),
            ("36,5", "36.5"),
            ("36.5℃", "36.5"),
            (" 62 . 40 kg", "62.40"),
            ("007", "7"),
        ] {
            assert_eq!(number(text).as_deref(), Some(digits), "{text}");
        }
        for text in ["", "abc", "-5", "1.2.3", "12a3", "1e5x2", "9999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
