//! A table (CSV) as devices and apps write it: in UTF-8 or Shift_JIS, with commas, semicolons or tabs, columns in any
//! order. What a column is, is guessed from what it is called.

use super::Read;
use super::measured::{Measured, Of};
use crate::birth_date;
use crate::me::own::Own;
use crate::words::Words;

/// Rows that are looked at.
const MOST_ROWS: usize = 60_000;
/// The head of the table is among the first lines.
const HEAD: usize = 12;

/// What a column is: its key, and words that stand in its head. The first that fits is taken.
const COLUMNS: &[(&str, &[&str])] = &[
    ("low1", &["最低血圧", "拡張期", "最低", "diastolic", "dia", "血圧下", "下の血圧", "low"]),
    ("high1", &["最高血圧", "収縮期", "最高", "systolic", "sys", "血圧上", "上の血圧", "high"]),
    ("pulse", &["脈拍", "心拍", "pulse", "heart", "bpm"]),
    ("weight", &["体重", "weight"]),
    ("temperature", &["体温", "temperature", "temp"]),
    ("glucose", &["血糖", "glucose", "sugar"]),
    ("oxygen", &["酸素", "spo2", "oxygen"]),
    ("steps", &["歩数", "steps", "step"]),
    ("sleep", &["睡眠", "sleep"]),
    ("time", &["時刻", "測定時間", "time"]),
    ("date", &["日時", "測定日", "日付", "年月日", "date", "timestamp"]),
];

fn column(head: &str) -> Option<&'static str> {
    let plain: String = head.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    let has_both = plain.contains("date") && plain.contains("time");
    if has_both || plain.contains("日時") {
        return Some("date");
    }
    let fits = |words: &&[&str]| words.iter().any(|word| plain.contains(word));
    COLUMNS.iter().find(|(_, words)| fits(words)).map(|(key, _)| *key)
}

/// The text, whatever it is written in.
fn text(bytes: &[u8]) -> String {
    match encoding_rs::Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding.decode(bytes).0.into_owned(),
        None => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => encoding_rs::SHIFT_JIS.decode(bytes).0.into_owned(),
        },
    }
}

fn delimiter(text: &str) -> u8 {
    let head: String = text.lines().take(HEAD).collect();
    let count = |c: char| head.matches(c).count();
    [(b'\t', '\t'), (b';', ';')].into_iter().find(|(_, c)| count(*c) > count(',')).map_or(b',', |(b, _)| b)
}

/// A number as it stands in a table; none if there is none.
fn number(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .map(|c| {
            if ('０'..='９').contains(&c) { char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c) } else { c }
        })
        .filter(|c| !c.is_whitespace() && *c != ',')
        .collect();
    let digits = plain.trim_end_matches(|c: char| !c.is_ascii_digit());
    let is_number = !digits.is_empty() && digits.parse::<f64>().is_ok_and(f64::is_finite);
    (is_number && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')).then(|| digits.to_owned())
}

/// A time of day: `7:05`, `07:05:33`, `7時5分`, `7:05 PM`.
fn time(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let is_after = lower.contains("pm") || lower.contains("午後");
    let is_before = lower.contains("am") || lower.contains("午前");
    let parts: Vec<u32> = lower
        .split(|c: char| !c.is_ascii_digit())
        .filter(|p| !p.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let (hour, minute) = (*parts.first()?, parts.get(1).copied().unwrap_or(0));
    let hour = match hour {
        12 if is_before => 0,
        h if is_after && h < 12 => h + 12,
        h => h,
    };
    (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
}

/// The moment of a row, as a form has it.
fn moment(date: &str, clock: Option<&str>) -> Option<String> {
    let date = date.trim();
    let at = date.find(['T', ' ', '\u{3000}']).filter(|at| *at >= 6);
    let (day, rest) = match at {
        Some(at) => (date.get(..at)?, date.get(at..)?.trim_matches(|c: char| c == 'T' || c.is_whitespace())),
        None => match date.find('日') {
            Some(at) => (date.get(..at + 3)?, date.get(at + 3..)?),
            None => (date, ""),
        },
    };
    let day = birth_date::read(day).filter(|d| d.len() == 10)?;
    let clock = clock.filter(|c| !c.trim().is_empty()).or(Some(rest)).filter(|c| !c.is_empty());
    match clock {
        Some(clock) => Some(format!("{day}T{}", time(clock)?)),
        None => Some(day),
    }
}

fn said(words: Words, key: &str, value: &str) -> String {
    words.say_with(key, &[("value", value.chars().take(60).collect::<String>().into())])
}

/// Reads a table.
pub(super) fn read(own: &Own, bytes: &[u8]) -> Result<Read, String> {
    let words = own.words;
    let text = text(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(&text))
        .from_reader(text.as_bytes());
    let mut read = Read::default();
    let mut heads: Vec<Option<&'static str>> = Vec::new();
    let mut record = csv::StringRecord::new();
    let mut rows = 0;
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                read.fault(rows + 1, words.say("me-import-row"));
                rows += 1;
                if rows > MOST_ROWS {
                    break;
                }
                continue;
            }
        }
        rows += 1;
        if rows > MOST_ROWS {
            read.is_cut = true;
            break;
        }
        let line = record.position().map_or(rows, |p| usize::try_from(p.line()).unwrap_or(rows));
        if heads.is_empty() {
            let found: Vec<Option<&'static str>> = record.iter().map(column).collect();
            let has = |key: &str| found.iter().flatten().any(|k| *k == key);
            if has("date") && found.iter().flatten().count() > 1 {
                read.columns = record
                    .iter()
                    .zip(&found)
                    .filter_map(|(head, key)| {
                        Some((head.trim().chars().take(60).collect(), words.say_code("me-column", (*key)?)?))
                    })
                    .collect();
                heads = found;
            } else if rows >= HEAD {
                return Err(words.say("me-import-no-head"));
            }
            continue;
        }
        row(own, &heads, &record, line, &mut read);
    }
    if heads.is_empty() { Err(words.say("me-import-no-head")) } else { Ok(read) }
}

