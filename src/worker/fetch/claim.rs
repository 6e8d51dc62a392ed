//! Claiming of due orders, a little ahead of the slots that fetch them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::scheduler::{Next, PermitKind};
use super::{Permit, Prefetched, Shared};
use crate::clock;
use crate::store::{Claim, ClaimOrder, ClaimRequest, Claimed, StoreError};
use crate::worker::frame::{POLL, STORE_PAUSE, record_step};
use number_order::Time;

/// Wait of the claiming task, and the event that may end it sooner.
enum ClaimWait {
    /// No wait: there may be more to claim.
    None,
    /// Wait because no order is due. It ends early when an order falls due.
    Idle(Duration),
    /// Wait because permits, rate limit or circuit hold up the work. It ends early when a fetch ends.
    HeldUp(Duration),
}

impl Shared {
    /// Claims the due orders that can be claimed now, then waits until more can be claimed.
    pub(super) async fn claim_or_wait(
        self: &Arc<Self>,
        claims: &UnboundedSender<Prefetched>,
    ) -> Result<(), StoreError> {
        // The wake-up is registered before the claim, so that an order that falls due during the claim ends the wait.
        let due = self.fetcher.store.due().notified();
        let wait = match self.share_circuit().await {
            Ok(known_pause) => self.claim_due(known_pause, claims).await?,
            Err(error) => {
                record_step::<()>(&self.fetcher.metrics, &self.name, Err(error))?;
                ClaimWait::Idle(STORE_PAUSE)
            }
        };
        let (idle, span) = match wait {
            ClaimWait::None => return Ok(()),
            ClaimWait::Idle(span) => (true, span),
            ClaimWait::HeldUp(span) => (false, span),
        };
        tokio::select! {
            () = due, if idle => {}
            () = self.permit_freed.notified(), if !idle => {}
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(span) => {}
            () = self.fetcher.resume.notified() => {
                self.scheduler().resumed();
                self.save_circuit().await;
            }
        }
        Ok(())
    }

    /// Claims the due orders that circuit, permits and rate limit allow. `known_pause`: the time until which the circuit
    /// is open, as the store has it.
    async fn claim_due(
        self: &Arc<Self>,
        known_pause: Option<Time>,
        prefetch: &UnboundedSender<Prefetched>,
    ) -> Result<ClaimWait, StoreError> {
        let now = clock::now();
        let (next, isolated, rate) = {
            let mut scheduler = self.scheduler();
            let next = scheduler.next(now);
            (next, scheduler.isolated(), scheduler.rate())
        };
        let held_up = |span| {
            // Rate limit, circuit or Sinch hold up the work, as they should, so the worker is alive.
            self.fetcher.metrics.heartbeat(&self.name);
            Ok(ClaimWait::HeldUp(span))
        };
        let (orders_max, claim_order) = match next {
            Next::Claim {
                orders_max,
                claim_order,
            } => (orders_max, claim_order),
            Next::Wait(until) => return held_up(until.since(now).min(POLL)),
            Next::Full => return held_up(POLL),
        };
        let request = ClaimRequest {
            project: self.fetcher.project.clone(),
            orders_max,
            rate,
            claim_order,
            isolated,
            known_pause,
            now,
            lease: self.fetcher.lease,
        };
        let claimed = self.fetcher.store.claim(request).await;
        if let Ok(Claimed::NotBefore(until)) = claimed {
            self.scheduler().not_allowed(claim_order, orders_max);
            return held_up(until.since(now).min(POLL));
        }
        let (orders, allowed) = match &claimed {
            Ok(Claimed::Leased { claims, allowed }) => (claims.len() as u32, *allowed),
            Ok(Claimed::NotBefore(_)) | Err(_) => (0, orders_max),
        };
        let since = clock::now();
        let more = self
            .scheduler()
            .claimed(claim_order, orders_max, allowed, orders, since);
        let Some(claimed) = record_step(&self.fetcher.metrics, &self.name, claimed)? else {
            return Ok(ClaimWait::Idle(STORE_PAUSE));
        };
        let kind = if claim_order == ClaimOrder::Isolated {
            PermitKind::Isolated
        } else {
            PermitKind::Slot
        };
        self.hand_over(claimed.claims(), kind, since, prefetch);
        Ok(if more {
            ClaimWait::None
        } else {
            ClaimWait::Idle(POLL)
        })
    }

    /// Hands claimed orders over to the slots, each with its permit.
    fn hand_over(
        self: &Arc<Self>,
        claims: Vec<Claim>,
        kind: PermitKind,
        since: Time,
        prefetch: &UnboundedSender<Prefetched>,
    ) {
        for claim in claims {
            let permit = Permit {
                shared: self.clone(),
                kind,
            };
            // Fails only once the tasks of the slots have ended, and the service with them.
            let _ = prefetch.send(Prefetched {
                claim,
                since,
                permit,
            });
        }
    }
}
