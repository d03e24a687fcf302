//! Conditional update and delete: the resource is named by a search instead of an id
//! (<https://hl7.org/fhir/R4/http.html#cond-update>, <https://hl7.org/fhir/R4/http.html#3.1.0.7.1>).
//!
//! What the search finds is looked up when the write is prepared, and goes with it as a condition: the fold decides, in
//! the order of the log, whether it still finds that. If not, the write is prepared anew ([`Hub::is_moved`]).

use fhir::{IssueType, NodeRef, TypeId, r4};
use store::{Action, Budget, CRITERIA_ROWS, Command, Condition, Rejection, Substitutions};

use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions};

/// A write that keeps being overtaken is given up after so many attempts.
pub const ATTEMPTS: usize = 20;

/// More than this a conditional delete does not take at once.
const MAX_DELETED: usize = 1000;

/// Whether a conditional delete may delete several (<https://hl7.org/fhir/R4/valueset-conditional-delete-status.html>).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConditionalDelete {
    /// One at most; more matches are refused.
    #[default]
    Single,
    /// All that match.
    Multiple,
}

impl ConditionalDelete {
    /// The code FHIR gives it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ConditionalDelete::Single => "single",
            ConditionalDelete::Multiple => "multiple",
        }
    }
}

/// A resource that is written, by its id, with the search that decided it.
pub(crate) type Chosen = (String, Option<Box<Condition>>);

impl Hub {
    /// Whether a write was refused because what it was planned on changed: prepare it anew.
    #[must_use]
    pub fn is_moved(rejection: &Rejection) -> bool {
        matches!(rejection, Rejection::Command { reason: store::Reason::Moved, .. })
    }

    /// What a search finds, at most `limit` (more is the error of a search that is not narrow enough).
    pub(crate) fn condition(
        &self,
        access: &Access,
        resource_type: TypeId,
        text: &str,
        limit: usize,
    ) -> Result<Box<Condition>, Failure> {
        let criteria = self.criteria(resource_type, text)?;
        let reader = self.reader(access);
        let place = reader.place();
        let budget = Budget::new(self.search_limits.rows.min(CRITERIA_ROWS), self.search_limits.time);
        let page = reader.search(&criteria.query, place, limit + 1, None, budget)?;
        if page.matches.len() > limit {
            let name = r4().type_name(resource_type);
            let many = if limit == 1 { "more than one".to_owned() } else { format!("more than {limit}") };
            return Err(Failure::new(
                Kind::PreconditionFailed,
                IssueType::MultipleMatches,
                format!("{name}?{text} finds {many}; make it narrower, or name the resource by its id"),
            ));
        }
        let mut found = Vec::with_capacity(page.matches.len());
        for one in page.matches {
            found.extend(reader.kept(one, place)?.map(|kept| kept.id));
        }
        Ok(Box::new(Condition { criteria, found }))
    }

    /// The id a conditional update writes, and whether there is a resource under it, with what decides that.
    pub(crate) fn update_target(
        &self,
        access: &Access,
        resource: NodeRef<'_>,
        text: &str,
    ) -> Result<(String, Box<Condition>), Failure> {
        let resource_type = resource.value_type();
        let condition = self.condition(access, resource_type, text, 1)?;
        let own = resource.id().map(String::from);
        let name = r4().type_name(resource_type);
        let id = match (condition.found.first(), own) {
            (Some(found), Some(own)) if *found != own => {
                let message = format!(
                    "{name}?{text} finds {name}/{found}, the resource says id '{own}'; they must be the same, or the resource must say none"
                );
                return Err(Failure::new(Kind::Invalid, IssueType::Invalid, message).under(name));
            }
            (Some(found), _) => found.clone(),
            (None, Some(own)) => {
                // Nothing matches and the client names the id: it creates that resource, which must not be there.
                if self.read(access, resource_type, &own, None).is_ok() {
                    let message =
                        format!("{name}?{text} finds nothing, and {name}/{own} exists; update it by its id");
                    return Err(Failure::new(Kind::Conflict, IssueType::Duplicate, message).under(name));
                }
                own
            }
            (None, None) => self.new_id(),
        };
        Ok((id, condition))
    }

    /// Prepares a version of the one resource a search finds, or a new one if it finds none.
    ///
    /// # Errors
    /// What about it cannot be stored; a search that finds several.
    pub fn update_by(
        &self,
        access: &Access,
        resource: NodeRef<'_>,
        text: &str,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if let Some(repeated) = self.repeated(access, options)? {
            return Ok(repeated);
        }
        let (id, condition) = self.update_target(access, resource, text)?;
        let (draft, references) = self.draft(resource, &id, &Substitutions::new())?;
        let action = match condition.found.is_empty() {
            // Whatever id it gets must be free when its turn comes.
            true => Action::Create { draft, references, if_none_exist: None },
            false => Action::Update { draft, references },
        };
        let command = Command {
            if_match: options.if_match,
            has_new_id: resource.id().is_none(),
            condition: Some(condition),
            ..Command::new(resource.value_type(), id, action)
        };
        Ok(self.prepared(access, self.with_provenance(vec![command], options)?, options.once))
    }

    /// What a conditional delete ends: at most one, or all that the search finds, as the hub is served.
    pub(crate) fn delete_targets(
        &self,
        access: &Access,
        resource_type: TypeId,
        text: &str,
    ) -> Result<Vec<Chosen>, Failure> {
        let limit = match self.conditional_delete {
            ConditionalDelete::Single => 1,
            ConditionalDelete::Multiple => MAX_DELETED,
        };
        let condition = self.condition(access, resource_type, text, limit)?;
        let found = condition.found.clone();
        let mut condition = Some(condition);
        // One check serves all that it found.
        Ok(found.into_iter().map(|id| (id, condition.take())).collect())
    }

    /// Prepares the end of what a search finds; that of nothing has no commands.
    ///
    /// # Errors
    /// A search that finds several where one at most is allowed.
    pub fn delete_by(
        &self,
        access: &Access,
        resource_type: TypeId,
        text: &str,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if let Some(repeated) = self.repeated(access, options)? {
            return Ok(repeated);
        }
        let chosen = self.delete_targets(access, resource_type, text)?.into_iter();
        let commands = chosen.map(|(id, condition)| Command {
            if_match: options.if_match,
            condition,
            ..Command::new(resource_type, id, Action::Delete)
        });
        let commands: Vec<Command> = commands.collect();
        if commands.is_empty() {
            return Ok(self.prepared(access, commands, None));
        }
        Ok(self.prepared(access, self.with_provenance(commands, options)?, options.once))
    }
}
