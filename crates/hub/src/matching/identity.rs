//! What of a Patient is compared, in the form it is compared in.

use std::collections::BTreeSet;

use fhir::NodeRef;
use search::normalize::normalize;

use super::name::Names;

/// More telecoms, addresses or identifiers than this are not read.
const MAX_LISTED: usize = 30;

/// A birth date as written: year, and month and day if they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BirthDate {
    pub(super) year: u16,
    pub(super) month: Option<u8>,
    pub(super) day: Option<u8>,
}

impl BirthDate {
    fn read(text: &str) -> Option<BirthDate> {
        let mut parts = text.split('-');
        let year = parts.next()?.parse().ok()?;
        let mut next = || parts.next().and_then(|p| p.parse().ok());
        Some(BirthDate { year, month: next(), day: next() })
    }

    /// `YYYYMMDD`, if all of it is known.
    pub(super) fn digits(self) -> Option<[u8; 8]> {
        let text = format!("{:04}{:02}{:02}", self.year, self.month?, self.day?);
        text.as_bytes().try_into().ok()
    }
}

/// An address in the form it is compared in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    /// Digits and letters of the postal code.
    pub(super) postal_code: String,
    /// Everything but postal code and country, without what divides it.
    pub(super) line: String,
}

/// A Patient's identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) names: Names,
    pub(super) birth_date: Option<BirthDate>,
    /// `male`, `female` or `other`; what is not known is not compared.
    pub(super) gender: Option<String>,
    /// Digits of telephone numbers, as they are dialled in Japan, and mail addresses.
    pub(super) telecoms: BTreeSet<String>,
    pub(super) addresses: Vec<Address>,
    /// System and value.
    pub(super) identifiers: BTreeSet<(String, String)>,
}

impl Identity {
    pub(super) fn read(patient: NodeRef<'_>) -> Identity {
        let text = |node: NodeRef<'_>, path: &str| node.text_at(path).map(String::from).unwrap_or_default();
        let telecoms = patient.all("telecom").take(MAX_LISTED).filter_map(|t| {
            let value = text(t, "value");
            match text(t, "system").as_str() {
                "email" => Some(normalize(&value)),
                "phone" | "fax" | "sms" | "" => phone(&value),
                _ => None,
            }
        });
        let identifiers = patient.all("identifier").take(MAX_LISTED).filter_map(|i| {
            let value: String = normalize(&text(i, "value")).chars().filter(|c| *c != ' ').collect();
            (!value.is_empty()).then(|| (text(i, "system"), value))
        });
        Identity {
            names: Names::read(patient),
            birth_date: patient.text_at("birthDate").and_then(|t| BirthDate::read(&t)),
            gender: patient.text_at("gender").map(String::from).filter(|g| g != "unknown"),
            telecoms: telecoms.collect(),
            addresses: patient.all("address").take(MAX_LISTED).filter_map(address).collect(),
            identifiers: identifiers.collect(),
        }
    }
}

/// A telephone number's digits as they are dialled in Japan: +81 90 1234 5678 is 09012345678.
pub(super) fn phone(text: &str) -> Option<String> {
    let plain = normalize(text);
    let is_international = plain.trim_start().starts_with('+');
    let digits: String = plain.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
    let national = match digits.strip_prefix("0081").or(digits.strip_prefix("01081")) {
        Some(rest) => format!("0{rest}"),
        None if is_international => match digits.strip_prefix("81") {
            Some(rest) => format!("0{}", rest.trim_start_matches('0')),
            None => digits,
        },
        None => digits,
    };
    (national.len() >= 6).then_some(national)
}

