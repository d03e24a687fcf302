//! Facts as they stand in resources: JP Core and plain R4, the synthetic community, Synthea's persons.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot go on has failed

use std::collections::BTreeSet;
use std::time::Instant;

use fhir::{Limits, Resource};
use safety::{Area, Facts, Gap, Kind, Language, Medication, Report, Rules, Severity, State};
use serde_json::{Value, json};

const TODAY: &str = "2026-11-30";

fn resource(json: &Value) -> Resource {
    fhir::json::parse(json.to_string().as_bytes(), &Limits::default())
        .unwrap_or_else(|e| panic!("{e:?}: {json}"))
}

fn facts(resources: &[Value]) -> Facts {
    let mut facts = Facts::on(TODAY);
    for json in resources {
        facts.add(&Rules::shipped().medicines, resource(json).root());
    }
    facts
}

fn order(facts: &Facts, json: &Value) -> Medication {
    facts.order(&Rules::shipped().medicines, resource(json).root()).unwrap()
}

fn named(name: &str, usage: &str) -> Medication {
    Medication::named(&Rules::shipped().medicines, name, usage)
}

fn rules(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|f| f.rule.as_str()).collect()
}

fn person(gender: &str, birth: &str) -> Value {
    json!({"resourceType": "Patient", "id": "p", "gender": gender, "birthDate": birth})
}

fn request(id: &str, status: &str, medication: Value) -> Value {
    let mut request = json!({
        "resourceType": "MedicationRequest", "id": id, "status": status, "intent": "order",
        "subject": {"reference": "Patient/p"}, "authoredOn": "2026-11-20",
    });
    for (name, value) in medication.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

fn coded(system: &str, code: &str, text: &str) -> Value {
    json!({"medicationCodeableConcept": {"coding": [{"system": system, "code": code}], "text": text}})
}

fn observation(loinc: &str, value: f64, unit: &str, day: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final", "effectiveDateTime": day,
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
    })
}

const YJ: &str = "urn:oid:1.2.392.100495.20.1.73";

#[test]
fn a_medicine_is_known_by_any_of_its_codes_and_names() {
    let medicines = &Rules::shipped().medicines;
    let of = |system: &str, code: &str, text: &str| {
        let codings = [(system.to_owned(), code.to_owned())];
        let found = medicines.ingredients(&codings, &[text.to_owned()]);
        found.into_iter().map(|i| i.name.en).collect::<Vec<_>>()
    };
    assert_eq!(of(YJ, "1149019F1560", ""), ["loxoprofen"]);
    assert_eq!(
        of("http://capstandard.jp/iyaku.info/CodeSystem/YJ-code", "1141007F3023", ""),
        ["acetaminophen"]
    );
    assert_eq!(of("http://www.whocc.no/atc", "C08CA01", ""), ["amlodipine"]);
    assert_eq!(of("http://www.nlm.nih.gov/research/umls/rxnorm", "11289", ""), ["warfarin"]);
    assert_eq!(
        of("http://www.nlm.nih.gov/research/umls/rxnorm", "316672", "Simvistatin 10 MG"),
        ["simvastatin"]
    );
    assert_eq!(of("", "", "カロナール錠５００"), ["acetaminophen"]);
    assert_eq!(of("", "", "インスリン　グラルギン注100単位/mL"), ["insulin glargine"]);
    assert_eq!(of("", "", "ヘパリン類似物質クリーム0.3%"), ["heparinoid"]);
    assert_eq!(of("", "", "レボセチリジン塩酸塩錠5mg"), ["levocetirizine"]);
    assert_eq!(of("", "", "アトルバスタチンカルシウム水和物錠10mg"), ["atorvastatin"]);
    assert_eq!(
        of("", "", "Acetaminophen 325 MG / oxyCODONE Hydrochloride 5 MG Oral Tablet"),
        ["acetaminophen", "oxycodone"]
    );
    assert_eq!(of("", "", "ミカムロ配合錠AP"), ["amlodipine", "telmisartan"]);
    assert_eq!(of("", "", "トラムセット配合錠"), ["acetaminophen", "tramadol"]);
    // Only the group is known: rules about groups still speak.
    assert_eq!(of("http://www.whocc.no/atc", "M01AE99", "新しい鎮痛薬"), ["NSAIDs"]);
    assert!(of("http://example.org/own", "1149019F1560", "院内薬A").is_empty());
    assert!(of("", "", "environmental").is_empty(), "no name within a word");
}

