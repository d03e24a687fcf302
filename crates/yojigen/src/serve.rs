//! `yojigen serve`

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use hub::{
    ConditionalDelete, Hub, Jobs, MatchModel, SearchLimits, SubscriptionRules, SubscriptionSettings,
    Subscriptions,
};
use server::LaneLimits;
use store::ReferencePolicy;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::accounts::Accounts;
use crate::cli::{
    AuditArgument, ConditionalDeleteArgument, EdgeArguments, ReferencesArgument, ResourceLimitArguments,
    ServeArguments, SignInArguments, SubscriptionArguments,
};
use crate::hub_at::{self, Opening};
use crate::{control, edge, vault};

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &ServeArguments) -> Result<ExitCode> {
    if let Some(finding) = findings(arguments).into_iter().next() {
        bail!(finding);
    }
    let references = match arguments.references {
        ReferencesArgument::Off => ReferencePolicy::Off,
        ReferencesArgument::Record => ReferencePolicy::Record,
        ReferencesArgument::Refuse => ReferencePolicy::Refuse,
    };
    let limits = &arguments.limits;
    let opening = Opening::from(&arguments.data);
    let engine = store::Limits {
        write_buffer: megabytes(limits.write_buffer),
        background_jobs: i32::try_from(limits.background_jobs).unwrap_or(i32::MAX),
        ..opening.limits
    };
    let mut hub = hub_at::open(&Opening { references, limits: engine, ..opening })?;
    hub.limits = fhir::Limits {
        bundle_bytes: megabytes(limits.max_bundle),
        bundle_entries: number(limits.max_entries),
        ..resource_limits(&arguments.resources)
    };
    hub.search_limits = SearchLimits {
        rows: limits.max_search_rows,
        time: Duration::from_secs(limits.max_search_time),
        default_count: number(limits.count),
        max_count: number(limits.max_count),
    };
    let lanes = LaneLimits {
        heavy: number(limits.heavy),
        body_bytes: megabytes(limits.body_memory),
        light_body: number(limits.light_body << 10),
        light_rows: limits.light_rows,
    };
    hub.conditional_delete = match arguments.conditional_delete {
        ConditionalDeleteArgument::Single => ConditionalDelete::Single,
        ConditionalDeleteArgument::Multiple => ConditionalDelete::Multiple,
    };
    hub.may_purge = arguments.allow_purge;
    if let Some(file) = &arguments.access_rules {
        hub.policy = Arc::new(crate::access::policy(Some(file), hub.zone())?);
    }
    let mut import_rules = SubscriptionRules::default();
    for source in &arguments.import_sources {
        import_rules.allow(source).map_err(|e| anyhow!("--import-source: {e}"))?;
    }
    hub.import_rules = Arc::new(import_rules);
    let is_audited = arguments.audit.map_or(!arguments.open, |audit| audit == AuditArgument::On);
    if is_audited {
        hub.ledger = Some(hub_at::open_ledger(&arguments.data.data)?);
    }
    hub.match_model = arguments.match_weights.as_deref().map(match_weights).transpose()?;
    let outside = outside(arguments).map_err(|finding| anyhow!(finding))?;
    let config = server::Config { lanes, cds: Arc::new(outside), ..server::Config::default() };
    let sign_in = (!arguments.open).then_some(&arguments.sign_in);
    let (edge, subscriptions) = (&arguments.edge, &arguments.subscriptions);
    serve(hub, arguments.listen, &arguments.data.data, config, sign_in, edge, subscriptions)
}

fn match_weights(file: &Path) -> Result<Arc<MatchModel>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let model = MatchModel::read(&text).map_err(|m| anyhow::anyhow!("{}: {m}", file.display()))?;
    Ok(Arc::new(model))
}

/// What is wrong with settings that are each right, but not together.
pub(crate) fn findings(arguments: &ServeArguments) -> Vec<String> {
    let mut found = Vec::new();
    if arguments.open
        && let Err(error) = check_loopback(arguments.listen)
    {
        found.push(format!("listen: {error}"));
    }
    if arguments.open && arguments.sign_in.openid_issuer.is_some() {
        found.push(
            "openid-issuer: nobody signs in to a hub that is --open; leave one of the two out".to_owned(),
        );
    }
    let is_secure = arguments.sign_in.url.as_ref().is_some_and(|url| url.starts_with("https://"));
    if !arguments.open && !is_secure && !arguments.edge.is_https() && !arguments.listen.ip().is_loopback() {
        found.push(format!(
            "listen: {} can be reached by others, and passwords and tokens would travel readable by all; give the hub a \
             certificate (--tls-certificate, --acme), or put a proxy that speaks https before it and say its address with \
             --url https://…",
            arguments.listen
        ));
    }
    found.extend(arguments.edge.findings(arguments));
    found.extend(outside(arguments).err());
    let ServeArguments { resources, limits, .. } = arguments;
    for (small, value, large, most) in [
        ("count", limits.count, "max-count", limits.max_count),
        ("max-resource", resources.max_resource, "max-bundle", limits.max_bundle),
        ("max-bundle", limits.max_bundle, "body-memory", limits.body_memory),
    ] {
        if value > most {
            found.push(format!("{small} is {value}, which may not be more than {large}, which is {most}"));
        }
    }
    found
}

