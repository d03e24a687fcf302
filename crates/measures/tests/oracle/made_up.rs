//! A record made up by chance, with everything that is rare in the others.

use serde_json::{Value, json};

use crate::data::recorded;

/// Numbers by chance, the same for the same seed.
pub(crate) struct Chance {
    state: u64,
    /// A month and a day about which much of a person happens.
    about: (usize, usize, usize),
    /// What happens to a person most, so that some of it comes together.
    often: usize,
}

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % most.max(1)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// A day of 2024 to 2026, as a date, a month, a year or a moment.
    fn when(&mut self) -> String {
        let (mut year, mut month, mut day) = (2024 + self.below(3), 1 + self.below(12), 1 + self.below(28));
        if self.below(2) == 0 {
            (year, month, day) = self.about;
            day += self.below(4);
            month += self.below(4) / 3;
        }
        match self.below(12) {
            0 => format!("{year}"),
            1 => format!("{year}-{month:02}"),
            2 | 3 => format!("{year}-{month:02}-{day:02}"),
            _ => {
                let zone = self.pick(&["Z", "+09:00", "-05:30"]);
                format!("{year}-{month:02}-{day:02}T{:02}:{:02}:00{zone}", self.below(24), self.below(60))
            }
        }
    }

    fn moment(&mut self) -> String {
        loop {
            let when = self.when();
            if when.contains('T') {
                return when;
            }
        }
    }
}

fn maybe(chance: &mut Chance, resource: &mut Value, member: &str, value: Value) {
    if chance.below(5) > 0 {
        resource[member] = value;
    }
}

fn concept(chance: &mut Chance, codes: &[(&str, &str)], words: &[&str]) -> Value {
    let mut made = json!({});
    if chance.below(6) > 0 {
        let mut codings = Vec::new();
        for _ in 0..=chance.below(2) {
            let (system, code) = chance.pick(codes);
            codings.push(json!({"system": system, "code": code}));
        }
        made["coding"] = codings.into();
    }
    if chance.below(2) > 0 {
        made["text"] = chance.pick(words).into();
    }
    made
}

const ICD: &str = "http://hl7.org/fhir/sid/icd-10";
const SCT: &str = "http://snomed.info/sct";
const LNC: &str = "http://loinc.org";
const JLC: &str = "urn:oid:1.2.392.200119.4.504";
const WHO: &str = "http://www.whocc.no/atc";
const RXN: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
const YJC: &str = "urn:oid:1.2.392.100495.20.2.73";
const SELF: &str = "https://yojigen.example/fhir/CodeSystem/self-care";
const VACCINE: &str = "http://hl7.org/fhir/sid/cvx";

/// A record by chance, in which everything an indicator asks for happens often.
pub(crate) fn made_up(persons: usize, seed: u64) -> Vec<(i64, String)> {
    let mut chance = Chance { state: (seed << 17) ^ 0x9e37_79b9_7f4a_7c15, about: (2025, 1, 1), often: 0 };
    let mut found: Vec<Value> = Vec::new();
    for person in 0..persons {
        let me = format!("Patient/p{person:04}");
        let mut patient = json!({"resourceType": "Patient", "id": format!("p{person:04}")});
        let year = 1930 + chance.below(95);
        let birth = match chance.below(8) {
            0 => format!("{year}"),
            1 => format!("{year}-0{}", 1 + chance.below(9)),
            _ => format!("{year}-0{}-{:02}", 1 + chance.below(9), 1 + chance.below(28)),
        };
        maybe(&mut chance, &mut patient, "birthDate", birth.into());
        let sex = chance.pick(&["female", "male", "other"]);
        maybe(&mut chance, &mut patient, "gender", sex.into());
        let site = format!("Organization/o{}", chance.below(4));
        maybe(&mut chance, &mut patient, "managingOrganization", json!({"reference": site}));
        match chance.below(12) {
            0 => patient["deceasedBoolean"] = chance.pick(&[true, false]).into(),
            1 => patient["deceasedDateTime"] = chance.when().into(),
            _ => {}
        }
        if person > 0 && chance.below(10) == 0 {
            let other = format!("Patient/p{:04}", chance.below(person));
            let kind = chance.pick(&["replaced-by", "replaces", "refer", "seealso"]);
            patient["link"] = json!([{"other": {"reference": other}, "type": kind}]);
        }
        found.push(patient);
        chance.about = (2024 + chance.below(2), 1 + chance.below(11), 1 + chance.below(24));
        chance.often = chance.pick(&[2, 4, 6, 7, 14]);
        let mut visits = Vec::new();
        let most = if chance.often == 4 { 160 } else { 60 };
        for n in 0..chance.below(most) {
            let id = format!("r{person:04}-{n}");
            let resource = one(&mut chance, &id, &me, &mut visits, &found);
            found.push(resource);
            // Once in a while the same again.
            if chance.below(20) == 0
                && let Some(mut copy) = found.last().cloned()
            {
                copy["id"] = format!("{id}-again").into();
                found.push(copy);
            }
        }
    }
    found.into_iter().map(|r| (recorded(&r), r.to_string())).collect()
}

