//! Strategies that are simulated: the program's own rules, and simpler ones that must fail.

use std::collections::BTreeSet;
use std::time::Duration;

use super::subject::{Applied, Subject};
use number_order::{
    Answer, Backoff, Confirmed, Decision, Endpoint, Event, Failure, FetchAttempt, FetchOutcome,
    NoAnswer, Order, Outcome, Policy, Snapshot, State, Status, Time,
};

/// Rules that decide which state of an order is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// The program's rules hold: [`number_order::apply_events`] and [`number_order::apply_attempt()`], with nothing
    /// added.
    Rules,
    /// The program's rules hold, but of two states with one `updateTime` the one shown last is believed.
    TiesBelieved,
    /// The program's rules hold, but a claim that an answer has overruled is forgotten at once.
    ClaimsForgotten,
    /// The program's rules hold, but any next answer fulfils an operator's request.
    OldAnswersFulfil,
    /// The program's rules hold, but each failed attempt counts against the order, whether or not the order is at
    /// fault.
    OutagesCount,
    /// The program's rules hold, but an event that agrees with what is confirmed changes nothing about a parked order.
    AgreementIgnored,
    /// The program's rules hold, but every `updateTime` is believed.
    DatesBelieved,
    /// An event with a newer time stamp that is a legal step is believed; otherwise the order is fetched once, and the
    /// answer is believed.
    FirstAnswerBelieved,
    /// The event with the newest time stamp is believed.
    NewestTimeStampWins,
    /// Every event is believed.
    EveryEventBelieved,
}

impl Strategy {
    /// Strategies that are controls: they must fail.
    pub const CONTROLS: [Strategy; 9] = [
        Strategy::TiesBelieved,
        Strategy::ClaimsForgotten,
        Strategy::OldAnswersFulfil,
        Strategy::OutagesCount,
        Strategy::AgreementIgnored,
        Strategy::DatesBelieved,
        Strategy::FirstAnswerBelieved,
        Strategy::NewestTimeStampWins,
        Strategy::EveryEventBelieved,
    ];

    /// Returns the name of the strategy in a report.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Rules => "rules",
            Strategy::TiesBelieved => "ties_believed",
            Strategy::ClaimsForgotten => "claims_forgotten",
            Strategy::OldAnswersFulfil => "old_answers_fulfil",
            Strategy::OutagesCount => "outages_count",
            Strategy::AgreementIgnored => "agreement_ignored",
            Strategy::DatesBelieved => "dates_believed",
            Strategy::FirstAnswerBelieved => "first_answer_believed",
            Strategy::NewestTimeStampWins => "newest_time_stamp_wins",
            Strategy::EveryEventBelieved => "every_event_believed",
        }
    }
}

/// Strategy and what it knows of one order, in memory. Every strategy keeps it in the same form: a control stores what
/// it believes as confirmed.
#[derive(Debug)]
pub(super) struct StrategySubject {
    strategy: Strategy,
    order: Order,
    /// Events already accepted, by the key that tells them apart; `pending` holds those not yet processed.
    accepted: BTreeSet<u128>,
    pending: Vec<Event>,
}

impl StrategySubject {
    pub fn new(strategy: Strategy, first_seen_at: Time) -> StrategySubject {
        StrategySubject {
            strategy,
            order: Order::new(first_seen_at),
            accepted: BTreeSet::new(),
            pending: Vec::new(),
        }
    }

    fn believed(&self) -> Option<State> {
        self.order.confirmed.as_ref().map(|known| known.state)
    }
}

impl Subject for StrategySubject {
    fn order(&self) -> &Order {
        &self.order
    }

    fn accept(&mut self, event: u128, said: &Event) -> bool {
        let new = self.accepted.insert(event);
        if new {
            self.pending.push(said.clone());
        }
        new
    }

    fn begin_fetch(&mut self, _now: Time) {
        self.order.attempts += 1;
    }

    fn restart(&mut self, now: Time, spread: Duration) -> bool {
        let known = self.order.confirmed.as_ref();
        if !known.is_some_and(|known| known.state.is_final()) {
            let again = now.plus(spread);
            self.order.fetch_at = self.order.fetch_at.map(|at| at.min(again));
        }
        !self.pending.is_empty()
    }

    fn request_fetch(&mut self, now: Time) -> bool {
        let can_fetch = !matches!(
            self.strategy,
            Strategy::NewestTimeStampWins | Strategy::EveryEventBelieved
        );
        if can_fetch {
            self.order.request_fetch(now);
        }
        can_fetch
    }

    fn process(&mut self, now: Time, policy: &Policy) -> (Vec<Decision>, Vec<State>) {
        let events = &std::mem::take(&mut self.pending);
        match self.strategy {
            Strategy::Rules
            | Strategy::TiesBelieved
            | Strategy::ClaimsForgotten
            | Strategy::OldAnswersFulfil
            | Strategy::OutagesCount
            | Strategy::DatesBelieved => {
                (self.process_by_the_rules(events, now, policy), Vec::new())
            }
            Strategy::AgreementIgnored => {
                let before = self.order.clone();
                let decisions = self.process_by_the_rules(events, now, policy);
                let agrees = |decision: &Decision| matches!(decision, Decision::Agrees { .. });
                if before.parked.is_some() && decisions.iter().all(agrees) {
                    self.order = before;
                }
                (decisions, Vec::new())
            }
            Strategy::FirstAnswerBelieved
            | Strategy::NewestTimeStampWins
            | Strategy::EveryEventBelieved => {
                let believed = events
                    .iter()
                    .filter_map(|event| self.apply_event(event, now));
                (Vec::new(), believed.collect())
            }
        }
    }

