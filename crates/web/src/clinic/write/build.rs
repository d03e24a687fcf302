//! From the fields of a form to the resource that is written, or to what is missing.

use serde_json::{Value, json};

use crate::clinic::codes::{self, Choice};
use crate::clinic::kind::Kind;
use crate::clinic::note;
use crate::drafts::Fields;
use crate::me::entry::kind::OWN;
use crate::words::Words;

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
const ALLERGY_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const ALLERGY_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const OBSERVATION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
/// JP-CLINS: a diagnosis that was not explained to the patient yet.
const INDICATION: &str = "http://jpfhir.jp/fhir/clins/CodeSystem/JP_ehrshrs_indication";
const UCUM: &str = "http://unitsofmeasure.org";
const LOINC: &str = "http://loinc.org";
/// A text is at most so long.
const LONGEST: usize = 200_000;
const LONGEST_LINE: usize = 500;

/// What is known besides the fields.
pub(crate) struct About<'a> {
    pub(crate) kind: Kind,
    pub(crate) patient: &'a str,
    /// The clinician's resource, if there is one, and name.
    pub(crate) practitioner: Option<&'a str>,
    pub(crate) name: &'a str,
    /// The encounter that is under way, if one is.
    pub(crate) encounter: Option<&'a str>,
    pub(crate) organization: Option<&'a str>,
    /// The moment, and today in the hub's zone.
    pub(crate) now: &'a str,
    pub(crate) today: &'a str,
    pub(crate) words: Words,
}

/// A field and the key of what is wrong with it.
pub(crate) type Fault = (&'static str, &'static str);

struct Reader<'a> {
    fields: &'a Fields,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn text(&self, name: &str) -> &'a str {
        self.fields.get(name).map_or("", |text| text.trim())
    }

    /// A line, if it was given; too long a one is a fault.
    fn line(&mut self, name: &'static str) -> Option<&'a str> {
        let text = self.text(name);
        if text.chars().count() > LONGEST_LINE {
            self.faults.push((name, "fault-long"));
        }
        Some(text).filter(|text| !text.is_empty())
    }

    fn number(&mut self, name: &'static str) -> Option<String> {
        let text = crate::clinic::write::half_width(self.text(name));
        if text.is_empty() {
            return None;
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && text.len() <= 18 => Some(text),
            _ => {
                self.faults.push((name, "fault-number"));
                None
            }
        }
    }

    /// A date, however it is written; today if nothing is.
    fn date(&mut self, name: &'static str, today: &str) -> String {
        let text = self.text(name);
        if text.is_empty() {
            return today.to_owned();
        }
        match crate::birth_date::read(text) {
            Some(date) if date.as_str() <= today || name == "when" => date,
            Some(_) => {
                self.faults.push((name, "fault-future"));
                today.to_owned()
            }
            None => {
                self.faults.push((name, "fault-date"));
                today.to_owned()
            }
        }
    }

    /// What was chosen from the list, or typed.
    fn choice(&mut self, kind: Kind, words: Words) -> Option<(Choice, bool)> {
        let name = self.line("what")?;
        let (system, code) = (self.text("system"), self.text("code"));
        let is_chosen = !code.is_empty() || !self.text("chosen").is_empty();
        // A code belongs to the name it was chosen with.
        if is_chosen && self.text("chosen") == name {
            let (system, code, extra) = (system.to_owned(), code.to_owned(), self.text("extra").to_owned());
            return Some((Choice { system, code, name: name.to_owned(), extra }, true));
        }
        Some(match codes::exact(kind, name, words) {
            Some(choice) => (choice, true),
            None => {
                let none = String::new;
                (Choice { system: none(), code: none(), name: name.to_owned(), extra: none() }, false)
            }
        })
    }
}

fn concept(choice: &Choice) -> Value {
    let mut concept = json!({"text": choice.name});
    if !choice.code.is_empty() && !choice.system.is_empty() {
        concept["coding"] = json!([{"system": choice.system, "code": choice.code, "display": choice.name}]);
    }
    concept
}

fn coded(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

impl About<'_> {
    fn who(&self) -> Value {
        match self.practitioner {
            Some(reference) => json!({"reference": reference, "display": self.name}),
            None => json!({"display": self.name}),
        }
    }

    fn put_encounter(&self, resource: &mut Value) {
        if let Some(encounter) = self.encounter {
            resource["encounter"] = json!({"reference": encounter});
        }
    }
}

