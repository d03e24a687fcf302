//! What pages are made from.

use std::sync::Arc;

use auth::Auth;
use axum::extract::FromRef;
use hub::{Hub, Jobs};

/// What the pages of a hub work with.
#[derive(Clone)]
pub struct Site {
    /// The record.
    pub hub: Hub,
    /// Who lets people in; nobody in a hub that is open to its own machine.
    pub auth: Option<Arc<Auth>>,
    /// What runs jobs, if anything does.
    pub jobs: Option<Jobs>,
    /// The hub's data directory: working state of pages lies in folders of its own there.
    pub data: Arc<std::path::Path>,
}

impl FromRef<Site> for Hub {
    fn from_ref(site: &Site) -> Hub {
        site.hub.clone()
    }
}
