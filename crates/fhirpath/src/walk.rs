//! Expressions that only walk: names, `first()`, `[n]`, `ofType()`, `extension()`, and `where()` with conditions made
//! of equality with a literal, existence and logic. They are most of what views and rules are made of, and need no
//! collections in between. What comes out is what [`crate::Expression::evaluate`] gives; everything else is left to it.

use std::borrow::Cow;
use std::sync::Arc;

use fhir::{NameId, NodeRef, TypeId, r4};

use crate::ast::{Expr, Name, Operator};
use crate::compare::equal_items;
use crate::error::Error;
use crate::functions::{Function, reference_key};
use crate::types::TypeSpecifier;
use crate::value::{Item, Value, is_string_like};

#[derive(Debug, Clone)]
enum Step {
    Child(NameId),
    /// The first name of a path: the focus itself if it is of the type of that name.
    FirstName(Option<NameId>, TypeId),
    OfType(TypeSpecifier),
    Where(Box<Condition>),
}

/// What is asked of the nodes a walk comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Nothing: they are the outcome.
    Nodes,
    /// `getResourceKey()`
    ResourceKey,
    /// `getReferenceKey()`, of references to a type if one is named.
    ReferenceKey(Option<TypeSpecifier>),
    /// `join()` as views have it, with what stands between.
    Join(Arc<str>),
}

/// An expression that only walks.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Each leads to one node: the n-th of those the steps come to.
    turns: Vec<(Vec<Step>, usize)>,
    steps: Vec<Step>,
    ending: Ending,
}

/// A condition over walks.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The nodes equal a literal.
    Equal(Walk, Value),
    /// There are nodes.
    Exists(Walk),
    /// There are none.
    Empty(Walk),
    /// The node is true.
    Holds(Walk),
    /// The contrary.
    Not(Box<Condition>),
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// Either.
    Or(Box<Condition>, Box<Condition>),
}

type Visit<'v, 'a> = &'v mut dyn FnMut(NodeRef<'a>) -> bool;

impl Walk {
    /// What is asked of the nodes.
    #[must_use]
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Whether it stays where it begins.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.turns.is_empty() && self.steps.is_empty()
    }

    /// Shows every node it comes to, until `visit` says that it has seen enough.
    ///
    /// # Errors
    /// A condition that needs one value and finds several.
    pub fn each<'a>(&self, from: NodeRef<'a>, visit: Visit<'_, 'a>) -> Result<(), Error> {
        let mut from = from;
        for (steps, n) in &self.turns {
            let (mut found, mut left) = (None, *n);
            walk_steps(steps, from, &mut |node| {
                if left == 0 {
                    found = Some(node);
                    return false;
                }
                left -= 1;
                true
            })?;
            match found {
                Some(node) => from = node,
                None => return Ok(()),
            }
        }
        walk_steps(&self.steps, from, visit).map(|_| ())
    }

    /// The first node it comes to, and whether there are more.
    ///
    /// # Errors
    /// As [`Walk::each`].
    pub fn first<'a>(&self, from: NodeRef<'a>) -> Result<Option<(NodeRef<'a>, bool)>, Error> {
        let mut found: Option<(NodeRef<'a>, bool)> = None;
        self.each(from, &mut |node| match &mut found {
            None => {
                found = Some((node, false));
                true
            }
            Some((_, more)) => {
                *more = true;
                false
            }
        })?;
        Ok(found)
    }

    /// The key of what a Reference points at, as `getReferenceKey()` gives it.
    #[must_use]
    pub fn reference_key(reference: NodeRef<'_>, wanted: Option<TypeSpecifier>) -> Option<Cow<'_, str>> {
        reference_key(reference, wanted)
    }

    /// The texts it comes to as one, with something between; empty if there are none.
    ///
    /// # Errors
    /// As [`Walk::each`].
    pub fn joined<'a>(&self, from: NodeRef<'a>, separator: &str) -> Result<Cow<'a, str>, Error> {
        let mut joined: Option<Cow<'a, str>> = None;
        self.each(from, &mut |node| {
            let Some(text) = node.value().filter(|_| is_string_like(node)) else { return true };
            match &mut joined {
                None => joined = Some(text),
                Some(joined) => {
                    joined.to_mut().push_str(separator);
                    joined.to_mut().push_str(&text);
                }
            }
            true
        })?;
        Ok(joined.unwrap_or_default())
    }
}

