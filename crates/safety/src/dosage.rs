//! How much of a medicine is taken, and how often: from `dosageInstruction`, else from its text.
//!
//! Amounts are in milligrams of the ingredient, or in pieces (tablets, capsules) whose strength the medicine's name says.
//! What cannot be read for certain is not read: powders and syrups by weight or volume of the product, amounts without a
//! unit, rates of infusions.

use std::sync::OnceLock;

use fhir::NodeRef;
use regex::Regex;

use crate::medicines::normalised;

/// An amount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// Milligrams.
    Milligrams(f64),
    /// Tablets, capsules.
    Pieces(f64),
}

impl Amount {
    /// In milligrams, where a piece has so many.
    #[must_use]
    pub fn milligrams(self, strength: Option<f64>) -> Option<f64> {
        match self {
            Amount::Milligrams(value) => Some(value),
            Amount::Pieces(count) => strength.map(|one| one * count),
        }
    }
}

/// One line of how a medicine is taken.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Dosage {
    /// At once.
    pub single: Option<Amount>,
    /// In a day, if that is said (else it follows from how often).
    pub daily: Option<Amount>,
    /// Times a day; a seventh for once a week.
    pub per_day: Option<f64>,
    /// Whether it is taken when needed.
    pub as_needed: bool,
}

fn pattern(cell: &'static OnceLock<Option<Regex>>, text: &str) -> Option<&'static Regex> {
    cell.get_or_init(|| Regex::new(text).ok()).as_ref()
}

macro_rules! pattern {
    ($text:literal) => {{
        static CELL: OnceLock<Option<Regex>> = OnceLock::new();
        pattern(&CELL, $text)
    }};
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0)
}

fn in_milligrams(value: f64, unit: &str) -> Option<f64> {
    Some(match unit {
        "mg" | "ミリグラム" => value,
        "g" | "グラム" => value * 1000.0,
        "μg" | "ug" | "mcg" | "[mcg]" | "マイクログラム" => value / 1000.0,
        _ => return None,
    })
}

fn is_piece(unit: &str) -> bool {
    matches!(
        unit,
        "錠" | "カプセル"
            | "個"
            | "t"
            | "tab"
            | "tabs"
            | "tablet"
            | "tablets"
            | "{tablet}"
            | "{tbl}"
            | "{capsule}"
            | "cap"
            | "caps"
            | "capsule"
            | "capsules"
    )
}

fn amount(value: f64, unit: &str) -> Option<Amount> {
    let unit = normalised(unit);
    let unit = unit.trim();
    if is_piece(unit) {
        return Some(Amount::Pieces(value));
    }
    in_milligrams(value, unit).map(Amount::Milligrams)
}

/// The milligrams a name says are in one piece: the first amount that is no concentration.
pub(crate) fn strength(text: &str) -> Option<f64> {
    let amounts = pattern!(r"(\d+(?:\.\d+)?) ?(mg|g|μg|ug|mcg)(/[a-zμ0-9]|[a-z])?")?;
    let found = amounts.captures_iter(text).find(|c| c.get(3).is_none())?;
    in_milligrams(number(found.get(1)?.as_str())?, found.get(2)?.as_str())
}

/// Whether a name is one of powder or liquid: an amount in grams may be the product's.
pub(crate) fn is_bulk(text: &str) -> bool {
    let text = normalised(text);
    [
        "散",
        "細粒",
        "顆粒",
        "ドライシロップ",
        "シロップ",
        "内用液",
        "%",
        "powder",
        "solution",
        "suspension",
        "syrup",
    ]
    .iter()
    .any(|word| text.contains(word))
}

