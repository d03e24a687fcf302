//! Two identities, compared in each respect.
//!
//! A respect that one of the two says nothing about is not compared: it speaks neither for nor against.

use std::collections::BTreeSet;

use strsim::osa_distance;

use super::identity::{Address, BirthDate, Identity};
use super::kana;
use super::model::{Finding, MatchModel};
use super::name::{Names, Part};

/// What can be found in each respect.
pub(super) const LEVELS: &[(&str, &[&str])] = &[
    ("identifier", &["same", "close", "different"]),
    ("family", &["written", "sound", "other-kanji", "other-sound", "close", "former", "different"]),
    ("given", &["written", "sound", "other-kanji", "other-sound", "close", "different"]),
    ("name-order", &["swapped"]),
    ("birth-date", &["same", "exchanged", "close", "month", "year", "different"]),
    ("gender", &["same", "different"]),
    ("telecom", &["same", "different"]),
    ("address", &["same", "near", "different"]),
    ("household", &["shared"]),
];

/// What comparing two identities finds.
pub(super) fn compare(a: &Identity, b: &Identity, model: &MatchModel) -> Vec<Finding> {
    let mut found = names(&a.names, &b.names, model);
    let mut add = |feature: &'static str, level: Option<&'static str>| {
        found.extend(level.map(|level| model.weigh(feature, level)));
    };
    add("birth-date", a.birth_date.zip(b.birth_date).map(|(a, b)| birth_dates(a, b)));
    let genders = a.gender.as_ref().zip(b.gender.as_ref());
    add("gender", genders.map(|(a, b)| if a == b { "same" } else { "different" }));
    let (telecom, address) = (telecoms(a, b), addresses(&a.addresses, &b.addresses));
    add("telecom", telecom);
    add("address", address);
    add("household", (telecom == Some("same") && address == Some("same")).then_some("shared"));
    add("identifier", identifiers(a, b));
    found
}

/// How two sets of texts agree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    Unknown,
    Different,
    Close,
    Same,
}

fn agreement(a: &BTreeSet<String>, b: &BTreeSet<String>, is_close: fn(&str, &str) -> bool) -> Agreement {
    if a.is_empty() || b.is_empty() {
        Agreement::Unknown
    } else if !a.is_disjoint(b) {
        Agreement::Same
    } else if a.iter().any(|a| b.iter().any(|b| is_close(a, b))) {
        Agreement::Close
    } else {
        Agreement::Different
    }
}

/// Longer texts are not looked through for slips.
const LONGEST: usize = 100;

/// One slip in a text of at least so many characters.
fn is_slip(a: &str, b: &str, least: usize) -> bool {
    let (m, n) = (a.chars().count(), b.chars().count());
    (least..=LONGEST).contains(&m.max(n)) && m.abs_diff(n) <= 1 && osa_distance(a, b) == 1
}

/// How two parts of names sound. Kana are compared with kana where both have some: letters tell less apart.
fn sounds(a: &Part, b: &Part) -> Agreement {
    if !a.kana.is_empty() && !b.kana.is_empty() {
        return agreement(&a.plain_kana(), &b.plain_kana(), |a, b| is_slip(a, b, 3));
    }
    let keys = |part: &Part| part.kana.iter().chain(&part.latin).map(|text| kana::key(text)).collect();
    agreement(&keys(a), &keys(b), |a, b| is_slip(a, b, 5))
}

fn parts(a: &Part, b: &Part) -> Option<&'static str> {
    let writing = agreement(&a.ideographs, &b.ideographs, |a, b| is_slip(a, b, 2));
    Some(match (writing, sounds(a, b)) {
        (Agreement::Unknown, Agreement::Unknown) => return None,
        (Agreement::Same, Agreement::Same | Agreement::Unknown) => "written",
        (Agreement::Same, Agreement::Close | Agreement::Different) => "other-sound",
        (Agreement::Unknown, Agreement::Same) => "sound",
        (Agreement::Close | Agreement::Different, Agreement::Same) => "other-kanji",
        // Kanji that differ by one are another name, if they are known to sound differently.
        (Agreement::Close, Agreement::Unknown) | (_, Agreement::Close) => "close",
        (_, Agreement::Different) | (Agreement::Different, Agreement::Unknown) => "different",
    })
}

