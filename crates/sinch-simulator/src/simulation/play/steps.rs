//! Steps of a play: callbacks and requests arrive, events are processed, the order is fetched.

use super::{Flight, Play, START};
use crate::history::{Says, SimulatedEvent, hit};
use crate::simulation::secs;
use crate::simulation::subject::Subject;
use crate::simulation::tally::{Rare, Stuck};
use number_order::{Answer, Decision, Event, FetchAttempt, State, Status};

impl<'a, M: Subject> Play<'a, M> {
    /// Delivers a callback. One that is on disk already changes nothing.
    pub(super) fn deliver(&mut self) {
        let Some((_, notice)) = self.deliveries.pop() else {
            return;
        };
        let Says::State(said) = notice.says else {
            return;
        };
        let before = self
            .understood
            .iter()
            .find(|(known, _)| std::ptr::eq(*known, notice));
        let event = match before {
            Some((_, event)) => event.clone(),
            None => self.understand(notice, said),
        };
        let new = self.subject.accept(notice.salt, &event);
        self.note(|| {
            let again = if new { "" } else { ", again" };
            format!("the event {said} of {} arrives{again}", secs(notice.at))
        });
        if new {
            let soon = self.now + self.lag(200);
            self.check_at.get_or_insert(soon);
        }
    }

    /// Returns the event that the service makes of a callback that is new to it.
    fn understand(&mut self, notice: &'a SimulatedEvent, said: State) -> Event {
        // Nothing but its events can tell the end of an order that Sinch forgets.
        let foreign = self.history.gone_at.is_none() && hit(&mut self.chance, self.course.foreign);
        let status = if foreign {
            Status::Unknown("ON_HOLD".to_owned())
        } else {
            Status::Known(said)
        };
        let timeless = hit(&mut self.chance, self.course.timeless);
        let event = Event {
            status,
            said_at: (!timeless).then(|| notice.said_at(START)),
            received_at: self.ours(self.now),
        };
        self.understood.push((notice, event.clone()));
        event
    }

    /// Requests a fetch for an operator, if any event of the order has arrived.
    pub(super) fn request_fetch(&mut self) {
        self.fetch_requests.pop();
        let now = self.ours(self.now);
        if (self.course.deaf || !self.understood.is_empty()) && self.subject.request_fetch(now) {
            self.wished = true;
            self.own_failures = 0;
            self.waits_since.get_or_insert(self.now);
            self.note(|| "an operator asks".to_owned());
        }
    }

    /// Processes the events that have arrived.
    pub(super) fn process(&mut self) {
        self.check_at = None;
        let now = self.ours(self.now);
        let was_parked = self.subject.order().parked.is_some();
        let (decisions, believed) = self.subject.process(now, &self.course.policy);
        for decision in &decisions {
            let met = &mut self.decision.met;
            match decision {
                Decision::Stale { .. } | Decision::OutOfOrder { .. } => {
                    met.note(Rare::OutOfOrder);
                }
                Decision::AfterFinal { .. } => met.note(Rare::AfterFinal),
                Decision::NoTimeStamp { .. } => met.note(Rare::Timeless),
                Decision::UnknownStatus { .. } => met.note(Rare::Foreign),
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

    /// Delivers an event that says of a parked order what is confirmed already.
    pub(super) fn echo(&mut self) {
        self.echo_at = None;
        let order = self.subject.order();
        let (Some(known), true) = (&order.confirmed, order.parked.is_some()) else {
            return;
        };
        let event = Event {
            status: Status::Known(known.state),
            said_at: Some(known.updated_at),
            received_at: self.ours(self.now),
        };
        self.decision.met.note(Rare::Echo);
        self.note(|| "an event arrives that says what is confirmed".to_owned());
        let salt = self.chance.u128(..);
        if self.subject.accept(salt, &event) {
            let soon = self.now + self.lag(200);
            self.check_at.get_or_insert(soon);
        }
    }

    /// Sends a fetch to Sinch. The attempt is counted before its outcome is known.
    pub(super) fn ask(&mut self) {
        let retries = self.subject.order().attempts > 0;
        let wished = std::mem::take(&mut self.wished);
        let planned = self.fetch_after_at.take() == self.subject.order().fetch_at;
        self.checking = wished || if retries { self.checking } else { planned };
        let now = self.ours(self.now);
        self.subject.ask(now);
        self.waits_since = None;
        self.note(|| "Sinch is asked".to_owned());
        match (self.fate.is_down(self.now), self.checking) {
            (true, _) => self.decision.probes += 1,
            (false, true) => self.decision.steps_of_processing += 1,
            (false, false) => self.decision.asks += 1,
        }
        let (result, healthy, slow_by) = self.reply();
        let done = self.now + self.lag(400) + slow_by;
        let asks = self.subject.order().fetch_requested_at.is_some() || self.course.nosy > 0.0;
        if asks
            && self.course.mishaps.hurried > 0.0
            && hit(&mut self.chance, self.course.mishaps.hurried)
        {
            self.decision.met.note(Rare::Hurried);
            let during = done.saturating_sub(self.now).mul_f64(self.chance.f64());
            self.fetch_requests.push(self.now + during);
            self.fetch_requests.sort_by(|one, other| other.cmp(one));
        }
        self.flight = Some(Flight {
            asked: self.now,
            result,
            healthy,
            done,
        });
    }

    /// Records the outcome of the fetch.
    pub(super) fn record(&mut self) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let result = flight.result;
        let attempt = FetchAttempt {
            fetched_at: self.ours(flight.asked),
            result: &result,
            healthy: flight.healthy,
            now: self.ours(self.now),
            jitter: self.chance.f64(),
        };
        let before = self.subject.order().clone();
        let applied = self
            .subject
            .record(attempt, &self.course.policy, &self.course.backoff);
        self.note(|| match (&applied.outcome, &result) {
            (Some(outcome), _) => outcome.to_string(),
            (None, result) => format!("{result:?}"),
        });
        self.count_failure(&attempt, applied.outcome.as_ref());
        if let (Ok(Answer::Found(_)), Some(_)) = (&result, before.missing_since) {
            self.decision.met.note(Rare::FoundAfter404);
        }
        if let Some(outcome) = &applied.outcome {
            self.note_finding(outcome, &before);
        }
        self.plan_processing();
        let (parked, state) = {
            let after = self.subject.order();
            (after.parked.is_some(), after.state())
        };
        if parked && before.parked.is_none() {
            self.parked();
        }
        if applied.believed.is_none() && before.state() != state {
            self.decision.met.note(Rare::Withdrawn);
        }
        if let Some(state) = applied.believed {
            self.judge(state);
        }
        self.judge_open();
    }

    /// Stores the time of the next fetch that only watches the order, if nothing else requires a fetch.
    fn plan_processing(&mut self) {
        let after = self.subject.order();
        let policy = &self.course.policy;
        // A fetch that an overruled event requires does not count as one.
        let doubted_at = after.doubts.iter().map(|doubt| doubt.sure_at(policy)).max();
        let steps_of_processing =
            after.confirmed.is_some() && after.hints.is_empty() && after.tie.is_none();
        let steps_of_processing =
            steps_of_processing && (doubted_at.is_none() || after.fetch_at != doubted_at);
        self.fetch_after_at = after.fetch_at.filter(|_| steps_of_processing);
    }
}
