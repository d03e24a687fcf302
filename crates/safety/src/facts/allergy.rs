//! AllergyIntolerance.

use fhir::NodeRef;

use super::{Allergy, Facts, concept, reference};
use crate::medicines::{Medicines, normalised};

/// SNOMED CT: no known allergy, no known drug allergy.
const NONE_KNOWN: [&str; 2] = ["716186003", "409137002"];
/// The hub's like of them as text.
const NONE_WRITTEN: [&str; 6] = [
    "なし",
    "アレルギーなし",
    "薬剤アレルギーなし",
    "no known allergy",
    "no known allergies",
    "no known drug allergy",
];

pub(crate) fn is_asthma(text: &str) -> bool {
    ["喘息", "喘鳴", "呼吸困難", "asthma", "wheez", "bronchospasm", "195967001", "56018004", "4386001"]
        .iter()
        .any(|word| text.contains(word))
}

pub(crate) fn is_angioedema(text: &str) -> bool {
    ["血管浮腫", "血管性浮腫", "angioedema", "angio-oedema", "angioneurotic", "41291007"]
        .iter()
        .any(|word| text.contains(word))
}

fn is_anaphylaxis(text: &str) -> bool {
    ["アナフィラキシ", "ショック", "anaphyla", "39579001"].iter().any(|word| text.contains(word))
}

impl Facts {
    pub(super) fn add_allergy(&mut self, medicines: &Medicines, resource: NodeRef<'_>) {
        let is = |path: &str, codes: &[&str]| {
            let node = resource.child(path);
            let mut found = node.into_iter().flat_map(|n| n.all("coding")).filter_map(|c| c.text_at("code"));
            found.any(|code| codes.contains(&&*code))
        };
        if is("clinicalStatus", &["inactive", "resolved"])
            || is("verificationStatus", &["refuted", "entered-in-error"])
        {
            return;
        }
        let (mut codings, mut texts) = resource.child("code").map(concept).unwrap_or_default();
        let says_none = codings.iter().any(|(_, code)| NONE_KNOWN.contains(&code.as_str()))
            || texts.iter().any(|text| NONE_WRITTEN.contains(&normalised(text).as_str()));
        if says_none {
            self.says_none = true;
            return;
        }
        let mut reactions = String::new();
        for reaction in resource.all("reaction").take(20) {
            if let Some(substance) = reaction.child("substance") {
                let (more, also) = concept(substance);
                codings.extend(more);
                texts.extend(also);
            }
            for manifestation in reaction.all("manifestation") {
                let (codes, written) = concept(manifestation);
                codes.iter().map(|(_, code)| code).chain(&written).for_each(|text| {
                    reactions.push_str(&normalised(text));
                    reactions.push(' ');
                });
            }
            let described = reaction.text_at("description").map(|text| normalised(&text));
            reactions.push_str(described.as_deref().unwrap_or_default());
        }
        let severe_reaction = resource
            .all("reaction")
            .any(|r| r.text_at("severity").is_some_and(|severity| severity == "severe"));
        let categories: Vec<String> =
            resource.all("category").filter_map(|c| c.value()).map(|c| c.into_owned()).collect();
        let to = medicines.allergens(&codings, &texts);
        let written = texts.into_iter().next();
        self.allergies.push(Allergy {
            reference: reference(resource),
            written: written.or_else(|| codings.first().map(|(_, code)| code.clone())).unwrap_or_default(),
            to,
            may_be_medicine: categories.is_empty()
                || categories.iter().any(|c| c == "medication" || c == "biologic"),
            is_severe: severe_reaction
                || is_anaphylaxis(&reactions)
                || resource.text_at("criticality").is_some_and(|c| c == "high"),
            asthma: is_asthma(&reactions),
            angioedema: is_angioedema(&reactions),
        });
    }
}
