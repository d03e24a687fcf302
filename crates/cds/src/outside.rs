//! Services of others, asked beside the hub's own rules.
//!
//! The operator names them (`yojigen serve --cds-service URL`), and nobody else can: what is sent speaks of a person. It is the
//! context of the hook and the prefetch the service asks for in its discovery, as far as the caller may see it; never an
//! address or a token with which the service could ask for more. A service that is slow, too long or wrong is *not checked*.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fhir::Resource;
use hub::{Access, Hub};
use safety::{Gap, Language};
use serde_json::{Map, Value, json};
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};

use crate::request::Call;
use crate::{cards, facts};

/// A call that a hub passes on has this header, and is not passed on again.
pub const PASSED_ON: &str = "x-cds-passed-on";

/// A service answers within this time.
const TIME: Duration = Duration::from_secs(2);
/// An answer is no longer.
const MOST_BYTES: u64 = 512 << 10;
/// Cards of one service.
const MOST_CARDS: usize = 20;
/// Queries of one service's prefetch.
const MOST_QUERIES: usize = 20;
/// Calls under way; one more is not made.
const AT_ONCE: usize = 16;
/// What a service says of itself is believed so long.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// Parts of a context that are passed on.
const CONTEXT: [&str; 6] = ["userId", "patientId", "encounterId", "draftOrders", "selections", "fhirUser"];

/// A service the operator named.
#[derive(Debug)]
struct Service {
    url: String,
    /// Its host, by which it is spoken of.
    name: String,
    id: String,
    is_here: bool,
}

/// What a service says of itself.
#[derive(Clone, Debug)]
struct Described {
    hook: String,
    prefetch: Vec<(String, String)>,
}

/// The services the operator named.
#[derive(Debug)]
pub struct Outside {
    services: Vec<Service>,
    here: Agent,
    elsewhere: Agent,
    known: Mutex<HashMap<String, (Instant, Described)>>,
    under_way: AtomicUsize,
}

/// What a service answered.
#[derive(Debug)]
pub struct Told {
    /// The service's host.
    pub name: String,
    /// Its cards, or why there are none.
    pub cards: Result<Vec<Value>, String>,
}

/// A place among the calls under way; given back when it is dropped.
struct Seat<'o>(&'o AtomicUsize);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Default for Outside {
    fn default() -> Outside {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = || {
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .unversioned_rustls_crypto_provider(Arc::clone(&provider))
                .build();
            Agent::config_builder()
                .max_redirects(0)
                .timeout_global(Some(TIME))
                .user_agent("yojigen")
                .tls_config(tls)
        };
        let here = config().proxy(None).build().into();
        let elsewhere = config().build().into();
        Outside {
            services: Vec::new(),
            here,
            elsewhere,
            known: Mutex::default(),
            under_way: AtomicUsize::new(0),
        }
    }
}

impl Outside {
    /// Adds a service: `https://host/…/cds-services/id`; http is taken of this machine only.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn add(&mut self, url: &str) -> Result<(), String> {
        let uri: Uri = url.parse().map_err(|e| format!("'{url}' is not a URL: {e}"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("'{url}' is not a whole URL; write https://host/cds-services/id"));
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err("an address of a service has no name, password or query".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let is_here = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if scheme != "https" && !(scheme == "http" && is_here) {
            return Err(format!("'{url}' would carry a person's data readable by all; name it by https"));
        }
        let id = match uri.path().trim_end_matches('/').rsplit_once('/') {
            Some((before, id)) if before.ends_with("/cds-services") && !id.is_empty() => id.to_owned(),
            _ => return Err(format!("'{url}' does not end in /cds-services/id")),
        };
        let url = url.trim_end_matches('/').to_owned();
        self.services.push(Service { url, name: authority.as_str().to_owned(), id, is_here });
        Ok(())
    }

    /// Whether nobody is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    fn agent(&self, service: &Service) -> &Agent {
        if service.is_here { &self.here } else { &self.elsewhere }
    }

