//! Signals about the whole project in failed attempts: Sinch asks to be left alone, or it refuses the access key.
//!
//! Pure. A gateway may give such a signal for one order and answer for all others. So the signal counts for that order.
//! It counts for the project once orders picked at random get the same signal, one after the other and none of them
//! answered. Only a signal from the token endpoint is believed at once, because a token is for all orders.

use std::time::Duration;

use crate::sinch::FetchError;
use number_order::{Endpoint, NoAnswer};

/// Minimum number of orders that must get a signal about the project, one after the other, before it is believed.
const SIGNALS_MIN: u32 = 3;

/// Maximum number of orders that must get a signal about the project before it is believed, however many got it alone.
const SIGNALS_MAX: u32 = 9;

/// Fetch that brought no usable answer.
#[derive(Clone, Debug)]
pub(super) struct FailedFetch {
    /// Reason why the fetch brought no usable answer.
    pub reason: NoAnswer,
    /// Time for which Sinch asks to be left alone.
    pub retry_after: Option<Duration>,
    /// `true` if Sinch refused the access key.
    pub refused: bool,
    /// `true` if the failure is of a kind that can concern a single order.
    pub of_order: bool,
    /// `true` if the request for a token failed, and not the request for an order.
    pub of_token: bool,
}

impl FailedFetch {
    /// Returns the failure of a project of which Sinch has never shown an order, and knows none of those that were
    /// fetched.
    pub fn none_known(orders: usize) -> FailedFetch {
        FailedFetch {
            reason: NoAnswer::NoneKnown { orders },
            retry_after: None,
            refused: false,
            of_order: false,
            of_token: false,
        }
    }

    /// Returns `true` if the failure is a signal about the whole project: Sinch asks to be left alone, or refuses the
    /// key.
    pub fn of_project(&self) -> bool {
        self.refused || self.retry_after.is_some()
    }

    /// Returns what the failure signals about the project, as far as it is believed at once.
    pub fn signal(&self) -> Signal {
        if self.of_project() {
            Signal::Pause(self.retry_after)
        } else {
            Signal::Failure
        }
    }
}

impl From<&FetchError> for FailedFetch {
    fn from(error: &FetchError) -> FailedFetch {
        FailedFetch {
            reason: error.reason.clone(),
            retry_after: error.retry_after,
            refused: error.is_refused(),
            of_order: error.is_of_order(),
            of_token: error.endpoint() == Endpoint::Token,
        }
    }
}

/// Effect of a failure on the circuit, as far as its signal is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// The failure counts as one more in a row.
    Failure,
    /// The circuit should open, since one order got a signal again and no other is due.
    PauseForOne,
    /// The circuit must open, for the time that Sinch asks for, if it asks for any.
    Pause(Option<Duration>),
}

/// Signals about the project that orders got since the last answer.
#[derive(Debug, Default)]
pub(super) struct ProjectSignals {
    /// `true` if any order got a signal about the project.
    doubted: bool,
    /// Number of orders that got a signal about the project, one after the other.
    count: u32,
    /// Shortest wait that Sinch gave the orders that got a signal; `None` if one of them was given no time.
    wait: Option<Duration>,
}

impl ProjectSignals {
    /// Returns `true` if further fetches must show that other orders get the same signal, or do not.
    pub fn in_doubt(&self) -> bool {
        self.doubted
    }

    /// Records that an order that was not known to fail got a signal. `alone`: number of orders that got a signal while
    /// others were answered. For each of them one more order must get it, so that many such orders are not taken for
    /// all orders.
    pub fn record(&mut self, wait: Option<Duration>, alone: u32) -> Signal {
        let needed = (SIGNALS_MIN + alone).min(SIGNALS_MAX);
        self.doubted = true;
        self.count += 1;
        if self.count > needed {
            return Signal::Pause(wait);
        }
        self.wait = if self.count == 1 {
            wait
        } else {
            self.wait.zip(wait).map(|(all, this)| all.min(this))
        };
        if self.count == needed {
            Signal::Pause(self.wait)
        } else {
            Signal::Failure
        }
    }

    /// Records that an order failed without a signal about the project.
    pub fn record_other_failure(&mut self) {
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Option<Duration> {
        Some(Duration::from_secs(secs))
    }

    #[test]
    fn three_in_a_row_are_believed_for_as_long_as_all_of_them_say() {
        for (waits, pause) in [
            ([secs(30), secs(30), secs(30)], secs(30)),
            ([secs(3600), secs(2), secs(900)], secs(2)),
            ([None, secs(3600), secs(3600)], None),
            ([None, None, None], None),
        ] {
            let mut signals = ProjectSignals::default();
            assert_eq!(signals.record(waits[0], 0), Signal::Failure);
            assert!(signals.in_doubt());
            assert_eq!(signals.record(waits[1], 0), Signal::Failure);
            assert_eq!(
                signals.record(waits[2], 0),
                Signal::Pause(pause),
                "{waits:?}"
            );
            assert_eq!(signals.record(secs(500), 0), Signal::Pause(secs(500)));
        }
    }

    #[test]
    fn another_failure_between_them_restarts_the_count_but_ends_no_doubt() {
        let mut signals = ProjectSignals::default();
        for n in 0..20 {
            assert_eq!(signals.record(secs(3600), 0), Signal::Failure, "{n}");
            if n % 2 == 1 {
                signals.record_other_failure();
            }
            assert!(signals.in_doubt());
        }
    }

    #[test]
    fn each_order_that_got_a_signal_alone_raises_the_number_that_is_needed() {
        for (alone, needed) in [(0, 3), (1, 4), (6, 9), (7, 9), (256, 9)] {
            let mut all = ProjectSignals::default();
            let signals: Vec<Signal> = (0..needed).map(|_| all.record(None, alone)).collect();
            let (last, before) = signals.split_last().expect("some");
            assert!(
                before.iter().all(|signal| *signal == Signal::Failure),
                "{alone}"
            );
            assert_eq!(*last, Signal::Pause(None), "{alone}");
        }
    }
}
