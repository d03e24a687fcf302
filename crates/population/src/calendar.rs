//! Days and moments in Japan, which has one zone and no summer time.

/// Days since 1970-01-01, in Japan.
pub(crate) type Day = i64;
/// Seconds since 1970 UTC.
pub(crate) type Moment = i64;

pub(crate) const MINUTE: Moment = 60;
pub(crate) const HOUR: Moment = 3600;
pub(crate) const DAY: Moment = 86_400;

/// The day the records begin.
pub(crate) const FIRST_DAY: Day = day(2016, 11, 1);
/// The day before which everything has been recorded.
pub(crate) const LAST_DAY: Day = day(2026, 11, 1);
/// The moment after which nothing is recorded.
pub(crate) const END_MOMENT: Moment = at(LAST_DAY, 0, 0);

/// The day with this date. Howard Hinnant's `days_from_civil`.
pub(crate) const fn day(year: i64, month: i64, day: i64) -> Day {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day. Howard Hinnant's `civil_from_days`.
pub(crate) const fn civil(day: Day) -> (i64, i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let m = (5 * of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    (year + era * 400 + if month <= 2 { 1 } else { 0 }, month, of_year - (153 * m + 2) / 5 + 1)
}

/// The moment the clock in Japan shows this.
pub(crate) const fn at(day: Day, hour: i64, minute: i64) -> Moment {
    day * DAY + (hour - 9) * HOUR + minute * MINUTE
}

/// The day of a moment.
pub(crate) const fn day_of(moment: Moment) -> Day {
    (moment + 9 * HOUR).div_euclid(DAY)
}

/// This day, or Monday if it is a Sunday.
pub(crate) const fn working(day: Day) -> Day {
    if (day + 4).rem_euclid(7) == 0 { day + 1 } else { day }
}

/// Age in years with a fraction, as growth and ageing go.
pub(crate) fn years(birth: Day, day: Day) -> f64 {
    (day - birth) as f64 / 365.25
}

/// The day someone born then has their n-th birthday.
pub(crate) const fn birthday(birth: Day, age: i64) -> Day {
    let (year, month, of_month) = civil(birth);
    let of_month = if month == 2 && of_month == 29 { 28 } else { of_month };
    day(year + age, month, of_month)
}

/// `2026-11-01`
pub(crate) fn date_text(day: Day) -> String {
    let (year, month, of_month) = civil(day);
    format!("{year:04}-{month:02}-{of_month:02}")
}

/// `2026-11-01T08:30:00+09:00`
pub(crate) fn moment_text(moment: Moment) -> String {
    let day = day_of(moment);
    let second = moment + 9 * HOUR - day * DAY;
    let (hour, minute, second) = (second / HOUR, second / MINUTE % 60, second % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}+09:00", date_text(day))
}
