//! Steps of the fetcher, in simulated time.

use std::mem;

use super::{BACKOFF, Service, Sinch, UnderWay, limits, policy, project};
use crate::store::{Circuit, Claim, ClaimOrder, Claimed, FetchResult, Recorded};
use crate::worker::fetch::scheduler::{HANGS_AFTER, Next, PermitKind, Scheduler};
use crate::worker::frame::POLL;
use number_order::{Answer, Time};

impl Service {
    /// Carries out the steps of the scheduler. Returns the time at which there may be more to do, if no answer arrives
    /// before.
    pub(super) async fn fetch_due(&mut self, sinch: &Sinch) -> Time {
        let mut prefetched = Vec::new();
        loop {
            let next = self.scheduler.next(self.now);
            // The slots fetch orders that were claimed before, while the next claim is under way.
            let are_released = self
                .fetch_prefetched(mem::take(&mut prefetched), sinch)
                .await;
            let (orders_max, claim_order) = match next {
                Next::Claim {
                    orders_max,
                    claim_order,
                } => (orders_max, claim_order),
                Next::Wait(_) | Next::Full if are_released => continue,
                Next::Wait(until) => return until,
                Next::Full => return Time(i64::MAX),
            };
            let rate = self.scheduler.rate();
            let (claims, allowed) = match self.claim(orders_max, rate, claim_order).await {
                Claimed::Leased { claims, allowed } => (claims, allowed),
                Claimed::NotBefore(until) => {
                    self.scheduler.not_allowed(claim_order, orders_max);
                    return until;
                }
            };
            let orders = claims.len() as u32;
            let more = self
                .scheduler
                .claimed(claim_order, orders_max, allowed, orders, self.now);
            let kind = match claim_order {
                ClaimOrder::Isolated => PermitKind::Isolated,
                ClaimOrder::Urgent | ClaimOrder::Oldest | ClaimOrder::Chance => PermitKind::Slot,
            };
            prefetched.extend(claims.into_iter().map(|claim| (kind, claim)));
            if !more {
                self.fetch_prefetched(prefetched, sinch).await;
                return self.next_due().await.max(self.now.plus(POLL));
            }
        }
    }

    /// Sends the fetches of the given orders, or releases the orders that may not be fetched any more. Returns `true`
    /// if any was released.
    async fn fetch_prefetched(
        &mut self,
        prefetched: Vec<(PermitKind, Claim)>,
        sinch: &Sinch,
    ) -> bool {
        let mut are_released = false;
        for (kind, claim) in prefetched {
            if self.scheduler.may_fetch(kind, self.now) {
                self.fetch(kind, claim, sinch);
            } else {
                self.store.release(claim).await.expect("is released");
                self.scheduler.release(kind);
                are_released = true;
            }
        }
        are_released
    }

    fn fetch(&mut self, kind: PermitKind, claim: Claim, sinch: &Sinch) {
        self.sent_at.push(self.now);
        let (comes_at, result) = sinch.answer(&claim.key.order, self.now, &mut self.rng);
        let under_way = UnderWay {
            kind,
            claim,
            fetched_at: self.now,
            result,
        };
        let fetch = (comes_at, self.fetches);
        self.under_way.insert(fetch, under_way);
        self.hangs.push_back((self.now.plus(HANGS_AFTER), fetch));
        self.fetches += 1;
    }

    pub(super) async fn record_answers(&mut self) {
        while let Some(first) = self.under_way.first_entry()
            && first.key().0 <= self.now
        {
            let UnderWay {
                kind,
                claim,
                fetched_at,
                result,
            } = first.remove();
            let jitter = self.rng.f64();
            let was_open = self.scheduler.circuit().clone();
            let mut without_circuit =
                Scheduler::new(limits(self.without), Circuit::default(), true, self.now);
            let scheduler = if self.without.circuit {
                &mut without_circuit
            } else {
                &mut self.scheduler
            };
            let (result, healthy) =
                scheduler.attempt(&claim.key.order, result, fetched_at, self.now, jitter);
            if result.is_err() && healthy {
                self.counted.push((self.now, claim.key.order.clone()));
            }
            let circuit = self.scheduler.circuit().clone();
            if circuit != was_open {
                if circuit.paused.is_some() {
                    self.opened.push(self.now);
                }
                let saved = self
                    .store
                    .save_circuit(project(), Circuit::default(), circuit)
                    .await;
                saved.expect("is saved");
            }
            let outcome = self.outcome(claim, fetched_at, result, healthy);
            let recorded = self.store.record([outcome].into()).await.expect("records");
            assert!(
                matches!(recorded[..], [Recorded::Done { .. }]),
                "{recorded:?}"
            );
            self.scheduler.release(kind);
        }
    }

    pub(super) fn note_hanging(&mut self) {
        while let Some((at, fetch)) = self.hangs.front().copied() {
            match self.under_way.get_mut(&fetch) {
                Some(_) if at > self.now => return,
                Some(under_way)
                    if under_way.kind == PermitKind::Slot && self.scheduler.fetch_hangs() =>
                {
                    under_way.kind = PermitKind::Hanging;
                }
                Some(_) | None => {}
            }
            self.hangs.pop_front();
        }
    }

    pub(super) fn outcome(
        &mut self,
        claim: Claim,
        fetched_at: Time,
        result: Result<Answer, number_order::Failure>,
        healthy: bool,
    ) -> FetchResult {
        FetchResult {
            claim,
            fetched_at,
            result,
            healthy,
            now: self.now,
            jitter: self.rng.f64(),
            policy: policy(),
            backoff: BACKOFF,
        }
    }
}
