//! Traces of OpenTelemetry: one for each event, from its callback to the state that Sinch confirms.
//!
//! A trace is named by its event ([`TraceId::of_event`]), so nothing about it is stored, and its spans fit together whichever
//! process records them, before and after a restart. Without the feature `otel` there is no exporter, and nothing is recorded.

#[cfg_attr(not(feature = "otel"), path = "no_exporter.rs")]
mod exporter;
mod id;
mod span;
mod variables;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use self::exporter::Exporter;
pub use self::id::{SpanId, TraceId};
pub use self::span::{Attribute, Part, Span, Value};
pub use self::variables::VariableError;

/// Reason why no spans can be sent although the variables ask for it.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// A variable has a value that cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The HTTP client could not be set up; a system without CA certificates is the usual cause.
    #[error("traces: no HTTP client; are the system's CA certificates installed?")]
    Http,
}

/// Result of looking at the variables without sending anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The variables ask for no traces.
    Off,
    /// Spans would be sent.
    Good,
    /// The variables ask for traces, and the program was built without them.
    NotBuilt,
}

/// Receiver of spans; clones share it. The default receives none.
#[derive(Clone, Default)]
pub struct Traces {
    exporter: Option<Arc<Exporter>>,
}

impl Traces {
    /// Starts to send spans, if the variables of the environment ask for it. Once in a process.
    ///
    /// # Errors
    ///
    /// Any [`TracesError`].
    pub fn start() -> Result<Traces, TracesError> {
        let exporter = if variables::ask_for_traces(variable) {
            Exporter::start(variable)?
        } else {
            None
        };
        Ok(Traces {
            exporter: exporter.map(Arc::new),
        })
    }

    /// Makes the checks that [`Traces::start`] makes.
    ///
    /// # Errors
    ///
    /// Any [`TracesError`].
    pub fn check() -> Result<Checked, TracesError> {
        if variables::ask_for_traces(variable) {
            Exporter::check(variable)
        } else {
            Ok(Checked::Off)
        }
    }

    /// Returns `true` if spans are sent.
    pub fn is_on(&self) -> bool {
        self.exporter.is_some()
    }

    /// Records a span, which is only made where spans are sent. Never waits: a span for which there is no room is dropped.
    pub fn record(&self, span: impl FnOnce() -> Span) {
        if let Some(exporter) = &self.exporter {
            exporter.record(span());
        }
    }

    /// Returns the id of a trace as the log shows it; `None`: the trace is not sent.
    pub fn logged_id(&self, trace: impl FnOnce() -> TraceId) -> Option<String> {
        let exporter = self.exporter.as_ref()?;
        let trace = trace();
        exporter.is_sampled(trace).then(|| trace.to_string())
    }

    /// Sends the last spans, and waits for that, but no longer than `within`. Spans that are recorded later are lost.
    pub async fn end(self, within: Duration) {
        if let Some(exporter) = self.exporter {
            // The exporter waits on its thread.
            let _ = tokio::task::spawn_blocking(move || exporter.end(within)).await;
        }
    }
}

/// Returns a variable of the environment. What is no Unicode becomes a text that no variable may have.
fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
