//! What types an expression can yield, found by walking it over the definitions.

use fhir::definitions::TypeKind;
use fhir::issue::nearest;
use fhir::{TypeId, r4};

use crate::Expression;
use crate::ast::{Expr, Name, Operator};
use crate::error::Error;
use crate::functions::Function;
use crate::types::{SystemType, TypeSpecifier};

/// The types that can come out of an expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Types {
    /// FHIR's types.
    pub fhir: Vec<TypeId>,
    /// FHIRPath's own.
    pub system: Vec<SystemType>,
}

impl Types {
    /// One of FHIR's types.
    #[must_use]
    pub fn of(id: TypeId) -> Types {
        Types { fhir: vec![id], system: Vec::new() }
    }

    fn system(system: SystemType) -> Types {
        Types { fhir: Vec::new(), system: vec![system] }
    }

    /// Takes in other types.
    pub fn add(&mut self, other: Types) {
        for id in other.fhir {
            if !self.fhir.contains(&id) {
                self.fhir.push(id);
            }
        }
        for system in other.system {
            if !self.system.contains(&system) {
                self.system.push(system);
            }
        }
    }

    /// Whether nothing is known: any type is possible.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.fhir.is_empty() && (self.system.is_empty() || self.system.contains(&SystemType::Any))
    }
}

pub(crate) fn analyse(expression: &Expression, focus: &Types) -> Result<Types, Error> {
    types(&expression.root, focus)
}

/// Every element of a type with its own types.
fn elements(id: TypeId) -> impl Iterator<Item = TypeId> {
    let elements = r4().type_of(id).elements.iter();
    elements.flat_map(|e| r4().element(*e).types.iter().map(|t| t.id))
}

fn member(owners: &Types, name: &Name) -> Result<Types, Error> {
    if owners.is_unknown() {
        return Ok(Types::default());
    }
    let mut found = Types::default();
    let mut is_open = false;
    for owner in &owners.fhir {
        let definition = r4().type_of(*owner);
        is_open |= definition.is_abstract && definition.kind == TypeKind::Resource;
        if let Some((_, element)) = r4().element_named(*owner, &name.text) {
            r4().element(element).types.iter().for_each(|t| found.add(Types::of(t.id)));
        }
    }
    if found.fhir.is_empty() && !is_open {
        let names =
            owners.fhir.iter().flat_map(|o| r4().type_of(*o).elements.iter().map(|e| r4().element(*e).name));
        let near = nearest(&name.text, names);
        let hint =
            if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) };
        let owner = owners.fhir.first().map_or("a value", |o| r4().type_name(*o));
        return Err(Error::new(format!("{owner} has no element '{}'{hint}", name.text)));
    }
    Ok(found)
}

fn narrowed(types: &Types, specifier: TypeSpecifier) -> Types {
    match specifier {
        TypeSpecifier::System(system) => Types::system(system),
        TypeSpecifier::Fhir(id) | TypeSpecifier::Quantity(id) => {
            let fits =
                types.is_unknown() || types.fhir.iter().any(|t| r4().is_a(id, *t) || r4().is_a(*t, id));
            if fits { Types::of(id) } else { Types::default() }
        }
    }
}

