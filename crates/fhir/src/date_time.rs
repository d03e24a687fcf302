//! Dates and times with the precision they were written in (`2015`, `2015-02`, … `2015-02-07T13:28:17.239+02:00`).
//!
//! A partial date is an interval: [`DateTime::interval`] gives its first microsecond and the first one after it, which
//! is what search compares (<https://hl7.org/fhir/R4/search.html#date>). A text without a zone needs one from the
//! caller; nothing here assumes UTC.

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// How much of a date and time was written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Precision {
    Year,
    Month,
    Day,
    Minute,
    Second,
    /// So many digits after the second.
    Fraction(u8),
}

/// A date, or date and time, as written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
    precision: Precision,
    offset: Option<i16>,
}

/// What gives a local date and time its place in time.
pub trait Zone {
    /// Minutes east of UTC at a local time, given as microseconds since 1970-01-01T00:00:00 on the local clock.
    fn offset_minutes(&self, local: Micros) -> i32;
}

impl<F: Fn(Micros) -> i32> Zone for F {
    fn offset_minutes(&self, local: Micros) -> i32 {
        self(local)
    }
}

/// The zone of a fixed offset: UTC is `FixedZone(0)`.
#[derive(Clone, Copy, Debug)]
pub struct FixedZone(pub i32);

impl Zone for FixedZone {
    fn offset_minutes(&self, _local: Micros) -> i32 {
        self.0
    }
}

fn digits(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    let part = bytes.get(at..at + count)?;
    part.iter().try_fold(0u32, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
}

fn two(bytes: &[u8], at: usize, min: u32, max: u32) -> Option<u8> {
    let value = digits(bytes, at, 2)?;
    (min..=max).contains(&value).then_some(value as u8)
}

/// How many days a month has.
#[must_use]
pub fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}

impl DateTime {
    /// Reads `YYYY[-MM[-DD[Thh:mm[:ss[.f…]][Z|±hh:mm]]]]`, or returns `None` if the text is not one or the day does
    /// not exist. Looser than FHIR's primitives in that seconds and zone may be missing, as search allows.
    #[must_use]
    pub fn parse(text: &str) -> Option<DateTime> {
        let b = text.as_bytes();
        let year = digits(b, 0, 4)? as u16;
        if year == 0 {
            return None;
        }
        let mut value = DateTime {
            year,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            micros: 0,
            precision: Precision::Year,
            offset: None,
        };
        if b.len() == 4 {
            return Some(value);
        }
        value.month = two(b, 5, 1, 12).filter(|_| b[4] == b'-')?;
        value.precision = Precision::Month;
        if b.len() == 7 {
            return Some(value);
        }
        value.day = two(b, 8, 1, u32::from(days_in_month(year, value.month))).filter(|_| b[7] == b'-')?;
        value.precision = Precision::Day;
        if b.len() == 10 {
            return Some(value);
        }
        value.hour = two(b, 11, 0, 23).filter(|_| b[10] == b'T')?;
        value.minute = two(b, 14, 0, 59).filter(|_| b[13] == b':')?;
        value.precision = Precision::Minute;
        let mut at = 16;
        if b.get(at) == Some(&b':') {
            value.second = two(b, 17, 0, 60)?;
            value.precision = Precision::Second;
            at = 19;
            if b.get(at) == Some(&b'.') {
                at += 1;
                let count = b[at..].iter().take_while(|d| d.is_ascii_digit()).count();
                if count == 0 {
                    return None;
                }
                let mut unit = 100_000;
                for digit in &b[at..at + count] {
                    value.micros += u32::from(digit - b'0') * unit;
                    unit /= 10;
                }
                value.precision = Precision::Fraction(u8::try_from(count).unwrap_or(u8::MAX));
                at += count;
            }
        }
        value.offset = match b.get(at) {
            None => return Some(value),
            Some(b'Z') => {
                at += 1;
                Some(0)
            }
            Some(sign @ (b'+' | b'-')) => {
                let hours = i16::from(two(b, at + 1, 0, 14)?);
                let minutes = i16::from(two(b, at + 4, 0, if hours == 14 { 0 } else { 59 })?);
                if b.get(at + 3) != Some(&b':') {
                    return None;
                }
                at += 6;
                let offset = hours * 60 + minutes;
                Some(if *sign == b'-' { -offset } else { offset })
            }
            Some(_) => return None,
        };
        (at == b.len()).then_some(value)
    }