impl Dosage {
    /// Reads `Dosage` elements (`dosageInstruction`, `dosage`); `names` are those of the medicine.
    #[must_use]
    pub fn read<'a>(lines: impl Iterator<Item = NodeRef<'a>>, names: &[String]) -> Vec<Dosage> {
        let is_bulk = names.iter().any(|name| is_bulk(name));
        lines.take(50).map(|line| Dosage::of(line, is_bulk)).collect()
    }

    fn of(line: NodeRef<'_>, is_bulk: bool) -> Dosage {
        let written = [line.text_at("text"), line.text_at("timing.code.text")];
        let mut texts = written.into_iter().flatten().map(|text| Dosage::of_text(&text, is_bulk));
        let from_text = texts.next().unwrap_or_default();
        let from_code = texts.next().unwrap_or_default();
        let mut single = None;
        let mut daily = None;
        for rate in line.all("doseAndRate") {
            let quantity = rate.path("dose.value").and_then(|_| rate.child("dose"));
            single =
                single.or_else(|| quantity.and_then(|q| of_quantity(q, is_bulk && !is_of_ingredient(rate))));
            let range = rate.path("dose.high");
            single =
                single.or_else(|| range.and_then(|q| of_quantity(q, is_bulk && !is_of_ingredient(rate))));
            daily = daily.or_else(|| of_ratio(rate, is_bulk && !is_of_ingredient(rate)));
        }
        let limit = line.child("maxDosePerPeriod").and_then(|ratio| per_day(ratio, is_bulk));
        Dosage {
            single: single.or(from_text.single),
            daily: daily.or(limit).or(from_text.daily),
            per_day: frequency(line).or(from_code.per_day).or(from_text.per_day),
            as_needed: line.text_at("asNeeded").is_some_and(|text| text == "true")
                || line.path("asNeeded.text").is_some()
                || line.path("asNeeded.coding").is_some()
                || from_text.as_needed,
        }
    }

    /// Reads a text: 「1回1錠 1日3回 毎食後」, "1 tablet twice daily".
    #[must_use]
    pub fn of_text(text: &str, is_bulk: bool) -> Dosage {
        let text = normalised(text);
        let captured = |found: Option<&'static Regex>| -> Option<(f64, String)> {
            let found = found?.captures(&text)?;
            let unit = found.get(2).map(|m| m.as_str().to_owned()).unwrap_or_default();
            Some((number(found.get(1)?.as_str())?, unit))
        };
        let read = |(value, unit): (f64, String)| {
            amount(value, &unit).filter(|a| !is_bulk || matches!(a, Amount::Pieces(_)))
        };
        let single = captured(pattern!(r"1回(?:に|量)?(\d+(?:\.\d+)?) ?(錠|カプセル|mg|g|μg|ug|mcg)"))
            .or_else(|| {
                captured(pattern!(
                    r"(?:^|take |[^0-9.])(\d+(?:\.\d+)?) ?(tablets?|tabs?|capsules?|caps?|mg|mcg|g)\b"
                ))
            });
        let daily = captured(pattern!(r"1日(?:に|量)?(\d+(?:\.\d+)?) ?(錠|カプセル|mg|g|μg|ug|mcg)"));
        let times = captured(pattern!(r"1日(\d+)回"))
            .or_else(|| captured(pattern!(r"分(\d)(?:[^\d]|$)")))
            .or_else(|| captured(pattern!(r"(\d+) ?times? (?:a|per|each) day")))
            .or_else(|| captured(pattern!(r"(\d+) ?times daily")))
            .map(|(times, _)| times);
        let hours = captured(pattern!(r"every (\d+) ?hours?")).map(|(hours, _)| 24.0 / hours);
        let word = [("twice", 2.0), ("bid", 2.0), ("tid", 3.0), ("qid", 4.0), ("once", 1.0)]
            .into_iter()
            .find(|(word, _)| {
                text.split(|c: char| !c.is_ascii_alphabetic()).any(|w| w == *word) && !text.contains("week")
            });
        let weekly = (text.contains("週1回") || text.contains("once a week") || text.contains("once weekly"))
            .then_some(1.0 / 7.0);
        let every_day = ["daily", "every day"].iter().any(|w| text.contains(w)).then_some(1.0);
        let as_needed = ["頓用", "頓服", "発熱時", "疼痛時", "時々", "必要時", "as needed", "prn"]
            .iter()
            .any(|w| text.contains(w));
        Dosage {
            single: single.and_then(read),
            daily: daily.and_then(read),
            per_day: weekly.or(times).or(hours).or(word.map(|(_, times)| times)).or(every_day),
            as_needed,
        }
    }
}

/// Whether an amount is that of the ingredient, not of the product (JP Core: type 2, 原薬量).
fn is_of_ingredient(rate: NodeRef<'_>) -> bool {
    rate.text_at("type.coding.code").is_some_and(|code| code == "2")
}

fn of_quantity(quantity: NodeRef<'_>, is_bulk: bool) -> Option<Amount> {
    let value = number(&quantity.text_at("value")?)?;
    let read = |path: &str| quantity.text_at(path).and_then(|unit| amount(value, &unit));
    read("unit").or_else(|| read("code")).filter(|a| !is_bulk || matches!(a, Amount::Pieces(_)))
}

/// `rateRatio` of JP Core: so much in a day.
fn of_ratio(rate: NodeRef<'_>, is_bulk: bool) -> Option<Amount> {
    per_day(rate.child("rate").filter(|r| r.child("numerator").is_some())?, is_bulk)
}

