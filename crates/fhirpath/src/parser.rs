//! Tokens → tree, by precedence climbing (N1, section 6.8).

use fhir::issue::nearest;
use fhir::r4;

use crate::ast::{Expr, Name, Operator};
use crate::error::Error;
use crate::functions::{self, Function};
use crate::lexer::{Token, tokens};
use crate::types::TypeSpecifier;
use crate::value::{Quantity, Value, parse_decimal};

/// Longer expressions are refused. Bounds the height of the tree, and so the stack evaluation needs.
const MAX_TOKENS: usize = 2000;
/// Deeper expressions are refused.
const MAX_DEPTH: usize = 100;

pub(crate) fn parse(text: &str, dialect: &Dialect<'_>) -> Result<Expr, Error> {
    let tokens = tokens(text, MAX_TOKENS)?;
    let mut parser = Parser { tokens, at: 0, depth: 0, dialect };
    let expr = parser.expression(0)?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

/// What an expression is written for.
pub(crate) enum Dialect<'c> {
    /// FHIRPath as FHIR uses it.
    Fhir,
    /// The paths of a view, with its constants.
    View(&'c [(String, Value)]),
}

/// What every expression may ask for; beside them there are `vs-…` and `ext-…`.
const VARIABLES: [&str; 6] = ["resource", "rootResource", "context", "ucum", "sct", "loinc"];

struct Parser<'c> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
    dialect: &'c Dialect<'c>,
}

/// What binds how strongly; `is` and `as` are handled beside it.
fn binary(token: &Token) -> Option<(u8, Operator)> {
    use Operator as O;
    Some(match token {
        Token::Symbol(symbol) => match *symbol {
            "*" => (10, O::Multiply),
            "/" => (10, O::Divide),
            "+" => (9, O::Add),
            "-" => (9, O::Subtract),
            "&" => (9, O::Concatenate),
            "|" => (7, O::Union),
            "<" => (6, O::Less),
            "<=" => (6, O::LessOrEqual),
            ">" => (6, O::Greater),
            ">=" => (6, O::GreaterOrEqual),
            "=" => (5, O::Equal),
            "~" => (5, O::Equivalent),
            "!=" => (5, O::NotEqual),
            "!~" => (5, O::NotEquivalent),
            _ => return None,
        },
        Token::Name(name, false) => match name.as_str() {
            "div" => (10, O::IntegerDivide),
            "mod" => (10, O::Modulo),
            "in" => (4, O::In),
            "contains" => (4, O::Contains),
            "and" => (3, O::And),
            "or" => (2, O::Or),
            "xor" => (2, O::Xor),
            "implies" => (1, O::Implies),
            _ => return None,
        },
        _ => return None,
    })
}

