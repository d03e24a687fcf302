//! Moments as a form has them, `2026-11-30T08:15` in the hub's zone, and as FHIR has them, with their offset.

use fhir::DateTime;
use fhir::date_time::{Micros, civil_from_days, days_from_civil};
use search::Zone;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 86_400_000_000;

/// The present moment.
pub(super) fn now() -> Micros {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(0)
}

/// A moment for a form's field.
pub(super) fn for_field(moment: Micros, zone: &Zone) -> String {
    let local = moment.saturating_add(i64::from(zone.offset_at(moment)) * MINUTE);
    let (year, month, day) = civil_from_days(local.div_euclid(DAY));
    let minutes = local.rem_euclid(DAY) / MINUTE;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}", minutes / 60, minutes % 60)
}

/// What a form's field says, as a FHIR dateTime and as a moment. A time may be missing.
pub(super) fn of_field(text: &str, zone: &Zone) -> Option<(String, Micros)> {
    let text = text.trim().replace(' ', "T");
    let Some((date, time)) = text.split_once('T') else {
        let moment = DateTime::parse(&text).filter(|_| text.len() == 10)?.interval(zone).0;
        return Some((text, moment));
    };
    let mut parts = date.split('-').map(str::parse::<i64>);
    let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let (hour, rest) = time.split_once(':')?;
    let minute = rest.split(':').next()?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(1..=9999).contains(&year) {
        return None;
    }
    // A date that is none does not read.
    DateTime::parse(&format!("{year:04}-{month:02}-{day:02}"))?;
    let local = days_from_civil(year, month, day) * DAY + (hour * 60 + minute) * MINUTE;
    let offset = |at: Micros| i64::from(zone.offset_at(at));
    let guess = local - offset(local) * MINUTE;
    let minutes = offset(guess);
    let sign = if minutes < 0 { '-' } else { '+' };
    let written = format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00{sign}{:02}:{:02}",
        minutes.abs() / 60,
        minutes.abs() % 60
    );
    Some((written, local - minutes * MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_as_a_moment_of_the_hubs_zone_and_back() {
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        let (written, moment) = of_field("2026-11-30T08:15", &tokyo).unwrap();
        assert_eq!(written, "2026-11-30T08:15:00+09:00");
        assert_eq!(for_field(moment, &tokyo), "2026-11-30T08:15");
        assert_eq!(DateTime::parse(&written).unwrap().interval(&tokyo).0, moment);
        let (winter, _) = of_field("2026-01-30T23:59", &Zone::named("America/New_York").unwrap()).unwrap();
        assert_eq!(winter, "2026-01-30T23:59:00-05:00");
        assert_eq!(of_field("2026-11-30", &tokyo).unwrap().0, "2026-11-30");
        for wrong in ["", "2026-02-30T08:15", "2026-11-30T25:00", "soon", "2026-11-30T", "2026-11"] {
            assert_eq!(of_field(wrong, &tokyo), None, "{wrong}");
        }
    }
}
