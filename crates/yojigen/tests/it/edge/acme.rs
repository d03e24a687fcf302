//! A certificate from a certificate authority: Pebble, which is Let's Encrypt's own for tests, issues it and renews it.
//!
//! Pebble is `YOJIGEN_PEBBLE`, or on the path, or is built by Go. Names are answered by a server of names that knows this machine alone.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, version};
use serde_json::json;

use super::{Pair, exchanged, free_port, place};
use crate::hub::{Hub, try_send};

const DOMAIN: &str = "hub.example";
/// A certificate is good for so many seconds; a third before its end there is a new one.
const GOOD_FOR: u64 = 45;

fn pebble() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("YOJIGEN_PEBBLE") {
        return Some(named.into());
    }
    let runs = |program: &Path| Command::new(program).arg("-version").output().is_ok();
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pebble/pebble");
    if let Some(found) = [PathBuf::from("pebble"), built.clone()].into_iter().find(|program| runs(program)) {
        return Some(found);
    }
    let go = Command::new("go")
        .args(["install", "github.com/letsencrypt/pebble/v2/cmd/pebble@latest"])
        .env("GOBIN", built.parent().unwrap())
        .status();
    go.is_ok_and(|status| status.success()).then_some(built)
}

/// Answers that whatever is asked for is this machine, over TCP, as Pebble asks (RFC 1035).
fn names() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || while tell(&stream).is_ok() {});
        }
    });
    address
}

/// Answers one question.
fn tell(mut stream: &TcpStream) -> std::io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut asked = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut asked)?;
    let end = 12 + asked[12..].iter().position(|b| *b == 0).unwrap() + 5;
    let is_a = asked[end - 4..end] == [0, 1, 0, 1];
    let mut told = asked[..end].to_vec();
    told[2..4].copy_from_slice(&[0x81, 0x80]);
    told[6..12].copy_from_slice(&[0, u8::from(is_a), 0, 0, 0, 0]);
    if is_a {
        told.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    let length = u16::try_from(told.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length[..], &told].concat())
}

struct Authority {
    child: Child,
    management: String,
}

impl Authority {
    /// One that sees the hub at a port.
    fn open(program: &Path, folder: &Path, pair: &Pair, port: u16, hub: u16) -> Authority {
        let management = free_port();
        let about = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": pair.certificate, "privateKey": pair.key, "httpPort": free_port(), "tlsPort": hub, "ocspResponderURL": "",
            "externalAccountBindingRequired": false, "retryAfter": {"authz": 1, "order": 1},
            "profiles": {"default": {"description": "short", "validityPeriod": GOOD_FOR}},
        }});
        let file = folder.join("pebble.json");
        std::fs::write(&file, about.to_string()).unwrap();
        let child = Command::new(program)
            .args(["-config", file.to_str().unwrap(), "-dnsserver", &names()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Authority { child, management: format!("https://localhost:{management}") }
    }

    /// The root of what it issues.
    fn root(&self, pair: &Pair) -> CertificateDer<'static> {
        let root =
            || try_send(&pair.agent(), "", "GET", &format!("{}/roots/0", self.management), &[], "").ok();
        let root = within(30, root).expect("Pebble does not come up");
        CertificateDer::from_pem_slice(root.body.as_bytes()).unwrap()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn within<T>(seconds: u64, what: impl Fn() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = what() {
            return Some(found);
        }
        if began.elapsed() > Duration::from_secs(seconds) {
            return None;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection to the hub by its name, if it shows a certificate that leads to the root.
fn connected(base: &str, root: &CertificateDer<'static>) -> Option<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(DOMAIN).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let port = place(base).rsplit_once(':').unwrap().1.to_owned();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).ok()?;
    }
    Some(StreamOwned::new(connection, stream))
}

fn shown(stream: &Stream) -> CertificateDer<'static> {
    stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

fn answers(stream: Stream) -> bool {
    let request = format!("GET /health HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n");
    exchanged(stream, request.as_bytes()).starts_with("HTTP/1.1 200")
}

#[test]
fn an_authority_issues_a_certificate_and_renews_it() {
    let Some(program) = pebble() else {
        eprintln!(
            "edge::acme: NOT RUN: there is no Pebble (YOJIGEN_PEBBLE, pebble on the path, or go to build it)"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new(folder.path(), "localhost", 30);
    let data = folder.path().join("hub");
    let port = free_port();
    let directory = format!("https://localhost:{port}/dir");
    let trusted = format!("SSL_CERT_FILE={}", pair.certificate.to_str().unwrap());
    let arguments =
        ["--acme", &directory, "--acme-domain", DOMAIN, "--acme-contact", "mailto:operator@hub.example"];
    // The authority comes up later than the hub, which asks again.
    let hub = Hub::serve_closed(&data, &arguments, &["env", &trusted]);
    assert!(hub.base.starts_with(&format!("https://{DOMAIN}:")), "{}", hub.base);
    let own_port = place(&hub.base).rsplit_once(':').unwrap().1.parse().unwrap();
    let authority = Authority::open(&program, folder.path(), &pair, port, own_port);
    let root = authority.root(&pair);
    let stream = within(90, || connected(&hub.base, &root)).expect("no certificate was issued");
    let first = shown(&stream);
    assert!(answers(stream));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data.join("acme")), 0o700);
    for name in ["account.json", "certificate.pem", "key.pem"] {
        assert_eq!(mode(&data.join("acme").join(name)), 0o600, "{name}");
    }
    let kept = |name: &str| std::fs::read(data.join("acme").join(name)).unwrap();
    let (account, key) = (kept("account.json"), kept("key.pem"));
    // A third before its end there is another, with another key, by the same account; what is open goes on.
    let mut open = connected(&hub.base, &root).unwrap();
    open.write_all(format!("GET /health HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n").as_bytes()).unwrap();
    let renewed = within(GOOD_FOR, || connected(&hub.base, &root).filter(|stream| shown(stream) != first));
    let renewed = renewed.expect("it was not renewed in time");
    assert!(answers(renewed) && answers(open));
    assert_eq!(kept("account.json"), account);
    assert_ne!(kept("key.pem"), key);
    // What is kept is shown after a restart, without asking.
    drop(authority);
    assert!(hub.stop());
    let hub = Hub::serve_closed(&data, &arguments, &["env", &trusted]);
    assert!(connected(&hub.base, &root).is_some_and(answers));
}
