//! Rate limit of a project's fetches. Pure but for what it counts, like [`super::scheduler`].

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use number_order::Time;

/// Rate limit of one fetch each `1 / per_second`, with room to catch up after a pause of a tenth of a second.
pub(super) struct RateLimit {
    moment: Moment,
    limiter: RateLimiter<NotKeyed, InMemoryState, Moment, NoOpMiddleware<Duration>>,
}

/// Clock of the limiter: it shows the time that the caller gives, since the limiter has none of its own.
#[derive(Clone, Debug, Default)]
struct Moment(Arc<AtomicI64>);

impl Clock for Moment {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Time(self.0.load(Relaxed)).since(Time(0))
    }
}

/// Returns the number of fetches of a tenth of a second.
pub(super) fn burst(per_second: f64) -> u32 {
    (per_second / 10.0) as u32
}

impl RateLimit {
    /// Creates a limit of `per_second` fetches a second.
    pub fn new(per_second: f64) -> RateLimit {
        let period = Duration::from_secs_f64(1.0 / per_second.max(1e-3));
        let burst = NonZeroU32::new(burst(per_second)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period.max(Duration::from_nanos(1)));
        let once_an_hour = Quota::per_hour(NonZeroU32::MIN);
        let quota = quota.unwrap_or(once_an_hour).allow_burst(burst);
        let moment = Moment::default();
        RateLimit {
            limiter: RateLimiter::direct_with_clock(quota, moment.clone()),
            moment,
        }
    }

    /// Takes the fetches that may be sent now, `wanted` at most. If there is none, returns the time at which one may be
    /// sent.
    pub fn take(&mut self, wanted: u32, now: Time) -> Result<u32, Time> {
        self.moment.0.store(now.0, Relaxed);
        let mut taken = 0;
        while taken < wanted {
            match self.limiter.check() {
                Ok(()) => taken += 1,
                Err(_) if taken > 0 => break,
                Err(not_until) => {
                    let wait = not_until.wait_time_from(self.moment.now());
                    // Times are whole microseconds: the sum is rounded up, so that it is not too early by then.
                    return Err(now.plus(wait + Duration::from_micros(1)));
                }
            }
        }
        Ok(taken)
    }
}