/// The resource, or what is wrong, field by field.
pub(crate) fn build(about: &About<'_>, fields: &Fields) -> Result<Value, Vec<Fault>> {
    let mut reader = Reader { fields, faults: Vec::new() };
    let patient = json!({"reference": about.patient});
    let built = match about.kind {
        Kind::Note => note_of(about, &mut reader, &patient),
        Kind::Problem => problem(about, &mut reader, &patient),
        Kind::Allergy => allergy(about, &mut reader, &patient),
        Kind::Medicine => medicine(about, &mut reader, &patient),
        Kind::Order => order(about, &mut reader, &patient),
        Kind::Result => result(about, &mut reader, &patient),
        Kind::Vaccine => vaccine(about, &mut reader, &patient),
        Kind::Referral => referral(about, &mut reader, &patient),
        Kind::Decision => decision(about, &mut reader, &patient),
    };
    match built {
        Some(resource) if reader.faults.is_empty() => Ok(resource),
        _ => {
            if reader.faults.is_empty() {
                reader.faults.push(("what", "fault-missing"));
            }
            Err(reader.faults)
        }
    }
}

fn note_of(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let text = reader.text("text");
    if text.is_empty() || text.len() > LONGEST {
        reader.faults.push(("text", if text.is_empty() { "fault-missing" } else { "fault-long" }));
        return None;
    }
    let title = reader.line("what").map_or_else(|| about.words.say("write-note"), str::to_owned);
    let attachment =
        json!({"contentType": "text/plain; charset=utf-8", "data": note::data_of(text), "title": title});
    let mut context = json!({"period": {"start": about.now, "end": about.now}});
    if let Some(encounter) = about.encounter {
        context["encounter"] = json!([{"reference": encounter}]);
    }
    let mut note = json!({
        "resourceType": "DocumentReference", "status": "current", "docStatus": "final",
        "type": {"coding": [{"system": LOINC, "code": "11506-3", "display": "Progress note"}], "text": title},
        "subject": patient, "date": about.now, "author": [about.who()], "description": title,
        "content": [{"attachment": attachment}], "context": context,
    });
    if about.practitioner.is_some() {
        note["authenticator"] = about.who();
    }
    if let Some(organization) = about.organization {
        note["custodian"] = json!({"reference": organization});
    }
    Some(note)
}

fn problem(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let (choice, _) = reader.choice(Kind::Problem, about.words)?;
    let onset = reader.date("date", about.today);
    let is_suspected = reader.text("suspected") == "yes";
    let mut condition = json!({
        "resourceType": "Condition",
        "clinicalStatus": coded(CLINICAL, "active"),
        "verificationStatus": coded(VERIFICATION, if is_suspected { "provisional" } else { "confirmed" }),
        "category": [coded(CATEGORY, "problem-list-item")],
        "code": concept(&choice), "subject": patient, "onsetDateTime": onset,
        "recordedDate": about.now, "recorder": about.who(),
    });
    if reader.text("untold") == "yes" {
        condition["meta"] = json!({"tag": [{"system": INDICATION, "code": "UNINFORMED"}]});
    }
    if let Some(text) = reader.line("comment") {
        condition["note"] = json!([{"text": text}]);
    }
    about.put_encounter(&mut condition);
    Some(condition)
}

fn allergy(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let (choice, _) = reader.choice(Kind::Allergy, about.words)?;
    let mut allergy = json!({
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": coded(ALLERGY_CLINICAL, "active"),
        "verificationStatus": coded(ALLERGY_VERIFICATION, "confirmed"),
        "code": concept(&choice), "patient": patient, "recordedDate": about.now, "recorder": about.who(),
    });
    if matches!(choice.extra.as_str(), "food" | "medication" | "environment" | "biologic") {
        allergy["category"] = json!([choice.extra]);
    }
    if let level @ ("high" | "low" | "unable-to-assess") = reader.text("severity") {
        allergy["criticality"] = json!(level);
    }
    if let Some(reaction) = reader.line("reaction") {
        allergy["reaction"] = json!([{"manifestation": [{"text": reaction}]}]);
    }
    about.put_encounter(&mut allergy);
    Some(allergy)
}

fn medicine(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let (choice, _) = reader.choice(Kind::Medicine, about.words)?;
    let Some(usage) = reader.line("usage") else {
        reader.faults.push(("usage", "fault-missing"));
        return None;
    };
    let days = reader.number("days");
    let mut instruction = json!({"text": usage});
    if let Some((dose, unit, times)) = super::dosage::read(usage) {
        instruction["doseAndRate"] = json!([{"doseQuantity": {"value": dose, "unit": unit}}]);
        if let Some(times) = times {
            instruction["timing"] = json!({"repeat": {"frequency": times, "period": 1, "periodUnit": "d"}});
        }
    }
    let mut request = json!({
        "resourceType": "MedicationRequest", "status": "active", "intent": "order",
        "medicationCodeableConcept": concept(&choice), "subject": patient,
        "authoredOn": about.now, "requester": about.who(), "dosageInstruction": [instruction],
    });
    if let Some(days) = days {
        let number: serde_json::Number = days.parse().ok()?;
        request["dispenseRequest"] =
            json!({"expectedSupplyDuration": {"value": number, "unit": "日", "system": UCUM, "code": "d"}});
    }
    if let Some(text) = reader.line("comment") {
        request["note"] = json!([{"text": text}]);
    }
    about.put_encounter(&mut request);
    Some(request)
}

