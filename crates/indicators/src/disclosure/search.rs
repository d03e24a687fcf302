//! Looking for other numbers that fit: a linear programme, solved in floating point, rounded, and checked in whole numbers.

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOptions, Variable};

use super::system::{Form, System};

/// What is looked for.
pub(super) struct Wanted<'f> {
    pub(super) form: &'f Form,
    /// The form is to be at least this, if it `is_up`, otherwise at most this.
    pub(super) bound: i64,
    pub(super) is_up: bool,
    /// May cells that are shown change, at their cost? They must then be suppressed.
    pub(super) may_suppress: bool,
}

/// Numbers that fit but for the cells to be suppressed with them.
pub(super) struct Found {
    pub(super) numbers: Vec<i64>,
    /// Which cells change although they are shown.
    pub(super) changed: Vec<usize>,
    pub(super) cost: f64,
}

/// Nodes of branch and bound: a bound of work, the same on every machine.
const MOST_NODES: u64 = 400;
const MOST_MOVE: i32 = 1_000_000;

/// Numbers that are as wanted, first from the linear programme, then from the one in whole numbers.
pub(super) fn search(system: &System, is_suppressed: &[bool], wanted: &Wanted<'_>) -> Option<Found> {
    [false, true].into_iter().find_map(|is_whole| attempt(system, is_suppressed, wanted, is_whole))
}

fn attempt(system: &System, is_suppressed: &[bool], wanted: &Wanted<'_>, is_whole: bool) -> Option<Found> {
    let mut problem = Problem::new(OptimizationDirection::Minimize);
    // How far each number moves from the truth.
    let moves: Vec<Variable> = system
        .truth
        .iter()
        .map(|truth| match is_whole {
            true => {
                let least = i32::try_from(*truth).map_or(-MOST_MOVE, |t| (-t).max(-MOST_MOVE));
                problem.add_integer_var(0.0, (least, MOST_MOVE))
            }
            false => problem.add_var(0.0, (-(*truth as f64), f64::from(MOST_MOVE))),
        })
        .collect();
    let terms = |form: &Form| -> Vec<(Variable, f64)> {
        let of = |list: &[usize], by: f64| {
            list.iter().filter_map(|v| moves.get(*v)).map(|v| (*v, by)).collect::<Vec<_>>()
        };
        [of(&form.plus, 1.0), of(&form.minus, -1.0)].concat()
    };
    for link in &system.links {
        problem.add_constraint(terms(link), ComparisonOp::Eq, 0.0);
    }
    for growth in &system.growths {
        problem.add_constraint(terms(growth), ComparisonOp::Ge, -(growth.at(&system.truth) as f64));
    }
    for (cell, suppressed) in system.cells.iter().zip(is_suppressed) {
        let least = (system.rule.least() - cell.value) as f64;
        let is_elastic = wanted.may_suppress && !cell.is_fixed && cell.value >= system.rule.least();
        if *suppressed {
            problem.add_constraint(terms(&cell.form), ComparisonOp::Ge, least);
        } else if is_elastic {
            // moves = more − less, each at the cell's cost.
            let more = problem.add_var(cell.cost, (0.0, f64::INFINITY));
            let less = problem.add_var(cell.cost, (0.0, -least));
            let mut row = terms(&cell.form);
            row.extend([(more, -1.0), (less, 1.0)]);
            problem.add_constraint(row, ComparisonOp::Eq, 0.0);
        } else {
            problem.add_constraint(terms(&cell.form), ComparisonOp::Eq, 0.0);
        }
    }
    let by = (wanted.bound - wanted.form.at(&system.truth)) as f64;
    let operator = if wanted.is_up { ComparisonOp::Ge } else { ComparisonOp::Le };
    problem.add_constraint(terms(wanted.form), operator, by);
    let mut options = SolveOptions::default();
    options.node_limit = Some(MOST_NODES);
    let solution = problem.solve_with(options).ok()?.into_solution().ok()?;
    let numbers: Vec<i64> = moves
        .iter()
        .zip(&system.truth)
        .map(|(v, truth)| truth.saturating_add(solution.var_value(*v).round() as i64))
        .collect();
    let mut after = is_suppressed.to_vec();
    let mut changed = Vec::new();
    let mut cost = 0.0;
    for (at, cell) in system.cells.iter().enumerate() {
        let (now, Some(suppressed)) = (cell.form.at(&numbers), after.get_mut(at)) else { continue };
        if now != cell.value && !*suppressed && wanted.may_suppress && !cell.is_fixed {
            *suppressed = true;
            changed.push(at);
            cost += cell.cost;
        }
    }
    let reached = wanted.form.at(&numbers);
    let is_reached = if wanted.is_up { reached >= wanted.bound } else { reached <= wanted.bound };
    (is_reached && system.fits(&numbers, &after)).then_some(Found { numbers, changed, cost })
}
