//! The generated hub: persons, what is known of them, what they decided.

use std::collections::BTreeSet;

use proptest::prelude::*;

pub(crate) const TAGS: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication";

/// A resource of the generated hub, as the oracle knows it.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    /// The Patient it is about.
    pub(crate) person: Option<u8>,
    pub(crate) code: u8,
    pub(crate) tag: Option<&'static str>,
}

/// A Consent of a person.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) is_permit: bool,
    pub(crate) organisation: Option<u8>,
    pub(crate) purpose: Option<&'static str>,
    pub(crate) code: Option<u8>,
    pub(crate) class: Option<&'static str>,
    pub(crate) nested: Option<(bool, u8)>,
    pub(crate) is_over: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) links: Vec<(u8, u8)>,
    pub(crate) encounters: Vec<(u8, u8)>,
    pub(crate) observations: Vec<(Option<u8>, u8)>,
    pub(crate) conditions: Vec<(u8, u8, Option<&'static str>)>,
    pub(crate) consents: Vec<(u8, Decision)>,
}

pub(crate) fn decision() -> impl Strategy<Value = Decision> {
    let purpose = prop_oneof![Just(None), Just(Some("TREAT")), Just(Some("HRESCH"))];
    let class = prop_oneof![3 => Just(None), 1 => Just(Some("Observation")), 1 => Just(Some("Condition"))];
    (
        any::<bool>(),
        proptest::option::weighted(0.5, 0..2u8),
        purpose,
        proptest::option::weighted(0.3, 0..3u8),
        class,
        proptest::option::weighted(0.3, (any::<bool>(), 0..2u8)),
        proptest::bool::weighted(0.2),
    )
        .prop_map(|(is_permit, organisation, purpose, code, class, nested, is_over)| Decision {
            is_permit,
            organisation,
            purpose,
            code: code.filter(|_| class.is_none()),
            class,
            nested,
            is_over,
        })
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let tag = prop_oneof![2 => Just(None), 1 => Just(Some("UNINFORMED")), 1 => Just(Some("UNDELIVERED"))];
    (
        proptest::collection::vec((0..4u8, 0..4u8), 0..2),
        proptest::collection::vec((0..4u8, 0..2u8), 0..4),
        proptest::collection::vec((proptest::option::weighted(0.9, 0..4u8), 0..3u8), 1..8),
        proptest::collection::vec((0..4u8, 0..3u8, tag), 0..5),
        proptest::collection::vec((0..4u8, decision()), 0..4),
    )
        .prop_map(|(links, encounters, observations, conditions, consents)| World {
            links: links.into_iter().filter(|(a, b)| a != b).collect(),
            encounters,
            observations,
            conditions,
            consents,
        })
}

impl Decision {
    pub(crate) fn json(&self, id: &str, person: u8) -> String {
        let mut parts = vec![format!(r#""type":"{}""#, word(self.is_permit))];
        if let Some(o) = self.organisation {
            parts.push(actor(o));
        }
        if let Some(p) = self.purpose {
            parts.push(format!(
                r#""purpose":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"{p}"}}]"#
            ));
        }
        if let Some(c) = self.code {
            parts.push(format!(r#""code":[{{"coding":[{{"system":"http://s","code":"c{c}"}}]}}]"#));
        }
        if let Some(c) = self.class {
            parts
                .push(format!(r#""class":[{{"system":"http://hl7.org/fhir/resource-types","code":"{c}"}}]"#));
        }
        if self.is_over {
            parts.push(r#""period":{"end":"2020-01-01"}"#.to_owned());
        }
        if let Some((is_permit, o)) = self.nested {
            parts.push(format!(r#""provision":[{{"type":"{}",{}}}]"#, word(is_permit), actor(o)));
        }
        format!(
            r#"{{"resourceType":"Consent","id":"{id}","status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},"category":[{{"text":"privacy"}}],"patient":{{"reference":"Patient/p{person}"}},"policyRule":{{"text":"own"}},"provision":{{{}}}}}"#,
            parts.join(",")
        )
    }
}

pub(crate) fn word(is_permit: bool) -> &'static str {
    if is_permit { "permit" } else { "deny" }
}

pub(crate) fn actor(organisation: u8) -> String {
    format!(
        r#""actor":[{{"role":{{"text":"who"}},"reference":{{"reference":"Organization/o{organisation}"}}}}]"#
    )
}

impl World {
    /// What there is: each with its JSON.
    pub(crate) fn facts(&self) -> Vec<(Fact, String)> {
        let mut out = Vec::new();
        let mut add = |kind, id: String, person, code, tag, body: String| {
            let json = format!(r#"{{"resourceType":"{kind}","id":"{id}"{body}}}"#);
            out.push((Fact { kind, id, person, code, tag }, json));
        };
        for o in 0..2u8 {
            add("Organization", format!("o{o}"), None, 0, None, format!(r#","name":"Clinic {o}""#));
        }
        for p in 0..4u8 {
            let links: Vec<String> = (self.links.iter())
                .filter(|(a, _)| *a == p)
                .map(|(_, b)| format!(r#"{{"other":{{"reference":"Patient/p{b}"}},"type":"seealso"}}"#))
                .collect();
            let links =
                if links.is_empty() { String::new() } else { format!(r#","link":[{}]"#, links.join(",")) };
            add(
                "Patient",
                format!("p{p}"),
                Some(p),
                0,
                None,
                format!(r#","name":[{{"family":"F{p}"}}]{links}"#),
            );
        }
        for (n, (p, o)) in self.encounters.iter().enumerate() {
            let body = format!(
                r#","status":"finished","class":{{"code":"AMB"}},"subject":{{"reference":"Patient/p{p}"}},"serviceProvider":{{"reference":"Organization/o{o}"}}"#
            );
            add("Encounter", format!("e{n}"), Some(*p), 0, None, body);
        }
        for (n, (p, c)) in self.observations.iter().enumerate() {
            let subject =
                p.map_or(String::new(), |p| format!(r#","subject":{{"reference":"Patient/p{p}"}}"#));
            let body = format!(
                r#","status":"final","code":{{"coding":[{{"system":"http://s","code":"c{c}"}}]}}{subject}"#
            );
            add("Observation", format!("b{n}"), *p, *c, None, body);
        }
        for (n, (p, c, tag)) in self.conditions.iter().enumerate() {
            let meta = tag.map_or(String::new(), |t| {
                format!(r#","meta":{{"tag":[{{"system":"{TAGS}","code":"{t}"}}]}}"#)
            });
            let body = format!(
                r#"{meta},"code":{{"coding":[{{"system":"http://s","code":"c{c}"}}]}},"subject":{{"reference":"Patient/p{p}"}}"#
            );
            add("Condition", format!("k{n}"), Some(*p), *c, *tag, body);
        }
        for (n, (p, decision)) in self.consents.iter().enumerate() {
            let json = decision.json(&format!("c{n}"), *p);
            out.push((
                Fact { kind: "Consent", id: format!("c{n}"), person: Some(*p), code: 0, tag: None },
                json,
            ));
        }
        out
    }

    /// The persons joined with one.
    pub(crate) fn joined(&self, person: u8) -> BTreeSet<u8> {
        let mut found = BTreeSet::from([person]);
        loop {
            let before = found.len();
            for (a, b) in &self.links {
                if found.contains(a) || found.contains(b) {
                    found.extend([*a, *b]);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }
}
