//! The meaning of Sinch's events for an order.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{Cause, Event, Hint, Order, Policy, Provisional, State, Status, Time, Transition};

/// Decision about one event: what it means for its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Decision {
    /// The event says what Sinch has already confirmed.
    Agrees {
        /// The confirmed state, which the event claims too.
        state: State,
    },
    /// The event says what other events have already claimed.
    AlreadyClaimed {
        /// The state that the event claims, as an earlier one does.
        state: State,
    },
    /// The event is newer than what is known, and a legal step: the provisional state moves at once.
    Fits {
        /// The order's state before the event.
        from: State,
        /// The state that the event claims.
        to: State,
    },
    /// No state of the order is known yet. The claim stands provisionally if the event has a readable time stamp that
    /// orders it, and a fetch decides.
    FirstEvent {
        /// The state that the event claims.
        said: State,
    },
    /// The status is none of the documented ones: a fetch decides.
    UnknownStatus {
        /// The event's word for the state.
        said: Status,
    },
    /// The time stamp is missing or unreadable, so nothing says whether the event is newer: a fetch decides.
    NoTimeStamp {
        /// The state that the event claims.
        said: State,
    },
    /// The event is not newer than what is known: a fetch decides.
    Stale {
        /// The state that the event claims.
        said: State,
        /// The order's state before the event.
        known: State,
        /// Time of the known state, by Sinch's clock.
        known_at: Time,
    },
    /// The event is newer than what is known, but no legal step: a fetch decides.
    OutOfOrder {
        /// The state that the event claims.
        said: State,
        /// The order's state before the event.
        known: State,
    },
    /// A final state is never left because of an event alone: a fetch decides.
    AfterFinal {
        /// The state that the event claims.
        said: State,
        /// The order's final state, which is confirmed.
        known: State,
    },
}

impl Decision {
    /// Returns the code of the decision about the event.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns `true` if the event cannot be taken at its word, so that only a fetch decides.
    pub fn needs_fetch(&self) -> bool {
        match self {
            Decision::Agrees { .. } | Decision::AlreadyClaimed { .. } | Decision::Fits { .. } => {
                false
            }
            Decision::FirstEvent { .. }
            | Decision::UnknownStatus { .. }
            | Decision::NoTimeStamp { .. }
            | Decision::Stale { .. }
            | Decision::OutOfOrder { .. }
            | Decision::AfterFinal { .. } => true,
        }
    }

    /// Returns `true` if a fetch is due at once: the event may say how the order ends, or be all that is known of it.
    /// Any other fetch can wait until one answer is sure to settle the claim.
    fn is_urgent(&self) -> bool {
        match self {
            Decision::FirstEvent { .. } => true,
            Decision::Fits { to: said, .. }
            | Decision::OutOfOrder { said, .. }
            | Decision::NoTimeStamp { said }
            | Decision::AfterFinal { said, .. } => said.is_final(),
            Decision::Agrees { .. }
            | Decision::AlreadyClaimed { .. }
            | Decision::UnknownStatus { .. }
            | Decision::Stale { .. } => false,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::Agrees { state } => write!(f, "agrees with Sinch: {state} is confirmed"),
            Decision::AlreadyClaimed { state } => {
                write!(f, "duplicates {state}, which waits for confirmation")
            }
            Decision::Fits { from, to } => {
                write!(
                    f,
                    "fits: {from} → {to}, provisional until Sinch confirms it"
                )
            }
            Decision::FirstEvent { said } => write!(f, "first event of this order: {said}"),
            Decision::UnknownStatus { said } => write!(f, "unknown status {said}"),
            Decision::NoTimeStamp { said } => write!(f, "{said} without a readable time stamp"),
            Decision::Stale {
                said,
                known,
                known_at,
            } => write!(f, "stale: {said}, but {known} is known since {known_at}"),
            Decision::OutOfOrder { said, known } => {
                write!(f, "out of order: {said} does not follow {known}")
            }
            Decision::AfterFinal { said, known } => {
                write!(f, "{said} after {known}, which is final and confirmed")
            }
        }?;
        if self.needs_fetch() {
            write!(f, "; a fetch decides")
        } else {
            Ok(())
        }
    }
}

/// Result of applying a batch of events to one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsApplied {
    /// The order after the events.
    pub order: Order,
    /// Decision about each event, in the order in which the events were given.
    pub decisions: Vec<Decision>,
    /// Changes of the order's provisional state, in the order in which they happened.
    pub transitions: Vec<Transition>,
}

