//! Steps of a play: callbacks and requests arrive, events are processed, the order is fetched.

use super::{InFlight, Play, START};
use crate::history::{EventContent, SimulatedEvent, happens};
use crate::simulation::in_seconds;
use crate::simulation::subject::Subject;
use crate::simulation::tally::{Rare, Stuck};
use number_order::{Answer, Decision, Event, FetchAttempt, State, Status};

impl<'a, M: Subject> Play<'a, M> {
    /// Delivers a callback to the service. One that is on disk already changes nothing.
    pub(super) fn deliver(&mut self) {
        let Some((_, simulated)) = self.deliveries.pop() else {
            return;
        };
        let EventContent::State(said) = simulated.content else {
            return;
        };
        let before = self
            .understood
            .iter()
            .find(|(known, _)| std::ptr::eq(*known, simulated));
        let event = match before {
            Some((_, event)) => event.clone(),
            None => self.understand(simulated, said),
        };
        let new = self.subject.accept(simulated.salt, &event);
        self.note(|| {
            let again = if new { "" } else { ", again" };
            format!(
                "the event {said} of {} arrives{again}",
                in_seconds(simulated.at)
            )
        });
        if new {
            let soon = self.now + self.random_span(200);
            self.process_at.get_or_insert(soon);
        }
    }

    /// Returns the event that the service makes of a callback that is new to it.
    fn understand(&mut self, simulated: &'a SimulatedEvent, said: State) -> Event {
        // Nothing but the events of an order can tell its end if Sinch forgets it.
        let unknown_status =
            self.history.gone_at.is_none() && happens(&mut self.rng, self.scenario.unknown_status);
        let status = if unknown_status {
            Status::Unknown("ON_HOLD".to_owned())
        } else {
            Status::Known(said)
        };
        let no_time_stamp = happens(&mut self.rng, self.scenario.no_time_stamp);
        let event = Event {
            status,
            said_at: (!no_time_stamp).then(|| simulated.said_at(START)),
            received_at: self.our_time(self.now),
        };
        self.understood.push((simulated, event.clone()));
        event
    }

    /// Requests a fetch of the order for an operator, if any event of the order has arrived.
    pub(super) fn request_fetch(&mut self) {
        self.fetch_requests.pop();
        let now = self.our_time(self.now);
        if (self.scenario.without_callbacks || !self.understood.is_empty())
            && self.subject.request_fetch(now)
        {
            self.is_requested = true;
            self.own_failures = 0;
            self.requested_at.get_or_insert(self.now);
            self.note(|| "an operator requests a fetch".to_owned());
        }
    }

    /// Processes the events of the order that have arrived.
    pub(super) fn process(&mut self) {
        self.process_at = None;
        let now = self.our_time(self.now);
        let was_parked = self.subject.order().parked.is_some();
        let (decisions, believed) = self.subject.process(now, &self.scenario.policy);
        for decision in &decisions {
            let met = &mut self.verdict.met;
            match decision {
                Decision::Stale { .. } | Decision::OutOfOrder { .. } => {
                    met.note(Rare::OutOfOrder);
                }
                Decision::AfterFinal { .. } => met.note(Rare::AfterFinal),
                Decision::NoTimeStamp { .. } => met.note(Rare::NoTimeStamp),
                Decision::UnknownStatus { .. } => met.note(Rare::UnknownStatus),
                Decision::Agrees { .. }
                | Decision::AlreadyClaimed { .. }
                | Decision::Fits { .. }
                | Decision::FirstEvent { .. } => {}
            }
            self.note(|| decision.to_string());
        }
        for state in believed {
            self.judge(state);
        }
        if was_parked && !decisions.is_empty() {
            self.own_failures = 0;
            if self.subject.order().parked.is_some() {
                self.stuck(Stuck::StillParked);
            }
        }
        self.judge_open();
    }

