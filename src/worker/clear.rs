//! Clears away what has been kept for long enough, gently: callbacks go first.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{POLL, STORE_PAUSE, passing};
use crate::clock;
use crate::store::{Cleared, Spans, Store, StoreError};
use crate::vitals::Vitals;

/// How often to look whether anything is due. What is kept for a shorter time than this is looked at as
/// often as that.
const EVERY: Duration = Duration::from_secs(30);

/// After a step, the writer belongs to others for this many times as long as the step took.
const REST: u32 = 9;

/// … but no longer than this, should the disk have been slow.
const REST_MAX: Duration = Duration::from_secs(1);

/// The worker that clears away.
pub struct Clearer {
    /// Where it clears.
    pub store: Store,
    /// For how long what is kept. Bodies are kept for the shortest time.
    pub spans: Spans,
    /// Where it shows that it is alive.
    pub vitals: Arc<Vitals>,
}

impl Clearer {
    /// Works until told to stop.
    ///
    /// # Errors
    ///
    /// When the store cannot be used any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut done = Cleared::default();
        while !stop.is_cancelled() {
            self.vitals.beat("clear");
            let began = Instant::now();
            let step = self.store.clear(self.spans.clone(), clock::now());
            let pause = match step.await {
                Ok(cleared) if cleared.taken > 0 => {
                    done.taken += cleared.taken;
                    done.bodies += cleared.bodies;
                    done.deliveries += cleared.deliveries;
                    done.parked += cleared.parked;
                    done.answers += cleared.answers;
                    done.orders += cleared.orders;
                    (began.elapsed() * REST).min(REST_MAX)
                }
                Ok(_) => {
                    log(&std::mem::take(&mut done));
                    self.spans.bodies.clamp(POLL, EVERY)
                }
                Err(error) => {
                    passing(error)?;
                    STORE_PAUSE
                }
            };
            stop.run_until_cancelled(sleep(pause)).await;
        }
        log(&done);
        Ok(())
    }
}

fn log(done: &Cleared) {
    let (bodies, deliveries, parked) = (done.bodies, done.deliveries, done.parked);
    let (answers, orders) = (done.answers, done.orders);
    if bodies + deliveries + parked + answers + orders > 0 {
        tracing::info!(
            bodies,
            deliveries,
            parked,
            answers,
            orders,
            "cleared what was kept for long enough"
        );
    }
}