/// Family and given names, in the order they stand, or exchanged.
fn names(a: &Names, b: &Names, model: &MatchModel) -> Vec<Finding> {
    let (a, b) = (a.divided_as(b), b.divided_as(a));
    let is_same = |level: Option<&str>| matches!(level, Some("written" | "sound"));
    let family = parts(&a.family, &b.family);
    let given = parts(&a.given, &b.given);
    // Which of the two is in the wrong order nobody knows: if only one part agreed, it might be the family name of both,
    // and they might be twins. So exchanged names have to agree in both parts.
    let swapped = (parts(&a.given, &b.family), parts(&a.family, &b.given));
    if !is_same(given)
        && let (Some(family), Some(given)) = swapped
        && is_same(Some(family))
        && is_same(Some(given))
    {
        return [("family", family), ("given", given), ("name-order", "swapped")]
            .map(|(feature, level)| model.weigh(feature, level))
            .into();
    }
    // Only what was called so before counts as a former name of the other.
    let former = || {
        is_same(parts(&a.former, &b.family))
            || is_same(parts(&a.family, &b.former))
            || is_same(parts(&a.former, &b.former))
    };
    let family = match family {
        Some("different" | "close") | None if former() => Some("former"),
        other => other,
    };
    let family = family.map(|level| model.weigh("family", level));
    family.into_iter().chain(given.map(|level| model.weigh("given", level))).collect()
}

fn birth_dates(a: BirthDate, b: BirthDate) -> &'static str {
    let (Some(x), Some(y)) = (a.digits(), b.digits()) else {
        // One of the two is partial: what both know counts.
        let months = a.month.zip(b.month);
        return match months {
            _ if a.year != b.year => "different",
            Some((a, b)) if a == b => "month",
            Some(_) => "different",
            None => "year",
        };
    };
    if x == y {
        return "same";
    }
    if a.year == b.year && a.month == b.day && a.day == b.month {
        return "exchanged";
    }
    let (x, y) = (String::from_utf8_lossy(&x), String::from_utf8_lossy(&y));
    // Both have eight digits: a distance of one is a digit that differs, or neighbours exchanged.
    if osa_distance(&x, &y) == 1 { "close" } else { "different" }
}

fn telecoms(a: &Identity, b: &Identity) -> Option<&'static str> {
    match agreement(&a.telecoms, &b.telecoms, |_, _| false) {
        Agreement::Unknown => None,
        Agreement::Same => Some("same"),
        _ => Some("different"),
    }
}

/// A line says where somebody lives from this length on.
const WHOLE_LINE: usize = 5;

fn addresses(a: &[Address], b: &[Address]) -> Option<&'static str> {
    let pairs = || a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    pairs().next()?;
    let is_same = |(a, b): (&Address, &Address)| {
        let (long, short) = if a.line.len() >= b.line.len() { (a, b) } else { (b, a) };
        let has_number = short.line.contains(|c: char| c.is_ascii_digit());
        let is_whole = short.line.chars().count() >= WHOLE_LINE && has_number;
        // One may leave out prefecture and city, or the building.
        let is_beginning = long.line.starts_with(&short.line) || short.postal_code == long.postal_code;
        let is_part = long.line.ends_with(&short.line)
            || (is_beginning && contains_before_building(&long.line, &short.line));
        is_whole && is_part
    };
    if pairs().any(is_same) {
        return Some("same");
    }
    let is_near = |(a, b): (&Address, &Address)| !a.postal_code.is_empty() && a.postal_code == b.postal_code;
    Some(if pairs().any(is_near) { "near" } else { "different" })
}

/// Whether the short line stands in the long one, and not with more digits after it.
fn contains_before_building(long: &str, short: &str) -> bool {
    long.find(short)
        .is_some_and(|at| !long[at + short.len()..].starts_with(|c: char| c.is_ascii_digit() || c == '-'))
}

/// An identifier is long enough for a slip from this length on.
const LONG_IDENTIFIER: usize = 6;

