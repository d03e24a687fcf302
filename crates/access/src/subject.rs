//! Who acts.

use serde::{Deserialize, Serialize};

use crate::scope::Scopes;

/// To what end (<https://terminology.hl7.org/ValueSet-v3-PurposeOfUse.html>). Purposes are kept apart: what is permitted
/// for one is not permitted for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Purpose {
    /// Care by professionals.
    Care,
    /// A person's own use of their own record, or a proxy's for them.
    OwnUse,
    /// Care when there is no time to ask.
    Emergency,
    /// Research.
    Research,
    /// Figures on a population.
    Indicators,
    /// Running the hub.
    Operations,
}

impl Purpose {
    const CODES: [(Purpose, &'static str, &'static str); 6] = [
        (Purpose::Care, "care", "TREAT"),
        (Purpose::OwnUse, "own-use", "PATRQT"),
        (Purpose::Emergency, "emergency", "ETREAT"),
        (Purpose::Research, "research", "HRESCH"),
        (Purpose::Indicators, "indicators", "PUBHLTH"),
        (Purpose::Operations, "operations", "HOPERAT"),
    ];

    /// Its name in rules.
    #[must_use]
    pub fn name(self) -> &'static str {
        Purpose::CODES.iter().find(|(p, ..)| *p == self).map_or("", |(_, name, _)| name)
    }

    /// Its code in the system `http://terminology.hl7.org/CodeSystem/v3-ActReason`.
    #[must_use]
    pub fn code(self) -> &'static str {
        Purpose::CODES.iter().find(|(p, ..)| *p == self).map_or("", |(.., code)| code)
    }

    /// By name or code.
    #[must_use]
    pub fn of(text: &str) -> Option<Purpose> {
        Purpose::CODES.iter().find(|(_, name, code)| *name == text || *code == text).map(|(p, ..)| *p)
    }

    /// What roles are for, where nothing else is said.
    #[must_use]
    pub fn of_roles(roles: &[String]) -> Purpose {
        let of = |role: &str| match role {
            "person" | "proxy" => Some(Purpose::OwnUse),
            "clinician" | "pharmacist" | "registrar" | "peer" => Some(Purpose::Care),
            "researcher" => Some(Purpose::Research),
            _ => None,
        };
        roles.iter().find_map(|role| of(role)).unwrap_or(Purpose::Operations)
    }

    /// Whether a person's Consents bind it. One's own use needs nobody's consent; in an emergency the reason stands in
    /// the audit instead.
    #[must_use]
    pub fn is_bound_by_consent(self) -> bool {
        matches!(self, Purpose::Care | Purpose::Research | Purpose::Indicators)
    }
}

/// Who acts, as whoever signed them in vouches for. Ids are those of this hub's resources.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// The user's id; none for a client that acts for itself.
    pub user: Option<String>,
    /// The roles, by the names the rules use.
    pub roles: Vec<String>,
    /// The user's own resource: `Practitioner/17`.
    pub fhir_user: Option<String>,
    /// The id of the user's own Patient.
    pub patient: Option<String>,
    /// The ids of the Patients the user acts for.
    pub proxied: Vec<String>,
    /// The ids of the Organizations the user works for.
    pub organisations: Vec<String>,
    /// The app.
    pub client: Option<String>,
    /// What the app was granted; none where there is no app in between.
    pub scopes: Option<Scopes>,
    /// The id of the Patient the app was launched for.
    pub context_patient: Option<String>,
    /// To what end.
    pub purpose: Purpose,
    /// Why the person's decision is passed over, if it is.
    pub break_glass: Option<String>,
}

impl Subject {
    /// Somebody without roles, who may do nothing.
    #[must_use]
    pub fn nobody(purpose: Purpose) -> Subject {
        Subject {
            user: None,
            roles: Vec::new(),
            fhir_user: None,
            patient: None,
            proxied: Vec::new(),
            organisations: Vec::new(),
            client: None,
            scopes: None,
            context_patient: None,
            purpose,
            break_glass: None,
        }
    }

    /// The purpose it acts for in fact: a reason given to pass over a decision makes it an emergency.
    #[must_use]
    pub fn acting_purpose(&self) -> Purpose {
        if self.break_glass.is_some() { Purpose::Emergency } else { self.purpose }
    }
}
