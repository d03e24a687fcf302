//! What programs send to the authorisation server: a form, each name once.

use auth::{Kind, Refusal, Shown};
use axum::extract::Request;
use axum::http::header;
use data_encoding::BASE64;
use hub::Peer;
use search::query::{Pair, split};

/// A form is at most so large.
pub(super) const LARGEST: usize = 64 << 10;

/// A request's form and who it says it is.
pub(super) struct Form {
    pairs: Vec<Pair>,
    /// Name and secret of `Authorization: Basic`.
    basic: Option<(String, String)>,
    address: String,
}

fn wrong(description: impl Into<String>) -> Refusal {
    Refusal::new(Kind::InvalidRequest, description)
}

/// The body of a request.
pub(super) async fn bytes(request: Request) -> Result<Vec<u8>, Refusal> {
    let read = axum::body::to_bytes(request.into_body(), LARGEST);
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
    let body = read
        .ok()
        .and_then(Result::ok)
        .ok_or_else(|| wrong(format!("the body did not come, or has more than {LARGEST} bytes")))?;
    Ok(body.to_vec())
}

/// From where a request comes.
pub(super) fn address(request: &Request) -> String {
    request.extensions().get::<Peer>().map_or_else(|| "unknown".to_owned(), |peer| peer.0.to_string())
}

impl Form {
    /// Reads a request.
    pub(super) async fn read(request: Request) -> Result<Form, Refusal> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let media_type = media_type.and_then(|t| t.split(';').next()).unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(wrong("the body is a form (application/x-www-form-urlencoded)"));
        }
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(wrong("parameters stand in the body, never in the address"));
        }
        let basic = match request.headers().get(header::AUTHORIZATION) {
            Some(value) => Some(value.to_str().ok().and_then(basic).ok_or_else(|| {
                Refusal::new(Kind::InvalidClient, "Authorization is 'Basic' and the client's name and secret")
            })?),
            None => None,
        };
        let address = address(&request);
        let body = bytes(request).await?;
        let text = String::from_utf8(body).map_err(|_| wrong("the body is not UTF-8"))?;
        let pairs = split(&text).map_err(|_| wrong("the body is not UTF-8 when decoded"))?;
        for (at, (name, _)) in pairs.iter().enumerate() {
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(wrong("a parameter stands twice in the body"));
            }
        }
        Ok(Form { pairs, basic, address })
    }

    /// A value that is there.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// A value that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        self.value(name).ok_or_else(|| wrong(format!("{name} is missing")))
    }

    /// What the client shows of itself.
    pub(super) fn shown(&self) -> Result<Shown<'_>, Refusal> {
        let (mut id, mut secret) = (self.value("client_id"), self.value("client_secret"));
        if let Some((name, own)) = &self.basic {
            if secret.is_some() || id.is_some_and(|id| id != name) {
                return Err(wrong("a client proves who it is in one way, not two"));
            }
            (id, secret) = (Some(name.as_str()), Some(own.as_str()));
        }
        Ok(Shown {
            id,
            secret,
            assertion_type: self.value("client_assertion_type"),
            assertion: self.value("client_assertion"),
            address: &self.address,
        })
    }
}

/// RFC 6749, section 2.3.1: both parts are form-encoded first.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(rest.trim().as_bytes()).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    let decode = |part: &str| split(&format!("x={part}")).ok()?.pop().map(|(_, value)| value);
    Some((decode(name)?, decode(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_and_its_secret_are_read() {
        let encoded = BASE64.encode(b"my+client:a%3Ab");
        assert_eq!(basic(&format!("Basic {encoded}")), Some(("my client".to_owned(), "a:b".to_owned())));
        assert_eq!(basic("Basic !"), None);
        assert_eq!(basic(&format!("Bearer {encoded}")), None);
        assert_eq!(basic(&format!("Basic {}", BASE64.encode(b"nothing"))), None);
    }
}
