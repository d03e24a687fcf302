//! Which elements an expression looks at, so that a reader can leave out the others.

use fhir::json::{Place, Projection};
use fhir::r4;

use crate::ast::{Expr, Operator};
use crate::functions::Function;

/// Notes what `expr` looks at from `focus`; the places its outcome stands at.
pub(crate) fn looks_at(expr: &Expr, projection: &mut Projection, focus: &[Place]) -> Vec<Place> {
    match expr {
        Expr::Literal(_) | Expr::Empty | Expr::Index | Expr::Total => Vec::new(),
        Expr::This => focus.to_vec(),
        Expr::Variable(name) => match name.as_str() {
            "resource" | "rootResource" => vec![Projection::ROOT],
            "context" => {
                projection.whole(Projection::ROOT);
                Vec::new()
            }
            _ => Vec::new(),
        },
        Expr::Member { input, name } => {
            let from = match input {
                Some(input) => looks_at(input, projection, focus),
                None => focus.to_vec(),
            };
            let mut found = children(projection, &from, &name.text);
            if input.is_none() && name.type_id.is_some() {
                found.extend(from);
            }
            found
        }
        Expr::Indexer { input, index } => {
            consume(index, projection, focus);
            looks_at(input, projection, focus)
        }
        Expr::Negate(operand) | Expr::Plus(operand) => looks_at(operand, projection, focus),
        Expr::Is { input, .. } => {
            looks_at(input, projection, focus);
            Vec::new()
        }
        Expr::As { input, .. } => looks_at(input, projection, focus),
        Expr::Binary { operator, left, right } => {
            if *operator == Operator::Union {
                let mut found = looks_at(left, projection, focus);
                found.extend(looks_at(right, projection, focus));
                // Equal items are one, so all of each is looked at.
                found.iter().for_each(|place| projection.whole(*place));
                return found;
            }
            consume(left, projection, focus);
            consume(right, projection, focus);
            Vec::new()
        }
        Expr::Call { input, function, arguments, .. } => {
            let from = match input {
                Some(input) => looks_at(input, projection, focus),
                None => focus.to_vec(),
            };
            call(*function, arguments, projection, focus, from)
        }
    }
}

/// The values of the outcome are looked at, too.
fn consume(expr: &Expr, projection: &mut Projection, focus: &[Place]) {
    looks_at(expr, projection, focus).into_iter().for_each(|place| projection.whole(place));
}

fn children(projection: &mut Projection, from: &[Place], name: &str) -> Vec<Place> {
    let Some(name) = r4().name_id(name) else { return Vec::new() };
    from.iter().map(|place| projection.child(*place, name)).collect()
}

fn call(
    function: Function,
    arguments: &[Expr],
    projection: &mut Projection,
    focus: &[Place],
    from: Vec<Place>,
) -> Vec<Place> {
    use Function as F;
    match function {
        F::First | F::Last | F::Tail | F::Single | F::OfType | F::As => from,
        F::Empty | F::Exists if arguments.is_empty() => Vec::new(),
        F::Count | F::Is | F::Now | F::Today | F::TimeOfDay => Vec::new(),
        F::Iif => {
            let Some((criterion, outcomes)) = arguments.split_first() else { return Vec::new() };
            consume(criterion, projection, &from);
            outcomes.iter().flat_map(|a| looks_at(a, projection, &from)).collect()
        }
        F::All => {
            arguments.iter().for_each(|criteria| consume(criteria, projection, &from));
            Vec::new()
        }
        F::Where | F::Exists => {
            arguments.iter().for_each(|criteria| consume(criteria, projection, &from));
            if function == F::Where { from } else { Vec::new() }
        }
        F::Select => arguments.iter().flat_map(|a| looks_at(a, projection, &from)).collect(),
        F::Extension => {
            let found = children(projection, &from, "extension");
            children(projection, &found, "url");
            found
        }
        F::GetResourceKey => {
            children(projection, &from, "id");
            Vec::new()
        }
        F::GetReferenceKey => {
            children(projection, &from, "reference");
            children(projection, &from, "type");
            Vec::new()
        }
        F::Resolve => {
            projection.whole(Projection::ROOT);
            Vec::new()
        }
        _ => {
            from.iter().for_each(|place| projection.whole(*place));
            for argument in arguments {
                consume(argument, projection, focus);
                consume(argument, projection, &from);
            }
            from
        }
    }
}
