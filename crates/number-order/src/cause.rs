//! Causes: why a state changed, and why an order is parked.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{FetchOutcome, Outcome, counted};

/// Cause of a change of an order's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Cause {
    /// An event claims the new state.
    Event,
    /// An answer shows the new state.
    Answer {
        /// Outcome of applying the answer.
        outcome: Outcome,
    },
    /// An answer overrules the state that an event claimed.
    EventOverruled {
        /// Outcome of applying the answer.
        outcome: Outcome,
    },
}

impl Cause {
    /// Returns the code of the cause for which the state changed.
    pub fn code(&self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Event => f.write_str("an event says so"),
            Cause::Answer { outcome } => outcome.fmt(f),
            Cause::EventOverruled { outcome } => {
                write!(f, "{outcome}, late enough to overrule the event")
            }
        }
    }
}

/// Reason why an order is parked (dead-lettered).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ParkReason {
    /// All permitted attempts were used up, and none brought a usable answer.
    AttemptsUsedUp {
        /// Number of attempts in a row that brought no usable answer.
        attempts: u32,
        /// Outcome of the last fetch attempt.
        last: FetchOutcome,
    },
    /// The order's row in the database cannot be read or written.
    RowAtFault {
        /// Fault of the order's row, in words.
        fault: String,
    },
}

impl ParkReason {
    /// Returns the code of the reason why the order is parked.
    pub fn code(&self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for ParkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParkReason::AttemptsUsedUp { attempts, last } => {
                let attempts = counted((*attempts).into(), "attempt", "attempts");
                write!(f, "gave up after {attempts}: {last}")
            }
            ParkReason::RowAtFault { fault } => f.write_str(fault),
        }
    }
}
