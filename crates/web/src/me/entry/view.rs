//! A form as it is drawn.

use super::kind::{Field, Input, Kind, Shape};
use super::read::Entered;
use crate::me::own::Own;
use crate::words::Words;

/// A field, as it is drawn.
#[derive(Debug)]
pub(super) struct FieldView {
    pub(super) name: &'static str,
    pub(super) label: String,
    /// `number`, `choice`, `line`, `area`, `file`.
    pub(super) input: &'static str,
    pub(super) value: String,
    pub(super) unit: String,
    /// Digits after which the next field is gone to.
    pub(super) digits: usize,
    pub(super) is_decimal: bool,
    /// Code, words, whether it is chosen.
    pub(super) options: Vec<(&'static str, String, bool)>,
    pub(super) error: Option<String>,
    pub(super) is_required: bool,
    pub(super) is_first: bool,
    /// Whether it is one that is seldom filled in.
    pub(super) is_further: bool,
}

/// What a field is called.
pub(super) fn label(words: Words, kind: &Kind, field: &Field) -> String {
    let special = words.say_code(&format!("me-field-{}", kind.key), field.name);
    special.or_else(|| words.say_code("me-field", field.name)).unwrap_or_else(|| field.name.to_owned())
}

/// The fields of a kind with what was entered, or with what is usual.
pub(super) fn fields(own: &Own, kind: &Kind, entered: &Entered, is_change: bool) -> Vec<FieldView> {
    let first_error = kind.fields.iter().position(|f| entered.errors.contains_key(f.name)).unwrap_or(0);
    let is_shown = |field: &&Field| {
        !is_change || !(field.input == Input::File || matches!(field.name, "high2" | "low2" | "pulse"))
    };
    let of = |(at, field): (usize, &Field)| {
        let value = entered.values.get(field.name).cloned().unwrap_or_default();
        let option = |code: &&'static str| {
            (
                *code,
                own.words.say_code("me-option", code).unwrap_or_else(|| (*code).to_owned()),
                value == **code,
            )
        };
        let (input, unit, digits, is_decimal, options) = match field.input {
            Input::Number { high, places, unit, .. } => {
                let digits = if places > 0 { 0 } else { crate::quantity::on_axis(high).len() };
                ("number", unit, digits, places > 0, Vec::new())
            }
            Input::Choice(of) => ("choice", "", 0, false, of.iter().map(option).collect()),
            Input::Line => ("line", "", 0, false, Vec::new()),
            Input::Area => ("area", "", 0, false, Vec::new()),
            Input::File => ("file", "", 0, false, Vec::new()),
        };
        FieldView {
            name: field.name,
            label: label(own.words, kind, field),
            input,
            value,
            unit: crate::quantity::unit(unit),
            digits,
            is_decimal,
            options,
            error: entered.errors.get(field.name).cloned(),
            is_required: field.is_required,
            is_first: at == first_error,
            is_further: matches!(field.name, "note" | "dose")
                || (field.name == "words" && kind.shape == Shape::Document),
        }
    };
    kind.fields.iter().filter(is_shown).enumerate().map(of).collect()
}
