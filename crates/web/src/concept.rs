//! What a coded value is called, in the language of the page where the record has it.

use fhir::NodeRef;

use crate::language::Language;
use crate::words::Words;

/// The code system whose commonest codes have names of their own here.
const LOINC: &str = "http://loinc.org";

/// What a CodeableConcept is called: a name of our own, else its text or a display, else its code.
pub(crate) fn name(concept: NodeRef<'_>, words: Words) -> Option<String> {
    for coding in concept.all("coding") {
        if coding.text_at("system").as_deref() == Some(LOINC)
            && let Some(known) = coding.text_at("code").and_then(|code| words.say_code("loinc", &code))
        {
            return Some(known);
        }
    }
    let displays = concept.all("coding").filter_map(|c| c.text_at("display"));
    let names: Vec<String> =
        concept.text_at("text").into_iter().chain(displays).map(|n| n.trim().to_owned()).collect();
    let names: Vec<String> = names.into_iter().filter(|n| !n.is_empty()).collect();
    let wants_japanese = words.language == Language::Japanese;
    let suits = |name: &&String| name.chars().any(is_japanese) == wants_japanese;
    let best = names.iter().find(suits).or_else(|| names.first()).map(|n| without_kind(n));
    best.or_else(|| concept.all("coding").find_map(|c| c.text_at("code").map(String::from)))
}

/// What the concept at a path is called.
pub(crate) fn name_at(node: NodeRef<'_>, path: &str, words: Words) -> Option<String> {
    name(node.path(path)?, words)
}

/// SNOMED CT's fully specified names end with their kind; a reader does not need "(disorder)".
fn without_kind(name: &str) -> String {
    const KINDS: [&str; 7] = [
        " (disorder)",
        " (procedure)",
        " (finding)",
        " (situation)",
        " (substance)",
        " (regime/therapy)",
        " (person)",
    ];
    KINDS.iter().find_map(|kind| name.strip_suffix(kind)).unwrap_or(name).to_owned()
}

/// Whether a character is kana or kanji.
pub(crate) fn is_japanese(c: char) -> bool {
    is_kana(c) || is_ideograph(c)
}

/// Whether a character is kana, full or half width.
pub(crate) fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}')
}

/// Whether a character is kanji.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c, '々' | '〆' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// The code of a concept in any system, or the code itself where the element is a code or Coding.
pub(crate) fn code_at(node: NodeRef<'_>, path: &str) -> Option<String> {
    let found = node.path(path)?;
    let coded = found.text_at("coding.code").or_else(|| found.text_at("code"));
    coded.or_else(|| found.value()).map(String::from)
}
