//! Who may see what, said in plain words on facts; shares no code with the restriction.

use access::scope::Scopes;
use access::{Purpose, Subject};

use crate::world::{Fact, World};

/// Who asks, by name.
pub(crate) fn subjects() -> Vec<(&'static str, Subject)> {
    let of = |roles: &[&str], purpose| Subject {
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        user: Some("u".to_owned()),
        ..Subject::nobody(purpose)
    };
    let scopes = |text: &str| Some(Scopes::parse(text).unwrap());
    let person = Subject { patient: Some("p0".to_owned()), ..of(&["person"], Purpose::OwnUse) };
    let clinician = Subject {
        organisations: vec!["o0".to_owned()],
        fhir_user: Some("Practitioner/x".to_owned()),
        ..of(&["clinician"], Purpose::Care)
    };
    vec![
        ("nobody", of(&[], Purpose::Care)),
        ("person", person.clone()),
        ("proxy", Subject { proxied: vec!["p1".to_owned()], ..of(&["proxy"], Purpose::OwnUse) }),
        ("clinician", clinician.clone()),
        ("emergency", Subject { break_glass: Some("unconscious".to_owned()), ..clinician.clone() }),
        ("researcher", of(&["researcher"], Purpose::Research)),
        ("operator", of(&["operator"], Purpose::Operations)),
        (
            "app",
            Subject {
                scopes: scopes("patient/Observation.rs?code=http://s|c1 patient/Patient.rs"),
                context_patient: Some("p0".to_owned()),
                ..person
            },
        ),
        ("app of a clinician", Subject { scopes: scopes("user/Observation.rs"), ..clinician }),
        ("system", Subject { scopes: scopes("system/*.rs"), ..of(&["system"], Purpose::Operations) }),
    ]
}

/// The oracle: rules in words, on facts.
pub(crate) fn sees(world: &World, name: &str, fact: &Fact) -> bool {
    let is_shared = fact.kind == "Organization";
    let cared = |person: u8| {
        let joined = world.joined(person);
        world.encounters.iter().any(|(p, o)| *o == 0 && joined.contains(p))
    };
    let consent = |purpose: &str, organisation: Option<u8>| {
        let person = fact.person?;
        let joined = world.joined(person);
        let mut best: Option<(u32, bool)> = None;
        let mut consider = |weight: u32, is_permit: bool| {
            best = match best {
                Some((w, p)) if w > weight || (w == weight && !p) => Some((w, p)),
                Some((w, p)) if w == weight => Some((w, p && is_permit)),
                _ => Some((weight, is_permit)),
            };
        };
        for (owner, d) in &world.consents {
            if !joined.contains(owner) {
                continue;
            }
            let is_mine = |o: u8| organisation == Some(o);
            let matches_who = d.organisation.is_none_or(is_mine) && d.purpose.is_none_or(|p| p == purpose);
            let matches_what = d.class.is_none_or(|c| c == fact.kind)
                && d.code.is_none_or(|c| matches!(fact.kind, "Observation" | "Condition") && c == fact.code);
            if matches_who && matches_what && !d.is_over {
                let mut weight = 0;
                weight += if d.organisation.is_some() { 8 } else { 0 };
                weight += if d.purpose.is_some() { 4 } else { 0 };
                weight += if d.class.is_some() { 10 } else { 0 };
                weight += if d.code.is_some() { 20 } else { 0 };
                consider(weight, d.is_permit);
            }
            if let Some((is_permit, o)) = d.nested
                && is_mine(o)
            {
                consider(108, is_permit);
            }
        }
        best.map(|(_, is_permit)| is_permit)
    };
    let own = |person: u8| fact.person.is_some_and(|p| world.joined(person).contains(&p));
    match name {
        "nobody" => false,
        "person" => is_shared || own(0) && fact.tag.is_none(),
        "proxy" => is_shared || own(1) && fact.tag.is_none(),
        "clinician" => {
            is_shared
                || match (fact.person, consent("TREAT", Some(0))) {
                    (None, _) | (_, Some(false)) => false,
                    (Some(_), Some(true)) => true,
                    (Some(person), None) => cared(person),
                }
        }
        "emergency" => true,
        "researcher" => {
            is_shared || (consent("HRESCH", None) == Some(true) && fact.tag != Some("UNDELIVERED"))
        }
        "operator" => is_shared,
        "app" => own(0) && (fact.kind == "Patient" || (fact.kind == "Observation" && fact.code == 1)),
        "app of a clinician" => fact.kind == "Observation" && sees(world, "clinician", fact),
        "system" => true,
        _ => unreachable!("a subject the oracle does not know"),
    }
}
