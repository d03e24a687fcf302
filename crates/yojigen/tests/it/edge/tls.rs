//! TLS.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use rustls::version;

use super::{Pair, connect, exchanged, free_port, https, place, secured};
use crate::auth::task;
use crate::hub::{Hub, try_send};

const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn a_hub_speaks_https_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new(folder.path(), "localhost", 30);
    let port = free_port();
    let to = format!("127.0.0.1:{port}");
    let arguments = [&pair.arguments()[..], &["--redirect-http", &to]].concat();
    let hub = Hub::serve_closed(&folder.path().join("hub"), &arguments, &[]);
    assert!(hub.base.starts_with("https://localhost:"), "{}", hub.base);
    let agent = pair.agent();
    let answer = try_send(&agent, &hub.base, "GET", "/metadata", &[], "").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains(&hub.base), "it names its https address");
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    // A session's cookie is this host's alone, and https's.
    let page = try_send(&agent, &hub.base, "GET", "//auth/sign-in", &[], "").unwrap();
    let cookies: Vec<&str> =
        page.headers.iter().filter(|(n, _)| n == "set-cookie").map(|(_, v)| v.as_str()).collect();
    assert_eq!(page.status, 200);
    for cookie in &cookies {
        assert!(cookie.contains("Secure") && cookie.starts_with("__Host-"), "{cookie}");
    }
    // Both protocols, and no older TLS.
    for (offered, chosen) in [(&b"h2"[..], "h2"), (b"http/1.1", "http/1.1")] {
        let stream = secured(&hub.base, &pair.der, &[&version::TLS13], &[offered]).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(chosen.as_bytes()));
    }
    assert!(secured(&hub.base, &pair.der, &[&version::TLS12], &[b"http/1.1"]).is_err());
    assert!(secured(&hub.base, &pair.der, &[&version::TLS13], &[b"acme-tls/1"]).is_err());
    assert!(exchanged(https(&hub.base, &pair.der), HEALTH).starts_with("HTTP/1.1 200"));
    // Plain HTTP is not answered there, only led to https where that is asked for.
    assert!(!exchanged(connect(&hub.base), HEALTH).contains("200"));
    let root = hub.base.trim_end_matches("/fhir");
    for (method, path) in [("GET", "/auth/sign-in?return=%2F"), ("POST", "/fhir/Patient")] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n");
        let answer = exchanged(connect(&format!("http://{to}")), request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
        assert!(answer.contains(&format!("location: {root}{path}\r\n")), "{answer}");
    }
    assert!(hub.stop());
}

#[test]
fn a_certificate_is_read_anew_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = Pair::new(folder.path(), "localhost", 30);
    let hub = Hub::serve_closed(&folder.path().join("hub"), &first.arguments(), &[]);
    let shown = |pair: &Pair| secured(&hub.base, &pair.der, &[&version::TLS13], &[b"http/1.1"]).is_ok();
    let within = |seconds: u64, is_so: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is_so() {
            if began.elapsed() > Duration::from_secs(seconds) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        true
    };
    let mut open = https(&hub.base, &first.der);
    let second = Pair::new(folder.path(), "localhost", 40);
    assert!(within(20, &|| shown(&second)) && !shown(&first));
    // What is open goes on.
    open.write_all(HEALTH).unwrap();
    assert!(exchanged(open, b"").starts_with("HTTP/1.1 200"));
    // None of these will do.
    let good = [std::fs::read(&second.certificate).unwrap(), std::fs::read(&second.key).unwrap()];
    let spoil: [&dyn Fn(); 5] = [
        &|| std::fs::write(&second.certificate, "-----BEGIN CERTIFICATE-----\nnonsense").unwrap(),
        &|| drop(Pair::new(folder.path(), "other.example", 30)),
        &|| drop(Pair::new(folder.path(), "localhost", 0)),
        &|| std::fs::write(&second.key, "").unwrap(),
        &|| std::fs::remove_file(&second.certificate).unwrap(),
    ];
    for bad in spoil {
        bad();
        std::thread::sleep(Duration::from_secs(5));
        assert!(shown(&second), "the one before is kept");
        std::fs::write(&second.certificate, &good[0]).unwrap();
        std::fs::write(&second.key, &good[1]).unwrap();
    }
    let third = Pair::new(folder.path(), "localhost", 50);
    assert!(within(20, &|| shown(&third)), "after bad ones a good one is taken");
}

#[test]
fn one_slow_handshake_holds_nobody_up_and_has_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new(folder.path(), "localhost", 30);
    let hub = Hub::serve_closed(&folder.path().join("hub"), &pair.arguments(), &[]);
    let mut silent: Vec<_> = (0..100).map(|_| connect(&hub.base)).collect();
    // Half a handshake.
    silent[0].write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    let began = Instant::now();
    assert!(exchanged(https(&hub.base, &pair.der), HEALTH).starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    std::thread::sleep(Duration::from_secs(11));
    for stream in &mut silent {
        assert!(super::closes(stream, Duration::from_secs(1)), "its time is over");
    }
}

#[test]
fn what_will_not_do_is_said_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let data = data.to_str().unwrap();
    let pair = Pair::new(folder.path(), "localhost", 30);
    let of = pair.arguments();
    let refused = |listen: &str, arguments: &[&str], why: &str| {
        let words = [&["serve", "--data", data, "--listen", listen], arguments].concat();
        let (is_done, said) = task(&words, "");
        assert!(!is_done && said.contains(why), "{arguments:?}: {said}");
    };
    refused("127.0.0.1:0", &of[..2], "tls-certificate: its private key is missing");
    refused("127.0.0.1:0", &of[2..], "tls-key: its certificate is missing");
    refused("0.0.0.0:0", &of, "url: by which address is the hub known?");
    let with = |further: &[&'static str]| [&of[..], further].concat();
    refused("127.0.0.1:0", &with(&["--url", "http://localhost"]), "the hub speaks https");
    refused("127.0.0.1:0", &with(&["--open"]), "open: ");
    refused("127.0.0.1:0", &with(&["--url", "https://hub.example"]), "for another name than hub.example");
    refused("127.0.0.1:0", &["--redirect-http", "127.0.0.1:0"], "redirect-http: ");
    refused("0.0.0.0:0", &[], "--tls-certificate");
    refused("127.0.0.1:0", &["--acme", "https://ca.example/directory"], "--acme-domain");
    refused("127.0.0.1:0", &["--acme-domain", "hub.example"], "--acme");
    let acme = ["--acme", "http://ca.example/", "--acme-domain", "Hub", "--acme-contact", "me"];
    refused("127.0.0.1:0", &acme, "https address");
    std::fs::set_permissions(&pair.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused("127.0.0.1:0", &of, "chmod 600");
    std::fs::set_permissions(&pair.key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&pair.certificate, "").unwrap();
    refused("127.0.0.1:0", &of, "holds no certificate");
    // Where others can reach it, with a certificate and an address.
    let pair = Pair::new(folder.path(), "localhost", 30);
    let arguments =
        [&pair.arguments()[..], &["--url", "https://localhost", "--listen", "0.0.0.0:0"]].concat();
    let config = [&["config", "show", "--data", data], &arguments[..]].concat();
    let (is_done, said) = task(&config, "");
    assert!(is_done && said.contains("0.0.0.0:0"), "{said}");
    assert_eq!(place("https://localhost:1/fhir"), "localhost:1");
}
