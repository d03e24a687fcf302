//! Who is meant by an actor that stands for several: members of a Group, participants of a CareTeam, whoever fills a
//! PractitionerRole (FHIR R4).

use fhir::date_time::Micros;
use fhir::{Limits, NodeRef, TypeId, json, r4};
use search::restriction::Kept;

use crate::consent::{MomentOf, is_actor};
use crate::subject::Subject;

/// Groups within groups are followed so deep.
const MAX_DEPTH: u32 = 3;

/// Whether a subject is one of those a reference stands for; `None` if that cannot be told.
pub(crate) fn is_member(
    subject: &Subject,
    reference: &str,
    kept: Kept<'_>,
    now: Micros,
    moment: &MomentOf<'_>,
) -> Option<bool> {
    Asked { subject, kept, now, moment }.is_member(reference, 0)
}

struct Asked<'a> {
    subject: &'a Subject,
    kept: Kept<'a>,
    now: Micros,
    moment: &'a MomentOf<'a>,
}

impl Asked<'_> {
    fn is_member(&self, reference: &str, depth: u32) -> Option<bool> {
        if is_actor(self.subject, reference) {
            return Some(true);
        }
        let (name, id) = reference.split_once('/')?;
        let resource_type = r4().known_resource_type(name).ok()?;
        if !matches!(name, "Group" | "CareTeam" | "PractitionerRole") {
            return Some(false);
        }
        if depth > MAX_DEPTH {
            return None;
        }
        let text = self.text(resource_type, id)?;
        let resource = json::parse(text.as_bytes(), &Limits::default()).ok()?;
        let root = resource.root();
        if root.text_at("active").as_deref() == Some("false") || !self.is_in_time(root) {
            return Some(false);
        }
        let of = |nodes: &mut dyn Iterator<Item = NodeRef<'_>>, path: &str| {
            let mut is_unclear = false;
            for node in nodes {
                let is_over = node.text_at("inactive").as_deref() == Some("true") || !self.is_in_time(node);
                let Some(member) = node.text_at(path).filter(|_| !is_over) else { continue };
                match self.is_member(&member, depth + 1) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => is_unclear = true,
                }
            }
            (!is_unclear).then_some(false)
        };
        match name {
            "Group" => of(&mut root.all("member"), "entity.reference"),
            "CareTeam" => match root.text_at("status").as_deref() {
                None | Some("active") => of(&mut root.all("participant"), "member.reference"),
                Some(_) => Some(false),
            },
            _ => {
                let at = root.text_at("organization.reference");
                let is_there = at.is_none_or(|at| is_actor(self.subject, &at));
                let who = root.text_at("practitioner.reference");
                Some(is_there && who.is_some_and(|who| is_actor(self.subject, &who)))
            }
        }
    }

    fn text(&self, resource_type: TypeId, id: &str) -> Option<String> {
        (self.kept)(resource_type, id)
    }

    fn is_in_time(&self, node: NodeRef<'_>) -> bool {
        let at = |path, is_end| node.path(path).and_then(|n| (self.moment)(n, is_end));
        at("period.start", false).is_none_or(|start| start <= self.now)
            && at("period.end", true).is_none_or(|end| self.now < end)
    }
}
