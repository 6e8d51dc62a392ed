//! Replies of Sinch to fetches: from the world, and from the incidents of the order.

use std::time::Duration;

use super::incidents::distort;
use super::play::{Play, START};
use super::subject::Subject;
use super::tally::Rare;
use crate::history::{Reply, happens};
use number_order::{Answer, Endpoint, Failure, NoAnswer};

/// Maximum time between two probe fetches while Sinch as a whole is down: the interval at which an open circuit lets
/// probes pass. The minimum is half of it.
const PROBE_INTERVAL_MAX: Duration = Duration::from_secs(60);

impl<M: Subject> Play<'_, M> {
    /// Returns the result of a fetch that is sent now, then `true` if a failure is the order's own, and the delay of
    /// the answer.
    pub(super) fn reply(&mut self) -> (Result<Answer, Failure>, bool, Duration) {
        if self.incidents.is_down(self.now) {
            self.verdict.met.note(Rare::Outage);
            let apart = PROBE_INTERVAL_MAX.mul_f64(0.5 + self.rng.f64() / 2.0);
            self.paused_until = self.now + apart;
            return (Err(failure_of_status(503)), false, Duration::ZERO);
        }
        if self.incidents.fails_alone(self.now) {
            self.verdict.met.note(Rare::Alone);
            return (Err(failure_of_status(403)), true, Duration::ZERO);
        }
        let stale_max = self.scenario.policy.staleness_max;
        let reply = match self
            .incidents
            .first_after_outage(self.now, stale_max, &mut self.rng)
        {
            Some(reply) => reply,
            None => self
                .world
                .answer(self.history, self.now, &mut self.reply_rng),
        };
        let slow_by = if let Reply::Slow(by) = &reply {
            *by
        } else {
            Duration::ZERO
        };
        let own = matches!(reply, Reply::ServerError { status: 500 });
        match self.history.shown(self.now, &reply, START) {
            Some(mut answer) => {
                let absurd = self.scenario.incidents.absurd;
                if absurd > 0.0 && happens(&mut self.rng, absurd) {
                    let fresh = matches!(reply, Reply::Current | Reply::Slow(_));
                    distort(&mut answer, fresh, &mut self.rng);
                }
                (Ok(answer), true, slow_by)
            }
            None => (Err(failure_of_reply(&reply)), own, slow_by),
        }
    }
}

/// Returns the failure of a fetch for the given HTTP status, which asks for no wait.
fn failure_of_status(status: u16) -> Failure {
    let endpoint = Endpoint::Orders;
    Failure {
        reason: NoAnswer::NotNow { endpoint, status },
        wait_min: Duration::ZERO,
    }
}

/// Returns the failure of a fetch for a reply without an answer.
fn failure_of_reply(reply: &Reply) -> Failure {
    let (status, wait_min) = match reply {
        Reply::Throttled { retry_after } => (429, *retry_after),
        Reply::Unauthorized => (401, Duration::ZERO),
        Reply::Current
        | Reply::Stale(_)
        | Reply::Slow(_)
        | Reply::NotFound
        | Reply::ServerError { .. }
        | Reply::Shows { .. }
        | Reply::Raw { .. } => (503, Duration::ZERO),
    };
    Failure {
        wait_min,
        ..failure_of_status(status)
    }
}
