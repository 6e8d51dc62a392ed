//! Looks at news: every delivery that waits, soon after it came, whatever state the API is in.

use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{POLL, STORE_PAUSE, TOLD_EVERY, logged, step};
use crate::clock;
use crate::logged::{Throttle, masked, millis};
use crate::order::{Id, OrderKey, Rule};
use crate::store::{LookReport, LookRequest, Store, StoreError};
use crate::vitals::Vitals;

/// How many deliveries are looked at in one transaction: enough to share a commit, few enough not to keep
/// callbacks waiting for it. The more come, the more of them have to be looked at at once.
const DELIVERIES: RangeInclusive<u32> = 128..=512;

/// How long news gather before they are looked at, so that not every callback has a commit on its heels.
const GATHER: Duration = Duration::from_millis(3);

/// After a look, the writer belongs to callbacks for this many times as long as the look took: they are
/// waited for, news are not. What gathers meanwhile is looked at together, which costs less. While none come,
/// there is no rest: nobody waits.
const REST: u32 = 6;

/// … but no longer than this, should the disk have been slow.
const REST_MAX: Duration = Duration::from_millis(100);

/// … nor longer than until this many times as many have come as are looked at: however fast they come, more
/// than a quarter of them are looked at meanwhile.
const COME_MAX: f64 = 3.0;

/// That it took longer is made up for, but for no more than so many that came.
const BEHIND_MAX: f64 = 1024.0;

/// The worker that looks at news.
pub struct Looker {
    /// Where they wait.
    pub store: Store,
    /// The rules by which they are weighed.
    pub rule: Rule,
    /// Projects whose orders nobody may ask about.
    pub api_off: Vec<Id>,
    /// Where it shows that it is alive.
    pub vitals: Arc<Vitals>,
}

