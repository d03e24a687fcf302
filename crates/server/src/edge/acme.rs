//! A certificate from a certificate authority (RFC 8555), kept by the hub itself.
//!
//! That a name is the hub's is shown by the challenge tls-alpn-01 (RFC 8737): the authority opens a connection of TLS to the name, and
//! is shown a certificate with what it asked for. So it needs no port but the one the hub listens on (443 as the authority sees it), and
//! no page anybody could change.
//!
//! The folder, its owner's alone (0700), has the account with its key (`account.json`), the certificate (`certificate.pem`) and its key
//! (`key.pem`), each 0600 and written whole. A new certificate, with a new key, is asked for when a third of the old one's time is left;
//! what fails is tried again, later each time.
//!
//! Design not chosen: `rustls-acme`, which brings its own HTTP client and its own idea of a listener; http-01, which needs port 80 as well.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::tls::{Certificates, Held, held, now};

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(6 * 3600));
/// The clock is looked at this often at least: machines sleep.
const LOOK: Duration = Duration::from_secs(3600);
/// An order is done within this time, or has failed.
const ORDER_TIME: Duration = Duration::from_secs(300);

/// Who is asked for what.
pub struct Acme {
    /// The authority's directory.
    directory: String,
    /// Whom it writes to: `mailto:…`.
    contacts: Vec<String>,
    /// The names the certificate is for; the first is the hub's.
    domains: Vec<String>,
    folder: PathBuf,
    pub(crate) certificates: Arc<Certificates>,
}

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acme({}, {:?})", self.directory, self.domains)
    }
}

/// A certificate and its key, as PEM.
struct Issued {
    chain: String,
    key: String,
}

