//! The kinds of things that may be entered.

use fhir::NodeRef;

use crate::concept;

pub(crate) const LOINC: &str = "http://loinc.org";
/// What has no code in LOINC that says it plainly.
pub(crate) const OWN: &str = "https://yojigen.example/fhir/CodeSystem/self-care";

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::me) enum Input {
    /// A number. Below `low` or above `high` it is asked whether it is right; beyond `least` and `most` it cannot be.
    Number { least: f64, low: f64, high: f64, most: f64, places: usize, unit: &'static str },
    /// One of these.
    Choice(&'static [&'static str]),
    /// A few words.
    Line,
    /// Sentences.
    Area,
    /// A photo or PDF.
    File,
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::me) struct Field {
    pub(in crate::me) name: &'static str,
    pub(in crate::me) input: Input,
    pub(super) is_required: bool,
}

/// What a kind becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Blood pressure, in one or two readings.
    Pressure,
    /// A number with a unit.
    Measure { code: Coding, unit: &'static str, ucum: &'static str, category: &'static str },
    /// Words.
    Said { code: Coding, category: &'static str },
    /// One of a list.
    Chosen { code: Coding, category: &'static str },
    /// A medicine that was taken.
    Medicine,
    /// A photo or PDF.
    Document,
}

/// System, code, display.
pub(super) type Coding = (&'static str, &'static str, &'static str);

/// A kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Kind {
    pub(in crate::me) key: &'static str,
    pub(super) shape: Shape,
    pub(in crate::me) fields: &'static [Field],
}

const fn number(
    name: &'static str,
    (least, low, high, most): (f64, f64, f64, f64),
    places: usize,
    unit: &'static str,
) -> Field {
    Field { name, input: Input::Number { least, low, high, most, places, unit }, is_required: true }
}

const fn may(field: Field) -> Field {
    Field { is_required: false, ..field }
}

const fn choice(name: &'static str, of: &'static [&'static str]) -> Field {
    Field { name, input: Input::Choice(of), is_required: true }
}

const NOTE: Field = Field { name: "note", input: Input::Line, is_required: false };
const SYSTOLIC: (f64, f64, f64, f64) = (30.0, 70.0, 220.0, 350.0);
const DIASTOLIC: (f64, f64, f64, f64) = (15.0, 40.0, 130.0, 250.0);

/// What a time of day or a meal may be, in the codes of HL7's TimingEvent.
pub(super) const PARTS: &[&str] = &["MORN", "EVE"];
pub(super) const MEALS: &[&str] = &["AC", "PC"];
pub(super) const SEVERITIES: &[&str] = &["mild", "moderate", "severe"];
pub(super) const MOODS: &[&str] = &["very-good", "good", "so-so", "bad", "very-bad"];
pub(super) const MEDICINES: &[&str] = &["otc", "prescribed"];

/// The kinds, commonest first.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        key: "pressure",
        shape: Shape::Pressure,
        fields: &[
            number("high1", SYSTOLIC, 0, "mmHg"),
            number("low1", DIASTOLIC, 0, "mmHg"),
            may(number("high2", SYSTOLIC, 0, "mmHg")),
            may(number("low2", DIASTOLIC, 0, "mmHg")),
            may(number("pulse", (20.0, 40.0, 150.0, 300.0), 0, "/min")),
            choice("part", PARTS),
            NOTE,
        ],
    },
    Kind {
        key: "weight",
        shape: Shape::Measure {
            code: (LOINC, "29463-7", "Body weight"),
            unit: "kg",
            ucum: "kg",
            category: "vital-signs",
        },
        fields: &[number("value", (0.2, 2.0, 200.0, 700.0), 2, "kg"), NOTE],
    },
    Kind {
        key: "medicine",
        shape: Shape::Medicine,
        fields: &[
            Field { name: "name", input: Input::Line, is_required: true },
            choice("origin", MEDICINES),
            Field { name: "dose", input: Input::Line, is_required: false },
            NOTE,
        ],
    },
    Kind {
        key: "symptom",
        shape: Shape::Said { code: (LOINC, "75325-1", "Symptom"), category: "survey" },
        fields: &[
            Field { name: "words", input: Input::Area, is_required: true },
            choice("severity", SEVERITIES),
        ],
    },
    Kind {
        key: "glucose",
        shape: Shape::Measure {
            code: (LOINC, "41653-7", "Glucose [Mass/volume] in Capillary blood by Glucometer"),
            unit: "mg/dL",
            ucum: "mg/dL",
            category: "laboratory",
        },
        fields: &[number("value", (10.0, 50.0, 400.0, 1500.0), 0, "mg/dL"), choice("meal", MEALS), NOTE],
    },
    Kind {
        key: "temperature",
        shape: Shape::Measure {
            code: (LOINC, "8310-5", "Body temperature"),
            unit: "°C",
            ucum: "Cel",
            category: "vital-signs",
        },
        fields: &[number("value", (25.0, 34.0, 41.0, 45.0), 1, "°C"), NOTE],
    },
    Kind {
        key: "oxygen",
        shape: Shape::Measure {
            code: (LOINC, "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
            unit: "%",
            ucum: "%",
            category: "vital-signs",
        },
        fields: &[number("value", (30.0, 88.0, 100.0, 100.0), 0, "%"), NOTE],
    },
    Kind {
        key: "pulse",
        shape: Shape::Measure {
            code: (LOINC, "8867-4", "Heart rate"),
            unit: "/min",
            ucum: "/min",
            category: "vital-signs",
        },
        fields: &[number("value", (20.0, 40.0, 150.0, 300.0), 0, "/min"), NOTE],
    },
    Kind {
        key: "steps",
        shape: Shape::Measure {
            code: (LOINC, "41950-7", "Number of steps in 24 hour Measured"),
            unit: "{steps}/d",
            ucum: "{steps}/d",
            category: "activity",
        },
        fields: &[number("value", (0.0, 0.0, 40_000.0, 200_000.0), 0, "/d"), NOTE],
    },
    Kind {
        key: "sleep",
        shape: Shape::Measure {
            code: (LOINC, "93832-4", "Sleep duration"),
            unit: "h",
            ucum: "h",
            category: "activity",
        },
        fields: &[number("value", (0.0, 2.0, 14.0, 24.0), 1, "h"), NOTE],
    },
    Kind {
        key: "mood",
        shape: Shape::Chosen { code: (OWN, "mood", "Mood"), category: "survey" },
        fields: &[choice("mood", MOODS), NOTE],
    },
    Kind {
        key: "meal",
        shape: Shape::Said { code: (OWN, "meal", "Meal"), category: "social-history" },
        fields: &[Field { name: "words", input: Input::Area, is_required: true }],
    },
    Kind {
        key: "document",
        shape: Shape::Document,
        fields: &[
            Field { name: "file", input: Input::File, is_required: true },
            Field { name: "words", input: Input::Line, is_required: false },
        ],
    },
    Kind {
        key: "note",
        shape: Shape::Said { code: (OWN, "note", "Note"), category: "survey" },
        fields: &[Field { name: "words", input: Input::Area, is_required: true }],
    },
];

/// A kind by its key.
pub(in crate::me) fn named(key: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.key == key)
}

impl Kind {
    /// The type of what it becomes.
    pub(super) fn type_name(&self) -> &'static str {
        match self.shape {
            Shape::Medicine => "MedicationStatement",
            Shape::Document => "DocumentReference",
            _ => "Observation",
        }
    }

    /// The code of the observations it becomes.
    pub(super) fn code(&self) -> Option<Coding> {
        match self.shape {
            Shape::Pressure => Some((LOINC, "85354-9", "Blood pressure panel with all children optional")),
            Shape::Measure { code, .. } | Shape::Said { code, .. } | Shape::Chosen { code, .. } => Some(code),
            Shape::Medicine | Shape::Document => None,
        }
    }
}

/// The kind a resource is of.
pub(crate) fn of(node: NodeRef<'_>) -> Option<&'static Kind> {
    match node.type_name() {
        "MedicationStatement" => named("medicine"),
        "DocumentReference" => named("document"),
        "Observation" => {
            let code = concept::code_at(node, "code")?;
            KINDS.iter().find(|kind| kind.code().is_some_and(|(_, own, _)| own == code))
        }
        _ => None,
    }
}
