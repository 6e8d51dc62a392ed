//! Tools with which the tests run, call and watch the program.

mod disk;
mod file;
mod process;
mod service;
mod settings;
mod sinch;
mod wire;

pub use disk::{Disk, Mount};
pub use file::File;
pub use process::{Ended, Process, Signal, run};
pub use service::Service;
pub use settings::{KEY_ID, KEY_SECRET, PATH, PROJECT, SECRET, Settings};
pub use sinch::{about_number, event, id, life, play};
pub use wire::{Answer, HOME, Line, Request, STRANGER};

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
pub async fn within<T>(span: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + span;
    loop {
        if let Some(found) = probe().await {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Reports that something could not be tried, past the test runner, which hides the output of a test that passes.
pub fn not_tried(what: &str) {
    let line = format!("NOT TRIED, {}", what.trim_end());
    writeln!(std::io::stderr(), "{line}").expect("standard error can be written to");
}

/// A folder of the test's own.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}
