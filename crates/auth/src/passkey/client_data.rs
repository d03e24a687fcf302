//! What the browser says it did (section 5.8.1): for what, for which challenge, on a page of which origin.

use data_encoding::BASE64URL_NOPAD;
use ring::digest;
use serde::Deserialize;

use super::relying_party::RelyingParty;
use crate::refusal::Refusal;

/// It is longer nowhere.
const LONGEST: usize = 4 << 10;

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    is_cross_origin: Option<bool>,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<String>,
}

/// Client data that are of a page of this hub.
#[derive(Debug)]
pub(super) struct ClientData {
    /// The challenge, base64url.
    pub(super) challenge: String,
    /// What the authenticator signed of it.
    pub(super) hash: [u8; 32],
}

/// Reads it: `kind` is `webauthn.create` or `webauthn.get`.
///
/// # Errors
/// What is not as it must be.
pub(super) fn read(bytes: &[u8], kind: &str, party: &RelyingParty) -> Result<ClientData, Refusal> {
    let wrong = |what: &str| Err(Refusal::request(format!("the passkey's client data: {what}")));
    if bytes.len() > LONGEST {
        return wrong("they are too long");
    }
    let Ok(said) = serde_json::from_slice::<Said>(bytes) else { return wrong("they do not read") };
    if said.kind != kind {
        return wrong("type is that of another ceremony");
    }
    if said.origin != party.origin {
        return wrong("origin is not this hub's");
    }
    // A page in a frame of another's: none of the hub's is ever in one.
    if said.is_cross_origin == Some(true) || said.top_origin.is_some() {
        return wrong("the page was in a frame of another origin");
    }
    if BASE64URL_NOPAD.decode(said.challenge.as_bytes()).is_err() {
        return wrong("challenge is no base64url");
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    Ok(ClientData { challenge: said.challenge, hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_this_hub_is_believed() {
        let party = RelyingParty::of("https://hub.example").unwrap();
        let said = |kind: &str, more: &str| format!(r#"{{"type":"{kind}","challenge":"AAAA",{more}}}"#);
        let get = |more: &str| read(said("webauthn.get", more).as_bytes(), "webauthn.get", &party);
        let own = r#""origin":"https://hub.example""#;
        assert_eq!(get(own).unwrap().challenge, "AAAA");
        assert!(get(&format!(r#"{own},"crossOrigin":false,"new":{{}}"#)).is_ok());
        for (more, why) in [
            (r#""origin":"https://hub.example.evil.example""#.to_owned(), "origin"),
            (r#""origin":"https://hub.example/""#.to_owned(), "origin"),
            (r#""origin":"http://hub.example""#.to_owned(), "origin"),
            (format!(r#"{own},"crossOrigin":true"#), "frame"),
            (format!(r#"{own},"topOrigin":"https://evil.example""#), "frame"),
            (format!(r#"{own},"origin":"https://evil.example""#), "do not read"),
            (r#""origin":1"#.to_owned(), "do not read"),
        ] {
            assert!(get(&more).unwrap_err().description.contains(why), "{more}");
        }
        let made = said("webauthn.create", own);
        assert!(read(made.as_bytes(), "webauthn.get", &party).unwrap_err().description.contains("ceremony"));
        assert!(read(&vec![b' '; LONGEST + 1], "webauthn.get", &party).is_err());
        assert!(
            read(b"[]", "webauthn.get", &party).is_err() && read(&[0xff], "webauthn.get", &party).is_err()
        );
    }
}
