//! Exporter of spans: OpenTelemetry's batches, sent as OTLP by the program's HTTP client.
//!
//! The library's tracer gives its spans ids of its own, so it is left out: spans are made here and handed to the batches.

mod collector;
mod data;
mod losses;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::SpanKind;
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, ShouldSample, SpanData,
    SpanExporter, SpanProcessor,
};

use self::collector::Collector;
use self::losses::Losses;
use self::settings::Settings;
use crate::traces::{Checked, Span, TraceId, TracesError};

/// Name of the service, unless a variable names it.
const SERVICE: &str = env!("CARGO_PKG_NAME");

/// Exporter of spans.
pub(super) struct Exporter {
    processor: BatchSpanProcessor,
    sampler: Sampler,
    scope: InstrumentationScope,
    losses: Arc<Losses>,
}

impl Exporter {
    /// Starts an exporter as the variables say; `None`: they want no trace at all.
    ///
    /// # Errors
    ///
    /// Any [`TracesError`].
    pub fn start(variable: fn(&str) -> Option<String>) -> Result<Option<Exporter>, TracesError> {
        let settings = Settings::read(variable)?;
        let sending = Sending::new(&settings)?;
        if matches!(settings.sampler, Sampler::AlwaysOff) {
            return Ok(None);
        }
        let losses = sending.losses.clone();
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(settings.queue_max)
            .with_max_export_batch_size(settings.batch_max)
            .with_scheduled_delay(settings.delay)
            .build();
        let mut processor = BatchSpanProcessor::new(sending, batches);
        processor.set_resource(&resource());
        // Of a URL, path and query may hold a secret.
        let collector = settings.endpoint.origin().ascii_serialization();
        tracing::info!(collector, "traces are sent");
        let version = env!("CARGO_PKG_VERSION");
        let scope = InstrumentationScope::builder(SERVICE).with_version(version);
        Ok(Some(Exporter {
            processor,
            sampler: settings.sampler,
            scope: scope.build(),
            losses,
        }))
    }

    /// Makes the checks of a start.
    ///
    /// # Errors
    ///
    /// Any [`TracesError`].
    pub fn check(variable: fn(&str) -> Option<String>) -> Result<Checked, TracesError> {
        Sending::new(&Settings::read(variable)?)?;
        Ok(Checked::Good)
    }

    /// Returns `true` if the spans of a trace are sent. All processes decide alike, since the id alone decides.
    pub fn is_sampled(&self, trace: TraceId) -> bool {
        let sampled = self.sampler.should_sample(
            None,
            data::trace_id(trace),
            "",
            &SpanKind::Internal,
            &[],
            &[],
        );
        sampled.decision == SamplingDecision::RecordAndSample
    }

    /// Puts a span into the queue, or drops it if the queue is full.
    pub fn record(&self, span: Span) {
        if self.is_sampled(span.trace) && self.losses.find_room() {
            self.processor
                .on_end(data::span_data(span, self.scope.clone()));
        }
    }

    /// Sends the last spans, and waits for that for a time.
    pub fn end(&self, within: Duration) {
        let ended = self.processor.shutdown_with_timeout(within);
        self.losses.tell_last(ended.is_err());
    }
}

/// Returns what all spans say of this process: the variables come first, as the specification has it.
fn resource() -> Resource {
    let named = Resource::builder().build();
    let is_named = named
        .get(&SERVICE_NAME.into())
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let mut builder = Resource::builder();
    if !is_named {
        builder = builder.with_service_name(SERVICE);
    }
    if named.get(&SERVICE_VERSION.into()).is_none() {
        let version = opentelemetry::KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION"));
        builder = builder.with_attribute(version);
    }
    builder.build()
}

const SERVICE_NAME: &str = "service.name";
const SERVICE_VERSION: &str = "service.version";

/// Sends batches of spans, and counts those that the collector does not take.
#[derive(Debug)]
struct Sending {
    otlp: opentelemetry_otlp::SpanExporter,
    collector: Collector,
    losses: Arc<Losses>,
}

impl Sending {
    fn new(settings: &Settings) -> Result<Sending, TracesError> {
        let collector = Collector::new(settings.timeout)?;
        let otlp = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(collector.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.as_str())
            .with_timeout(settings.timeout)
            .build()
            // The library's error shows the URL, and the URL has been checked.
            .map_err(|_| settings.unusable_endpoint())?;
        Ok(Sending {
            otlp,
            collector,
            losses: Arc::new(Losses::new(settings.queue_max)),
        })
    }
}

impl SpanExporter for Sending {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.otlp.export(batch).await;
        self.losses.make_room(spans);
        if let Err(error) = &sent {
            let reason = self.collector.take_failure();
            self.losses
                .not_taken(spans, &reason.unwrap_or_else(|| error.to_string()));
        }
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