fn types(expr: &Expr, focus: &Types) -> Result<Types, Error> {
    match expr {
        Expr::Literal(value) => Ok(value.system_type().map_or_else(Types::default, Types::system)),
        Expr::Empty | Expr::Total => Ok(Types::default()),
        Expr::This => Ok(focus.clone()),
        Expr::Index => Ok(Types::system(SystemType::Integer)),
        Expr::Variable(name) => Ok(match name.as_str() {
            "resource" | "rootResource" | "context" => Types::default(),
            "rowIndex" => Types::system(SystemType::Integer),
            _ => Types::system(SystemType::String),
        }),
        Expr::Member { input: None, name } => {
            let own = name.type_id.filter(|id| focus.fhir.iter().any(|f| r4().is_a(*f, *id)));
            if own.is_some() { Ok(focus.clone()) } else { member(focus, name) }
        }
        Expr::Member { input: Some(input), name } => member(&types(input, focus)?, name),
        Expr::Indexer { input, index } => {
            types(index, focus)?;
            types(input, focus)
        }
        Expr::Negate(operand) | Expr::Plus(operand) => types(operand, focus),
        Expr::Is { input, .. } => {
            types(input, focus)?;
            Ok(Types::system(SystemType::Boolean))
        }
        Expr::As { input, specifier } => Ok(narrowed(&types(input, focus)?, *specifier)),
        Expr::Binary { operator, left, right } => {
            let (mut left, right) = (types(left, focus)?, types(right, focus)?);
            Ok(match operator {
                Operator::Union => {
                    left.add(right);
                    left
                }
                Operator::Concatenate => Types::system(SystemType::String),
                Operator::Multiply
                | Operator::Divide
                | Operator::IntegerDivide
                | Operator::Modulo
                | Operator::Add
                | Operator::Subtract => Types::default(),
                _ => Types::system(SystemType::Boolean),
            })
        }
        Expr::Call { input, function, arguments, specifier } => {
            let input = match input {
                Some(input) => types(input, focus)?,
                None => focus.clone(),
            };
            call(*function, &input, arguments, *specifier, focus)
        }
    }
}

fn call(
    function: Function,
    input: &Types,
    arguments: &[Expr],
    specifier: Option<TypeSpecifier>,
    focus: &Types,
) -> Result<Types, Error> {
    use Function as F;
    let iterates =
        matches!(function, F::Where | F::Select | F::Repeat | F::All | F::Exists | F::Aggregate | F::Iif);
    let inner = if iterates { input } else { focus };
    // What a loop feeds back to itself is not followed.
    let arguments: Vec<Types> = if matches!(function, F::Repeat | F::Aggregate) {
        Vec::new()
    } else {
        arguments.iter().map(|a| types(a, inner)).collect::<Result<_, _>>()?
    };
    Ok(match function {
        F::Where
        | F::First
        | F::Last
        | F::Tail
        | F::Skip
        | F::Take
        | F::Single
        | F::Distinct
        | F::Intersect
        | F::Exclude
        | F::LowBoundary
        | F::HighBoundary
        | F::Trace => input.clone(),
        F::Union | F::Combine => {
            let mut both = input.clone();
            arguments.into_iter().for_each(|a| both.add(a));
            both
        }
        F::Iif => {
            let mut both = Types::default();
            arguments.into_iter().skip(1).for_each(|a| both.add(a));
            both
        }
        F::Select => arguments.into_iter().next().unwrap_or_default(),
        F::OfType | F::As => specifier.map_or_else(Types::default, |s| narrowed(input, s)),
        F::Children => {
            let mut found = Types::default();
            input.fhir.iter().flat_map(|id| elements(*id)).for_each(|id| found.add(Types::of(id)));
            found
        }
        F::Extension => Types::of(r4().well_known().extension),
        F::Resolve | F::Descendants | F::Repeat | F::Aggregate | F::Type | F::GetValue => Types::default(),
        F::Count | F::ToInteger | F::IndexOf | F::LastIndexOf | F::Length => {
            Types::system(SystemType::Integer)
        }
        F::ToText
        | F::Substring
        | F::Upper
        | F::Lower
        | F::Replace
        | F::ReplaceMatches
        | F::ToChars
        | F::Split
        | F::Join
        | F::JoinAll
        | F::GetResourceKey
        | F::GetReferenceKey
        | F::Trim => Types::system(SystemType::String),
        F::Abs
        | F::Ceiling
        | F::Exp
        | F::Floor
        | F::Ln
        | F::Log
        | F::Power
        | F::Round
        | F::Sqrt
        | F::Truncate
        | F::ToDecimal => Types::system(SystemType::Decimal),
        F::ToDate | F::Today => Types::system(SystemType::Date),
        F::ToDateTime | F::Now => Types::system(SystemType::DateTime),
        F::ToTime | F::TimeOfDay => Types::system(SystemType::Time),
        F::ToQuantity => Types::system(SystemType::Quantity),
        _ => Types::system(SystemType::Boolean),
    })
}