    fn record(&mut self, attempt: FetchAttempt<'_>, policy: &Policy, backoff: &Backoff) -> Applied {
        let before = self.believed();
        let outcome = match self.strategy {
            Strategy::Rules | Strategy::AgreementIgnored => {
                self.apply_by_the_rules(attempt, policy, backoff)
            }
            Strategy::TiesBelieved => {
                self.untie(attempt.result);
                self.apply_by_the_rules(attempt, policy, backoff)
            }
            Strategy::ClaimsForgotten => {
                let outcome = self.apply_by_the_rules(attempt, policy, backoff);
                self.order.doubts.clear();
                outcome
            }
            Strategy::OldAnswersFulfil => {
                self.order
                    .fetch_requested_at
                    .take_if(|_| attempt.result.is_ok());
                self.apply_by_the_rules(attempt, policy, backoff)
            }
            Strategy::OutagesCount => {
                let outcome = self.apply_by_the_rules(attempt, policy, backoff);
                self.order.attempts += u32::from(!attempt.healthy);
                outcome
            }
            Strategy::DatesBelieved => {
                let result = &believe_dates(attempt.result, &self.order);
                self.apply_by_the_rules(FetchAttempt { result, ..attempt }, policy, backoff)
            }
            Strategy::FirstAnswerBelieved
            | Strategy::NewestTimeStampWins
            | Strategy::EveryEventBelieved => {
                self.believe_answer(attempt, backoff);
                None
            }
        };
        Applied {
            outcome,
            believed: self.believed().filter(|now| before != Some(*now)),
        }
    }
}

impl StrategySubject {
    /// Applies an event as a control's strategy does.
    fn apply_event(&mut self, event: &Event, now: Time) -> Option<State> {
        let said = event.status.known()?;
        let said_at = event.said_at.unwrap_or(event.received_at);
        let known = self
            .order
            .confirmed
            .as_ref()
            .map(|k| (k.state, k.updated_at));
        let believes = match (self.strategy, known) {
            (Strategy::EveryEventBelieved, _) | (Strategy::NewestTimeStampWins, None) => true,
            (Strategy::NewestTimeStampWins, Some((_, at))) => said_at > at,
            (_, Some((state, at))) => said_at > at && state.may_become(said),
            (_, None) => false,
        };
        let before = self.believed();
        if believes {
            self.believe(said, said_at, now);
        } else if self.strategy == Strategy::FirstAnswerBelieved && before != Some(said) {
            self.order.fetch_at = Some(now);
            self.order.attempts = 0;
        }
        self.believed().filter(|now| before != Some(*now))
    }

    fn believe(&mut self, state: State, updated_at: Time, confirmed_at: Time) {
        self.order.confirmed = Some(Confirmed {
            state,
            updated_at,
            expires_at: None,
            confirmed_at,
            shown_at: confirmed_at,
            reopened: false,
        });
    }

    fn process_by_the_rules(
        &mut self,
        events: &[Event],
        now: Time,
        policy: &Policy,
    ) -> Vec<Decision> {
        let process = number_order::apply_events(&self.order, events, now, policy);
        self.order = process.order;
        process.decisions
    }

    fn apply_by_the_rules(
        &mut self,
        attempt: FetchAttempt<'_>,
        policy: &Policy,
        backoff: &Backoff,
    ) -> Option<Outcome> {
        let applied = number_order::apply_attempt(&self.order, attempt, policy, backoff);
        self.order = applied.order;
        match applied.outcome {
            FetchOutcome::Answer(outcome) => Some(outcome),
            FetchOutcome::NoAnswer(_) => None,
        }
    }

    /// Makes a state that shares its `updateTime` with the known state count as newer.
    fn untie(&mut self, result: &Result<Answer, Failure>) {
        if let (Ok(Answer::Found(shown)), Some(known)) = (result, &mut self.order.confirmed)
            && shown.updated_at == known.updated_at
            && shown.state != Status::Known(known.state)
        {
            known.updated_at = Time(known.updated_at.0 - 1);
        }
    }

    fn believe_answer(&mut self, attempt: FetchAttempt<'_>, backoff: &Backoff) {
        let (outcome, wait_min) = match attempt.result {
            Ok(Answer::Found(Snapshot {
                state: Status::Known(state),
                updated_at,
                ..
            })) => {
                self.believe(*state, *updated_at, attempt.fetched_at);
                self.order.fetch_at = None;
                return;
            }
            Ok(Answer::Found(_) | Answer::NotFound) => {
                (FetchOutcome::Answer(Outcome::NotFound), Duration::ZERO)
            }
            Err(failure) => {
                let reason = failure.reason.clone();
                (FetchOutcome::NoAnswer(reason), failure.wait_min)
            }
        };
        let FetchAttempt {
            healthy,
            now,
            jitter,
            ..
        } = attempt;
        let order = &self.order;
        self.order = number_order::fail(order, &outcome, wait_min, healthy, now, backoff, jitter);
    }
}

/// Changes an answer for [`Strategy::DatesBelieved`]: a date that lies ahead looks like the time at Sinch, and an
/// answer that is dated earlier than the known state looks like no answer.
fn believe_dates(result: &Result<Answer, Failure>, order: &Order) -> Result<Answer, Failure> {
    let mut result = result.clone();
    if let Ok(Answer::Found(shown)) = &mut result {
        shown.sent_at = shown.sent_at.max(Some(shown.updated_at));
        let known = order.confirmed.as_ref();
        if known.is_some_and(|known| shown.updated_at < known.updated_at) {
            return Err(Failure {
                reason: NoAnswer::NotNow {
                    endpoint: Endpoint::Orders,
                    status: 503,
                },
                wait_min: Duration::ZERO,
            });
        }
    }
    result
}
