//! What events mean for an order.

use std::fmt;

use super::{Event, Hint, Order, Provisional, Rule, State, Status, Time, Transition};

/// What one event means for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It says what Sinch has already confirmed.
    Agrees(State),
    /// It says what other events have already claimed.
    Repeats(State),
    /// It is newer than what is known and a legal step: the provisional state moves at once.
    Fits {
        /// The state before.
        from: State,
        /// The state that the event claims.
        to: State,
    },
    /// It cannot be taken at its word: Sinch is asked.
    Ask(Doubt),
}

/// Why an event alone does not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No state of the order is known yet. The claim stands provisionally, if it has a readable time
    /// stamp to be weighed by.
    FirstNews(State),
    /// The status is none of the documented ones.
    UnknownStatus(Status),
    /// The time stamp is missing or unreadable, so nothing says whether this is news.
    NoTime(State),
    /// Not newer than what is known.
    Stale {
        /// The claimed state.
        said: State,
        /// The known state.
        known: State,
        /// Since when that is known, by Sinch's clock.
        known_at: Time,
    },
    /// Newer, but no legal step.
    Illegal {
        /// The known state.
        from: State,
        /// The claimed state.
        to: State,
    },
    /// A final state is never left because of an event alone.
    Final {
        /// The confirmed final state.
        known: State,
        /// The claimed state.
        said: State,
    },
}

impl Decision {
    /// Whether Sinch is asked at once: what is said may be how the order ends, or all that is known of it.
    /// Anything else can wait until one answer is sure to settle it.
    fn is_urgent(&self) -> bool {
        match self {
            Decision::Ask(Doubt::FirstNews(_)) => true,
            Decision::Fits { to, .. } | Decision::Ask(Doubt::Illegal { to, .. }) => to.is_final(),
            Decision::Ask(Doubt::NoTime(said) | Doubt::Final { said, .. }) => said.is_final(),
            Decision::Agrees(_)
            | Decision::Repeats(_)
            | Decision::Ask(Doubt::UnknownStatus(_) | Doubt::Stale { .. }) => false,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Agrees(state) => write!(f, "agrees with Sinch: {state} is confirmed"),
            Decision::Repeats(state) => {
                write!(f, "repeats {state}, which waits for confirmation")
            }
            Decision::Fits { from, to } => {
                write!(
                    f,
                    "fits: {from} → {to}, provisional until Sinch confirms it"
                )
            }
            Decision::Ask(doubt) => write!(f, "{doubt}; Sinch is asked"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::FirstNews(said) => write!(f, "first news of this order: {said}"),
            Doubt::UnknownStatus(said) => write!(f, "unknown status {said}"),
            Doubt::NoTime(said) => write!(f, "{said} without a readable time stamp"),
            Doubt::Stale {
                said,
                known,
                known_at,
            } => write!(f, "stale: {said}, but {known} is known since {known_at}"),
            Doubt::Illegal { from, to } => {
                write!(f, "out of order: {to} does not follow {from}")
            }
            Doubt::Final { known, said } => {
                write!(f, "{said} after {known}, which is final and confirmed")
            }
        }
    }
}

/// What looking at a batch of events came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The order afterwards.
    pub order: Order,
    /// What each event meant, in the order in which they were given.
    pub decisions: Vec<Decision>,
    /// The provisional moves, in the order in which they happened.
    pub transitions: Vec<Transition>,
}

/// Weighs all events that wait for an order.
///
/// They are taken in the order of their time stamps, so that two that merely overtook each other on
/// the way both fit; those without a readable one come last.
pub fn look(order: &Order, events: &[Event], now: Time, rule: &Rule) -> Look {
    let mut order = order.clone();
    let mut transitions = Vec::new();
    let mut decisions: Vec<Option<Decision>> = vec![None; events.len()];
    let mut by_time: Vec<usize> = (0..events.len()).collect();
    by_time.sort_by_key(|&i| (events[i].said_at.is_none(), events[i].said_at));
    for i in by_time {
        let decision = decide(&order, &events[i]);
        transitions.extend(apply(&mut order, &events[i], &decision));
        if !matches!(decision, Decision::Agrees(_)) {
            let settles_at = remember(&mut order, &events[i], rule);
            let wanted_at = if decision.is_urgent() {
                now
            } else {
                settles_at.max(now)
            };
            want_answer(&mut order, wanted_at, now, rule);
        } else if order.parked.is_some() {
            // It claims nothing new, but it proves that Sinch knows the order.
            want_answer(&mut order, now, now, rule);
        }
        decisions[i] = Some(decision);
    }
    Look {
        order,
        decisions: decisions.into_iter().flatten().collect(),
        transitions,
    }
}

