//! A page of people's data goes into the read-audit ledger before it is shown.

use hub::{Access, Audited, Hub};
use ledger::Action;

use crate::failure::{Failure, away};
use crate::visit::Visit;

/// Draws a page where it holds nobody up, and puts it, whatever came of it, into the ledger. `target` is whom or what the
/// page is about.
pub(crate) async fn audited<T: Send + 'static>(
    hub: Hub,
    visit: &Visit,
    target: String,
    draw: impl FnOnce(Hub, Access) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let audited = Audited {
        action: Action::Page,
        target,
        query: visit.query.clone().filter(|q| !q.is_empty()),
        address: visit.address.clone(),
        ..Audited::default()
    };
    let access = hub.watched(visit.access());
    away(move || {
        let drawn = draw(hub.clone(), access.clone());
        let status = drawn.as_ref().map_or_else(Failure::status, |_| 200);
        hub.audit(&access, Audited { status, ..audited })?;
        drawn
    })
    .await
}
