//! FHIRPath (N1, 2.0.0) over [`fhir::Resource`].
//!
//! [`Expression::parse`] reads an expression once: names become the numbers nodes carry, type names are looked up,
//! functions are known or refused with the nearest known ones. [`Expression::evaluate`] then runs it on any number of
//! resources. [`Expression::analyse`] walks it over the definitions instead of a resource and says which types can
//! come out, or which name no type on the way has.
//!
//! * *Never panics, never runs away.* Parsing has a depth limit, evaluation a budget of items ([`Context::budget`]);
//!   regular expressions run in linear time.
//! * *FHIR's additions*: `resolve()`, `extension()`, `hasValue()`, `getValue()`, `%resource`, `%rootResource`, `%ucum`
//!   … (<https://hl7.org/fhir/R4/fhirpath.html>). Without a resolver, `resolve()` on a literal reference gives a
//!   stub that knows only its type, which is all that `where(resolve() is Patient)` asks.
//! * *What views add* (SQL on FHIR v2): `getResourceKey()`, `getReferenceKey()`, `lowBoundary()`, `highBoundary()`,
//!   constants and `%rowIndex` ([`Expression::parse_view_path`]). [`Walk`] and [`Condition`] are the same expressions
//!   made for being run a million times.
//! * *`as` on several items* keeps those of the type, where the specification would have it fail: R4's own search
//!   parameters rely on it (`Observation.component.value as Quantity`).
//!
//! Not here yet: UCUM arithmetic (quantities compare when their units are the same or calendar units).

mod analyse;
mod ast;
mod calendar;
mod compare;
mod error;
mod evaluate;
mod functions;
mod lexer;
mod looks;
mod parser;
mod types;
mod value;
mod walk;

use fhir::json::{Place, Projection};

pub use analyse::Types;
pub use error::Error;
pub use evaluate::{Context, Resolver};
pub use types::{SystemType, TypeSpecifier};
pub use value::{Collection, Item, Quantity, Time, Value};
pub use walk::{Condition, Ending, Walk};

/// A decimal from its text, exponents included; `None` beyond what 28 digits hold.
#[must_use]
pub fn decimal(text: &str) -> Option<rust_decimal::Decimal> {
    value::parse_decimal(text)
}

/// An expression, ready to run.
#[derive(Debug, Clone)]
pub struct Expression {
    pub(crate) text: String,
    pub(crate) root: ast::Expr,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What does not parse, and where; functions and types nobody knows.
    pub fn parse(text: &str) -> Result<Expression, Error> {
        let root = parser::parse(text, &parser::Dialect::Fhir)?;
        Ok(Expression { text: text.to_owned(), root })
    }

    /// Reads a path of a view (SQL on FHIR v2): `%name` stands for a constant's value, and what is not defined is
    /// refused; `join()` of nothing is the empty text, as the suite of views has it.
    ///
    /// # Errors
    /// As [`Expression::parse`]; a `%name` that is not defined.
    pub fn parse_view_path(text: &str, constants: &[(String, Value)]) -> Result<Expression, Error> {
        let root = parser::parse(text, &parser::Dialect::View(constants))?;
        Ok(Expression { text: text.to_owned(), root })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Runs it on the context's focus.
    ///
    /// # Errors
    /// Operands of the wrong type or number, a budget that is used up.
    pub fn evaluate<'a>(&self, context: &Context<'a, '_>) -> Result<Collection<'a>, Error> {
        evaluate::evaluate(self, context)
    }

    /// Runs it on an item instead of the context's focus; without one, paths lead nowhere.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub fn evaluate_on<'a>(
        &self,
        context: &Context<'a, '_>,
        focus: Option<&Item<'a>>,
    ) -> Result<Collection<'a>, Error> {
        evaluate::evaluate_on(self, context, focus)
    }

    /// Runs it and reads the outcome as a condition: empty is `None`, one item that is not a boolean is true.
    ///
    /// # Errors
    /// As [`Expression::evaluate`]; more than one item.
    pub fn evaluate_boolean(&self, context: &Context<'_, '_>) -> Result<Option<bool>, Error> {
        let outcome = self.evaluate(context)?;
        evaluate::singleton_boolean(&outcome, "the whole expression")
    }

    /// The types that can come out when it runs on `focus`.
    ///
    /// # Errors
    /// A name that no type on the way has.
    pub fn analyse(&self, focus: fhir::TypeId) -> Result<Types, Error> {
        analyse::analyse(self, &Types::of(focus))
    }

    /// The types that can come out when it runs on something of these types.
    ///
    /// # Errors
    /// A name that no type on the way has.
    pub fn analyse_on(&self, focus: &Types) -> Result<Types, Error> {
        analyse::analyse(self, focus)
    }

    /// Notes in a projection what it looks at when it runs on `focus`, and tells the places its outcome stands at.
    pub fn looks_at(&self, projection: &mut Projection, focus: &[Place]) -> Vec<Place> {
        looks::looks_at(&self.root, projection, focus)
    }

    /// The same as steps that can be walked without collections in between; `None` if it does more than walk.
    #[must_use]
    pub fn walk(&self) -> Option<Walk> {
        walk::walk(&self.root)
    }

    /// The same as a condition over walks; `None` if it does more.
    #[must_use]
    pub fn condition(&self) -> Option<Condition> {
        walk::condition(&self.root)
    }
}
