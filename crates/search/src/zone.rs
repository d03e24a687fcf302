//! The hub's time zone: what gives a date without a zone its place in time.

use fhir::date_time::Micros;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time zone of the IANA database, which is compiled in.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone with this IANA name (`Asia/Tokyo`), or `None` if there is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Zone> {
        let zone = TimeZone::get(name).ok()?;
        Some(Zone { name: zone.iana_name().unwrap_or(name).to_owned(), zone })
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Minutes east of UTC at a moment, given as microseconds since 1970 UTC.
    #[must_use]
    pub fn offset_at(&self, moment: Micros) -> i32 {
        jiff::Timestamp::from_microsecond(moment).map_or(0, |t| self.zone.to_offset(t).seconds() / 60)
    }

    /// The day it is here at a moment: `2026-04-01`.
    #[must_use]
    pub fn day(&self, moment: Micros) -> String {
        let here = moment + i64::from(self.offset_at(moment)) * 60_000_000;
        let (year, month, day) = fhir::date_time::civil_from_days(here.div_euclid(86_400_000_000));
        format!("{year:04}-{month:02}-{day:02}")
    }
}

impl fhir::date_time::Zone for Zone {
    /// At a local time that a change of clocks skips or repeats, the offset before the change.
    fn offset_minutes(&self, local: Micros) -> i32 {
        let (year, month, day) = fhir::date_time::civil_from_days(local.div_euclid(86_400_000_000));
        let minutes = local.rem_euclid(86_400_000_000) / 60_000_000;
        let (hour, minute) = (i8::try_from(minutes / 60), i8::try_from(minutes % 60));
        let (Ok(year), Ok(month), Ok(day), Ok(hour), Ok(minute)) =
            (i16::try_from(year), i8::try_from(month), i8::try_from(day), hour, minute)
        else {
            return 0;
        };
        let Ok(civil) = DateTime::new(year, month, day, hour, minute, 0, 0) else { return 0 };
        self.zone
            .to_ambiguous_timestamp(civil)
            .compatible()
            .map_or(0, |t| self.zone.to_offset(t).seconds() / 60)
    }
}

#[cfg(test)]
mod tests {
    use fhir::DateTime;

    use super::*;

    #[test]
    fn a_local_day_begins_at_local_midnight() {
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        let at = |text: &str| DateTime::parse(text).unwrap().interval(&tokyo).0;
        assert_eq!(at("2015-03-01"), at("2015-02-28T15:00:00Z"));
        let new_york = Zone::named("America/New_York").unwrap();
        let day = DateTime::parse("2015-03-08").unwrap().interval(&new_york);
        assert_eq!(day.1 - day.0, 23 * 3_600_000_000, "clocks go forward that day");
        assert!(Zone::named("Asia/Nowhere").is_none());
    }
}