#[test]
fn the_synthetic_community_is_prescribed_nothing_that_is_not_known() {
    let mut names = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    let settings = population::Settings { persons: 120, seed: 7 };
    population::generate(&settings, &mut |item| {
        if item.json.starts_with("{\"resourceType\":\"MedicationRequest\"") {
            let resource = fhir::json::parse(item.json.as_bytes(), &Limits::default()).unwrap();
            let order = Facts::on(TODAY).order(&Rules::shipped().medicines, resource.root()).unwrap();
            if order.ingredients.is_empty() {
                unknown.insert(order.written.clone());
            }
            names.insert(order.written);
        }
        true
    });
    assert!(names.len() > 12, "{names:?}");
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_medicine_of_synthea_s_persons_is_known_by_its_code_alone() {
    let Some(folder) = shared::folder("every_medicine_of_synthea_s_persons_is_known_by_its_code_alone")
    else {
        return;
    };
    let file = std::fs::File::open(folder.join("data/synthea-r4-112-patients.tar.zst")).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let (mut codes, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for entry in archive.entries().unwrap() {
        let Ok(bundle) = serde_json::from_reader::<_, Value>(std::io::BufReader::new(entry.unwrap())) else {
            continue;
        };
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            for coding in
                entry["resource"]["medicationCodeableConcept"]["coding"].as_array().into_iter().flatten()
            {
                let text = |name: &str| coding[name].as_str().unwrap_or_default().to_owned();
                codes.insert((text("system"), text("code")));
            }
        }
    }
    for (system, code) in &codes {
        let found = Rules::shipped().medicines.ingredients(&[(system.clone(), code.clone())], &[]);
        if found.is_empty() {
            unknown.insert(code);
        }
    }
    assert!(codes.len() > 80, "{}", codes.len());
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn allergies_count_while_they_are_active_and_weigh_more_after_a_severe_reaction() {
    let allergy = |clinical: &str, verification: &str, criticality: &str| {
        json!({
            "resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "Patient/p"},
            "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": clinical}]},
            "verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "code": verification}]},
            "criticality": criticality, "code": {"text": "ペニシリン系抗菌薬"},
        })
    };
    let check = |allergy: Value, name: &str| Rules::shipped().check(&facts(&[allergy]), &named(name, ""));
    let severity = |report: &Report| report.findings.first().map(|f| f.severity);
    let cefalexin_like = "セフジトレン ピボキシル錠100mg";
    assert_eq!(
        severity(&check(allergy("active", "confirmed", "low"), cefalexin_like)),
        Some(Severity::Caution)
    );
    assert_eq!(
        severity(&check(allergy("active", "confirmed", "high"), cefalexin_like)),
        Some(Severity::Serious)
    );
    assert_eq!(
        severity(&check(allergy("active", "confirmed", "low"), "アモキシシリンカプセル250mg")),
        Some(Severity::Serious)
    );
    for gone in [allergy("resolved", "confirmed", "high"), allergy("active", "refuted", "high")] {
        let report = check(gone, "アモキシシリンカプセル250mg");
        assert!(report.findings.is_empty());
        assert_eq!(report.check(Kind::Allergy).unwrap().gaps, [Gap::NoAllergyRecorded]);
    }
    // As JP-CLINS codes an allergy to a medicine.
    let jfagy = json!({
        "resourceType": "AllergyIntolerance", "category": ["medication"], "patient": {"reference": "Patient/p"},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]},
        "code": {"coding": [{"system": "http://jpfhir.jp/fhir/core/CodeSystem/GCM/JP_JfagyMedicationAllergen_CS", "code": "GCM2260701F1ZZZ"}]},
    });
    assert_eq!(rules(&check(jfagy, "ポビドンヨード含嗽用液7%")), ["allergy-ingredient"]);
    // Nobody knows what this is, and it may be a medicine.
    let odd = json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p"}, "code": {"text": "ナントカ"}});
    let report = check(odd, "アムロジピン錠5mg");
    let allergy = report.check(Kind::Allergy).unwrap();
    assert_eq!(
        (allergy.state, allergy.gaps.as_slice()),
        (State::NothingFound, [Gap::AllergyNotRecognised("ナントカ".into())].as_slice())
    );
}