    /// How much was written.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether a time of day was written.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.precision >= Precision::Minute
    }

    /// Whether seconds were written.
    #[must_use]
    pub fn has_seconds(&self) -> bool {
        self.precision >= Precision::Second
    }

    /// Minutes east of UTC, if a zone was written.
    #[must_use]
    pub fn offset_minutes(&self) -> Option<i16> {
        self.offset
    }

    /// Year, month, day; months and days that were not written are 1.
    #[must_use]
    pub fn date(&self) -> (u16, u8, u8) {
        (self.year, self.month, self.day)
    }

    /// Hour, minute, second, microseconds; what was not written is 0.
    #[must_use]
    pub fn time(&self) -> (u8, u8, u8, u32) {
        (self.hour, self.minute, self.second, self.micros)
    }

    /// Microseconds since 1970 on the clock the value was written by, at its first moment.
    #[must_use]
    pub fn local_start(&self) -> Micros {
        let days = days_from_civil(i64::from(self.year), i64::from(self.month), i64::from(self.day));
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        (days * SECONDS_PER_DAY + seconds) * MICROS_PER_SECOND + i64::from(self.micros)
    }

    /// Microseconds since 1970 on its own clock, just after its last moment.
    #[must_use]
    pub fn local_end(&self) -> Micros {
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let of_days = |days: i64| days * SECONDS_PER_DAY * MICROS_PER_SECOND;
        match self.precision {
            Precision::Year => of_days(days_from_civil(year + 1, 1, 1)),
            Precision::Month if month == 12 => of_days(days_from_civil(year + 1, 1, 1)),
            Precision::Month => of_days(days_from_civil(year, month + 1, 1)),
            Precision::Day => self.local_start() + of_days(1),
            Precision::Minute => self.local_start() + 60 * MICROS_PER_SECOND,
            Precision::Second => self.local_start() + MICROS_PER_SECOND,
            Precision::Fraction(count) => {
                self.local_start() + 10i64.pow(6u32.saturating_sub(u32::from(count)))
            }
        }
    }

    /// The first moment and the one just after the last, in microseconds since 1970 UTC; `zone` places a value that
    /// was written without one.
    #[must_use]
    pub fn interval(&self, zone: &impl Zone) -> (Micros, Micros) {
        let place = |local: Micros| {
            let offset = self.offset.map_or_else(|| zone.offset_minutes(local), i32::from);
            local - i64::from(offset) * 60 * MICROS_PER_SECOND
        };
        (place(self.local_start()), place(self.local_end()))
    }
}

/// A moment as a FHIR instant in UTC: `2026-11-23T09:08:01.123000Z`, always to the
/// microsecond, as fewer digits would stand for a longer while.
#[must_use]
pub fn format_instant(micros: Micros) -> String {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    let fraction = micros.rem_euclid(MICROS_PER_SECOND);
    let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn interval(text: &str) -> (Micros, Micros) {
        DateTime::parse(text).unwrap().interval(&FixedZone(540))
    }

    #[test]
    fn a_partial_date_is_the_time_it_covers() {
        let (start, end) = interval("2015");
        assert_eq!(end - start, 365 * 86_400_000_000);
        let (start, end) = interval("2016-02");
        assert_eq!(end - start, 29 * 86_400_000_000);
        assert_eq!(interval("2015-12").1, interval("2016-01").0);
    }

    #[test]
    fn a_text_without_zone_takes_the_one_given() {
        assert_eq!(interval("2015-02-07").0, interval("2015-02-06T15:00:00Z").0);
        assert_eq!(interval("2015-02-07T09:00").0, interval("2015-02-07T00:00:00Z").0);
    }

    #[test]
    fn a_fraction_keeps_its_precision() {
        let (start, end) = interval("2015-02-07T13:28:17.2Z");
        assert_eq!(end - start, 100_000);
        let (start, end) = interval("2015-02-07T13:28:17.123456789Z");
        assert_eq!(end - start, 1);
    }

    #[test]
    fn what_is_not_a_date_is_none() {
        for text in [
            "",
            "15",
            "2015-1",
            "2015-13",
            "2015-02-30",
            "2015-02-01T",
            "2015-02-01T24:00",
            "2015-02-01Z",
            "0000",
            "2015-02-01T10:00:00+15:00",
            "2015-02-01T10:00:00.+09:00",
            "2015-02-01T10:00:00Zx",
            "２０１５",
        ] {
            assert!(DateTime::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn instants_read_back(micros in -62_135_596_800_000_000i64..253_402_300_799_000_000) {
            let text = format_instant(micros);
            prop_assert_eq!(interval(&text).0, micros);
        }

        #[test]
        fn calendar_inverts(days in -719_162i64..2_932_896) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, i64::from(month), i64::from(day)), days);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = DateTime::parse(&text);
        }
    }
}
