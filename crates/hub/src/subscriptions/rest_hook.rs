//! The channel rest-hook: a request to the subscriber's endpoint.
//!
//! Redirects are not followed (they lead where nobody allowed to go); whatever is not 2xx is a failure. Certificates are
//! checked against those the machine trusts.

use std::sync::Arc;
use std::time::Duration;

use ureq::http::{Request, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody};

use super::rules::is_loopback;

/// Of an answer's body so much is read, so that the connection can be used again; it says nothing to the hub.
const ANSWER_BYTES: u64 = 64 << 10;

/// An address that is read from must answer within this time.
const FETCH_PAUSE: Duration = Duration::from_secs(60);

/// A request.
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    /// The subscription's headers.
    pub(crate) headers: &'a [(String, String)],
    /// The number of the event, if it is about one.
    pub(crate) number: Option<u64>,
    /// What it is called among all notifications: the same if it is sent again.
    pub(crate) key: Option<String>,
    /// Media type and content.
    pub(crate) body: Option<(&'static str, String)>,
    pub(crate) timeout: Duration,
}

/// What makes requests.
pub(crate) struct Caller {
    /// For this machine: no proxy stands between.
    inside: Agent,
    outside: Agent,
}

impl Caller {
    pub(crate) fn new() -> Caller {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = || {
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .unversioned_rustls_crypto_provider(Arc::clone(&provider))
                .build();
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent("yojigen")
                .tls_config(tls)
        };
        let inside = config().proxy(None).build().into();
        let outside = config().build().into();
        Caller { inside, outside }
    }

    /// Begins to read what is at an address; gzip is undone.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn fetch(&self, url: &str) -> Result<Box<dyn std::io::Read>, String> {
        let agent = if is_loopback(url) { &self.inside } else { &self.outside };
        let answer = agent
            .get(url)
            .header(header::ACCEPT_ENCODING, "gzip")
            .config()
            .timeout_connect(Some(FETCH_PAUSE))
            .timeout_recv_response(Some(FETCH_PAUSE))
            .timeout_per_read(Some(FETCH_PAUSE))
            .build()
            .call()
            .map_err(|e| e.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status()));
        }
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let is_packed = path.ends_with(".gz")
            || answer.headers().get(header::CONTENT_ENCODING).is_some_and(|v| v.as_bytes() == b"gzip");
        let body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        Ok(if is_packed { Box::new(flate2::read::MultiGzDecoder::new(body)) } else { Box::new(body) })
    }

    /// Makes a request; it was taken when this ends well.
    ///
    /// # Errors
    /// Why it was not.
    pub(crate) fn call(&self, call: Call<'_>) -> Result<(), String> {
        let mut request = Request::builder().method(call.method).uri(&call.url);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(number) = call.number {
            request = request.header("x-event-number", number);
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        match call.body {
            Some((media_type, content)) => {
                let request = request.header(header::CONTENT_TYPE, format!("{media_type};charset=utf-8"));
                self.run(&call.url, request.body(content), call.timeout)
            }
            None => self.run(&call.url, request.header(header::CONTENT_LENGTH, 0).body(()), call.timeout),
        }
    }

    fn run<B: AsSendBody>(
        &self,
        url: &str,
        request: Result<Request<B>, ureq::http::Error>,
        timeout: Duration,
    ) -> Result<(), String> {
        let agent = if is_loopback(url) { &self.inside } else { &self.outside };
        let request = request.map_err(|e| format!("the endpoint cannot be called: {e}"))?;
        let request = agent.configure_request(request).timeout_global(Some(timeout)).build();
        let mut answer = agent.run(request).map_err(|e| format!("the endpoint does not answer: {e}"))?;
        let status = answer.status();
        let _ = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
        match status.as_u16() {
            200..=299 => Ok(()),
            300..=399 => Err(format!("the endpoint answers {status}; redirects are not followed")),
            _ => Err(format!("the endpoint answers {status}")),
        }
    }
}

/// The address of a resource under an endpoint: its path goes on, its query stays last.
pub(crate) fn under(endpoint: &str, path: &str) -> String {
    let (address, query) = endpoint.split_once('?').map_or((endpoint, None), |(a, q)| (a, Some(q)));
    let address = format!("{}/{path}", address.trim_end_matches('/'));
    query.map_or(address.clone(), |query| format!("{address}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_goes_under_the_path_and_before_the_query() {
        assert_eq!(under("http://a.example/x/", "Patient/1"), "http://a.example/x/Patient/1");
        assert_eq!(under("http://a.example?k=1", "Patient/1"), "http://a.example/Patient/1?k=1");
    }
}