    /// Asks the services of a call's hook, all at once; waits for them no longer than twice two seconds.
    #[must_use]
    pub fn ask(&self, hub: &Hub, access: &Access, call: &Call) -> Vec<Told> {
        std::thread::scope(|scope| {
            let asked: Vec<_> = self
                .services
                .iter()
                .map(|service| {
                    let name = service.name.clone();
                    (name, scope.spawn(move || self.ask_one(service, hub, access, call)))
                })
                .collect();
            let told = asked.into_iter().filter_map(|(name, thread)| {
                let cards = thread.join().unwrap_or_else(|_| Err("the call was interrupted".to_owned()));
                Some(Told { name, cards: cards.transpose()? })
            });
            told.collect()
        })
    }

    /// The cards of a service; none if it is for another hook.
    fn ask_one(
        &self,
        service: &Service,
        hub: &Hub,
        access: &Access,
        call: &Call,
    ) -> Result<Option<Vec<Value>>, String> {
        if self.under_way.fetch_add(1, Ordering::AcqRel) >= AT_ONCE {
            self.under_way.fetch_sub(1, Ordering::AcqRel);
            return Err("too many calls are under way".to_owned());
        }
        let _seat = Seat(&self.under_way);
        let described = self.described(service)?;
        if described.hook != call.hook {
            return Ok(None);
        }
        let mut prefetch = Map::new();
        for (key, template) in described.prefetch.iter().take(MOST_QUERIES) {
            if !is_of_person(template) {
                continue;
            }
            let query = facts::filled(template, &call.patient);
            if let Some(found) = facts::own(hub, access, &query).ok().flatten() {
                prefetch.insert(key.clone(), bundled(&query, &found));
            }
        }
        let context: Map<String, Value> = CONTEXT
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), call.context.get(*name)?.clone())))
            .collect();
        let body = json!({
            "hook": call.hook,
            "hookInstance": uuid::Uuid::now_v7().to_string(),
            "context": context,
            "prefetch": prefetch,
        });
        let request = self.agent(service).post(&service.url).header("content-type", "application/json");
        let answer = request.header(PASSED_ON, "1").send(body.to_string());
        let answer = json_of(answer)?;
        let cards = answer.get("cards").and_then(Value::as_array).ok_or("its answer has no cards")?;
        Ok(Some(cards.iter().take(MOST_CARDS).filter_map(card).collect()))
    }

    fn described(&self, service: &Service) -> Result<Described, String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&service.url).cloned();
        if let Some((since, described)) = known.filter(|(since, _)| since.elapsed() < KNOWN_FOR) {
            let _ = since;
            return Ok(described);
        }
        let base = service.url.rsplit_once('/').map_or(service.url.as_str(), |(base, _)| base);
        let answer = json_of(self.agent(service).get(base).call())?;
        let services = answer.get("services").and_then(Value::as_array).ok_or("it names no services")?;
        let own = services.iter().find(|s| s.get("id").and_then(Value::as_str) == Some(service.id.as_str()));
        let own = own.ok_or("it has no service of this id")?;
        let hook = own.get("hook").and_then(Value::as_str).ok_or("its service names no hook")?.to_owned();
        let queries = own.get("prefetch").and_then(Value::as_object);
        let prefetch = queries
            .into_iter()
            .flatten()
            .filter_map(|(key, query)| Some((key.clone(), query.as_str()?.to_owned())))
            .collect();
        let described = Described { hook, prefetch };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(service.url.clone(), (Instant::now(), described.clone()));
        Ok(described)
    }
}

