//! Traces, as a collector sees them.

mod collector;
#[cfg(feature = "postgres")]
mod replicas;
mod trouble;

use std::time::Duration;

use number_order::State::{Completed, Created, InReview};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::Value;
use sinch_simulator::{Outage, Simulator, World};

use self::collector::{Collector, Mood, Seen};
use testkit::{PROJECT, Service, Settings, about_number, event, folder, id, order_history, play};

const RECEIVE: &str = "receive callback";
const PROCESS: &str = "process delivery";
const FETCH: &str = "fetch order";

/// A Sinch with one order that is completed, and a service that sends spans to a collector.
struct Fixture {
    #[expect(dead_code, reason = "the folder is held only to end with the value")]
    folder: tempfile::TempDir,
    simulator: Simulator,
    collector: Collector,
    settings: Settings,
}

impl Fixture {
    async fn new() -> Fixture {
        Fixture::with(Collector::start(Mood::Takes).await).await
    }

    async fn with(collector: Collector) -> Fixture {
        let folder = folder();
        let history = [(0, Created), (1, InReview), (2, Completed)];
        let world = World::from_orders(id(PROJECT), [order_history("o1", &history)]);
        let settings = collector.set(Settings::new(folder.path()));
        let (simulator, settings) = play(world, settings).await;
        Fixture {
            folder,
            simulator,
            collector,
            settings,
        }
    }

    /// Returns the callback by which Sinch says that the order is completed.
    fn completed(&self) -> String {
        let said_at = self.simulator.started_at().plus(Duration::from_millis(2));
        event("e1", "o1", "COMPLETED", said_at)
    }

    /// Waits for the fetch that confirms the order's state, and returns its span.
    async fn confirmed(&self) -> Seen {
        let is_confirmed = |span: &Seen| span.has("sinch.confirmed", "COMPLETED");
        let span = self
            .collector
            .span("the confirmed state", is_confirmed)
            .await;
        assert_eq!(span.name, FETCH);
        span
    }

    /// Waits for a span of this name.
    async fn span(&self, name: &str) -> Seen {
        self.collector.span(name, |span| span.name == name).await
    }
}

/// Returns the lines of the log that say that a delivery was processed.
fn processed_lines(service: &Service) -> Vec<Value> {
    let lines = service.lines();
    let lines = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["message"] == "processed")
        .collect()
}

#[tokio::test]
async fn a_callback_is_one_trace_up_to_the_confirmed_state() {
    let fixture = Fixture::new().await;
    let service = Service::start(&fixture.settings).await;
    service.deliver(fixture.completed()).await;
    let fetch = fixture.confirmed().await;
    let root = fixture.span(RECEIVE).await;
    let process = fixture.span(PROCESS).await;

    assert_eq!(root.parent, Vec::<u8>::new());
    for child in [&process, &fetch] {
        assert_eq!((&child.trace, &child.parent), (&root.trace, &root.id));
        assert!(
            child.began >= root.began && child.ended >= child.began,
            "{child:?}"
        );
    }
    let kinds = [root.kind, process.kind, fetch.kind];
    assert_eq!(
        kinds,
        [SpanKind::Server, SpanKind::Internal, SpanKind::Client]
    );
    for span in [&root, &process, &fetch] {
        assert!(
            span.has("sinch.project", PROJECT) && span.has("sinch.order", "o1"),
            "{span:?}"
        );
        assert_eq!(span.error, None);
        assert_eq!(span.resource["service.name"], "sinch-callbacks");
        assert_eq!(span.resource["service.version"], env!("CARGO_PKG_VERSION"));
    }
    assert!(root.has("sinch.accepted", "new") && root.has("sinch.event", "e1"));
    assert!(process.has("sinch.decision", "first-event"), "{process:?}");
    assert!(fetch.has("sinch.attempt", "1") && fetch.has("sinch.outcome", "first-answer"));
    assert!(fetch.has("sinch.state", "COMPLETED") && fetch.has("sinch.changed", "true"));
    let lines = processed_lines(&service);
    let traces: Vec<&Value> = lines.iter().map(|line| &line["trace_id"]).collect();
    assert_eq!(traces, [&Value::from(root.trace.as_str())]);
    service.stop_well().await;
    let spans = fixture.collector.spans();
    assert!(
        spans.iter().all(|span| span.trace == root.trace),
        "{spans:#?}"
    );
}

#[tokio::test]
async fn a_trace_goes_on_after_the_service_was_killed() {
    let fixture = Fixture::new().await;
    fixture.simulator.set_outage(Outage::Hang);
    let service = Service::start(&fixture.settings).await;
    service.deliver(fixture.completed()).await;
    let root = fixture.span(RECEIVE).await;
    fixture.span(PROCESS).await;
    service.kill().await;
    fixture.simulator.set_outage(Outage::None);
    let service = Service::start(&fixture.settings).await;
    let fetch = fixture.confirmed().await;
    assert_eq!((&fetch.trace, &fetch.parent), (&root.trace, &root.id));
    service.stop_well().await;
}

