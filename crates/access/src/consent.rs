//! What a person decided about their own record: FHIR R4 `Consent` of scope patient-privacy
//! (<https://hl7.org/fhir/R4/consent.html>).
//!
//! A Consent is a tree of provisions. Each speaks of some actors, purposes and moments, which are asked of the subject,
//! and of some data, which is asked of a row: types (`class`), codes, security labels, periods, single resources. Of the
//! provisions that concern a subject and a row the narrowest decides: a nested one before the one around it, and among
//! equals the one that names more. Equally narrow ones that differ mean no.
//!
//! What cannot be understood never widens: a denial whose data is not understood denies all, a permission permits nothing.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use fhir::date_time::Micros;
use fhir::{Limits, NodeRef, TypeId, json, r4};
use search::query::{self, Criterion, Reading, literal};
use search::restriction::{ConsentText, Consents, Kept, Moment, Provision, Types};
use search::{Zone, parameters};

use crate::member::is_member;
use crate::subject::{Purpose, Subject};

/// Deeper nesting is not followed.
const MAX_DEPTH: u32 = 8;
/// More provisions in one Consent are not read.
const MAX_PROVISIONS: usize = 500;
/// So many Consents are remembered.
const REMEMBERED: usize = 200_000;
/// So many moments are.
const MOMENTS: usize = 1_000_000;

const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";

/// A provision, before it is known who asks.
#[derive(Debug)]
struct Parsed {
    actors: Vec<Actor>,
    purposes: Vec<Option<Purpose>>,
    period: (Option<Micros>, Option<Micros>),
    provisions: Vec<Provision>,
}

/// Whom a provision is about.
#[derive(Debug)]
enum Actor {
    /// Whoever this reference stands for.
    Referred(String),
    /// Everyone with a role of the hub.
    Role(&'static str),
    /// Somebody named in words, or by an identifier.
    Unclear,
}

impl Actor {
    fn read(node: NodeRef<'_>) -> Actor {
        if let Some(reference) = node.text_at("reference.reference") {
            return Actor::Referred(reference.into_owned());
        }
        let codings = node.child("role").into_iter().flat_map(|role| role.all("coding"));
        // <http://terminology.hl7.org/CodeSystem/practitioner-role>, and the hub's own words.
        let role = codings.filter_map(|c| c.text_at("code")).find_map(|code| match code.as_ref() {
            "doctor" | "nurse" | "clinician" => Some("clinician"),
            "pharmacist" => Some("pharmacist"),
            "researcher" => Some("researcher"),
            "registrar" => Some("registrar"),
            "peer" => Some("peer"),
            _ => None,
        });
        role.map_or(Actor::Unclear, Actor::Role)
    }
}

/// The moment a date node begins, or ends.
pub(crate) type MomentOf<'z> = dyn Fn(NodeRef<'_>, bool) -> Option<Micros> + 'z;

impl Parsed {
    fn concerns(&self, subject: &Subject, now: Micros, kept: Kept<'_>, zone: &Zone) -> bool {
        let is_in_time =
            self.period.0.is_none_or(|start| start <= now) && self.period.1.is_none_or(|end| now < end);
        // Where it cannot be told who is meant, a denial may mean anyone and a permission nobody.
        let is_denial = self.provisions.iter().any(|p| !p.is_permit);
        let moment = |node: NodeRef<'_>, is_end: bool| Reader { zone }.moment(node, is_end);
        let is_meant = |actor: &Actor| match actor {
            Actor::Referred(reference) => {
                is_member(subject, reference, kept, now, &moment).unwrap_or(is_denial)
            }
            Actor::Role(role) => subject.roles.iter().any(|own| own == role),
            Actor::Unclear => is_denial,
        };
        let is_actor = self.actors.is_empty() || self.actors.iter().any(is_meant);
        let is_purpose = self.purposes.is_empty() || self.purposes.contains(&Some(subject.acting_purpose()));
        is_in_time && is_actor && is_purpose
    }
}

