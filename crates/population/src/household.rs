//! Households: who lives together, and since when.
//!
//! Kinds as in the Population Census of 2020 (single 38 %, couple 20 %, couple with children 25 %, one parent 9 %, other
//! kinds 8 %); ages so that about 11 % are under 15 and 29 % are 65 or over, as the Population Estimates of the
//! Statistics Bureau of Japan say for October 2024 (11.2 % and 29.3 %).

use crate::body::Body;
use crate::calendar::{Day, FIRST_DAY, HOUR, LAST_DAY, Moment, at, birthday, day_of, working, years};
use crate::chart::Chart;
use crate::names::{given, surname};
use crate::person::Person;
use crate::rng::Rng;
use crate::town::{Address, phone};

/// Someone who lives there: female, age at the end.
type Member = (bool, i64);

/// The ages of a couple, the man's given.
fn couple(rng: &mut Rng, man: i64, members: &mut Vec<Member>) -> i64 {
    let woman = (man - rng.between(-2, 5)).max(20);
    members.extend([(false, man), (true, woman)]);
    woman
}

fn children(rng: &mut Rng, mother: i64, many: usize, members: &mut Vec<Member>) {
    let mut age = mother - rng.between(24, 35);
    for _ in 0..many {
        if (0..=30).contains(&age) && (age < 19 || rng.chance(0.6)) {
            members.push((rng.chance(0.488), age));
        }
        age -= rng.between(2, 4);
    }
}

fn members(rng: &mut Rng) -> Vec<Member> {
    let mut members = Vec::new();
    match rng.weighted(&[38, 20, 25, 9, 8]) {
        0 => members.push(match rng.weighted(&[22, 18, 60]) {
            0 => (rng.chance(0.45), rng.between(19, 39)),
            1 => (rng.chance(0.40), rng.between(40, 64)),
            _ => (rng.chance(0.66), rng.between(66, 95)),
        }),
        1 => {
            let man = match rng.weighted(&[7, 13, 80]) {
                0 => rng.between(25, 39),
                1 => rng.between(40, 64),
                _ => rng.between(66, 92),
            };
            couple(rng, man, &mut members);
        }
        2 => {
            let man = rng.between(29, 68);
            let mother = couple(rng, man, &mut members);
            let many = 1 + rng.weighted(&[42, 43, 15]);
            children(rng, mother, many, &mut members);
        }
        3 => {
            let parent = rng.between(32, 60);
            members.push((rng.chance(0.85), parent));
            let many = 1 + rng.weighted(&[58, 42]);
            children(rng, parent, many, &mut members);
        }
        _ => {
            let man = rng.between(33, 62);
            let mother = couple(rng, man, &mut members);
            let many = 1 + rng.weighted(&[35, 47, 18]);
            children(rng, mother, many, &mut members);
            let grandmother = (man + rng.between(23, 32)).min(98);
            members.push((true, grandmother));
            if grandmother < 88 && rng.chance(0.5) {
                members.push((false, grandmother + rng.between(-1, 5)));
            }
        }
    }
    members
}

/// The day of death between these days, if it comes: a rough life table of the old.
fn death(rng: &mut Rng, birth: Day, from: Day) -> Option<Day> {
    let mut day = from;
    while day < LAST_DAY {
        let hazard = match years(birth, day) as i64 {
            ..=59 => 0.001,
            60..=69 => 0.006,
            70..=79 => 0.018,
            80..=84 => 0.045,
            85..=89 => 0.085,
            _ => 0.16,
        };
        if rng.chance(hazard) {
            return Some(day + rng.between(20, 364)).filter(|d| *d < LAST_DAY);
        }
        day += 365;
    }
    None
}

/// The household with this number, at most so many persons.
pub(crate) fn household(chart: &mut Chart<'_>, number: u64, at_most: u64) -> Vec<Person> {
    let rng = &mut chart.rng;
    let mut members = members(rng);
    members.truncate(usize::try_from(at_most).unwrap_or(usize::MAX));
    let family = surname(rng);
    let (mut address, line) = (Address::random(rng), phone(rng));
    // Most have always been here, some come during the ten years, some of all move within the town.
    let arrival =
        if rng.chance(0.12) { FIRST_DAY + rng.between(60, 3400) } else { FIRST_DAY + rng.between(0, 26) };
    let arrival = at(working(arrival), rng.between(9, 16), rng.between(0, 59));
    let moved = rng.chance(0.1).then(|| {
        let from = day_of(arrival) + 60;
        let former = std::mem::replace(&mut address, Address::random(rng));
        (at(working(rng.between(from, (LAST_DAY - 30).max(from))), 13, rng.between(0, 59)), former)
    });
    let mut persons = Vec::with_capacity(members.len());
    for (index, (female, age)) in members.into_iter().enumerate() {
        let birth = birthday(LAST_DAY, -age) - rng.between(3, 364);
        let born = at(birth, rng.between(9, 20), 0);
        let since: Moment =
            arrival.max(born) + (index as Moment) * 120 + if born > arrival { 30 * HOUR } else { 0 };
        let first_day = day_of(since) + 1;
        let death = death(rng, birth, first_day + 60);
        let in_hospital = rng.between(6, 25);
        let given = given(rng, female, crate::calendar::civil(birth).0);
        let moved =
            moved.clone().filter(|(when, _)| *when > since && death.is_none_or(|d| *when < at(d - 40, 0, 0)));
        let body = Body::new(rng, female, birth);
        let died = death.map(|day| at(day, rng.between(1, 22), rng.between(0, 59)));
        persons.push(Person {
            id: String::new(),
            number: format!("K{number:08}-{}", index + 1),
            female,
            birth,
            family,
            given,
            phone: line.clone(),
            address: address.clone(),
            since,
            first_day,
            last_day: death.map_or(LAST_DAY, |day| day - in_hospital),
            death: died,
            moved,
            body,
        });
    }
    for person in &mut persons {
        person.id = chart.id(person.since);
    }
    persons
}
