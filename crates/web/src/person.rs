//! Who someone is, from a Patient.
//!
//! A Japanese name stands in a record up to three times: in kanji, in kana and in letters, told apart by the extension
//! iso21090-EN-representation (IDE, SYL, ABC) or, where that is missing, by the characters themselves.

use fhir::NodeRef;
use search::Zone;

use crate::calendar::{Day, age};
use crate::concept::{is_ideograph, is_kana};
use crate::words::Words;

const REPRESENTATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";

/// A person, in the words of a page.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// The Patient's id.
    pub(crate) id: String,
    /// The name as it is written first: kanji, else kana, else letters.
    pub(crate) name: String,
    /// Whether that is Japanese writing.
    pub(crate) is_name_japanese: bool,
    /// The name in kana, if it is not the first.
    pub(crate) kana: Option<String>,
    /// The name in letters, if it is not the first.
    pub(crate) letters: Option<String>,
    /// Age on the day of the page (at death, if dead).
    pub(crate) age: Option<String>,
    /// Sex, in a word.
    pub(crate) sex: String,
    /// Birth date: ISO, and as written.
    pub(crate) born: Option<(String, String)>,
    /// The birth year in its era.
    pub(crate) era: Option<String>,
    /// Date of death as written; empty if only the fact is known.
    pub(crate) died: Option<String>,
    /// City, or what there is of the place.
    pub(crate) city: Option<String>,
    /// The address on one line.
    pub(crate) address: Option<String>,
}

/// The ways a name is written.
#[derive(Default)]
struct Names {
    ideographic: Option<String>,
    kana: Option<String>,
    letters: Option<String>,
}

impl Person {
    /// Reads a Patient as of a day.
    pub(crate) fn read(patient: NodeRef<'_>, on: Day, zone: &Zone, words: Words) -> Person {
        let names = names(patient);
        let Names { ideographic, mut kana, mut letters } = names;
        let is_name_japanese = ideographic.is_some() || kana.is_some();
        let name = ideographic.or_else(|| kana.take()).or_else(|| letters.take());
        let born = patient.text_at("birthDate").and_then(|text| Day::read(&text, zone));
        let died_on = patient.child("deceased").and_then(NodeRef::value);
        let death = died_on.as_deref().and_then(|text| Day::read(text, zone));
        let is_dead = death.is_some() || died_on.as_deref() == Some("true");
        let counted = death.unwrap_or(on);
        let address = patient.child("address");
        Person {
            id: patient.id().unwrap_or_default().into_owned(),
            name: name.unwrap_or_else(|| words.say("name-missing")),
            is_name_japanese,
            kana,
            letters,
            age: born.filter(|_| !is_dead || death.is_some()).and_then(|b| age(b, counted, words)),
            sex: sex(patient, words),
            era: born.and_then(|b| b.era()),
            born: born.map(|b| (b.iso(), b.written(words))),
            died: is_dead.then(|| death.map(|d| d.written(words)).unwrap_or_default()),
            city: address.and_then(|a| ["city", "district", "state"].iter().find_map(|part| text(a, part))),
            address: address.and_then(one_line),
        }
    }
}

