//! A person's name as JP Core writes it: kanji, katakana and Latin letters, told apart by an extension.

use fhir::json::JsonWriter;

use crate::names::Name;
use crate::romaji::romaji;

const REPRESENTATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";

fn one(json: &mut JsonWriter, representation: &str, family: &str, given: &str) {
    json.object(|o| {
        o.name("extension").array(|a| {
            a.object(|e| {
                e.member("url", REPRESENTATION).member("valueCode", representation);
            });
        });
        o.member("use", "official").member("text", &format!("{family} {given}")).member("family", family);
        o.name("given").array(|a| {
            a.string(given);
        });
    });
}

/// The member `name` with its three forms.
pub(crate) fn write_name(json: &mut JsonWriter, family: Name, given: Name) {
    json.name("name").array(|a| {
        one(a, "IDE", family.0, given.0);
        one(a, "SYL", family.1, given.1);
        one(a, "ABC", &romaji(family.1), &romaji(given.1));
    });
}