/// The services of others that are asked about orders.
fn outside(arguments: &ServeArguments) -> Result<cds::Outside, String> {
    let mut outside = cds::Outside::default();
    for service in &arguments.cds_services {
        outside.add(service).map_err(|error| format!("cds-service: {error}"))?;
    }
    Ok(outside)
}

/// What one resource may be.
pub(crate) fn resource_limits(arguments: &ResourceLimitArguments) -> fhir::Limits {
    fhir::Limits {
        resource_bytes: megabytes(arguments.max_resource),
        depth: number(arguments.max_depth),
        issues: number(arguments.max_issues),
        ..fhir::Limits::default()
    }
}

fn megabytes(number_of: u64) -> usize {
    number(number_of << 20)
}

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Refuses to listen where others can reach.
pub(crate) fn check_loopback(address: SocketAddr) -> Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    bail!("--open listens on loopback only (127.0.0.1 or [::1]); {address} can be reached by others")
}

/// What the operator lets subscriptions do.
fn rules(arguments: &SubscriptionArguments) -> Result<SubscriptionRules> {
    let mut rules = SubscriptionRules::default();
    for endpoint in &arguments.endpoints {
        rules.allow(endpoint).map_err(|e| anyhow!("--subscription-endpoint: {e}"))?;
    }
    if let (Some(relay), Some(sender)) = (&arguments.smtp, &arguments.smtp_sender) {
        rules.send_mail(relay, sender).map_err(|e| anyhow!("--smtp: {e}"))?;
    }
    Ok(rules)
}

/// What is said of a failure.
fn in_words(failure: &hub::Failure) -> anyhow::Error {
    let issues: Vec<String> = failure.issues.iter().map(ToString::to_string).collect();
    anyhow!(issues.join("; "))
}

/// Serves a hub until SIGTERM or Ctrl-C, then ends in order.
pub(crate) fn serve(
    mut hub: Hub,
    address: SocketAddr,
    data: &Path,
    config: server::Config,
    sign_in: Option<&SignInArguments>,
    edge: &EdgeArguments,
    arguments: &SubscriptionArguments,
) -> Result<ExitCode> {
    hub.subscription_rules = Arc::new(rules(arguments)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let zone = hub.zone().name().to_owned();
        let is_audited = hub.ledger.is_some();
        let port = listener.local_addr()?.port();
        let issuer = edge::issuer(edge, sign_in.and_then(|s| s.url.as_deref()), port);
        let redirect = match edge.redirect_http {
            Some(to) => Some(TcpListener::bind(to).await.with_context(|| format!("listening on {to}"))?),
            None => None,
        };
        let edge = edge::edge(edge, data, &issuer)?;
        let auth = sign_in.map(|arguments| vault::serve(data, arguments, &issuer)).transpose()?;
        let sign_in_pages = auth.clone().map(|auth| web::sign_in_pages(auth, &zone)).unwrap_or_default();
        let base = match &auth {
            Some(auth) => auth.settings().fhir_base.clone(),
            None => format!("http://localhost:{port}/fhir"),
        };
        hub.accounts = Some(match &auth {
            Some(auth) => Accounts::served(auth, data),
            None => Accounts::kept(data),
        });
        let file_key = crate::key::of(data)?.map(|keys| keys.file_key());
        let jobs = Jobs::start(hub.clone(), data.join("jobs"), file_key).context("reading the jobs")?;
        let site = web::Site::new(
            hub.clone(),
            auth.clone(),
            Some(jobs.clone()),
            data,
            file_key,
            Arc::clone(&config.cds),
        );
        let figures = Some(Arc::clone(&site.figures));
        let pages = web::pages(site);
        let control = control::listen(data, &hub, &jobs);
        let settings = SubscriptionSettings {
            folder: data.join("subscriptions"),
            base: base.clone(),
            retries: u32::try_from(arguments.retries).unwrap_or(u32::MAX),
        };
        let subscriptions = Subscriptions::start(hub.clone(), settings).map_err(|f| in_words(&f))?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let config = server::Config {
            version,
            jobs: Some(jobs),
            figures,
            subscriptions: Some(subscriptions),
            auth: auth.clone(),
            trusted_proxies: sign_in.map(|s| s.trusted_proxies.clone()).unwrap_or_default(),
            edge,
            ..config
        };
        let running = server::start(listener, hub, config, pages, sign_in_pages)?;
        if let Some(listener) = redirect {
            running.redirect(listener, &issuer);
        }
        let to_whom = if auth.is_some() { "to who is signed in" } else { "open to this machine" };
        say!("Yojigen serves {} ({to_whom}; dates without a zone are in {zone})", data.display());
        say!("  pages  {}/", base.trim_end_matches("/fhir"));
        say!("  audit  {}", if is_audited { "on: who looks at whom is recorded" } else { "off" });
        say!("  FHIR   {base}");
        if let Some(auth) = &auth {
            vault::greet(auth)?;
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        eprintln!("stopping: finishing requests and writing out what is in memory");
        control::end(control);
        running.stop().await.context("closing the store")?;
        Ok(ExitCode::SUCCESS)
    })
}