/// What one event means.
fn decide(order: &Order, event: &Event) -> Decision {
    let said = match &event.status {
        Status::Known(state) => *state,
        Status::Unknown(_) => return Decision::Ask(Doubt::UnknownStatus(event.status.clone())),
    };
    let newer =
        |provisional: &&Provisional| event.said_at.is_some_and(|at| at > provisional.said_at);
    let overtakes = order.provisional.as_ref().filter(newer);
    if let Some(provisional) = overtakes
        && provisional.state.may_become(said)
    {
        return Decision::Fits {
            from: provisional.state,
            to: said,
        };
    }
    if let Some(confirmed) = &order.confirmed {
        // Newer than a provisional state it says that the order came back, which nobody has confirmed.
        if confirmed.state == said && overtakes.is_none() {
            return Decision::Agrees(said);
        }
        if confirmed.state.is_final() {
            return Decision::Ask(Doubt::Final {
                known: confirmed.state,
                said,
            });
        }
    }
    let (known, known_at) = match (&order.provisional, &order.confirmed) {
        (Some(provisional), _) => (provisional.state, provisional.said_at),
        (None, Some(confirmed)) => (confirmed.state, confirmed.updated_at),
        (None, None) => return Decision::Ask(Doubt::FirstNews(said)),
    };
    if known == said {
        return Decision::Repeats(said);
    }
    match event.said_at {
        None => Decision::Ask(Doubt::NoTime(said)),
        Some(said_at) if said_at <= known_at => Decision::Ask(Doubt::Stale {
            said,
            known,
            known_at,
        }),
        Some(_) if !known.may_become(said) => Decision::Ask(Doubt::Illegal {
            from: known,
            to: said,
        }),
        Some(_) => Decision::Fits {
            from: known,
            to: said,
        },
    }
}

/// Moves the provisional state where the decision says so.
fn apply(order: &mut Order, event: &Event, decision: &Decision) -> Option<Transition> {
    let to = match decision {
        Decision::Fits { to, .. } => *to,
        Decision::Ask(Doubt::FirstNews(said)) => *said,
        Decision::Agrees(_)
        | Decision::Repeats(_)
        | Decision::Ask(
            Doubt::UnknownStatus(_)
            | Doubt::NoTime(_)
            | Doubt::Stale { .. }
            | Doubt::Illegal { .. }
            | Doubt::Final { .. },
        ) => return None,
    };
    let said_at = event.said_at?;
    let from = order.state();
    order.provisional = Some(Provisional { state: to, said_at });
    Some(Transition {
        from,
        to,
        confirmed: false,
        said_at,
        cause: "an event says so".to_owned(),
    })
}

/// Keeps the event's claim until an answer settles it; returns from when on one ought to.
fn remember(order: &mut Order, event: &Event, rule: &Rule) -> Time {
    let state = event.status.known();
    let mut claim = Hint {
        state,
        said_at: event.said_at,
        heard_at: event.received_at,
    };
    // Who says it again, and newly, says more than the doubt that is left of it.
    order.doubts.retain(|doubt| doubt.state != state);
    let settles_at = claim.settles_at(rule);
    match order.hints.iter_mut().find(|hint| hint.state == state) {
        Some(hint) => {
            claim.said_at = claim
                .said_at
                .zip(hint.said_at)
                .map(|(one, other)| one.max(other));
            claim.heard_at = claim.heard_at.max(hint.heard_at);
            *hint = claim;
        }
        None => order.hints.push(claim),
    }
    settles_at
}

/// Makes the order due for an answer at `wanted_at`, without letting a storm of events ask more than once
/// in every [`Rule::cooldown`], or cut a back-off short.
fn want_answer(order: &mut Order, wanted_at: Time, now: Time, rule: &Rule) {
    if order.parked.take().is_some() {
        order.attempts = 0;
        order.ask_at = None;
    }
    let soon = match order.asked_at {
        // Not later than now: the clock may have been set back since.
        Some(asked_at) => wanted_at.max(asked_at.min(now).plus(rule.cooldown)),
        None => wanted_at,
    };
    order.ask_at = Some(match order.ask_at {
        Some(backing_off) if order.attempts > 0 => backing_off,
        Some(planned) => planned.min(soon),
        None => soon,
    });
}
