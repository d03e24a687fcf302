//! Passwords: Argon2id with OWASP's parameters (19 MiB, 2 passes), as PHC strings.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::refusal::{Kind, Refusal};
use crate::secret;

/// A password has at least so many characters (NIST SP 800-63B asks for 8 beside a second factor; length is all it asks).
pub const SHORTEST: usize = 12;
/// And at most so many bytes, for hashing costs time.
pub(crate) const LONGEST: usize = 512;

fn argon2() -> Result<Argon2<'static>, Refusal> {
    let parameters = Params::new(19_456, 2, 1, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Kind::ServerError, format!("a password could not be hashed: {error}"))
}

/// So much of a password is looked at to tell how soon it is guessed.
const LOOKED_AT: usize = 64;

/// Whether a password is among what is guessed first: one of those that were breached most often, perhaps with digits after it or
/// letters changed for digits, a common word or name and little else, a run of keys, a repetition.
///
/// Fewer than 10⁸ guesses, as the crate `zxcvbn` estimates by its lists (30,000 passwords, words and names), are too few.
fn is_guessed_first(password: &str, login: &str) -> bool {
    let looked_at: String = password.chars().take(LOOKED_AT).collect();
    zxcvbn::zxcvbn(&looked_at, &[login, "yojigen"]).score() < zxcvbn::Score::Three
}

/// Whether a password will do; what is wrong with it.
///
/// # Errors
/// If it is too short, too long, guessed soon, or the login name and little else.
pub(crate) fn check(password: &str, login: &str) -> Result<(), Refusal> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(Refusal::request(format!(
            "a password has at least {SHORTEST} characters; this has {length}"
        ))
        .of_field("password"));
    }
    if password.len() > LONGEST {
        return Err(Refusal::request(format!("a password has at most {LONGEST} bytes")).of_field("password"));
    }
    let first = password.chars().next();
    if password.chars().all(|c| Some(c) == first) {
        return Err(Refusal::request("a password is not one character again and again").of_field("password"));
    }
    if !login.is_empty() && password.to_lowercase().replace(login, "").chars().count() < SHORTEST / 2 {
        return Err(Refusal::request("a password is more than the name it belongs to").of_field("password"));
    }
    if is_guessed_first(password, login) {
        let why = "this password is among those that are guessed first; take some words that do not belong together";
        return Err(Refusal::request(why).of_field("password"));
    }
    Ok(())
}

/// What is kept of a password.
pub(crate) fn hash(password: &str) -> Result<String, Refusal> {
    let salt = SaltString::encode_b64(&secret::random::<16>()?).map_err(failed)?;
    Ok(argon2()?.hash_password(password.as_bytes(), &salt).map_err(failed)?.to_string())
}

/// Whether a password is the one kept. Without one kept it takes as long and is not: nobody learns who has an account.
pub(crate) fn is_right(password: &str, kept: Option<&str>) -> Result<bool, Refusal> {
    let Some(kept) = kept.filter(|_| password.len() <= LONGEST) else {
        hash(password.get(..32).unwrap_or("x"))?;
        return Ok(false);
    };
    let parsed = PasswordHash::new(kept).map_err(failed)?;
    Ok(argon2()?.verify_password(password.as_bytes(), &parsed).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_right() {
        let kept = hash("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, hash("correct horse battery").unwrap());
        assert!(is_right("correct horse battery", Some(&kept)).unwrap());
        assert!(!is_right("correct horse batterx", Some(&kept)).unwrap());
        assert!(!is_right("correct horse battery", None).unwrap());
    }

    #[test]
    fn a_weak_password_is_told() {
        for (password, login) in
            [("short", "a"), ("aaaaaaaaaaaaaaaa", "a"), ("hanako.yamada1", "hanako.yamada")]
        {
            assert!(check(password, login).is_err(), "{password}");
        }
        assert!(check(&"ab".repeat(400), "a").is_err());
        for common in [
            "password1234",
            "passwordpassword",
            "P@ssw0rd2026!",
            "123456789012",
            "qwertyuiop[]",
            "1qaz2wsx3edc",
            "iloveyou1234",
            "sakurasakura",
            "yojigen-yojigen",
            "abcabcabcabc",
            "Administrator1",
        ] {
            assert!(check(common, "hanako").is_err(), "{common}");
        }
        assert!(
            check("correct horse battery", "hanako").is_ok()
                && check("ひらがなでもながければよい", "hanako").is_ok()
        );
    }
}
