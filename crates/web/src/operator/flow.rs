//! `/hub/flow`: what happens in the institutions, in numbers: visits, admissions, beds, who waits, referrals, how much is
//! coded. Now, or as it was known on any day.
//!
//! Every number is one count by the index with a bound of its own (`Hub::tally`); none of them names anybody, and a few
//! are said to be a few.

use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hub::{Access, SearchRequest, Tally};
use search::query::Pair;
use store::Budget;

use super::{Place, places, runs_the_hub};
use crate::calendar::{Day, today};
use crate::chart::as_of::{AsOf, AsOfView};
use crate::failure::{Failure, away};
use crate::quantity::grouped;
use crate::record::Record;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;
use crate::words::Words;

/// Index rows and time one number may take.
const ROWS: u64 = 300_000;
const TIME: Duration = Duration::from_millis(60);
/// Time all of them may take; those that are left are not counted.
const TIME_OF_ALL: Duration = Duration::from_millis(300);
/// Days that are drawn.
const DAYS: i64 = 14;
/// Organisations to choose from, and places of one that are counted.
const ORGANISATIONS: usize = 200;
const LOCATIONS: usize = 12;
const BASE: &str = "http://localhost/fhir";
/// Inpatients: v3-ActCode, by <https://hl7.org/fhir/R4/encounter-definitions.html#Encounter.class>.
const INPATIENT: &str = "IMP,ACUTE,NONAC";

/// What is coded, and in which systems that counts as standard.
const CODED: [(&str, &str, &[&str]); 3] = [
    (
        "Condition",
        "code",
        &[
            "http://hl7.org/fhir/sid/icd-10",
            "http://hl7.org/fhir/sid/icd-10-cm",
            "http://snomed.info/sct",
            "urn:oid:1.2.392.200119.4.101.6",
            "http://medis.or.jp/CodeSystem/master-disease-exCode",
            "http://medis.or.jp/CodeSystem/master-disease-keyNumber",
        ],
    ),
    (
        "MedicationRequest",
        "code",
        &[
            "urn:oid:1.2.392.100495.20.1.73",
            "urn:oid:1.2.392.100495.20.2.73",
            "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code",
            "http://medis.or.jp/CodeSystem/master-HOT9",
            "http://medis.or.jp/CodeSystem/master-HOT13",
            "urn:oid:1.2.392.200119.4.403.1",
            "urn:oid:1.2.392.200119.4.402.1",
            "http://www.nlm.nih.gov/research/umls/rxnorm",
            "http://www.whocc.no/atc",
        ],
    ),
    (
        "Observation",
        "code",
        &[
            "http://loinc.org",
            "urn:oid:1.2.392.200119.4.504",
            "http://jpfhir.jp/fhir/core/CodeSystem/JP_ObservationLabResultCode_CS",
            "http://snomed.info/sct",
        ],
    ),
];

/// A number and what it is.
struct Number {
    name: String,
    value: String,
    what: String,
}

/// A bar of a drawing.
struct Bar {
    day: String,
    value: String,
    x: f64,
    y: f64,
    height: f64,
}

/// How much of a type is coded.
struct Coded {
    name: String,
    all: String,
    coded: String,
    percent: Option<u64>,
}

struct Choice {
    id: String,
    name: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "operator/flow.html")]
struct FlowPage {
    shell: Shell,
    places: Vec<Place>,
    as_of: AsOfView,
    organisations: Vec<Choice>,
    numbers: Vec<Number>,
    days: Vec<Bar>,
    beds: Vec<(String, String)>,
    coded: Vec<Coded>,
}

/// What counts.
struct Counting<'s> {
    site: &'s Site,
    record: Record,
    words: Words,
    began: Instant,
    /// `Organization/1`, if one is chosen.
    organisation: Option<String>,
}

