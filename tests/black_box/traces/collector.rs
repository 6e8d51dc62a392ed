//! A collector of traces on loopback, which takes OTLP over HTTP.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{self as otlp, span::SpanKind};
use prost::Message;
use tokio::net::TcpListener;

use testkit::{Settings, until};

/// What a collector does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Takes,
    Answers(u16),
    Hangs,
}

/// Attributes by name, each value as a text.
pub type Attributes = BTreeMap<String, String>;

/// A span that a collector was sent.
#[derive(Clone, Debug)]
pub struct Seen {
    pub trace: String,
    pub id: Vec<u8>,
    /// Id of the span's parent; empty if it is the root.
    pub parent: Vec<u8>,
    pub name: String,
    pub kind: SpanKind,
    pub began: u64,
    pub ended: u64,
    pub attributes: Attributes,
    /// Text of the span's failure.
    pub error: Option<String>,
    /// Attributes of the process that sent it.
    pub resource: Attributes,
}

impl Seen {
    /// Returns an attribute; an empty text if the span does not have it.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Returns `true` if an attribute has a value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.get(name) == value
    }
}

#[derive(Default)]
struct Received {
    spans: Vec<Seen>,
    requests: usize,
    authorization: Option<String>,
}

/// A collector that has begun.
#[derive(Clone)]
pub struct Collector {
    url: String,
    mood: Arc<Mutex<Mood>>,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    pub async fn start(mood: Mood) -> Collector {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = Collector {
            url: format!("http://{address}"),
            mood: Arc::new(Mutex::new(mood)),
            received: Arc::default(),
        };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(collector.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        collector
    }

    /// Has a service send its spans here, soon after they have ended.
    pub fn set(&self, settings: Settings) -> Settings {
        settings
            .set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", self.url.clone())
            .set_environment("OTEL_BSP_SCHEDULE_DELAY", "20")
    }

    pub fn requests(&self) -> usize {
        self.received.lock().expect("no panic").requests
    }

    pub fn authorization(&self) -> Option<String> {
        self.received
            .lock()
            .expect("no panic")
            .authorization
            .clone()
    }

    pub fn spans(&self) -> Vec<Seen> {
        self.received.lock().expect("no panic").spans.clone()
    }

    /// Waits until a span meets the condition, and returns the span.
    pub async fn span(&self, what: &str, wished: impl Fn(&Seen) -> bool) -> Seen {
        until(what, async || self.spans().into_iter().find(&wished)).await
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mood = *collector.mood.lock().expect("no panic");
    let authorization = headers.get("authorization");
    let authorization = authorization.and_then(|value| value.to_str().ok());
    {
        let mut received = collector.received.lock().expect("no panic");
        received.requests += 1;
        received.authorization = authorization.map(str::to_owned);
    }
    match mood {
        Mood::Hangs => pending().await,
        Mood::Answers(status) => StatusCode::from_u16(status).expect("a status"),
        Mood::Takes => {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
            let spans = request.resource_spans.into_iter().flat_map(|of_resource| {
                let resource = of_resource.resource.unwrap_or_default();
                let resource = texts(resource.attributes);
                let spans = of_resource.scope_spans.into_iter();
                let spans = spans.flat_map(|of_scope| of_scope.spans);
                spans.map(move |span| seen(span, resource.clone()))
            });
            let mut received = collector.received.lock().expect("no panic");
            received.spans.extend(spans);
            StatusCode::OK
        }
    }
}

fn seen(span: otlp::Span, resource: Attributes) -> Seen {
    let kind = span.kind();
    let status = span.status.unwrap_or_default();
    let has_failed = status.code() == otlp::status::StatusCode::Error;
    Seen {
        trace: span
            .trace_id
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        id: span.span_id,
        parent: span.parent_span_id,
        name: span.name,
        kind,
        began: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
        attributes: texts(span.attributes),
        error: has_failed.then_some(status.message),
        resource,
    }
}

fn texts(attributes: Vec<KeyValue>) -> Attributes {
    let texts = attributes.into_iter().map(|one| (one.key, text(one.value)));
    texts.collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|any| any.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        other => panic!("{other:?}"),
    }
}
