//! Clients that publish their keys (`jwks_uri`): the hub asks where its operator lets it, and nowhere else.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::systems::{Key, now};
use super::{CALLBACK, House, task};
use crate::edge::Pair;
use crate::hub::Answer;

/// Publishes what it is told to, over TLS if it has a certificate.
struct Publisher {
    place: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

fn tell(mut stream: impl Read + Write, answer: &str) {
    let lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.flush();
}

impl Publisher {
    fn open(pair: Option<&Pair>) -> Publisher {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = format!("localhost:{}", listener.local_addr().unwrap().port());
        let (answer, asked) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
        let publisher = Publisher { place, answer: Arc::clone(&answer), asked: Arc::clone(&asked) };
        let tls = pair.map(Pair::server);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                asked.fetch_add(1, Ordering::SeqCst);
                let answer = answer.lock().unwrap().clone();
                match &tls {
                    None => tell(stream, &answer),
                    Some(tls) => {
                        let mut connection = rustls::ServerConnection::new(Arc::clone(tls)).unwrap();
                        tell(rustls::Stream::new(&mut connection, &mut stream), &answer);
                        connection.send_close_notify();
                        let _ = connection.write_tls(&mut stream);
                    }
                }
            }
        });
        publisher
    }

    fn say(&self, head: &str, body: &str) {
        let answer = format!("{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        *self.answer.lock().unwrap() = answer;
    }

    fn publish(&self, keys: &[&Key]) {
        let keys: Vec<&Value> = keys.iter().map(|key| &key.jwk).collect();
        self.say("HTTP/1.1 200 OK", &json!({"keys": keys}).to_string());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn add(house: &House, id: &str, uri: &str) -> Value {
    let scope = ["--kind", "keyed", "--scope", "system/*.rs", "--role", "researcher"];
    house.client(&[&[id, "--name", "Loader", "--keys-uri", uri], &scope[..]].concat())
}

fn ask(house: &House, id: &str, key: &Key, header: &Value) -> Answer {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let jti = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    let aud = format!("{}/auth/token", house.root());
    let claims = json!({"iss": id, "sub": id, "aud": aud, "exp": now() + 200, "jti": jti});
    super::systems::ask(house, &key.sign(header, &claims), "system/*.rs")
}

fn header(kid: &str) -> Value {
    json!({"alg": "ES384", "typ": "JWT", "kid": kid})
}

#[test]
fn a_system_publishes_its_keys_and_changes_them() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new(folder.path(), "localhost", 30);
    let (plain, secure) = (Publisher::open(None), Publisher::open(Some(&pair)));
    let trusted = format!("SSL_CERT_FILE={}", pair.certificate.to_str().unwrap());
    let hosts = ["--key-host", &plain.place, "--key-host", &secure.place];
    let house = House::under(&["env", &trusted], &hosts);
    for (id, scheme, publisher) in [("plain", "http", &plain), ("secure", "https", &secure)] {
        let (first, second) = (Key::new("k1"), Key::new("k2"));
        let uri = format!("{scheme}://{}/jwks.json", publisher.place);
        publisher.publish(&[&first]);
        assert_eq!(add(&house, id, &uri)["keysUri"], uri);
        assert_eq!(publisher.asked(), 0, "nobody asks before there is a reason");
        for _ in 0..3 {
            let answer = ask(&house, id, &first, &header("k1"));
            assert_eq!(answer.status, 200, "{id}: {}", answer.body);
        }
        assert_eq!(publisher.asked(), 1, "{id}");
        // `jku` is the registered address, or none.
        let mut named = header("k1");
        named["jku"] = json!(uri);
        assert_eq!(ask(&house, id, &first, &named).status, 200);
        named["jku"] = json!(format!("{uri}?other"));
        let refused = ask(&house, id, &first, &named);
        assert!(refused.status == 401 && refused.body.contains("jku"), "{}", refused.body);
        // Another's key by the same name signs nothing; a key that is not published is asked for, and not again for a minute.
        assert_eq!(ask(&house, id, &Key::new("k1"), &header("k1")).status, 401);
        publisher.publish(&[&first, &second]);
        assert_eq!(ask(&house, id, &second, &header("k2")).status, 401, "asked for a moment ago");
        assert_eq!(publisher.asked(), 1, "{id}");
    }
}

#[test]
fn the_hub_asks_nowhere_its_operator_did_not_name() {
    let publisher = Publisher::open(None);
    let key = Key::new("k1");
    publisher.publish(&[&key]);
    let house = House::open(&["--key-host", "keys.example", "--allow-registration"]);
    let uri = format!("http://{}/jwks.json", publisher.place);
    add(&house, "loader", &uri);
    let refused = ask(&house, "loader", &key, &header("k1"));
    let way = format!("--key-host {}", publisher.place);
    assert!(refused.status == 401 && refused.json()["error"] == "invalid_client", "{}", refused.body);
    assert!(refused.body.contains(&way), "{}", refused.body);
    let register = |uri: &str| {
        let about = json!({"client_name": "App", "redirect_uris": [CALLBACK], "jwks_uri": uri, "scope": "patient/*.rs",
            "token_endpoint_auth_method": "private_key_jwt"});
        let headers = [("content-type", "application/json")];
        house.visitor().send("POST", "/auth/register", &headers, &about.to_string())
    };
    let answer = register(&uri);
    assert!(answer.status == 400 && answer.body.contains(&way), "{}", answer.body);
    for uri in [
        "http://keys.example/",
        "https://me@keys.example/",
        "https://keys.example:444/",
        "https://keys.example/#1",
    ] {
        let answer = register(uri);
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!("invalid_client_metadata")),
            "{uri}"
        );
    }
    let answer = register("https://keys.example/jwks.json");
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.json()["jwks_uri"], "https://keys.example/jwks.json");
    assert_eq!(publisher.asked(), 0);
    for (further, why) in
        [(["--keys-uri", "http://keys.example/"], "https"), (["--keys-uri", "file:///etc/passwd"], "https")]
    {
        let rest = ["--name", "X", "--kind", "keyed", "--scope", "system/*.rs", "--data", house.place()];
        let (is_done, said) = task(&[&["client", "add", "x"], &further[..], &rest[..]].concat(), "");
        assert!(!is_done && said.contains(why), "{said}");
    }
    let (is_done, said) = task(&["config", "show", "--data", "x", "--key-host", "https://keys.example"], "");
    assert!(!is_done && said.contains("key-host"), "{said}");
}

