//! `/`: what this hub is, for everyone; for whoever may see it all, what it holds; for whoever is known, where to look
//! for someone.
//!
//! Whoever is not known sees it too, under an access to Organizations alone (`Hub::anybody`).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fhir::r4;

use crate::calendar::written_moment;
use crate::failure::{Failure, away};
use crate::quantity::grouped;
use crate::record::Record;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;
use crate::words::Words;

/// What belongs together, by the key of its name; every other type is in the last group.
const GROUPS: &[(&str, &[&str])] = &[
    ("people", &["Patient", "RelatedPerson", "Person"]),
    ("encounters", &["Encounter", "EpisodeOfCare", "Appointment"]),
    ("problems", &["Condition", "AllergyIntolerance", "FamilyMemberHistory", "Flag"]),
    ("results", &["Observation", "DiagnosticReport", "ImagingStudy", "Specimen"]),
    (
        "medicines",
        &[
            "MedicationRequest",
            "MedicationDispense",
            "MedicationAdministration",
            "MedicationStatement",
            "Medication",
        ],
    ),
    ("immunizations", &["Immunization", "ImmunizationRecommendation"]),
    ("procedures", &["Procedure", "ServiceRequest", "DeviceRequest", "Device"]),
    ("plans", &["CarePlan", "CareTeam", "Goal", "NutritionOrder"]),
    (
        "documents",
        &["Composition", "DocumentReference", "Binary", "Bundle", "QuestionnaireResponse", "Consent"],
    ),
    ("providers", &["Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService"]),
    ("billing", &["Claim", "ClaimResponse", "ExplanationOfBenefit", "Coverage", "Invoice"]),
    ("others", &[]),
];

/// So many organisations are named.
const ORGANISATIONS: usize = 200;

/// Types that belong together.
#[derive(Debug, PartialEq)]
struct Group {
    key: &'static str,
    total: u64,
    types: Vec<(&'static str, u64)>,
}

/// The totals of types in groups, without empty ones.
fn grouped_totals(totals: &[(&'static str, u64)]) -> Vec<Group> {
    let is_named = |name: &str| GROUPS.iter().any(|(_, types)| types.contains(&name));
    let groups = GROUPS.iter().map(|(key, types)| {
        let mut members: Vec<(&'static str, u64)> = totals.to_vec();
        members.retain(|(name, _)| if types.is_empty() { !is_named(name) } else { types.contains(name) });
        members.sort_by_key(|(_, total)| std::cmp::Reverse(*total));
        Group { key, total: members.iter().map(|(_, total)| total).sum(), types: members }
    });
    groups.filter(|g| g.total > 0).collect()
}

/// A group, in the words of the page.
struct Station {
    name: String,
    total: String,
    types: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    shell: Shell,
    /// Nothing to repeat in the box.
    sought: &'static str,
    /// Whether it is known who looks.
    is_known: bool,
    /// Which organisations take part.
    organisations: Vec<String>,
    /// Whether there are more.
    are_more: bool,
    /// Whether people sign in.
    is_closed: bool,
    /// The FHIR base.
    base: String,
    /// Whether all of it may be seen, and so counted.
    is_whole: bool,
    stations: Vec<Station>,
    total: String,
    moment: String,
    zone: String,
}

fn station(group: Group, words: Words) -> Station {
    Station {
        name: words.say_code("group", group.key).unwrap_or_default(),
        total: grouped(group.total),
        types: group.types.into_iter().map(|(name, total)| (name, grouped(total))).collect(),
    }
}

/// The names of the organisations that take part, and whether there are more.
fn organisations(site: &Site) -> Result<(Vec<String>, bool), Failure> {
    // Whoever looks: what everyone may see, and nothing else.
    let record = Record::of(site.hub.clone(), site.hub.anybody(), None);
    let found = record.search("Organization", &[("_sort", "name")], ORGANISATIONS)?;
    let active = found.resources.iter().map(|resource| resource.root());
    let active = active.filter(|root| root.text_at("active").is_none_or(|is| is == "true"));
    let mut names: Vec<String> = active.filter_map(|root| root.text_at("name").map(String::from)).collect();
    names.dedup();
    Ok((names, found.next.is_some()))
}

fn page(site: &Site, visit: &Visit) -> Result<HomePage, Failure> {
    let access = visit.access();
    let reader = site.hub.reader(&access);
    let (organisations, are_more) = organisations(site)?;
    // How much there is in all is for those who see it all.
    let totals = if reader.is_whole() { reader.totals(None)? } else { Vec::new() };
    let totals: Vec<(&'static str, u64)> = totals.into_iter().map(|(t, n)| (r4().type_name(t), n)).collect();
    let words = visit.words;
    Ok(HomePage {
        shell: Shell::of(visit),
        sought: "",
        is_known: visit.access.is_none() || visit.name.is_some(),
        organisations,
        are_more,
        is_closed: site.auth.is_some(),
        base: match &site.auth {
            Some(auth) => auth.settings().fhir_base.clone(),
            None => "/fhir".to_owned(),
        },
        is_whole: access.rights.is_none(),
        total: grouped(totals.iter().map(|(_, total)| total).sum()),
        stations: grouped_totals(&totals).into_iter().map(|g| station(g, words)).collect(),
        moment: written_moment(reader.instant().max(0), reader.zone(), words),
        zone: reader.zone().name().to_owned(),
    })
}

/// Answers with the page.
pub(crate) async fn home(State(site): State<Site>, visit: Visit) -> Response {
    let asked = visit.clone();
    match away(move || page(&site, &asked)).await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_counted_once() {
        let all: Vec<(&'static str, u64)> =
            r4().resource_types.iter().map(|t| (r4().type_name(*t), 1)).collect();
        let groups = grouped_totals(&all);
        assert_eq!(groups.iter().map(|g| g.total).sum::<u64>(), all.len() as u64);
        for name in GROUPS.iter().flat_map(|(_, types)| *types) {
            assert!(r4().resource_type(name).is_some(), "{name}");
        }
        assert!(grouped_totals(&[]).is_empty());
    }
}