#[test]
fn what_is_taken_is_active_or_lasts_and_is_not_the_order_itself() {
    let warfarin = || coded(YJ, "3332001F1024", "ワルファリンカリウム錠1mg");
    let supply = |days: u32| json!({"dispenseRequest": {"expectedSupplyDuration": {"value": days, "unit": "日", "system": "http://unitsofmeasure.org", "code": "d"}}});
    let with = |mut request: Value, more: Value| {
        more.as_object().unwrap().iter().for_each(|(n, v)| request[n] = v.clone());
        request
    };
    let loxoprofen = named("ロキソプロフェン錠60mg", "");
    let speaks = |taken: Value| {
        let report = Rules::shipped().check(&facts(&[taken]), &loxoprofen);
        rules(&report).contains(&"warfarin-nsaids")
    };
    assert!(speaks(request("m", "active", warfarin())));
    assert!(speaks(with(request("m", "completed", warfarin()), supply(14))), "what was issued lasts");
    assert!(!speaks(with(request("m", "completed", warfarin()), supply(1))));
    assert!(!speaks(request("m", "completed", warfarin())) && !speaks(request("m", "stopped", warfarin())));
    assert!(!speaks(with(request("m", "active", warfarin()), json!({"intent": "proposal"}))));
    let statement = json!({
        "resourceType": "MedicationStatement", "status": "active", "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": {"text": "ワーファリン"},
    });
    assert!(speaks(statement));
    // By reference, whichever comes first.
    let by_reference = request("m", "active", json!({"medicationReference": {"reference": "Medication/w"}}));
    let medication = json!({"resourceType": "Medication", "id": "w", "code": {"text": "ワルファリン錠1mg"}});
    for resources in [[by_reference.clone(), medication.clone()], [medication, by_reference]] {
        let report = Rules::shipped().check(&facts(&resources), &loxoprofen);
        assert!(rules(&report).contains(&"warfarin-nsaids"));
    }
    // An order that goes on from another does not double it.
    let known = facts(&[request("old", "active", warfarin())]);
    let renewal = order(
        &known,
        &with(
            request("new", "draft", warfarin()),
            json!({"priorPrescription": {"reference": "MedicationRequest/old"}}),
        ),
    );
    assert!(Rules::shipped().check(&known, &renewal).findings.is_empty());
    let again = order(&known, &request("new", "draft", warfarin()));
    assert_eq!(rules(&Rules::shipped().check(&known, &again)), ["duplicate-ingredient"]);
}

