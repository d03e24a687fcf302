//! The browser goes to the provider and comes back (OpenID Connect Core 1.0, section 3.1; PKCE; RFC 9207).
//!
//! `state` is a challenge as passkeys have them: it is good for ten minutes, once, in the browser it began in, so that nobody is signed
//! in by another's answer; and nobody fills the vault by setting out. The place to go on to comes back with it; `nonce` and the verifier
//! follow from it by the hub's key.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::id_token::{self, Expected};
use super::{Known, failed};
use crate::Auth;
use crate::authorize::redirect;
use crate::grant::challenge;
use crate::jws::Claims;
use crate::passkey::Ceremony;
use crate::refusal::{Kind, Refusal};
use crate::throttle::Guess;
use crate::user::User;

/// A place to go on to is carried there and back up to so many bytes; else the account's page is.
const LONGEST_PLACE: usize = 3000;

/// What belongs to a sign-in that is under way.
struct UnderWay {
    nonce: String,
    verifier: String,
}

/// Who came back, and where they wanted to go.
#[derive(Debug)]
pub struct Arrived {
    /// Who.
    pub user: User,
    /// Where to.
    pub return_to: String,
    /// Whether the provider says that a second factor was shown there.
    pub has_shown_code: bool,
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Auth {
    /// Where the browser goes to sign in.
    ///
    /// # Errors
    /// If there is no provider, or it does not answer.
    pub fn begin_outside(&self, return_to: &str, browser: &str) -> Result<String, Refusal> {
        let known = self.known_outside()?;
        let metadata = known.provider.metadata(self.now()).map_err(failed)?;
        let place = if return_to.len() <= LONGEST_PLACE { return_to } else { "/auth/account" };
        let seal = self.new_challenge(Ceremony::Outside(place), browser)?;
        let under_way = self.under_way(&seal)?;
        let state = format!("{seal}.{}", BASE64URL_NOPAD.encode(place.as_bytes()));
        let challenge = challenge(&under_way.verifier).unwrap_or_default();
        let outside = &known.outside;
        let pairs = [
            ("response_type", "code"),
            ("client_id", &outside.client_id),
            ("redirect_uri", &self.outside_redirect_uri()),
            ("scope", &outside.rules.scope),
            ("state", &state),
            ("nonce", &under_way.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        Ok(redirect(&metadata.authorization_endpoint, &pairs))
    }

    /// Takes the provider's answer: who came back.
    ///
    /// # Errors
    /// What is not as it must be; whoever came is told that it did not work.
    pub fn end_outside(
        &self,
        pairs: &[(String, String)],
        browser: &str,
        address: &str,
    ) -> Result<Arrived, Refusal> {
        let known = self.known_outside()?;
        let value = |name: &str| -> Result<Option<&str>, Refusal> {
            let mut found = pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
            let first = found.next().filter(|v| !v.is_empty());
            if found.next().is_some() {
                Err(failed(format!("{name} stands twice in the answer")))
            } else {
                Ok(first)
            }
        };
        let late = || Refusal::new(Kind::LoginRequired, "this sign-in was not begun here, or too long ago");
        let (seal, place) = value("state")?.and_then(|state| state.split_once('.')).ok_or_else(late)?;
        let place =
            BASE64URL_NOPAD.decode(place.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let return_to = place.ok_or_else(late)?;
        let used = self.take_challenge(seal, Ceremony::Outside(&return_to), browser)?;
        // Each answer costs requests to the provider: an address that brings many in vain waits.
        let account = format!("outside {seal}");
        let guess = Guess { account: &account, address };
        self.throttle.try_guess(guess, self.now())?;
        // Whatever comes of it, it counts once.
        if !self.change(&[used.condition], &[used.change])? {
            return Err(late());
        }
        let metadata = known.provider.metadata(self.now()).map_err(failed)?;
        // An answer that is another provider's, passed off as this one's (RFC 9207, section 2.4).
        match value("iss")? {
            Some(issuer) if issuer != known.outside.issuer => {
                return Err(failed("the answer is another issuer's (iss)"));
            }
            None if metadata.names_itself => return Err(failed("the answer does not say whose it is (iss)")),
            _ => {}
        }
        if let Some(code) = value("error")? {
            let code: String = code.chars().filter(char::is_ascii_graphic).take(60).collect();
            return Err(failed(format!("the provider refuses: {code}")));
        }
        let code = value("code")?.ok_or_else(|| failed("the answer has no code"))?;
        let claims = self.claims_for(known, code, &self.under_way(seal)?)?;
        let user = self.account_of(known, &claims)?;
        self.throttle.was_right(guess);
        // RFC 8176: `mfa` stands for more than one factor, whichever.
        let methods = claims.get("amr").and_then(Value::as_array);
        let has_shown_code = methods.is_some_and(|methods| methods.iter().any(|method| method == "mfa"));
        Ok(Arrived { user, return_to, has_shown_code })
    }

    fn under_way(&self, seal: &str) -> Result<UnderWay, Refusal> {
        Ok(UnderWay { nonce: self.derived(seal, "nonce")?, verifier: self.derived(seal, "verifier")? })
    }

    /// What the provider says of whom a code is about.
    fn claims_for(&self, known: &Known, code: &str, under_way: &UnderWay) -> Result<Claims, Refusal> {
        let (outside, provider, now) = (&known.outside, &known.provider, self.now());
        let metadata = provider.metadata(now).map_err(failed)?;
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.outside_redirect_uri()),
            ("code_verifier", under_way.verifier.clone()),
        ];
        let mut basic = None;
        match known.secret()? {
            Some(secret) if metadata.takes_secret_in_body => {
                form.extend([("client_id", outside.client_id.clone()), ("client_secret", secret)]);
            }
            // RFC 6749, section 2.3.1: both parts are form-encoded first.
            Some(secret) => {
                let pair = format!("{}:{}", encoded(&outside.client_id), encoded(&secret));
                basic = Some(BASE64.encode(pair.as_bytes()));
            }
            None => form.push(("client_id", outside.client_id.clone())),
        }
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let answer = provider.exchange(&metadata.token_endpoint, form.join("&"), basic.as_deref());
        let answer = answer.map_err(failed)?;
        let token = answer.get("id_token").and_then(Value::as_str);
        let token = token.ok_or_else(|| failed("the token endpoint gives no id_token"))?;
        let verified = |has_failed: bool| {
            provider.keys(now, has_failed).and_then(|keys| keys.claims(token, id_token::ALGORITHMS))
        };
        // Its keys may have changed since they were asked for.
        let claims = verified(false).or_else(|_| verified(true));
        let mut claims = claims.map_err(|why| failed(format!("the id_token: {why}")))?;
        let expected =
            Expected { issuer: &outside.issuer, client: &outside.client_id, nonce: &under_way.nonce, now };
        let subject =
            id_token::subject(&claims, &expected).map_err(|why| failed(format!("the id_token: {why}")))?;
        if let (true, Some(url)) = (outside.rules.userinfo, &metadata.userinfo_endpoint) {
            let access = answer.get("access_token").and_then(Value::as_str);
            let access = access.ok_or_else(|| failed("the token endpoint gives no access_token"))?;
            for (name, value) in provider.userinfo(url, access, &subject).map_err(failed)? {
                // What was signed goes before.
                if claims.get(&name).is_none_or(Value::is_null) {
                    claims.insert(name, value);
                }
            }
        }
        Ok(claims)
    }

    /// Where the browser goes to sign out at the provider too (OpenID Connect RP-Initiated Logout 1.0); nowhere if it offers
    /// none.
    ///
    /// # Errors
    /// If there is no provider, or it does not answer.
    pub fn leave_outside(&self) -> Result<Option<String>, Refusal> {
        let known = self.known_outside()?;
        let metadata = known.provider.metadata(self.now()).map_err(failed)?;
        let back = format!("{}/auth/sign-in", self.settings.issuer);
        let pairs = [("client_id", known.outside.client_id.as_str()), ("post_logout_redirect_uri", &back)];
        Ok(metadata.end_session_endpoint.as_ref().map(|url| redirect(url, &pairs)))
    }
}

impl Known {
    /// The secret this hub has at the provider.
    fn secret(&self) -> Result<Option<String>, Refusal> {
        let Some(path) = &self.outside.secret_file else { return Ok(None) };
        let unread = || failed(format!("the client's secret cannot be read from {}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|_| unread())?;
        let line = text.lines().next().map(str::trim).filter(|line| !line.is_empty() && line.len() <= 4096);
        line.map(|line| Some(line.to_owned())).ok_or_else(unread)
    }
}
