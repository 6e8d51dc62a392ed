//! The rules that are put to the trial: the house's, and simpler ones that must fail it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::mind::{Mind, Weighed};
use crate::order::{
    self, Answer, BackOff, Confirmed, Decision, Event, Failure, Finding, Order, Rule, Snapshot,
    State, Status, Time, Tried,
};

/// A rule for what to believe of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// The house's: [`order::look`] and [`order::weigh()`], with nothing added.
    House,
    /// The house's, but of two states with one `updateTime` the one that is shown last is believed.
    TiesBelieved,
    /// The house's, but a claim that an answer has overruled is forgotten at once.
    ClaimsForgotten,
    /// The house's, but what an operator asks for is fulfilled by whatever answer comes next.
    OldAnswersFulfil,
    /// The house's, but each failed try counts against the order, whosever the fault is.
    OutagesCount,
    /// The house's, but an event that agrees with what is confirmed changes nothing about a parked order.
    AgreementSleeps,
    /// The house's, but an `updateTime` is believed whatever it says.
    DatesBelieved,
    /// An event with a newer time stamp that is a legal step is believed; else Sinch is asked, once, and
    /// believed.
    FirstGetBelieved,
    /// The event with the newest time stamp is believed.
    NewestWins,
    /// Every event is believed.
    WhatComes,
}

impl Contender {
    /// Those that must fail.
    pub const CONTROLS: [Contender; 9] = [
        Contender::TiesBelieved,
        Contender::ClaimsForgotten,
        Contender::OldAnswersFulfil,
        Contender::OutagesCount,
        Contender::AgreementSleeps,
        Contender::DatesBelieved,
        Contender::FirstGetBelieved,
        Contender::NewestWins,
        Contender::WhatComes,
    ];

    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Contender::House => "house_rule",
            Contender::TiesBelieved => "ties_believed",
            Contender::ClaimsForgotten => "claims_forgotten",
            Contender::OldAnswersFulfil => "old_answers_fulfil",
            Contender::OutagesCount => "outages_count",
            Contender::AgreementSleeps => "agreement_sleeps",
            Contender::DatesBelieved => "dates_believed",
            Contender::FirstGetBelieved => "believe_the_first_get",
            Contender::NewestWins => "newest_time_stamp_wins",
            Contender::WhatComes => "apply_what_comes",
        }
    }
}

/// A rule, and what it knows of one order, in memory. Each keeps it in the same form; what a control
/// believes stands as confirmed.
#[derive(Debug)]
pub(super) struct Believer {
    contender: Contender,
    order: Order,
    /// The events that it has, by what tells them apart, and those that nobody has looked at.
    heard: BTreeSet<u128>,
    waiting: Vec<Event>,
}

impl Believer {
    pub fn new(contender: Contender, first_seen_at: Time) -> Believer {
        Believer {
            contender,
            order: Order::new(first_seen_at),
            heard: BTreeSet::new(),
            waiting: Vec::new(),
        }
    }

    fn believed(&self) -> Option<State> {
        self.order.confirmed.as_ref().map(|known| known.state)
    }
}