#[test]
fn kidneys_are_as_recorded_or_as_creatinine_says_and_not_of_long_ago() {
    let man = person("male", "1946-01-01");
    let metformin = named("メトホルミン塩酸塩錠500mg", "1回1錠 1日2回");
    let check = |observations: &[Value]| {
        let all = [std::slice::from_ref(&man), observations].concat();
        Rules::shipped().check(&facts(&all), &metformin)
    };
    let report = check(&[observation("33914-3", 28.0, "mL/min/{1.73_m2}", "2026-10-01")]);
    assert_eq!(
        (rules(&report), report.findings[0].severity),
        (vec!["renal-metformin"], Severity::Contraindicated)
    );
    let said = Language::Japanese.say_finding(&report.findings[0]);
    assert!(said.summary.contains("eGFRが28です（2026-10-01）"), "{}", said.summary);
    // 80 years, 2.5 mg/dL: 20 by the Japanese formula. In micromoles the same.
    for observation in [
        observation("2160-0", 2.5, "mg/dL", "2026-11-01"),
        observation("14682-9", 221.0, "umol/L", "2026-11-01"),
    ] {
        let known = facts(&[man.clone(), observation.clone()]);
        let egfr = known.kidneys().unwrap().egfr.unwrap();
        assert!((19.0..21.5).contains(&egfr), "{egfr}");
        assert_eq!(rules(&check(&[observation])), ["renal-metformin"]);
    }
    // As Japanese laboratories code it; urine is not blood.
    let jlac10 = |code: &str| {
        json!({
            "resourceType": "Observation", "status": "final", "effectiveDateTime": "2026-11-01",
            "code": {"coding": [{"system": "urn:oid:1.2.392.200119.4.504", "code": code}]},
            "valueQuantity": {"value": 2.5, "unit": "mg/dL"},
        })
    };
    assert_eq!(rules(&check(&[jlac10("3C015000002327101")])), ["renal-metformin"]);
    for unusable in [
        jlac10("3C015000000127101"),
        observation("33914-3", 28.0, "mL/min", "2025-10-01"),
        observation("2160-0", 2.5, "mg", "2026-11-01"),
    ] {
        let report = check(&[unusable]);
        let renal = report.check(Kind::Renal).unwrap();
        assert_eq!(
            (renal.state, renal.gaps.as_slice()),
            (State::NotChecked, [Gap::NoKidneyFunction].as_slice())
        );
    }
    // What is within what the kidneys allow is not spoken of.
    let mild = observation("33914-3", 50.0, "mL/min", "2026-10-01");
    assert!(check(std::slice::from_ref(&mild)).findings.is_empty(), "1,000 mg a day are not too much");
    let more = named("メトホルミン塩酸塩錠500mg", "1回2錠 1日2回");
    let report = Rules::shipped().check(&facts(&[man.clone(), mild]), &more);
    assert_eq!((rules(&report), report.findings[0].severity), (vec!["renal-metformin"], Severity::Caution));
}

#[test]
fn a_pregnancy_is_recorded_not_supposed() {
    let woman = person("female", "1996-01-01");
    let pregnant = json!({
        "resourceType": "Observation", "status": "final", "effectiveDateTime": "2026-11-01",
        "code": {"coding": [{"system": "http://loinc.org", "code": "82810-3"}]},
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "77386006"}]},
    });
    let condition = json!({
        "resourceType": "Condition", "subject": {"reference": "Patient/p"}, "recordedDate": "2026-10-01",
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "code": {"text": "妊娠12週"},
    });
    let due = json!({
        "resourceType": "Observation", "status": "final", "effectiveDateTime": "2026-11-01",
        "code": {"coding": [{"system": "http://loinc.org", "code": "11778-8"}]}, "valueDateTime": "2027-01-04",
    });
    let check = |resources: &[Value], name: &str| Rules::shipped().check(&facts(resources), &named(name, ""));
    for says in [pregnant.clone(), condition] {
        assert_eq!(rules(&check(&[woman.clone(), says], "ワルファリン錠1mg")), ["pregnancy-warfarin"]);
    }
    // 35 weeks on this day.
    let report = check(&[woman.clone(), pregnant.clone(), due], "ロキソプロフェン錠60mg");
    assert_eq!(
        (rules(&report), report.findings[0].severity),
        (vec!["pregnancy-nsaids-late"], Severity::Contraindicated)
    );
    let report = check(&[woman.clone(), pregnant], "ロキソプロフェン錠60mg");
    assert_eq!(report.findings[0].severity, Severity::Caution, "the week is not known");
    let report = check(&[woman], "ワルファリン錠1mg");
    assert_eq!(report.check(Kind::Pregnancy).unwrap().state, State::NotChecked);
    let report = check(&[person("male", "1996-01-01")], "ワルファリン錠1mg");
    assert_eq!(report.check(Kind::Pregnancy).unwrap().state, State::NotApplicable);
}

