//! Documents that are loaded rather than sent: what a file holds, as proposals.
//!
//! A unit (a Bundle, a resource, a group of lines) is committed once under a key made of its content, so that an
//! import that is interrupted, or repeated, adds nothing twice.

use fhir::date_time::Micros;
use fhir::{DateTime, IssueType, NodeRef, Resource, r4};
use store::{Action, Command, Proposal, Substitutions};

use crate::{Access, Failure, Hub, Kind, Prepared};

/// Where the moments of recording come from, on import into an empty hub.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordedFrom {
    /// `meta.lastUpdated`; `meta.versionId` is kept as well.
    LastUpdated,
    /// `issued`
    Issued,
    /// `period`: its end, or its start if it has none.
    Period,
}

/// A resource with its moment of recording, ready to be sorted among others.
#[derive(Clone, Debug)]
pub struct Dated {
    /// When it was recorded.
    pub instant: Micros,
    /// Its type's name.
    pub resource_type: &'static str,
    /// Its id.
    pub id: String,
    /// The number of its version, if it says one.
    pub version: Option<u64>,
    /// Its text with references resolved.
    pub json: String,
}

impl Hub {
    /// The commands a document stands for. A Bundle of requests, a collection or a search result is taken apart unless
    /// `is_kept_whole`; other Bundles (documents, messages) are resources.
    ///
    /// # Errors
    /// What about it cannot be stored.
    pub fn import_commands(
        &self,
        document: &Resource,
        is_kept_whole: bool,
        ids: &mut dyn FnMut(NodeRef<'_>) -> String,
    ) -> Result<Vec<Command>, Failure> {
        let root = document.root();
        if root.value_type() == r4().well_known().bundle && !is_kept_whole {
            match root.text_at("type").as_deref() {
                Some("transaction" | "batch" | "collection" | "searchset") => {
                    return self.bundle_commands(root, ids);
                }
                Some("history") => {
                    return Err(Failure::new(
                        Kind::NotSupported,
                        IssueType::NotSupported,
                        "a history Bundle cannot be imported; import the resources",
                    ));
                }
                _ => {}
            }
        }
        let own = root.id().map(String::from);
        let is_new = own.is_none();
        let id = own.unwrap_or_else(|| ids(root));
        let (draft, references) = self.unchecked_draft(root, &id, &Substitutions::new())?;
        let action = if is_new {
            Action::Create { draft, references, if_none_exist: None }
        } else {
            Action::Update { draft, references }
        };
        Ok(vec![Command::new(root.value_type(), id, action)])
    }

    /// A proposal of imported commands, done once under its key.
    #[must_use]
    pub fn import_proposal(
        &self,
        access: &Access,
        commands: Vec<Command>,
        once: [u8; 16],
        recorded: Option<Micros>,
    ) -> Prepared {
        let (circumstances, rights) = (access.circumstances.clone(), access.rights.clone());
        Prepared {
            proposal: Proposal {
                circumstances,
                commands,
                once: Some(once),
                recorded,
                rights,
                may_break_references: false,
            },
        }
    }

    /// The resources of a document with their moments of recording. One that says none takes that of the Encounter it
    /// belongs to, else the earliest of the document.
    ///
    /// # Errors
    /// What about it cannot be stored; if no resource of it says a moment.
    pub fn dated(
        &self,
        document: &Resource,
        is_kept_whole: bool,
        from: RecordedFrom,
        ids: &mut dyn FnMut(NodeRef<'_>) -> String,
    ) -> Result<Vec<Dated>, Failure> {
        let commands = self.import_commands(document, is_kept_whole, ids)?;
        let mut found: Vec<(Option<Micros>, Option<String>, Dated)> = Vec::with_capacity(commands.len());
        for command in commands {
            let (Action::Create { draft, .. } | Action::Update { draft, .. }) = &command.action else {
                continue;
            };
            let json = text(&draft.body);
            let read = fhir::json::parse(json.as_bytes(), &self.limits)?;
            let meta = source_meta(document, &command, is_kept_whole);
            let moment = match from {
                RecordedFrom::LastUpdated => meta.0,
                RecordedFrom::Issued => self.moment(read.root(), "issued"),
                RecordedFrom::Period => self
                    .moment(read.root(), "period.end")
                    .or_else(|| self.moment(read.root(), "period.start")),
            };
            let encounter = read.root().text_at("encounter.reference").map(String::from);
            let version = if from == RecordedFrom::LastUpdated { meta.1 } else { None };
            let resource_type = r4().type_name(command.resource_type);
            let dated = Dated { instant: 0, resource_type, id: command.id, version, json };
            found.push((moment, encounter, dated));
        }
        let earliest = found.iter().filter_map(|(moment, ..)| *moment).min();
        let Some(earliest) = earliest.or_else(|| found.is_empty().then_some(0)) else {
            let message =
                "no resource here says when it was recorded in the element that --recorded-from names";
            return Err(Failure::new(Kind::Invalid, IssueType::Required, message));
        };
        let encounters: std::collections::BTreeMap<String, Micros> = found
            .iter()
            .filter(|(.., d)| d.resource_type == "Encounter")
            .filter_map(|(moment, _, d)| Some((format!("Encounter/{}", d.id), (*moment)?)))
            .collect();
        let date = |(moment, encounter, dated): (Option<Micros>, Option<String>, Dated)| {
            let of_encounter = encounter.and_then(|e| encounters.get(&e).copied());
            Dated { instant: moment.or(of_encounter).unwrap_or(earliest), ..dated }
        };
        Ok(found.into_iter().map(date).collect())
    }

    fn moment(&self, root: NodeRef<'_>, path: &str) -> Option<Micros> {
        DateTime::parse(&root.text_at(path)?).map(|d| d.interval(self.zone()).0)
    }
}

/// `meta.lastUpdated` and `meta.versionId` of the resource a command comes from, which its draft no longer has.
fn source_meta(document: &Resource, command: &Command, is_kept_whole: bool) -> (Option<Micros>, Option<u64>) {
    let root = document.root();
    let is_bundle = root.value_type() == r4().well_known().bundle && !is_kept_whole;
    let mut candidates: Vec<NodeRef<'_>> =
        if is_bundle { root.all("entry").filter_map(|e| e.child("resource")).collect() } else { vec![root] };
    candidates.retain(|c| {
        c.value_type() == command.resource_type && c.id().is_none_or(|id| !is_bundle || id == command.id)
    });
    let Some(source) = candidates.first() else { return (None, None) };
    let zone = fhir::date_time::FixedZone(0);
    let instant =
        source.text_at("meta.lastUpdated").and_then(|t| DateTime::parse(&t).map(|d| d.interval(&zone).0));
    (instant, source.text_at("meta.versionId").and_then(|v| v.parse().ok()))
}

/// A body as a resource that reads: its text alone lacks what goes into `meta`.
fn text(body: &fhir::body::Body) -> String {
    let mut text = String::new();
    body.write("1", "1970-01-01T00:00:00Z", &mut text);
    text
}
