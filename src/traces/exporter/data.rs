//! Spans as OpenTelemetry has them.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceFlags};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::traces::{Attribute, Part, Span, TraceId, Value};
use number_order::Time;

/// Returns a trace's id as the library has it.
pub(super) fn trace_id(trace: TraceId) -> opentelemetry::TraceId {
    opentelemetry::TraceId::from_bytes(trace.0)
}

/// Returns a span as it is sent.
pub(super) fn span_data(span: Span, scope: InstrumentationScope) -> SpanData {
    let (id, parent) = span.ids();
    let (is_remote, state) = (false, TraceState::NONE);
    let context = SpanContext::new(
        trace_id(span.trace),
        SpanId::from_bytes(id.0),
        TraceFlags::SAMPLED,
        is_remote,
        state,
    );
    SpanData {
        span_context: context,
        parent_span_id: parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.0)),
        parent_span_is_remote: false,
        span_kind: kind(span.part),
        name: span.part.name().into(),
        start_time: system_time(span.began),
        end_time: system_time(span.ended),
        attributes: span.attributes.into_iter().map(key_value).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope,
    }
}

fn kind(part: Part) -> SpanKind {
    match part {
        Part::Receipt | Part::Repetition => SpanKind::Server,
        Part::Processing => SpanKind::Internal,
        Part::Fetch => SpanKind::Client,
    }
}

/// Returns a time as the system has it. No span began before 1970: the service does not start then.
fn system_time(at: Time) -> SystemTime {
    let micros = u64::try_from(at.0).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

fn key_value((attribute, value): (Attribute, Value)) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(attribute.name(), text),
        Value::Number(number) => KeyValue::new(attribute.name(), number),
        Value::Truth(truth) => KeyValue::new(attribute.name(), truth),
    }
}
