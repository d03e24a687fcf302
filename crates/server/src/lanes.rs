//! Light and heavy work.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limits on work under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// Heavy pieces of work at once.
    pub heavy: usize,
    /// Bytes of request bodies held at once.
    pub body_bytes: usize,
    /// A body larger than this is heavy work.
    pub light_body: usize,
    /// A search that looks at more index rows than this is heavy work.
    pub light_rows: u64,
}

impl Default for LaneLimits {
    fn default() -> LaneLimits {
        LaneLimits { heavy: 2, body_bytes: 96 << 20, light_body: 128 << 10, light_rows: 5000 }
    }
}

/// Bodies are accounted for in pieces of this size.
const PIECE: usize = 16 << 10;

/// The lanes.
pub(crate) struct Lanes {
    pub(crate) limits: LaneLimits,
    heavy: Arc<Semaphore>,
    body_pieces: Arc<Semaphore>,
}

/// Room for a body; given back when it is dropped.
pub(crate) struct BodyRoom {
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Lanes {
    pub(crate) fn new(limits: LaneLimits) -> Lanes {
        Lanes {
            limits,
            heavy: Arc::new(Semaphore::new(limits.heavy.max(1))),
            body_pieces: Arc::new(Semaphore::new((limits.body_bytes / PIECE).max(1))),
        }
    }

    /// Runs heavy work where it holds nobody up, when its turn comes. `None` if it did not finish.
    pub(crate) async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let permit = Arc::clone(&self.heavy).acquire_owned().await.ok()?;
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(permit);
            outcome
        });
        done.await.ok()
    }

    /// How much is taken.
    pub(crate) fn taken(&self) -> hub::Taken {
        let (heavy_most, pieces) = (self.limits.heavy.max(1), (self.limits.body_bytes / PIECE).max(1));
        hub::Taken {
            heavy: heavy_most.saturating_sub(self.heavy.available_permits()),
            heavy_most,
            body: pieces.saturating_sub(self.body_pieces.available_permits()) * PIECE,
            body_most: pieces * PIECE,
        }
    }

    /// Room for a body that grows.
    pub(crate) fn room(&self) -> BodyRoom {
        BodyRoom { permit: None, bytes: 0 }
    }

    /// Makes the room larger; waits while others hold too much. `false` if it can never be had.
    pub(crate) async fn grow(&self, room: &mut BodyRoom, to: usize) -> bool {
        if to <= room.bytes {
            return true;
        }
        if to > self.limits.body_bytes {
            return false;
        }
        let pieces = to.div_ceil(PIECE) - room.bytes.div_ceil(PIECE);
        let Ok(pieces) = u32::try_from(pieces) else { return false };
        if pieces > 0 {
            let Ok(more) = Arc::clone(&self.body_pieces).acquire_many_owned(pieces).await else {
                return false;
            };
            match &mut room.permit {
                Some(permit) => permit.merge(more),
                None => room.permit = Some(more),
            }
        }
        room.bytes = to;
        true
    }
}
