//! What the record says of one person, read by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::record::*;

pub(crate) struct Condition {
    pub(crate) item: String,
    pub(crate) icd10: Option<String>,
    pub(crate) snomed: Option<String>,
    pub(crate) recorded: i64,
    pub(crate) in_period: bool,
}

pub(crate) struct Order {
    pub(crate) item: String,
    pub(crate) active: bool,
    pub(crate) atc: Option<String>,
    pub(crate) rxnorm: Option<String>,
    pub(crate) yj: Option<String>,
    pub(crate) medicine: Option<String>,
    pub(crate) day: i64,
}

pub(crate) struct Observation<'p> {
    pub(crate) item: String,
    pub(crate) json: &'p Value,
    pub(crate) loinc: Option<&'p str>,
    pub(crate) jlac10: Option<&'p str>,
    pub(crate) day: Option<i64>,
    pub(crate) value: Option<f64>,
    pub(crate) unit: Option<&'p str>,
    pub(crate) by_person: bool,
    pub(crate) encounter: Option<&'p str>,
    pub(crate) pressures: Option<(f64, f64)>,
    pub(crate) is_pressure: bool,
}

pub(crate) struct Reading {
    pub(crate) day: i64,
    pub(crate) kind: &'static str,
    pub(crate) abnormal: bool,
    pub(crate) by_person: bool,
    pub(crate) encounter: Option<String>,
}

pub(crate) struct Facts<'p> {
    pub(crate) person: &'p Person,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) end: String,
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

pub(crate) fn visit_of(resource: &Value) -> Option<&str> {
    text(resource, "encounter.reference").filter(|r| r.starts_with("Encounter/"))
}

impl<'p> Facts<'p> {
    pub(crate) fn within(&self, day: Option<i64>) -> bool {
        day.is_some_and(|d| self.from <= d && d <= self.to)
    }

    pub(crate) fn age(&self) -> Option<i64> {
        let birth = self.person.patient.as_ref()?["birthDate"].as_str()?;
        let mut birth = birth.to_owned();
        while birth.len() < 10 {
            birth.push_str("-01");
        }
        let years = self.end[..4].parse::<i64>().unwrap() - birth[..4].parse::<i64>().unwrap();
        Some(if self.end[5..10] < birth[5..10] { years - 1 } else { years })
    }

    /// Whether the person lived, as far as is known, in some of the period.
    pub(crate) fn lives(&self) -> bool {
        let Some(patient) = &self.person.patient else { return false };
        let born = patient["birthDate"].as_str().and_then(day);
        let died = patient["deceasedDateTime"].as_str();
        born.is_none_or(|b| b <= self.to)
            && patient["deceasedBoolean"] != true
            && died.is_none_or(|d| day(d).is_some_and(|d| d >= self.from))
    }

    pub(crate) fn at_least(&self, age: i64) -> bool {
        self.lives() && self.age().is_some_and(|a| a >= age)
    }

    pub(crate) fn between(&self, low: i64, high: i64) -> bool {
        self.lives() && self.age().is_some_and(|a| low <= a && a <= high)
    }

    fn not_refuted(condition: &Value) -> bool {
        let codings = condition["verificationStatus"]["coding"].as_array();
        !codings.into_iter().flatten().any(|c| is_one(c["code"].as_str(), &["entered-in-error", "refuted"]))
    }

    pub(crate) fn conditions(&self) -> Vec<Condition> {
        let mut found = Vec::new();
        for c in self.person.all("Condition").filter(|c| Self::not_refuted(c)) {
            if any_code(&c["verificationStatus"]).is_some_and(|v| v != "confirmed") {
                continue;
            }
            let (onset, recorded) = (text(c, "onsetDateTime"), text(c, "recordedDate"));
            if onset.or(recorded).and_then(day).is_none_or(|d| d > self.to) {
                continue;
            }
            let known = recorded.or(onset).and_then(day).unwrap();
            let clinical = any_code(&c["clinicalStatus"]).unwrap_or("active");
            let in_period = match text(c, "abatementDateTime").and_then(day) {
                Some(over) => over >= self.from,
                None => ["active", "recurrence", "relapse"].contains(&clinical),
            };
            found.push(Condition {
                item: item(c),
                icd10: owned(coded(&c["code"], ICD10)),
                snomed: owned(coded(&c["code"], SNOMED)),
                recorded: known,
                in_period,
            });
        }
        found
    }

    pub(crate) fn has(&self, icd10: &[&str], snomed: &[&str]) -> bool {
        self.conditions().iter().any(|c| {
            c.in_period && (begins(c.icd10.as_deref(), icd10) || is_one(c.snomed.as_deref(), snomed))
        })
    }

