//! The Patient resource, at first contact, after moving house, and after death.

use fhir::json::JsonWriter;

use crate::calendar::{DAY, END_MOMENT, HOUR, Moment, date_text};
use crate::chart::Chart;
use crate::human::write_name;
use crate::institutions::Care;
use crate::person::Person;
use crate::town::Address;
use crate::write::Elements;

fn write(
    json: &mut JsonWriter,
    care: Care<'_>,
    person: &Person,
    home: &Address,
    moved: Option<Moment>,
    dead: bool,
) {
    json.name("identifier").array(|a| {
        a.object(|i| {
            i.member("use", "official").member("system", "https://yojigen.example/identifier/person");
            i.member("value", &person.number);
        });
    });
    json.raw_member("active", if dead { "false" } else { "true" });
    write_name(json, person.family, person.given);
    json.name("telecom").array(|a| {
        a.object(|t| {
            t.member("system", "phone").member("value", &person.phone).member("use", "home");
        });
    });
    json.member("gender", person.by_sex(("male", "female"))).member("birthDate", &date_text(person.birth));
    if let Some(death) = person.death.filter(|_| dead) {
        json.moment("deceasedDateTime", death);
    }
    json.name("address").array(|a| {
        home.write(a, "home", moved, None);
        if let (Some(moved), Some((_, former))) = (moved, &person.moved) {
            former.write(a, "old", None, Some(moved));
        }
    });
    json.name("communication").array(|a| {
        a.object(|c| {
            c.concept("language", &[("urn:ietf:bcp:47", "ja", "Japanese")], "日本語")
                .raw_member("preferred", "true");
        });
    });
    if let Some(physician) = care.clinic.physicians.first() {
        json.references("generalPractitioner", "Practitioner", physician);
    }
    json.reference("managingOrganization", "Organization", &care.clinic.organization);
}

/// Records a person when they become known, and again after they move.
pub(crate) fn arrive(chart: &mut Chart<'_>, care: Care<'_>, person: &Person) {
    let home = person.moved.as_ref().map_or(&person.address, |(_, former)| former);
    chart.add("Patient", &person.id, person.since, |o| write(o, care, person, home, None, false));
    if let Some((when, _)) = &person.moved {
        // The town office tells the hub some days later.
        let told = *when + 3 * DAY + 2 * HOUR;
        chart.add("Patient", &person.id, told, |o| {
            write(o, care, person, &person.address, Some(*when), false)
        });
    }
}

/// Records that a person has died.
pub(crate) fn depart(chart: &mut Chart<'_>, care: Care<'_>, person: &Person) {
    let Some(death) = person.death.filter(|death| *death < END_MOMENT) else { return };
    let moved = person.moved.as_ref().map(|(when, _)| *when);
    chart.add("Patient", &person.id, death + 26 * HOUR, |o| {
        write(o, care, person, &person.address, moved, true);
    });
}