const TYPE_PRECEDENCE: u8 = 8;
const UNARY_PRECEDENCE: u8 = 11;

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)].1
    }

    fn position(&self) -> usize {
        self.tokens[self.at.min(self.tokens.len() - 1)].0
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn eat(&mut self, symbol: &'static str) -> bool {
        let found = *self.peek() == Token::Symbol(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), Error> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            Token::End => "the end".to_owned(),
            Token::Name(name, _) => format!("'{name}'"),
            Token::Symbol(symbol) => format!("'{symbol}'"),
            Token::String(text) => format!("the text '{text}'"),
            Token::Number(text) | Token::Date(text) | Token::DateTime(text) | Token::Time(text) => {
                text.clone()
            }
            Token::Dollar(text) => format!("${text}"),
            Token::Percent(text) => format!("%{text}"),
        };
        Error::at(self.position(), format!("expected {expected}, found {found}"))
    }

    fn expression(&mut self, min: u8) -> Result<Expr, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::at(self.position(), format!("nested more than {MAX_DEPTH} deep")));
        }
        let mut left = self.unary()?;
        loop {
            let is_type = matches!(self.peek(), Token::Name(n, false) if n == "is" || n == "as");
            if is_type && TYPE_PRECEDENCE >= min {
                let is = matches!(self.next(), Token::Name(n, _) if n == "is");
                let specifier = self.type_specifier()?;
                let input = Box::new(left);
                left = if is { Expr::Is { input, specifier } } else { Expr::As { input, specifier } };
                continue;
            }
            let Some((precedence, operator)) = binary(self.peek()).filter(|(p, _)| *p >= min) else { break };
            self.at += 1;
            let right = self.expression(precedence + 1)?;
            left = Expr::Binary { operator, left: Box::new(left), right: Box::new(right) };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Error> {
        if self.eat("-") {
            return Ok(Expr::Negate(Box::new(self.expression(UNARY_PRECEDENCE)?)));
        }
        if self.eat("+") {
            return Ok(Expr::Plus(Box::new(self.expression(UNARY_PRECEDENCE)?)));
        }
        let mut expr = self.term()?;
        loop {
            if self.eat(".") {
                expr = self.invocation(Some(Box::new(expr)))?;
            } else if self.eat("[") {
                let index = Box::new(self.expression(0)?);
                self.expect("]")?;
                expr = Expr::Indexer { input: Box::new(expr), index };
            } else {
                return Ok(expr);
            }
        }
    }

    fn term(&mut self) -> Result<Expr, Error> {
        let at = self.position();
        match self.peek().clone() {
            Token::Symbol("(") => {
                self.at += 1;
                let expr = self.expression(0)?;
                self.expect(")")?;
                Ok(expr)
            }
            Token::Symbol("{") => {
                self.at += 1;
                self.expect("}")?;
                Ok(Expr::Empty)
            }
            Token::String(text) => {
                self.at += 1;
                Ok(Expr::Literal(Value::String(text.into())))
            }
            Token::Number(text) => {
                self.at += 1;
                self.number(at, &text)
            }
            Token::Date(text) => self.literal(at, Value::date(&text), "a date"),
            Token::DateTime(text) => self.literal(at, Value::date_time(&text), "a date and time"),
            Token::Time(text) => self.literal(at, Value::time(&text), "a time"),
            Token::Percent(name) => {
                self.at += 1;
                self.variable(at, name)
            }
            Token::Dollar(_) | Token::Name(..) => self.invocation(None),
            _ => Err(self.unexpected("a value, a name or '('")),
        }
    }

    /// A constant of a view stands for its value; what a view does not define is refused.
    fn variable(&self, at: usize, name: String) -> Result<Expr, Error> {
        let Dialect::View(constants) = self.dialect else { return Ok(Expr::Variable(name)) };
        if let Some((_, value)) = constants.iter().find(|(n, _)| *n == name) {
            return Ok(Expr::Literal(value.clone()));
        }
        let is_known = VARIABLES.contains(&name.as_str()) || name == "rowIndex";
        if is_known || name.starts_with("vs-") || name.starts_with("ext-") {
            return Ok(Expr::Variable(name));
        }
        let known = constants.iter().map(|(n, _)| n.as_str()).chain(VARIABLES).chain(["rowIndex"]);
        let near = nearest(&name, known);
        let hint = if near.is_empty() {
            "; the view's constants are defined in constant".to_owned()
        } else {
            format!(" (did you mean %{}?)", near.join(" or %"))
        };
        Err(Error::at(at, format!("%{name} is not defined{hint}")))
    }

    fn literal(&mut self, at: usize, value: Option<Value>, what: &str) -> Result<Expr, Error> {
        self.at += 1;
        value.map(Expr::Literal).ok_or_else(|| Error::at(at, format!("this is not {what}")))
    }

    /// A number, or a quantity if a unit follows.
    fn number(&mut self, at: usize, text: &str) -> Result<Expr, Error> {
        let decimal = || parse_decimal(text).ok_or_else(|| Error::at(at, "this number has too many digits"));
        let (unit, is_calendar) = match self.peek() {
            Token::String(unit) => (unit.clone(), false),
            Token::Name(name, false) => match calendar_unit(name) {
                Some(unit) => (unit.to_owned(), true),
                None => (String::new(), false),
            },
            _ => (String::new(), false),
        };
        if !unit.is_empty() {
            self.at += 1;
            return Ok(Expr::Literal(Value::Quantity(Quantity { value: decimal()?, unit, is_calendar })));
        }
        if text.contains('.') {
            return Ok(Expr::Literal(Value::Decimal(decimal()?)));
        }
        match text.parse() {
            Ok(value) => Ok(Expr::Literal(Value::Integer(value))),
            Err(_) => Err(Error::at(at, "this number has too many digits")),
        }
    }

    /// A name, a function call or `$this`, alone or after a dot.
    fn invocation(&mut self, input: Option<Box<Expr>>) -> Result<Expr, Error> {
        let at = self.position();
        match self.next() {
            Token::Dollar(name) if input.is_none() => match name.as_str() {
                "this" => Ok(Expr::This),
                "index" => Ok(Expr::Index),
                "total" => Ok(Expr::Total),
                _ => Err(Error::at(at, format!("${name} is not known ($this, $index and $total are)"))),
            },
            Token::Name(name, is_delimited) => {
                if !is_delimited && self.eat("(") {
                    return self.call(at, input, &name);
                }
                if !is_delimited && input.is_none() {
                    match name.as_str() {
                        "true" => return Ok(Expr::Literal(Value::Boolean(true))),
                        "false" => return Ok(Expr::Literal(Value::Boolean(false))),
                        _ => {}
                    }
                }
                let (id, type_id) = (r4().name_id(&name), r4().type_named(&name));
                Ok(Expr::Member { input, name: Name { text: name, id, type_id } })
            }
            _ => {
                self.at -= 1;
                Err(self.unexpected("a name"))
            }
        }
    }

    fn call(&mut self, at: usize, input: Option<Box<Expr>>, name: &str) -> Result<Expr, Error> {
        let Some(function) = Function::from_name(name) else {
            let known = nearest(name, functions::names());
            let hint = if known.is_empty() {
                String::new()
            } else {
                format!(" (did you mean {}?)", known.join(" or "))
            };
            return Err(Error::at(at, format!("no function is called '{name}'{hint}")));
        };
        let function = match (function, self.dialect) {
            (Function::Join, Dialect::View(_)) => Function::JoinAll,
            (function, _) => function,
        };
        let mut specifier = None;
        let mut arguments = Vec::new();
        if function == Function::GetReferenceKey && self.eat(")") {
            return Ok(Expr::Call { input, function, arguments, specifier });
        }
        if function.takes_type() {
            specifier = Some(self.type_specifier()?);
            self.expect(")")?;
        } else if !self.eat(")") {
            loop {
                arguments.push(self.expression(0)?);
                if !self.eat(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let (min, max) = function.arity();
        if specifier.is_none() && !(min..=max).contains(&arguments.len()) {
            let expected = if min == max { min.to_string() } else { format!("{min} to {max}") };
            return Err(Error::at(
                at,
                format!("{name}() takes {expected} arguments, found {}", arguments.len()),
            ));
        }
        Ok(Expr::Call { input, function, arguments, specifier })
    }

    fn type_specifier(&mut self) -> Result<TypeSpecifier, Error> {
        let at = self.position();
        let Token::Name(first, _) = self.next() else {
            self.at -= 1;
            return Err(self.unexpected("the name of a type"));
        };
        let (namespace, name) = if matches!(first.as_str(), "FHIR" | "System") && self.eat(".") {
            let Token::Name(name, _) = self.next() else {
                self.at -= 1;
                return Err(self.unexpected("the name of a type"));
            };
            (Some(first), name)
        } else {
            (None, first)
        };
        TypeSpecifier::parse(namespace.as_deref(), &name)
            .ok_or_else(|| Error::at(at, format!("no type is called '{name}'")))
    }
}

/// `year` or `years` → `year`; `None` for anything that is not a calendar unit.
pub(crate) fn calendar_unit(word: &str) -> Option<&'static str> {
    ["year", "month", "week", "day", "hour", "minute", "second", "millisecond"]
        .into_iter()
        .find(|unit| word.strip_suffix('s').unwrap_or(word) == *unit)
}
