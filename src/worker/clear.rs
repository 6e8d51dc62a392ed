//! Clears away what has been kept for long enough, and gives its space back, gently: callbacks go first.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{POLL, STORE_PAUSE, step};
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

/// What was done since it was last told.
#[derive(Default)]
struct Done {
    cleared: Cleared,
    /// Bytes of the file.
    given_back: u64,
}

impl Clearer {
    /// Works until told to stop.
    ///
    /// # Errors
    ///
    /// When the store cannot be used any more.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StoreError> {
        let mut done = Done::default();
        self.vitals.beat("clear");
        while !stop.is_cancelled() {
            let began = Instant::now();
            let cleared = self.clear(&mut done).await;
            let pause = match step(&self.vitals, "clear", cleared)? {
                Some(true) => (began.elapsed() * REST).min(REST_MAX),
                Some(false) => {
                    std::mem::take(&mut done).log();
                    self.spans.bodies.clamp(POLL, EVERY)
                }
                None => STORE_PAUSE,
            };
            stop.run_until_cancelled(sleep(pause)).await;
        }
        done.log();
        Ok(())
    }

    /// Takes a step; `false`: nothing is left to do for now.
    async fn clear(&self, done: &mut Done) -> Result<bool, StoreError> {
        let cleared = self.store.clear(self.spans.clone(), clock::now()).await?;
        if cleared.taken > 0 {
            done.add(&cleared);
            return Ok(true);
        }
        let given_back = self.store.shrink().await?;
        done.given_back += given_back;
        Ok(given_back > 0)
    }
}

impl Done {
    fn add(&mut self, step: &Cleared) {
        let cleared = &mut self.cleared;
        cleared.bodies += step.bodies;
        cleared.deliveries += step.deliveries;
        cleared.parked += step.parked;
        cleared.answers += step.answers;
        cleared.orders += step.orders;
    }

    fn log(&self) {
        let Cleared {
            taken: _,
            bodies,
            deliveries,
            parked,
            answers,
            orders,
        } = self.cleared;
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
        if self.given_back > 0 {
            let bytes = self.given_back;
            tracing::info!(bytes, "gave space back to the disk");
        }
    }
}
