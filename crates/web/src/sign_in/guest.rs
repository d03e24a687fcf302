//! Who stands before a form: perhaps signed in, in a browser that has been shown a form before.

use std::convert::Infallible;

use auth::{Refusal, Session, User, cookie, form_secret, form_token, is_same};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use search::query::{Pair, split};

use super::Desk;
use crate::visit::Visit;

/// A form is at most so large.
const LARGEST: usize = 64 << 10;

/// Someone before a form.
pub(crate) struct Guest {
    pub(crate) visit: Visit,
    /// The query as it was sent.
    pub(crate) query: String,
    /// The pairs of the form that was sent.
    pub(crate) pairs: Vec<Pair>,
    pub(crate) address: String,
    pub(crate) agent: String,
    /// Who is signed in.
    pub(crate) signed_in: Option<(Session, User)>,
    /// What ties forms to this browser.
    secret: String,
    /// Whether the browser has to be told of it.
    is_new: bool,
    is_secure: bool,
}

fn form_cookie(is_secure: bool) -> &'static str {
    if is_secure { "__Host-yojigen-form" } else { "yojigen-form" }
}

/// A cookie that no script reads, and no other site sends with a form.
pub(super) fn written(name: &str, value: &str, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

/// A cookie that ends.
pub(super) fn ended(name: &str, is_secure: bool) -> String {
    format!("{}; Max-Age=0", written(name, "", is_secure))
}

impl Guest {
    /// The first value of a field, as it was sent.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str())
    }

    /// What a form carries to be believed.
    pub(crate) fn token(&self) -> String {
        form_token(&self.secret)
    }

    /// Whether the form that was sent was shown in this browser.
    pub(crate) fn is_believed(&self) -> bool {
        !self.is_new && is_same(self.field("form"), &self.token())
    }

    /// Tells the browser what ties forms to it.
    pub(crate) fn remember(&self, mut response: Response) -> Response {
        if self.is_new
            && let Ok(cookie) =
                HeaderValue::from_str(&written(form_cookie(self.is_secure), &self.secret, self.is_secure))
        {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// The session of a cookie and whose it is.
fn find(desk: &Desk, cookie: &str) -> Result<Option<(Session, User)>, Refusal> {
    let Some(session) = desk.auth.session(cookie)? else { return Ok(None) };
    let user = desk.auth.user(&session.user)?.filter(|user| !user.is_disabled);
    Ok(user.map(|user| (session, user)))
}

impl FromRequest<Desk> for Guest {
    type Rejection = Infallible;

    async fn from_request(request: Request, desk: &Desk) -> Result<Guest, Infallible> {
        let (mut parts, body) = request.into_parts();
        let Ok(visit) =
            <Visit as axum::extract::FromRequestParts<Desk>>::from_request_parts(&mut parts, desk).await;
        let headers = &parts.headers;
        let is_secure = desk.auth.is_secure();
        let session_cookie = cookie(headers, desk.auth.session_cookie()).map(str::to_owned);
        let signed_in = session_cookie.as_deref().and_then(|c| find(desk, c).ok().flatten());
        let shown = cookie(headers, form_cookie(is_secure)).filter(|c| c.len() < 100);
        let known = signed_in.as_ref().and(session_cookie.as_deref()).or(shown).map(str::to_owned);
        let is_new = known.is_none();
        // Without entropy no form is believed.
        let secret = known.unwrap_or_else(|| form_secret().unwrap_or_default());
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let agent = text(header::USER_AGENT);
        let is_form = text(header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded");
        let mut pairs = Vec::new();
        if is_form && let Ok(bytes) = axum::body::to_bytes(body, LARGEST).await {
            pairs = std::str::from_utf8(&bytes).ok().and_then(|t| split(t).ok()).unwrap_or_default();
        }
        let address = visit.address.clone().unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Guest { visit, query, pairs, address, agent, signed_in, secret, is_new, is_secure })
    }
}
