//! Value keys: one file a parameter type, each with its layout at the head.
//!
//! All keys are self-delimiting (none is a prefix of another of its type), so that they can be parts of a composite
//! and be followed by a resource's number; their byte order is the order the type's comparisons need.

pub mod date;
pub mod number;
pub mod quantity;
pub mod reference;
pub mod string;
pub mod token;
pub mod uri;

/// Text longer than this is cut in keys (and compared in full beyond them).
pub const MAX_TEXT: usize = 200;

/// The longest prefix of at most [`MAX_TEXT`] bytes that ends between characters.
#[must_use]
pub fn cut(text: &str) -> &str {
    if text.len() <= MAX_TEXT {
        return text;
    }
    let mut end = MAX_TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Splits a text that ends with a zero byte from what follows.
pub(crate) fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|b| *b == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}
