//! Strategies that are simulated: the program's own rules, and simpler ones that must fail.

use std::collections::BTreeSet;
use std::time::Duration;

use super::subject::{Applied, Subject};
use number_order::{
    Answer, Backoff, Confirmed, Decision, Endpoint, Event, Failure, FetchAttempt, FetchOutcome,
    NoAnswer, Order, Outcome, Policy, Snapshot, State, Status, Time,
};

/// Rules for what to believe of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// The program's rules: [`number_order::apply_events`] and [`number_order::apply_attempt()`], with nothing added.
    House,
    /// The program's rules, but of two states with one `updateTime` the one shown last is believed.
    TiesBelieved,
    /// The program's rules, but a claim that an answer has overruled is forgotten at once.
    ClaimsForgotten,
    /// The program's rules, but any next answer fulfils an operator's request.
    OldAnswersFulfil,
    /// The program's rules, but each failed attempt counts against the order, whether or not the order is at fault.
    OutagesCount,
    /// The program's rules, but an event that agrees with what is confirmed changes nothing about a parked order.
    AgreementSleeps,
    /// The program's rules, but every `updateTime` is believed.
    DatesBelieved,
    /// An event with a newer time stamp that is a legal step is believed; otherwise the order is fetched once, and the
    /// answer is believed.
    FirstGetBelieved,
    /// The event with the newest time stamp is believed.
    NewestWins,
    /// Every event is believed.
    WhatComes,
}

impl Strategy {
    /// Controls: strategies that must fail.
    pub const CONTROLS: [Strategy; 9] = [
        Strategy::TiesBelieved,
        Strategy::ClaimsForgotten,
        Strategy::OldAnswersFulfil,
        Strategy::OutagesCount,
        Strategy::AgreementSleeps,
        Strategy::DatesBelieved,
        Strategy::FirstGetBelieved,
        Strategy::NewestWins,
        Strategy::WhatComes,
    ];

    /// Name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::House => "house_rule",
            Strategy::TiesBelieved => "ties_believed",
            Strategy::ClaimsForgotten => "claims_forgotten",
            Strategy::OldAnswersFulfil => "old_answers_fulfil",
            Strategy::OutagesCount => "outages_count",
            Strategy::AgreementSleeps => "agreement_sleeps",
            Strategy::DatesBelieved => "dates_believed",
            Strategy::FirstGetBelieved => "believe_the_first_get",
            Strategy::NewestWins => "newest_time_stamp_wins",
            Strategy::WhatComes => "apply_what_comes",
        }
    }
}

/// Strategy and its knowledge of one order, in memory. Every strategy keeps it in the same form: a control stores
/// what it believes as confirmed.
#[derive(Debug)]
pub(super) struct Believer {
    strategy: Strategy,
    order: Order,
    /// Events already accepted, by the key that tells them apart; `waiting` holds those not yet processed.
    heard: BTreeSet<u128>,
    waiting: Vec<Event>,
}

impl Believer {
    pub fn new(strategy: Strategy, first_seen_at: Time) -> Believer {
        Believer {
            strategy,
            order: Order::new(first_seen_at),
            heard: BTreeSet::new(),
            waiting: Vec::new(),
        }
    }

    fn believed(&self) -> Option<State> {
        self.order.confirmed.as_ref().map(|known| known.state)
    }
}

impl Subject for Believer {
    fn order(&self) -> &Order {
        &self.order
    }

    fn accept(&mut self, event: u128, said: &Event) -> bool {
        let new = self.heard.insert(event);
        if new {
            self.waiting.push(said.clone());
        }
        new
    }

    fn ask(&mut self, _now: Time) {
        self.order.attempts += 1;
    }

    fn restart(&mut self, now: Time, spread: Duration) -> bool {
        let known = self.order.confirmed.as_ref();
        if !known.is_some_and(|known| known.state.is_final()) {
            let again = now.plus(spread);
            self.order.fetch_at = self.order.fetch_at.map(|at| at.min(again));
        }
        !self.waiting.is_empty()
    }

    fn request_fetch(&mut self, now: Time) -> bool {
        let asks = !matches!(self.strategy, Strategy::NewestWins | Strategy::WhatComes);
        if asks {
            self.order.request_fetch(now);
        }
        asks
    }

    fn process(&mut self, now: Time, policy: &Policy) -> (Vec<Decision>, Vec<State>) {
        let events = &std::mem::take(&mut self.waiting);
        match self.strategy {
            Strategy::House
            | Strategy::TiesBelieved
            | Strategy::ClaimsForgotten
            | Strategy::OldAnswersFulfil
            | Strategy::OutagesCount
            | Strategy::DatesBelieved => {
                (self.process_by_the_rules(events, now, policy), Vec::new())
            }
            Strategy::AgreementSleeps => {
                let before = self.order.clone();
                let decisions = self.process_by_the_rules(events, now, policy);
                let agrees = |decision: &Decision| matches!(decision, Decision::Agrees { .. });
                if before.parked.is_some() && decisions.iter().all(agrees) {
                    self.order = before;
                }
                (decisions, Vec::new())
            }
            Strategy::FirstGetBelieved | Strategy::NewestWins | Strategy::WhatComes => {
                let believed = events.iter().filter_map(|event| self.hear(event, now));
                (Vec::new(), believed.collect())
            }
        }
    }

    fn record(&mut self, attempt: FetchAttempt<'_>, policy: &Policy, backoff: &Backoff) -> Applied {
        let before = self.believed();
        let outcome = match self.strategy {
            Strategy::House | Strategy::AgreementSleeps => {
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
            Strategy::FirstGetBelieved | Strategy::NewestWins | Strategy::WhatComes => {
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

impl Believer {
    /// Applies an event as a control does.
    fn hear(&mut self, event: &Event, now: Time) -> Option<State> {
        let said = event.status.known()?;
        let said_at = event.said_at.unwrap_or(event.received_at);
        let known = self
            .order
            .confirmed
            .as_ref()
            .map(|k| (k.state, k.updated_at));
        let believes = match (self.strategy, known) {
            (Strategy::WhatComes, _) | (Strategy::NewestWins, None) => true,
            (Strategy::NewestWins, Some((_, at))) => said_at > at,
            (_, Some((state, at))) => said_at > at && state.may_become(said),
            (_, None) => false,
        };
        let before = self.believed();
        if believes {
            self.believe(said, said_at, now);
        } else if self.strategy == Strategy::FirstGetBelieved && before != Some(said) {
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

    /// Makes a state that shares its `updateTime` with the known one count as newer.
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
/// answer that is dated earlier than what is known looks like none.
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
