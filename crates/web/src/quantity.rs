//! Numbers and units as people read them.

use fhir::NodeRef;

/// A number that was measured, with its digits as they were recorded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantity {
    /// For drawing.
    pub(crate) number: f64,
    /// `<`, `>=`, … if the value is only a bound.
    pub(crate) comparator: String,
    /// The digits as recorded.
    pub(crate) digits: String,
    /// The unit, tidied.
    pub(crate) unit: String,
}

impl Quantity {
    /// Reads a Quantity; none without a number that can be drawn.
    pub(crate) fn read(node: NodeRef<'_>) -> Option<Quantity> {
        let digits = node.text_at("value")?.into_owned();
        let number: f64 = digits.parse().ok().filter(|n: &f64| n.is_finite() && n.abs() < 1e15)?;
        let unit =
            node.text_at("unit").or_else(|| node.text_at("code")).map(|u| unit(&u)).unwrap_or_default();
        let comparator =
            node.text_at("comparator").map(|c| c.replace(">=", "≥").replace("<=", "≤")).unwrap_or_default();
        Some(Quantity { number, comparator, digits, unit })
    }

    /// The number, shortened where it has more digits than anyone measures.
    pub(crate) fn short(&self) -> String {
        format!("{}{}", self.comparator, shortened(self.number, &self.digits))
    }

    /// The number as recorded, with its unit.
    pub(crate) fn exact(&self) -> String {
        with_unit(&format!("{}{}", self.comparator, self.digits), &self.unit)
    }
}

/// A number with its unit, if it has one.
pub(crate) fn with_unit(number: &str, unit: &str) -> String {
    match unit {
        "" => number.to_owned(),
        "%" => format!("{number}%"),
        unit => format!("{number} {unit}"),
    }
}

/// Digits as recorded where they are few; else rounded to two places below 10, one below 1,000, none above.
fn shortened(number: f64, digits: &str) -> String {
    let places = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let wanted = if number.abs() < 10.0 { 2 } else { usize::from(number.abs() < 1000.0) };
    if places <= wanted && !digits.contains(['e', 'E']) {
        return digits.to_owned();
    }
    format!("{number:.wanted$}")
}

/// A number on an axis.
pub(crate) fn on_axis(number: f64) -> String {
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if matches!(text, "-0" | "") { "0".to_owned() } else { text.to_owned() }
}

/// A count, its thousands apart: 1,234,567.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A UCUM code as it is usually written: `mm[Hg]` is mmHg, `{score}` says nothing.
pub(crate) fn unit(code: &str) -> String {
    let mut out = code.trim().replace("mm[Hg]", "mmHg").replace("10*", "10^").replace("{1.73_m2}", "1.73 m²");
    while let (Some(start), Some(end)) = (out.find('{'), out.find('}')) {
        if end < start {
            break;
        }
        out.replace_range(start..=end, "");
    }
    for (plain, raised) in
        [("10^3", "10³"), ("10^6", "10⁶"), ("10^9", "10⁹"), ("10^12", "10¹²"), ("m2", "m²")]
    {
        if out.ends_with(plain) || out.contains(&format!("{plain}/")) || out.contains(&format!("{plain}.")) {
            out = out.replace(plain, raised);
        }
    }
    if out == "1" {
        String::new()
    } else {
        out.replace("uL", "µL").replace("[degF]", "°F").replace("Cel", "°C")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_read_as_they_are_written() {
        for (code, text) in [
            ("mm[Hg]", "mmHg"),
            ("kg/m2", "kg/m²"),
            ("{score}", ""),
            ("10*3/uL", "10³/µL"),
            ("mL/min/{1.73_m2}", "mL/min/1.73 m²"),
            ("Cel", "°C"),
            ("}{", "}{"),
            ("1", ""),
            ("%", "%"),
            ("10^12/L", "10¹²/L"),
        ] {
            assert_eq!(unit(code), text);
        }
    }

    #[test]
    fn long_numbers_are_shortened_and_short_ones_kept() {
        for (digits, text) in [
            ("159.60391252650157", "159.6"),
            ("5.40", "5.40"),
            ("6.123", "6.12"),
            ("120", "120"),
            ("1e3", "1000"),
        ] {
            assert_eq!(shortened(digits.parse().unwrap(), digits), text);
        }
        assert_eq!((on_axis(2.50), on_axis(-0.0), on_axis(140.0)), ("2.5".into(), "0".into(), "140".into()));
        assert_eq!(
            (grouped(0), grouped(999), grouped(1_234_567)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
    }
}