pub(crate) fn is_actor(subject: &Subject, reference: &str) -> bool {
    let organisation = |id: &String| reference.strip_prefix("Organization/") == Some(id);
    subject.fhir_user.as_deref() == Some(reference)
        || subject.organisations.iter().any(organisation)
        || (subject.client.as_ref()).is_some_and(|id| reference.strip_prefix("Device/") == Some(id))
        || (subject.patient.as_ref()).is_some_and(|id| reference.strip_prefix("Patient/") == Some(id))
}

type Known = HashMap<String, (u64, Arc<[Parsed]>)>;

/// Consents read before, by id and version.
#[derive(Debug)]
pub struct ConsentMemory {
    zone: Zone,
    clock: fn() -> Micros,
    known: Mutex<Known>,
    /// When what was read begins or ends to speak. None is forgotten with its Consent.
    moments: Mutex<BTreeSet<Micros>>,
}

impl ConsentMemory {
    /// Nothing read yet. What is in force now is what the clock says (microseconds since 1970 UTC): a Consent ends when its
    /// time ends, whether or not something is written then.
    #[must_use]
    pub fn new(zone: Zone, clock: fn() -> Micros) -> ConsentMemory {
        ConsentMemory { zone, clock, known: Mutex::default(), moments: Mutex::default() }
    }

    /// What Consents say to a subject.
    #[must_use]
    pub fn of(self: &Arc<ConsentMemory>, subject: Arc<Subject>) -> Arc<dyn Consents> {
        Arc::new(ForSubject { memory: Arc::clone(self), subject })
    }

    /// The first moment after this at which a Consent that was ever read, in whatever version, says something else than
    /// before, by the clock alone; none if no such moment is known of. If there are more than are remembered, it is at once.
    #[must_use]
    pub fn next_change(&self, after: Micros) -> Option<Micros> {
        let moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.len() >= MOMENTS {
            return Some(after);
        }
        moments.range((Bound::Excluded(after), Bound::Unbounded)).next().copied()
    }

    fn parsed(&self, consent: ConsentText<'_>) -> Arc<[Parsed]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, parsed)) = known.get(consent.id)
            && *version == consent.version
        {
            return Arc::clone(parsed);
        }
        drop(known);
        let parsed: Arc<[Parsed]> = read(consent.text, &self.zone).into();
        let ends = parsed.iter().flat_map(|p| [p.period.0, p.period.1]).flatten();
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        for moment in ends {
            if moments.len() < MOMENTS {
                moments.insert(moment);
            }
        }
        drop(moments);
        known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(consent.id.to_owned(), (consent.version, Arc::clone(&parsed)));
        parsed
    }
}

struct ForSubject {
    memory: Arc<ConsentMemory>,
    subject: Arc<Subject>,
}

impl Consents for ForSubject {
    fn provisions(&self, consent: ConsentText<'_>, moment: Moment, kept: Kept<'_>) -> Arc<[Provision]> {
        let now = match moment {
            Moment::Now { at_least } => (self.memory.clock)().max(at_least),
            Moment::Then(then) => then,
        };
        let parsed = self.memory.parsed(consent);
        let concerning = parsed.iter().filter(|p| p.concerns(&self.subject, now, kept, &self.memory.zone));
        concerning.flat_map(|p| p.provisions.iter().cloned()).collect()
    }
}

/// Everything denied: what a Consent that does not read means.
fn closed() -> Vec<Parsed> {
    let all = Provision { is_permit: false, specificity: 0, types: Types::ALL, criteria: Vec::new() };
    vec![Parsed { actors: Vec::new(), purposes: Vec::new(), period: (None, None), provisions: vec![all] }]
}

fn read(text: &str, zone: &Zone) -> Vec<Parsed> {
    let Ok(resource) = json::parse(text.as_bytes(), &Limits::default()) else { return closed() };
    let root = resource.root();
    if root.text_at("status").as_deref() != Some("active") || !is_about_privacy(root) {
        return Vec::new();
    }
    let Some(provision) = root.child("provision") else {
        // Without provisions the policy rule alone speaks, of everything.
        return base(root).map_or_else(Vec::new, |is_permit| {
            let all = Provision { is_permit, specificity: 0, types: Types::ALL, criteria: Vec::new() };
            vec![Parsed { provisions: vec![all], ..Parsed::of_all() }]
        });
    };
    let mut found = Vec::new();
    let reader = Reader { zone };
    if !reader.provision(provision, base(root), 0, &mut found) {
        return closed();
    }
    found
}

