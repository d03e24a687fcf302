//! A birth date, however it is written: 1975-04-02, 1975/4/2, 19750402, 昭和50年4月2日, S50.4.2, １９７５年４月.
//!
//! Years of an era are taken beyond its end (平成32年 is 2020): people write them so, and they mean one year only.

use fhir::date_time::days_in_month;

/// An era's names, with the year before its first.
const ERAS: &[(&[&str], u16)] = &[
    (&["令和", "㋿", "R"], 2018),
    (&["平成", "㍻", "H"], 1988),
    (&["昭和", "㍼", "S"], 1925),
    (&["大正", "㍽", "T"], 1911),
    (&["明治", "㍾", "M"], 1867),
];

/// Reads a birth date into the form of FHIR: `1975`, `1975-04` or `1975-04-02`; none if the text is not one.
pub(crate) fn read(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).map(plain_character).collect();
    let (base, rest) = era(&plain);
    let rest = if base > 0 { rest.replacen("元", "1", 1) } else { rest.to_owned() };
    if base == 0
        && let Some(parts) = unseparated(&rest)
    {
        return written(parts);
    }
    let parts = separated(&rest)?;
    let (year, month, day) = (parts.first()?.0, parts.get(1), parts.get(2));
    if base == 0 && parts[0].1 != 4 {
        return None;
    }
    written((base + year, month.map(|p| p.0), day.map(|p| p.0)))
}

/// The character in half width, separators as one.
fn plain_character(c: char) -> char {
    match c {
        '０'..='９' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        'Ａ'..='Ｚ' | 'ａ'..='ｚ' => {
            char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c).to_ascii_uppercase()
        }
        'a'..='z' => c.to_ascii_uppercase(),
        '/' | '.' | '／' | '．' | '。' | 'ー' | '－' | '‐' | '−' | '–' => '-',
        _ => c,
    }
}

/// The year before an era's first and what follows its name; 0 without an era.
fn era(text: &str) -> (u16, &str) {
    for (names, base) in ERAS {
        if let Some(rest) = names.iter().find_map(|name| text.strip_prefix(name)) {
            return (*base, rest.strip_prefix('-').unwrap_or(rest));
        }
    }
    (0, text)
}

type Parts = (u16, Option<u16>, Option<u16>);

/// `YYYYMMDD` or `YYYYMM` without separators.
fn unseparated(text: &str) -> Option<Parts> {
    if !text.bytes().all(|b| b.is_ascii_digit()) || !matches!(text.len(), 6 | 8) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse().ok();
    Some((number(0, 4)?, number(4, 6), number(6, 8)))
}

/// One to three numbers between separators, each with how many digits it has.
fn separated(text: &str) -> Option<Vec<(u16, usize)>> {
    let trimmed = text.trim_end_matches(['年', '月', '日', '生']);
    let parts = trimmed.split(['-', '年', '月']).map(|part| {
        let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if is_number { Some((part.parse().ok()?, part.len())) } else { None }
    });
    let parts: Option<Vec<_>> = parts.collect();
    parts.filter(|p| (1..=3).contains(&p.len()))
}

fn written((year, month, day): Parts) -> Option<String> {
    if !(1850..=2200).contains(&year) {
        return None;
    }
    let Some(month) = month else { return Some(format!("{year:04}")) };
    let narrow = u8::try_from(month).ok().filter(|m| (1..=12).contains(m))?;
    let Some(day) = day else { return Some(format!("{year:04}-{month:02}")) };
    let is_day = (1..=u16::from(days_in_month(year, narrow))).contains(&day);
    is_day.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_way_of_writing_is_read() {
        for text in [
            "1975-04-02",
            "1975-4-2",
            "1975/4/2",
            "1975.4.2",
            "19750402",
            "1975年4月2日",
            "昭和50年4月2日",
            "S50.4.2",
            "s50-4-2",
            "S50/04/02",
            "昭和50.4.2",
            "１９７５年４月２日",
            "Ｓ５０．４．２",
            " 1975 / 4 / 2 ",
            "昭和50年4月2日生",
        ] {
            assert_eq!(read(text).as_deref(), Some("1975-04-02"), "{text}");
        }
    }

    #[test]
    fn eras_have_their_years() {
        assert_eq!(read("令和元年5月1日").as_deref(), Some("2019-05-01"));
        assert_eq!(read("R8.11.23").as_deref(), Some("2026-11-23"));
        assert_eq!(read("H1.1.8").as_deref(), Some("1989-01-08"));
        assert_eq!(read("大正15年12月24日").as_deref(), Some("1926-12-24"));
        assert_eq!(read("明治45年7月29日").as_deref(), Some("1912-07-29"));
    }

    #[test]
    fn a_part_of_a_date_is_a_part() {
        assert_eq!(read("1975").as_deref(), Some("1975"));
        assert_eq!(read("1975年").as_deref(), Some("1975"));
        assert_eq!(read("昭和50年4月").as_deref(), Some("1975-04"));
        assert_eq!(read("197504").as_deref(), Some("1975-04"));
        assert_eq!(read("S50").as_deref(), Some("1975"));
    }

    #[test]
    fn what_is_not_a_date_is_a_name() {
        for text in [
            "",
            "山田",
            "Smith",
            "H",
            "M",
            "75-4-2",
            "1975-13-01",
            "1975-02-29",
            "19751340",
            "3000",
            "1975-4-2-1",
            "年",
            "S",
            "昭和",
            "T.Suzuki",
            "12345678901234567890",
            "元",
            "-",
            "1975--2",
            "平成年",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
