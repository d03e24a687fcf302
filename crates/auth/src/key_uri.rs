//! Keys that a client publishes at an address (`jwks_uri`, RFC 7591, section 2; SMART App Launch 2.2, "Registering a client").
//!
//! A client can so change its keys without asking anybody. But then the hub asks where somebody else says: so it asks only at hosts the
//! operator named, remembers what it was told for a quarter of an hour, and asks sooner when a token names a key it does not know,
//! though never more than once a minute, whoever comes with whatever token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::Agent;
use ureq::http::{Request, header};

use crate::client::Client;
use crate::fetch::{self, place};
use crate::jws::KeySet;
use crate::refusal::{Kind, Refusal};
use crate::{Auth, Settings};

/// Keys are believed so long, in seconds.
const KEPT: u64 = 900;
/// They are not asked for more often.
const PAUSE: u64 = 60;
/// So many addresses' keys are remembered; beyond that all are forgotten.
const REMEMBERED: usize = 1000;
/// An address has at most so many bytes.
const LONGEST: usize = 2000;

/// What one address said.
#[derive(Debug, Default)]
struct Said {
    asked: Option<u64>,
    keys: Option<(u64, Arc<KeySet>)>,
}

/// What addresses said of late.
#[derive(Debug)]
pub(crate) struct Published {
    agent: Agent,
    local: Agent,
    said: Mutex<HashMap<String, Arc<Mutex<Said>>>>,
}

impl Default for Published {
    fn default() -> Published {
        Published { agent: fetch::agent(false), local: fetch::agent(true), said: Mutex::default() }
    }
}

impl Published {
    fn fetch(&self, uri: &str) -> Result<KeySet, String> {
        let is_local = place(uri).is_some_and(|(host, _)| fetch::is_loopback(host));
        let request = Request::get(uri).header(header::ACCEPT, "application/jwk-set+json, application/json");
        let request = request.body(String::new()).map_err(|_| "it is no address".to_owned())?;
        let keys = KeySet::read(&fetch::ask(if is_local { &self.local } else { &self.agent }, request)?)?;
        if keys.is_empty() {
            return Err("it has no key for RS384 or ES384".to_owned());
        }
        Ok(keys)
    }

    /// The keys at an address; those that are remembered, if they `will_do`.
    fn keys(&self, uri: &str, now: u64, will_do: impl Fn(&KeySet) -> bool) -> Result<Arc<KeySet>, String> {
        let said = {
            let mut all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= REMEMBERED && !all.contains_key(uri) {
                all.clear();
            }
            Arc::clone(all.entry(uri.to_owned()).or_default())
        };
        // Held while it is asked, so that of many who come at once one asks.
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let known = said.keys.clone().filter(|(at, _)| at + KEPT > now).map(|(_, keys)| keys);
        let has_asked = said.asked.is_some_and(|at| at + PAUSE > now);
        match known {
            Some(keys) if has_asked || will_do(&keys) => return Ok(keys),
            None if has_asked => {
                return Err("they did not come, and are asked for again in a minute".to_owned());
            }
            _ => {}
        }
        said.asked = Some(now);
        match (self.fetch(uri), known) {
            (Ok(keys), _) => {
                let keys = Arc::new(keys);
                said.keys = Some((now, Arc::clone(&keys)));
                Ok(keys)
            }
            (Err(why), Some(keys)) => {
                tracing::warn!(uri, why, "keys of a client could not be asked for anew");
                Ok(keys)
            }
            (Err(why), None) => Err(why),
        }
    }
}

/// Whether a text names a host that may be asked for keys: `keys.example`, `keys.example:8443`.
#[must_use]
pub fn is_key_host(text: &str) -> bool {
    fetch::host_and_port(text, 443).is_some()
}

/// Whether an address with keys may be asked.
///
/// # Errors
/// Why not, and who can permit it.
fn check_host(settings: &Settings, uri: &str) -> Result<(), String> {
    let (host, port) = place(uri).ok_or("write https://host/…; http is for loopback only")?;
    let is_same = |named: &String| {
        fetch::host_and_port(named, 443).is_some_and(|(h, p)| h.eq_ignore_ascii_case(host) && p == port)
    };
    if settings.key_hosts.iter().any(is_same) {
        return Ok(());
    }
    let place = if port == 443 { host.to_owned() } else { format!("{host}:{port}") };
    Err(format!(
        "this hub does not ask {place} for keys; its operator permits it with yojigen serve --key-host {place}"
    ))
}

/// Whether an address can be one where a client's keys are.
///
/// # Errors
/// What it would have to be.
pub(crate) fn check_keys_uri(uri: &str) -> Result<(), Refusal> {
    if uri.len() <= LONGEST && place(uri).is_some() && !uri.contains('#') {
        return Ok(());
    }
    let why =
        "the address of its keys is https://host/… (http is for loopback only), without a user or fragment";
    Err(Refusal::new(Kind::InvalidClientMetadata, why))
}

impl Auth {
    /// Whether a client that introduces itself may have its keys at an address.
    pub(crate) fn check_key_host(&self, uri: &str) -> Result<(), Refusal> {
        check_keys_uri(uri)?;
        let refused = |why: String| Refusal::new(Kind::InvalidClientMetadata, format!("jwks_uri: {why}"));
        check_host(&self.settings, uri).map_err(refused)
    }

