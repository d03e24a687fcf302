//! From which origins apps in browsers may ask: those their redirect URIs are of (SMART App Launch 2.2, "Considerations for
//! Cross-Origin Resource Sharing (CORS) support").

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::Auth;

/// The origins of registered clients, until one is added or removed.
#[derive(Debug, Default)]
pub(crate) struct Origins(Mutex<Option<HashSet<String>>>);

/// The origin of an address a browser may be sent back to; none for an app's own scheme.
fn origin(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://").filter(|(s, _)| matches!(*s, "https" | "http"))?;
    let authority = rest.split(['/', '?', '#']).next().filter(|a| !a.is_empty() && !a.contains('@'))?;
    let default = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default).unwrap_or(authority);
    Some(format!("{scheme}://{}", authority.to_ascii_lowercase()))
}

impl Auth {
    /// Whether a page of this origin (as `Origin` says it) is a registered client's.
    ///
    /// Where that cannot be read, it is not.
    #[must_use]
    pub fn is_origin_of_client(&self, asked: &str) -> bool {
        // Held while it is read, so that a client added meanwhile is not missed for good.
        let mut known = self.origins.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let Ok(clients) = self.clients() else { return false };
            let uris = clients.iter().flat_map(|client| &client.redirect_uris);
            *known = Some(uris.filter_map(|uri| origin(uri)).collect());
        }
        known.as_ref().is_some_and(|known| known.contains(asked))
    }

    /// A client was added or removed.
    pub(crate) fn forget_origins(&self) {
        *self.origins.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_origin_is_what_a_browser_says() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(origin("https://App.example:443/cb?x=1"), some("https://app.example"));
        assert_eq!(origin("http://127.0.0.1:8080/"), some("http://127.0.0.1:8080"));
        assert_eq!(origin("http://[::1]:8080/cb"), some("http://[::1]:8080"));
        assert_eq!(origin("com.example.app:/cb"), None);
        assert_eq!(origin("https://user@app.example/cb"), None);
    }
}
