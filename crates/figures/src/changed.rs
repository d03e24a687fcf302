//! Whose record changed between two places of the log, as far as views look at it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use fhir::{TypeId, r4};
use hub::Failure;
use measures::View;
use serde_json::Value;
use store::{LogContent as Content, LogOperation as Operation, Place};
use views::{Decimals, Run};

use crate::Figures;
use crate::failure::internal;

/// More changes than this are not gone through one by one.
const MOST: usize = 20_000;

/// What came of looking.
pub(crate) enum Changed {
    /// It is as quick to count all again, or it cannot be told whose record it was.
    TooMuch,
    /// These persons (`Patient/1`), linked Patients with each other.
    Persons(HashSet<String>),
}

impl Figures {
    /// Whose rows in these views may differ between two places. A Consent that changed counts as its person's record.
    pub(crate) fn changed(&self, from: Place, to: Place, views: &[Arc<View>]) -> Result<Changed, Failure> {
        let Some(resources) = self.written(from, to, views)? else { return Ok(Changed::TooMuch) };
        let reader = self.hub.store().reader();
        let consent = r4().resource_type("Consent");
        let now = reader.instant_of(to)?;
        let mut persons: HashSet<String> = HashSet::new();
        let mut consenting: HashSet<String> = HashSet::new();
        for (resource_type, id) in &resources {
            let mut rows: Vec<Vec<RecordBatch>> = Vec::new();
            let mut tags = Vec::new();
            for place in [from, to] {
                let kept = reader.read(*resource_type, id, Some(place))?;
                if kept.as_ref().is_some_and(|kept| kept.is_destroyed) {
                    return Ok(Changed::TooMuch);
                }
                let text = kept.filter(|kept| kept.text.is_some()).map(|kept| kept.json());
                let json: Value = match &text {
                    Some(text) => serde_json::from_str(text).map_err(|e| internal(&e))?,
                    None => Value::Null,
                };
                if Some(*resource_type) == consent {
                    consenting.extend(json["patient"]["reference"].as_str().map(str::to_owned));
                }
                tags.push((json["meta"]["tag"].clone(), json["meta"]["security"].clone()));
                let mut of_type = Vec::new();
                for view in views.iter().filter(|view| view.definition.resource == *resource_type) {
                    let mut run = Run::new(&view.definition, Decimals::Numbers).at(now);
                    if let Some(text) = &text {
                        run.push_text(text).map_err(|e| internal(&e))?;
                    }
                    let batch = run.batch().map_err(|e| internal(&e))?;
                    match batch.column_by_name("person").and_then(|c| c.as_string_opt::<i32>()) {
                        Some(names) => persons.extend(names.iter().flatten().map(str::to_owned)),
                        None => of_type.push(batch),
                    }
                }
                rows.push(of_type);
            }
            // Rows that are nobody's own, such as who is linked with whom, concern all.
            let is_nobodys = rows.iter().any(|of_type| !of_type.is_empty());
            if is_nobodys && (rows.first() != rows.last() || tags.first() != tags.last()) {
                return Ok(Changed::TooMuch);
            }
        }
        let mut all = HashSet::new();
        for name in persons.iter().chain(&consenting) {
            let Some(id) = name.strip_prefix("Patient/") else { return Ok(Changed::TooMuch) };
            let linked = reader.linked_patients(id, self.hub.budget())?;
            // A Consent may also show or hide that they are linked.
            if linked.len() > 1 && consenting.contains(name) {
                return Ok(Changed::TooMuch);
            }
            all.insert(name.clone());
            all.extend(linked.into_iter().map(|id| format!("Patient/{id}")));
        }
        Ok(Changed::Persons(all))
    }

    /// The resources that were written between two places and concern views or consents; none if it is too much.
    fn written(
        &self,
        from: Place,
        to: Place,
        views: &[Arc<View>],
    ) -> Result<Option<BTreeSet<(TypeId, String)>>, Failure> {
        let number = |t: TypeId| r4().resource_number(t);
        let mut types: BTreeSet<u8> = views.iter().filter_map(|v| number(v.definition.resource)).collect();
        types.extend(r4().resource_type("Consent").and_then(number));
        let reader = self.hub.store().reader();
        let (mut found, mut seen) = (BTreeSet::new(), 0);
        for place in from.0 + 1..=to.0 {
            let commands = match reader.entry(Place(place))?.content {
                Content::Transaction(commands) => commands,
                Content::Settings(_) | Content::Redaction(_) => return Ok(None),
            };
            seen += commands.len() + 1;
            if seen > MOST || commands.iter().any(|c| c.operation == Operation::Destroy) {
                return Ok(None);
            }
            for command in commands.iter().filter(|c| types.contains(&c.type_number)) {
                let (resource_type, id) = reader.name_of(command.resource)?;
                found.insert((resource_type, id));
            }
        }
        Ok(Some(found))
    }
}
