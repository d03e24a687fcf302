//! A question in SQL about the record: its tables are views of SQL on FHIR.

use std::collections::BTreeMap;
use std::sync::Arc;

use fhir::IssueType;
use fhir::date_time::Micros;
use hub::{Access, Failure, Kind};
use measures::{View, views_of};
use sql::{Answer, Cancel, Limits, Session};

use crate::Figures;
use crate::failure::{failure_of, invalid};

/// A question.
#[derive(Clone, Debug)]
pub struct Question {
    /// In SQL.
    pub text: String,
    /// Views that are tables too, beside those that come with the program; of the same name they stand for these.
    pub views: Vec<Arc<View>>,
    /// As it was known at this moment; none is now.
    pub as_of: Option<Micros>,
    /// What it may take.
    pub limits: Limits,
}

fn said(error: &sql::Error) -> Failure {
    let place =
        error.place.map_or_else(String::new, |(line, column)| format!(" (line {line}, column {column})"));
    let message = format!("{}{place}", error.message);
    match error.kind {
        sql::Kind::TooMuch | sql::Kind::TooLong | sql::Kind::Memory => {
            Failure::new(Kind::TooCostly, IssueType::TooCostly, message)
        }
        sql::Kind::Cancelled | sql::Kind::Failed => {
            Failure::new(Kind::Unprocessable, IssueType::Processing, message)
        }
        sql::Kind::Syntax | sql::Kind::NotAllowed | sql::Kind::Question => invalid(message),
    }
}

/// The words of a text, as far as they can be names of tables.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
}

impl Figures {
    /// The tables there are, by name: the views of the indicators that come with the program.
    ///
    /// # Errors
    /// As [`Figures::indicators`].
    pub fn tables(&self) -> Result<BTreeMap<String, Arc<View>>, Failure> {
        let views = views_of(self.indicators()?);
        Ok(views.into_iter().map(|view| (view.name.clone(), view)).collect())
    }

    /// Asks, over what an access may see. Only the tables the question names are built.
    ///
    /// # Errors
    /// What is wrong with the question, with its place; views that do not fit; what costs too much.
    pub fn ask(&self, access: &Access, question: &Question) -> Result<Answer, Failure> {
        let mut tables = self.tables()?;
        tables.extend(question.views.iter().map(|view| (view.name.clone(), Arc::clone(view))));
        let is_named = |name: &str| words(&question.text).any(|word| word.eq_ignore_ascii_case(name));
        let named: Vec<Arc<View>> =
            tables.values().filter(|view| is_named(&view.name)).map(Arc::clone).collect();
        let reader = self.hub.reader(access);
        let place = self.hub.place(&reader, question.as_of)?.unwrap_or(reader.place());
        let session = Session::new(&self.started()?.engine);
        // Before anything is built it is known whether the question can be asked at all.
        for view in tables.values() {
            let schema = view.definition.schema(views::Decimals::Numbers);
            session.add(&view.name, &schema, &[]).map_err(|e| said(&e))?;
        }
        session.add_query("question-", &question.text, &[]).map_err(|e| said(&e))?;
        let materials = self.materials(access, place, &named, &[])?;
        let session = Session::new(&self.started()?.engine);
        for view in &named {
            materials.give(&session, view, &view.name).map_err(|e| failure_of(&e))?;
        }
        session.ask(&question.text, &[], &question.limits, &Cancel::default()).map_err(|e| said(&e))
    }
}
