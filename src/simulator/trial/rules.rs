//! The rules that are put to the trial: the house's, and simpler ones that must fail it.

use std::time::Duration;

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
    pub const CONTROLS: [Contender; 4] = [
        Contender::TiesBelieved,
        Contender::FirstGetBelieved,
        Contender::NewestWins,
        Contender::WhatComes,
    ];

    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Contender::House => "house_rule",
            Contender::TiesBelieved => "ties_believed",
            Contender::FirstGetBelieved => "believe_the_first_get",
            Contender::NewestWins => "newest_time_stamp_wins",
            Contender::WhatComes => "apply_what_comes",
        }
    }
}

/// A rule, and what it knows of one order. Each keeps it in the same form; what a control believes
/// stands as confirmed.
#[derive(Debug)]
pub(super) struct Mind {
    contender: Contender,
    pub order: Order,
}

/// What an answer, or the want of one, came to.
pub(super) struct Weighed {
    /// What the house rule found.
    pub finding: Option<Finding>,
    /// The state that is taken for true from now on, if it is another one.
    pub believed: Option<State>,
}

impl Mind {
    pub fn new(contender: Contender, first_seen_at: Time) -> Mind {
        Mind {
            contender,
            order: Order::new(first_seen_at),
        }
    }

    /// The state that is taken for true.
    pub fn believed(&self) -> Option<State> {
        self.order.confirmed.as_ref().map(|known| known.state)
    }

    /// Whether the question that is due only looks after what nothing new was heard of.
    pub fn only_looks(&self) -> bool {
        self.order.confirmed.is_some() && self.order.hints.is_empty() && self.order.tie.is_none()
    }

    /// Somebody wants Sinch to be asked at once; `false`: this rule never asks.
    pub fn wish(&mut self, now: Time) -> bool {
        let asks = !matches!(self.contender, Contender::NewestWins | Contender::WhatComes);
        if asks {
            self.order.ask_at = Some(now);
            self.order.attempts = 0;
            self.order.parked = None;
        }
        asks
    }

    /// Takes note of events. What the house rule decided on each, and the states that were taken for
    /// true on the way.
    pub fn look(
        &mut self,
        events: &[Event],
        now: Time,
        rule: &Rule,
    ) -> (Vec<Decision>, Vec<State>) {
        match self.contender {
            Contender::House | Contender::TiesBelieved => {
                let look = order::look(&self.order, events, now, rule);
                self.order = look.order;
                (look.decisions, Vec::new())
            }
            Contender::FirstGetBelieved | Contender::NewestWins | Contender::WhatComes => {
                let believed = events.iter().filter_map(|event| self.hear(event, now));
                (Vec::new(), believed.collect())
            }
        }
    }

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
            reopened: false,
        });
    }

    /// Takes note of what came of a question.
    pub fn weigh(&mut self, tried: Tried<'_>, rule: &Rule, back_off: &BackOff) -> Weighed {
        let before = self.believed();
        let finding = match self.contender {
            Contender::House => self.weigh_by_the_house(tried, rule, back_off),
            Contender::TiesBelieved => {
                self.untie(tried.result);
                self.weigh_by_the_house(tried, rule, back_off)
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
