//! Collectors that are no help, and variables that cannot be used.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Collector, Fixture, Mood};
use testkit::{Ended, Process, Service, Settings, event, folder, free_address, now, until};

/// Number of callbacks that meet a collector that takes nothing.
const CALLBACKS: usize = 60;

/// Returns the lines of the log that tell of dropped spans.
fn dropped_lines(said: &str) -> Vec<Value> {
    let lines = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_about_drops = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("spans of traces were dropped")
    };
    lines.filter(is_about_drops).collect()
}

/// A collector that takes nothing costs the callbacks nothing: each is answered 200 and processed, spans are dropped and
/// told, and the stop does not wait for the collector.
async fn play_against(settings: Settings, reason: &str) {
    let settings = settings
        .set_environment("OTEL_EXPORTER_OTLP_TIMEOUT", "200")
        .set_environment("OTEL_BSP_MAX_QUEUE_SIZE", "16")
        .set_environment("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
        .set_environment(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer token-q7x2m",
        );
    let service = Service::start(&settings).await;
    for n in 0..CALLBACKS {
        service
            .deliver(event(&format!("e{n}"), "o1", "COMPLETED", now()))
            .await;
    }
    service.settles("o1", "COMPLETED").await;
    until("a line about dropped spans", async || {
        let lines = dropped_lines(&service.said());
        let is_told = |line: &Value| {
            line["reason"]
                .as_str()
                .is_some_and(|it| it.contains(reason))
        };
        lines.iter().any(is_told).then_some(())
    })
    .await;
    let began = Instant::now();
    let ended = service.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // The grace of these settings is a minute. Nothing holds up the stop but a second for the last spans.
    assert!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    let lines = dropped_lines(&ended.out);
    assert!(lines.len() <= 3, "{lines:#?}");
    assert!(!ended.out.contains("q7x2m") && !ended.err.contains("q7x2m"));
}

#[tokio::test]
async fn a_collector_that_hangs_costs_the_callbacks_nothing() {
    let fixture = Fixture::with(Collector::start(Mood::Hangs).await).await;
    play_against(fixture.settings.clone(), "timed out").await;
}

#[tokio::test]
async fn a_collector_that_fails_costs_the_callbacks_nothing() {
    let fixture = Fixture::with(Collector::start(Mood::Answers(500)).await).await;
    play_against(fixture.settings.clone(), "it answered 500").await;
    let sent = fixture.collector.authorization();
    assert_eq!(sent.as_deref(), Some("Bearer token-q7x2m"));
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_the_callbacks_nothing() {
    let fixture = Fixture::new().await;
    let nowhere = format!("http://{}", free_address());
    let settings = fixture.settings.clone();
    let settings = settings.set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", nowhere);
    play_against(settings, "refused").await;
}

#[tokio::test]
async fn nothing_is_sent_where_traces_are_switched_off() {
    for (name, value) in [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
    ] {
        let fixture = Fixture::new().await;
        let settings = fixture.settings.clone().set_environment(name, value);
        let service = Service::start(&settings).await;
        service.deliver(fixture.completed()).await;
        service.settles("o1", "COMPLETED").await;
        let said = service.said();
        assert!(
            !said.contains("traces are sent") && !said.contains("trace_id"),
            "{name}"
        );
        service.stop_well().await;
        assert_eq!(fixture.collector.requests(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_variable_that_cannot_be_used_stops_the_start_and_check_says_so() {
    let folder = folder();
    let good = Settings::new(folder.path());
    let good = good.set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    for (name, value, fault) in [
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "OTEL_EXPORTER_OTLP_PROTOCOL: \"grpc\" is not known here; write http/protobuf, or leave it out",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "collector:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: it is no URL of http or https; write http://HOST:4318",
        ),
        (
            "OTEL_TRACES_SAMPLER",
            "sometimes",
            "OTEL_TRACES_SAMPLER: \"sometimes\" is not known here; write always_on",
        ),
    ] {
        let settings = good.clone().set_environment(name, value);
        let ended = Service::spawn(&settings).ended().await;
        assert_eq!(ended.code, Some(78), "{ended:?}");
        assert!(ended.err.contains(fault), "{ended:?}");
        let checked = check(&settings).await;
        assert_eq!(checked.code, Some(78), "{checked:?}");
        assert!(
            checked.out.contains(&format!("FAILED  traces: {fault}")),
            "{checked:?}"
        );
    }
    let checked = check(&good).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.out.contains("ok      traces\n"), "{checked:?}");
}

/// Runs `check` with the settings, and their environment.
async fn check(settings: &Settings) -> Ended {
    let config = settings.write();
    let arguments = ["--config".as_ref(), config.as_os_str(), "check".as_ref()];
    let process = Process::spawn(settings.command(), arguments, settings.output());
    process.ended().await
}
