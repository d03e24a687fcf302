//! The tree an expression parses into.

use fhir::{NameId, TypeId};

use crate::functions::Function;
use crate::types::TypeSpecifier;
use crate::value::Value;

/// A name in a path: its text, and its number if any type has such an element.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) id: Option<NameId>,
    /// The type of this name, if there is one: the first name of a path may be the focus's own type.
    pub(crate) type_id: Option<TypeId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Multiply,
    Divide,
    IntegerDivide,
    Modulo,
    Add,
    Subtract,
    Concatenate,
    Union,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    In,
    Contains,
    And,
    Or,
    Xor,
    Implies,
}

#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Literal(Value),
    Empty,
    This,
    Index,
    Total,
    /// `%name`
    Variable(String),
    /// A name at the start of a path (input is the focus), or after a dot.
    Member {
        input: Option<Box<Expr>>,
        name: Name,
    },
    Call {
        input: Option<Box<Expr>>,
        function: Function,
        arguments: Vec<Expr>,
        specifier: Option<TypeSpecifier>,
    },
    Indexer {
        input: Box<Expr>,
        index: Box<Expr>,
    },
    Negate(Box<Expr>),
    Plus(Box<Expr>),
    Binary {
        operator: Operator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Is {
        input: Box<Expr>,
        specifier: TypeSpecifier,
    },
    As {
        input: Box<Expr>,
        specifier: TypeSpecifier,
    },
}