impl Looker {
    /// Works until told to stop.
    ///
    /// # Errors
    ///
    /// When the store cannot be used any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut before: Option<(Instant, i64)> = None;
        let mut behind = 0.0;
        let mut deliveries_max = *DELIVERIES.start();
        self.vitals.beat("look");
        while !stop.is_cancelled() {
            let began = Instant::now();
            // Registered before looking, so that what comes meanwhile is not slept through.
            let woken = self.store.news().notified();
            let request = LookRequest {
                deliveries_max,
                now: clock::now(),
                rule: self.rule.clone(),
                api_off: self.api_off.clone(),
            };
            let looked = self.store.look(request).await;
            let pause = match step(&self.vitals, "look", looked)? {
                Some(report) => {
                    log(&report);
                    // What is newest was read when the look began.
                    let pace = before
                        .replace((began, report.newest))
                        .map(|(at, newest)| Pace {
                            came: u32::try_from(report.newest - newest).unwrap_or(0),
                            within: began - at,
                        });
                    behind = pace
                        .as_ref()
                        .map_or(0.0, |p| p.behind(behind, report.taken));
                    let rest;
                    (rest, deliveries_max) = next(began.elapsed(), pace, behind);
                    if report.taken > 0 {
                        // The timer would make a millisecond of nothing.
                        if !rest.is_zero() {
                            stop.run_until_cancelled(sleep(rest)).await;
                        }
                        continue;
                    }
                    POLL
                }
                None => STORE_PAUSE,
            };
            tokio::select! {
                () = woken => sleep(GATHER).await,
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }
}

/// How fast deliveries come: so many, from one look to the next.
struct Pace {
    came: u32,
    within: Duration,
}

impl Pace {
    /// How many more have come than the looks so far can bear, after another one that took so many.
    fn behind(&self, before: f64, taken: usize) -> f64 {
        let more = f64::from(self.came) - taken as f64 * COME_MAX;
        (before + more).clamp(0.0, BEHIND_MAX)
    }
}

/// How long to rest after a look that took so long, and how many deliveries to look at then, where so many
/// more have come than can be borne.
fn next(took: Duration, pace: Option<Pace>, behind: f64) -> (Duration, u32) {
    let usual = (took * REST).min(REST_MAX);
    let Some(Pace { came, within }) = pace else {
        return (usual, *DELIVERIES.start());
    };
    if came == 0 {
        return (Duration::ZERO, *DELIVERIES.start());
    }
    let apart = within.as_secs_f64() / f64::from(came);
    // The look to come takes its time, too: so many are to be looked at even without a rest.
    let least = took.as_secs_f64() / (apart * COME_MAX);
    let deliveries = (least as u32).clamp(*DELIVERIES.start(), *DELIVERIES.end());
    let come = (f64::from(deliveries) * COME_MAX - behind).max(0.0);
    // Seconds, of which there may be too many for a duration where hardly anything comes.
    let until = Duration::try_from_secs_f64(apart * come).unwrap_or(REST_MAX);
    (usual.min(until.saturating_sub(took)), deliveries)
}

/// The orders whose rows are at fault, of which the log has told: their callbacks may come for as long as Sinch likes.
static AT_FAULT: LazyLock<Throttle<OrderKey>> = LazyLock::new(|| Throttle::new(TOLD_EVERY));

fn log(report: &LookReport) {
    for looked in &report.looked {
        let (project, order) = (&looked.key.project, logged(&looked.key));
        let (delivery, event) = (looked.delivery, masked(&looked.event));
        let age_ms = millis(looked.age);
        let verdict = masked(&looked.verdict);
        if looked.row_at_fault {
            if let Some(left_out) = AT_FAULT.pass(looked.key.clone(), Instant::now().into_std()) {
                tracing::warn!(delivery, %event, %project, %order, age_ms, %verdict, left_out, "parked");
            }
        } else if looked.parked {
            tracing::warn!(delivery, %event, %project, %order, age_ms, %verdict, "parked");
        } else {
            tracing::info!(delivery, %event, %project, %order, age_ms, %verdict, "settled");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pace(came: u32, within_ms: u32) -> Option<Pace> {
        let within = MS * within_ms;
        Some(Pace { came, within })
    }

    #[test]
    fn the_rest_is_as_long_as_callbacks_can_use_and_news_can_bear() {
        for (took_ms, pace, behind, rest_ms, deliveries) in [
            (5, None, 0.0, 30, 128),
            (50, None, 0.0, 100, 128),
            // Nobody waits, so what has gathered is worked off at once.
            (5, pace(0, 25), 0.0, 0, 128),
            (5, pace(1, 25), 0.0, 30, 128),
            (5, pace(300, 25), 0.0, 27, 128),
            // More than twice as many came as are bearable: in less than half the time it is as many.
            (5, pace(1000, 25), 0.0, 4, 128),
            // Those that came too many before are made up for.
            (5, pace(1000, 25), 120.0, 1, 128),
            (5, pace(1000, 25), 1024.0, 0, 128),
            // Not even without a rest: more are looked at at once.
            (5, pace(5000, 25), 0.0, 0, 333),
            (5, pace(50000, 25), 0.0, 0, 512),
        ] {
            let (rest, next) = next(MS * took_ms, pace, behind);
            assert_eq!((rest.as_micros() / 1000, next), (rest_ms, deliveries));
        }
    }

    #[test]
    fn however_fast_they_come_their_share_is_looked_at() {
        // Two deliveries in a millisecond, and ten, and thirty, and a hundred; with timers that are late.
        for per_ms in [2, 10, 30, 100] {
            let (took, mut cycle, mut deliveries) = (MS * 3, MS * 100, 128);
            let (mut looked, mut all, mut behind) = (0, 0, 0.0);
            for _ in 0..1000 {
                let came = (per_ms * cycle.as_micros() as u32).div_ceil(1000);
                let taken = deliveries.min(came);
                (looked, all) = (looked + taken, all + came);
                let pace = Pace {
                    came,
                    within: cycle,
                };
                behind = pace.behind(behind, taken as usize);
                let rest;
                (rest, deliveries) = next(took, Some(pace), behind);
                cycle = took + rest + MS;
            }
            let share = f64::from(looked) / f64::from(all);
            // Where timers are late there is no rest to make up for it with: a little is lost.
            assert!(
                share > 0.93 / COME_MAX,
                "{share} of {per_ms} in a millisecond"
            );
        }
    }
}
