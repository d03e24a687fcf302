//! What a page writes: one transaction through the one way in, under the rights of whoever is signed in.

use fhir::IssueType;
use hub::{Access, Hub, Kind, Prefer, WriteOptions};
use serde_json::{Value, json};

use crate::failure::Failure;

/// Changes that are made together or not at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    entries: Vec<Value>,
    /// Done once under this key, however often the form is sent.
    once: Option<[u8; 16]>,
}

/// A resource that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// `Observation/1`; empty for what was deleted.
    pub(crate) reference: String,
    /// Its version.
    pub(crate) version: String,
    /// Whether it was made now, rather than found or changed.
    pub(crate) is_new: bool,
}

fn type_of(resource: &Value) -> &str {
    resource["resourceType"].as_str().unwrap_or_default()
}

impl Changes {
    /// A new resource; others of the same changes may refer to it by `urn`, a `urn:uuid:…`, if it is not empty.
    pub(crate) fn create(&mut self, urn: &str, resource: Value) {
        let mut entry =
            json!({"request": {"method": "POST", "url": type_of(&resource)}, "resource": resource});
        if !urn.is_empty() {
            entry["fullUrl"] = json!(urn);
        }
        self.entries.push(entry);
    }

    /// A new resource, unless one is there that a search finds.
    pub(crate) fn create_unless(&mut self, resource: Value, query: &str) {
        let request = json!({"method": "POST", "url": type_of(&resource), "ifNoneExist": query});
        self.entries.push(json!({"request": request, "resource": resource}));
    }

    /// A version of a resource, made from the version that is named; a newer one there refuses it.
    pub(crate) fn update(&mut self, resource: Value, version: &str) {
        let url = format!("{}/{}", type_of(&resource), resource["id"].as_str().unwrap_or_default());
        let request = json!({"method": "PUT", "url": url, "ifMatch": format!("W/\"{version}\"")});
        self.entries.push(json!({"request": request, "resource": resource}));
    }

    /// A resource under the id it has, new or as a new version.
    pub(crate) fn put(&mut self, resource: Value) {
        let url = format!("{}/{}", type_of(&resource), resource["id"].as_str().unwrap_or_default());
        self.entries.push(json!({"request": {"method": "PUT", "url": url}, "resource": resource}));
    }

    /// The end of a resource, of the version that is named.
    pub(crate) fn delete(&mut self, reference: &str, version: &str) {
        let request = json!({"method": "DELETE", "url": reference, "ifMatch": format!("W/\"{version}\"")});
        self.entries.push(json!({"request": request}));
    }

    /// Does it once, however often the same form is sent: its own key, and whatever else tells it from others.
    pub(crate) fn once(&mut self, parts: &[&[u8]]) {
        self.once = Some(hub::once_key(parts));
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Makes the changes and waits until they are on disk. What was written, in the order it was asked for.
    ///
    /// To be called where it may wait (`failure::away`, `audit::audited`).
    pub(crate) fn commit(self, hub: &Hub, access: &Access) -> Result<Vec<Written>, Failure> {
        let count = self.entries.len();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": self.entries});
        let broken = |what: &str| {
            Failure::from(hub::Failure::new(Kind::Internal, IssueType::Exception, what.to_owned()))
        };
        let document = fhir::json::parse(bundle.to_string().as_bytes(), &hub.limits)
            .map_err(|issues| Failure::from(hub::Failure::invalid(issues)))?;
        let options = WriteOptions { once: self.once, ..WriteOptions::default() };
        let mut batch = hub.plan_bundle(access, document.root(), &options)?;
        let mut outcomes = Vec::new();
        for prepared in batch.take_writes() {
            outcomes.push(Ok(hub.submit_and_wait(prepared)?));
        }
        let never = |_: &str, _: &hub::ReadCondition| hub::EntryResponse::of_status(400);
        let answer = hub.answer_bundle(access, &batch, outcomes, Prefer::Minimal, &never)?;
        let answer: Value = serde_json::from_str(&answer).map_err(|_| broken("the answer does not read"))?;
        let entries = answer["entry"].as_array().cloned().unwrap_or_default();
        if entries.len() != count {
            return Err(broken("not every change was answered"));
        }
        Ok(entries.iter().map(|entry| written(&entry["response"])).collect())
    }
}

fn written(response: &Value) -> Written {
    let location = response["location"].as_str().unwrap_or_default();
    let mut parts = location.split('/').rev();
    let (version, _, id, name) = (parts.next(), parts.next(), parts.next(), parts.next());
    let reference = match (name, id) {
        (Some(name), Some(id)) => format!("{name}/{id}"),
        _ => String::new(),
    };
    let is_new = response["status"].as_str().is_some_and(|status| status.starts_with("201"));
    Written { reference, version: version.unwrap_or_default().to_owned(), is_new }
}
