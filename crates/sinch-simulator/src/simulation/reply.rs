//! Replies to fetches: from the world, and from the mishaps of the order.

use std::time::Duration;

use super::mishaps::distort;
use super::play::{Play, START};
use super::subject::Subject;
use super::tally::Rare;
use crate::history::{Reply, hit};
use number_order::{Answer, Endpoint, Failure, NoAnswer};

/// Maximum time between two probes while Sinch as a whole is down, held to by the project's open circuit. The minimum
/// is half of it.
const PROBES_APART: Duration = Duration::from_secs(60);

impl<M: Subject> Play<'_, M> {
    /// Returns the result of a fetch that is sent now, `true` if a failure is the order's own, and the delay.
    pub(super) fn reply(&mut self) -> (Result<Answer, Failure>, bool, Duration) {
        if self.fate.is_down(self.now) {
            self.decision.met.note(Rare::Outage);
            let apart = PROBES_APART.mul_f64(0.5 + self.chance.f64() / 2.0);
            self.held_until = self.now + apart;
            return (Err(no_answer(503)), false, Duration::ZERO);
        }
        if self.fate.fails_alone(self.now) {
            self.decision.met.note(Rare::Alone);
            return (Err(no_answer(403)), true, Duration::ZERO);
        }
        let stale_max = self.course.policy.staleness_max;
        let reply = match self.fate.relapse(self.now, stale_max, &mut self.chance) {
            Some(reply) => reply,
            None => self.world.answer(self.history, self.now, &mut self.dice),
        };
        let slow_by = if let Reply::Slow(by) = &reply {
            *by
        } else {
            Duration::ZERO
        };
        let own = matches!(reply, Reply::Broken { status: 500 });
        match self.history.shown(self.now, &reply, START) {
            Some(mut answer) => {
                let absurd = self.course.mishaps.absurd;
                if absurd > 0.0 && hit(&mut self.chance, absurd) {
                    let fresh = matches!(reply, Reply::True | Reply::Slow(_));
                    distort(&mut answer, fresh, &mut self.chance);
                }
                (Ok(answer), true, slow_by)
            }
            None => (Err(failure(&reply)), own, slow_by),
        }
    }
}

/// Failure with this status, which asks for no wait.
fn no_answer(status: u16) -> Failure {
    let endpoint = Endpoint::Orders;
    Failure {
        reason: NoAnswer::NotNow { endpoint, status },
        wait_min: Duration::ZERO,
    }
}

/// Failure that stands for a reply without an answer.
fn failure(reply: &Reply) -> Failure {
    let (status, wait_min) = match reply {
        Reply::Throttled { retry_after } => (429, *retry_after),
        Reply::Unauthorized => (401, Duration::ZERO),
        Reply::True
        | Reply::Stale(_)
        | Reply::Slow(_)
        | Reply::Missing
        | Reply::Broken { .. }
        | Reply::Says { .. }
        | Reply::Raw { .. } => (503, Duration::ZERO),
    };
    Failure {
        wait_min,
        ..no_answer(status)
    }
}
