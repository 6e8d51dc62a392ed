//! Pace of operators' requests: where callbacks need all of the store's time, each answer is followed by a rest, and a request
//! that comes meanwhile waits for its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::{Instant, sleep_until};

use super::{Context, Shared};

/// Length of the rest after an answer, as a multiple of the time that it took, where callbacks can spare nothing.
const REST_FACTOR: f64 = 30.0;

/// Maximum rest: an operator waits for no longer than this before an answer is begun.
const REST_MAX: Duration = Duration::from_secs(1);

/// Share of the time from which on callbacks can spare enough of it, and answers need no rest.
const SPARE_ENOUGH: f64 = 0.8;

/// Pace of all operators together. Requests that wait for the same rest are answered at once after it, so that none waits for
/// longer than a rest.
#[derive(Default)]
pub(super) struct Pace {
    /// Time at which the last rest ends; `None`: there was none.
    rests_until: Mutex<Option<Instant>>,
}

impl Pace {
    /// Waits for the end of the last rest.
    async fn wait(&self) {
        let until = *self.lock();
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    /// Begins a rest after an answer that took this long, while callbacks can spare this share of the time.
    pub(super) fn rest(&self, now: Instant, took: Duration, spare: f64) {
        let rest = rest_after(took, spare);
        if rest > Duration::ZERO {
            let mut until = self.lock();
            *until = (*until).max(Some(now + rest));
        }
    }

    /// Locks the time. A panic elsewhere cannot leave it half changed.
    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the rest after an answer that took this long.
fn rest_after(took: Duration, spare: f64) -> Duration {
    let needed = (1.0 - spare / SPARE_ENOUGH).max(0.0);
    took.mul_f64(REST_FACTOR * needed).min(REST_MAX)
}

/// An answer that is being made. A rest follows it, also if its caller goes away before.
struct Answer {
    context: Arc<Context>,
    began: Instant,
}

impl Drop for Answer {
    fn drop(&mut self) {
        let now = Instant::now();
        let spare = self.context.store.spare();
        self.context.pace.rest(now, now - self.began, spare);
    }
}

/// Answers a request once the rest that it comes in is over.
pub(super) async fn keep(State(context): Shared, request: Request, next: Next) -> Response {
    context.pace.wait().await;
    let _answer = Answer {
        context,
        began: Instant::now(),
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_followed_by_a_rest_only_where_callbacks_need_the_time() {
        let ms = Duration::from_millis;
        for (took_ms, spare, rest_ms) in [
            (10, 1.0, 0),
            (10, 0.8, 0),
            (10, 0.4, 150),
            (10, 0.0, 300),
            (500, 0.0, 1000),
        ] {
            assert_eq!(
                rest_after(ms(took_ms), spare),
                ms(rest_ms),
                "{took_ms}, {spare}"
            );
        }
    }

    #[tokio::test]
    async fn a_request_waits_for_the_end_of_the_rest() {
        let (pace, began) = (Pace::default(), Instant::now());
        pace.wait().await;
        pace.rest(began, Duration::from_millis(10), 0.0);
        pace.wait().await;
        assert!(began.elapsed() >= Duration::from_millis(300));
    }

    #[test]
    fn a_short_rest_ends_no_longer_one() {
        let (pace, now) = (Pace::default(), Instant::now());
        for took_ms in [10, 1] {
            pace.rest(now, Duration::from_millis(took_ms), 0.0);
        }
        assert_eq!(*pace.lock(), Some(now + Duration::from_millis(300)));
    }
}
