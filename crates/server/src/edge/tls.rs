//! TLS 1.3, by rustls with ring: which certificate is shown, and whether it may be.
//!
//! A certificate comes from two files of PEM, which are read anew when they change, or from a certificate authority ([`super::acme`]).
//! One that will not do (another key, not for the hub's name, expired) is told of and never shown: the one before stays.
//!
//! Design not chosen: TLS 1.2 too. Every browser since 2019 and every library that is still kept speaks 1.3, and what 1.2 needs
//! to be safe is a list of what to leave out.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio::sync::watch;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Acme;

/// The protocol by which a certificate authority looks whether a name is the hub's (RFC 8737).
pub(crate) const ACME_PROTOCOL: &[u8] = b"acme-tls/1";
/// Files are looked at this often.
const LOOK: Duration = Duration::from_secs(2);
/// A certificate file is no larger.
const LARGEST: u64 = 1 << 20;
/// So long before a certificate ends it is told of.
const SOON: i64 = 14 * 86_400;
const DAY: Duration = Duration::from_secs(86_400);

/// Where a hub's certificate comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// From files.
    Files(Arc<Certificates>),
    /// From a certificate authority that is asked for it.
    Acme(Arc<Acme>),
}

impl Source {
    pub(crate) fn certificates(&self) -> &Arc<Certificates> {
        match self {
            Source::Files(certificates) => certificates,
            Source::Acme(acme) => &acme.certificates,
        }
    }

    /// Keeps the certificate current until the hub stops.
    pub(crate) async fn keep(self, stopped: watch::Receiver<bool>) {
        match self {
            Source::Files(certificates) => certificates.keep(stopped).await,
            Source::Acme(acme) => acme.keep(stopped).await,
        }
    }
}

/// A certificate with its key, and from when to when it is good.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) key: Arc<CertifiedKey>,
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    /// Seconds since 1970.
    pub(crate) not_after: i64,
}

/// The certificate a hub shows.
pub struct Certificates {
    /// The name it must be for.
    host: String,
    files: Option<(PathBuf, PathBuf)>,
    current: RwLock<Option<Held>>,
    /// Those by which a certificate authority sees that a name is the hub's.
    challenges: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({}, {:?})", self.host, self.files)
    }
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Reads what a file holds, if it is no larger than such a file is.
fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let about = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if about.len() > LARGEST {
        return Err(format!(
            "{} has {} bytes; a file of PEM is no larger than {LARGEST}",
            path.display(),
            about.len()
        ));
    }
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// Refuses a key that others than its owner and group may read, or that others than its owner may write.
fn check_mode(path: &Path) -> Result<(), String> {
    let about = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o027 != 0 {
        let path = path.display();
        return Err(format!(
            "{path} holds a private key and others may read or change it (mode {mode:o}): chmod 600 {path}"
        ));
    }
    Ok(())
}

/// A chain and a key, if they belong together and are for a host, now.
pub(crate) fn held(chain: &[u8], key: &[u8], host: &str, of: (&str, &str)) -> Result<Held, String> {
    let (chain_name, key_name) = of;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("{chain_name} is no PEM: {e}"))?;
    let Some(leaf) = chain.first().cloned() else {
        return Err(format!("{chain_name} holds no certificate (-----BEGIN CERTIFICATE-----)"));
    };
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| format!("{key_name} holds no private key (-----BEGIN PRIVATE KEY-----)"))?;
    let key = CertifiedKey::from_der(chain, key, &provider())
        .map_err(|e| format!("{key_name} is not the key of {chain_name}: {e}"))?;
    let unreadable = || format!("{chain_name}: its first certificate does not read");
    let (_, about) = X509Certificate::from_der(&leaf).map_err(|_| unreadable())?;
    let (not_before, not_after) =
        (about.validity().not_before.timestamp(), about.validity().not_after.timestamp());
    let at = |seconds: i64| fhir::date_time::format_instant(seconds.saturating_mul(1_000_000));
    let now = now();
    if now >= not_after {
        return Err(format!("{chain_name} expired at {}; get a new certificate", at(not_after)));
    }
    if now < not_before {
        return Err(format!("{chain_name} is not good before {}; is the clock right?", at(not_before)));
    }
    let parsed = ParsedCertificate::try_from(&leaf).map_err(|_| unreadable())?;
    let name =
        ServerName::try_from(host).map_err(|_| format!("'{host}' is no name a certificate could be for"))?;
    rustls::client::verify_server_name(&parsed, &name).map_err(|_| {
        format!("{chain_name} is for another name than {host}, by which the hub is known (--url)")
    })?;
    Ok(Held { key: Arc::new(key), not_before, not_after })
}

impl Certificates {
    /// The certificate and key in two files of PEM, for a host. The chain's first certificate is the hub's own.
    ///
    /// # Errors
    /// Why they will not do.
    pub fn of_files(certificate: &Path, key: &Path, host: &str) -> Result<Arc<Certificates>, String> {
        let certificates = Certificates {
            files: Some((certificate.to_owned(), key.to_owned())),
            ..Certificates::none(host)
        };
        certificates.read()?;
        Ok(Arc::new(certificates))
    }

