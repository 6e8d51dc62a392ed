//! Time by which an order must be over if the outcome of its create is not known.

use std::time::Duration;

use super::Time;

/// Longest time for which Sinch reserves the numbers of an order that is not submitted (documented: 30 minutes to 48
/// hours).
const RESERVATION_MAX: Duration = Duration::from_secs(48 * 3600);

/// Allowance for the time that a create and a callback are on their way, and for the difference between the two clocks.
const CALLBACK_DELAY_MAX: Duration = Duration::from_secs(3600);

/// Returns the time after which nothing will be heard any more of an order whose create has no known outcome, given the
/// time at which the create was written down: by then its reservation has run out, and a callback that says so has
/// come. Only an order that Sinch completes without a submit is not over by then.
pub fn lost_order_ends_at(begun_at: Time) -> Time {
    begun_at.plus(RESERVATION_MAX + CALLBACK_DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_order_ends_after_the_longest_reservation() {
        let begun_at = Time(7);
        let waited = lost_order_ends_at(begun_at).since(begun_at);
        assert!(waited > RESERVATION_MAX, "{waited:?}");
        assert!(waited < RESERVATION_MAX * 2, "{waited:?}");
    }
}