fn is_about_privacy(root: NodeRef<'_>) -> bool {
    let mut codings = root.child("scope").into_iter().flat_map(|scope| scope.all("coding"));
    // `scope` is required; one without a code can only mean the usual one.
    let mut has_code = false;
    let is_privacy = codings.any(|coding| {
        let code = coding.text_at("code");
        has_code |= code.is_some();
        code.as_deref() == Some("patient-privacy")
    });
    is_privacy || !has_code
}

/// What the policy rule makes of the provision at the root, which has no type of its own in R4.
fn base(root: NodeRef<'_>) -> Option<bool> {
    let codings = root.child("policyRule")?.all("coding");
    codings.filter_map(|c| c.text_at("code")).find_map(|code| match code.as_ref() {
        "OPTIN" | "OPTINR" => Some(true),
        "OPTOUT" | "OPTOUTE" => Some(false),
        _ => None,
    })
}

impl Parsed {
    fn of_all() -> Parsed {
        Parsed { actors: Vec::new(), purposes: Vec::new(), period: (None, None), provisions: Vec::new() }
    }
}

struct Reader<'z> {
    zone: &'z Zone,
}

impl Reader<'_> {
    /// Reads a provision and those in it; false if there is too much to be read.
    fn provision(
        &self,
        node: NodeRef<'_>,
        inherited: Option<bool>,
        depth: u32,
        out: &mut Vec<Parsed>,
    ) -> bool {
        if depth > MAX_DEPTH || out.len() >= MAX_PROVISIONS {
            return false;
        }
        let is_permit = match node.text_at("type").as_deref() {
            Some("permit") => Some(true),
            Some("deny") => Some(false),
            _ => inherited.filter(|_| depth == 0),
        };
        if let Some(is_permit) = is_permit
            && concerns_reading(node)
        {
            let purposes = node.all("purpose").map(|p| p.text_at("code").and_then(|code| Purpose::of(&code)));
            let (start, end) = (node.path("period.start"), node.path("period.end"));
            let mut parsed = Parsed {
                actors: node.all("actor").map(Actor::read).collect(),
                purposes: purposes.collect(),
                period: (start.and_then(|n| self.moment(n, false)), end.and_then(|n| self.moment(n, true))),
                provisions: Vec::new(),
            };
            let named = u32::from(!parsed.actors.is_empty()) * 8 + u32::from(!parsed.purposes.is_empty()) * 4;
            parsed.provisions = self.data(node, is_permit, depth * 100 + named);
            out.push(parsed);
        }
        node.all("provision").all(|inner| self.provision(inner, None, depth + 1, out))
    }

    /// The moment a date begins, or ends.
    fn moment(&self, node: NodeRef<'_>, is_end: bool) -> Option<Micros> {
        let text = node.value()?;
        let pairs = [("_lastUpdated".to_owned(), literal(&text))];
        let reading = Reading { zone: self.zone, base: None, is_lenient: false };
        let read = query::read(r4().well_known().patient, &pairs, reading).ok()?;
        match read.criteria.first() {
            Some(Criterion::LastUpdated(any_of)) => {
                any_of.first().map(|(_, interval)| if is_end { interval.end } else { interval.start })
            }
            _ => None,
        }
    }

    /// What data a provision is about.
    fn data(&self, node: NodeRef<'_>, is_permit: bool, specificity: u32) -> Vec<Provision> {
        let all = Provision { is_permit, specificity, types: Types::ALL, criteria: Vec::new() };
        // What is not understood: a denial denies all, a permission permits nothing.
        let unclear = || if is_permit { Vec::new() } else { vec![all.clone()] };
        let data: Vec<NodeRef<'_>> = node.all("data").collect();
        if !data.is_empty() {
            let mut found = Vec::new();
            for reference in data.iter().map(|d| d.text_at("reference.reference")) {
                let named = reference.as_deref().and_then(|r| r.split_once('/'));
                let Some((name, id)) = named else { return unclear() };
                let Ok(resource_type) = r4().known_resource_type(name) else { return unclear() };
                found.push(Provision {
                    is_permit,
                    specificity: specificity + 50,
                    types: Types::of([resource_type]),
                    criteria: vec![Criterion::Id(vec![id.to_owned()])],
                });
            }
            return found;
        }
        let mut types: Vec<TypeId> = Vec::new();
        let mut pairs: Vec<(&str, String)> = Vec::new();
        let mut specificity = specificity;
        let classes: Vec<NodeRef<'_>> = node.all("class").collect();
        for class in &classes {
            let system = class.text_at("system");
            let code = class.text_at("code");
            match code.map(|code| r4().known_resource_type(&code)) {
                Some(Ok(resource_type)) if system.as_deref().is_none_or(|s| s == RESOURCE_TYPES) => {
                    types.push(resource_type);
                }
                _ => return unclear(),
            }
        }
        let tokens = |nodes: &mut dyn Iterator<Item = NodeRef<'_>>| {
            let token = |n: NodeRef<'_>| {
                let code = literal(&n.text_at("code").unwrap_or_default());
                n.text_at("system").map_or(code.clone(), |system| format!("{}|{code}", literal(&system)))
            };
            nodes.map(token).collect::<Vec<_>>().join(",")
        };
        let labels = tokens(&mut node.all("securityLabel"));
        let codes = tokens(&mut node.all("code").flat_map(|concept| concept.all("coding")));
        if codes.is_empty() && node.all("code").next().is_some() {
            return unclear();
        }
        specificity += u32::from(!classes.is_empty()) * 10;
        if !labels.is_empty() {
            specificity += 20;
            pairs.push(("_security", labels));
        }
        if !codes.is_empty() {
            specificity += 20;
            pairs.push(("code", codes));
        }
        for (path, prefix) in [("dataPeriod.start", "ge"), ("dataPeriod.end", "le")] {
            if let Some(moment) = node.text_at(path) {
                specificity += 3;
                pairs.push(("date", format!("{prefix}{moment}")));
            }
        }
        if pairs.is_empty() {
            let types = if classes.is_empty() { Types::ALL } else { Types::of(types) };
            return vec![Provision { is_permit, specificity, types, criteria: Vec::new() }];
        }
        let concerned = if classes.is_empty() { r4().resource_types.clone() } else { types };
        let mut found = Vec::new();
        for resource_type in concerned {
            // A type that has no codes has none of these codes. One without a date may lie within a denied period, but
            // who the person is does not.
            let own: Vec<_> = pairs
                .iter()
                .filter(|(name, _)| parameters().of(resource_type).named(name).is_some())
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect();
            let lacks_code =
                own.iter().all(|(name, _)| name != "code") && pairs.iter().any(|(n, _)| *n == "code");
            let lacks_date =
                own.iter().all(|(name, _)| name != "date") && pairs.iter().any(|(n, _)| *n == "date");
            let is_patient = resource_type == r4().well_known().patient;
            if lacks_code || (lacks_date && (is_permit || is_patient)) {
                continue;
            }
            let reading = Reading { zone: self.zone, base: None, is_lenient: false };
            match query::read(resource_type, &own, reading) {
                Ok(query) => found.push(Provision {
                    is_permit,
                    specificity,
                    types: Types::of([resource_type]),
                    criteria: query.criteria,
                }),
                Err(_) => return unclear(),
            }
        }
        found
    }
}

/// Whether a provision's actions, if it names some, have to do with reading.
fn concerns_reading(node: NodeRef<'_>) -> bool {
    let mut has_action = false;
    let mut codes = node.all("action").flat_map(|a| a.all("coding")).filter_map(|c| c.text_at("code"));
    let concerns = codes.any(|code| {
        has_action = true;
        matches!(code.as_ref(), "access" | "use" | "disclose")
    });
    concerns || !has_action
}
