//! Which patients are compared: those that one of a few searches finds, each answered by an index.
//!
//! Comparing with everyone would cost what the hub holds. A block is what has something rare in common with the one looked
//! for: a number, a telephone, a birth date, a name, a slip of the birth date with part of the name, a postal code with
//! part of the name or the year of birth. Whoever is the same person and in none of them differs in nearly everything.
//! A block that finds too many is narrowed by the names; if that is still too many, the answer says so.

use std::collections::BTreeSet;

use search::query::{Pair, literal};

use super::identity::{BirthDate, Identity};
use super::kana::{in_kana, in_letters};
use super::name::{Part, same_kanji};

/// Values in one search at most.
const MAX_VALUES: usize = 60;

/// A search for candidates, and a narrower one for where it finds too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// What those it finds have in common, in words.
    pub(super) what: &'static str,
    pub(super) pairs: Vec<Pair>,
    pub(super) narrower: Option<Vec<Pair>>,
}

/// The searches for whoever may be this person; none if too little is known.
pub(super) fn blocks(identity: &Identity) -> Vec<Block> {
    let names = &identity.names;
    let (family, former, given) =
        (spellings(&names.family), spellings(&names.former), spellings(&names.given));
    let families = joined(&[&family, &former]);
    let anything = joined(&[&family, &former, &given, &whole(identity)]);
    let by_name = list("name", &anything);
    let mut blocks = Vec::new();
    let mut add = |what, pairs: Vec<Option<Pair>>, narrower: Vec<Option<Pair>>| {
        if let Some(pairs) = all(pairs) {
            blocks.push(Block { what, pairs, narrower: all(narrower) });
        }
    };
    add("an identifier", vec![identifiers(identity)], vec![identifiers(identity), by_name.clone()]);
    let telecom = list_exactly("telecom", &telecoms(identity));
    add("a telephone number or mail address", vec![telecom.clone()], vec![telecom, by_name.clone()]);
    let birth = identity.birth_date.map(|d| ("birthdate".to_owned(), written(d)));
    match identity.birth_date.and_then(BirthDate::digits) {
        Some(digits) => {
            add("the birth date", vec![birth.clone()], vec![birth, by_name.clone()]);
            let slips = list_exactly("birthdate", &slips(digits));
            let narrower = vec![slips.clone(), list("name", &families), list("name", &given)];
            add("nearly the birth date, and part of the name", vec![slips, by_name.clone()], narrower);
        }
        None => {
            let narrower = vec![birth.clone(), list("name", &families), list("name", &given)];
            add("the year of birth, and part of the name", vec![birth, by_name.clone()], narrower);
        }
    }
    let year = identity.birth_date.map(|d| ("birthdate".to_owned(), format!("{:04}", d.year)));
    let in_order = vec![list("family", &families), list("given", &given)];
    let with_year = |pairs: &[Option<Pair>]| [pairs, std::slice::from_ref(&year)].concat();
    add("the name", in_order.clone(), with_year(&in_order));
    let exchanged = vec![list("family", &given), list("given", &family)];
    add("the name, exchanged", exchanged.clone(), with_year(&exchanged));
    let texts = vec![list("name", &whole(identity))];
    add("the whole name", texts.clone(), with_year(&texts));
    let postal = list("address-postalcode", &postal_codes(identity));
    let narrower = vec![postal.clone(), list("name", &families), list("name", &given)];
    add("the postal code, and part of the name", vec![postal.clone(), by_name.clone()], narrower);
    add(
        "the postal code, and the year of birth",
        vec![postal.clone(), year.clone()],
        vec![postal, year, by_name],
    );
    blocks
}

/// All of them, if none is missing.
fn all(pairs: Vec<Option<Pair>>) -> Option<Vec<Pair>> {
    pairs.into_iter().collect()
}

fn joined(sets: &[&BTreeSet<String>]) -> BTreeSet<String> {
    sets.iter().copied().flatten().cloned().collect()
}

/// Any of these values of a string parameter; none if there are none. Of one that is the beginning of another, that one is
/// not needed.
fn list(name: &str, values: &BTreeSet<String>) -> Option<Pair> {
    let mut kept: Vec<&String> = Vec::new();
    for value in values {
        // In the order of texts a beginning comes right before what it begins.
        if kept.last().is_none_or(|last| !value.starts_with(last.as_str())) {
            kept.push(value);
        }
    }
    let values: Vec<String> = kept.into_iter().take(MAX_VALUES).map(|v| literal(v)).collect();
    (!values.is_empty()).then(|| (name.to_owned(), values.join(",")))
}

fn list_exactly(name: &str, values: &BTreeSet<String>) -> Option<Pair> {
    let values: Vec<String> = values.iter().take(MAX_VALUES).map(|v| literal(v)).collect();
    (!values.is_empty()).then(|| (name.to_owned(), values.join(",")))
}

/// Kanji names of more characters than this are not looked for in other kanji.
const MAX_VARIED: usize = 4;

/// How a part of a name may be written where it is kept.
fn spellings(part: &Part) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for text in &part.ideographs {
        let mut written = vec![String::new()];
        for (at, c) in text.chars().enumerate() {
            let same = if at < MAX_VARIED { same_kanji(c) } else { vec![c] };
            written = same.iter().flat_map(|c| written.iter().map(move |w| format!("{w}{c}"))).collect();
        }
        found.extend(written);
    }
    for text in &part.kana {
        found.insert(text.clone());
        found.extend(in_letters(text));
    }
    for text in &part.latin {
        found.insert(text.clone());
        found.extend(in_kana(text));
        // Other spellings in letters, by way of the kana.
        found.extend(in_kana(text).iter().take(4).flat_map(|kana| in_letters(kana)));
    }
    found.retain(|text| !text.is_empty());
    found
}

