//! Running an expression.

use std::cell::Cell;
use std::cmp::Ordering;

use fhir::{NodeRef, r4};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::Expression;
use crate::ast::{Expr, Name, Operator};
use crate::compare::{compare, contains_equal, equal, equivalent};
use crate::error::Error;
use crate::functions::{Call, Function, to_quantity};
use crate::value::{Collection, Item, Quantity, Value};

/// Fetches what references point at.
pub trait Resolver<'a> {
    /// The resource a literal reference or canonical URL points at, if it can be had.
    fn resolve(&self, reference: &str) -> Option<NodeRef<'a>>;
}

/// What an expression runs on.
#[derive(Clone, Copy)]
pub struct Context<'a, 'r> {
    /// What the expression starts from.
    pub focus: NodeRef<'a>,
    /// `%resource`: the resource the focus stands in.
    pub resource: NodeRef<'a>,
    /// `%rootResource`: the resource that contains it.
    pub root_resource: NodeRef<'a>,
    /// Fetches what references point at; without one, `resolve()` yields stubs.
    pub resolver: Option<&'r dyn Resolver<'a>>,
    /// Microseconds since 1970, for `now()`; without it the clock is not available.
    pub now: Option<i64>,
    /// How many items may be looked at before the run is stopped.
    pub budget: usize,
    /// What is left of a budget that several runs share; without one, each has its own.
    pub shared_budget: Option<&'r Cell<usize>>,
    /// `%rowIndex`: where the focus stands among what a view goes through, from 0.
    pub row_index: u32,
}

impl<'a> Context<'a, '_> {
    /// An expression on a resource, without resolver and clock.
    #[must_use]
    pub fn new(resource: NodeRef<'a>) -> Self {
        Context {
            focus: resource,
            resource,
            root_resource: resource,
            resolver: None,
            now: None,
            budget: 1_000_000,
            shared_budget: None,
            row_index: 0,
        }
    }
}

pub(crate) fn evaluate<'a>(
    expression: &Expression,
    context: &Context<'a, '_>,
) -> Result<Collection<'a>, Error> {
    evaluate_on(expression, context, Some(&Item::Node(context.focus)))
}

pub(crate) fn evaluate_on<'a>(
    expression: &Expression,
    context: &Context<'a, '_>,
    focus: Option<&Item<'a>>,
) -> Result<Collection<'a>, Error> {
    let own = Cell::new(context.budget);
    let budget = context.shared_budget.unwrap_or(&own);
    let scope = Scope { context, budget, this: focus, index: 0, total: &[] };
    scope.evaluate(&expression.root)
}

/// Where evaluation stands: `$this`, `$index`, `$total`.
pub(crate) struct Scope<'a, 's> {
    context: &'s Context<'a, 's>,
    budget: &'s Cell<usize>,
    /// `None` where there is nothing to start from.
    this: Option<&'s Item<'a>>,
    index: usize,
    total: &'s [Item<'a>],
}