impl Mind for Believer {
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
            self.order.ask_at = self.order.ask_at.map(|at| at.min(again));
        }
        !self.waiting.is_empty()
    }

    fn wish(&mut self, now: Time) -> bool {
        let asks = !matches!(self.contender, Contender::NewestWins | Contender::WhatComes);
        if asks {
            self.order.wish(now);
        }
        asks
    }

    fn look(&mut self, now: Time, rule: &Rule) -> (Vec<Decision>, Vec<State>) {
        let events = &std::mem::take(&mut self.waiting);
        match self.contender {
            Contender::House
            | Contender::TiesBelieved
            | Contender::ClaimsForgotten
            | Contender::OldAnswersFulfil
            | Contender::OutagesCount
            | Contender::DatesBelieved => (self.look_by_the_house(events, now, rule), Vec::new()),
            Contender::AgreementSleeps => {
                let before = self.order.clone();
                let decisions = self.look_by_the_house(events, now, rule);
                let agrees = |decision: &Decision| matches!(decision, Decision::Agrees(_));
                if before.parked.is_some() && decisions.iter().all(agrees) {
                    self.order = before;
                }
                (decisions, Vec::new())
            }
            Contender::FirstGetBelieved | Contender::NewestWins | Contender::WhatComes => {
                let believed = events.iter().filter_map(|event| self.hear(event, now));
                (Vec::new(), believed.collect())
            }
        }
    }

    fn settle(&mut self, tried: Tried<'_>, rule: &Rule, back_off: &BackOff) -> Weighed {
        let before = self.believed();
        let finding = match self.contender {
            Contender::House | Contender::AgreementSleeps => {
                self.weigh_by_the_house(tried, rule, back_off)
            }
            Contender::TiesBelieved => {
                self.untie(tried.result);
                self.weigh_by_the_house(tried, rule, back_off)
            }
            Contender::ClaimsForgotten => {
                let finding = self.weigh_by_the_house(tried, rule, back_off);
                self.order.doubts.clear();
                finding
            }
            Contender::OldAnswersFulfil => {
                self.order.wished_at.take_if(|_| tried.result.is_ok());
                self.weigh_by_the_house(tried, rule, back_off)
            }
            Contender::OutagesCount => {
                let finding = self.weigh_by_the_house(tried, rule, back_off);
                self.order.attempts += u32::from(!tried.healthy);
                finding
            }
            Contender::DatesBelieved => {
                let result = &believe_dates(tried.result, &self.order);
                self.weigh_by_the_house(Tried { result, ..tried }, rule, back_off)
            }
            Contender::FirstGetBelieved | Contender::NewestWins | Contender::WhatComes => {
                self.believe_answer(tried, back_off);
                None
            }
        };
        Weighed {
            finding,
            believed: self.believed().filter(|now| before != Some(*now)),
        }
    }
}

impl Believer {
    /// What a control does with an event.
    fn hear(&mut self, event: &Event, now: Time) -> Option<State> {
        let said = event.status.known()?;
        let said_at = event.said_at.unwrap_or(event.received_at);
        let known = self
            .order
            .confirmed
            .as_ref()
            .map(|k| (k.state, k.updated_at));
        let believes = match (self.contender, known) {
            (Contender::WhatComes, _) | (Contender::NewestWins, None) => true,
            (Contender::NewestWins, Some((_, at))) => said_at > at,
            (_, Some((state, at))) => said_at > at && state.may_become(said),
            (_, None) => false,
        };
        let before = self.believed();
        if believes {
            self.believe(said, said_at, now);
        } else if self.contender == Contender::FirstGetBelieved && before != Some(said) {
            self.order.ask_at = Some(now);
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

    fn look_by_the_house(&mut self, events: &[Event], now: Time, rule: &Rule) -> Vec<Decision> {
        let look = order::look(&self.order, events, now, rule);
        self.order = look.order;
        look.decisions
    }

    fn weigh_by_the_house(
        &mut self,
        tried: Tried<'_>,
        rule: &Rule,
        back_off: &BackOff,
    ) -> Option<Finding> {
        let weighed = order::weigh(&self.order, tried, rule, back_off);
        self.order = weighed.order;
        weighed.finding.ok()
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

    fn believe_answer(&mut self, tried: Tried<'_>, back_off: &BackOff) {
        let failure = match tried.result {
            Ok(Answer::Found(Snapshot {
                state: Status::Known(state),
                updated_at,
                ..
            })) => {
                self.believe(*state, *updated_at, tried.asked_at);
                self.order.ask_at = None;
                return;
            }
            Ok(Answer::Found(_) | Answer::NotFound) => Failure {
                reason: "no state".to_owned(),
                wait_min: Duration::ZERO,
            },
            Err(failure) => failure.clone(),
        };
        let Tried {
            healthy, now, roll, ..
        } = tried;
        self.order = order::fail(&self.order, &failure, healthy, now, back_off, roll);
    }
}

/// Makes a date that lies ahead look as if it were the time at Sinch, and an answer that is dated earlier than what is known
/// like none.
fn believe_dates(result: &Result<Answer, Failure>, order: &Order) -> Result<Answer, Failure> {
    let mut result = result.clone();
    if let Ok(Answer::Found(shown)) = &mut result {
        shown.sent_at = shown.sent_at.max(Some(shown.updated_at));
        let known = order.confirmed.as_ref();
        if known.is_some_and(|known| shown.updated_at < known.updated_at) {
            return Err(Failure {
                reason: "older".to_owned(),
                wait_min: Duration::ZERO,
            });
        }
    }
    result
}
