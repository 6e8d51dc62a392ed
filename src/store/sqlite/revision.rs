//! Revision of what the inbox worker reads: a number that grows with each commit that may have changed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Number of commits so far that may have changed an order, an event or which deliveries are pending. New deliveries behind
/// the pending ones change nothing of it. Clones share the number, which the writer alone advances.
#[derive(Clone, Default)]
pub(super) struct Revision(Arc<AtomicU64>);

impl Revision {
    /// Returns the number by now. What is read afterwards is of this revision, or of a later one.
    pub(super) fn now(&self) -> u64 {
        self.0.load(SeqCst)
    }

    /// Counts one more commit, once it is made.
    pub(super) fn advance(&self) {
        self.0.fetch_add(1, SeqCst);
    }
}
