//! How texts are compared: without case, accents, width, and the difference between the two kana.
//!
//! String search is "case and accent insensitive" (<https://hl7.org/fhir/R4/search.html#string>). In Japanese, half-width
//! and full-width letters and katakana and hiragana write the same name, so they are folded too; voiced marks are kept,
//! because they distinguish words. A change here is a change of [`crate::EXTRACTOR_VERSION`].

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// The text in the form it is compared in.
#[must_use]
pub fn normalize(text: &str) -> String {
    if text.is_ascii() {
        return squeeze(text.chars().map(|c| c.to_ascii_lowercase()), text.len());
    }
    let decomposed = text.nfkd().filter(|c| !is_combining_mark(*c) || is_kept_mark(*c));
    let folded: String = decomposed.flat_map(char::to_lowercase).map(hiragana).collect();
    squeeze(folded.nfc(), text.len())
}

/// Marks that make another letter, not another look of it: voicing of kana, and the vowels of scripts that write them
/// as marks (their combining class is 0, as is that of spacing marks).
fn is_kept_mark(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309a}') || canonical_combining_class(c) == 0
}

/// Katakana → hiragana.
fn hiragana(c: char) -> char {
    match c {
        '\u{30a1}'..='\u{30f6}' | '\u{30fd}'..='\u{30fe}' => char::from_u32(u32::from(c) - 0x60).unwrap_or(c),
        _ => c,
    }
}

/// White space at the ends goes, inside it is one space; NUL, which ends a key, becomes a space.
fn squeeze(text: impl Iterator<Item = char>, capacity: usize) -> String {
    let mut out = String::with_capacity(capacity);
    for c in text {
        if c.is_whitespace() || c == '\0' {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// The form codes are compared in where case does not matter.
#[must_use]
pub fn fold_case(code: &str) -> String {
    if code.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        code.to_owned()
    } else {
        code.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_match_however_they_are_written() {
        for (a, b) in [
            ("Müller", "MULLER"),
            ("ヤマダ", "やまだ"),
            ("ﾔﾏﾀﾞ", "やまだ"),
            ("ＹＡＭＡＤＡ", "yamada"),
            ("山田　太郎", "山田 太郎"),
            ("  O'Kon \t x", "o'kon x"),
        ] {
            assert_eq!(normalize(a), normalize(b), "{a} {b}");
        }
        assert_ne!(normalize("はし"), normalize("ばし"), "voicing distinguishes");
    }

    proptest! {
        #[test]
        fn normal_form_is_stable(text in "\\PC{0,30}") {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }
    }
}