/// Applies all events that are pending for an order.
///
/// They are applied in the order of their time stamps, so that two events fit that merely overtook each other on the
/// way. Events without a readable time stamp come last.
pub fn apply_events(order: &Order, events: &[Event], now: Time, policy: &Policy) -> EventsApplied {
    let mut order = order.clone();
    let mut transitions = Vec::new();
    let mut decisions: Vec<Option<Decision>> = vec![None; events.len()];
    let mut by_time: Vec<usize> = (0..events.len()).collect();
    by_time.sort_by_key(|&i| (events[i].said_at.is_none(), events[i].said_at));
    for i in by_time {
        let decision = decide(&order, &events[i]);
        transitions.extend(apply_decision(&mut order, &events[i], &decision));
        if !matches!(decision, Decision::Agrees { .. }) {
            let settles_at = record_hint(&mut order, &events[i], policy);
            let wanted_at = if decision.is_urgent() {
                now
            } else {
                settles_at.max(now)
            };
            schedule_fetch(&mut order, wanted_at, now, policy);
        } else if order.parked.is_some() {
            // The event claims nothing new, but it proves that Sinch knows the order.
            schedule_fetch(&mut order, now, now, policy);
        }
        decisions[i] = Some(decision);
    }
    EventsApplied {
        order,
        decisions: decisions.into_iter().flatten().collect(),
        transitions,
    }
}

/// Decides what an event means for its order.
fn decide(order: &Order, event: &Event) -> Decision {
    let said = match &event.status {
        Status::Known(state) => *state,
        Status::Unknown(_) => {
            return Decision::UnknownStatus {
                said: event.status.clone(),
            };
        }
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
        // An event newer than the provisional state says that the order came back, which no answer has confirmed.
        if confirmed.state == said && overtakes.is_none() {
            return Decision::Agrees { state: said };
        }
        if confirmed.state.is_final() {
            return Decision::AfterFinal {
                said,
                known: confirmed.state,
            };
        }
    }
    let (known, known_at) = match (&order.provisional, &order.confirmed) {
        (Some(provisional), _) => (provisional.state, provisional.said_at),
        (None, Some(confirmed)) => (confirmed.state, confirmed.updated_at),
        (None, None) => return Decision::FirstEvent { said },
    };
    if known == said {
        return Decision::AlreadyClaimed { state: said };
    }
    match event.said_at {
        None => Decision::NoTimeStamp { said },
        Some(said_at) if said_at <= known_at => Decision::Stale {
            said,
            known,
            known_at,
        },
        Some(_) if !known.may_become(said) => Decision::OutOfOrder { said, known },
        Some(_) => Decision::Fits {
            from: known,
            to: said,
        },
    }
}

/// Changes the order's provisional state where the decision about an event says so.
fn apply_decision(order: &mut Order, event: &Event, decision: &Decision) -> Option<Transition> {
    let to = match decision {
        Decision::Fits { to, .. } => *to,
        Decision::FirstEvent { said } => *said,
        Decision::Agrees { .. }
        | Decision::AlreadyClaimed { .. }
        | Decision::UnknownStatus { .. }
        | Decision::NoTimeStamp { .. }
        | Decision::Stale { .. }
        | Decision::OutOfOrder { .. }
        | Decision::AfterFinal { .. } => return None,
    };
    let said_at = event.said_at?;
    let from = order.state();
    order.provisional = Some(Provisional { state: to, said_at });
    Some(Transition {
        from,
        to,
        confirmed: false,
        said_at,
        cause: Cause::Event,
    })
}

/// Records the event's claim until an answer settles it. Returns the earliest send time of a fetch whose answer ought
/// to settle it.
fn record_hint(order: &mut Order, event: &Event, policy: &Policy) -> Time {
    let state = event.status.known();
    let mut claim = Hint {
        state,
        said_at: event.said_at,
        heard_at: event.received_at,
    };
    // A new event that repeats a claim in doubt says more than the doubt does.
    order.doubts.retain(|doubt| doubt.state != state);
    let settles_at = claim.settles_at(policy);
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

/// Schedules a fetch at `wanted_at`. A storm of events causes no more than one fetch in every [`Policy::cooldown`], and
/// does not cut a back-off short.
fn schedule_fetch(order: &mut Order, wanted_at: Time, now: Time, policy: &Policy) {
    if order.parked.take().is_some() {
        order.attempts = 0;
        order.fetch_at = None;
    }
    let soon = match order.fetched_at {
        // The last fetch counts as sent no later than now: the clock may have been set back since.
        Some(fetched_at) => wanted_at.max(fetched_at.min(now).plus(policy.cooldown)),
        None => wanted_at,
    };
    order.fetch_at = Some(match order.fetch_at {
        Some(backing_off) if order.attempts > 0 => backing_off,
        Some(planned) => planned.min(soon),
        None => soon,
    });
}
