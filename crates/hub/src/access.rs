//! Who acts, for whom, why and by what means, and what follows from that.

use std::sync::Arc;

use ::access::Subject;
use fhir::{IssueType, TypeId, r4};
use search::restriction::Rights;
use store::Circumstances;

use crate::seen::Seen;
use crate::{Failure, Hub, Kind};

/// An access to the record.
#[derive(Clone, Debug)]
pub struct Access {
    /// What the log keeps of it.
    pub circumstances: Circumstances,
    /// What it may do; `None` if everything.
    pub rights: Option<Arc<Rights>>,
    /// Whose rights these are.
    pub subject: Option<Arc<Subject>>,
    /// Collects whose rows leave, for the ledger; none where reading is not audited. No part of what an access is.
    pub seen: Option<Arc<Seen>>,
}

impl Access {
    /// An access through a door, with nobody named, to everything: what there is while a hub is open to all on its
    /// machine, and for what the hub does by itself.
    #[must_use]
    pub fn open(channel: &str) -> Access {
        let circumstances = Circumstances { channel: Some(channel.to_owned()), ..Circumstances::default() };
        Access { circumstances, rights: None, subject: None, seen: None }
    }

    /// Only for an access to everything: what looks at the whole hub, or works on when its caller is gone.
    ///
    /// # Errors
    /// If anything is restricted.
    pub fn whole(&self, what: &str) -> Result<(), Failure> {
        match self.rights {
            None => Ok(()),
            Some(_) => {
                let message = format!(
                    "{what} works on the whole record and is not for this access; ask for one person's record, or as an operator"
                );
                Err(Failure::new(Kind::Forbidden, IssueType::Forbidden, message))
            }
        }
    }

    /// Whether anything of a type can be seen at all; a search of another type says so instead of finding nothing.
    ///
    /// # Errors
    /// If nothing of the type can.
    pub(crate) fn of_type(&self, resource_type: TypeId) -> Result<(), Failure> {
        match &self.rights {
            Some(rights) if !rights.search.concerns(resource_type) => {
                let message = format!(
                    "no {} may be read under this access; it was granted other types",
                    r4().type_name(resource_type)
                );
                Err(Failure::new(Kind::Forbidden, IssueType::Forbidden, message))
            }
            _ => Ok(()),
        }
    }
}

impl Hub {
    /// The access of a subject through a door: its rights under the hub's rules, decided now.
    ///
    /// # Errors
    /// A scope that no index can decide.
    pub fn access_of(&self, subject: &Arc<Subject>, channel: &str) -> Result<Access, Failure> {
        let rights = self
            .policy
            .rights(subject, &self.consents)
            .map_err(|why| Failure::new(Kind::Forbidden, IssueType::Forbidden, why))?;
        let patient = |id: &String| format!("Patient/{id}");
        let circumstances = Circumstances {
            author: (subject.fhir_user.clone())
                .or_else(|| subject.patient.as_ref().map(patient))
                .or_else(|| subject.user.clone()),
            organisation: subject.organisations.first().map(|id| format!("Organization/{id}")),
            on_behalf_of: subject.proxied.first().map(patient),
            client: subject.client.clone(),
            purpose: Some(subject.acting_purpose().code().to_owned()),
            channel: Some(channel.to_owned()),
            request_id: None,
        };
        let (rights, subject) = (Some(Arc::new(rights)), Some(Arc::clone(subject)));
        Ok(Access { circumstances, rights, subject, seen: None })
    }
}