fn row(own: &Own, heads: &[Option<&'static str>], record: &csv::StringRecord, line: usize, read: &mut Read) {
    let words = own.words;
    let cell = |key: &str| {
        let at = heads.iter().position(|h| *h == Some(key))?;
        record.get(at).map(str::trim).filter(|t| !t.is_empty())
    };
    if record.iter().all(|c| c.trim().is_empty()) {
        return;
    }
    let date = cell("date").unwrap_or_default();
    let Some(at) = moment(date, cell("time")) else {
        read.fault(line, said(words, "me-import-date", date));
        return;
    };
    let mut put = |key: &str, cells: &[&str]| {
        let texts: Vec<&str> = cells.iter().filter_map(|c| cell(c)).collect();
        if texts.is_empty() {
            return;
        }
        let values: Option<Vec<String>> = cells.iter().map(|c| number(cell(c)?)).collect();
        let measured =
            values.zip(Of::named(key)).map(|(values, kind)| Measured { kind, at: at.clone(), values });
        match measured.filter(Measured::is_possible) {
            Some(measured) => read.put(measured),
            None => {
                let name = words.say_code("me-entry", key).unwrap_or_default();
                read.fault(line, said(words, "me-import-value", &format!("{name}: {}", texts.join(" / "))));
            }
        }
    };
    put("pressure", &["high1", "low1"]);
    for key in ["pulse", "weight", "temperature", "glucose", "oxygen", "steps", "sleep"] {
        put(key, &[key]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_guessed_from_their_heads() {
        for (head, key) in [
            ("測定日", Some("date")),
            ("測定日時", Some("date")),
            ("Date/Time", Some("date")),
            ("測定時刻", Some("time")),
            ("最高血圧(mmHg)", Some("high1")),
            ("最低血圧", Some("low1")),
            ("SYS", Some("high1")),
            ("Diastolic (mmHg)", Some("low1")),
            ("脈拍(bpm)", Some("pulse")),
            ("体重", Some("weight")),
            ("機種", None),
        ] {
            assert_eq!(column(head), key, "{head}");
        }
    }

    #[test]
    fn moments_are_read_as_devices_write_them() {
        for (date, clock, at) in [
            ("2026/11/30 7:05", None, "2026-11-30T07:05"),
            ("2026-11-30T07:05:33", None, "2026-11-30T07:05"),
            ("2026年11月30日 7時5分", None, "2026-11-30T07:05"),
            ("2026/11/30", Some("7:05 PM"), "2026-11-30T19:05"),
            ("R8.11.30", Some("午前0:10"), "2026-11-30T00:10"),
            ("2026/11/30", None, "2026-11-30"),
        ] {
            assert_eq!(moment(date, clock).as_deref(), Some(at), "{date} {clock:?}");
        }
        assert_eq!(moment("soon", None), None);
        assert_eq!(moment("2026/02/30 7:05", None), None);
        assert_eq!(number("６２．５"), None);
        assert_eq!(number("１２8 mmHg").as_deref(), Some("128"));
        assert_eq!(number("8,123歩").as_deref(), Some("8123"));
    }
}