impl Counting<'_> {
    fn tally(&self, type_name: &str, pairs: &[(&str, &str)]) -> Result<Tally, Failure> {
        if self.began.elapsed() > TIME_OF_ALL {
            return Ok(Tally::Costly);
        }
        let pairs: Vec<Pair> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let resource_type = fhir::r4().known_resource_type(type_name).map_err(super::refused)?;
        let request =
            SearchRequest { resource_type, compartment: None, pairs: &pairs, base: BASE, is_lenient: false };
        let mut query = self.site.hub.query(&request)?;
        query.is_count_only = true;
        query.as_of = Some(self.record.moment);
        Ok(self.site.hub.tally(&self.record.access, &query, Budget::new(ROWS, TIME))?)
    }

    /// Encounters at the organisation chosen, or at all.
    fn encounters(&self, pairs: &[(&str, &str)]) -> Result<Tally, Failure> {
        let mut pairs = pairs.to_vec();
        if let Some(organisation) = &self.organisation {
            pairs.push(("service-provider", organisation));
        }
        self.tally("Encounter", &pairs)
    }

    fn written(&self, tally: Tally) -> String {
        match tally {
            Tally::Exactly(count) => grouped(count),
            Tally::Few => self.words.say("hub-few"),
            Tally::Costly => self.words.say("hub-costly"),
        }
    }

    fn number(&self, key: &str, tally: Tally) -> Number {
        let what = self.words.say(&format!("{key}-what"));
        Number { name: self.words.say(key), value: self.written(tally), what }
    }

    fn numbers(&self, on: Day) -> Result<Vec<Number>, Failure> {
        let day = on.iso();
        let (before, after) = (
            format!("sa{}", Day::of_days(on.days() - 1).iso()),
            format!("lt{}", Day::of_days(on.days() + 1).iso()),
        );
        let mut numbers = vec![
            self.number("hub-visits", self.encounters(&[("date", &day)])?),
            self.number(
                "hub-admissions",
                self.encounters(&[("class", INPATIENT), ("date", &before), ("date", &after)])?,
            ),
            self.number(
                "hub-inpatients",
                self.encounters(&[("class", INPATIENT), ("status", "in-progress,onleave")])?,
            ),
            self.number("hub-waiting", self.encounters(&[("status", "arrived,triaged")])?),
        ];
        if self.organisation.is_none() {
            // A referral says who is to perform it by a kind of performer.
            let referral = |status| {
                self.tally("ServiceRequest", &[("performer-type:missing", "false"), ("status", status)])
            };
            numbers.push(self.number("hub-referrals-open", referral("active,on-hold")?));
            numbers.push(self.number("hub-referrals-closed", referral("completed")?));
        }
        Ok(numbers)
    }

    fn days(&self, on: Day) -> Result<Vec<Bar>, Failure> {
        let mut counted = Vec::new();
        for back in (0..DAYS).rev() {
            let day = Day::of_days(on.days() - back);
            counted.push((day, self.encounters(&[("date", &day.iso())])?));
        }
        let highest = counted.iter().filter_map(|(_, tally)| tally.known()).max().unwrap_or(0).max(1);
        let width = 120.0 / DAYS as f64;
        let bar = |(at, (day, tally)): (usize, (Day, Tally))| {
            let height = tally.known().map_or(0.0, |count| 38.0 * count as f64 / highest as f64);
            let height = (height * 10.0).round() / 10.0;
            let x = (at as f64 * width * 10.0).round() / 10.0;
            Bar { day: day.written(self.words), value: self.written(tally), x, y: 40.0 - height, height }
        };
        Ok(counted.into_iter().enumerate().map(bar).collect())
    }

    /// How many inpatients each place of the organisation chosen has.
    fn beds(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut pairs = vec![("_sort", "name")];
        if let Some(organisation) = &self.organisation {
            pairs.push(("organization", organisation));
        }
        let found = self.record.search("Location", &pairs, LOCATIONS)?;
        let mut beds = Vec::new();
        for location in &found.resources {
            let text = |path: &str| location.root().text_at(path).map(String::from).unwrap_or_default();
            let reference = format!("Location/{}", text("id"));
            let asked =
                [("class", INPATIENT), ("status", "in-progress,onleave"), ("location", reference.as_str())];
            let tally = self.tally("Encounter", &asked)?;
            if tally != Tally::Exactly(0) {
                beds.push((text("name"), self.written(tally)));
            }
        }
        Ok(beds)
    }

    fn coded(&self) -> Result<Vec<Coded>, Failure> {
        let mut coded = Vec::new();
        for (type_name, parameter, systems) in CODED {
            let systems: Vec<String> = systems.iter().map(|system| format!("{system}|")).collect();
            let systems = systems.join(",");
            // By organisation: those written at an encounter there.
            let mut pairs = Vec::new();
            if let Some(organisation) = &self.organisation {
                pairs.push(("encounter.service-provider", organisation.as_str()));
            }
            let all = self.tally(type_name, &pairs)?;
            pairs.push((parameter, &systems));
            let standard = self.tally(type_name, &pairs)?;
            let percent = match (standard.known(), all.known()) {
                (Some(part), Some(whole)) => (100 * part).checked_div(whole),
                _ => None,
            };
            coded.push(Coded {
                name: self.words.say_code("hub-coded", type_name).unwrap_or_else(|| type_name.to_owned()),
                all: self.written(all),
                coded: self.written(standard),
                percent,
            });
        }
        Ok(coded)
    }
}

fn draw(site: &Site, access: Access, visit: &Visit) -> Result<FlowPage, Failure> {
    let words = visit.words;
    let present = today(site.hub.zone());
    let as_of = AsOf::read(visit.value("as_of"), site.hub.zone())?;
    let record = Record::of(site.hub.clone(), access, as_of.moment);
    let chosen =
        visit.value("organization").filter(|id| fhir::primitive::is_id(id)).unwrap_or_default().to_owned();
    let found = record.search("Organization", &[("_sort", "name")], ORGANISATIONS)?;
    let choice = |resource: &fhir::Resource| {
        let text = |path: &str| resource.root().text_at(path).map(String::from).unwrap_or_default();
        let id = text("id");
        Choice { is_chosen: id == chosen, name: text("name"), id }
    };
    let organisations = found.resources.iter().map(choice).collect();
    let organisation = Some(&chosen).filter(|id| !id.is_empty()).map(|id| format!("Organization/{id}"));
    let counting = Counting { site, record, words, began: Instant::now(), organisation };
    let on = as_of.day.unwrap_or(present);
    Ok(FlowPage {
        shell: Shell::of(visit),
        places: places(visit),
        as_of: AsOfView::of(&as_of, present, "/hub/flow", words),
        organisations,
        numbers: counting.numbers(on)?,
        days: counting.days(on)?,
        beds: counting.beds()?,
        coded: counting.coded()?,
    })
}

/// Answers with the page.
pub(super) async fn page(State(site): State<Site>, visit: Visit) -> Response {
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (asked, access) = (visit.clone(), visit.access());
    match away(move || draw(&site, access, &asked)).await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}
