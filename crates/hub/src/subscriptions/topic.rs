//! Topics: what a topic-based subscription can be about
//! (<https://hl7.org/fhir/R5/subscriptiontopic.html>, <https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/>).
//!
//! R4 has no SubscriptionTopic, so topics are data of the program (`topics.json`, in R5's words) and are listed where R4
//! servers list them: in the CapabilityStatement, at the type Subscription.

use std::sync::OnceLock;

use fhir::issue::nearest;
use fhir::{TypeId, r4};
use search::query::{self, Query};
use serde::Deserialize;
use store::{Failure, Place};

use super::selection::{Change, Kind};
use crate::Hub;

/// A topic, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Topic {
    /// Its canonical URL.
    pub(crate) url: String,
    /// Its name for people.
    pub(crate) title: String,
    /// What it is about.
    pub(crate) description: String,
    resource_trigger: Vec<WrittenTrigger>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenTrigger {
    resource: String,
    supported_interaction: Vec<Kind>,
    query_criteria: Option<WrittenCriteria>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenCriteria {
    previous: Option<String>,
    result_for_create: Option<TestResult>,
    current: Option<String>,
    result_for_delete: Option<TestResult>,
    #[serde(default)]
    require_both: bool,
}

/// What a test gives where there is no version to be tested.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TestResult {
    TestPasses,
    TestFails,
}

/// The topics there are.
pub(crate) fn topics() -> &'static [Topic] {
    static TOPICS: OnceLock<Vec<Topic>> = OnceLock::new();
    TOPICS.get_or_init(|| serde_json::from_str(include_str!("topics.json")).unwrap_or_default())
}

/// The topic with a canonical URL (a version after `|` does not matter: there is one of each).
///
/// # Errors
/// Which ones there are.
pub(crate) fn named(canonical: &str) -> Result<&'static Topic, String> {
    let url = canonical.split('|').next().unwrap_or_default();
    topics().iter().find(|t| t.url == url).ok_or_else(|| {
        let near = nearest(url, topics().iter().map(|t| t.url.as_str()));
        let known: Vec<&str> =
            if near.is_empty() { topics().iter().map(|t| t.url.as_str()).collect() } else { near };
        format!("there is no topic '{canonical}' here; there is {}", known.join(", "))
    })
}

/// What makes an event of a change.
#[derive(Debug)]
pub(crate) struct Trigger {
    /// The type it is about; none is any.
    resource_type: Option<TypeId>,
    on: Vec<Kind>,
    /// What the version before must be.
    previous: Option<Query>,
    /// What the new version must be.
    current: Option<Query>,
    passes_on_create: bool,
    passes_on_delete: bool,
    needs_both: bool,
}

impl Topic {
    /// Its triggers, understood.
    ///
    /// # Errors
    /// A criterion that does not read.
    pub(crate) fn triggers(&self, hub: &Hub) -> Result<Vec<Trigger>, crate::Failure> {
        self.resource_trigger.iter().map(|written| written.read(hub)).collect()
    }
}

impl WrittenTrigger {
    fn read(&self, hub: &Hub) -> Result<Trigger, crate::Failure> {
        let resource_type = r4().resource_type(&self.resource);
        let criteria = self.query_criteria.as_ref();
        let read = |text: Option<&String>| -> Result<Option<Query>, crate::Failure> {
            let (Some(text), Some(resource_type)) = (text, resource_type) else { return Ok(None) };
            Ok(Some(query::read(resource_type, &query::split(text)?, hub.reading())?))
        };
        let passes = |result: Option<TestResult>| result != Some(TestResult::TestFails);
        Ok(Trigger {
            resource_type,
            on: self.supported_interaction.clone(),
            previous: read(criteria.and_then(|c| c.previous.as_ref()))?,
            current: read(criteria.and_then(|c| c.current.as_ref()))?,
            passes_on_create: passes(criteria.and_then(|c| c.result_for_create)),
            passes_on_delete: passes(criteria.and_then(|c| c.result_for_delete)),
            needs_both: criteria.is_some_and(|c| c.require_both),
        })
    }
}

impl Trigger {
    /// Whether changes of a type may be events.
    pub(crate) fn concerns(&self, resource_type: TypeId) -> bool {
        self.resource_type.is_none_or(|own| own == resource_type)
    }

    /// Whether a change is an event.
    ///
    /// # Errors
    /// As a search's.
    pub(crate) fn fires(&self, change: &Change<'_>) -> Result<bool, Failure> {
        if !self.concerns(change.resource_type) || !self.on.contains(&change.kind) {
            return Ok(false);
        }
        let before = Place(change.place.0.saturating_sub(1));
        let previous = match &self.previous {
            None => None,
            Some(_) if change.kind == Kind::Create => Some(self.passes_on_create),
            Some(query) => Some(change.matched(query, before)?),
        };
        let current = match &self.current {
            None => None,
            Some(_) if change.kind == Kind::Delete => Some(self.passes_on_delete),
            Some(query) => Some(change.matched(query, change.place)?),
        };
        Ok(match (previous, current) {
            (None, None) => true,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(previous), Some(current)) if self.needs_both => previous && current,
            (Some(previous), Some(current)) => previous || current,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topics_read_and_name_what_r4_has() {
        assert!(topics().len() >= 7);
        for topic in topics() {
            assert!(topic.url.starts_with("https://") && !topic.title.is_empty(), "{topic:?}");
            for trigger in &topic.resource_trigger {
                let is_known =
                    trigger.resource == "Resource" || r4().resource_type(&trigger.resource).is_some();
                assert!(is_known && !trigger.supported_interaction.is_empty(), "{trigger:?}");
                assert!(trigger.query_criteria.is_none() || trigger.resource != "Resource", "{trigger:?}");
            }
        }
    }

    #[test]
    fn a_topic_that_is_not_there_is_told_from_those_that_are() {
        assert!(named("https://yojigen.example/SubscriptionTopic/resource-change|1.0").is_ok());
        let message = named("https://yojigen.example/SubscriptionTopic/resource-chnge").unwrap_err();
        assert!(message.contains("there is https://yojigen.example/SubscriptionTopic/resource-change"));
        assert!(named("http://other.example/topic").unwrap_err().contains("encounter-start"));
    }
}
