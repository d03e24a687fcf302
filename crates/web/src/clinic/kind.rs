//! What a clinician writes.

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Note,
    Problem,
    Allergy,
    Medicine,
    Order,
    Result,
    Vaccine,
    Referral,
    Decision,
}

impl Kind {
    pub(crate) const ALL: [Kind; 9] = [
        Kind::Note,
        Kind::Problem,
        Kind::Medicine,
        Kind::Order,
        Kind::Result,
        Kind::Allergy,
        Kind::Vaccine,
        Kind::Referral,
        Kind::Decision,
    ];

    /// Its name in addresses and keys of sentences.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Note => "note",
            Kind::Problem => "problem",
            Kind::Allergy => "allergy",
            Kind::Medicine => "medicine",
            Kind::Order => "order",
            Kind::Result => "result",
            Kind::Vaccine => "vaccine",
            Kind::Referral => "referral",
            Kind::Decision => "decision",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The key that begins it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Kind::Note => "n",
            Kind::Problem => "p",
            Kind::Allergy => "a",
            Kind::Medicine => "m",
            Kind::Order => "o",
            Kind::Result => "l",
            Kind::Vaccine => "v",
            Kind::Referral => "f",
            Kind::Decision => "d",
        }
    }

    /// The type, and the concept of it, by which what is frequent is found.
    pub(crate) fn coded_as(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Kind::Problem => ("Condition", "code"),
            Kind::Allergy => ("AllergyIntolerance", "code"),
            Kind::Medicine => ("MedicationRequest", "medication"),
            Kind::Order => ("ServiceRequest", "code"),
            Kind::Result => ("Observation", "code"),
            Kind::Vaccine => ("Immunization", "vaccineCode"),
            Kind::Note | Kind::Referral | Kind::Decision => return None,
        })
    }
}
