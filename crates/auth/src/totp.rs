//! Codes that change with time (RFC 6238: SHA-1, 30 seconds, 6 digits), and codes for when the telephone is lost.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use ring::hmac;

use crate::refusal::Refusal;
use crate::secret;

const STEP: u64 = 30;
/// Clocks may differ by so many steps either way.
const SLACK: u64 = 1;
/// So many recovery codes are given.
const RECOVERY_CODES: usize = 8;

/// A new secret, in base 32 as the apps for it take it.
pub(crate) fn new_secret() -> Result<String, Refusal> {
    Ok(BASE32_NOPAD.encode(&secret::random::<20>()?))
}

/// The address that such an app takes.
#[must_use]
pub(crate) fn address(secret: &str, issuer: &str, login: &str) -> String {
    let host = issuer.split_once("://").map_or(issuer, |(_, host)| host).replace(':', "%3A");
    format!("otpauth://totp/Yojigen%20{host}:{login}?secret={secret}&issuer=Yojigen%20{host}")
}

fn code_at(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let at = usize::from(bytes.last().copied().unwrap_or(0) & 15);
    let four = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()).unwrap_or_default();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

/// The step a code belongs to, if it is right now and later than the last one used: a code counts once.
pub(crate) fn step_of(secret: &str, code: &str, now: u64, last: u64) -> Option<u64> {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).ok()?;
    let here = now / STEP;
    let steps = here.saturating_sub(SLACK)..=here + SLACK;
    // Every step is tried, so that time does not tell which was right.
    let right: Vec<u64> = steps.filter(|step| secret::is_same(&code_at(&secret, *step), code)).collect();
    right.into_iter().rfind(|step| *step > last)
}

/// The code of a moment; for tests and for setting up.
#[must_use]
pub fn code(secret: &str, now: u64) -> Option<String> {
    Some(code_at(&BASE32_NOPAD.decode(secret.as_bytes()).ok()?, now / STEP))
}

/// New recovery codes: what the user is shown once, and what is kept.
pub(crate) fn recovery_codes() -> Result<(Vec<String>, Vec<String>), Refusal> {
    let mut shown = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let digits = HEXLOWER.encode(&secret::random::<10>()?);
        shown.push(format!("{}-{}-{}-{}", &digits[..5], &digits[5..10], &digits[10..15], &digits[15..]));
    }
    let kept = shown.iter().map(|code| secret::hash(code)).collect();
    Ok((shown, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B: the last six digits.
        for (now, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (2_000_000_000, "279037")]
        {
            assert_eq!(code_at(b"12345678901234567890", now / STEP), code);
        }
    }

    #[test]
    fn a_code_counts_once_and_for_a_while() {
        let secret = new_secret().unwrap();
        let right = code(&secret, 3000).unwrap();
        let step = step_of(&secret, &right, 3000, 0).unwrap();
        assert_eq!(step, 100);
        assert_eq!(step_of(&secret, &right, 3030, 0), Some(100));
        assert_eq!(step_of(&secret, &right, 3070, 0), None);
        assert_eq!(step_of(&secret, &right, 3000, 100), None);
        assert_eq!(step_of(&secret, "", 3000, 0), None);
        let (shown, kept) = recovery_codes().unwrap();
        assert_eq!(secret::hash(&shown[3]), kept[3]);
    }
}
