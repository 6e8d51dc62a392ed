//! Rate limits of the projects' fetches. They are kept in memory, since one process has the file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::Rate;
use number_order::{Id, Time};

/// Earliest time of the next fetch of each project, by the project's rate. After a pause it lies in the past, and the
/// fetches missed since then, up to the rate's burst, may be caught up on.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates(Arc<Mutex<BTreeMap<Id, Time>>>);

impl Rates {
    /// Takes the fetches that a project's rate allows now, `wanted` at most. If there is none, returns the time at which
    /// there is one.
    pub fn take(&self, project: &Id, rate: Rate, wanted: u32, now: Time) -> Result<u32, Time> {
        let mut next = self.lock_times();
        let next_at = next.entry(project.clone()).or_insert(Time(i64::MIN));
        let (allowed, from) = rate.allowed(*next_at, wanted, now);
        *next_at = from.plus(rate.interval * allowed);
        if allowed == 0 && wanted > 0 {
            Err(from.plus(rate.interval))
        } else {
            Ok(allowed)
        }
    }

    /// Releases fetches that were taken from a project's rate and not sent.
    pub fn release(&self, project: &Id, rate: Rate, unused: u32) {
        if let Some(next_at) = self.lock_times().get_mut(project) {
            *next_at = next_at.minus(rate.interval * unused);
        }
    }

    /// Locks the map of the projects' times. A panic elsewhere cannot leave the map half written.
    fn lock_times(&self) -> MutexGuard<'_, BTreeMap<Id, Time>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn project() -> Id {
        Id::new("p").expect("an id")
    }

    fn rate(interval_ms: u64, burst: u32) -> Rate {
        Rate {
            interval: Duration::from_millis(interval_ms),
            burst,
        }
    }

    fn ms(ms: i64) -> Time {
        Time(1_780_000_000_000_000 + ms * 1000)
    }

    #[test]
    fn no_more_at_once_than_the_burst_and_then_one_each_interval() {
        let rates = Rates::default();
        let take = |wanted, at| rates.take(&project(), rate(50, 2), wanted, ms(at));
        assert_eq!(take(3, 0), Ok(2));
        assert_eq!(take(3, 0), Err(ms(50)));
        assert_eq!(take(3, 49), Err(ms(50)));
        assert_eq!(take(3, 50), Ok(1));
        assert_eq!(take(1, 120), Ok(1), "the other half of the interval counts");
        assert_eq!(take(3, 150), Ok(1));
        assert_eq!(take(3, 9000), Ok(2));
    }

    #[test]
    fn over_time_the_rate_is_kept_and_used() {
        let rates = Rates::default();
        let (mut now, mut taken) = (ms(0), 0);
        while now < ms(1_000_000) {
            match rates.take(&project(), rate(200, 1), 4, now) {
                Ok(allowed) => taken += allowed,
                Err(until) => now = until,
            }
        }
        assert!((4990..=5001).contains(&taken), "{taken}");
    }

    #[test]
    fn what_was_not_sent_is_allowed_again_and_no_more() {
        let rates = Rates::default();
        let take = |wanted, at| rates.take(&project(), rate(50, 4), wanted, ms(at));
        assert_eq!(take(4, 0), Ok(4));
        rates.release(&project(), rate(50, 4), 3);
        assert_eq!(take(4, 0), Ok(3));
        rates.release(&project(), rate(50, 4), 3);
        assert_eq!(take(9, 9000), Ok(4), "a pause allows no more than a burst");
    }

    #[test]
    fn projects_have_rates_of_their_own_and_a_clock_that_is_set_back_stops_none() {
        let rates = Rates::default();
        let other = Id::new("other").expect("an id");
        assert_eq!(rates.take(&project(), rate(50, 1), 1, ms(90_000)), Ok(1));
        assert_eq!(rates.take(&other, rate(50, 1), 1, ms(90_000)), Ok(1));
        assert_eq!(rates.take(&project(), rate(50, 1), 1, ms(0)), Ok(1));
    }
}