    /// A client's keys, for a token that it is to have signed.
    pub(crate) fn keys_of(&self, client: &Client, token: &str) -> Result<Arc<KeySet>, Refusal> {
        let Some(uri) = &client.keys_uri else { return client.keys().map(Arc::new) };
        let refused = |why: String| Refusal::new(Kind::InvalidClient, format!("the client's keys: {why}"));
        check_host(&self.settings, uri).map_err(refused)?;
        self.published.keys(uri, self.now(), |keys| keys.has_key_for(token)).map_err(|why| {
            tracing::warn!(client = client.id, uri, why, "keys of a client did not come");
            // What answers there and how is nobody's business who only says he is the client.
            refused("they could not be read at its jwks_uri; the hub's log says why".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    /// A server that answers as it is told, and counts.
    struct Server {
        uri: String,
        answer: Arc<Mutex<String>>,
        asked: Arc<AtomicUsize>,
    }

    impl Server {
        fn new() -> Server {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let uri = format!("http://{}/keys", listener.local_addr().unwrap());
            let (answer, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
            let (told, counted) = (Arc::clone(&answer), Arc::clone(&asked));
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                    lines.take_while(|line| !line.is_empty()).for_each(drop);
                    let _ = stream.write_all(told.lock().unwrap().as_bytes());
                }
            });
            Server { uri, answer, asked }
        }

        fn say(&self, kids: &[&str]) {
            let point = BASE64URL_NOPAD.encode(&[1; 48]);
            let key = |kid: &&str| {
                format!(r#"{{"kty":"EC","crv":"P-384","kid":"{kid}","x":"{point}","y":"{point}"}}"#)
            };
            let body = format!(r#"{{"keys":[{}]}}"#, kids.iter().map(key).collect::<Vec<_>>().join(","));
            self.say_raw(&format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            ));
        }

        fn say_raw(&self, answer: &str) {
            answer.clone_into(&mut self.answer.lock().unwrap());
        }
    }

    fn token(kid: &str) -> String {
        let header = format!(r#"{{"alg":"ES384","kid":"{kid}"}}"#);
        format!("{}.e30.", BASE64URL_NOPAD.encode(header.as_bytes()))
    }

    #[test]
    fn keys_are_remembered_for_a_while_and_asked_for_once_when_one_is_missing() {
        let (server, published) = (Server::new(), Published::default());
        let has = |now: u64, kid: &str| {
            let keys = published.keys(&server.uri, now, |keys| keys.has_key_for(&token(kid)));
            (keys.is_ok_and(|keys| keys.has_key_for(&token(kid))), server.asked.load(Ordering::SeqCst))
        };
        server.say(&["a"]);
        assert_eq!(has(1000, "a"), (true, 1));
        assert_eq!(has(1000 + KEPT - 1, "a"), (true, 1), "remembered");
        // The key changes; what is not known is asked for, though not each time.
        server.say(&["b"]);
        assert_eq!(has(1000 + KEPT - 1, "b"), (true, 2));
        assert_eq!(
            has(1000 + KEPT, "a"),
            (false, 2),
            "what is taken away counts no more, and is not asked for again at once"
        );
        server.say(&["c"]);
        assert_eq!(has(1000 + KEPT - 1 + PAUSE - 1, "c"), (false, 2));
        assert_eq!(has(1000 + KEPT - 1 + PAUSE, "c"), (true, 3));
        // While the address does not answer, what is remembered counts to its end, and no longer.
        server.say_raw("HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let last = 1000 + KEPT - 1 + PAUSE;
        assert_eq!(has(last + PAUSE, "d"), (false, 4));
        assert_eq!(has(last + PAUSE, "c"), (true, 4));
        assert_eq!(has(last + KEPT - 1, "c"), (true, 4));
        assert_eq!(has(last + KEPT, "c"), (false, 5));
        assert_eq!(has(last + KEPT + PAUSE - 1, "c"), (false, 5), "nor is it asked more often than that");
        server.say(&["c"]);
        assert_eq!(has(last + KEPT + PAUSE, "c"), (true, 6));
    }

    #[test]
    fn of_many_at_once_one_asks() {
        let (server, published) = (Server::new(), Published::default());
        server.say(&["a"]);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| assert!(published.keys(&server.uri, 1000, |_| true).is_ok()));
            }
        });
        assert_eq!(server.asked.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn only_named_hosts_are_asked() {
        let mut settings = Settings::at("https://hub.example");
        let may = |settings: &Settings, uri: &str| check_host(settings, uri).is_ok();
        assert!(
            check_host(&settings, "https://keys.example/jwks")
                .unwrap_err()
                .contains("--key-host keys.example")
        );
        settings.key_hosts =
            ["keys.example", "other.example:8443", "localhost:9"].map(str::to_owned).to_vec();
        for uri in [
            "https://keys.example/jwks",
            "https://KEYS.example:443/",
            "https://other.example:8443/",
            "http://localhost:9/",
        ] {
            assert!(may(&settings, uri), "{uri}");
        }
        for uri in [
            "https://keys.example:8443/",
            "https://other.example/",
            "https://sub.keys.example/",
            "https://keys.example.other/",
            "https://keys.example@other.example/",
            "http://keys.example/",
            "http://localhost/",
            "http://127.0.0.1:9/",
        ] {
            assert!(!may(&settings, uri), "{uri}");
        }
    }
}