#[test]
fn doses_are_read_as_jp_core_and_as_texts_have_them() {
    let known = facts(&[person("male", "1966-01-01")]);
    let tablet = |value: f64| json!({"value": value, "unit": "錠", "system": "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationUnitMERIT9Code", "code": "TAB"});
    let day = json!({"value": 1, "unit": "日", "system": "http://unitsofmeasure.org", "code": "d"});
    let rated = |per_day: f64, once: f64| json!([{"text": "毎食後", "doseAndRate": [{"doseQuantity": tablet(once), "rateRatio": {"numerator": tablet(per_day), "denominator": day}}]}]);
    let written = |text: &str| json!([{"text": text}]);
    let timed = |dose: Value, often: u32| json!([{"timing": {"repeat": {"frequency": often, "period": 1, "periodUnit": "d"}}, "doseAndRate": [{"doseQuantity": dose}]}]);
    let milligrams = |value: f64| json!({"value": value, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"});
    let ordered = |lines: &Value| {
        let mut request =
            request("d", "draft", json!({"medicationCodeableConcept": {"text": "カロナール錠５００mg"}}));
        request["dosageInstruction"] = lines.clone();
        Rules::shipped().check(&known, &order(&known, &request))
    };
    for fine in
        [rated(3.0, 1.0), written("1回1錠 1日3回 毎食後"), timed(milligrams(500.0), 4), timed(tablet(2.0), 4)]
    {
        let report = ordered(&fine);
        assert_eq!(report.check(Kind::Dose).unwrap().state, State::NothingFound, "{fine}: {report:?}");
    }
    for much in
        [rated(9.0, 2.0), written("１回３錠　１日３回"), timed(milligrams(1500.0), 2), timed(tablet(2.0), 5)]
    {
        assert_eq!(rules(&ordered(&much)), ["dose-acetaminophen"], "{much}");
    }
    for unreadable in [written("医師の指示どおり"), timed(json!({"value": 2}), 3)] {
        let report = ordered(&unreadable);
        let dose = report.check(Kind::Dose).unwrap();
        assert_eq!(dose.state, State::NotChecked, "{unreadable}");
        assert!(matches!(dose.gaps.as_slice(), [Gap::DoseNotReadable(_)]), "{:?}", dose.gaps);
    }
    // Once a week is not every day.
    let check = |name: &str, usage: &str| Rules::shipped().check(&known, &named(name, usage));
    assert!(check("メトトレキサート錠2mg", "1回4錠 週1回").findings.is_empty());
    assert_eq!(rules(&check("メトトレキサート錠2mg", "1回4錠 1日1回")), ["dose-methotrexate"]);
    let child = facts(&[person("female", "2018-01-01")]);
    let report = Rules::shipped().check(&child, &named("コデインリン酸塩錠20mg", "1回1錠 1日3回"));
    assert_eq!(rules(&report), ["dose-codeine-age"]);
}

#[test]
fn prescriptions_and_results_of_jp_clins_are_read() {
    let Some(folder) = shared::folder("prescriptions_and_results_of_jp_clins_are_read") else { return };
    let read = |name: &str| {
        let path = folder.join("data/jp-clins-examples").join(format!("{name}.json"));
        serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap()
    };
    let mut adult =
        facts(&[person("male", "1966-01-01"), read("Observation-Example-JP-Obs-LabResult-eCS-eGFR")]);
    assert_eq!(adult.kidneys(), None, "it is of 2021");
    adult.add(
        &Rules::shipped().medicines,
        resource(&read("AllergyIntolerance-Example-JP-AllergyIntolerance-eCS-03")).root(),
    );
    let report = Rules::shipped().check(&adult, &named("イオパミドール300注", ""));
    assert_eq!(rules(&report), ["allergy-iodinated-contrast"]);
    // Four times a day one tablet of 500 mg, and as its own daily amount says.
    let four = read("MedicationRequest-Example-JP-MedReq-PO-4timez-7days");
    let report = Rules::shipped().check(&adult, &order(&adult, &four));
    assert_eq!(report.check(Kind::Dose).unwrap().state, State::NothingFound, "{report:?}");
    let mut many = four.clone();
    many["dosageInstruction"][0]["doseAndRate"][0]["rateRatio"]["numerator"]["value"] = json!(10);
    assert_eq!(rules(&Rules::shipped().check(&adult, &order(&adult, &many))), ["dose-acetaminophen"]);
    // What was issued is taken while it lasts.
    let mut then = Facts::on("2021-07-15");
    then.add(&Rules::shipped().medicines, resource(&four).root());
    let report = Rules::shipped().check(&then, &named("アセトアミノフェン錠200mg", ""));
    assert_eq!(rules(&report), ["duplicate-ingredient"]);
    for name in [
        "PO-BID-2d",
        "PO-SID-28days",
        "PO-TID-2days",
        "PO-AsNeeded-LimitMax",
        "ExtSkin-Total2",
        "PO-Fumin-AsNeeded-4",
    ] {
        let found = order(&adult, &read(&format!("MedicationRequest-Example-JP-MedReq-{name}")));
        assert!(!found.ingredients.is_empty(), "{name}: {}", found.written);
    }
}

#[test]
fn what_nobody_knows_or_saw_is_not_checked() {
    let nothing = Facts::on(TODAY);
    let report = Rules::shipped().check(&nothing, &named("ナントカ錠10mg", "1回1錠 1日1回"));
    assert!(report.findings.is_empty() && report.coverage.len() == 6);
    for check in &report.coverage {
        assert_eq!(check.gaps, [Gap::OrderNotRecognised("ナントカ錠10mg".into())]);
        assert_eq!(check.state, State::NotChecked);
    }
    let report = Rules::shipped().check(&nothing, &named("ワルファリン錠1mg", ""));
    let gap = |kind: Kind| report.check(kind).unwrap().gaps.clone();
    assert_eq!(gap(Kind::Allergy), [Gap::AllergiesNotSeen]);
    assert_eq!(gap(Kind::Interaction), [Gap::MedicinesNotSeen]);
    assert_eq!(report.coverage.iter().filter(|c| c.state == State::NotChecked).count(), 6);
    let mut seen = Facts::on(TODAY);
    seen.looked_at(Area::Medications);
    seen.take(named("院内製剤A", ""));
    let report = Rules::shipped().check(&seen, &named("ワルファリン錠1mg", ""));
    let check = report.check(Kind::Interaction).unwrap();
    assert_eq!(
        (check.state, check.gaps.as_slice()),
        (State::NothingFound, [Gap::MedicineNotRecognised("院内製剤A".into())].as_slice())
    );
    for language in [Language::Japanese, Language::English] {
        for check in &report.coverage {
            assert!(check.gaps.iter().all(|gap| !language.say_gap(gap).starts_with("gap-")));
        }
    }
}

#[test]
fn three_hundred_medicines_are_looked_at_within_a_millisecond() {
    let names = [
        "アムロジピン錠5mg",
        "ワルファリン錠1mg",
        "酸化マグネシウム錠330mg",
        "エソメプラゾールカプセル20mg",
        "院内製剤A",
        "ゾルピデム錠5mg",
    ];
    let mut facts = Facts::on(TODAY);
    facts.looked_at(Area::Medications);
    facts.looked_at(Area::Allergies);
    (0..300).for_each(|at| facts.take(named(names[at % names.len()], "1回1錠 1日1回")));
    let order = named("ロキソプロフェン錠60mg", "1回1錠 1日3回");
    let fastest = (0..50).map(|_| {
        let began = Instant::now();
        assert!(Rules::shipped().check(&facts, &order).findings.len() >= 50);
        began.elapsed()
    });
    let fastest = fastest.min().unwrap();
    assert!(fastest.as_micros() < 1000, "{fastest:?}");
}

#[test]
fn no_text_makes_a_check_fail() {
    let odd = [
        "",
        " ",
        "mg",
        "1回",
        "1日回",
        "\u{0}",
        "%%%",
        "１回１００００００００００００００００錠",
        "ワルファリン\u{301}",
        "1回9e999mg",
        "…ア",
    ];
    for name in odd {
        for usage in odd {
            let _ = Rules::shipped().check(&Facts::on(name), &named(name, usage));
        }
    }
}
