//! Health of a target as this process has seen it, and what the log says of it.
//!
//! The store has the health that counts. This one tells when a change is worth a line, and keeps what is claimed already
//! from a target whose circuit has opened since.

use std::time::Instant;

use super::super::frame::LOG_INTERVAL;
use crate::redact::{Throttle, redacted};
use crate::store::NotificationClaim;
use notifications::{Attempt, DeliveryFailure, TargetHealth};
use number_order::Time;

/// Health of a target, with the lines about it.
pub(super) struct Health {
    target: String,
    health: TargetHealth,
    logged: Throttle<&'static str>,
}

impl Health {
    pub(super) fn new(target: String) -> Health {
        Health {
            target,
            health: TargetHealth::default(),
            logged: Throttle::new(LOG_INTERVAL),
        }
    }

    /// Returns `true` unless the circuit of the target has opened since the notification was claimed.
    pub(super) fn may_send(&self, now: Time) -> bool {
        self.health.switched_off_at.is_none() && self.health.not_before(now).is_none()
    }

    /// Notes that the store, which knows of all attempts, lets notifications through: where they were held back here, an
    /// operator has resumed the target meanwhile.
    pub(super) fn let_through(&mut self, now: Time) {
        if !self.may_send(now) {
            self.health = self.health.resumed();
        }
    }

    /// Notes how an attempt ended, and reports a change.
    pub(super) fn attempted(
        &mut self,
        claim: &NotificationClaim,
        attempt: &Attempt,
        now: Time,
        jitter: f64,
    ) {
        let before = self.health;
        let target = &self.target;
        match attempt {
            Attempt::Delivered => {
                // An operator has switched it on again.
                self.health = before.resumed().delivered(now);
                if before.is_probed() || before.switched_off_at.is_some() {
                    tracing::info!(%target, failures = before.failures, "the target takes notifications again");
                }
            }
            Attempt::Gone => {
                self.health = before.switched_off(now);
                if before.switched_off_at.is_none() {
                    tracing::error!(%target, "the target answered 410: it is told nothing more until it is switched on");
                }
            }
            Attempt::Failed { failure, .. } => {
                self.health = if failure.is_targets_own() {
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
        if self.health.is_probed() && !before.is_probed() {
            let (failures, until) = (self.health.failures, self.health.paused_until);
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