impl<'a, 's> Scope<'a, 's> {
    pub(crate) fn context(&self) -> &'s Context<'a, 's> {
        self.context
    }

    /// Takes from the budget.
    pub(crate) fn spend(&self, items: usize) -> Result<(), Error> {
        match self.budget.get().checked_sub(items) {
            Some(rest) => {
                self.budget.set(rest);
                Ok(())
            }
            None => Err(Error::new(format!(
                "the expression looks at more than {} items; make it narrower",
                self.context.budget
            ))),
        }
    }

    /// The scope with another `$this`.
    pub(crate) fn each<'i>(&'i self, item: &'i Item<'a>, index: usize) -> Scope<'a, 'i> {
        Scope { context: self.context, budget: self.budget, this: Some(item), index, total: self.total }
    }

    /// The same scope.
    pub(crate) fn again(&self) -> Scope<'a, '_> {
        Scope {
            context: self.context,
            budget: self.budget,
            this: self.this,
            index: self.index,
            total: self.total,
        }
    }

    pub(crate) fn with_total<'i>(&'i self, total: &'i [Item<'a>]) -> Scope<'a, 'i> {
        Scope { total, ..self.again() }
    }

    /// A text as a collection; its length counts against the budget.
    pub(crate) fn text_value(&self, text: String) -> Result<Collection<'a>, Error> {
        self.spend(text.len() / 16)?;
        Ok(vec![Item::Value(Value::String(text.into()))])
    }

    /// The text an argument gives.
    pub(crate) fn text(&self, argument: &Expr, name: &str) -> Result<Option<String>, Error> {
        let found = self.evaluate(argument)?;
        match singleton(&found, name)? {
            None => Ok(None),
            Some(item) => match item.string() {
                Some(text) => Ok(Some(text.into_owned())),
                None => Err(Error::new(format!("{name} needs a string as its argument"))),
            },
        }
    }

    /// The integer an argument gives.
    pub(crate) fn integer(&self, argument: &Expr, name: &str) -> Result<Option<i64>, Error> {
        let found = self.evaluate(argument)?;
        match singleton(&found, name)?.map(|i| i.value().map(std::borrow::Cow::into_owned)) {
            None => Ok(None),
            Some(Some(Value::Integer(value))) => Ok(Some(value)),
            Some(_) => Err(Error::new(format!("{name} needs an integer as its argument"))),
        }
    }

    pub(crate) fn evaluate(&self, expr: &Expr) -> Result<Collection<'a>, Error> {
        match expr {
            Expr::Literal(value) => Ok(vec![Item::Value(value.clone())]),
            Expr::Empty => Ok(Vec::new()),
            Expr::This => Ok(self.this.cloned().into_iter().collect()),
            Expr::Index => Ok(vec![Value::Integer(i64::try_from(self.index).unwrap_or(i64::MAX)).into()]),
            Expr::Total => Ok(self.total.to_vec()),
            Expr::Variable(name) => self.variable(name),
            Expr::Member { input: None, name } => self.first_name(name),
            Expr::Member { input: Some(input), name } => {
                let input = self.evaluate(input)?;
                self.members(&input, name)
            }
            Expr::Call { input, function, arguments, specifier } => {
                self.call(input.as_deref(), *function, arguments, *specifier)
            }
            Expr::Indexer { input, index } => {
                let input = self.evaluate(input)?;
                let index = self.integer(index, "an index")?;
                let at = index.and_then(|i| usize::try_from(i).ok());
                Ok(at.and_then(|at| input.into_iter().nth(at)).into_iter().collect())
            }
            Expr::Negate(operand) => self.negate(operand),
            Expr::Plus(operand) => self.evaluate(operand),
            Expr::Binary { operator, left, right } => self.binary(*operator, left, right),
            Expr::Is { input, specifier } => {
                let found = self.evaluate(input)?;
                Ok(singleton(&found, "is")?.map_or_else(Vec::new, |item| boolean(item.is(*specifier))))
            }
            Expr::As { input, specifier } => {
                Ok(self.evaluate(input)?.into_iter().filter(|item| item.is(*specifier)).collect())
            }
        }
    }

    fn variable(&self, name: &str) -> Result<Collection<'a>, Error> {
        let text = |t: &str| Ok(vec![Item::Value(Value::String(t.into()))]);
        match name {
            "resource" => Ok(vec![Item::Node(self.context.resource)]),
            "rootResource" => Ok(vec![Item::Node(self.context.root_resource)]),
            "context" => Ok(vec![Item::Node(self.context.focus)]),
            "rowIndex" => Ok(vec![Value::Integer(i64::from(self.context.row_index)).into()]),
            "ucum" => text("http://unitsofmeasure.org"),
            "sct" => text("http://snomed.info/sct"),
            "loinc" => text("http://loinc.org"),
            _ => match (name.strip_prefix("vs-"), name.strip_prefix("ext-")) {
                (Some(id), _) => text(&format!("http://hl7.org/fhir/ValueSet/{id}")),
                (_, Some(id)) => text(&format!("http://hl7.org/fhir/StructureDefinition/{id}")),
                _ => Err(Error::new(format!("%{name} is not defined"))),
            },
        }
    }

    /// The first name of a path: the focus itself if it is the name of its type, else an element of it.
    fn first_name(&self, name: &Name) -> Result<Collection<'a>, Error> {
        let Some(this) = self.this else { return Ok(Vec::new()) };
        if let (Some(type_id), Item::Node(node)) = (name.type_id, this)
            && r4().is_a(node.value_type(), type_id)
        {
            return Ok(vec![this.clone()]);
        }
        self.members(std::slice::from_ref(this), name)
    }

    fn members(&self, input: &[Item<'a>], name: &Name) -> Result<Collection<'a>, Error> {
        if let [Item::Value(Value::Type(namespace, type_name))] = input {
            let part = match name.text.as_str() {
                "namespace" => Some(*namespace),
                "name" => Some(*type_name),
                _ => None,
            };
            return Ok(part.map(|p| Value::String(p.into()).into()).into_iter().collect());
        }
        let Some(id) = name.id else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for item in input {
            if let Item::Node(node) = item {
                found.extend(node.children_named(id).map(Item::Node));
            }
        }
        self.spend(found.len() + 1)?;
        Ok(found)
    }

    fn call(
        &self,
        input: Option<&Expr>,
        function: Function,
        arguments: &[Expr],
        specifier: Option<crate::types::TypeSpecifier>,
    ) -> Result<Collection<'a>, Error> {
        let input = match input {
            Some(input) => self.evaluate(input)?,
            None => self.this.cloned().into_iter().collect(),
        };
        self.spend(input.len() + 1)?;
        function.run(self, Call { input, arguments, specifier })
    }

    fn negate(&self, operand: &Expr) -> Result<Collection<'a>, Error> {
        let found = self.evaluate(operand)?;
        let Some(item) = singleton(&found, "-")? else { return Ok(Vec::new()) };
        let negated = match item.value().as_deref() {
            Some(Value::Integer(i)) => i.checked_neg().map(Value::Integer),
            Some(Value::Decimal(d)) => Some(Value::Decimal(-*d)),
            Some(Value::Quantity(q)) => Some(Value::Quantity(Quantity { value: -q.value, ..q.clone() })),
            _ => return Err(Error::new("'-' needs a number")),
        };
        Ok(negated.map(Into::into).into_iter().collect())
    }

    fn binary(&self, operator: Operator, left: &Expr, right: &Expr) -> Result<Collection<'a>, Error> {
        use Operator as O;
        if let O::And | O::Or | O::Implies | O::Xor = operator {
            return self.logic(operator, left, right);
        }
        let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
        self.spend(left.len() + right.len())?;
        match operator {
            O::Union => {
                let mut found: Collection<'a> = Vec::with_capacity(left.len() + right.len());
                for item in left.into_iter().chain(right) {
                    self.spend(found.len())?;
                    if !contains_equal(&found, &item) {
                        found.push(item);
                    }
                }
                Ok(found)
            }
            O::Equal => Ok(equal(&left, &right).map_or_else(Vec::new, boolean)),
            O::NotEqual => Ok(equal(&left, &right).map_or_else(Vec::new, |b| boolean(!b))),
            O::Equivalent | O::NotEquivalent => {
                self.spend(left.len() * right.len())?;
                Ok(boolean(equivalent(&left, &right) == (operator == O::Equivalent)))
            }
            O::In | O::Contains => {
                let (item, list) = if operator == O::In { (&left, &right) } else { (&right, &left) };
                Ok(singleton(item, "in and contains")?
                    .map_or_else(Vec::new, |i| boolean(contains_equal(list, i))))
            }
            O::Concatenate => {
                let part = |items: &Collection<'a>| match singleton(items, "&")? {
                    None => Ok(String::new()),
                    Some(item) => item
                        .string()
                        .map(std::borrow::Cow::into_owned)
                        .ok_or_else(|| Error::new("'&' needs strings")),
                };
                self.text_value(part(&left)? + &part(&right)?)
            }
            O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual => order(operator, &left, &right),
            _ => arithmetic(self, operator, &left, &right),
        }
    }

    /// Three-valued logic; what decides the outcome alone is not needed of both sides.
    fn logic(&self, operator: Operator, left: &Expr, right: &Expr) -> Result<Collection<'a>, Error> {
        let left = singleton_boolean(&self.evaluate(left)?, "the left of a logical operator")?;
        match (operator, left) {
            (Operator::And, Some(false)) => return Ok(boolean(false)),
            (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => return Ok(boolean(true)),
            _ => {}
        }
        let right = singleton_boolean(&self.evaluate(right)?, "the right of a logical operator")?;
        let outcome = match operator {
            Operator::And => match (left, right) {
                (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Operator::Or => match (left, right) {
                (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Operator::Implies => match (left, right) {
                (_, Some(true)) => Some(true),
                (Some(true), other) => other,
                _ => None,
            },
            _ => left.zip(right).map(|(a, b)| a != b),
        };
        Ok(outcome.map_or_else(Vec::new, boolean))
    }
}

/// A boolean as a collection.
pub(crate) fn boolean(value: bool) -> Collection<'static> {
    vec![Item::Value(Value::Boolean(value))]
}

/// The only item; `None` if there is none.
pub(crate) fn singleton<'i, 'a>(items: &'i [Item<'a>], what: &str) -> Result<Option<&'i Item<'a>>, Error> {
    match items {
        [] => Ok(None),
        [item] => Ok(Some(item)),
        _ => Err(Error::new(format!("{what} needs at most one item, found {}", items.len()))),
    }
}

/// The only item as a boolean; an item that is not one is true (N1, section 4.5).
pub(crate) fn singleton_boolean(items: &[Item<'_>], what: &str) -> Result<Option<bool>, Error> {
    Ok(singleton(items, what)?.map(|item| !matches!(item.value().as_deref(), Some(Value::Boolean(false)))))
}

fn order<'a>(operator: Operator, left: &[Item<'a>], right: &[Item<'a>]) -> Result<Collection<'a>, Error> {
    let (Some(a), Some(b)) = (singleton(left, "a comparison")?, singleton(right, "a comparison")?) else {
        return Ok(Vec::new());
    };
    let (Some(a), Some(b)) = (a.value(), b.value()) else {
        return Err(Error::new("a comparison needs values on both sides"));
    };
    let ordering = compare(&a, &b).map_err(Error::new)?;
    let holds = |o: Ordering| match operator {
        Operator::Less => o.is_lt(),
        Operator::LessOrEqual => o.is_le(),
        Operator::Greater => o.is_gt(),
        _ => o.is_ge(),
    };
    Ok(ordering.map_or_else(Vec::new, |o| boolean(holds(o))))
}

fn arithmetic<'a>(
    scope: &Scope<'a, '_>,
    operator: Operator,
    left: &[Item<'a>],
    right: &[Item<'a>],
) -> Result<Collection<'a>, Error> {
    let (Some(a), Some(b)) = (singleton(left, "arithmetic")?, singleton(right, "arithmetic")?) else {
        return Ok(Vec::new());
    };
    if let (Operator::Add, Some(a), Some(b)) = (operator, a.string(), b.string()) {
        return scope.text_value(format!("{a}{b}"));
    }
    let (Some(a), Some(b)) = (a.value(), b.value()) else {
        return Err(Error::new("arithmetic needs values"));
    };
    let outcome = match (a.as_ref(), b.as_ref()) {
        (Value::Integer(x), Value::Integer(y)) => integers(operator, *x, *y),
        (Value::Integer(_) | Value::Decimal(_), Value::Integer(_) | Value::Decimal(_)) => {
            match (decimal_of(&a), decimal_of(&b)) {
                (Some(x), Some(y)) => decimals(operator, x, y),
                _ => None,
            }
        }
        (Value::Date(..) | Value::DateTime(..) | Value::Time(..), Value::Quantity(q)) => {
            let sign = match operator {
                Operator::Add => 1,
                Operator::Subtract => -1,
                _ => return Err(Error::new("a date can only be moved with + and -")),
            };
            return Ok(crate::calendar::moved(&a, q, sign)?.map(Into::into).into_iter().collect());
        }
        (Value::Quantity(_), _) | (_, Value::Quantity(_)) => match (to_quantity(&a), to_quantity(&b)) {
            (Some(x), Some(y)) => quantities(operator, x, &y)?,
            _ => return Err(Error::new("a quantity can only be combined with numbers and quantities")),
        },
        _ => return Err(Error::new("these types have no arithmetic")),
    };
    Ok(outcome.map(Into::into).into_iter().collect())
}

fn decimal_of(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(i) => Some(Decimal::from(*i)),
        Value::Decimal(d) => Some(*d),
        _ => None,
    }
}

fn integers(operator: Operator, x: i64, y: i64) -> Option<Value> {
    match operator {
        Operator::Add => x.checked_add(y).map(Value::Integer),
        Operator::Subtract => x.checked_sub(y).map(Value::Integer),
        Operator::Multiply => x.checked_mul(y).map(Value::Integer),
        Operator::IntegerDivide => x.checked_div(y).map(Value::Integer),
        Operator::Modulo => x.checked_rem(y).map(Value::Integer),
        _ => decimals(operator, Decimal::from(x), Decimal::from(y)),
    }
}

fn decimals(operator: Operator, x: Decimal, y: Decimal) -> Option<Value> {
    match operator {
        Operator::Add => x.checked_add(y).map(Value::Decimal),
        Operator::Subtract => x.checked_sub(y).map(Value::Decimal),
        Operator::Multiply => x.checked_mul(y).map(Value::Decimal),
        Operator::Divide => x.checked_div(y).map(Value::Decimal),
        Operator::Modulo => x.checked_rem(y).map(Value::Decimal),
        Operator::IntegerDivide => x.checked_div(y).and_then(|q| q.trunc().to_i64()).map(Value::Integer),
        _ => None,
    }
}

/// Sums of one unit; products and quotients as far as they need no unit arithmetic.
fn quantities(operator: Operator, x: Quantity, y: &Quantity) -> Result<Option<Value>, Error> {
    let number = |operator| match decimals(operator, x.value, y.value) {
        Some(Value::Decimal(value)) => Some(value),
        _ => None,
    };
    let with = |value: Option<Decimal>, unit: &str| {
        let is_calendar = x.is_calendar || y.is_calendar;
        value.map(|value| Value::Quantity(Quantity { value, unit: unit.to_owned(), is_calendar }))
    };
    match operator {
        Operator::Add | Operator::Subtract if x.unit == y.unit => Ok(with(number(operator), &x.unit)),
        Operator::Multiply if y.unit == "1" => Ok(with(number(operator), &x.unit)),
        Operator::Multiply if x.unit == "1" => Ok(with(number(operator), &y.unit)),
        Operator::Divide if y.unit == "1" => Ok(with(number(operator), &x.unit)),
        Operator::Divide if x.unit == y.unit => Ok(with(number(operator), "1")),
        Operator::Add | Operator::Subtract => Ok(None),
        _ => Err(Error::new(format!(
            "arithmetic of '{}' and '{}' needs unit conversion, which is not here yet",
            x.unit, y.unit
        ))),
    }
}