    /// None yet, for a host.
    pub(crate) fn none(host: &str) -> Certificates {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Certificates { host, files: None, current: RwLock::default(), challenges: RwLock::default() }
    }

    /// Reads the files and shows from now on what they hold.
    fn read(&self) -> Result<(), String> {
        let Some((certificate, key)) = &self.files else { return Ok(()) };
        check_mode(key)?;
        let names = (certificate.display().to_string(), key.display().to_string());
        let held = held(&bytes_of(certificate)?, &bytes_of(key)?, &self.host, (&names.0, &names.1))?;
        self.show(held);
        Ok(())
    }

    /// Shows a certificate from now on.
    pub(crate) fn show(&self, held: Held) {
        metrics::gauge!("yojigen_certificate_not_after_seconds").set(held.not_after as f64);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// What is shown.
    pub(crate) fn current(&self) -> Option<Held> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows a certificate authority that a name is the hub's.
    pub(crate) fn show_challenge(&self, name: &str, key: CertifiedKey) {
        let mut challenges = self.challenges.write().unwrap_or_else(PoisonError::into_inner);
        challenges.insert(name.to_ascii_lowercase(), Arc::new(key));
    }

    /// Shows that no more.
    pub(crate) fn end_challenges(&self) {
        self.challenges.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What tells one state of the files from another.
    fn fingerprint(&self) -> Option<[(u64, u64, i64, i64); 2]> {
        let (certificate, key) = self.files.as_ref()?;
        let of = |path: &Path| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
        };
        Some([of(certificate)?, of(key)?])
    }

    /// Reads the files anew whenever they have changed and then rested, until the hub stops.
    async fn keep(&self, mut stopped: watch::Receiver<bool>) {
        let mut read = self.fingerprint();
        let mut before = read;
        let mut told = tokio::time::Instant::now();
        self.tell_if_soon();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stopped.changed() => return,
            }
            let found = self.fingerprint();
            // Two files cannot be changed at once: they count when they are still the same a moment later.
            let is_at_rest = found == before;
            before = found;
            if found.is_some() && found != read && is_at_rest {
                read = found;
                match self.read() {
                    Ok(()) => tracing::info!("the certificate was read anew"),
                    Err(error) => {
                        tracing::error!(%error, "the new certificate will not do; the one before is kept");
                    }
                }
                self.tell_if_soon();
            } else if told.elapsed() > DAY {
                told = tokio::time::Instant::now();
                self.tell_if_soon();
            }
        }
    }

    fn tell_if_soon(&self) {
        if let Some(held) = self.current()
            && held.not_after - now() < SOON
        {
            let days = (held.not_after - now()).max(0) / 86_400;
            tracing::warn!(days, "the certificate ends soon");
        }
    }

    /// How connections are secured with it.
    ///
    /// # Errors
    /// If the library cannot do what it says.
    pub(crate) fn config(
        self: &Arc<Certificates>,
        is_acme: bool,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if is_acme {
            config.alpn_protocols.push(ACME_PROTOCOL.to_vec());
        }
        Ok(Arc::new(config))
    }
}

/// Chooses what is shown.
#[derive(Debug)]
struct Resolver(Arc<Certificates>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_challenge = hello.alpn().is_some_and(|mut protocols| protocols.any(|p| p == ACME_PROTOCOL));
        if is_challenge {
            let challenges = self.0.challenges.read().unwrap_or_else(PoisonError::into_inner);
            return challenges.get(&hello.server_name()?.to_ascii_lowercase()).cloned();
        }
        self.0.current().map(|held| held.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, days: i64) -> (String, String) {
        let mut about = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let now = SystemTime::now();
        about.not_before = (now - 2 * DAY).into();
        about.not_after = if days > 0 { now + DAY * days as u32 } else { now - DAY }.into();
        let key = rcgen::KeyPair::generate().unwrap();
        (about.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn what_will_not_do_says_why() {
        let (chain, key) = pair("hub.example", 5);
        let held = |chain: &str, key: &str, host: &str| {
            held(chain.as_bytes(), key.as_bytes(), host, ("c.pem", "k.pem")).err().unwrap_or_default()
        };
        assert_eq!(held(&chain, &key, "hub.example"), "");
        assert!(held(&chain, &key, "other.example").contains("c.pem is for another name than other.example"));
        assert!(
            held(&chain, &pair("hub.example", 5).1, "hub.example").contains("k.pem is not the key of c.pem")
        );
        assert!(held("", &key, "hub.example").contains("no certificate"));
        assert!(held(&chain, &chain, "hub.example").contains("no private key"));
        let (old, key) = pair("hub.example", 0);
        assert!(held(&old, &key, "hub.example").contains("expired"));
    }

    #[test]
    fn a_key_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = pair("localhost", 5);
        let (certificate_file, key_file) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        std::fs::write(&certificate_file, chain).unwrap();
        std::fs::write(&key_file, key).unwrap();
        for (mode, is_good) in [(0o644, false), (0o660, false), (0o604, false), (0o640, true), (0o600, true)]
        {
            std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = Certificates::of_files(&certificate_file, &key_file, "localhost");
            assert_eq!(read.is_ok(), is_good, "{mode:o} {read:?}");
            assert!(is_good || read.unwrap_err().contains("chmod 600"));
        }
    }
}
