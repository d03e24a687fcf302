//! Who attacks by trying everything: every table of whole numbers that fits what is published.

use std::collections::BTreeSet;

use super::system::System;

/// The values each hidden count can have, as far as `most` for one category.
pub(super) fn possible(system: &System, is_suppressed: &[bool], most: i64) -> Vec<BTreeSet<i64>> {
    let hidden: Vec<_> = system.hidden(is_suppressed).map(|(form, ..)| form.clone()).collect();
    let mut found = vec![BTreeSet::new(); hidden.len()];
    // A shown sum bounds what is tried.
    let bounds: Vec<i64> = (0..system.truth.len())
        .map(|v| {
            let shown =
                system.cells.iter().zip(is_suppressed).filter(|(c, s)| !**s && c.form.plus.contains(&v));
            shown.map(|(c, _)| c.value).min().unwrap_or(most).min(most)
        })
        .collect();
    let mut x = vec![0i64; system.truth.len()];
    attempt(system, is_suppressed, &bounds, 0, &mut x, &mut |x| {
        for (set, form) in found.iter_mut().zip(&hidden) {
            set.insert(form.at(x));
        }
    });
    found
}

fn attempt(
    system: &System,
    is_suppressed: &[bool],
    bounds: &[i64],
    at: usize,
    x: &mut Vec<i64>,
    each: &mut impl FnMut(&[i64]),
) {
    if at == x.len() {
        if system.fits(x, is_suppressed) {
            each(x);
        }
        return;
    }
    for value in 0..=bounds[at] {
        x[at] = value;
        // No shown sum may be passed, or missed once all of it is chosen.
        let is_possible = system.cells.iter().zip(is_suppressed).filter(|(_, s)| !**s).all(|(cell, _)| {
            let chosen: i64 = cell.form.plus.iter().filter(|v| **v <= at).map(|v| x[*v]).sum();
            let is_whole = cell.form.plus.iter().all(|v| *v <= at);
            chosen <= cell.value && (!is_whole || chosen == cell.value)
        });
        if is_possible {
            attempt(system, is_suppressed, bounds, at + 1, x, each);
        }
    }
    x[at] = 0;
}
