//! Waits for events that must happen, until a deadline.

use std::io::Write;
use std::time::{Duration, Instant};

/// Maximum time that a test waits for what must happen. It is long, since the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Pause after the first probe of a wait.
const FIRST_PAUSE: Duration = Duration::from_millis(15);

/// Maximum pause between two probes of a wait. What takes long need not be probed often, since many tests share the
/// machine.
const PAUSE_MAX: Duration = Duration::from_millis(150);

/// Waits until the probe finds something, and returns it.
pub async fn until<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, probe)
        .await
        .unwrap_or_else(|| panic!("waited in vain for {what}"))
}

/// Returns what the probe finds within the span; `None` if it finds nothing.
pub async fn within<T>(span: Duration, probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    poll(span, FIRST_PAUSE, PAUSE_MAX, probe).await
}

/// Repeats the probe until it finds something or the span is over. Each pause is a quarter longer than the one before,
/// up to [`PAUSE_MAX`].
pub(crate) async fn poll<T>(
    span: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + span;
    let mut pause = first_pause;
    loop {
        if let Some(found) = probe().await {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(longest_pause);
    }
}

/// Reports that something could not be tried. The report bypasses the test runner, which hides the output of a test
/// that passes.
pub fn not_tried(what: &str) {
    let line = format!("NOT TRIED, {}", what.trim_end());
    writeln!(std::io::stderr(), "{line}").expect("standard error can be written to");
}