fn text(node: NodeRef<'_>, path: &str) -> Option<String> {
    node.text_at(path).map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

fn sex(patient: NodeRef<'_>, words: Words) -> String {
    let code = patient.text_at("gender").unwrap_or_default();
    words.say_code("sex", &code).unwrap_or_else(|| words.say("sex-unknown"))
}

fn names(patient: NodeRef<'_>) -> Names {
    let mut names = Names::default();
    // Names in use come before old ones; among equals the first counts.
    let mut listed: Vec<NodeRef<'_>> = patient.all("name").take(20).collect();
    listed.sort_by_key(|name| match name.text_at("use").as_deref() {
        Some("official") => 0,
        None | Some("usual") => 1,
        Some("old" | "maiden") => 3,
        _ => 2,
    });
    for name in listed {
        let mut extensions =
            name.all("extension").filter(|e| e.text_at("url").as_deref() == Some(REPRESENTATION));
        let said = extensions.find_map(|e| text(e, "value"));
        let parts: Vec<String> = parts(name);
        let joined = parts.join("");
        let kind = match said.as_deref() {
            Some(kind @ ("IDE" | "SYL" | "ABC")) => kind.to_owned(),
            _ if joined.chars().any(is_ideograph) => "IDE".to_owned(),
            _ if joined.chars().any(is_kana) => "SYL".to_owned(),
            _ => "ABC".to_owned(),
        };
        let slot = match kind.as_str() {
            "IDE" => &mut names.ideographic,
            "SYL" => &mut names.kana,
            _ => &mut names.letters,
        };
        if slot.is_none() && !parts.is_empty() {
            *slot = Some(written(name, &parts, kind == "ABC"));
        }
    }
    names
}

/// Family and given names, or the whole text.
fn parts(name: NodeRef<'_>) -> Vec<String> {
    let given = name.all("given").filter_map(NodeRef::value).map(|g| g.trim().to_owned());
    let parts: Vec<String> =
        text(name, "family").into_iter().chain(given).filter(|p| !p.is_empty()).collect();
    if parts.is_empty() { text(name, "text").into_iter().collect() } else { parts }
}

/// The text as it was written, else family name first; last in letters.
fn written(name: NodeRef<'_>, parts: &[String], is_letters: bool) -> String {
    if let Some(text) = text(name, "text") {
        return text.replace('\u{3000}', " ");
    }
    let has_family = text(name, "family").is_some();
    match parts {
        [family, given @ ..] if is_letters && has_family && !given.is_empty() => {
            format!("{} {family}", given.join(" "))
        }
        parts => parts.join(" "),
    }
}

/// The address as written, else its parts; Japanese ones from large to small, others from small to large.
fn one_line(address: NodeRef<'_>) -> Option<String> {
    if let Some(text) = text(address, "text") {
        return Some(text);
    }
    let lines: Vec<String> = address.all("line").filter_map(NodeRef::value).map(String::from).collect();
    let (state, city, code) = (text(address, "state"), text(address, "city"), text(address, "postalCode"));
    let is_japanese = city.iter().chain(&state).any(|t| t.chars().any(is_ideograph));
    let joined = if is_japanese {
        let place: String = state.into_iter().chain(city).chain(lines).collect();
        code.map(|c| format!("〒{}", c.trim_start_matches('〒')))
            .into_iter()
            .chain([place])
            .collect::<Vec<_>>()
            .join(" ")
    } else {
        lines.into_iter().chain(city).chain(state).chain(code).collect::<Vec<_>>().join(", ")
    };
    Some(joined.trim().to_owned()).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use fhir::Limits;

    use super::*;
    use crate::language::Language;

    fn person(json: &str) -> Person {
        let patient = fhir::json::parse(json.as_bytes(), &Limits::default()).unwrap();
        let zone = Zone::named("Asia/Tokyo").unwrap();
        let on = Day::read("2026-11-23", &zone).unwrap();
        Person::read(patient.root(), on, &zone, Words { language: Language::English })
    }

    #[test]
    fn a_name_is_told_apart_by_its_mark_or_its_characters() {
        let marked = person(
            r#"{"resourceType":"Patient","id":"a","name":[
            {"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"SYL"}],"family":"ヤマダ","given":["ハナコ"]},
            {"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"IDE"}],"family":"山田","given":["花子"]},
            {"family":"Yamada","given":["Hanako"]}],"birthDate":"1975-04-02","gender":"female"}"#,
        );
        assert_eq!(marked.name, "山田 花子");
        assert_eq!(marked.kana.as_deref(), Some("ヤマダ ハナコ"));
        assert_eq!(marked.letters.as_deref(), Some("Hanako Yamada"));
        assert_eq!((marked.age.as_deref(), marked.era.as_deref()), (Some("51"), Some("昭和50年")));
    }

    #[test]
    fn someone_of_whom_nothing_is_known_is_someone() {
        let nobody = person(r#"{"resourceType":"Patient","id":"a"}"#);
        assert_eq!(nobody.name, "Name not recorded");
        assert!(
            nobody.age.is_none()
                && nobody.born.is_none()
                && nobody.address.is_none()
                && nobody.died.is_none()
        );
        let born = person(
            r#"{"resourceType":"Patient","id":"a","birthDate":"1985-04","name":[{"text":"あべ"}],"deceasedBoolean":true}"#,
        );
        assert_eq!((born.name.as_str(), born.age, born.died.as_deref()), ("あべ", None, Some("")));
    }
}
