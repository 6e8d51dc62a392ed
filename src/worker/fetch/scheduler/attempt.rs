//! Results of fetches in the scheduler: which party is at fault for a failure, and if the circuit opens or closes.

use super::{Mode, Scheduler};
use crate::sinch::FetchError;
use crate::worker::fetch::attribution::{AttributedTo, FailureFacts};
use crate::worker::fetch::circuit;
use crate::worker::fetch::signal::{FailedFetch, Signal};
use number_order::{Answer, Failure, Id, Time};

impl Scheduler {
    /// Applies the result of a fetch to the scheduler. Returns the result as the order's policy needs it, and `true` if
    /// a failed attempt counts against the order. `jitter` is random, from 0 to 1.
    pub fn attempt(
        &mut self,
        order: &Id,
        result: Result<Answer, FetchError>,
        fetched_at: Time,
        now: Time,
        jitter: f64,
    ) -> (Result<Answer, Failure>, bool) {
        let unknown = match &result {
            Ok(Answer::NotFound) => self.attribution.unknown(order),
            Ok(Answer::Found(_)) | Err(_) => None,
        };
        let failed = match (result, unknown) {
            (Ok(answer), None) => {
                if let Answer::Found(_) = answer {
                    self.attribution.found();
                }
                self.answered(order, fetched_at, now);
                return (Ok(answer), true);
            }
            (Ok(_), Some(orders)) => FailedFetch::none_known(orders),
            (Err(error), _) => FailedFetch::from(&error),
        };
        let own = self.failed(order, &failed, fetched_at, now, jitter);
        let failure = Failure {
            wait_min: failed.retry_after.unwrap_or_default(),
            reason: failed.reason,
        };
        (Err(failure), own)
    }

    /// Ends any doubt about the provider and closes the circuit, unless Sinch has asked for a wait since the fetch was
    /// sent.
    fn answered(&mut self, order: &Id, fetched_at: Time, now: Time) {
        self.attribution.answered(order);
        let ends = match self.mode(now) {
            Mode::Normal | Mode::Suspect | Mode::Probe => true,
            Mode::Untried => fetched_at >= self.suspect_since,
            Mode::Blocked(_) => false,
        };
        if ends {
            self.close_circuit();
        }
    }

    /// Applies a failed attempt to the scheduler. Returns `true` if the fault is the order's own and the attempt counts
    /// against it.
    fn failed(
        &mut self,
        order: &Id,
        failed: &FailedFetch,
        fetched_at: Time,
        now: Time,
        jitter: f64,
    ) -> bool {
        self.spare = false;
        let mode = self.mode(now);
        let (own, signal) = if failed.of_token {
            (false, Some(failed.signal()))
        } else {
            let stale = mode != Mode::Normal && fetched_at < self.suspect_since;
            self.apply_attempt(order, failed, stale)
        };
        let Some(signal) = signal else {
            return own;
        };
        // The token endpoint is asked for no order, so orders that fail alone make its failures no likelier.
        let alone = if failed.of_token {
            0
        } else {
            self.attribution.isolated_alone()
        };
        let cap = self.limits.probe_interval_max;
        let by_signal_before = self.circuit.paused.is_some() && self.opened_by_signal;
        self.circuit = circuit::after_failure(
            &self.circuit,
            &failed.reason,
            signal,
            alone,
            now,
            cap,
            jitter,
        );
        self.opened_by_signal =
            by_signal_before || failed.of_token || matches!(signal, Signal::Pause(_));
        let closed = self.mode(now) == Mode::Normal;
        if mode == Mode::Normal && !closed {
            self.suspect_since = now;
        }
        own || (failed.of_order && closed)
    }

    /// Returns `true` if a failure is the order's own, and its signal about the project, if any. `stale`: the fetch was
    /// sent before it was in doubt whether Sinch answers any order.
    fn apply_attempt(
        &mut self,
        order: &Id,
        failed: &FailedFetch,
        stale: bool,
    ) -> (bool, Option<Signal>) {
        let facts = FailureFacts {
            of_order: failed.of_order,
            of_project: failed.of_project(),
            circuit_closed: self.circuit.paused.is_none(),
            calm: self.circuit.failures == 0,
        };
        let untried = !self.attribution.is_isolated(order);
        let attributed_to = self.attribution.failed(order, facts);
        if attributed_to != AttributedTo::Provider || stale {
            return (attributed_to == AttributedTo::Order, None);
        }
        let signal = if !facts.of_project {
            self.signals.record_other_failure();
            Signal::Failure
        } else if untried {
            let alone = self.attribution.of_project_alone();
            self.signals.record(failed.retry_after, alone)
        } else {
            // While it is in doubt whether Sinch answers, an isolated order is fetched only if no other is due.
            Signal::PauseForOne
        };
        (false, Some(signal))
    }
}
