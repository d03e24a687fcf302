//! A person as the generator knows them.

use crate::body::Body;
use crate::calendar::{Day, Moment, civil, years};
use crate::names::Name;
use crate::town::Address;

/// A person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) female: bool,
    pub(crate) birth: Day,
    pub(crate) family: Name,
    pub(crate) given: Name,
    pub(crate) phone: String,
    pub(crate) address: Address,
    /// When they are first known to the hub.
    pub(crate) since: Moment,
    /// The first day with care.
    pub(crate) first_day: Day,
    /// After the last day of ambulatory care.
    pub(crate) last_day: Day,
    /// When they die.
    pub(crate) death: Option<Moment>,
    /// When and where from they have moved within the town.
    pub(crate) moved: Option<(Moment, Address)>,
    pub(crate) body: Body,
}

impl Person {
    /// Age in years with a fraction.
    pub(crate) fn age(&self, day: Day) -> f64 {
        years(self.birth, day)
    }

    /// The age reached in the calendar year of the day.
    pub(crate) fn age_in_year(&self, day: Day) -> i64 {
        civil(day).0 - civil(self.birth).0
    }

    /// Whether ambulatory care can happen on this day.
    pub(crate) fn here(&self, day: Day) -> bool {
        (self.first_day..self.last_day).contains(&day)
    }

    /// One of the two for men and women.
    pub(crate) fn by_sex<T>(&self, (man, woman): (T, T)) -> T {
        if self.female { woman } else { man }
    }
}
