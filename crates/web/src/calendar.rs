//! Days, as precise as they were written, and how each language writes them.

use fhir::DateTime;
use fhir::date_time::{Micros, Precision, civil_from_days, days_from_civil};
use fluent_bundle::FluentValue;
use search::Zone;

use crate::language::Language;
use crate::words::Words;

const MICROS_PER_DAY: i64 = 86_400_000_000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A day, month or year on the calendar of the hub's zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Day {
    /// The year.
    pub(crate) year: i64,
    /// The month; 1 if it was not written.
    pub(crate) month: u8,
    /// The day; 1 if it was not written.
    pub(crate) day: u8,
    /// How much was written: 1 the year, 2 the month too, 3 all.
    parts: u8,
}

impl Day {
    /// The day of a FHIR date or time.
    pub(crate) fn read(text: &str, zone: &Zone) -> Option<Day> {
        let moment = DateTime::parse(text)?;
        if moment.has_time() {
            return Some(Day::of_moment(moment.interval(zone).0, zone));
        }
        let (year, month, day) = moment.date();
        let parts = match moment.precision() {
            Precision::Year => 1,
            Precision::Month => 2,
            _ => 3,
        };
        Some(Day { year: i64::from(year), month, day, parts })
    }

    /// The day a moment lies in.
    pub(crate) fn of_moment(moment: Micros, zone: &Zone) -> Day {
        let local = moment.saturating_add(i64::from(zone.offset_at(moment)) * 60_000_000);
        Day::of_days(local.div_euclid(MICROS_PER_DAY))
    }

    /// The day so many days after 1970-01-01.
    pub(crate) fn of_days(days: i64) -> Day {
        let (year, month, day) = civil_from_days(days);
        Day { year, month, day, parts: 3 }
    }

    /// Days since 1970-01-01.
    pub(crate) fn days(&self) -> i64 {
        days_from_civil(self.year, i64::from(self.month), i64::from(self.day))
    }

    /// Whether all of it was written.
    pub(crate) fn is_whole(&self) -> bool {
        self.parts == 3
    }

    /// The same day years before; 29 February becomes 28.
    pub(crate) fn years_before(&self, years: i64) -> Day {
        let day = if self.month == 2 && self.day == 29 { 28 } else { self.day };
        Day { year: self.year - years, day, ..*self }
    }

    /// Its place in time, in years: the whole part is the year.
    pub(crate) fn in_years(&self) -> f64 {
        let first = days_from_civil(self.year, 1, 1);
        let length = days_from_civil(self.year + 1, 1, 1) - first;
        self.year as f64 + (self.days() - first) as f64 / length as f64
    }

    /// In the form of ISO 8601, as far as it was written.
    pub(crate) fn iso(&self) -> String {
        match self.parts {
            1 => format!("{:04}", self.year),
            2 => format!("{:04}-{:02}", self.year, self.month),
            _ => format!("{:04}-{:02}-{:02}", self.year, self.month, self.day),
        }
    }

    /// As the language writes it.
    pub(crate) fn written(&self, words: Words) -> String {
        let Day { year, month, day, parts } = *self;
        let name = MONTHS[usize::from(month.clamp(1, 12)) - 1];
        match (words.language, parts) {
            (Language::Japanese, 1) => format!("{year}年"),
            (Language::Japanese, 2) => format!("{year}年{month}月"),
            (Language::Japanese, _) => format!("{year}年{month}月{day}日"),
            (Language::English, 1) => year.to_string(),
            (Language::English, 2) => format!("{name} {year}"),
            (Language::English, _) => format!("{day} {name} {year}"),
        }
    }

