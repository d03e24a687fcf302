//! What an authenticator says (section 6.1): for which host, whether somebody was there and was verified, how often it
//! signed, and, when a passkey is made, its id and public key.
//!
//! ```text
//! rpIdHash 32 | flags 1 | signCount 4 | aaguid 16, length 2, id, COSE key (if AT) | extensions (if ED)
//! ```

use minicbor::Decoder;
use minicbor::data::Type;
use ring::digest;

use super::cose::PublicKey;
use super::relying_party::RelyingParty;
use super::{LONGEST_ID, LONGEST_PART};
use crate::refusal::Refusal;

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENDED: u8 = 0x80;
const AAGUID: usize = 16;

/// The passkey that was made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attested {
    pub(super) credential: Vec<u8>,
    pub(super) key: PublicKey,
    /// The key as it came.
    pub(super) cose: Vec<u8>,
}

/// What an authenticator says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AuthenticatorData {
    host: [u8; 32],
    is_present: bool,
    is_verified: bool,
    pub(super) counter: u32,
    pub(super) is_synced: bool,
    pub(super) is_backed_up: bool,
    pub(super) attested: Option<Attested>,
}

fn wrong(what: &str) -> Refusal {
    Refusal::request(format!("the passkey's authenticator data: {what}"))
}

/// Splits so many bytes off.
fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Refusal> {
    let (taken, after) = rest.split_at_checked(count).ok_or_else(|| wrong("they end too early"))?;
    *rest = after;
    Ok(taken)
}

/// Reads it, for a host, of somebody who was there and was verified.
///
/// # Errors
/// What is not as it must be.
pub(super) fn read(bytes: &[u8], party: &RelyingParty) -> Result<AuthenticatorData, Refusal> {
    let data = parse(bytes)?;
    if data.host != digest::digest(&digest::SHA256, party.id.as_bytes()).as_ref() {
        return Err(wrong("rpIdHash is another host's"));
    }
    if !data.is_present {
        return Err(wrong("nobody was present (UP)"));
    }
    if !data.is_verified {
        return Err(wrong("the user was not verified (UV)"));
    }
    if data.is_backed_up && !data.is_synced {
        return Err(wrong("backed up (BS), and not to be backed up (BE)"));
    }
    Ok(data)
}

pub(super) fn parse(bytes: &[u8]) -> Result<AuthenticatorData, Refusal> {
    if bytes.len() > LONGEST_PART {
        return Err(wrong("they are too long"));
    }
    let mut rest = bytes;
    let host = take(&mut rest, 32)?.first_chunk().copied().unwrap_or_default();
    let flags = take(&mut rest, 1)?.first().copied().unwrap_or_default();
    let has = |flag: u8| flags & flag != 0;
    let counter = take(&mut rest, 4)?.first_chunk().map(|four| u32::from_be_bytes(*four)).unwrap_or_default();
    let attested = if has(ATTESTED) { Some(attested(&mut rest)?) } else { None };
    if has(EXTENDED) {
        let mut decoder = Decoder::new(rest);
        let is_map = decoder.datatype().is_ok_and(|kind| kind == Type::Map);
        if !is_map || decoder.skip().is_err() {
            return Err(wrong("its extensions are no CBOR map"));
        }
        take(&mut rest, decoder.position())?;
    }
    if !rest.is_empty() {
        return Err(wrong("something follows them"));
    }
    Ok(AuthenticatorData {
        host,
        is_present: has(PRESENT),
        is_verified: has(VERIFIED),
        counter,
        is_synced: has(BACKUP_ELIGIBLE),
        is_backed_up: has(BACKED_UP),
        attested,
    })
}

fn attested(rest: &mut &[u8]) -> Result<Attested, Refusal> {
    take(rest, AAGUID)?;
    let length = take(rest, 2)?.first_chunk().map(|two| usize::from(u16::from_be_bytes(*two)));
    let length = length.filter(|length| (1..=LONGEST_ID).contains(length));
    let credential = take(rest, length.ok_or_else(|| wrong("a credential id has 1 to 1,023 bytes"))?)?;
    let mut decoder = Decoder::new(rest);
    let key = PublicKey::read(&mut decoder).map_err(|why| wrong(&why))?;
    let cose = take(rest, decoder.position())?;
    Ok(Attested { credential: credential.to_vec(), key, cose: cose.to_vec() })
}