fn per_day(ratio: NodeRef<'_>, is_bulk: bool) -> Option<Amount> {
    let days = days(ratio.child("denominator")?)?;
    Some(match of_quantity(ratio.child("numerator")?, is_bulk)? {
        Amount::Milligrams(value) => Amount::Milligrams(value / days),
        Amount::Pieces(value) => Amount::Pieces(value / days),
    })
}

fn days(quantity: NodeRef<'_>) -> Option<f64> {
    let value = number(&quantity.text_at("value")?)?;
    let unit = quantity.text_at("code").or_else(|| quantity.text_at("unit"))?;
    in_days(value, &unit)
}

pub(crate) fn in_days(value: f64, unit: &str) -> Option<f64> {
    Some(match unit {
        "d" | "日" | "day" | "days" => value,
        "wk" | "週" | "week" | "weeks" => value * 7.0,
        "h" | "hr" | "hours" => value / 24.0,
        "mo" | "月" => value * 30.0,
        "a" => value * 365.0,
        _ => return None,
    })
}

fn frequency(line: NodeRef<'_>) -> Option<f64> {
    let repeat = line.path("timing.repeat");
    let text = |path: &str| repeat.and_then(|r| r.text_at(path));
    let counted = || {
        let often = text("frequencyMax").or_else(|| text("frequency")).map_or(Some(1.0), |f| number(&f))?;
        let period = text("period").and_then(|p| number(&p))?;
        Some(often / in_days(period, &text("periodUnit")?)?)
    };
    let of_day = || repeat.map(|r| r.all("timeOfDay").count()).filter(|n| *n > 0).map(|n| n as f64);
    let coded = || {
        let code = line.text_at("timing.code.coding.code")?;
        Some(match &*code {
            "QD" | "AM" | "PM" | "BED" => 1.0,
            "BID" => 2.0,
            "TID" => 3.0,
            "QID" => 4.0,
            "QOD" => 0.5,
            "Q4H" => 6.0,
            "Q6H" => 4.0,
            "Q8H" => 3.0,
            "WK" => 1.0 / 7.0,
            _ => return None,
        })
    };
    counted().or_else(of_day).or_else(coded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_they_are_written() {
        let read = |text| {
            let d = Dosage::of_text(text, false);
            (d.single, d.daily, d.per_day, d.as_needed)
        };
        let pieces = |n| Some(Amount::Pieces(n));
        assert_eq!(read("1回1錠 1日3回 毎食後"), (pieces(1.0), None, Some(3.0), false));
        assert_eq!(read("１回２錠　１日２回　朝夕食後"), (pieces(2.0), None, Some(2.0), false));
        assert_eq!(read("1回1カプセル 1日2回 朝夕食後"), (pieces(1.0), None, Some(2.0), false));
        assert_eq!(read("1回1錠 発熱・疼痛時"), (pieces(1.0), None, None, true));
        assert_eq!(read("1日4錠 分2 朝夕食後"), (None, pieces(4.0), Some(2.0), false));
        assert_eq!(read("1回35mg 週1回 起床時").2, Some(1.0 / 7.0));
        assert_eq!(read("1 tablet twice daily"), (pieces(1.0), None, Some(2.0), false));
        assert_eq!(
            read("take 500 mg every 6 hours"),
            (Some(Amount::Milligrams(500.0)), None, Some(4.0), false)
        );
        assert_eq!(read("1回8単位 1日1回 就寝前 皮下注射"), (None, None, Some(1.0), false));
        assert_eq!(read("医師の指示どおり"), (None, None, None, false));
    }

    #[test]
    fn a_name_says_what_a_piece_has_and_a_concentration_is_none() {
        let of = |text| strength(&normalised(text));
        assert_eq!(of("アムロジピン錠2.5mg"), Some(2.5));
        assert_eq!(of("カロナール錠５００ｍｇ"), Some(500.0));
        assert_eq!(of("Levothyroxine 75 MCG Oral Tablet"), Some(0.075));
        assert_eq!(of("チラーヂンＳ錠５０μg"), Some(0.05));
        assert_eq!(of("10 ML Furosemide 10 MG/ML Injection"), None);
        assert_eq!(of("デエビゴ錠２．５"), None);
        assert_eq!(of("インスリン注100単位/mL"), None);
    }

    #[test]
    fn the_weight_of_a_powder_is_not_that_of_its_ingredient() {
        assert_eq!(Dosage::of_text("1回1g 1日3回", is_bulk("カルボシステイン細粒50%")).single, None);
        assert_eq!(Dosage::of_text("1回1g 1日3回", false).single, Some(Amount::Milligrams(1000.0)));
    }
}
