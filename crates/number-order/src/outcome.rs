//! Outcome of applying Sinch's answer to an order, with its code and its sentence.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{State, Status};

/// Outcome of applying Sinch's answer to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// The answer is the first one for the order.
    FirstAnswer {
        /// The order's state, which the answer confirms.
        state: State,
    },
    /// The answer shows a newer state of the order.
    Advanced {
        /// Confirmed state of the order before the answer.
        from: State,
        /// Confirmed state of the order after the answer.
        to: State,
        /// `true` if no sequence of legal steps leads from the one state to the other.
        anomaly: bool,
    },
    /// The answer shows the state that was confirmed before, updated since.
    Refreshed {
        /// The order's confirmed state.
        state: State,
    },
    /// The answer shows the state that was confirmed before, not updated since.
    Unchanged {
        /// The order's confirmed state.
        state: State,
    },
    /// The answer shows an older state than the known one: it is stale, and is not applied.
    Older {
        /// The confirmed state, which the answer does not change.
        known: State,
        /// State that the answer shows, which is not applied.
        shown: State,
    },
    /// The answer shows a state with an older `updateTime` than the known one, and cannot be that stale. So the known
    /// `updateTime` was wrong, and the answer is applied.
    Redated {
        /// Confirmed state of the order before the answer.
        from: State,
        /// Confirmed state of the order after the answer.
        to: State,
    },
    /// The answer has an `updateTime` so far ahead that it cannot be right: it is not applied.
    Ahead {
        /// State that the answer shows, which is not applied.
        shown: State,
        /// Number of whole seconds by which the `updateTime` is ahead.
        by_secs: u64,
    },
    /// The answer shows another state with the same `updateTime` as the confirmed one: it is not applied until it is
    /// known which came last.
    Tied {
        /// The confirmed state, which does not change for now.
        known: State,
        /// State that the answer shows, which is not applied for now.
        shown: State,
    },
    /// The answer shows a state that is none of the documented ones: the outcome keeps the word, and no rule applies
    /// it.
    UnknownState {
        /// The answer's word for the order's state.
        shown: Status,
    },
    /// Sinch answered 404 for an order that ought to be there.
    NotFound,
    /// Sinch answered 404 for an order whose final state is known.
    Gone {
        /// The order's final state, which the answer does not change.
        state: State,
    },
    /// Sinch answered 404, twice, for an order that had to expire: Sinch may forget what expired.
    ExpiredUnseen,
}

impl Outcome {
    /// Returns the code of the outcome of applying the answer.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns `true` if the answer told the order's state. An answer that did not counts as a failed attempt.
    pub fn is_conclusive(&self) -> bool {
        match self {
            Outcome::FirstAnswer { .. }
            | Outcome::Advanced { .. }
            | Outcome::Refreshed { .. }
            | Outcome::Unchanged { .. }
            | Outcome::Redated { .. }
            | Outcome::Tied { .. }
            | Outcome::Gone { .. }
            | Outcome::ExpiredUnseen => true,
            Outcome::Older { .. }
            | Outcome::Ahead { .. }
            | Outcome::UnknownState { .. }
            | Outcome::NotFound => false,
        }
    }

    /// Returns the state that is confirmed by the answer, also if it was before; `None` if the answer confirms none.
    pub fn confirmed(&self) -> Option<State> {
        match self {
            Outcome::FirstAnswer { state }
            | Outcome::Refreshed { state }
            | Outcome::Unchanged { state }
            | Outcome::Gone { state }
            | Outcome::Advanced { to: state, .. }
            | Outcome::Redated { to: state, .. } => Some(*state),
            Outcome::ExpiredUnseen => Some(State::Expired),
            Outcome::Older { .. }
            | Outcome::Ahead { .. }
            | Outcome::Tied { .. }
            | Outcome::UnknownState { .. }
            | Outcome::NotFound => None,
        }
    }

    /// Returns `true` if the answer changes the confirmed state of the order.
    pub fn is_change(&self) -> bool {
        match self {
            Outcome::FirstAnswer { .. } | Outcome::Advanced { .. } | Outcome::ExpiredUnseen => true,
            Outcome::Redated { from, to } => from != to,
            Outcome::Refreshed { .. }
            | Outcome::Unchanged { .. }
            | Outcome::Gone { .. }
            | Outcome::Older { .. }
            | Outcome::Ahead { .. }
            | Outcome::Tied { .. }
            | Outcome::UnknownState { .. }
            | Outcome::NotFound => false,
        }
    }

    /// Returns `true` if an operator should learn of the answer because it ought not to happen.
    pub fn is_anomaly(&self) -> bool {
        match self {
            Outcome::Advanced { anomaly, .. } => *anomaly,
            Outcome::Redated { .. } | Outcome::Ahead { .. } | Outcome::UnknownState { .. } => true,
            Outcome::FirstAnswer { .. }
            | Outcome::Refreshed { .. }
            | Outcome::Unchanged { .. }
            | Outcome::Older { .. }
            | Outcome::Tied { .. }
            | Outcome::NotFound
            | Outcome::Gone { .. }
            | Outcome::ExpiredUnseen => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::FirstAnswer { state } => write!(f, "Sinch shows {state}: confirmed"),
            Outcome::Advanced { from, to, anomaly } => {
                write!(f, "Sinch shows {to}: confirmed after {from}")?;
                if *anomaly && from.is_final() {
                    write!(f, "; a final state was re-opened")
                } else if *anomaly {
                    write!(f, "; no legal step leads there")
                } else {
                    Ok(())
                }
            }
            Outcome::Refreshed { state } => write!(f, "Sinch still shows {state}, updated since"),
            Outcome::Unchanged { state } => write!(f, "Sinch still shows {state}"),
            Outcome::Older { known, shown } => {
                write!(
                    f,
                    "Sinch's answer {shown} is older than the known {known}: not applied"
                )
            }
            Outcome::Redated { from, to } => write!(
                f,
                "Sinch shows {to}, and its update time is older than that of the known {from}, which was wrong: confirmed"
            ),
            Outcome::Ahead { shown, by_secs } => write!(
                f,
                "Sinch's answer {shown} has an update time {by_secs} s ahead: not applied; is this machine's clock right?"
            ),
            Outcome::Tied { known, shown } => write!(
                f,
                "Sinch shows {shown} with the same update time as {known}: applied if it still does when the order of the two is sure"
            ),
            Outcome::UnknownState { shown } => {
                write!(f, "Sinch shows the unknown state {shown}: not applied")
            }
            Outcome::NotFound => write!(f, "Sinch does not know the order (404)"),
            Outcome::Gone { state } => {
                write!(f, "Sinch no longer shows the order (404); {state} stands")
            }
            Outcome::ExpiredUnseen => {
                write!(
                    f,
                    "Sinch no longer shows the order (404) after it had to expire: EXPIRED"
                )
            }
        }
    }
}
