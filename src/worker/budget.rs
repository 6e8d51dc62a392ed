//! How many questions the rate of a project allows. Pure but for what it counts, like [`super::pace`].

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::order::Time;

/// One question each `1 / per_second`, with room to catch up after a pause of a tenth of a second.
pub(super) struct Budget {
    moment: Moment,
    limiter: RateLimiter<NotKeyed, InMemoryState, Moment, NoOpMiddleware<Duration>>,
}

/// The moment for which the limiter is asked: it has no clock of its own.
#[derive(Clone, Debug, Default)]
struct Moment(Arc<AtomicI64>);

impl Clock for Moment {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Time(self.0.load(Relaxed)).since(Time(0))
    }
}

/// The questions of a tenth of a second.
pub(super) fn burst(per_second: f64) -> u32 {
    (per_second / 10.0) as u32
}

impl Budget {
    /// So many questions a second.
    pub fn new(per_second: f64) -> Budget {
        let period = Duration::from_secs_f64(1.0 / per_second.max(1e-3));
        let burst = NonZeroU32::new(burst(per_second)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period.max(Duration::from_nanos(1)));
        let once_an_hour = Quota::per_hour(NonZeroU32::MIN);
        let quota = quota.unwrap_or(once_an_hour).allow_burst(burst);
        let moment = Moment::default();
        Budget {
            limiter: RateLimiter::direct_with_clock(quota, moment.clone()),
            moment,
        }
    }

    /// Takes as many questions as may be sent now, up to `wanted`; or says when one may be sent.
    pub fn take(&mut self, wanted: u32, now: Time) -> Result<u32, Time> {
        self.moment.0.store(now.0, Relaxed);
        let mut taken = 0;
        while taken < wanted {
            match self.limiter.check() {
                Ok(()) => taken += 1,
                Err(_) if taken > 0 => break,
                Err(not_until) => {
                    let wait = not_until.wait_time_from(self.moment.now());
                    // Times are whole microseconds: rounded up, so that it is not too early by then.
                    return Err(now.plus(wait + Duration::from_micros(1)));
                }
            }
        }
        Ok(taken)
    }
}