impl Acme {
    /// Opens the folder, or makes it, and shows the certificate that is in it.
    ///
    /// # Errors
    /// If others can read the folder, or it cannot be made.
    pub fn open(
        directory: &str,
        contacts: &[String],
        domains: &[String],
        folder: &Path,
    ) -> Result<Arc<Acme>, String> {
        let shown = folder.display();
        if !folder.exists() {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(folder).map_err(|e| format!("making {shown}: {e}"))?;
        }
        let about = std::fs::metadata(folder).map_err(|e| format!("{shown}: {e}"))?;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "{shown} holds private keys and others than its owner may open it (mode {mode:o}): chmod 700 {shown}"
            ));
        }
        let Some(host) = domains.first() else { return Err("a certificate is for a name".to_owned()) };
        let acme = Acme {
            directory: directory.to_owned(),
            contacts: contacts.to_vec(),
            domains: domains.to_vec(),
            folder: folder.to_owned(),
            certificates: Arc::new(Certificates::none(host)),
        };
        match acme.kept() {
            Ok(Some(held)) => acme.certificates.show(held),
            Ok(None) => {}
            // It is asked for anew.
            Err(error) => tracing::warn!(%error, "the certificate that is kept will not do"),
        }
        Ok(Arc::new(acme))
    }

    /// The certificate in the folder.
    fn kept(&self) -> Result<Option<Held>, String> {
        let read = |name: &str| match std::fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{name}: {error}")),
        };
        match (read(CERTIFICATE)?, read(KEY)?) {
            (Some(chain), Some(key)) => self.held(&Issued { chain, key }).map(Some),
            _ => Ok(None),
        }
    }

    /// What was issued, if it is for all the names.
    fn held(&self, issued: &Issued) -> Result<Held, String> {
        let of =
            |host: &String| held(issued.chain.as_bytes(), issued.key.as_bytes(), host, (CERTIFICATE, KEY));
        let mut found = None;
        for host in &self.domains {
            found = Some(of(host)?);
        }
        found.ok_or_else(|| "a certificate is for a name".to_owned())
    }

    /// Writes a file whole, readable by its owner alone.
    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        let half = self.folder.join(format!("{name}.new"));
        let written = || -> std::io::Result<()> {
            let _ = std::fs::remove_file(&half);
            let mut file =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&half, &path)?;
            std::fs::File::open(&self.folder)?.sync_all()
        };
        written().map_err(|e| format!("writing {}: {e}", path.display()))
    }

    /// Keeps a certificate until the hub stops.
    pub(crate) async fn keep(self: Arc<Acme>, mut stopped: watch::Receiver<bool>) {
        let mut pause = PAUSES.0;
        loop {
            let left = self.certificates.current().map_or(0, |held| {
                let third = (held.not_after - held.not_before) / 3;
                held.not_after - third - now()
            });
            let wait = if let Ok(left) = u64::try_from(left)
                && left > 0
            {
                Duration::from_secs(left).min(LOOK)
            } else {
                let asked = tokio::time::timeout(ORDER_TIME, self.order()).await;
                self.certificates.end_challenges();
                match asked.unwrap_or_else(|_| Err("it takes too long".to_owned())) {
                    Ok(()) => {
                        tracing::info!(domains = ?self.domains, "a new certificate was issued");
                        pause = PAUSES.0;
                        Duration::ZERO
                    }
                    Err(error) => {
                        let seconds = pause.as_secs();
                        tracing::error!(%error, again_in_seconds = seconds, "no certificate was issued");
                        let wait = pause;
                        pause = (pause * 2).min(PAUSES.1);
                        wait
                    }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stopped.changed() => return,
            }
        }
    }

    /// The account, which is made if there is none yet.
    async fn account(&self) -> Result<Account, String> {
        let said = |e: instant_acme::Error| format!("{}: {e}", self.directory);
        let path = self.folder.join(ACCOUNT);
        if let Ok(text) = std::fs::read_to_string(&path) {
            let kept: serde_json::Value = serde_json::from_str(&text)
                .map_err(|_| format!("{} does not read; move it away for a new account", path.display()))?;
            // An account is one authority's.
            if kept["of"] == self.directory.as_str() {
                let credentials: AccountCredentials = serde_json::from_value(kept["account"].clone())
                    .map_err(|_| {
                        format!("{} does not read; move it away for a new account", path.display())
                    })?;
                let builder = Account::builder().map_err(said)?;
                return builder.from_credentials(credentials).await.map_err(said);
            }
        }
        let contacts: Vec<&str> = self.contacts.iter().map(String::as_str).collect();
        let new =
            NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
        let builder = Account::builder().map_err(said)?;
        let (account, credentials) =
            builder.create(&new, self.directory.clone(), None).await.map_err(said)?;
        let credentials = serde_json::to_value(&credentials).map_err(|e| e.to_string())?;
        let kept = serde_json::json!({"of": self.directory, "account": credentials});
        self.write(ACCOUNT, &kept.to_string())?;
        Ok(account)
    }

    /// Asks for a certificate, keeps it and shows it.
    async fn order(&self) -> Result<(), String> {
        let said = |e: instant_acme::Error| format!("{}: {e}", self.directory);
        let account = self.account().await?;
        let names: Vec<Identifier> = self.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(said)?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(said)?;
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                status => return Err(format!("{}: an authorization is {status:?}", self.directory)),
            }
            let mut challenge = authorization
                .challenge(ChallengeType::TlsAlpn01)
                .ok_or_else(|| format!("{} offers no tls-alpn-01", self.directory))?;
            let name = challenge.identifier().to_string();
            let shown = shown(&name, challenge.key_authorization().digest().as_ref())?;
            self.certificates.show_challenge(&name, shown);
            challenge.set_ready().await.map_err(said)?;
        }
        let patience = RetryPolicy::default().timeout(ORDER_TIME);
        let status = order.poll_ready(&patience).await.map_err(said)?;
        if status != OrderStatus::Ready {
            let why = order.state().error.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(format!(
                "{} does not see that {} is this hub (the order is {status:?}) {why}; it must reach port 443 of that name here",
                self.directory,
                self.domains.join(", ")
            ));
        }
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        let mut about = CertificateParams::new(self.domains.clone()).map_err(|e| e.to_string())?;
        about.distinguished_name = DistinguishedName::new();
        let request = about.serialize_request(&key).map_err(|e| e.to_string())?;
        order.finalize_csr(request.der()).await.map_err(said)?;
        let chain = order.poll_certificate(&patience).await.map_err(said)?;
        let issued = Issued { chain, key: key.serialize_pem() };
        // What will not do is not kept.
        let held = self.held(&issued)?;
        self.write(KEY, &issued.key)?;
        self.write(CERTIFICATE, &issued.chain)?;
        self.certificates.show(held);
        Ok(())
    }
}

/// The certificate that answers a challenge (RFC 8737, 3): for the name, with a digest, signed by itself.
fn shown(name: &str, digest: &[u8]) -> Result<CertifiedKey, String> {
    let failed = |e: rcgen::Error| format!("a challenge cannot be answered: {e}");
    let key = KeyPair::generate().map_err(failed)?;
    let mut about = CertificateParams::new(vec![name.to_owned()]).map_err(failed)?;
    about.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = about.self_signed(&key).map_err(failed)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Whether they belong together is not looked at: the library reads no certificate with this extension.
    let key = ring::default_provider().key_provider.load_private_key(key);
    let key = key.map_err(|e| format!("a challenge cannot be answered: {e}"))?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}
