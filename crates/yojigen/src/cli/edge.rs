//! How a hub meets the internet.

use super::serve::ServeArguments;
use crate::config::Within;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What stands between the internet and the hub.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "On the internet")]
pub(crate) struct EdgeArguments {
    /// The hub's certificate and what leads from it to a root, PEM; the hub then speaks https. Read anew when it changes
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key, PEM, which others may not read
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Ask a certificate authority for the certificate (RFC 8555) and keep it current: the address of its directory, whose terms
    /// of service you agree to by this
    #[arg(long, value_name = "URL")]
    pub acme: Option<String>,
    /// Whom the certificate authority writes to, mailto:name@host; may be given several times
    #[arg(long = "acme-contact", value_name = "ADDRESS")]
    pub acme_contacts: Vec<String>,
    /// A name the certificate is for; the first is the hub's; may be given several times
    #[arg(long = "acme-domain", value_name = "NAME")]
    pub acme_domains: Vec<String>,
    /// Where to listen for http as well, only to lead to https
    #[arg(long, value_name = "ADDRESS")]
    pub redirect_http: Option<SocketAddr>,
    /// Connections at once; more are closed
    #[arg(long, value_name = "NUMBER", default_value_t = 4096, value_parser = Within(1, 1_000_000))]
    pub connections: u64,
    /// Connections at once from one address (of IPv6, from one /64)
    #[arg(long, value_name = "NUMBER", default_value_t = 1024, value_parser = Within(1, 1_000_000))]
    pub connections_per_address: u64,
    /// How long a connection may be open without a request
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = Within(1, 3600))]
    pub connection_idle: u64,
    /// Requests a second that are taken from one client; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = Within(0, 1_000_000))]
    pub rate_per_client: u64,
    /// Requests a second that are taken for one person; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = Within(0, 1_000_000))]
    pub rate_per_person: u64,
    /// Requests a second that are taken from one address where nobody is signed in; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = Within(0, 1_000_000))]
    pub rate_per_address: u64,
    /// For so long requests may go unasked and then come at once
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = Within(1, 3600))]
    pub rate_burst: u64,
}

impl Default for EdgeArguments {
    fn default() -> EdgeArguments {
        let (connections, rates) = (server::ConnectionLimits::default(), server::Rates::default());
        EdgeArguments {
            tls_certificate: None,
            tls_key: None,
            acme: None,
            acme_contacts: Vec::new(),
            acme_domains: Vec::new(),
            redirect_http: None,
            connections: connections.all as u64,
            connections_per_address: connections.per_address as u64,
            connection_idle: connections.idle.as_secs(),
            rate_per_client: rates.per_client,
            rate_per_person: rates.per_person,
            rate_per_address: rates.per_address,
            rate_burst: rates.burst,
        }
    }
}

impl EdgeArguments {
    /// Whether the hub itself speaks https.
    pub(crate) fn is_https(&self) -> bool {
        self.tls_certificate.is_some() || self.tls_key.is_some() || self.acme.is_some()
    }

    /// What is wrong with settings that are each right, but not together.
    pub(crate) fn findings(&self, serve: &ServeArguments) -> Vec<String> {
        let mut found = Vec::new();
        let mut wrong = |text: &str| found.push(text.to_owned());
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), None) => {
                wrong("tls-certificate: its private key is missing; name its file with --tls-key")
            }
            (None, Some(_)) => {
                wrong("tls-key: its certificate is missing; name its file with --tls-certificate")
            }
            (Some(_), Some(_)) if self.acme.is_some() => {
                wrong("acme: the certificate comes from files (--tls-certificate); give one or the other");
            }
            _ => {}
        }
        if let Some(directory) = &self.acme {
            if !directory.starts_with("https://") {
                wrong("acme: a certificate authority's directory has an https address");
            }
            if self.acme_domains.is_empty() {
                wrong("acme: for which name is the certificate? Say it with --acme-domain");
            }
        } else if !self.acme_domains.is_empty() || !self.acme_contacts.is_empty() {
            wrong("acme-domain and acme-contact go with --acme, the certificate authority's directory");
        }
        for domain in &self.acme_domains {
            let is_well = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
            if domain.len() > 253 || !domain.contains('.') || !domain.bytes().all(is_well) {
                wrong(&format!("acme-domain: '{domain}' is no name in small letters such as hub.example"));
            }
        }
        for contact in &self.acme_contacts {
            if !contact.starts_with("mailto:") || !contact.contains('@') {
                wrong(&format!("acme-contact: '{contact}' is not mailto:name@host"));
            }
        }
        if self.redirect_http.is_some() && !self.is_https() {
            wrong(
                "redirect-http: the hub speaks no https it could lead to; give it a certificate (--tls-certificate, --acme)",
            );
        }
        if self.connections_per_address > self.connections {
            wrong(&format!(
                "connections-per-address is {}, which may not be more than connections, which is {}",
                self.connections_per_address, self.connections
            ));
        }
        if self.is_https() {
            if serve.open {
                wrong(
                    "open: a hub that is open to this machine speaks http on loopback; leave its certificate out",
                );
            }
            match &serve.sign_in.url {
                Some(url) if !url.starts_with("https://") => {
                    wrong(&format!("url: the hub speaks https, and {url} does not begin with it"));
                }
                Some(url) if self.acme.is_some() && !self.acme_domains.iter().any(|d| *d == host(url)) => {
                    wrong(&format!(
                        "acme-domain: the certificate would not be for {}, the host of --url",
                        host(url)
                    ));
                }
                None if self.acme.is_none() && !serve.listen.ip().is_loopback() => {
                    wrong("url: by which address is the hub known? Say it with --url https://…");
                }
                _ => {}
            }
        }
        found
    }
}

/// The host of an address.
pub(crate) fn host(url: &str) -> &str {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    match host.find(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or(host),
    }
}
