//! Tree navigation (N1, section 5.8).

use super::Call;
use crate::error::Error;
use crate::evaluate::Scope;
use crate::value::{Collection, Item};

pub(super) fn children<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Result<Collection<'a>, Error> {
    let found: Collection<'a> =
        call.input.iter().filter_map(Item::node).flat_map(|n| n.children()).map(Item::Node).collect();
    scope.spend(found.len())?;
    Ok(found)
}

pub(super) fn descendants<'a>(scope: &Scope<'a, '_>, call: Call<'_, 'a>) -> Result<Collection<'a>, Error> {
    let mut found = Vec::new();
    for node in call.input.iter().filter_map(Item::node) {
        for below in node.descendants() {
            scope.spend(1)?;
            found.push(Item::Node(below));
        }
    }
    Ok(found)
}
