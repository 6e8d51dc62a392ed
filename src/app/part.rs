//! A part of the service, and the handles that parts share.

use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::error::RunError;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::traces::Traces;

/// Part of the service that runs until the service stops.
pub(super) struct Part {
    /// Name of the part in the log and in errors.
    pub name: &'static str,
    /// The part's own thread; `None`: the part runs on the shared runtime. On the shared runtime a part queues with the
    /// requests wherever it waits, and the more requests there are, the less it gets done.
    pub thread: Option<Thread>,
    /// Future of the running part, including its orderly stop. If it ends before, the service stops.
    pub run: Run,
}

/// Thread of its own for a part.
#[derive(Clone, Copy)]
pub(super) enum Thread {
    /// For a part that waits for the database.
    Named(&'static str),
    /// For a part that reads what others send without an end: time-outs are kept though there is always something to read, and
    /// where the processor does not suffice for all, other threads come first.
    Watched(&'static str),
}

impl Part {
    /// Returns a part without a thread of its own.
    pub(super) fn on_shared_runtime(name: &'static str, run: Run) -> Part {
        Part {
            name,
            thread: None,
            run,
        }
    }
}

/// Future of a running part.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<(), RunError>> + Send>>;

/// Handles that parts share.
pub(super) struct Shared {
    pub store: Store,
    pub metrics: Arc<Metrics>,
    pub traces: Traces,
    /// Token that is cancelled when the service stops.
    pub stop: CancellationToken,
    /// Token that is cancelled when fetches in flight are to be abandoned.
    pub abort: CancellationToken,
}

/// Returns the future of a part of the service, with its error as a reason why the service stops.
pub(super) fn run<E>(part: impl Future<Output = Result<(), E>> + Send + 'static) -> Run
where
    E: Into<RunError>,
{
    Box::pin(async { part.await.map_err(E::into) })
}
