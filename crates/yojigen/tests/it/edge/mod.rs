//! The hub on the internet: what it speaks, what it refuses, how much it takes.

mod acme;
mod framing;
mod headers;
mod limits;
mod origins;
mod tls;

use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};

/// A certificate with its key in two files, signed by itself.
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) der: CertificateDer<'static>,
}

impl Pair {
    /// For a name, for so many days.
    pub(super) fn new(folder: &Path, name: &str, days: i64) -> Pair {
        let mut about = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let (now, day) = (std::time::SystemTime::now(), Duration::from_secs(86_400));
        about.not_before = (now - 3 * day).into();
        about.not_after = if days > 0 { now + day * days as u32 } else { now - day }.into();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = about.self_signed(&key).unwrap();
        let pair = Pair {
            certificate: folder.join("hub.pem"),
            key: folder.join("hub.key"),
            der: certificate.der().clone(),
        };
        std::fs::write(&pair.certificate, certificate.pem()).unwrap();
        // As programs that renew certificates do: another file takes the place.
        let half = folder.join("hub.key.new");
        std::fs::write(&half, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&half, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(&half, &pair.key).unwrap();
        pair
    }

    /// The arguments of `serve` that name it.
    pub(super) fn arguments(&self) -> [&str; 4] {
        let text = |path: &'_ PathBuf| -> &'static str {
            Box::leak(path.to_str().unwrap().to_owned().into_boxed_str())
        };
        ["--tls-certificate", text(&self.certificate), "--tls-key", text(&self.key)]
    }

    /// What a server shows of it.
    pub(super) fn server(&self) -> Arc<rustls::ServerConfig> {
        let key = PrivateKeyDer::from_pem_file(&self.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth();
        Arc::new(config.with_single_cert(vec![self.der.clone()], key).unwrap())
    }

    /// A client that trusts it alone.
    pub(super) fn agent(&self) -> ureq::Agent {
        let certificate = ureq::tls::Certificate::from_der(&self.der).to_owned();
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(ureq::tls::RootCerts::new_with_certs(&[certificate]))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_redirects(0)
            .tls_config(tls);
        config.build().into()
    }
}

/// Host and port of an address.
pub(super) fn place(base: &str) -> String {
    base.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

/// A connection of TCP.
pub(super) fn connect(base: &str) -> TcpStream {
    let stream = TcpStream::connect(place(base)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// A connection of TLS to `localhost`, by these versions and protocols.
pub(super) fn secured(
    base: &str,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = connect(base);
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// The same as any client does.
pub(super) fn https(
    base: &str,
    trusted: &CertificateDer<'static>,
) -> StreamOwned<ClientConnection, TcpStream> {
    secured(base, trusted, &[&version::TLS13], &[b"http/1.1"]).unwrap()
}

/// Sends bytes and reads until the other end closes.
pub(super) fn exchanged(mut stream: impl std::io::Read + std::io::Write, bytes: &[u8]) -> String {
    // The other end may have closed before all was sent.
    let _ = stream.write_all(bytes);
    let _ = stream.flush();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether the other end closes a connection within a time.
pub(super) fn closes(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// Sends bytes, slowly; whether the other end closed before all were sent.
pub(super) fn drips(stream: &mut (impl std::io::Write + ?Sized), bytes: &[u8], pause: Duration) -> bool {
    bytes.iter().any(|byte| {
        std::thread::sleep(pause);
        stream.write_all(&[*byte]).and_then(|()| stream.flush()).is_err()
    })
}

/// A port that is free for the moment.
pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