#[test]
fn what_is_no_key_set_lets_nobody_in() {
    let elsewhere = Publisher::open(None);
    let publishers: Vec<Publisher> = (0..6).map(|_| Publisher::open(None)).collect();
    let hosts: Vec<&str> = publishers.iter().flat_map(|p| ["--key-host", p.place.as_str()]).collect();
    let house = House::open(&[&hosts[..], &["--key-host", &elsewhere.place]].concat());
    let key = Key::new("k1");
    elsewhere.publish(&[&key]);
    let mut private = key.jwk.clone();
    private["d"] = json!("AAAA");
    let large = format!("{}{}", " ".repeat(1 << 20), json!({"keys": [key.jwk]}));
    let away = format!("HTTP/1.1 302 Found\r\nlocation: http://{}/", elsewhere.place);
    for (at, (head, body)) in [
        ("HTTP/1.1 200 OK", json!({"keys": [private]}).to_string()),
        ("HTTP/1.1 200 OK", "<html>".to_owned()),
        ("HTTP/1.1 200 OK", json!({"keys": []}).to_string()),
        ("HTTP/1.1 404 Not Found", json!({"keys": [key.jwk]}).to_string()),
        ("HTTP/1.1 200 OK", large),
        (&away, json!({"keys": [key.jwk]}).to_string()),
    ]
    .into_iter()
    .enumerate()
    {
        let (publisher, id) = (&publishers[at], format!("c{at}"));
        publisher.say(head, &body);
        add(&house, &id, &format!("http://{}/", publisher.place));
        for _ in 0..3 {
            let answer = ask(&house, &id, &key, &header("k1"));
            assert_eq!(answer.status, 401, "{at}: {}", answer.body);
            assert!(!answer.body.contains(&publisher.place), "{}", answer.body);
        }
        assert_eq!(publisher.asked(), 1, "{at}: in vain, so not again at once");
    }
    assert_eq!(elsewhere.asked(), 0, "redirects lead nowhere");
}
