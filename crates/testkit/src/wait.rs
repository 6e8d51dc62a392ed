//! Waiting for what is to come, until a deadline.

use std::io::Write;
use std::time::{Duration, Instant};

/// Time limit for anything that is sure to come. Generous, since the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(180);

const POLL: Duration = Duration::from_millis(15);

/// Waits until the probe finds something, and returns it.
pub async fn until<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, probe)
        .await
        .unwrap_or_else(|| panic!("waited in vain for {what}"))
}

/// Returns what the probe finds within the span, if anything.
pub async fn within<T>(span: Duration, probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    poll(span, POLL, probe).await
}

/// Probes at this interval until something is found or the span is over.
pub(crate) async fn poll<T>(
    span: Duration,
    interval: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + span;
    loop {
        if let Some(found) = probe().await {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        tokio::time::sleep(interval).await;
    }
}

/// Reports that something could not be tried, past the test runner, which hides the output of a test that passes.
pub fn not_tried(what: &str) {
    let line = format!("NOT TRIED, {}", what.trim_end());
    writeln!(std::io::stderr(), "{line}").expect("standard error can be written to");
}
