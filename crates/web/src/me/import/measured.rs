//! One measurement of a file: as it is shown, as it goes from one page to the next, and as a resource.

use serde_json::{Value, json};

use crate::me::entry::build;
use crate::me::entry::kind::{Kind, named};
use crate::me::entry::read::Entered;
use crate::me::moment::{now, of_field};
use crate::me::own::Own;

/// What makes an import's identifier.
const IMPORTED: &str = "https://yojigen.example/fhir/NamingSystem/imported";
/// No measurement has more digits.
const MOST_DIGITS: usize = 12;

/// A measurement.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) kind: Of,
    /// The moment as a form has it, in the hub's zone.
    pub(super) at: String,
    /// Digits: one value, or the upper and the lower pressure.
    pub(super) values: Vec<String>,
}

impl Eq for Measured {}

impl PartialOrd for Measured {
    fn partial_cmp(&self, other: &Measured) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Measured {
    fn cmp(&self, other: &Measured) -> std::cmp::Ordering {
        (self.kind.key(), &self.at, &self.values).cmp(&(other.kind.key(), &other.at, &other.values))
    }
}

/// A kind that may be imported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Of(&'static Kind);

impl Of {
    /// A kind by its key.
    pub(super) fn named(key: &str) -> Option<Of> {
        const KINDS: &[&str] =
            &["pressure", "weight", "glucose", "temperature", "oxygen", "pulse", "steps", "sleep"];
        KINDS.contains(&key).then(|| named(key)).flatten().map(Of)
    }

    /// Its key.
    pub(super) fn key(self) -> &'static str {
        self.0.key
    }

    fn fields(self) -> &'static [&'static str] {
        if self.0.key == "pressure" { &["high1", "low1"] } else { &["value"] }
    }

    /// The limits of each of its values: what cannot be.
    pub(super) fn limits(self) -> Vec<(f64, f64)> {
        let of = |name: &&str| {
            let field = self.0.fields.iter().find(|f| f.name == *name)?;
            match field.input {
                crate::me::entry::kind::Input::Number { least, most, .. } => Some((least, most)),
                _ => None,
            }
        };
        self.fields().iter().filter_map(of).collect()
    }
}

impl Measured {
    /// The values as they are shown.
    pub(super) fn value(&self) -> String {
        self.values.join(" / ")
    }

    /// Whether every value can be.
    pub(super) fn is_possible(&self) -> bool {
        let limits = self.kind.limits();
        limits.len() == self.values.len()
            && self.values.iter().zip(limits).all(|(digits, (least, most))| {
                digits.len() <= MOST_DIGITS
                    && digits.parse::<f64>().is_ok_and(|v| (least..=most).contains(&v))
            })
            && match self.values.as_slice() {
                [high, low] => high.parse::<f64>().ok() > low.parse::<f64>().ok(),
                _ => true,
            }
    }
}

/// Measurements as text, a line each.
pub(super) fn encoded(all: &[Measured]) -> String {
    let line = |m: &Measured| format!("{}|{}|{}", m.kind.key(), m.at, m.values.join("|"));
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Measurements from such text; what does not read, or cannot be, is left out.
pub(super) fn decoded(text: &str) -> Vec<Measured> {
    let line = |line: &str| {
        let mut parts = line.trim().split('|');
        let kind = Of::named(parts.next()?)?;
        let at = parts.next()?.to_owned();
        let is_number = |t: &&str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let values: Vec<String> = parts.filter(is_number).map(str::to_owned).collect();
        Some(Measured { kind, at, values }).filter(Measured::is_possible)
    };
    text.lines().filter_map(line).collect()
}

/// The Observation of a measurement, and the search that finds it if it is there already.
pub(super) fn resource(own: &Own, measured: &Measured) -> Option<(Value, String)> {
    let (at, moment) = of_field(&measured.at, &own.zone)?;
    if moment > now() + 86_400_000_000 {
        return None;
    }
    let mut entered = Entered { at, ..Entered::default() };
    for (name, value) in measured.kind.fields().iter().zip(&measured.values) {
        entered.values.insert(name, value.clone());
    }
    let mut made = build::resources(own, measured.kind.0, &entered).into_iter().next()?;
    let said = format!("{}|{}|{}|{}", own.id, measured.kind.key(), entered.at, measured.values.join("|"));
    let value = blake3::hash(said.as_bytes()).to_hex().as_str().get(..32)?.to_owned();
    made["identifier"] = json!([{"system": IMPORTED, "value": value}]);
    Some((made, format!("identifier={IMPORTED}|{value}&patient={}", own.reference())))
}
