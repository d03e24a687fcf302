//! update: `PUT [base]/Type/id`, which creates what does not exist (<https://hl7.org/fhir/R4/http.html#update>).
//!
//! A resource that says what the current version says already makes no version. Tags and security labels of the
//! current version stay if the new one does not mention them.

use fhir::primitive::is_id;
use fhir::{IssueType, NodeRef};
use store::{Action, Command, Substitutions};

use crate::{Access, Failure, Hub, Kind, Prepared, WriteOptions};

impl Hub {
    /// Prepares a version of the resource with this id, which must be the one it says itself.
    ///
    /// # Errors
    /// What about it cannot be stored.
    pub fn update(
        &self,
        access: &Access,
        resource: NodeRef<'_>,
        id: &str,
        options: &WriteOptions,
    ) -> Result<Prepared, Failure> {
        if !is_id(id) {
            return Err(Failure::new(
                Kind::Invalid,
                IssueType::Value,
                format!("'{id}' is not an id: 1 to 64 of A-Z a-z 0-9 - ."),
            ));
        }
        match resource.id() {
            Some(own) if own == id => {}
            Some(own) => {
                let message =
                    format!("the resource says id '{own}', the address says '{id}'; they must be the same");
                return Err(
                    Failure::new(Kind::Invalid, IssueType::Invalid, message).under(resource.type_name())
                );
            }
            None => {
                let message = format!("an update needs the id in the resource as well: \"id\":\"{id}\"");
                return Err(
                    Failure::new(Kind::Invalid, IssueType::Required, message).under(resource.type_name())
                );
            }
        }
        let (draft, references) = self.draft(resource, id, &Substitutions::new())?;
        let action = match options.must_be_new {
            true => Action::Create { draft, references, if_none_exist: None },
            false => Action::Update { draft, references },
        };
        let command =
            Command { if_match: options.if_match, ..Command::new(resource.value_type(), id, action) };
        Ok(self.prepared(access, self.with_provenance(vec![command], options)?, options.once))
    }
}
