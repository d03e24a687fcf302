//! What comes when a passkey is made (section 6.5.4): a CBOR map of format, statement and authenticator data.
//!
//! No attestation is asked for, so browsers send the format `none`; some password managers sign with the passkey itself all the
//! same. What a statement says is not looked at and nothing is believed of it.

use minicbor::Decoder;
use minicbor::data::Type;

use crate::refusal::Refusal;

fn wrong(what: &str) -> Refusal {
    Refusal::request(format!("the passkey's attestation object: {what}"))
}

/// The authenticator data in it.
///
/// # Errors
/// If it is no attestation object.
pub(super) fn authenticator_data(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let unread = |_| wrong("it is no CBOR map of fmt, attStmt and authData");
    let mut decoder = Decoder::new(bytes);
    let (mut format, mut statement, mut data) = (None, None, None);
    let count = decoder.map().map_err(unread)?.filter(|count| *count <= 8);
    for _ in 0..count.ok_or_else(|| wrong("it is a map without length, or has too many members"))? {
        let name = decoder.str().map_err(unread)?;
        let is_twice = match name {
            "fmt" => format.replace(decoder.str().map_err(unread)?).is_some(),
            "authData" => data.replace(decoder.bytes().map_err(unread)?.to_vec()).is_some(),
            "attStmt" => {
                let is_map = decoder.datatype().map_err(unread)? == Type::Map;
                let is_empty = is_map && decoder.probe().map().is_ok_and(|count| count == Some(0));
                decoder.skip().map_err(unread)?;
                if !is_map {
                    return Err(wrong("its statement is no map"));
                }
                statement.replace(is_empty).is_some()
            }
            _ => {
                decoder.skip().map_err(unread)?;
                false
            }
        };
        if is_twice {
            return Err(wrong("a member is there twice"));
        }
    }
    if decoder.position() != bytes.len() {
        return Err(wrong("something follows it"));
    }
    let (Some(format), Some(is_empty), Some(data)) = (format, statement, data) else {
        return Err(wrong("fmt, attStmt or authData is missing"));
    };
    if format == "none" && !is_empty {
        return Err(wrong("the format 'none' has a statement"));
    }
    Ok(data)
}
