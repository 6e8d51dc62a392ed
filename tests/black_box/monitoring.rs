//! What is shipped for monitoring: the rules and the dashboard name figures that there are, each alert fires on a made series,
//! and both forms of `/metrics` are what Prometheus reads.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use testkit::{PATH, Request, SECRET, Service, Settings, event, folder, not_tried, now, until};

pub const RULES: &str = include_str!("../../deploy/prometheus/alerts.yaml");
pub const DASHBOARD: &str = include_str!("../../deploy/grafana/dashboard.json");
const RUNBOOK: &str = include_str!("../../docs/runbook.md");
const PREFIXES: [&str; 2] = ["sinch_callbacks_", "process_"];

/// Returns the names of this program's metrics in a text.
pub fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

/// Asks for the figures in Prometheus's older form.
pub async fn older(service: &Service) -> String {
    let request = Request::new("GET", "/metrics").header("Accept", "text/plain;version=0.0.4");
    let answer = service.send_to_operators(&request).await;
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).expect("is text")
}

#[tokio::test]
async fn rules_and_dashboard_name_only_what_is_there() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let target = "http://127.0.0.1:9/hooks";
    let service = Service::start(&settings.add_target("crm", target)).await;
    service.deliver(event("e1", "o1", "IN_REVIEW", now())).await;
    let mut missing = BTreeSet::new();
    // A project's circuit has figures once a fetch was tried.
    let complete = testkit::within(testkit::PATIENCE, async || {
        let text = older(&service).await;
        let there = names(&text);
        let wanted = names(RULES).into_iter().chain(names(DASHBOARD));
        missing = wanted
            .filter(|name| !there.contains(name))
            .map(str::to_owned)
            .collect();
        missing.is_empty().then_some(())
    });
    let complete = complete.await;
    assert!(complete.is_some(), "not in /metrics: {missing:?}");
    service.stop_well().await;
}

#[test]
fn each_alert_has_its_page_in_the_runbook() {
    let alerts = RULES
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: BTreeSet<&str> = alerts.collect();
    let pages = RUNBOOK.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(alerts, pages.collect());
    assert!(alerts.len() > 15);
}

#[test]
fn each_alert_fires_on_a_made_series() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
    let promtool = |arguments: &[&str]| {
        let ended = Command::new("promtool")
            .args(arguments)
            .current_dir(&folder)
            .output();
        ended.map(|ended| assert!(ended.status.success(), "{ended:?}"))
    };
    let tried = promtool(&["check", "rules", "alerts.yaml"])
        .and_then(|()| promtool(&["test", "rules", "alerts_test.yaml"]));
    if tried.is_err() {
        not_tried("the alert rules: promtool is not installed (package prometheus)");
    }
}

/// Checks a text with Prometheus's own tool; `false`: it is not installed.
fn is_checked(text: &str) -> bool {
    let checked = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut checked) = checked else {
        return false;
    };
    let mut input = checked.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("is read");
    drop(input);
    let ended = checked.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    true
}

#[tokio::test]
async fn prometheus_finds_no_fault_with_the_figures() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    // Before the first callback too, every histogram is there.
    let text = older(&service).await;
    for histogram in [
        "acknowledgement",
        "processing",
        "processing_step",
        "fetch",
        "notification",
    ] {
        let count = format!("sinch_callbacks_{histogram}_seconds_count 0\n");
        assert!(text.contains(&count), "{count} in {text}");
    }
    if !is_checked(&text) {
        return not_tried("the form of /metrics: promtool is not installed (package prometheus)");
    }
    for body in [event("e1", "o1", "IN_REVIEW", now()), "no JSON".to_owned()] {
        service.deliver(body).await;
    }
    let text = until("what came to be counted", async || {
        let text = older(&service).await;
        let is_counted = text.contains("sinch_callbacks_acknowledgement_seconds_count 2\n");
        is_counted.then_some(text)
    });
    assert!(is_checked(&text.await));
    service.stop_well().await;
}

#[tokio::test]
async fn histograms_count_what_happens() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    for n in 0..3 {
        let body = event(&format!("e{n}"), "o1", "IN_REVIEW", now());
        service.deliver(body).await;
    }
    let refused = Request::signed(
        PATH,
        "another secret",
        event("e9", "o1", "IN_REVIEW", now()),
    );
    assert_eq!(service.send(&refused).await.status, 401);
    assert_ne!(SECRET, "another secret");
    until("three callbacks to be counted", async || {
        let text = older(&service).await;
        let counted =
            |name: &str| text.contains(&format!("sinch_callbacks_{name}_seconds_count 3\n"));
        (counted("acknowledgement") && counted("processing")).then_some(())
    })
    .await;
    service.stop_well().await;
}
