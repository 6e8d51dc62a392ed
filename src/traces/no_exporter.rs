//! The program as it is built without the feature `otel`: there is no exporter.

use std::time::Duration;

use super::{Checked, Span, TraceId, TracesError};

/// Exporter of spans, of which there is none.
pub(super) enum Exporter {}

impl Exporter {
    /// Says that spans are asked for and not sent.
    pub fn start(_: fn(&str) -> Option<String>) -> Result<Option<Exporter>, TracesError> {
        tracing::warn!(
            "traces are not sent: the environment asks for them, and the program was built without the feature otel"
        );
        Ok(None)
    }

    pub fn check(_: fn(&str) -> Option<String>) -> Result<Checked, TracesError> {
        Ok(Checked::NotBuilt)
    }

    pub fn is_sampled(&self, _: TraceId) -> bool {
        match *self {}
    }

    pub fn record(&self, _: Span) {
        match *self {}
    }

    pub fn end(&self, _: Duration) {
        match *self {}
    }
}
