//! Who cares for the community: clinics, one hospital, pharmacies, and the physicians. The only thing kept in memory.

use crate::calendar::{FIRST_DAY, Moment, at};
use crate::chart::Chart;
use crate::human::write_name;
use crate::names::{SURNAMES, given, surname};
use crate::town::{Address, NEIGHBOURHOODS, phone};
use crate::write::Elements;

const TYPES: &str = "http://terminology.hl7.org/CodeSystem/organization-type";
const OPENED: Moment = at(FIRST_DAY, 8, 0);

/// A place of care.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) organization: String,
    pub(crate) location: String,
    pub(crate) physicians: Vec<String>,
}

/// All places of care.
#[derive(Debug)]
pub(crate) struct Institutions {
    pub(crate) hospital: Provider,
    pub(crate) clinics: Vec<Provider>,
    pub(crate) pharmacies: Vec<Provider>,
}

/// The places of care of one household.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Care<'i> {
    pub(crate) hospital: &'i Provider,
    pub(crate) clinic: &'i Provider,
    pub(crate) pharmacy: &'i Provider,
}

impl Institutions {
    /// Sets up and records what so many persons need.
    pub(crate) fn open(chart: &mut Chart<'_>, persons: u64) -> Institutions {
        let hospital = provider(chart, "霞ヶ原中央病院", "病院", 8);
        let clinics = (persons / 1500).max(2);
        let shift = chart.rng.index(SURNAMES.len());
        let clinics = (0..clinics as usize)
            .map(|n| {
                let family = SURNAMES[(n * 31 + shift) % SURNAMES.len()].0;
                let part = NEIGHBOURHOODS[n % NEIGHBOURHOODS.len()];
                let kind = ["内科クリニック", "医院", "ファミリークリニック"][n / SURNAMES.len() % 3];
                provider(chart, &format!("霞ヶ原{part}{family}{kind}"), "診療所", 2)
            })
            .collect();
        let pharmacies = (0..(persons / 2000).max(2) as usize)
            .map(|n| {
                let part = NEIGHBOURHOODS[n % NEIGHBOURHOODS.len()];
                let kind =
                    ["霞薬局", "かすみ調剤薬局", "あさぎり薬局", "つむぎ薬局"][n / NEIGHBOURHOODS.len() % 4];
                let number = n / (NEIGHBOURHOODS.len() * 4);
                let number = if number == 0 { String::new() } else { format!("第{}", number + 1) };
                provider(chart, &format!("{number}{kind}{part}店"), "薬局", 0)
            })
            .collect();
        Institutions { hospital, clinics, pharmacies }
    }

    /// Those of one household, chosen by chance.
    pub(crate) fn near(&self, chart: &mut Chart<'_>) -> Care<'_> {
        Care {
            hospital: &self.hospital,
            clinic: chart.rng.pick(&self.clinics),
            pharmacy: chart.rng.pick(&self.pharmacies),
        }
    }
}

fn provider(chart: &mut Chart<'_>, name: &str, kind: &str, physicians: usize) -> Provider {
    let organization = chart.id(OPENED);
    let location = chart.id(OPENED);
    let (address, number) = (Address::random(&mut chart.rng), phone(&mut chart.rng));
    chart.add("Organization", &organization, OPENED, |o| {
        o.raw_member("active", "true").concepts("type", &[(TYPES, "prov", "Healthcare Provider")], kind);
        o.member("name", name).name("telecom").array(|a| {
            a.object(|t| {
                t.member("system", "phone").member("value", &number).member("use", "work");
            });
        });
        o.name("address").array(|a| address.write(a, "work", None, None));
    });
    chart.add("Location", &location, OPENED, |o| {
        o.member("status", "active").member("name", name).member("mode", "instance");
        address.write(o.name("address"), "work", None, None);
        o.reference("managingOrganization", "Organization", &organization);
    });
    let physicians = (0..physicians).map(|_| physician(chart, &organization, &location)).collect();
    Provider { organization, location, physicians }
}

fn physician(chart: &mut Chart<'_>, organization: &str, location: &str) -> String {
    let (id, role) = (chart.id(OPENED), chart.id(OPENED));
    let female = chart.rng.chance(0.24);
    let family = surname(&mut chart.rng);
    let born = chart.rng.between(1955, 1990);
    let first = given(&mut chart.rng, female, born);
    chart.add("Practitioner", &id, OPENED, |o| {
        o.raw_member("active", "true");
        write_name(o, family, first);
        o.member("gender", if female { "female" } else { "male" });
        o.name("qualification").array(|a| {
            a.object(|q| {
                let table = "http://terminology.hl7.org/CodeSystem/v2-0360";
                q.concept("code", &[(table, "MD", "Doctor of Medicine")], "医師");
            });
        });
    });
    chart.add("PractitionerRole", &role, OPENED, |o| {
        o.raw_member("active", "true").reference("practitioner", "Practitioner", &id);
        o.reference("organization", "Organization", organization);
        let table = "http://terminology.hl7.org/CodeSystem/practitioner-role";
        o.concepts("code", &[(table, "doctor", "Doctor")], "医師")
            .references("location", "Location", location);
    });
    id
}
