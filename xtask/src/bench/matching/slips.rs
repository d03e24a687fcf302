//! What happens to a person's details on the way to another register: forms without a field, other writings, slips, moves,
//! marriages. How often is made up so as to be worse than most registers.

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// A name in kanji, katakana and Latin letters.
#[derive(Clone)]
pub(super) struct Writings(pub(super) [String; 3]);

impl Writings {
    /// A part (`family` or `given`) of a Patient's names.
    pub(super) fn of(patient: &Value, part: &str) -> Writings {
        let text = |at: usize| {
            let name = &patient["name"][at][part];
            name.as_str().or(name[0].as_str()).unwrap_or_default().to_owned()
        };
        Writings([text(0), text(1), text(2)])
    }
}

/// Puts a part of a name in the place of a Patient's own, in all its writings.
pub(super) fn put(patient: &mut Value, part: &str, writings: &Writings) {
    for (at, text) in writings.0.iter().enumerate() {
        let value = if part == "given" { json!([text]) } else { json!(text) };
        patient["name"][at][part] = value;
        patient["name"][at]["text"] = Value::Null;
    }
}

/// A chance of so many in a hundred.
pub(super) fn chance(random: &mut StdRng, percent: f64) -> bool {
    random.random_range(0.0..100.0) < percent
}

/// Removes what a register does not know: letters often, kana sometimes.
pub(super) fn registered(random: &mut StdRng, patient: &mut Value) {
    let kept = if chance(random, 5.0) {
        1
    } else if chance(random, 50.0) {
        2
    } else {
        3
    };
    if let Some(names) = patient["name"].as_array_mut() {
        names.truncate(kept);
    }
}

/// A person's details as another register sends them.
pub(super) fn sent(random: &mut StdRng, person: &Value, other_address: &Value) -> Value {
    let mut sent = json!({"resourceType": "Patient"});
    let mut person = person.clone();
    if chance(random, 4.0) {
        let at = random.random_range(0..2);
        slip_in_name(random, &mut person, ["family", "given"][at]);
    }
    sent["name"] = names(random, &person);
    if !chance(random, 40.0) {
        let value = person["identifier"][0]["value"].as_str().unwrap_or_default().to_owned();
        let value = if chance(random, 5.0) { exchanged(random, &value) } else { value };
        sent["identifier"] = json!([{"system": person["identifier"][0]["system"], "value": value}]);
    }
    if !chance(random, 5.0) {
        let date = person["birthDate"].as_str().unwrap_or_default();
        sent["birthDate"] = json!(birth_date(random, date));
    }
    if !chance(random, 5.0) {
        let is_wrong = chance(random, 0.5);
        let is_male = (person["gender"] == "male") != is_wrong;
        sent["gender"] = json!(if is_male { "male" } else { "female" });
    }
    if !chance(random, 30.0) {
        let own = person["telecom"][0]["value"].as_str().unwrap_or_default();
        let number = if chance(random, 20.0) {
            format!("050-0000-{:04}", random.random_range(0..10_000))
        } else {
            own.to_owned()
        };
        let digits = number.replace('-', "");
        let forms = [number, digits.clone(), format!("+81 {}", &digits[1..]), format!("+81{}", &digits[1..])];
        sent["telecom"] = json!([{"system": "phone", "value": forms[random.random_range(0..forms.len())]}]);
    }
    if !chance(random, 30.0) {
        let home = if chance(random, 20.0) { other_address } else { &person["address"][0] };
        sent["address"] = json!([address(random, home)]);
    }
    sent
}

fn names(random: &mut StdRng, person: &Value) -> Value {
    let (family, given) = (Writings::of(person, "family").0, Writings::of(person, "given").0);
    let one = |family: &str, given: &str| json!({"family": family, "given": [given]});
    let pair = |at: usize, change: &dyn Fn(&str) -> String| (change(&family[at]), change(&given[at]));
    let (mut a, mut b) = match random.random_range(0..100) {
        0..30 => pair(0, &str::to_owned),
        30..40 => pair(1, &str::to_owned),
        40..50 => pair(1, &hiragana),
        50..60 => pair(1, &half_width),
        60..68 => pair(2, &str::to_owned),
        68..75 => pair(2, &kunrei),
        _ => return json!([one(&family[0], &given[0]), one(&family[1], &given[1])]),
    };
    if chance(random, 5.0) {
        std::mem::swap(&mut a, &mut b);
    }
    if chance(random, 10.0) { json!([{"text": format!("{a} {b}")}]) } else { json!([one(&a, &b)]) }
}