    /// Delivers an event that claims of a parked order what is confirmed already.
    pub(super) fn agreement(&mut self) {
        self.agreement_at = None;
        let order = self.subject.order();
        let (Some(known), true) = (&order.confirmed, order.parked.is_some()) else {
            return;
        };
        let event = Event {
            status: Status::Known(known.state),
            said_at: Some(known.updated_at),
            received_at: self.our_time(self.now),
        };
        self.verdict.met.note(Rare::Agreement);
        self.note(|| "an event arrives that says what is confirmed".to_owned());
        let salt = self.rng.u128(..);
        if self.subject.accept(salt, &event) {
            let soon = self.now + self.random_span(200);
            self.process_at.get_or_insert(soon);
        }
    }

    /// Sends a fetch of the order to Sinch. The attempt is counted before its outcome is known.
    pub(super) fn send_fetch(&mut self) {
        let retries = self.subject.order().attempts > 0;
        let is_requested = std::mem::take(&mut self.is_requested);
        let planned = self.routine_fetch_at.take() == self.subject.order().fetch_at;
        self.is_routine = is_requested || if retries { self.is_routine } else { planned };
        let now = self.our_time(self.now);
        self.subject.begin_fetch(now);
        self.requested_at = None;
        self.note(|| "a fetch is sent".to_owned());
        match (self.incidents.is_down(self.now), self.is_routine) {
            (true, _) => self.verdict.probes += 1,
            (false, true) => self.verdict.routine_fetches += 1,
            (false, false) => self.verdict.fetches += 1,
        }
        let (result, healthy, slow_by) = self.reply();
        let done = self.now + self.random_span(400) + slow_by;
        let may_request = self.subject.order().fetch_requested_at.is_some()
            || self.scenario.operator_requests > 0.0;
        if may_request
            && self.scenario.incidents.request_during_fetch > 0.0
            && happens(&mut self.rng, self.scenario.incidents.request_during_fetch)
        {
            self.verdict.met.note(Rare::RequestDuringFetch);
            let during = done.saturating_sub(self.now).mul_f64(self.rng.f64());
            self.fetch_requests.push(self.now + during);
            self.fetch_requests.sort_by(|one, other| other.cmp(one));
        }
        self.in_flight = Some(InFlight {
            fetched_at: self.now,
            result,
            healthy,
            done,
        });
    }

    /// Records the outcome of the fetch that was in flight.
    pub(super) fn record(&mut self) {
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        let result = in_flight.result;
        let attempt = FetchAttempt {
            fetched_at: self.our_time(in_flight.fetched_at),
            result: &result,
            healthy: in_flight.healthy,
            now: self.our_time(self.now),
            jitter: self.rng.f64(),
        };
        let before = self.subject.order().clone();
        let applied = self
            .subject
            .record(attempt, &self.scenario.policy, &self.scenario.backoff);
        self.note(|| match (&applied.outcome, &result) {
            (Some(outcome), _) => outcome.to_string(),
            (None, result) => format!("{result:?}"),
        });
        self.count_failure(&attempt, applied.outcome.as_ref());
        if let (Ok(Answer::Found(_)), Some(_)) = (&result, before.missing_since) {
            self.verdict.met.note(Rare::FoundAfter404);
        }
        if let Some(outcome) = &applied.outcome {
            self.count_rare_paths(outcome, &before);
        }
        self.note_routine_fetch();
        let (parked, state) = {
            let after = self.subject.order();
            (after.parked.is_some(), after.state())
        };
        if parked && before.parked.is_none() {
            self.parked();
        }
        if applied.believed.is_none() && before.state() != state {
            self.verdict.met.note(Rare::Withdrawn);
        }
        if let Some(state) = applied.believed {
            self.judge(state);
        }
        self.judge_open();
    }

    /// Stores the time of the next fetch that only watches the order, if nothing else requires a fetch.
    fn note_routine_fetch(&mut self) {
        let after = self.subject.order();
        let policy = &self.scenario.policy;
        // A fetch that an overruled event requires is no routine fetch.
        let doubted_at = after.doubts.iter().map(|doubt| doubt.sure_at(policy)).max();
        let is_routine = after.confirmed.is_some() && after.hints.is_empty() && after.tie.is_none();
        let is_routine = is_routine && (doubted_at.is_none() || after.fetch_at != doubted_at);
        self.routine_fetch_at = after.fetch_at.filter(|_| is_routine);
    }
}