    pub(crate) fn hypertension(&self) -> bool {
        self.has(&["I10", "I11", "I12", "I13", "I15"], &["38341003", "59621000"])
    }

    pub(crate) fn diabetes(&self) -> bool {
        self.has(&["E10", "E11", "E12", "E13", "E14"], &["73211009", "44054006", "46635009"])
    }

    pub(crate) fn pregnant(&self) -> bool {
        self.has(&["O"], &["72892002", "77386006"])
    }

    pub(crate) fn requests(&self) -> Vec<&'p Value> {
        let fits = |r: &&Value| {
            is_one(text(r, "status"), &["active", "completed", "stopped", "on-hold"])
                && is_one(text(r, "intent"), &["order", "original-order", "instance-order", "reflex-order"])
        };
        self.person.all("MedicationRequest").filter(fits).collect()
    }

    pub(crate) fn orders(&self) -> Vec<Order> {
        let mut found = Vec::new();
        for r in self.requests() {
            let Some(on) = text(r, "authoredOn").and_then(day).filter(|d| *d <= self.to) else { continue };
            let concept = &r["medicationCodeableConcept"];
            let yj: Option<String> = coded(concept, YJ).map(|c| c.chars().take(7).collect());
            let (atc, rxnorm) = (owned(coded(concept, ATC)), owned(coded(concept, RXNORM)));
            let rest = owned(coded(concept, HOT9)).or(owned(text(concept, "text")));
            found.push(Order {
                item: item(r),
                active: r["status"] == "active",
                medicine: atc.clone().or(yj.clone()).or(rxnorm.clone()).or(rest),
                atc,
                rxnorm,
                yj,
                day: on,
            });
        }
        found
    }

    pub(crate) fn takes(&self, atc: &[&str], yj: &[&str], rxnorm: &[&str]) -> bool {
        self.orders().iter().filter(|o| o.day >= self.from || o.active).any(|o| {
            begins(o.atc.as_deref(), atc)
                || begins(o.yj.as_deref(), yj)
                || is_one(o.rxnorm.as_deref(), rxnorm)
        })
    }

    pub(crate) fn observations(&self) -> Vec<Observation<'p>> {
        let mut found = Vec::new();
        for o in self.person.all("Observation") {
            if !is_one(text(o, "status"), &["final", "amended", "corrected"]) {
                continue;
            }
            let when = text(o, "effectiveDateTime").or(text(o, "effectivePeriod.start"));
            let part = |code: &str| {
                let parts = o["component"].as_array()?;
                let fits = |c: &&Value| {
                    c["code"]["coding"].as_array().is_some_and(|cs| {
                        cs.iter().any(|x| x["system"] == "http://loinc.org" && x["code"] == code)
                    })
                };
                let found: Vec<_> = parts.iter().filter(fits).collect();
                Some((found.len(), found.iter().find_map(|c| c["valueQuantity"]["value"].as_f64())))
            };
            let (systolic, diastolic) = (part("8480-6"), part("8462-4"));
            found.push(Observation {
                item: item(o),
                json: o,
                loinc: coded(&o["code"], LOINC),
                jlac10: coded(&o["code"], JLAC10),
                day: when.and_then(day),
                value: o["valueQuantity"]["value"].as_f64(),
                unit: text(o, "valueQuantity.code"),
                by_person: o["performer"].as_array().is_some_and(|ps| {
                    ps.iter().any(|p| text(p, "reference").is_some_and(|r| r.starts_with("Patient/")))
                }),
                encounter: visit_of(o),
                is_pressure: systolic.is_some_and(|(n, _)| n > 0),
                pressures: systolic.and_then(|s| s.1).zip(diastolic.and_then(|d| d.1)),
            });
        }
        found
    }

    pub(crate) fn hba1c(o: &Observation<'_>) -> Option<f64> {
        let named = is_one(o.loinc, &["4548-4", "17856-6"]) || begins(o.jlac10, &["3D045", "3D046"]);
        o.value.filter(|_| named && o.unit == Some("%"))
    }

    /// The lowest pressures of the last day on which some were measured.
    pub(crate) fn last_pressures(&self, at_home: bool) -> Option<(f64, f64)> {
        let fits = |o: &Observation<'_>| {
            self.within(o.day)
                && o.is_pressure
                && o.pressures.is_some()
                && if at_home { o.by_person } else { o.encounter.is_some() }
        };
        let all = self.observations();
        let newest = all.iter().filter(|o| fits(o)).filter_map(|o| o.day).max()?;
        let of_day = all.iter().filter(|o| fits(o) && o.day == Some(newest)).filter_map(|o| o.pressures);
        Some(of_day.fold((f64::MAX, f64::MAX), |low, p| (low.0.min(p.0), low.1.min(p.1))))
    }

    pub(crate) fn encounters(&self) -> Vec<&'p Value> {
        let gone = |e: &&Value| !is_one(text(e, "status"), &["entered-in-error", "cancelled"]);
        self.person.all("Encounter").filter(|e| e["status"].is_string()).filter(gone).collect()
    }

    pub(crate) fn started(encounter: &Value) -> Option<i64> {
        text(encounter, "period.start").and_then(day)
    }

    pub(crate) fn checkups(&self) -> BTreeSet<String> {
        let is_checkup = |e: &&&Value| {
            let types = e["type"].as_array().cloned().unwrap_or_default();
            let words = types.iter().find_map(|t| t["text"].as_str()).unwrap_or_default().to_owned();
            let code = types.iter().find_map(|t| coded(t, SNOMED).map(str::to_owned));
            ["健診", "健康診査", "健康診断"].iter().any(|w| words.contains(w))
                || is_one(code.as_deref(), &["185349003", "162673000", "410620009"])
        };
        self.encounters().iter().filter(is_checkup).map(|e| item(e)).collect()
    }

    pub(crate) fn readings(&self) -> Vec<Reading> {
        let mut found = Vec::new();
        for o in self.observations() {
            // Without a date it belongs to its visit still, and to no period.
            let on = o.day.unwrap_or(-1_000_000);
            let mut add = |kind, abnormal| {
                found.push(Reading {
                    day: on,
                    kind,
                    abnormal,
                    by_person: o.by_person,
                    encounter: owned(o.encounter),
                });
            };
            if let Some((high, low)) = o.pressures.filter(|_| o.is_pressure) {
                let limits = if o.by_person { (135.0, 85.0) } else { (140.0, 90.0) };
                add("pressure", high >= limits.0 || low >= limits.1);
            }
            let Some(value) = o.value else { continue };
            let mg = o.unit == Some("mg/dL");
            if Self::hba1c(&o).is_some() {
                add("hba1c", value >= 6.5);
            } else if is_one(o.loinc, &["1558-6", "41653-7"]) && mg {
                add("glucose", value >= 126.0);
            } else if (is_one(o.loinc, &["18262-6", "13457-7"]) || begins(o.jlac10, &["3F077"])) && mg {
                add("ldl", value >= 140.0);
            } else if (o.loinc == Some("2571-8") || begins(o.jlac10, &["3F015"])) && mg {
                add("triglycerides", value >= 300.0);
            }
        }
        found
    }

    /// The first day with an abnormal value at home or at a checkup, and the kinds found abnormal on it.
    pub(crate) fn first_finding(&self) -> Option<(i64, BTreeSet<&'static str>)> {
        let checkups = self.checkups();
        let fits = |r: &&Reading| {
            r.abnormal
                && self.within(Some(r.day))
                && (r.by_person || r.encounter.as_ref().is_some_and(|e| checkups.contains(e)))
        };
        let all = self.readings();
        let first = all.iter().filter(fits).map(|r| r.day).min()?;
        Some((first, all.iter().filter(fits).filter(|r| r.day == first).map(|r| r.kind).collect()))
    }

    pub(crate) fn care_days(&self) -> Vec<i64> {
        let checkups = self.checkups();
        let visits = self.encounters().into_iter().filter(|e| !checkups.contains(&item(e)));
        let orders = self.requests().into_iter().filter_map(|r| text(r, "authoredOn").and_then(day));
        visits.filter_map(Self::started).chain(orders).collect()
    }

    pub(crate) fn goals(&self) -> Vec<&'p Value> {
        self.person.all("Goal").filter(|g| g["lifecycleStatus"] != "entered-in-error").collect()
    }

    pub(crate) fn goal_kind(goal: &Value) -> Option<&str> {
        goal["category"].as_array()?.iter().find_map(|c| coded(c, OWN))
    }

    pub(crate) fn sites(&self) -> BTreeMap<String, String> {
        let site = |e: &&Value| Some((item(e), text(e, "serviceProvider.reference")?.to_owned()));
        self.encounters().iter().filter_map(site).collect()
    }

    pub(crate) fn own_site(&self) -> Option<String> {
        owned(self.person.patient.as_ref().and_then(|p| text(p, "managingOrganization.reference")))
    }
}
