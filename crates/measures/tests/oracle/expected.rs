//! Who ought to be in which population, indicator by indicator, in plain code.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::facts::*;
use crate::record::*;

/// Who ought to be where; persons, or items with the person they belong to.
#[derive(Default)]
pub(crate) struct Expected {
    /// The day it is about, and the person.
    pub(crate) initial: BTreeMap<String, (Option<i64>, String)>,
    pub(crate) denominator: BTreeSet<String>,
    pub(crate) excluded: BTreeSet<String>,
    pub(crate) numerator: BTreeSet<String>,
    pub(crate) values: BTreeMap<String, f64>,
}

impl Expected {
    fn person(&mut self, facts: &Facts<'_>, of: Outcome) {
        if of.initial {
            let id = facts.person.id.clone();
            self.item(&id, &id, None, of);
        }
    }

    fn item(&mut self, item: &str, person: &str, day: Option<i64>, of: Outcome) {
        self.initial.insert(item.to_owned(), (day, person.to_owned()));
        if of.denominator {
            self.denominator.insert(item.to_owned());
            if of.excluded {
                self.excluded.insert(item.to_owned());
            } else if of.numerator {
                self.numerator.insert(item.to_owned());
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Outcome {
    initial: bool,
    denominator: bool,
    excluded: bool,
    numerator: bool,
}

fn of(initial: bool, excluded: bool, numerator: bool) -> Outcome {
    Outcome { initial, denominator: true, excluded, numerator }
}

fn apart(from: i64, to: i64, low: i64, high: i64) -> bool {
    (low..=high).contains(&(to - from))
}

pub(crate) fn expected(id: &str, f: &Facts<'_>, e: &mut Expected) {
    match id {
        "rmi-bp-control" => {
            let controlled = f.last_pressures(false).is_some_and(|(high, low)| high < 140.0 && low < 90.0);
            e.person(f, of(f.at_least(18) && f.hypertension(), f.pregnant(), controlled));
        }
        "rmi-hba1c-tested" => {
            let tested = f.observations().iter().any(|o| f.within(o.day) && Facts::hba1c(o).is_some());
            e.person(f, of(f.at_least(18) && f.diabetes(), false, tested));
        }
        "rmi-hba1c-controlled" => {
            let all = f.observations();
            let tested: Vec<(i64, f64)> = all
                .iter()
                .filter(|o| f.within(o.day))
                .filter_map(|o| Some((o.day?, Facts::hba1c(o)?)))
                .collect();
            let newest = tested.iter().map(|t| t.0).max();
            let low = tested.iter().filter(|t| Some(t.0) == newest).any(|t| t.1 < 7.0);
            let outcome = Outcome {
                initial: f.at_least(18) && f.diabetes(),
                denominator: newest.is_some(),
                excluded: f.pregnant(),
                numerator: low,
            };
            e.person(f, outcome);
        }
        "rmi-statin-secondary-prevention" => {
            let event = f.conditions().iter().any(|c| {
                begins(c.icd10.as_deref(), &["I20", "I21", "I22", "I23", "I24", "I25", "I63"])
                    || is_one(
                        c.snomed.as_deref(),
                        &["22298006", "399211009", "53741008", "230690007", "422504002"],
                    )
            });
            let yj = &["2189010", "2189011", "2189012", "2189015", "2189016", "2189017"];
            let rx = &["316672", "312961", "314231", "198211", "259255", "617310", "617311", "617312"];
            let takes = f.takes(&["C10AA", "C10BA"], yj, rx);
            e.person(f, of(f.at_least(18) && event, f.pregnant(), takes));
        }
        "rmi-kidney-check-metformin" => {
            let atc = &["A10BA02", "A10BD07", "A10BD08", "A10BD13"];
            let takes = f.takes(atc, &["3962002"], &["860975", "860974", "861007", "6809"]);
            let checked = f.observations().iter().any(|o| {
                f.within(o.day)
                    && o.value.is_some()
                    && (is_one(o.loinc, &["2160-0", "38483-4", "62238-1", "33914-3", "98979-8"])
                        || begins(o.jlac10, &["3C015", "8A065"]))
            });
            e.person(f, of(f.at_least(18) && takes, false, checked));
        }
        "rmi-polypharmacy" => {
            let orders = f.orders();
            let in_use: Vec<_> = orders.iter().filter(|o| o.active && f.to - o.day <= 365).collect();
            let different: BTreeSet<_> = in_use.iter().filter_map(|o| o.medicine.clone()).collect();
            e.person(f, of(f.at_least(65) && !in_use.is_empty(), false, different.len() >= 6));
        }
        "rmi-antibiotics-ari" => antibiotics(f, e),
        "rmi-adverse-event-30d" => adverse(f, e),
        "rmi-checkup-followup" => followup(f, e),
        "rmi-influenza-65" => {
            let codes: Vec<&str> = "15 16 88 111 135 140 141 144 149 150 151 153 155 158 161 166 168 171 185 186 197 200 201 202 205"
                .split(' ')
                .collect();
            let given = f.person.all("Immunization").any(|i| {
                i["status"] == "completed"
                    && is_one(coded(&i["vaccineCode"], CVX), &codes)
                    && f.within(text(i, "occurrenceDateTime").and_then(day))
            });
            e.person(f, of(f.at_least(65), false, given));
        }
        "rmi-colorectal-screening" => screening(f, e),
        "rmi-patient-reported" => {
            let seen = f.encounters().iter().any(|v| f.within(Facts::started(v)));
            let told = f.observations().iter().any(|o| {
                let category = o.json["category"].as_array().and_then(|c| c.iter().find_map(|c| any_code(c)))
                    == Some("survey");
                f.within(o.day) && (category || o.by_person)
            });
            let answered = f.person.all("QuestionnaireResponse").any(|q| {
                is_one(text(q, "status"), &["completed", "amended"])
                    && f.within(text(q, "authored").and_then(day))
            });
            e.person(f, of(f.at_least(18) && seen, false, told || answered));
        }
        "rmi-hypertension-treated" => {
            let rx =
                &["316049", "316052", "310798", "197361", "866414", "833036", "897718", "314076", "979492"];
            let takes = f.takes(&["C02", "C03", "C07", "C08", "C09"], &["214", "2171022"], rx);
            e.person(f, of(f.between(30, 79) && f.hypertension(), false, takes));
        }
        "rmi-readmission-30d" => readmission(f, e),
        "rmi-admissions" => {
            e.person(f, of(f.lives(), false, false));
            if f.lives() {
                let starts = f.encounters().into_iter().filter(|v| is_stay(v) && f.within(Facts::started(v)));
                e.numerator.extend(starts.map(item));
            }
        }
        "self-care-finding-acted" => acted(f, e),
        "self-care-measured-again" | "self-care-back-in-range" => again(id, f, e),
        "self-care-home-bp-control" => {
            let last = f.last_pressures(true);
            let low = last.is_some_and(|(high, low)| high < 135.0 && low < 85.0);
            e.person(f, of(f.at_least(18) && last.is_some(), false, low));
        }
        "self-care-goal-attainment" => goals(f, e),
        "record-standard-codes" => crate::quality::standard(f, e),
        "record-timeliness" | "record-recording-delay" => crate::quality::timely(id, f, e),
        "record-duplicates" => crate::quality::duplicates(f, e),
        "record-referral-closed" => referrals(f, e),
        "record-people-seen" => {
            let first =
                f.encounters().iter().filter_map(|v| Facts::started(v)).filter(|d| f.within(Some(*d))).min();
            if f.lives() && first.is_some() {
                e.item(&f.person.id, &f.person.id, first, of(true, false, false));
            }
        }
        other => panic!("nobody has said by hand what {other} means"),
    }
}

impl Expected {
    pub(crate) fn add(&mut self, id: &str, person: &str, day: Option<i64>, excluded: bool, numerator: bool) {
        self.item(id, person, day, of(true, excluded, numerator));
    }
}

fn antibiotics(f: &Facts<'_>, e: &mut Expected) {
    let conditions = f.conditions();
    for c in &conditions {
        let infection = (begins(c.icd10.as_deref(), &["J00", "J02", "J04", "J06", "J20", "J21"])
            || is_one(c.snomed.as_deref(), &["195662009", "444814009", "10509002", "54150009"]))
            && c.icd10.as_deref() != Some("J02.0");
        if !(infection && f.within(Some(c.recorded)) && f.lives()) {
            continue;
        }
        let bacterial = conditions.iter().any(|b| {
            apart(c.recorded, b.recorded, -3, 3)
                && (begins(b.icd10.as_deref(), &["J13", "J14", "J15", "J18", "H66", "N30", "N10"])
                    || is_one(b.icd10.as_deref(), &["J02.0", "J03.0", "N39.0"])
                    || is_one(
                        b.snomed.as_deref(),
                        &[
                            "43878008",
                            "75498004",
                            "65363002",
                            "233604007",
                            "301011002",
                            "38822007",
                            "197927001",
                        ],
                    ))
        });
        let antibiotic = f.requests().iter().any(|r| {
            let concept = &r["medicationCodeableConcept"];
            let rx =
                &["562251", "308182", "308192", "789980", "834061", "834102", "309097", "308460", "197650"];
            text(r, "authoredOn").and_then(day).is_some_and(|d| apart(c.recorded, d, 0, 3))
                && (begins(coded(concept, ATC), &["J01"])
                    || begins(coded(concept, YJ), &["61", "621", "624"])
                    || is_one(coded(concept, RXNORM), rx))
        });
        e.item(&c.item, &f.person.id, Some(c.recorded), of(true, bacterial, antibiotic));
    }
}

fn adverse(f: &Facts<'_>, e: &mut Expected) {
    let mut first: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for order in f.orders() {
        let Some(medicine) = order.medicine else { continue };
        let this = (order.day, order.item);
        first.entry(medicine).and_modify(|known| *known = this.clone().min(known.clone())).or_insert(this);
    }
    let mut events: Vec<i64> = Vec::new();
    for a in f.person.all("AllergyIntolerance") {
        let refuted = a["verificationStatus"]["coding"].as_array().is_some_and(|cs| {
            cs.iter().any(|c| is_one(c["code"].as_str(), &["entered-in-error", "refuted"]))
        });
        let medicine = a["category"].as_array().is_some_and(|c| c.iter().any(|c| c == "medication"));
        if medicine && !refuted {
            events.extend(text(a, "recordedDate").and_then(day));
        }
    }
    // Conditions recorded after the period count too.
    let later = Facts { person: f.person, from: i64::MIN, to: i64::MAX, end: f.end.clone() };
    for c in later.conditions() {
        let code = c.icd10.as_deref().unwrap_or("");
        let poisoned = ("T36".."T51").contains(&code) || ("Y40".."Y60").contains(&code);
        if poisoned
            || ["T88.6", "T88.7", "L27.0", "L27.1"].contains(&code)
            || is_one(c.snomed.as_deref(), &["62014003", "281647001"])
        {
            events.push(c.recorded);
        }
    }
    for (on, id) in first.into_values() {
        if f.within(Some(on)) && f.lives() {
            let harmed = events.iter().any(|d| apart(on, *d, 0, 30));
            e.item(&id, &f.person.id, Some(on), of(true, false, harmed));
        }
    }
}

fn followup(f: &Facts<'_>, e: &mut Expected) {
    let (checkups, readings, care) = (f.checkups(), f.readings(), f.care_days());
    for visit in f.encounters() {
        let id = item(visit);
        let Some(on) = Facts::started(visit).filter(|d| f.within(Some(*d))) else { continue };
        if !checkups.contains(&id) || !f.lives() {
            continue;
        }
        let abnormal =
            readings.iter().any(|r| r.abnormal && !r.by_person && r.encounter.as_ref() == Some(&id));
        let seen = care.iter().any(|d| apart(on, *d, 1, 90));
        let outcome = Outcome { initial: true, denominator: abnormal, excluded: false, numerator: seen };
        e.item(&id, &f.person.id, Some(on), outcome);
    }
}

fn screening(f: &Facts<'_>, e: &mut Expected) {
    let cancer = f.conditions().iter().any(|c| {
        begins(c.icd10.as_deref(), &["C18", "C19", "C20"])
            || is_one(c.snomed.as_deref(), &["363406005", "109838007", "93761005", "363351006"])
    });
    let looked = f.person.all("Procedure").any(|p| {
        if !is_one(text(p, "status"), &["completed", "in-progress"]) {
            return false;
        }
        let on = text(p, "performedDateTime").or(text(p, "performedPeriod.start")).and_then(day);
        let code = coded(&p["code"], SNOMED);
        let name = text(p, "code.text").unwrap_or_default();
        let scope = is_one(code, &["73761001", "274031008", "76164006", "444783004"])
            || name.contains("大腸内視鏡")
            || name.contains("内視鏡的大腸");
        let stool = is_one(code, &["1015401000000102", "104435004"]) && f.within(on);
        stool || (scope && on.is_some_and(|d| apart(d, f.to, 0, 3652)))
    });
    let stool = f.observations().iter().any(|o| {
        f.within(o.day)
            && (is_one(o.loinc, &["57905-2", "2335-8", "29771-3", "56490-6"]) || begins(o.jlac10, &["1B040"]))
    });
    e.person(f, of(f.between(50, 75), cancer, looked || stool));
}

fn is_stay(visit: &Value) -> bool {
    is_one(text(visit, "class.code"), &["IMP", "ACUTE", "NONAC"])
}

fn readmission(f: &Facts<'_>, e: &mut Expected) {
    let stays: Vec<&Value> = f.encounters().into_iter().filter(|v| is_stay(v)).collect();
    for stay in &stays {
        let Some(left) = text(stay, "period.end").and_then(day).filter(|d| f.within(Some(*d))) else {
            continue;
        };
        if !f.lives() {
            continue;
        }
        let died = any_code(&stay["hospitalization"]["dischargeDisposition"]) == Some("exp");
        let back = stays.iter().filter_map(|s| Facts::started(s)).any(|d| apart(left, d, 1, 30));
        e.item(&item(stay), &f.person.id, Some(left), of(true, died, back));
    }
}

fn acted(f: &Facts<'_>, e: &mut Expected) {
    let Some((first, _)) = f.first_finding() else { return };
    let checkups = f.checkups();
    let own = |code: &str| -> Vec<i64> {
        let all = f.observations();
        all.iter().filter(|o| coded(&o.json["code"], OWN) == Some(code)).filter_map(|o| o.day).collect()
    };
    let mut decided = own("decision");
    for goal in f.goals().into_iter().filter(|g| Facts::goal_kind(g) != Some("reminder")) {
        decided.extend(text(goal, "startDate").and_then(day));
    }
    for plan in f.person.all("CarePlan") {
        if plan["status"].is_string() && !is_one(text(plan, "status"), &["entered-in-error", "draft"]) {
            decided.extend(text(plan, "period.start").or(text(plan, "created")).and_then(day));
        }
    }
    for request in asked(f) {
        decided.extend(text(request, "authoredOn").and_then(day));
    }
    let visits = f.encounters().into_iter().filter(|v| !checkups.contains(&item(v)));
    decided.extend(visits.filter_map(Facts::started));
    let mut done = own("done");
    for p in f.person.all("Procedure").filter(|p| is_one(text(p, "status"), &["completed", "in-progress"])) {
        if visit_of(p).is_none_or(|v| !checkups.contains(v)) {
            done.extend(text(p, "performedDateTime").or(text(p, "performedPeriod.start")).and_then(day));
        }
    }
    done.extend(f.care_days());
    let soon = |days: &[i64]| days.iter().any(|d| apart(first, *d, 0, 90));
    if f.lives() {
        e.item(&f.person.id, &f.person.id, Some(first), of(true, false, soon(&decided) && soon(&done)));
    }
}

fn again(id: &str, f: &Facts<'_>, e: &mut Expected) {
    let Some((first, kinds)) = f.first_finding().filter(|_| f.lives()) else { return };
    let readings = f.readings();
    let later: Vec<&Reading> =
        readings.iter().filter(|r| kinds.contains(r.kind) && apart(first, r.day, 1, 180)).collect();
    let outcome = if id == "self-care-measured-again" {
        of(true, false, !later.is_empty())
    } else {
        let back = kinds.iter().any(|kind| {
            let newest = later.iter().filter(|r| r.kind == *kind).map(|r| r.day).max();
            later.iter().any(|r| r.kind == *kind && Some(r.day) == newest && !r.abnormal)
        });
        Outcome { initial: true, denominator: !later.is_empty(), excluded: false, numerator: back }
    };
    e.item(&f.person.id, &f.person.id, Some(first), outcome);
}

fn goals(f: &Facts<'_>, e: &mut Expected) {
    for goal in f.goals() {
        let lifecycle = text(goal, "lifecycleStatus").unwrap_or_default();
        let (started, target) = (text(goal, "startDate").and_then(day), &goal["target"][0]);
        let due = text(target, "dueDate").and_then(day);
        let of_period = match text(target, "dueDate") {
            Some(_) => f.within(due),
            None => started.is_none_or(|d| d <= f.to),
        };
        let kind = Facts::goal_kind(goal);
        if !of_period
            || kind == Some("reminder")
            || ["proposed", "rejected"].contains(&lifecycle)
            || !f.lives()
        {
            continue;
        }
        let until = due.unwrap_or(f.to);
        let (low, high) =
            (target["detailRange"]["low"]["value"].as_f64(), target["detailRange"]["high"]["value"].as_f64());
        let measure = coded(&target["measure"], LOINC);
        let all = f.observations();
        let measured: Vec<(i64, f64)> = all
            .iter()
            .filter(|o| measure.is_some() && o.loinc == measure && (low.is_some() || high.is_some()))
            .filter_map(|o| Some((o.day?, o.value?)))
            .filter(|(d, _)| *d <= until && started.is_none_or(|s| *d >= s))
            .collect();
        let newest = measured.iter().map(|m| m.0).max();
        let within = measured
            .iter()
            .any(|(d, v)| Some(*d) == newest && low.is_none_or(|l| *v >= l) && high.is_none_or(|h| *v <= h));
        let said = is_one(any_code(&goal["achievementStatus"]), &["achieved", "sustaining"]);
        let reached = said || lifecycle == "completed" || within;
        e.item(&item(goal), &f.person.id, Some(until), of(true, lifecycle == "cancelled", reached));
    }
}

fn asked<'p>(f: &Facts<'p>) -> Vec<&'p Value> {
    let fits =
        |r: &&Value| r["status"].is_string() && !is_one(text(r, "status"), &["entered-in-error", "draft"]);
    f.person.all("ServiceRequest").filter(fits).collect()
}

fn referrals(f: &Facts<'_>, e: &mut Expected) {
    for request in asked(f) {
        let on = text(request, "authoredOn").and_then(day).filter(|d| f.within(Some(*d)));
        let referral = &["3457005", "306206005"];
        let category = request["category"].as_array().and_then(|c| c.iter().find_map(|c| coded(c, SNOMED)));
        let named = is_one(category, referral)
            || is_one(coded(&request["code"], SNOMED), &["3457005", "306206005", "306253008", "103696004"])
            || text(request, "code.text").is_some_and(|t| t.contains("紹介"));
        let ordered =
            is_one(text(request, "intent"), &["order", "original-order", "instance-order", "reflex-order"]);
        let Some(on) = on.filter(|_| named && ordered && f.lives()) else { continue };
        let id = item(request);
        let based = |r: &Value| {
            r["basedOn"]
                .as_array()
                .is_some_and(|b| b.iter().any(|b| text(b, "reference") == Some(id.as_str())))
        };
        let kept = |r: &&Value| {
            r["status"].is_string()
                && !is_one(text(r, "status"), &["entered-in-error", "cancelled"])
                && based(r)
        };
        let visits = f.person.all("Encounter").filter(kept).filter_map(|v| text(v, "period.start"));
        let reports = f.person.all("DiagnosticReport").filter(kept).filter_map(|v| text(v, "issued"));
        let answered = visits.chain(reports).filter_map(day).any(|d| apart(on, d, 0, 90));
        let closed = answered || request["status"] == "completed";
        e.item(&id, &f.person.id, Some(on), of(true, request["status"] == "revoked", closed));
    }
}