/// The JSON of an answer. Why there is none is told without the address, which may hold what is secret.
fn json_of(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, String> {
    let mut answer = answer.map_err(|error| match error {
        ureq::Error::StatusCode(status) => format!("it answered {status}"),
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        _ => "it could not be reached".to_owned(),
    })?;
    let bytes = answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
    let bytes = bytes.map_err(|_| "its answer is too long or broke off".to_owned())?;
    serde_json::from_slice(&bytes).map_err(|_| "its answer is no JSON".to_owned())
}

/// Whether a query of a service's prefetch finds nothing but what is this person's: a service is told of nobody else, whatever it
/// asks for.
fn is_of_person(template: &str) -> bool {
    const ID: &str = "{{context.patientId}}";
    let is_id = |value: &str| value == ID || value.strip_prefix("Patient/") == Some(ID);
    let Some((name, query)) = template.split_once('?') else {
        return template.strip_prefix("Patient/") == Some(ID);
    };
    let pairs: Vec<(&str, &str)> =
        query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    let is_bound = pairs.iter().any(|(parameter, value)| match *parameter {
        "patient" | "subject" => is_id(value),
        "_id" => name == "Patient" && *value == ID,
        _ => false,
    });
    let is_plain = |parameter: &str, value: &str| {
        let leads_on =
            ["_include", "_revinclude", "_has", "_contained"].iter().any(|p| parameter.starts_with(p));
        !leads_on && !parameter.contains(['%', '.']) && (is_id(value) || !value.contains("{{"))
    };
    is_bound && pairs.iter().all(|(parameter, value)| is_plain(parameter, value))
}

fn bundled(query: &str, found: &[Resource]) -> Value {
    let read = |resource: &Resource| serde_json::from_str::<Value>(resource.text()).ok();
    if !query.contains('?') {
        return found.first().and_then(read).unwrap_or(Value::Null);
    }
    let entries: Vec<Value> = found.iter().filter_map(read).map(|r| json!({"resource": r})).collect();
    json!({"resourceType": "Bundle", "type": "searchset", "entry": entries})
}

/// A card of others: what it must have, it has.
fn card(card: &Value) -> Option<Value> {
    let summary = cards::shortened(card.get("summary")?.as_str()?);
    let indicator = card.get("indicator")?.as_str()?;
    card.pointer("/source/label")?.as_str()?;
    if !["info", "warning", "critical"].contains(&indicator) {
        return None;
    }
    let mut card = card.as_object()?.clone();
    card.insert("summary".to_owned(), json!(summary));
    Some(Value::Object(card))
}

/// The cards of all that were asked; who did not answer is named in one of its own.
#[must_use]
pub fn cards(told: Vec<Told>, language: Language) -> Vec<Value> {
    let mut all = Vec::new();
    for told in told {
        match told.cards {
            Ok(cards) => all.extend(cards),
            Err(_) => all.push(json!({
                "uuid": uuid::Uuid::now_v7().to_string(),
                "summary": cards::shortened(&language.say_gap(&Gap::ServiceFailed(told.name.clone()))),
                "indicator": "info",
                "source": {"label": language.say("cds-title", &[])},
            })),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_keeps_what_it_carries_is_taken() {
        let mut outside = Outside::default();
        for wrong in [
            "http://a.example/cds-services/x",
            "https://a.example/x",
            "https://a.example/cds-services/",
            "https://u:p@a.example/cds-services/x",
            "https://a.example/cds-services/x?k=1",
            "a.example",
        ] {
            assert!(outside.add(wrong).is_err(), "{wrong}");
        }
        for right in ["https://a.example/v1/cds-services/x", "http://127.0.0.1:9/cds-services/x/"] {
            outside.add(right).unwrap();
        }
        assert!(!outside.is_empty());
    }

    #[test]
    fn a_service_is_told_of_nobody_but_the_person() {
        for own in [
            "Patient/{{context.patientId}}",
            "Patient?_id={{context.patientId}}",
            "AllergyIntolerance?patient={{context.patientId}}",
            "Observation?subject=Patient/{{context.patientId}}&code=http://loinc.org|2160-0&_sort=-date",
        ] {
            assert!(is_of_person(own), "{own}");
        }
        for other in [
            "Patient",
            "Patient/1",
            "Patient?name=a",
            "{{context.userId}}",
            "Observation?_count=1000",
            "Observation?patient={{context.patientId}},2",
            "Observation?patient:not={{context.patientId}}",
            "Observation?code={{context.patientId}}",
            "Condition?_id={{context.patientId}}",
            "Patient?_id={{context.patientId}}&_revinclude=Observation:subject",
            "Encounter?patient={{context.patientId}}&_include=*",
            "Encounter?patient={{context.patientId}}&%5finclude=*",
            "Encounter?patient={{context.patientId}}&practitioner={{context.userId}}",
        ] {
            assert!(!is_of_person(other), "{other}");
        }
    }

    #[test]
    fn a_card_without_what_cards_have_is_left_out() {
        let whole = json!({"summary": "s".repeat(200), "indicator": "info", "source": {"label": "l"}});
        let taken = card(&whole).unwrap();
        assert_eq!(taken["summary"].as_str().unwrap().chars().count(), 139);
        for name in ["summary", "indicator", "source"] {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(name);
            assert!(card(&part).is_none(), "{name}");
        }
    }
}