#[tokio::test]
async fn a_fetch_that_fails_is_part_of_the_trace_and_says_why() {
    let fixture = Fixture::new().await;
    let outage = Outage::Unavailable { retry_after: None };
    fixture.simulator.set_outage(outage);
    let service = Service::start(&fixture.settings).await;
    service.deliver(fixture.completed()).await;
    let failed = fixture.span(FETCH).await;
    assert_eq!(failed.error.as_deref(), Some("not-now"), "{failed:?}");
    assert!(
        !failed.attributes.contains_key("sinch.confirmed"),
        "{failed:?}"
    );
    fixture.simulator.set_outage(Outage::None);
    let fetch = fixture.confirmed().await;
    let root = fixture.span(RECEIVE).await;
    for fetch in [&failed, &fetch] {
        assert_eq!((&fetch.trace, &fetch.parent), (&root.trace, &root.id));
    }
    service.stop_well().await;
}

#[tokio::test]
async fn a_callback_that_comes_again_is_a_child_of_the_first() {
    let fixture = Fixture::new().await;
    let service = Service::start(&fixture.settings).await;
    service.deliver(fixture.completed()).await;
    service.deliver(fixture.completed()).await;
    service
        .deliver(fixture.completed().replace("COMPLETED", "IN_REVIEW"))
        .await;
    let root = fixture.span(RECEIVE).await;
    for accepted in ["duplicate", "conflict"] {
        let is_it = |span: &Seen| span.has("sinch.accepted", accepted);
        let again = fixture.collector.span(accepted, is_it).await;
        assert_eq!((&again.trace, &again.parent), (&root.trace, &root.id));
        assert_ne!(again.id, root.id);
    }
    service.stop_well().await;
    let spans = fixture.collector.spans();
    let traces = spans.iter().filter(|span| span.trace != root.trace);
    assert_eq!(traces.count(), 0, "{spans:#?}");
}

#[tokio::test]
async fn the_last_spans_are_sent_at_the_end() {
    let fixture = Fixture::new().await;
    let late = ("OTEL_BSP_SCHEDULE_DELAY", "600000");
    let settings = fixture.settings.clone().set_environment(late.0, late.1);
    let service = Service::start(&settings).await;
    service.deliver(fixture.completed()).await;
    service.settles("o1", "COMPLETED").await;
    assert_eq!(fixture.collector.spans().len(), 0, "they gather");
    service.stop_well().await;
    let names = fixture.collector.spans().into_iter().map(|span| span.name);
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, [FETCH, PROCESS, RECEIVE]);
}

#[tokio::test]
async fn no_span_holds_a_telephone_number_or_a_body() {
    let fixture = Fixture::new().await;
    let service = Service::start(&fixture.settings).await;
    let number = "+46700000000";
    service
        .deliver(about_number("n1", "ACTIVE_NUMBER", number))
        .await;
    service
        .deliver(event(
            "e46700000000",
            number,
            "COMPLETED",
            fixture.simulator.started_at(),
        ))
        .await;
    service.deliver("{}").await;
    let is_parked = |span: &Seen| span.error.as_deref() == Some("property-missing");
    fixture
        .collector
        .span("a callback that is not understood", is_parked)
        .await;
    fixture.span(FETCH).await;
    service.stop_well().await;
    for span in fixture.collector.spans() {
        let shown = format!("{:?} {:?}", span.attributes, span.error);
        assert!(!shown.contains("46700"), "{shown}");
    }
}

/// The sampler decides by the trace alone, so a trace is there as a whole or not at all.
#[tokio::test]
async fn a_share_of_the_traces_is_sent_whole() {
    let fixture = Fixture::new().await;
    let settings = fixture
        .settings
        .clone()
        .set_environment("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        .set_environment("OTEL_TRACES_SAMPLER_ARG", "0.5")
        .set_project("api", "off");
    let service = Service::start(&settings).await;
    let events = 40;
    for n in 0..events {
        let body = event(
            &format!("e{n}"),
            "o1",
            "IN_REVIEW",
            fixture.simulator.started_at(),
        );
        service.deliver(body).await;
    }
    service.order_with("o1", events).await;
    service.stop_well().await;
    let spans = fixture.collector.spans();
    let of = |name: &str| {
        let mut traces: Vec<&str> = spans
            .iter()
            .filter(|span| span.name == name)
            .map(|span| span.trace.as_str())
            .collect();
        traces.sort_unstable();
        traces
    };
    assert_eq!(of(RECEIVE), of(PROCESS));
    let sent = of(RECEIVE).len();
    assert!(sent > 0 && sent < events, "{sent} of {events}");
}