/// Whether to go on.
fn walk_steps<'a>(steps: &[Step], node: NodeRef<'a>, visit: Visit<'_, 'a>) -> Result<bool, Error> {
    let Some((step, rest)) = steps.split_first() else { return Ok(visit(node)) };
    match step {
        Step::FirstName(_, type_id) if r4().is_a(node.value_type(), *type_id) => {
            walk_steps(rest, node, visit)
        }
        Step::FirstName(None, _) => Ok(true),
        Step::Child(name) | Step::FirstName(Some(name), _) => {
            for child in node.children_named(*name) {
                if !walk_steps(rest, child, visit)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Step::OfType(specifier) if Item::Node(node).is(*specifier) => walk_steps(rest, node, visit),
        Step::Where(condition) if condition.holds(node)? == Some(true) => walk_steps(rest, node, visit),
        Step::OfType(_) | Step::Where(_) => Ok(true),
    }
}

impl Condition {
    /// Whether it holds at a node; `None` where there is no answer.
    ///
    /// # Errors
    /// Several items where one is needed.
    pub fn holds(&self, node: NodeRef<'_>) -> Result<Option<bool>, Error> {
        Ok(match self {
            Condition::Equal(walk, value) => {
                walk.first(node)?.map(|(found, more)| !more && node_equals(found, value)).map_or(
                    Ok(None),
                    |b| {
                        // Dates of different precision have no answer.
                        if b { Ok(Some(true)) } else { unequal(walk, node, value) }
                    },
                )?
            }
            Condition::Exists(walk) => Some(walk.first(node)?.is_some()),
            Condition::Empty(walk) => Some(walk.first(node)?.is_none()),
            Condition::Holds(walk) => match walk.first(node)? {
                None => None,
                Some((_, true)) => return Err(Error::new("a condition needs at most one item, found more")),
                Some((found, false)) => {
                    Some(!matches!(Item::Node(found).value().as_deref(), Some(Value::Boolean(false))))
                }
            },
            Condition::Not(inner) => inner.holds(node)?.map(|b| !b),
            Condition::And(left, right) => match left.holds(node)? {
                Some(false) => Some(false),
                left => match (left, right.holds(node)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            },
            Condition::Or(left, right) => match left.holds(node)? {
                Some(true) => Some(true),
                left => match (left, right.holds(node)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            },
        })
    }
}

/// Whether a node is plainly the literal.
fn node_equals(node: NodeRef<'_>, value: &Value) -> bool {
    match value {
        Value::String(text) => Item::Node(node).string().is_some_and(|found| *found == **text),
        _ => equal_items(&Item::Node(node), &Item::Value(value.clone())) == Some(true),
    }
}

fn unequal(walk: &Walk, node: NodeRef<'_>, value: &Value) -> Result<Option<bool>, Error> {
    match walk.first(node)? {
        Some((found, false)) if !matches!(value, Value::String(_)) => {
            Ok(equal_items(&Item::Node(found), &Item::Value(value.clone())))
        }
        _ => Ok(Some(false)),
    }
}

/// A walk as it is put together.
#[derive(Default)]
struct Making {
    turns: Vec<(Vec<Step>, usize)>,
    steps: Vec<Step>,
}

pub(crate) fn walk(expr: &Expr) -> Option<Walk> {
    let (input, ending) = match expr {
        Expr::Call { input, function: Function::GetResourceKey, .. } => (input, Ending::ResourceKey),
        Expr::Call { input, function: Function::GetReferenceKey, specifier, .. } => {
            (input, Ending::ReferenceKey(*specifier))
        }
        Expr::Call { input, function: Function::JoinAll, arguments, .. } => match arguments.as_slice() {
            [] => (input, Ending::Join(Arc::from(""))),
            [Expr::Literal(Value::String(separator))] => (input, Ending::Join(Arc::clone(separator))),
            _ => return None,
        },
        _ => return plain(expr),
    };
    let walk = match input {
        Some(input) => plain(input)?,
        None => Walk { turns: Vec::new(), steps: Vec::new(), ending: Ending::Nodes },
    };
    Some(Walk { ending, ..walk })
}

/// A walk whose nodes are the outcome.
fn plain(expr: &Expr) -> Option<Walk> {
    let mut making = Making::default();
    add(expr, &mut making)?;
    Some(Walk { turns: making.turns, steps: making.steps, ending: Ending::Nodes })
}

fn add(expr: &Expr, making: &mut Making) -> Option<()> {
    match expr {
        Expr::This => {}
        Expr::Member { input, name: Name { id, type_id, .. } } => match (input, type_id) {
            (Some(input), _) => {
                add(input, making)?;
                making.steps.push(Step::Child((*id)?));
            }
            (None, Some(type_id)) => making.steps.push(Step::FirstName(*id, *type_id)),
            (None, None) => making.steps.push(Step::Child((*id)?)),
        },
        Expr::Indexer { input, index } => {
            let Expr::Literal(Value::Integer(n)) = index.as_ref() else { return None };
            let n = usize::try_from(*n).ok()?;
            add(input, making)?;
            making.turns.push((std::mem::take(&mut making.steps), n));
        }
        Expr::As { input, specifier } => {
            add(input, making)?;
            making.steps.push(Step::OfType(*specifier));
        }
        Expr::Call { input, function, arguments, specifier } => {
            if let Some(input) = input {
                add(input, making)?;
            }
            match (function, arguments.as_slice(), specifier) {
                (Function::First, [], None) => making.turns.push((std::mem::take(&mut making.steps), 0)),
                (Function::OfType | Function::As, [], Some(specifier)) => {
                    making.steps.push(Step::OfType(*specifier));
                }
                (Function::Where, [criteria], None) => {
                    making.steps.push(Step::Where(Box::new(condition(criteria)?)));
                }
                (Function::Extension, [Expr::Literal(url @ Value::String(_))], None) => {
                    let child = |name| Some(Step::Child(r4().name_id(name)?));
                    making.steps.push(child("extension")?);
                    let at = Walk { turns: Vec::new(), steps: vec![child("url")?], ending: Ending::Nodes };
                    making.steps.push(Step::Where(Box::new(Condition::Equal(at, url.clone()))));
                }
                _ => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

pub(crate) fn condition(expr: &Expr) -> Option<Condition> {
    let both = |left: &Expr, right: &Expr| Some((Box::new(condition(left)?), Box::new(condition(right)?)));
    Some(match expr {
        Expr::Binary { operator: Operator::And, left, right } => {
            let (left, right) = both(left, right)?;
            Condition::And(left, right)
        }
        Expr::Binary { operator: Operator::Or, left, right } => {
            let (left, right) = both(left, right)?;
            Condition::Or(left, right)
        }
        Expr::Binary { operator: Operator::Equal, left, right } => match (left.as_ref(), right.as_ref()) {
            (walked, Expr::Literal(value)) | (Expr::Literal(value), walked) => {
                Condition::Equal(plain(walked)?, value.clone())
            }
            _ => return None,
        },
        Expr::Call { input, function, arguments, .. } => match (function, arguments.as_slice(), input) {
            (Function::Exists, [], Some(input)) => Condition::Exists(plain(input)?),
            (Function::Exists, [criteria], Some(input)) => {
                let mut walk = plain(input)?;
                walk.steps.push(Step::Where(Box::new(condition(criteria)?)));
                Condition::Exists(walk)
            }
            (Function::Empty, [], Some(input)) => Condition::Empty(plain(input)?),
            (Function::Not, [], Some(input)) => Condition::Not(Box::new(condition(input)?)),
            _ => Condition::Holds(plain(expr)?),
        },
        _ => Condition::Holds(plain(expr)?),
    })
}