fn identifiers(a: &Identity, b: &Identity) -> Option<&'static str> {
    let pairs = || {
        a.identifiers.iter().flat_map(|a| b.identifiers.iter().map(move |b| (a, b))).filter(|(a, b)| {
            // Without a system only a long value says something.
            let is_plain = a.0.is_empty() || b.0.is_empty();
            a.0 == b.0 && !is_plain || is_plain && a.1 == b.1 && a.1.len() >= LONG_IDENTIFIER
        })
    };
    pairs().next()?;
    if pairs().any(|(a, b)| a.1 == b.1) {
        Some("same")
    } else if pairs().any(|(a, b)| is_slip(&a.1, &b.1, LONG_IDENTIFIER)) {
        Some("close")
    } else {
        Some("different")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(members: &str) -> Identity {
        let text = format!(r#"{{"resourceType":"Patient",{members}}}"#);
        Identity::read(fhir::json::parse(text.as_bytes(), &fhir::Limits::default()).unwrap().root())
    }

    fn found(a: &str, b: &str) -> String {
        let findings = compare(&identity(a), &identity(b), MatchModel::standard().unwrap());
        findings.iter().map(|f| format!("{} {}", f.feature, f.level)).collect::<Vec<_>>().join(", ")
    }

    fn name(family: &str, given: &str) -> String {
        format!(r#""name":[{{"family":"{family}","given":["{given}"]}}]"#)
    }

    #[test]
    fn names_however_they_are_written() {
        let both = r#""name":[{"family":"佐藤","given":["優子"]},{"family":"サトウ","given":["ユウコ"]}]"#;
        for (other, expected) in [
            (name("佐藤", "優子"), "family written, given written"),
            (name("ｻﾄｳ", "ﾕｳｺ"), "family sound, given sound"),
            (name("さとう", "ゆうこ"), "family sound, given sound"),
            (name("Satoh", "Yuuko"), "family sound, given sound"),
            (name("Yuko", "Sato"), "family sound, given sound, name-order swapped"),
            (name("優子", "佐藤"), "family written, given written, name-order swapped"),
            (r#""name":[{"text":"佐藤　優子"}]"#.to_owned(), "family written, given written"),
            (r#""name":[{"text":"佐藤優子"}]"#.to_owned(), "family written, given written"),
            (name("サトー", "ユウコ"), "family close, given sound"),
            (
                r#""name":[{"family":"佐藤","given":["裕子"]},{"family":"サトウ","given":["ユウコ"]}]"#
                    .to_owned(),
                "family written, given other-kanji",
            ),
            (
                r#""name":[{"family":"佐藤","given":["優子"]},{"family":"サトウ","given":["マサコ"]}]"#
                    .to_owned(),
                "family written, given other-sound",
            ),
            (
                r#""name":[{"family":"鈴木","given":["優子"]},{"use":"maiden","family":"佐藤"}]"#.to_owned(),
                "family former, given written",
            ),
            (
                r#""name":[{"family":"佐藤","given":["太郎"]},{"family":"サトウ","given":["タロウ"]}]"#
                    .to_owned(),
                "family written, given different",
            ),
        ] {
            assert_eq!(found(both, &other), expected, "{other}");
            assert_eq!(found(&other, both), expected, "{other}, the other way");
        }
        assert_eq!(
            found(&name("西村", "葵"), &name("優花", "西村")),
            "family different, given different",
            "an exchanged name of a twin has a part in common, not the person"
        );
        assert_eq!(found(&name("髙﨑", "眞"), &name("高崎", "真")), "family written, given written");
    }

    #[test]
    fn birth_dates_with_slips() {
        for (other, expected) in [
            ("1975-04-12", "same"),
            ("1975-12-04", "exchanged"),
            ("1975-04-13", "close"),
            ("1975-04-21", "close"),
            ("1957-04-12", "close"),
            ("1975-04", "month"),
            ("1975", "year"),
            ("1975-05", "different"),
            ("1957-04-13", "different"),
        ] {
            let one = |date: &str| format!(r#""birthDate":"{date}""#);
            assert_eq!(found(&one("1975-04-12"), &one(other)), format!("birth-date {expected}"), "{other}");
        }
    }

    #[test]
    fn the_rest() {
        let phone = |n: &str| format!(r#""telecom":[{{"system":"phone","value":"{n}"}}]"#);
        assert_eq!(found(&phone("050-0000-1234"), &phone("+81 50 0000 1234")), "telecom same");
        assert_eq!(found(&phone("050-0000-1234"), &phone("050-0000-1235")), "telecom different");
        let address = |line: &str| format!(r#""address":[{{"postalCode":"000-0101","line":["{line}"]}}]"#);
        assert_eq!(found(&address("本町1丁目2番3号 コーポ霞201号室"), &address("本町1-2-3")), "address same");
        assert_eq!(found(&address("本町1丁目2番30号"), &address("本町1-2-3")), "address near");
        let number = |s: &str, v: &str| format!(r#""identifier":[{{"system":"{s}","value":"{v}"}}]"#);
        assert_eq!(found(&number("s", "12345678"), &number("s", "12345678")), "identifier same");
        assert_eq!(found(&number("s", "12345678"), &number("s", "12354678")), "identifier close");
        assert_eq!(found(&number("s", "12345678"), &number("s", "87654321")), "identifier different");
        assert_eq!(found(&number("s", "12345678"), &number("t", "12345678")), "");
        let both = format!("{},{}", phone("050-0000-1234"), address("本町1-2-3"));
        assert_eq!(found(&both, &both), "telecom same, address same, household shared");
        assert_eq!(found(r#""gender":"unknown""#, r#""gender":"male""#), "");
    }
}