fn one(chance: &mut Chance, id: &str, me: &str, visits: &mut Vec<String>, all: &[Value]) -> Value {
    let subject = json!({"reference": me});
    let visit = visits.last().cloned();
    let at_visit = |chance: &mut Chance, resource: &mut Value| {
        if let Some(visit) = &visit {
            maybe(chance, resource, "encounter", json!({"reference": format!("Encounter/{visit}")}));
        }
    };
    let kind = if chance.below(3) == 0 { chance.often } else { chance.below(14) };
    match kind {
        0 | 1 => {
            visits.push(id.to_owned());
            let status =
                chance.pick(&["finished", "finished", "in-progress", "cancelled", "entered-in-error"]);
            let class = chance.pick(&["AMB", "AMB", "IMP", "ACUTE", "EMER"]);
            let mut made = json!({"resourceType": "Encounter", "id": id, "status": status,
                "class": {"code": class}, "subject": subject});
            let kind = concept(
                chance,
                &[(SCT, "185349003"), (SCT, "390906007")],
                &["特定健診", "外来診療", "健康診断"],
            );
            maybe(chance, &mut made, "type", json!([kind]));
            let (start, end) = (chance.when(), chance.when());
            let mut period = json!({"start": start});
            maybe(chance, &mut period, "end", end.into());
            maybe(chance, &mut made, "period", period);
            let site = format!("Organization/o{}", chance.below(4));
            maybe(chance, &mut made, "serviceProvider", json!({"reference": site}));
            if chance.below(8) == 0 {
                made["hospitalization"] =
                    json!({"dischargeDisposition": {"coding": [{"code": chance.pick(&["exp", "home"])}]}});
            }
            based_on(chance, &mut made, me, all);
            made
        }
        2 | 3 => {
            let codes = [
                (ICD, "I10"),
                (ICD, "E11.9"),
                (ICD, "I63.9"),
                (ICD, "J06.9"),
                (ICD, "J02.0"),
                (ICD, "J18.9"),
                (ICD, "T46.5"),
                (ICD, "C18.2"),
                (ICD, "O80"),
                (ICD, "L27.0"),
                (ICD, "Y50"),
                (ICD, "T51"),
                (ICD, "N39.0"),
                (SCT, "38341003"),
                (SCT, "44054006"),
                (SCT, "195662009"),
                (SCT, "65363002"),
                (SCT, "72892002"),
                (SCT, "22298006"),
                (SCT, "62014003"),
                (SCT, "363406005"),
            ];
            let code = concept(chance, &codes, &["高血圧症", "かぜ"]);
            let mut made = json!({"resourceType": "Condition", "id": id, "subject": subject, "code": code});
            let status = chance.pick(&["active", "active", "resolved", "relapse", "inactive"]);
            maybe(chance, &mut made, "clinicalStatus", json!({"coding": [{"code": status}]}));
            let sure = chance.pick(&["confirmed", "confirmed", "provisional", "refuted", "entered-in-error"]);
            maybe(chance, &mut made, "verificationStatus", json!({"coding": [{"code": sure}]}));
            for name in ["onsetDateTime", "recordedDate"] {
                let when = chance.when();
                maybe(chance, &mut made, name, when.into());
            }
            if chance.below(4) == 0 {
                made["abatementDateTime"] = chance.when().into();
            }
            at_visit(chance, &mut made);
            made
        }
        4 | 5 => {
            let codes = [
                (WHO, "C10AA07"),
                (WHO, "A10BA02"),
                (WHO, "C08CA01"),
                (WHO, "J01CA04"),
                (WHO, "N02BE01"),
                (WHO, "R05CB03"),
                (WHO, "A02BX14"),
                (RXN, "316672"),
                (RXN, "860975"),
                (RXN, "308182"),
                (RXN, "197361"),
                (YJC, "2189017F1022"),
                (YJC, "3962002F2027"),
                (YJC, "6131001M1"),
                (YJC, "2149042F1"),
                (YJC, "2171022F1"),
            ];
            let code = concept(chance, &codes, &["アムロジピン錠5mg", "アモキシシリンカプセル250mg"]);
            let status =
                chance.pick(&["active", "active", "active", "completed", "stopped", "cancelled", "draft"]);
            let intent = chance.pick(&["order", "order", "order", "plan", "instance-order"]);
            let mut made = json!({"resourceType": "MedicationRequest", "id": id, "status": status, "intent": intent,
                "medicationCodeableConcept": code, "subject": subject});
            let when = chance.when();
            maybe(chance, &mut made, "authoredOn", when.into());
            at_visit(chance, &mut made);
            made
        }
        6 => {
            let status = chance.pick(&["final", "final", "amended", "preliminary"]);
            let mut made = json!({"resourceType": "Observation", "id": id, "status": status, "subject": subject,
                "code": {"coding": [{"system": LNC, "code": "85354-9"}]}});
            let mut parts = Vec::new();
            for (code, low) in [("8480-6", 125), ("8462-4", 75)] {
                if chance.below(12) > 0 {
                    let mut part = json!({"code": {"coding": [{"system": LNC, "code": code}]}});
                    let value = json!({"value": low + chance.below(25), "code": "mm[Hg]"});
                    maybe(chance, &mut part, "valueQuantity", value);
                    parts.push(part);
                }
            }
            made["component"] = parts.into();
            finding(chance, &mut made, me);
            at_visit(chance, &mut made);
            made
        }
        7 | 8 => {
            let codes = [
                (LNC, "4548-4"),
                (JLC, "3D046000001906202"),
                (LNC, "1558-6"),
                (LNC, "41653-7"),
                (LNC, "18262-6"),
                (LNC, "2571-8"),
                (LNC, "2160-0"),
                (LNC, "57905-2"),
                (SELF, "decision"),
                (SELF, "done"),
                (LNC, "72514-3"),
                (JLC, "3F077000002327101"),
                (SCT, "271649006"),
            ];
            let code = concept(chance, &codes, &["HbA1c", "血糖"]);
            let status = chance.pick(&["final", "final", "corrected", "preliminary"]);
            let mut made = json!({"resourceType": "Observation", "id": id, "status": status, "subject": subject, "code": code});
            let category = chance.pick(&["laboratory", "survey", "vital-signs"]);
            maybe(chance, &mut made, "category", json!([{"coding": [{"code": category}]}]));
            match chance.below(8) {
                0 => made["valueString"] = chance.pick(&["あり", "なし"]).into(),
                1 => {
                    made["valueCodeableConcept"] =
                        json!({"coding": [{"code": chance.pick(&["watch", "otc"])}], "text": "様子を見る"})
                }
                2 => {}
                3 | 4 => {
                    made["valueQuantity"] =
                        json!({"value": 6.0 + chance.below(20) as f64 / 10.0, "code": "%"})
                }
                _ => made["valueQuantity"] = json!({"value": 110 + chance.below(10) * 22, "code": "mg/dL"}),
            }
            finding(chance, &mut made, me);
            at_visit(chance, &mut made);
            made
        }
        9 => {
            let code = concept(
                chance,
                &[(SCT, "73761001"), (SCT, "1015401000000102"), (SCT, "104435004"), (SCT, "428191000124101")],
                &["大腸内視鏡検査", "内視鏡的大腸ポリープ切除術", "水晶体再建術"],
            );
            let status = chance.pick(&["completed", "completed", "in-progress", "not-done"]);
            let mut made = json!({"resourceType": "Procedure", "id": id, "status": status, "subject": subject, "code": code});
            if chance.below(2) == 0 {
                made["performedDateTime"] = chance.when().into();
            } else {
                made["performedPeriod"] = json!({"start": chance.when()});
            }
            at_visit(chance, &mut made);
            made
        }
        10 => {
            let code =
                concept(chance, &[(VACCINE, "141"), (VACCINE, "140"), (VACCINE, "33")], &["インフルエンザ"]);
            let status = chance.pick(&["completed", "completed", "not-done"]);
            let mut made = json!({"resourceType": "Immunization", "id": id, "status": status, "patient": subject,
                "vaccineCode": code, "occurrenceDateTime": chance.when()});
            let recorded = chance.when();
            maybe(chance, &mut made, "recorded", recorded.into());
            at_visit(chance, &mut made);
            made
        }
        11 => {
            let kind = chance.pick(&["medication", "food", "environment"]);
            let code = concept(chance, &[(SCT, "91936005"), (RXN, "7980")], &["ペニシリン"]);
            let mut made = json!({"resourceType": "AllergyIntolerance", "id": id, "patient": subject,
                "category": [kind], "code": code});
            let sure = chance.pick(&["confirmed", "refuted", "unconfirmed"]);
            maybe(chance, &mut made, "verificationStatus", json!({"coding": [{"code": sure}]}));
            let recorded = chance.when();
            maybe(chance, &mut made, "recordedDate", recorded.into());
            made
        }
        12 => {
            let status = chance.pick(&[
                "active",
                "completed",
                "cancelled",
                "proposed",
                "entered-in-error",
                "accepted",
            ]);
            let mut made = json!({"resourceType": "Goal", "id": id, "lifecycleStatus": status, "subject": subject,
                "description": {"text": "目標"}});
            let reached = chance.pick(&["achieved", "in-progress", "sustaining"]);
            if chance.below(3) == 0 {
                made["achievementStatus"] = json!({"coding": [{"code": reached}]});
            }
            let kind = chance.pick(&["self-care", "reminder"]);
            maybe(chance, &mut made, "category", json!([{"coding": [{"system": SELF, "code": kind}]}]));
            let date = |chance: &mut Chance| chance.moment()[..10].to_owned();
            let (start, due) = (date(chance), date(chance));
            maybe(chance, &mut made, "startDate", start.into());
            let code = chance.pick(&["4548-4", "18262-6", "1558-6"]);
            let mut target = json!({"measure": {"coding": [{"system": LNC, "code": code}]}});
            let mut range = json!({});
            maybe(chance, &mut range, "low", json!({"value": chance_value(code, 0)}));
            maybe(chance, &mut range, "high", json!({"value": chance_value(code, 1)}));
            target["detailRange"] = range;
            maybe(chance, &mut target, "dueDate", due.into());
            maybe(chance, &mut made, "target", json!([target]));
            made
        }
        _ => match chance.below(4) {
            0 => {
                let status = chance.pick(&["active", "completed", "revoked", "draft"]);
                let code = concept(
                    chance,
                    &[(SCT, "3457005"), (SCT, "306253008"), (SCT, "26604007")],
                    &["紹介", "血液検査"],
                );
                let mut made = json!({"resourceType": "ServiceRequest", "id": id, "status": status,
                    "intent": chance.pick(&["order", "order", "plan"]), "subject": subject, "code": code});
                let when = chance.when();
                maybe(chance, &mut made, "authoredOn", when.into());
                made
            }
            1 => {
                let mut made = json!({"resourceType": "DiagnosticReport", "id": id,
                    "status": chance.pick(&["final", "cancelled"]), "subject": subject,
                    "code": {"text": "返書"}, "issued": chance.moment()});
                based_on(chance, &mut made, me, all);
                made
            }
            2 => json!({"resourceType": "QuestionnaireResponse", "id": id,
                "status": chance.pick(&["completed", "in-progress", "amended"]), "subject": subject,
                "authored": chance.when()}),
            _ => json!({"resourceType": "CarePlan", "id": id, "status": chance.pick(&["active", "draft"]),
                "intent": "plan", "subject": subject, "created": chance.when()}),
        },
    }
}

fn chance_value(code: &str, high: usize) -> f64 {
    match code {
        "4548-4" => [5.0, 6.8][high],
        _ => [90.0, 170.0][high],
    }
}

fn finding(chance: &mut Chance, made: &mut Value, me: &str) {
    match chance.below(6) {
        0 => made["effectivePeriod"] = json!({"start": chance.when(), "end": chance.when()}),
        1 => {}
        _ => made["effectiveDateTime"] = chance.when().into(),
    }
    let issued = chance.moment();
    maybe(chance, made, "issued", issued.into());
    if chance.below(3) == 0 {
        made["performer"] = json!([{"reference": "Organization/o1"}, {"reference": me}]);
    }
}

fn based_on(chance: &mut Chance, made: &mut Value, me: &str, all: &[Value]) {
    let requests: Vec<String> = all
        .iter()
        .rev()
        .take(60)
        .filter(|r| r["resourceType"] == "ServiceRequest" && r["subject"]["reference"] == me)
        .map(|r| format!("ServiceRequest/{}", r["id"].as_str().unwrap()))
        .collect();
    if !requests.is_empty() {
        made["basedOn"] = json!([{"reference": chance.pick(&requests)}]);
    }
}
