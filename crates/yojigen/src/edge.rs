//! How a hub that is served meets the internet, from the options of `serve`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::{Acme, Certificates, ConnectionLimits, Edge, Rates, Source};

use crate::cli::{EdgeArguments, host};

/// The address a hub is known by: what the operator says, or what follows from the certificate and the port.
pub(crate) fn issuer(arguments: &EdgeArguments, url: Option<&str>, port: u16) -> String {
    let scheme = if arguments.is_https() { "https" } else { "http" };
    match (url, arguments.acme_domains.first()) {
        (Some(url), _) => url.to_owned(),
        (None, Some(domain)) if port == 443 => format!("https://{domain}"),
        (None, Some(domain)) => format!("https://{domain}:{port}"),
        (None, None) => format!("{scheme}://localhost:{port}"),
    }
}

/// What stands between the internet and a hub that is known by an address.
pub(crate) fn edge(arguments: &EdgeArguments, data: &Path, issuer: &str) -> Result<Edge> {
    let wrong = |error: String| anyhow!(error);
    let tls = match (&arguments.tls_certificate, &arguments.tls_key, &arguments.acme) {
        (Some(certificate), Some(key), _) => {
            Some(Source::Files(Certificates::of_files(certificate, key, host(issuer)).map_err(wrong)?))
        }
        (_, _, Some(directory)) => {
            let (contacts, folder) = (&arguments.acme_contacts, data.join("acme"));
            let acme = Acme::open(directory, contacts, &arguments.acme_domains, &folder).map_err(wrong)?;
            Some(Source::Acme(acme))
        }
        _ => None,
    };
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let most = room_for_connections();
    if number(arguments.connections) > most {
        let (wanted, files) = (arguments.connections, most);
        tracing::warn!(wanted, files, "the system lets the hub have fewer connections (ulimit -n)");
    }
    let all = number(arguments.connections).min(most);
    Ok(Edge {
        tls,
        connections: ConnectionLimits {
            all,
            per_address: number(arguments.connections_per_address).min(all),
            idle: Duration::from_secs(arguments.connection_idle),
        },
        rates: Rates {
            per_client: arguments.rate_per_client,
            per_person: arguments.rate_per_person,
            per_address: arguments.rate_per_address,
            burst: arguments.rate_burst,
        },
    })
}

/// For how many connections there are files, when half of them are for the engine; first the limit is raised as far as it may be.
fn room_for_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(now / 2).unwrap_or(usize::MAX)
}
