//! Repeats of calls after a failure that allows it.

use std::time::Duration;

use sinch_numbers::api::{CallError, Repeat};

/// Number of times that a call is made before its failure is believed.
const TRIES: u32 = 6;

/// Pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Maximum pause, also where Sinch asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Makes a call, up to [`TRIES`] times while its failure allows a repeat.
pub(super) async fn patiently<T>(
    call: impl AsyncFn() -> Result<T, CallError>,
) -> Result<T, CallError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match call().await {
            Err(error) if error.repeat() == Repeat::Allowed => {
                let wait = error.retry_after().unwrap_or(pause);
                tokio::time::sleep(wait.min(PAUSE_MAX)).await;
                pause *= 2;
            }
            done => return done,
        }
    }
    call().await
}
