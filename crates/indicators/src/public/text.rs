//! From bytes to text: unpacked, within limits, and no error page.

use std::io::Read as _;

use super::error::{Error, shortened};

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file, unpacked.
    pub bytes: u64,
    /// Bytes of one cell.
    pub cell: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: 256 << 20, cell: 64 << 10 }
    }
}

/// The text of a file, plain or gzip.
pub(super) fn text(bytes: &[u8], limits: &Limits) -> Result<String, Error> {
    let too_large = Error::TooLarge { most: limits.bytes };
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(limits.bytes.saturating_add(1));
        reader.read_to_end(&mut unpacked).map_err(|why| Error::Compressed(why.to_string()))?;
        unpacked
    } else {
        bytes.to_vec()
    };
    if bytes.len() as u64 > limits.bytes {
        return Err(too_large);
    }
    let text =
        String::from_utf8(bytes).map_err(|why| Error::NotUtf8 { at: why.utf8_error().valid_up_to() })?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let begin = text.trim_start();
    if begin.is_empty() {
        return Err(Error::Empty);
    }
    if begin.starts_with('<') {
        return Err(Error::Page { begins: shortened(begin.get(..40).unwrap_or(begin)) });
    }
    Ok(text)
}

/// A number of a publisher: finite, with a point.
pub(super) fn number(text: &str, place: impl Fn() -> String) -> Result<Option<f64>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Some(value)),
        _ => Err(Error::Form {
            place: place(),
            what: format!("'{}' is no number; expected digits with a point, or nothing", shortened(text)),
        }),
    }
}