    /// Its year in the era of the time: 昭和50年; none before 1868, and none for less than a whole date.
    pub(crate) fn era(&self) -> Option<String> {
        /// The first day of each era, in days since 1970, and the year before its first.
        const ERAS: [(i64, &str, i64); 5] = [
            (18_017, "令和", 2018),
            (6_947, "平成", 1988),
            (-15_713, "昭和", 1925),
            (-20_974, "大正", 1911),
            (-37_231, "明治", 1867),
        ];
        let (_, name, base) = ERAS.iter().find(|(first, ..)| self.is_whole() && self.days() >= *first)?;
        let year = self.year - base;
        Some(if year == 1 { format!("{name}元年") } else { format!("{name}{year}年") })
    }
}

/// A moment with its time of day, as the language writes it.
pub(crate) fn written_moment(moment: Micros, zone: &Zone, words: Words) -> String {
    let local = moment.saturating_add(i64::from(zone.offset_at(moment)) * 60_000_000);
    let minutes = local.rem_euclid(MICROS_PER_DAY) / 60_000_000;
    format!("{} {:02}:{:02}", Day::of_moment(moment, zone).written(words), minutes / 60, minutes % 60)
}

/// The present day in a zone.
pub(crate) fn today(zone: &Zone) -> Day {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Day::of_moment(i64::try_from(now.as_micros()).unwrap_or(0), zone)
}

/// How old someone is on a day, in words; below two years in months. A birth date that is only a year gives about.
pub(crate) fn age(born: Day, on: Day, words: Words) -> Option<String> {
    let is_before_birthday = (on.month, on.day) < (born.month, born.day);
    let years = on.year - born.year - i64::from(is_before_birthday && born.parts > 1);
    if years < 0 || on.days() < born.days() {
        return None;
    }
    let say = |key: &str, number: i64| words.say_with(key, &[("count", FluentValue::from(number))]);
    if born.parts == 1 {
        return Some(words.say_with("age-about", &[("count", FluentValue::from(years))]));
    }
    if years >= 2 {
        return Some(say("age-years", years));
    }
    let months = (on.year - born.year) * 12 + i64::from(on.month)
        - i64::from(born.month)
        - i64::from(on.day < born.day);
    Some(say("age-months", months.max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::read(text, &Zone::named("Asia/Tokyo").unwrap()).unwrap()
    }

    const JA: Words = Words { language: Language::Japanese };
    const EN: Words = Words { language: Language::English };

    #[test]
    fn a_date_is_written_as_far_as_it_is_known() {
        assert_eq!(day("2026-11-01").written(JA), "2026年11月1日");
        assert_eq!(day("2026-11-01").written(EN), "1 Nov 2026");
        assert_eq!(day("1985").written(EN), "1985");
        assert_eq!(day("1985-04").written(JA), "1985年4月");
        assert_eq!(day("2026-10-31T23:00:00Z").iso(), "2026-11-01", "the day of the hub's zone");
    }

    #[test]
    fn eras_begin_on_their_day() {
        for (date, era) in [
            ("2019-04-30", "平成31年"),
            ("2019-05-01", "令和元年"),
            ("1989-01-07", "昭和64年"),
            ("1989-01-08", "平成元年"),
            ("1926-12-24", "大正15年"),
            ("1926-12-25", "昭和元年"),
            ("1912-07-29", "明治45年"),
            ("1912-07-30", "大正元年"),
        ] {
            assert_eq!(day(date).era().as_deref(), Some(era), "{date}");
        }
        assert_eq!(day("1800-01-01").era(), None);
    }

    #[test]
    fn an_age_is_that_of_the_day() {
        assert_eq!(age(day("1975-04-02"), day("2026-04-01"), EN).as_deref(), Some("50"));
        assert_eq!(age(day("1975-04-02"), day("2026-04-02"), EN).as_deref(), Some("51"));
        assert_eq!(age(day("2026-01-15"), day("2026-11-14"), EN).as_deref(), Some("9 months"));
        assert_eq!(age(day("2027"), day("2026-11-14"), EN), None);
        assert_eq!(age(day("1975"), day("2026-01-01"), JA).as_deref(), Some("約51歳"));
        assert_eq!(day("2024-02-29").years_before(1).iso(), "2023-02-28");
    }
}
