//! What pages are made from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth::Auth;
use axum::extract::FromRef;
use cds::Outside;
use figures::Figures;
use hub::{Hub, Jobs};
use sealing::FileKey;

use crate::drafts::Drafts;

/// What the pages of a hub work with.
#[derive(Clone)]
pub struct Site {
    /// The record.
    pub hub: Hub,
    /// Who lets people in; nobody in a hub that is open to its own machine.
    pub auth: Option<Arc<Auth>>,
    /// What runs jobs, if anything does.
    pub jobs: Option<Jobs>,
    /// The hub's indicators.
    pub figures: Arc<Figures>,
    /// Services outside that are asked about orders.
    pub(crate) outside: Arc<Outside>,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// What is being written.
    pub(crate) drafts: Drafts,
}

impl Site {
    /// A hub's pages. Their working state lies in folders of its own beside the data, sealed if there is a key.
    #[must_use]
    pub fn new(
        hub: Hub,
        auth: Option<Arc<Auth>>,
        jobs: Option<Jobs>,
        data: &Path,
        key: Option<FileKey>,
        outside: Arc<Outside>,
    ) -> Site {
        let figures = Arc::new(Figures::of(hub.clone()));
        Site { hub, auth, jobs, figures, outside, data: data.to_owned(), drafts: Drafts::at(data, key) }
    }
}

impl FromRef<Site> for Hub {
    fn from_ref(site: &Site) -> Hub {
        site.hub.clone()
    }
}
