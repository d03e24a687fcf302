//! The moment a chart is true for: now, or the end of a day in the hub's zone.

use fhir::DateTime;
use fhir::date_time::Micros;
use fluent_bundle::FluentValue;
use search::Zone;

use crate::birth_date;
use crate::calendar::{Day, today};
use crate::failure::Failure;
use crate::words::Words;

/// The moment asked for.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct AsOf {
    /// The last microsecond of the day; none is now.
    pub(crate) moment: Option<Micros>,
    /// The day.
    pub(crate) day: Option<Day>,
}

impl AsOf {
    /// Reads the date of the address, in any way a birth date may be written. Today and later are now.
    pub(crate) fn read(text: Option<&str>, zone: &Zone) -> Result<AsOf, Failure> {
        let Some(text) = text else { return Ok(AsOf::default()) };
        let bad = || Failure::BadDate(text.to_owned());
        let date =
            DateTime::parse(text).or_else(|| DateTime::parse(&birth_date::read(text)?)).ok_or_else(bad)?;
        let moment = date.interval(zone).1 - 1;
        let day = Day::of_moment(moment, zone);
        if day >= today(zone) {
            return Ok(AsOf::default());
        }
        Ok(AsOf { moment: Some(moment), day: Some(day) })
    }

    /// Where the Patient itself is.
    pub(crate) fn source(&self, id: &str) -> String {
        match self.day {
            Some(day) => format!("/fhir/Patient/{id}?_asOf={}", day.iso()),
            None => format!("/fhir/Patient/{id}"),
        }
    }
}

/// A way to another moment.
#[derive(Debug)]
pub(crate) struct Jump {
    pub(crate) address: String,
    pub(crate) name: String,
    pub(crate) is_current: bool,
}

/// The moment, in the words of the page.
#[derive(Debug)]
pub(crate) struct AsOfView {
    /// The day as written; none is now.
    pub(crate) day: Option<String>,
    /// What stands in the field.
    pub(crate) field: String,
    /// The latest day that may be asked for.
    pub(crate) latest: String,
    /// The chart as it is now.
    pub(crate) now: String,
    pub(crate) jumps: Vec<Jump>,
}

impl AsOfView {
    pub(crate) fn of(as_of: &AsOf, present: Day, path: &str, words: Words) -> AsOfView {
        let mut jumps = vec![Jump {
            address: path.to_owned(),
            name: words.say("as-of-now"),
            is_current: as_of.day.is_none(),
        }];
        for years in [1, 3, 5] {
            let day = present.years_before(years);
            jumps.push(Jump {
                address: format!("{path}?as_of={}", day.iso()),
                name: words.say_with("years-ago", &[("count", FluentValue::from(years))]),
                is_current: as_of.day == Some(day),
            });
        }
        AsOfView {
            day: as_of.day.map(|d| d.written(words)),
            field: as_of.day.unwrap_or(present).iso(),
            latest: present.iso(),
            now: path.to_owned(),
            jumps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_asked_for_at_its_end_in_the_hubs_zone() {
        let zone = Zone::named("Asia/Tokyo").unwrap();
        let at = |text: &str| AsOf::read(Some(text), &zone).unwrap();
        let end = DateTime::parse("2022-03-31T15:00:00Z").unwrap().interval(&zone).0;
        assert_eq!(at("2022-03-31").moment, Some(end - 1));
        assert_eq!(at("令和4年3月31日"), at("2022-03-31"));
        assert_eq!(at("2022").day.unwrap().iso(), "2022-12-31");
        assert_eq!(at("2199-01-01"), AsOf::default());
        assert_eq!(AsOf::read(None, &zone).unwrap(), AsOf::default());
        assert!(matches!(AsOf::read(Some("2022-02-30"), &zone), Err(Failure::BadDate(_))));
        assert!(matches!(AsOf::read(Some("<script>"), &zone), Err(Failure::BadDate(_))));
    }
}
