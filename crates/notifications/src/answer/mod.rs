//! What a target's answer, or its absence, means for an attempt.

mod failure;

pub use failure::{Awaited, DeliveryFailure};

use std::time::Duration;

/// Outcome of an attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The target has taken the event.
    Delivered,
    /// The target has not taken the event; another attempt may succeed.
    Failed {
        /// Reason for which the attempt failed.
        failure: DeliveryFailure,
        /// Wait that the target asked for at least, if it did: what [`retry_after`](crate::retry_after) reads.
        retry_after: Option<Duration>,
    },
    /// The target wants no more events: it is to be switched off until an operator switches it on.
    Gone,
}

impl Attempt {
    /// Returns what a status means, and with it the wait that the answer asks for. Redirects are not followed: the one
    /// who answers could lead the program anywhere.
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Attempt {
        match status {
            200..=299 => Attempt::Delivered,
            410 => Attempt::Gone,
            300..=399 => DeliveryFailure::Redirected { status }.into(),
            _ => Attempt::Failed {
                failure: DeliveryFailure::Refused { status },
                retry_after,
            },
        }
    }

    /// Returns what the end of a command means; `None`: it did not exit by itself, and `signal` ended it.
    pub fn of_exit(code: Option<i32>, signal: Option<i32>) -> Attempt {
        match code {
            Some(0) => Attempt::Delivered,
            Some(code) => DeliveryFailure::Exit { code }.into(),
            None => DeliveryFailure::Killed { signal }.into(),
        }
    }

    /// Returns the code of the outcome: `delivered`, `gone`, or that of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Attempt::Delivered => "delivered",
            Attempt::Failed { failure, .. } => failure.code(),
            Attempt::Gone => "gone",
        }
    }
}

/// Makes a failure the outcome of an attempt whose target asked for no wait.
impl From<DeliveryFailure> for Attempt {
    fn from(failure: DeliveryFailure) -> Attempt {
        Attempt::Failed {
            failure,
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_decides() {
        let minute = Some(Duration::from_secs(60));
        for (status, code, asked) in [
            (200, "delivered", None),
            (204, "delivered", None),
            (299, "delivered", None),
            (301, "redirected", None),
            (304, "redirected", None),
            (308, "redirected", None),
            (400, "refused", minute),
            (401, "refused", minute),
            (404, "refused", minute),
            (410, "gone", None),
            (429, "refused", minute),
            (500, "refused", minute),
            (503, "refused", minute),
            (599, "refused", minute),
            (101, "refused", minute),
            (999, "refused", minute),
        ] {
            let attempt = Attempt::of_status(status, minute);
            assert_eq!(attempt.code(), code, "{status}");
            let heeded = match attempt {
                Attempt::Failed { retry_after, .. } => retry_after,
                Attempt::Delivered | Attempt::Gone => None,
            };
            assert_eq!(heeded, asked, "{status}");
        }
    }

    #[test]
    fn the_end_of_a_command_decides() {
        for (code, signal, expected) in [
            (Some(0), None, "delivered"),
            (Some(1), None, "exit"),
            (Some(-1), None, "exit"),
            (None, Some(9), "killed"),
            (None, None, "killed"),
        ] {
            assert_eq!(Attempt::of_exit(code, signal).code(), expected);
        }
    }
}
