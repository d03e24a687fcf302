//! Secrets: made from the operating system's entropy, kept only as hashes, compared in constant time.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;

use crate::refusal::{Kind, Refusal};

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Refusal::new(Kind::ServerError, "the operating system gives no entropy"))?;
    Ok(bytes)
}

/// A secret of 256 bits. What begins it says what it is to whoever finds it where it should not be.
pub(crate) fn token(begins: &str) -> Result<String, Refusal> {
    Ok(format!("{begins}{}", BASE64URL_NOPAD.encode(&random::<32>()?)))
}

/// A name that nobody can guess another of, and that is no secret.
pub(crate) fn id() -> Result<String, Refusal> {
    Ok(HEXLOWER.encode(&random::<12>()?))
}

/// What is kept of a secret. It has 256 bits of its own, so a fast hash does.
#[must_use]
pub(crate) fn hash(secret: &str) -> String {
    HEXLOWER.encode(&hash_bytes(secret))
}

pub(crate) fn hash_bytes(secret: &str) -> [u8; 32] {
    blake3::derive_key("yojigen 2026-11 hash of a token", secret.as_bytes())
}

/// A secret that ties a form to the browser it was shown in, before anybody is signed in there.
///
/// # Errors
/// If the operating system gives no entropy.
pub fn form_secret() -> Result<String, Refusal> {
    token("yjf_")
}

/// A value that only who has the secret can tell: the token of its forms.
#[must_use]
pub fn form_token(secret: &str) -> String {
    BASE64URL_NOPAD.encode(&blake3::derive_key("yojigen 2026-11 token of a form", secret.as_bytes()))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