fn address(node: NodeRef<'_>) -> Option<Address> {
    let part =
        |name: &str| -> String { node.all(name).filter_map(NodeRef::value).collect::<Vec<_>>().join("") };
    let (mut postal_code, mut line) = (part("postalCode"), part("line"));
    if line.is_empty() {
        line = part("text");
        if let Some(at) = line.find('〒') {
            let rest = line.split_off(at);
            let is_code = |c: char| {
                c.is_ascii_digit() || matches!(c, '〒' | '-' | '－' | '０'..='９' | ' ' | '\u{3000}')
            };
            let end = rest.find(|c| !is_code(c)).unwrap_or(rest.len());
            if postal_code.is_empty() {
                postal_code = rest[..end].to_owned();
            }
            line.push_str(&rest[end..]);
        }
    } else {
        line = [part("state"), part("city"), part("district"), line].concat();
    }
    let postal_code = normalize(&postal_code).chars().filter(char::is_ascii_alphanumeric).collect();
    let found = Address { postal_code, line: plain_line(&line) };
    (!found.postal_code.is_empty() || !found.line.is_empty()).then_some(found)
}

/// The line without what divides it: 本町一丁目2番3号 and 本町１－２－３ are the same.
fn plain_line(line: &str) -> String {
    let normal = normalize(line);
    let mut out = String::with_capacity(normal.len());
    let mut rest = normal.as_str();
    while let Some(c) = rest.chars().next() {
        if let Some(mark) =
            ["丁目", "番地の", "番地", "番", "号室", "号"].iter().find(|m| rest.starts_with(**m))
            && out.ends_with(|c: char| c.is_ascii_digit())
        {
            rest = &rest[mark.len()..];
            out.push('-');
            continue;
        }
        let after = &rest[c.len_utf8()..];
        match c {
            ' ' | ',' | '、' => out.push('-'),
            '-' | 'ー' | '−' | '‐' | '–' | '―' | 'の'
                if out.ends_with(|c: char| c.is_ascii_digit() || c == '-') =>
            {
                out.push('-');
            }
            _ => match "〇一二三四五六七八九".chars().position(|k| k == c) {
                // Only before a mark: 三田 and 一宮 are names of places.
                Some(digit) if after.starts_with("丁目") => out.push_str(&digit.to_string()),
                _ => out.push(c),
            },
        }
        rest = after;
    }
    let mut plain = String::with_capacity(out.len());
    for c in out.chars() {
        // One mark where there are several, none beside what is no digit.
        if c == '-' && !plain.ends_with(|p: char| p.is_ascii_digit()) {
            continue;
        }
        if plain.ends_with('-') && !c.is_ascii_digit() {
            plain.pop();
        }
        plain.push(c);
    }
    plain.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_number_is_its_digits() {
        for text in [
            "090-1234-5678",
            "０９０（１２３４）５６７８",
            "+81 90-1234-5678",
            "+81(0)90 1234 5678",
            "0081-90-1234-5678",
        ] {
            assert_eq!(phone(text).as_deref(), Some("09012345678"), "{text}");
        }
        assert_eq!((phone("+1 212 555 0100").as_deref(), phone("内線 12")), (Some("12125550100"), None));
    }

    #[test]
    fn an_address_is_the_same_however_it_is_divided() {
        for line in ["本町一丁目2番3号", "本町1丁目２－３", "本町 1-2-3", "本町1ー2ー3"] {
            assert_eq!(plain_line(line), "本町1-2-3", "{line}");
        }
        assert_eq!(plain_line("三田1-2 メゾン若葉301号室"), "三田1-2めぞん若葉301");
        let json = r#"{"resourceType":"Patient","address":[{"text":"〒000-0101 霞県霞ヶ原市本町1-2-3"},{"postalCode":"0000101","state":"霞県","city":"霞ヶ原市","line":["本町1丁目2番3号"]}]}"#;
        let patient = fhir::json::parse(json.as_bytes(), &fhir::Limits::default()).unwrap();
        let read = Identity::read(patient.root());
        assert_eq!(read.addresses[0], read.addresses[1]);
    }

    #[test]
    fn dates_may_be_partial() {
        assert_eq!(BirthDate::read("1975-04"), Some(BirthDate { year: 1975, month: Some(4), day: None }));
        assert_eq!(BirthDate::read("1975-04-02").and_then(BirthDate::digits), Some(*b"19750402"));
    }
}
