//! Looks at news: every delivery that waits, soon after it came, whatever state the API is in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{POLL, STORE_PAUSE, logged, passing};
use crate::clock;
use crate::order::{Id, Rule};
use crate::store::{LookReport, LookRequest, Store, StoreError};
use crate::vitals::Vitals;

/// The most deliveries looked at in one transaction: enough to share a commit, few enough not to keep
/// callbacks waiting for it.
const DELIVERIES_MAX: u32 = 256;

/// How long news gather before they are looked at, so that not every callback has a commit on its heels.
const GATHER: Duration = Duration::from_millis(3);

/// After a look, the writer belongs to callbacks for this many times as long as the look took: they are
/// waited for, news are not. What gathers meanwhile is looked at together, which costs less.
const REST: u32 = 4;

/// … but no longer than this, should the disk have been slow.
const REST_MAX: Duration = Duration::from_millis(100);

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
        while !stop.is_cancelled() {
            self.vitals.beat("look");
            let began = Instant::now();
            // Registered before looking, so that what comes meanwhile is not slept through.
            let woken = self.store.news().notified();
            let request = LookRequest {
                deliveries_max: DELIVERIES_MAX,
                now: clock::now(),
                rule: self.rule.clone(),
                api_off: self.api_off.clone(),
            };
            let pause = match self.store.look(request).await {
                Ok(report) => {
                    log(&report);
                    if report.taken > 0 {
                        let rest = (began.elapsed() * REST).min(REST_MAX);
                        stop.run_until_cancelled(sleep(rest)).await;
                        continue;
                    }
                    POLL
                }
                Err(error) => {
                    passing(error)?;
                    STORE_PAUSE
                }
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

fn log(report: &LookReport) {
    for looked in &report.looked {
        let (project, order) = (&looked.key.project, logged(&looked.key));
        let (delivery, event) = (looked.delivery, looked.event.as_str());
        let age_ms = looked.age.as_millis();
        let verdict = looked.verdict.as_str();
        if looked.parked {
            tracing::warn!(delivery, event, %project, order, age_ms, verdict, "parked");
        } else {
            tracing::info!(delivery, event, %project, order, age_ms, verdict, "settled");
        }
    }
}
