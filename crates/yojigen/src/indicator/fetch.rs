//! `yojigen indicator fetch`: the one place where the program asks a publisher, and only when somebody runs it.
//!
//! Pages are asked for at the address they began with and nowhere else. Everything is read as the indicator before any of it
//! is kept.

use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use fhir::date_time::format_instant;
use indicators::public::{Cache, Limits, Next, Source, form, read, units, world_bank_json};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};

use crate::cli::IndicatorFetchArguments;
use crate::hub_at;

/// No indicator has as many.
const MOST_PAGES: usize = 1000;

/// Where and how much.
struct Fetching {
    agent: Agent,
    /// Scheme, host and port that are asked, and no others.
    origin: String,
    until: Instant,
    left: u64,
}

/// Fetches every page, reads them, and keeps them.
pub(crate) fn run(arguments: &IndicatorFetchArguments) -> Result<ExitCode> {
    hub_at::must_exist(&arguments.data)?;
    let (source, code) = (Source::from(arguments.source), arguments.code.as_str());
    let first = arguments.url.clone().unwrap_or_else(|| address(source, code));
    let mut fetching = Fetching {
        agent: agent(&first)?,
        origin: origin(&first)?,
        until: Instant::now() + Duration::from_secs(arguments.patience),
        left: arguments.most << 20,
    };
    let limits = Limits { bytes: arguments.most << 20, ..Limits::default() };
    let (mut pages, mut next) = (Vec::new(), Some(first.clone()));
    let (mut figures, mut without_value) = (0usize, 0u64);
    let mut said = None;
    while let Some(url) = next {
        if pages.len() == MOST_PAGES {
            bail!("the answer goes on after {MOST_PAGES} pages; something is wrong at {}", fetching.origin);
        }
        let bytes = fetching.get(&url)?;
        let reading = read(source, code, "", &bytes, &limits)
            .map_err(|why| anyhow!("page {} of {}: {why}", pages.len() + 1, fetching.origin))?;
        figures += reading.figures.len();
        without_value += reading.without_value;
        if pages.is_empty() && source == Source::WorldBank {
            said = std::str::from_utf8(&bytes).ok().and_then(world_bank_json::last_updated);
        }
        next = match reading.next {
            Some(Next::Link(link)) => Some(link),
            Some(Next::Page(page, _)) => Some(with_page(&first, page)),
            None => None,
        };
        pages.push(bytes);
    }
    if figures == 0 {
        bail!("{} answered without one value of {code}; nothing is kept", fetching.origin);
    }
    let today = format_instant(hub::now()).chars().take(10).collect();
    let vintage = arguments.vintage.clone().or(said).unwrap_or(today);
    let kind = pages.first().map(|page| form(page, &limits)).transpose()?.unwrap_or("json");
    let kept = Cache::of(&arguments.data).keep(source, code, &vintage, kind, &pages)?;
    say!("{code}, release {vintage}: {figures} figures, {without_value} rows without a value");
    for path in kept {
        say!("  {}", path.display());
    }
    if units::rule(source, code).is_none() {
        say!("no rule of a unit is known for it; its numbers are taken as published");
    }
    Ok(ExitCode::SUCCESS)
}

fn address(source: Source, code: &str) -> String {
    let code =
        utf8_percent_encode(code, NON_ALPHANUMERIC).to_string().replace("%5F", "_").replace("%2E", ".");
    match source {
        Source::WhoGho => format!("https://ghoapi.azureedge.net/api/{code}"),
        Source::WorldBank => {
            format!("https://api.worldbank.org/v2/country/all/indicator/{code}?format=json&per_page=5000")
        }
    }
}

/// Scheme and authority of an address that may be asked: https, or http of this machine.
fn origin(url: &str) -> Result<String> {
    let uri: Uri = url.parse().map_err(|why| anyhow!("'{url}' is no address: {why}"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        bail!("'{url}' is no whole address; write https://host/…");
    };
    if authority.as_str().contains('@') {
        bail!("an address to fetch from has no name or password");
    }
    if scheme != "https" && !(scheme == "http" && is_here(authority.host())) {
        bail!("'{url}' could be changed by anyone on the way; name it by https");
    }
    Ok(format!("{scheme}://{authority}"))
}

fn is_here(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn agent(url: &str) -> Result<Agent> {
    let uri: Uri = url.parse().map_err(|why| anyhow!("'{url}' is no address: {why}"))?;
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder().max_redirects(0).user_agent("yojigen").tls_config(tls);
    let config = if is_here(uri.host().unwrap_or_default()) { config.proxy(None) } else { config };
    Ok(config.build().into())
}

/// An address with another page.
fn with_page(url: &str, page: u32) -> String {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let others = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("page="));
    let parts: Vec<String> = others.map(str::to_owned).chain([format!("page={page}")]).collect();
    format!("{path}?{}", parts.join("&"))
}

impl Fetching {
    fn get(&mut self, url: &str) -> Result<Vec<u8>> {
        if origin(url)? != self.origin {
            bail!("the answer of {} goes on elsewhere; it is not followed", self.origin);
        }
        let left = self.until.saturating_duration_since(Instant::now());
        let late = || anyhow!("{} did not answer in time; give it longer (--patience)", self.origin);
        if left.is_zero() {
            return Err(late());
        }
        let request = self.agent.get(url).config().timeout_global(Some(left)).build();
        let answer = request.call().map_err(|why| match why {
            ureq::Error::StatusCode(status) => anyhow!("{} answered {status}", self.origin),
            ureq::Error::Timeout(_) => late(),
            other => anyhow!("{}: {other}", self.origin),
        })?;
        if !answer.status().is_success() {
            bail!(
                "{} answered {}; redirections are not followed, name the address it means with --url",
                self.origin,
                answer.status()
            );
        }
        let mut bytes = Vec::new();
        let mut body = answer.into_body().into_reader().take(self.left + 1);
        body.read_to_end(&mut bytes).map_err(|why| match why.kind() {
            std::io::ErrorKind::TimedOut => late(),
            _ => anyhow!("{} broke off: {why}", self.origin),
        })?;
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            bail!("{} sends more than is fetched; raise --most", self.origin);
        };
        self.left = left;
        Ok(bytes)
    }
}
