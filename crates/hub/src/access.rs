//! Who acts, for whom, why and by what means, and what follows from that.

use std::sync::Arc;

use ::access::{Purpose, Subject};
use fhir::{DateTime, IssueType, TypeId, r4};
use search::restriction::{Grant, Restriction, Rights, Types, Whose};
use store::{Circumstances, Clock as _, Place};

use crate::seen::Seen;
use crate::{Failure, Hub, Kind, SystemClock, once_key};

/// The role whose rules are everything; the purpose decides what Consents leave of it.
const SYSTEM: &str = "system";

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
    /// The place of the log as of which its rights are decided, where what was asked then is asked again; else now.
    pub decided_at: Option<Place>,
}

impl Access {
    /// An access through a door, with nobody named, to everything: what there is while a hub is open to all on its
    /// machine, and for what the hub does by itself.
    #[must_use]
    pub fn open(channel: &str) -> Access {
        let circumstances = Circumstances { channel: Some(channel.to_owned()), ..Circumstances::default() };
        Access { circumstances, rights: None, subject: None, seen: None, decided_at: None }
    }

    /// A key under which something is done once, as this access has it: what others did under the same key is theirs.
    pub(crate) fn own(&self, once: [u8; 16]) -> [u8; 16] {
        match &self.subject {
            None => once,
            Some(subject) => {
                let part = |text: &Option<String>| text.clone().unwrap_or_default();
                once_key(&[part(&subject.user).as_bytes(), part(&subject.client).as_bytes(), &once])
            }
        }
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
    /// The access of whoever is not known: to nothing.
    #[must_use]
    pub fn nobody(&self) -> Access {
        let nothing = Arc::new(Restriction::nothing());
        let rights = Rights {
            read: Arc::clone(&nothing),
            search: Arc::clone(&nothing),
            create: Arc::clone(&nothing),
            update: Arc::clone(&nothing),
            delete: nothing,
            may_choose_ids: false,
        };
        let subject = Some(Arc::new(Subject::nobody(Purpose::Operations)));
        Access { rights: Some(Arc::new(rights)), subject, ..Access::open("rest") }
    }

    /// The access of whoever is not known, to what everyone may know: which organisations there are. Nothing that lies in a
    /// person's record is among it, nor anything of another type.
    #[must_use]
    pub fn anybody(&self) -> Access {
        let types = Types::of(r4().resource_type("Organization"));
        let grant = Grant {
            name: "everyone may know which organisations take part".to_owned(),
            types,
            whose: Whose::Nobody,
            criteria: Vec::new(),
            needs_consent: false,
        };
        let organisations = Restriction { layers: vec![vec![grant]], ..Restriction::nothing() };
        let mut access = self.nobody();
        if let Some(rights) = access.rights.as_mut().map(Arc::make_mut) {
            rights.search = Arc::new(organisations);
        }
        access
    }

    /// The access of the hub's own counting, of which nothing leaves but figures: all rows but those of persons whose
    /// Consents do not let them be counted. For a figure of an earlier place of the log, by what was consented to then.
    ///
    /// # Errors
    /// As [`Hub::access_of`].
    pub fn counting(&self, decided_at: Option<Place>) -> Result<Access, Failure> {
        let roles = vec![SYSTEM.to_owned()];
        let subject = Subject { roles, ..Subject::nobody(Purpose::Indicators) };
        Ok(Access { decided_at, ..self.access_of(&Arc::new(subject), "indicators")? })
    }

    /// The first moment after this at which Consents that were asked say something else by the clock alone.
    #[must_use]
    pub fn next_change_of_consents(&self, after: fhir::date_time::Micros) -> Option<fhir::date_time::Micros> {
        self.consents.next_change(after)
    }

    /// The ids of the Patients someone acts for, by their own resource: a RelatedPerson that is active today names one.
    /// It ends with its period, or when the person takes it back.
    ///
    /// # Errors
    /// As the store says.
    pub fn acts_for(&self, reference: &str) -> Result<Vec<String>, Failure> {
        let Some(id) = reference.strip_prefix("RelatedPerson/") else { return Ok(Vec::new()) };
        let related = r4().resource_type("RelatedPerson").unwrap_or(r4().well_known().resource);
        let reader = self.store.reader();
        let kept = reader.read(related, id, None)?.filter(|kept| kept.text.is_some());
        // Whole, as a reader gets it: a body without its version may have an empty `meta`, which does not read.
        let Some(text) = kept.map(|kept| kept.json()) else { return Ok(Vec::new()) };
        let Ok(resource) = fhir::json::parse(text.as_bytes(), &self.limits) else { return Ok(Vec::new()) };
        let root = resource.root();
        let now = SystemClock.now();
        let moment = |path: &str| Some(DateTime::parse(&root.text_at(path)?)?.interval(self.zone()));
        let is_active = root.text_at("active").is_none_or(|active| active == "true")
            && moment("period.start").is_none_or(|(start, _)| start <= now)
            && moment("period.end").is_none_or(|(_, end)| now < end);
        let patient = root.text_at("patient.reference").filter(|_| is_active);
        let id = patient.and_then(|reference| reference.strip_prefix("Patient/").map(str::to_owned));
        Ok(id.into_iter().collect())
    }

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
        // Who may do everything needs no looking at rows, and may do what works on the whole.
        let rights = (!rights.are_all()).then(|| Arc::new(rights));
        Ok(Access { circumstances, rights, subject: Some(Arc::clone(subject)), seen: None, decided_at: None })
    }
}
