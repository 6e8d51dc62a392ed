//! Health of a target as this process has seen it, and what the log says of it.
//!
//! The store has the health that counts. This one tells when a change is worth a line, and keeps what is claimed already
//! from a target whose circuit has opened since.

use std::time::{Duration, Instant};

use super::super::frame::LOG_INTERVAL;
use crate::redact::{Throttle, redacted};
use crate::store::NotificationClaim;
use notifications::{Attempt, DeliveryFailure, TargetHealth};
use number_order::Time;

/// Time after which the store, too, knows how an attempt has ended, and lets nothing be claimed for a target that must be
/// left alone.
const KNOWN_AFTER: Duration = Duration::from_secs(1);

/// Health of a target, with the lines about it.
pub(super) struct Health {
    target: String,
    seen: TargetHealth,
    /// Time of the last attempt that failed through the target, or that it answered by 410.
    failed_at: Option<Time>,
    logged: Throttle<&'static str>,
}

impl Health {
    pub(super) fn new(target: String) -> Health {
        Health {
            target,
            seen: TargetHealth::default(),
            failed_at: None,
            logged: Throttle::new(LOG_INTERVAL),
        }
    }

    /// Returns `true` unless the circuit of the target has opened since the notification was claimed, or the target was
    /// switched off. What is claimed later may be sent: the store knows if an operator has resumed the target.
    pub(super) fn may_send(&self, claimed_at: Time, now: Time) -> bool {
        let is_left_alone =
            self.seen.switched_off_at.is_some() || self.seen.not_before(now).is_some();
        let known_at = self.failed_at.map(|at| at.plus(KNOWN_AFTER));
        !is_left_alone || known_at.is_some_and(|known_at| claimed_at > known_at)
    }

    /// Notes how an attempt ended, and reports a change.
    pub(super) fn attempted(
        &mut self,
        claim: &NotificationClaim,
        attempt: &Attempt,
        now: Time,
        jitter: f64,
    ) {
        let before = self.seen;
        let target = &self.target;
        match attempt {
            Attempt::Delivered => {
                // An operator has switched it on again.
                self.seen = before.resumed().delivered(now);
                if before.is_probed() || before.switched_off_at.is_some() {
                    tracing::info!(%target, failures = before.failures, "the target takes notifications again");
                }
            }
            Attempt::Gone => {
                self.failed_at = Some(now);
                self.seen = before.switched_off(now);
                if before.switched_off_at.is_none() {
                    tracing::error!(%target, "the target answered 410: it is told nothing more until it is switched on");
                }
            }
            Attempt::Failed { failure, .. } => {
                self.seen = if failure.is_targets_own() {
                    self.failed_at = Some(now);
                    before.failed(now, jitter)
                } else {
                    before.answered()
                };
                self.report_failure(claim, failure, before);
            }
        }
    }

    fn report_failure(
        &self,
        claim: &NotificationClaim,
        failure: &DeliveryFailure,
        before: TargetHealth,
    ) {
        let (target, event) = (&self.target, &claim.event_id);
        let text = failure.to_string();
        let (text, reason) = (redacted(&text), failure.code());
        if self.seen.is_probed() && !before.is_probed() {
            let (failures, until) = (self.seen.failures, self.seen.paused_until);
            let until = until.map(|until| until.to_string());
            tracing::error!(%target, failures, reason, %text, until, "the target's circuit is open: it is only probed");
        } else if let Some(left_out) = self.logged.pass(reason, Instant::now()) {
            let attempts = claim.attempts.saturating_add(1);
            tracing::warn!(%target, %event, attempts, reason, %text, left_out, "the target did not take a notification");
        }
    }

    /// Reports a notification whose attempts are used up.
    pub(super) fn parked(&self, claim: &NotificationClaim, failure: &DeliveryFailure) {
        if let Some(left_out) = self.logged.pass("parked", Instant::now()) {
            let (target, event) = (&self.target, &claim.event_id);
            let text = failure.to_string();
            let (text, reason) = (redacted(&text), failure.code());
            let attempts = claim.attempts.saturating_add(1);
            tracing::error!(%target, %event, attempts, reason, %text, left_out, "parked a notification");
        }
    }
}
