//! Writes on their way to the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use fhir::{Issue, NodeRef, Reference, TypeId};
use search::Zone;
use search::query::{self, Reading, Total};
use store::{Action, Command, Criteria, Draft, Outcome, Proposal, Rejection, Substitutions};

use crate::subscriptions::subscription_type;
use crate::{Access, Failure, Hub};

/// A proposal, ready to be submitted.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) proposal: Proposal,
}

impl Prepared {
    /// Whether nothing is to be done, not even to look up what was done before.
    #[must_use]
    pub fn does_nothing(&self) -> bool {
        self.is_empty() && self.proposal.once.is_none()
    }

    /// How many resources it writes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.proposal.commands.len()
    }

    /// Whether it does nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.proposal.commands.is_empty()
    }
}

/// What a write may carry beside the resource.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// The version that must be current (`If-Match`).
    pub if_match: Option<u64>,
    /// Only if nothing is there (`If-None-Match: *`).
    pub must_be_new: bool,
    /// Do it once under this key, however often it is asked.
    pub once: Option<[u8; 16]>,
    /// Provenance that goes with it (`X-Provenance`).
    pub provenance: Option<crate::Provenance>,
    /// A search that must find nothing (`If-None-Exist`).
    pub if_none_exist: Option<String>,
}

/// The key under which something is done once, from whatever names it.
#[must_use]
pub fn once_key(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

fn is_about_subscriptions(proposal: &Proposal) -> bool {
    proposal.commands.iter().any(|c| c.resource_type == subscription_type())
}

impl Hub {
    /// Submits a write. `reply` is called once, from the store's thread, when the outcome is on disk and can be read.
    pub fn submit(
        &self,
        prepared: Prepared,
        reply: impl FnOnce(Result<Outcome, Rejection>) + Send + 'static,
    ) {
        let (bell, is_subscription) = (Arc::clone(&self.bell), is_about_subscriptions(&prepared.proposal));
        self.store.propose(prepared.proposal, move |outcome| {
            reply(outcome);
            bell.committed(is_subscription);
        });
    }

    /// Submits a write and waits.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn submit_and_wait(&self, prepared: Prepared) -> Result<Outcome, Failure> {
        let is_subscription = is_about_subscriptions(&prepared.proposal);
        let outcome = self.store.commit(prepared.proposal)?;
        self.bell.committed(is_subscription);
        Ok(outcome)
    }

    /// What was done under the key of these options already: then there is nothing to plan, the log knows the answer.
    pub(crate) fn repeated(
        &self,
        access: &Access,
        options: &WriteOptions,
    ) -> Result<Option<Prepared>, Failure> {
        match &options.once {
            Some(once) if self.reader(access).is_done(&access.own(*once))? => {
                Ok(Some(self.prepared(access, Vec::new(), options.once)))
            }
            _ => Ok(None),
        }
    }

    /// A proposal of these commands.
    pub(crate) fn prepared(
        &self,
        access: &Access,
        commands: Vec<Command>,
        once: Option<[u8; 16]>,
    ) -> Prepared {
        let (circumstances, rights) = (access.circumstances.clone(), access.rights.clone());
        let once = once.map(|key| access.own(key));
        Prepared {
            proposal: Proposal {
                circumstances,
                commands,
                once,
                recorded: None,
                rights,
                may_break_references: false,
            },
        }
    }

    /// Where dates without zone lie.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        self.store.zone()
    }

    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading { zone: self.zone(), base: None, is_lenient: false }
    }

    /// A search that decides about a write.
    pub(crate) fn criteria(&self, resource_type: TypeId, text: &str) -> Result<Criteria, Failure> {
        // Some clients send a whole address, or the form they want answers in.
        let text = text.split_once('?').map_or(text, |(_, search)| search);
        let mut pairs = query::split(text)?;
        pairs.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
        let query = query::read(resource_type, &pairs, self.reading())?;
        let is_plain = query.count.is_none()
            && query.as_of.is_none()
            && query.cursor.is_none()
            && query.subset.is_none()
            && query.sort.is_empty()
            && query.includes.is_empty()
            && query.reverse_includes.is_empty()
            && query.total == Total::IfFree
            && !query.is_count_only;
        if !is_plain {
            let message = format!(
                "'{text}' names a parameter about answers (_count, _sort, _asOf …); what decides about a write is a search for resources as they are"
            );
            return Err(Issue::error(fhir::IssueType::Invalid, message).into());
        }
        if query.criteria.is_empty() {
            let message =
                format!("'{text}' selects nothing in particular; name at least one search parameter");
            return Err(Issue::error(fhir::IssueType::Invalid, message).into());
        }
        Ok(Criteria { text: text.to_owned(), query })
    }

    /// The draft of a resource, with the references in it that are searches.
    pub(crate) fn draft(
        &self,
        root: NodeRef<'_>,
        id: &str,
        substitutions: &Substitutions,
    ) -> Result<(Box<Draft>, Vec<Criteria>), Failure> {
        if root.value_type() == subscription_type() {
            self.check_subscription(root)?;
        }
        self.unchecked_draft(root, id, substitutions)
    }

    /// The same of what is loaded rather than asked for: a Subscription may be one of another hub, and is judged when it
    /// is served.
    pub(crate) fn unchecked_draft(
        &self,
        root: NodeRef<'_>,
        id: &str,
        substitutions: &Substitutions,
    ) -> Result<(Box<Draft>, Vec<Criteria>), Failure> {
        crate::patch::not_a_part(root)?;
        let draft = Draft::new(root, id, substitutions, self.zone())?;
        let mut references = Vec::new();
        for text in draft.conditional.iter().collect::<BTreeSet<_>>() {
            if let Reference::Conditional { resource_type, query } = Reference::parse(text) {
                let criteria = self.criteria(resource_type, query)?;
                references.push(Criteria { text: text.clone(), query: criteria.query });
            }
        }
        Ok((Box::new(draft), references))
    }

    /// Adds the Provenance that goes with a write: a resource of its own that targets what was written.
    pub(crate) fn with_provenance(
        &self,
        mut commands: Vec<Command>,
        options: &WriteOptions,
    ) -> Result<Vec<Command>, Failure> {
        if let Some(provenance) = &options.provenance {
            let targets: Vec<String> = commands
                .iter()
                .map(|c| format!("{}/{}", fhir::r4().type_name(c.resource_type), c.id))
                .collect();
            commands.push(self.provenance_command(provenance, &targets)?);
        }
        Ok(commands)
    }

    pub(crate) fn provenance_command(
        &self,
        provenance: &crate::Provenance,
        targets: &[String],
    ) -> Result<Command, Failure> {
        let resource = provenance.targeting(targets, &self.limits)?;
        let id = self.new_id();
        let (draft, references) = self.draft(resource.root(), &id, &Substitutions::new())?;
        let action = Action::Create { draft, references, if_none_exist: None };
        Ok(Command { has_new_id: true, ..Command::new(resource.root().value_type(), id, action) })
    }
}
