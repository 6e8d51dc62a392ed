//! Reason why a step of a placement was not taken.

use std::fmt;
use std::time::Duration;

use number_order::StepOutcome;
use sinch_numbers::api::{CallError, Repeat};

use super::patience::Failing;
use crate::commands::command_error::CommandError;

/// Reason why a step was not taken.
#[derive(Debug)]
pub(in crate::commands::order) enum StepError {
    /// Its call has failed.
    Call(CallError),
    /// The order has left the state for which the step was meant, so its call was not made, or not repeated.
    MovedOn {
        /// Outcome of the step: what became of the calls before that was seen.
        outcome: StepOutcome,
    },
    /// Something else that the step needs has failed.
    Other(CommandError),
}

impl StepError {
    /// Returns the outcome of a step whose calls ended with the error.
    pub fn outcome(&self) -> StepOutcome {
        match self {
            StepError::Call(error) if error.repeat() == Repeat::Forbidden => StepOutcome::Refused,
            StepError::MovedOn { outcome } => *outcome,
            StepError::Call(_) | StepError::Other(_) => StepOutcome::Unknown,
        }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepError::Call(error) => error.fmt(f),
            StepError::MovedOn { .. } => {
                f.write_str("the order has changed its state meanwhile: run the same command again")
            }
            StepError::Other(error) => error.fmt(f),
        }
    }
}

impl Failing for StepError {
    fn is_passing(&self) -> bool {
        match self {
            StepError::Call(error) => error.is_passing(),
            StepError::MovedOn { .. } | StepError::Other(_) => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            StepError::Call(error) => error.retry_after(),
            StepError::MovedOn { .. } | StepError::Other(_) => None,
        }
    }
}

impl From<CallError> for StepError {
    fn from(error: CallError) -> StepError {
        StepError::Call(error)
    }
}

impl From<CommandError> for StepError {
    fn from(error: CommandError) -> StepError {
        StepError::Other(error)
    }
}

impl From<StepError> for CommandError {
    fn from(error: StepError) -> CommandError {
        match error {
            StepError::Call(error) => error.into(),
            StepError::MovedOn { .. } => CommandError::failure(error.to_string()),
            StepError::Other(error) => error,
        }
    }
}