fn order(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let (choice, _) = reader.choice(Kind::Order, about.words)?;
    let priority = if reader.text("urgent") == "yes" { "urgent" } else { "routine" };
    let mut order = json!({
        "resourceType": "ServiceRequest", "status": "active", "intent": "order", "priority": priority,
        "code": concept(&choice), "subject": patient, "authoredOn": about.now, "requester": about.who(),
    });
    if !reader.text("when").is_empty() {
        order["occurrenceDateTime"] = json!(reader.date("when", about.today));
    }
    if let Some(text) = reader.line("comment") {
        order["note"] = json!([{"text": text}]);
    }
    about.put_encounter(&mut order);
    Some(order)
}

/// The components of a blood pressure: 128/76.
fn pressures(value: &str) -> Option<(u16, u16)> {
    let (systolic, diastolic) = value.split_once('/')?;
    let pair: (u16, u16) = (systolic.trim().parse().ok()?, diastolic.trim().parse().ok()?);
    ((20..=350).contains(&pair.0) && (10..=250).contains(&pair.1) && pair.1 < pair.0).then_some(pair)
}

fn result(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let (choice, _) = reader.choice(Kind::Result, about.words)?;
    let mut observation = json!({
        "resourceType": "Observation", "status": "final", "code": concept(&choice), "subject": patient,
        "effectiveDateTime": about.now, "issued": about.now, "performer": [about.who()],
        "category": [coded(OBSERVATION_CATEGORY, "exam")],
    });
    if !reader.text("date").is_empty() {
        observation["effectiveDateTime"] = json!(reader.date("date", about.today));
    }
    let value = super::half_width(reader.text("value"));
    if choice.code == "85354-9" {
        let Some((systolic, diastolic)) = pressures(&value) else {
            reader.faults.push(("value", "fault-pressure"));
            return None;
        };
        let part = |code: &str, value: u16| {
            let code = coded(LOINC, code);
            json!({"code": code, "valueQuantity": {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}})
        };
        observation["component"] = json!([part("8480-6", systolic), part("8462-4", diastolic)]);
    } else if value.is_empty() {
        reader.faults.push(("value", "fault-missing"));
    } else if let Ok(number) = value.parse::<serde_json::Number>() {
        let unit = match reader.text("unit") {
            "" => choice.extra.as_str(),
            unit => unit,
        };
        let mut quantity = json!({"value": number});
        if !unit.is_empty() {
            quantity["unit"] = json!(unit);
            if unit == choice.extra {
                quantity["system"] = json!(UCUM);
                quantity["code"] = json!(unit);
            }
        }
        observation["valueQuantity"] = quantity;
    } else if value.chars().count() <= LONGEST_LINE {
        observation["valueString"] = json!(value);
    } else {
        reader.faults.push(("value", "fault-long"));
    }
    about.put_encounter(&mut observation);
    Some(observation)
}

fn vaccine(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let (choice, _) = reader.choice(Kind::Vaccine, about.words)?;
    let given = reader.date("date", about.today);
    let mut immunization = json!({
        "resourceType": "Immunization", "status": "completed", "vaccineCode": concept(&choice),
        "patient": patient, "occurrenceDateTime": given, "recorded": about.now,
        "performer": [{"actor": about.who()}],
    });
    if let Some(lot) = reader.line("lot") {
        immunization["lotNumber"] = json!(lot);
    }
    about.put_encounter(&mut immunization);
    Some(immunization)
}

fn referral(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let (choice, _) = reader.choice(Kind::Referral, about.words)?;
    let Some(purpose) = reader.line("comment") else {
        reader.faults.push(("comment", "fault-missing"));
        return None;
    };
    let text = reader.text("text");
    if text.len() > LONGEST {
        reader.faults.push(("text", "fault-long"));
    }
    let priority = if reader.text("urgent") == "yes" { "urgent" } else { "routine" };
    let mut request = json!({
        "resourceType": "ServiceRequest", "status": "active", "intent": "order", "priority": priority,
        "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "3457005", "display": "Patient referral"}]}],
        "code": {"text": about.words.say("write-referral")}, "performerType": concept(&choice), "subject": patient,
        "authoredOn": about.now, "requester": about.who(), "reasonCode": [{"text": purpose}],
    });
    if let Some(to) = reader.line("to") {
        request["performer"] = json!([{"display": to}]);
    }
    if !text.is_empty() {
        request["note"] = json!([{"text": text}]);
    }
    about.put_encounter(&mut request);
    Some(request)
}