/// One kana other, or one letter twice; the kanji gets one of the same family's parts lost.
fn slip_in_name(random: &mut StdRng, person: &mut Value, part: &str) {
    let mut writings = Writings::of(person, part);
    let kana: Vec<char> = writings.0[1].chars().collect();
    if kana.len() > 1 {
        let at = random.random_range(0..kana.len());
        let other = ['ア', 'キ', 'シ', 'ト', 'ノ', 'ミ', 'ラ'][random.random_range(0..7)];
        writings.0[1] = kana.iter().enumerate().map(|(i, c)| if i == at { other } else { *c }).collect();
    }
    let letters = &writings.0[2];
    let at = random.random_range(1..letters.len().max(2)).min(letters.len());
    writings.0[2] = format!("{}e{}", &letters[..at], &letters[at..]);
    put(person, part, &writings);
}

fn hiragana(kana: &str) -> String {
    let small = |c: char| {
        if matches!(c, 'ァ'..='ヶ') { char::from_u32(u32::from(c) - 0x60).unwrap_or(c) } else { c }
    };
    kana.chars().map(small).collect()
}

const WIDE: &str =
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンッャュョー";
const NARROW: &str = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝｯｬｭｮｰ";

fn half_width(kana: &str) -> String {
    let narrow = |c: char| WIDE.chars().position(|w| w == c).and_then(|at| NARROW.chars().nth(at));
    let before = |c: char, by: u32| char::from_u32(u32::from(c) - by).and_then(narrow);
    kana.chars().fold(String::new(), |mut out, c| {
        match (narrow(c), before(c, 1), before(c, 2)) {
            (Some(n), _, _) => out.push(n),
            (None, Some(n), _) if !"パピプペポ".contains(c) => out.extend([n, 'ﾞ']),
            (None, _, Some(n)) => out.extend([n, 'ﾟ']),
            _ => out.push(c),
        }
        out
    })
}

/// As taught in schools, with a long o written out at the end.
fn kunrei(letters: &str) -> String {
    let mut text = letters.to_lowercase();
    for (hepburn, other) in [
        ("shi", "si"),
        ("chi", "ti"),
        ("tsu", "tu"),
        ("fu", "hu"),
        ("ji", "zi"),
        ("sh", "sy"),
        ("ch", "ty"),
        ("j", "zy"),
    ] {
        text = text.replace(hepburn, other);
    }
    if text.ends_with('o') {
        text.push('u');
    }
    text
}

fn exchanged(random: &mut StdRng, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if characters.len() > 2 {
        let at = random.random_range(1..characters.len() - 1);
        characters.swap(at, at + 1);
    }
    characters.into_iter().collect()
}

fn birth_date(random: &mut StdRng, date: &str) -> String {
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let slipped = match random.random_range(0..100) {
        0..2 => format!("{}-{}-{}", part(0, 4), part(8, 10), part(5, 7)),
        2..5 => {
            let at = [2, 3, 6, 8, 9][random.random_range(0..5)];
            let digit = char::from(b'0' + random.random_range(0..10u8));
            date.char_indices().map(|(i, c)| if i == at { digit } else { c }).collect()
        }
        _ => date.to_owned(),
    };
    // A slip that makes no date is noticed when it is typed.
    if fhir::DateTime::parse(&slipped).is_some() { slipped } else { date.to_owned() }
}

fn address(random: &mut StdRng, home: &Value) -> Value {
    let text = |name: &str| home[name].as_str().or(home[name][0].as_str()).unwrap_or_default().to_owned();
    let (line, postal) = (text("line"), text("postalCode"));
    let short = line.replace("丁目", "-").replace('番', "-").replace('号', "");
    let house = short.split(' ').next().unwrap_or_default();
    match random.random_range(0..4) {
        0 => json!({"postalCode": postal, "city": text("city"), "line": [line]}),
        1 => json!({"postalCode": postal.replace('-', ""), "line": [house]}),
        2 => json!({"text": format!("〒{postal} {}{}{short}", text("state"), text("city"))}),
        _ => json!({"postalCode": postal}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_writings() {
        assert_eq!(half_width("ガパウッシャ"), "ｶﾞﾊﾟｳｯｼｬ");
        assert_eq!(hiragana("シュンスケ"), "しゅんすけ");
        assert_eq!(kunrei("Shoji"), "syozi");
    }
}
