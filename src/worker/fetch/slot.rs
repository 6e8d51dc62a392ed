//! Slots: each fetches one prefetched order after another.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;

use super::scheduler::{HANGS_AFTER, PREFETCHED_MAX, PermitKind};
use super::{PrefetchQueue, Prefetched, Shared};
use crate::clock;
use crate::sinch;
use crate::store::{Claim, FetchResult};
use crate::worker::logged_id;
use number_order::Time;

impl Shared {
    /// Fetches one prefetched order after another, until none is left and none will come any more.
    pub(super) async fn slot(
        self: Arc<Self>,
        prefetched: Arc<PrefetchQueue>,
        results: UnboundedSender<FetchResult>,
    ) {
        loop {
            let next = prefetched.lock().await.recv().await;
            let Some(Prefetched {
                claim,
                since,
                mut permit,
            }) = next
            else {
                return;
            };
            let slot = self.slot_before_late(since).await;
            if slot.is_none() || !self.scheduler().may_fetch(permit.kind, clock::now()) {
                self.release(claim).await;
                continue;
            }
            let result = {
                let mut fetching = pin!(self.fetch_order(claim));
                let timeout = if permit.kind == PermitKind::Isolated {
                    Duration::ZERO
                } else {
                    HANGS_AFTER
                };
                if let Ok(result) = tokio::time::timeout(timeout, &mut fetching).await {
                    result
                } else {
                    if permit.kind == PermitKind::Isolated || permit.hangs() {
                        drop(slot);
                    }
                    fetching.await
                }
            };
            // Sinch has answered, so the next fetch may be sent before the result is recorded. The claim of the next
            // order waits for the same writer, which keeps the fetches from running away from the records.
            drop(permit);
            // If the recorder has ended, the store is broken and the process stops.
            let _ = results.send(result);
        }
    }

    /// Waits for a free slot on behalf of an order that was prefetched at `since`. Returns `None` if the order must not
    /// be fetched any more: it has waited too long, or the worker stops.
    async fn slot_before_late(&self, since: Time) -> Option<SemaphorePermit<'_>> {
        let waited = clock::now().since(since);
        let left = PREFETCHED_MAX.checked_sub(waited)?;
        // The semaphore is never closed.
        let acquired = tokio::time::timeout(left, self.slots.acquire());
        self.stop.run_until_cancelled(acquired).await?.ok()?.ok()
    }

    /// Fetches a claimed order from Sinch and returns the result.
    async fn fetch_order(&self, claim: Claim) -> FetchResult {
        let fetched_at = clock::now();
        let result = sinch::fetch_order(&self.fetcher.client, &claim.key.order).await;
        let now = clock::now();
        let jitter = fastrand::f64();
        let (result, healthy) =
            self.scheduler()
                .attempt(&claim.key.order, result, fetched_at, now, jitter);
        self.save_circuit().await;
        FetchResult {
            claim,
            fetched_at,
            result,
            healthy,
            now,
            jitter: fastrand::f64(),
            policy: self.fetcher.policy.clone(),
            backoff: self.fetcher.backoff.clone(),
        }
    }

    /// Releases a claimed order that was not fetched: it is due again, as if no worker had claimed it.
    async fn release(&self, claim: Claim) {
        let order = logged_id(&claim.key).into_owned();
        if let Err(error) = self.fetcher.store.release(claim).await {
            // If the release fails, the lease runs out by itself.
            tracing::warn!(order, %error, "an order could not be given back");
        }
    }
}