/// What patient and clinician decided together: between what, what mattered to the patient, and what was chosen.
fn decision(about: &About<'_>, reader: &mut Reader<'_>, patient: &Value) -> Option<Value> {
    let (topic, _) = reader.choice(Kind::Problem, about.words)?;
    let (options, matters) = (reader.line("options"), reader.line("matters"));
    let Some(decided) = reader.line("decided") else {
        reader.faults.push(("decided", "fault-missing"));
        return None;
    };
    let own = |code: &str| {
        let text = about.words.say_code("decision", code).unwrap_or_default();
        json!({"coding": [{"system": OWN, "code": code}], "text": text})
    };
    let mut code = own("shared");
    code["text"] = json!(format!("{}: {}", code["text"].as_str().unwrap_or_default(), topic.name));
    let mut parts = vec![json!({"code": own("about"), "valueCodeableConcept": concept(&topic)})];
    let said = [("options", options), ("matters", matters)];
    parts.extend(
        said.iter().filter_map(|(name, text)| Some(json!({"code": own(name), "valueString": (*text)?}))),
    );
    let mut observation = json!({
        "resourceType": "Observation", "status": "final", "code": code, "subject": patient,
        "category": [coded(OBSERVATION_CATEGORY, "therapy")],
        "effectiveDateTime": about.now, "issued": about.now, "performer": [about.who(), patient],
        "valueString": decided, "component": parts,
    });
    about.put_encounter(&mut observation);
    Some(observation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn about(kind: Kind) -> About<'static> {
        About {
            kind,
            patient: "Patient/p",
            practitioner: Some("Practitioner/d"),
            name: "D",
            encounter: None,
            organization: None,
            now: "2026-11-30T09:00:00+09:00",
            today: "2026-11-30",
            words: Words { language: Language::Japanese },
        }
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_code_belongs_to_the_name_it_was_chosen_with() {
        let chosen = [("what", "高血圧症"), ("chosen", "高血圧症"), ("system", "s"), ("code", "I10")];
        let built = build(&about(Kind::Problem), &fields(&chosen)).unwrap();
        assert_eq!(built["code"]["coding"][0]["code"], "I10");
        // The name was changed after the code was chosen.
        let changed = [("what", "高血圧症の疑い"), ("chosen", "高血圧症"), ("system", "s"), ("code", "I10")];
        let built = build(&about(Kind::Problem), &fields(&changed)).unwrap();
        assert!(built["code"]["coding"].is_null(), "{built}");
        assert_eq!(built["code"]["text"], "高血圧症の疑い");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_by_its_field() {
        let faults = |kind, pairs: &[(&str, &str)]| build(&about(kind), &fields(pairs)).unwrap_err();
        assert_eq!(faults(Kind::Note, &[]), [("text", "fault-missing")]);
        assert_eq!(faults(Kind::Problem, &[]), [("what", "fault-missing")]);
        assert_eq!(
            faults(Kind::Problem, &[("what", "x"), ("date", "2199-01-01")]),
            [("date", "fault-future")]
        );
        assert_eq!(faults(Kind::Problem, &[("what", "x"), ("date", "soon")]), [("date", "fault-date")]);
        assert_eq!(faults(Kind::Medicine, &[("what", "x")]), [("usage", "fault-missing")]);
        assert_eq!(
            faults(Kind::Result, &[("what", "血圧"), ("value", "76/128")]),
            [("value", "fault-pressure")]
        );
    }

    #[test]
    fn what_was_decided_together_is_a_record_of_both() {
        let said = [
            ("what", "高血圧症"),
            ("options", "減塩、薬"),
            ("matters", "薬は少なく"),
            ("decided", "減塩を3か月"),
        ];
        let built = build(&about(Kind::Decision), &fields(&said)).unwrap();
        assert_eq!(built["valueString"], "減塩を3か月");
        assert_eq!(built["performer"][1], json!({"reference": "Patient/p"}));
        assert_eq!(built["component"][0]["valueCodeableConcept"]["coding"][0]["code"], "I10");
        assert_eq!(built["component"][2]["valueString"], "薬は少なく");
        let missing = build(&about(Kind::Decision), &fields(&[("what", "x")])).unwrap_err();
        assert_eq!(missing, [("decided", "fault-missing")]);
    }

    #[test]
    fn a_result_has_its_unit_and_a_pressure_its_parts() {
        let built = build(&about(Kind::Result), &fields(&[("what", "HbA1c"), ("value", "７．２")])).unwrap();
        assert_eq!(built["valueQuantity"]["value"].to_string(), "7.2");
        assert_eq!(built["valueQuantity"]["code"], "%");
        let built = build(&about(Kind::Result), &fields(&[("what", "血圧"), ("value", "128/76")])).unwrap();
        assert_eq!(built["component"][1]["valueQuantity"]["value"], 76);
    }
}