/// The whole name, as a register that does not divide names has it.
fn whole(identity: &Identity) -> BTreeSet<String> {
    let names = &identity.names;
    let mut found = names.whole.clone();
    for (families, givens) in [
        (&names.family.ideographs, &names.given.ideographs),
        (&names.family.kana, &names.given.kana),
        (&names.family.latin, &names.given.latin),
    ] {
        for (family, given) in families.iter().flat_map(|f| givens.iter().map(move |g| (f, g))) {
            found.extend([format!("{family}{given}"), format!("{family} {given}")]);
        }
    }
    found
}

fn identifiers(identity: &Identity) -> Option<Pair> {
    let values = identity.identifiers.iter().take(MAX_VALUES).map(|(system, value)| {
        let value = literal(value);
        if system.is_empty() { value } else { format!("{}|{value}", literal(system)) }
    });
    let values: Vec<String> = values.collect();
    (!values.is_empty()).then(|| ("identifier".to_owned(), values.join(",")))
}

/// Where a Japanese number is divided: after so many digits of an area code, and then of an exchange.
const DIVISIONS: &[(usize, usize)] = &[(3, 4), (2, 4), (3, 3), (4, 2), (4, 3), (5, 1)];

/// Telephone numbers in the forms registers have them in: the index compares texts.
fn telecoms(identity: &Identity) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for value in identity.telecoms.iter().take(4) {
        found.insert(value.clone());
        let Some(rest) = value.strip_prefix('0').filter(|_| value.len() >= 10 && value.is_ascii()) else {
            continue;
        };
        found.extend([format!("+81{rest}"), format!("81{rest}")]);
        for (area, exchange) in DIVISIONS.iter().filter(|(a, e)| a + e + 3 <= value.len()) {
            let (area, line) = value.split_at(*area);
            let (exchange, line) = line.split_at(*exchange);
            if line.len() == 4 {
                found.insert(format!("{area}-{exchange}-{line}"));
                found.insert(format!("({area}){exchange}-{line}"));
                found.insert(format!("+81-{}-{exchange}-{line}", &area[1..]));
                found.insert(format!("+81 {} {exchange} {line}", &area[1..]));
            }
        }
    }
    found
}

fn postal_codes(identity: &Identity) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for code in identity.addresses.iter().map(|a| a.postal_code.as_str()).filter(|c| c.len() >= 5) {
        found.insert(code.to_owned());
        if code.len() == 7 && code.is_ascii() {
            found.insert(format!("{}-{}", &code[..3], &code[3..]));
        }
    }
    found
}

fn written(date: BirthDate) -> String {
    let part = |part: Option<u8>| part.map(|p| format!("-{p:02}")).unwrap_or_default();
    let (month, day) = (part(date.month), part(date.month.and(date.day)));
    format!("{:04}{month}{day}", date.year)
}

/// Dates that exist and are one slip away: day and month exchanged, neighbours exchanged, one digit of them other.
fn slips(digits: [u8; 8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |digits: [u8; 8]| {
        let text = String::from_utf8_lossy(&digits);
        let text = format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]);
        if fhir::DateTime::parse(&text).is_some() {
            found.insert(text);
        }
    };
    let [y1, y2, y3, y4, m1, m2, d1, d2] = digits;
    add([y1, y2, y3, y4, d1, d2, m1, m2]);
    for at in 0..7 {
        let mut other = digits;
        other.swap(at, at + 1);
        add(other);
    }
    // Of the century nobody errs.
    for at in 2..8 {
        for digit in b'0'..=b'9' {
            let mut other = digits;
            other[at] = digit;
            add(other);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(members: &str) -> Vec<Block> {
        let text = format!(r#"{{"resourceType":"Patient",{members}}}"#);
        let patient = fhir::json::parse(text.as_bytes(), &fhir::Limits::default()).unwrap();
        blocks(&Identity::read(patient.root()))
    }

    #[test]
    fn what_is_looked_for_is_escaped_and_bounded() {
        let found = of(
            r#""identifier":[{"system":"urn:s","value":"1,2|3"}],"birthDate":"1975-04-12","gender":"male""#,
        );
        assert_eq!(found[0].pairs, [("identifier".to_owned(), "urn:s|1\\,2\\|3".to_owned())]);
        assert_eq!(found[1].pairs, [("birthdate".to_owned(), "1975-04-12".to_owned())]);
        assert_eq!(found.len(), 2, "slips need a name: {found:?}");
        assert!(of(r#""gender":"male""#).is_empty());
        let slips = slips(*b"19750412");
        assert!(slips.len() <= MAX_VALUES && slips.contains("1975-12-04") && slips.contains("1957-04-12"));
    }

    #[test]
    fn a_name_is_looked_for_in_all_its_spellings() {
        let found = of(r#""name":[{"family":"髙崎","given":["ようこ"]}]"#);
        let name = found.iter().find(|b| b.what == "the name").unwrap();
        assert_eq!(name.pairs[0].1, "高崎,高碕,高﨑,髙崎,髙碕,髙﨑");
        assert_eq!(name.pairs[1].1, "yoko,youko,ようこ");
    }

    #[test]
    fn telephone_numbers_are_looked_for_in_their_forms() {
        let found = of(r#""telecom":[{"value":"+81 3 1234 5678"}]"#);
        let value = &found[0].pairs[0].1;
        for form in ["0312345678", "03-1234-5678", "+81312345678", "+81 3 1234 5678"] {
            assert!(value.split(',').any(|v| v == form), "{form} in {value}");
        }
    }
}
