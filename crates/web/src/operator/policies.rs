//! `/hub/policies`: the rules of who may see what, what others would change, and what else is done by command.
//!
//! A preview looks at some resources of each type, for as long as a page may take, and says of how many; the whole is
//! compared by `yojigen access compare`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{ConsentMemory, Policy, Purpose, Subject};
use askama::Template;
use auth::ROLES;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use fhir::r4;
use hub::Hub;

use super::{Place, places, refused, runs_the_hub};
use crate::failure::{Failure, away};
use crate::form::Form;
use crate::quantity::grouped;
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;

/// Resources of a type that are looked at.
const SAMPLE: usize = 500;
/// For so long at most.
const TIME: Duration = Duration::from_secs(3);

/// A rule in words.
struct Line {
    name: String,
    effect: String,
    roles: String,
    may: String,
    types: String,
    whose: String,
    condition: String,
}

/// What would change for a type.
struct Change {
    type_name: &'static str,
    looked: String,
    before: String,
    after: String,
    more: String,
    fewer: String,
}

#[derive(Default)]
struct Preview {
    text: String,
    role: String,
    organisation: String,
    is_done: bool,
    is_cut: bool,
    changes: Vec<Change>,
    fault: String,
}

#[derive(Template)]
#[template(path = "operator/policies.html")]
struct PoliciesPage {
    shell: Shell,
    places: Vec<Place>,
    lines: Vec<Line>,
    roles: Vec<(&'static str, String)>,
    preview: Preview,
    default: &'static str,
}

fn draw(hub: &Hub, visit: &Visit, preview: Preview) -> PoliciesPage {
    let words = visit.words;
    let role = |code: &str| words.say_code("hub-role", code).unwrap_or_else(|| code.to_owned());
    let comma = if words.language == crate::language::Language::Japanese { "、" } else { ", " };
    let line = |rule: access::policy::Described<'_>| {
        let mut conditions: Vec<String> = rule.condition.iter().map(|text| (*text).to_owned()).collect();
        conditions.extend(rule.purposes.iter().cloned());
        if rule.needs_consent {
            conditions.push(words.say("hub-rule-consent"));
        }
        Line {
            name: rule.name.to_owned(),
            effect: words.say_code("hub-effect", rule.effect).unwrap_or_default(),
            roles: rule.roles.iter().map(|code| role(code)).collect::<Vec<_>>().join(comma),
            may: rule.may.join(", "),
            types: rule.types.join(", "),
            whose: words.say_code("hub-whose", rule.whose).unwrap_or_default(),
            condition: conditions.join(", "),
        }
    };
    PoliciesPage {
        shell: Shell::of(visit),
        places: places(visit),
        lines: hub.policy.described().into_iter().map(line).collect(),
        roles: ROLES.iter().map(|code| (*code, role(code))).collect(),
        preview,
        default: access::policy::DEFAULT,
    }
}

/// Answers with the page.
pub(super) async fn page(State(site): State<Site>, visit: Visit) -> Response {
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    respond(&visit, StatusCode::OK, &draw(&site.hub, &visit, Preview::default()))
}

/// What a role sees under each of two sets of rules, of some resources of each type.
fn compare(
    hub: &Hub,
    other: &Policy,
    role: &str,
    organisation: &str,
) -> Result<(Vec<Change>, bool), Failure> {
    let roles = vec![role.to_owned()];
    let purpose = Purpose::of_roles(&roles);
    let organisations =
        (!organisation.is_empty()).then(|| organisation.trim_start_matches("Organization/").to_owned());
    let subject = Arc::new(Subject {
        roles,
        organisations: organisations.into_iter().collect(),
        ..Subject::nobody(purpose)
    });
    let reader = |policy: &Policy| -> Result<store::Reader, Failure> {
        let memory = Arc::new(ConsentMemory::new(hub.zone().clone(), hub::now));
        let rights = policy.rights(&subject, &memory).map_err(refused)?;
        Ok(hub.store().reader().restricted(rights.read))
    };
    let (old, new, whole) = (reader(&hub.policy)?, reader(other)?, hub.store().reader());
    let (began, mut is_cut, mut changes) = (Instant::now(), false, Vec::new());
    for resource_type in &r4().resource_types {
        let mut ids = Vec::new();
        whole.each_of_type(*resource_type, None, |kept| {
            ids.push(kept.id);
            ids.len() < SAMPLE
        })?;
        is_cut |= ids.len() >= SAMPLE;
        let (mut looked, mut before, mut after, mut more, mut fewer) = (0, 0, 0, 0, 0);
        for id in &ids {
            if began.elapsed() > TIME {
                is_cut = true;
                break;
            }
            let sees = |reader: &store::Reader| -> Result<bool, Failure> {
                Ok(reader.explain(*resource_type, id, None)?.is_some_and(|verdict| verdict.is_seen))
            };
            let (was, is) = (sees(&old)?, sees(&new)?);
            looked += 1;
            before += u64::from(was);
            after += u64::from(is);
            more += u64::from(is && !was);
            fewer += u64::from(was && !is);
        }
        if more + fewer > 0 {
            changes.push(Change {
                type_name: r4().type_name(*resource_type),
                looked: grouped(looked),
                before: grouped(before),
                after: grouped(after),
                more: grouped(more),
                fewer: grouped(fewer),
            });
        }
    }
    Ok((changes, is_cut))
}

/// Shows what other rules would change. They are not taken: rules are read when the hub is started.
pub(super) async fn preview(State(site): State<Site>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    if form.is_cut {
        return refused(visit.words.say("form-cut")).page(&visit);
    }
    let mut preview = Preview {
        text: form.field("rules").to_owned(),
        role: form.field("role").to_owned(),
        organisation: form.field("organization").to_owned(),
        ..Preview::default()
    };
    let status = match Policy::read(&preview.text, site.hub.zone().clone()) {
        Err(why) => {
            preview.fault = why;
            StatusCode::BAD_REQUEST
        }
        Ok(policy) => {
            let (hub, role, of) = (site.hub.clone(), preview.role.clone(), preview.organisation.clone());
            match away(move || compare(&hub, &policy, &role, &of)).await {
                Ok((changes, is_cut)) => {
                    (preview.changes, preview.is_cut, preview.is_done) = (changes, is_cut, true);
                    StatusCode::OK
                }
                Err(failure) => return failure.page(&visit),
            }
        }
    };
    respond(&visit, status, &draw(&site.hub, &visit, preview))
}
