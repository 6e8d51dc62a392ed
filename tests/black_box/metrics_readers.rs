//! Who reads `/metrics`: the parsers of Prometheus's own client for Python, and a real Prometheus with the rules that are
//! shipped. Both read it before the first callback, and once callbacks, fetches and alerts have left their figures.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use number_order::State::{Completed, Created, InReview};
use serde_json::Value;
use sinch_simulator::{Reply, Simulator, World};

use super::monitoring::{DASHBOARD, RULES, names};
use super::python;
use testkit::{
    Output, PATH, PROJECT, Process, Request, Service, Settings, event, folder, free_address, id,
    not_tried, now, order_history, play, until,
};

const PACKAGE: &str = "prometheus-client==0.23.1";

/// Parses a text in the form that it is in, and prints the names of its samples.
const PARSE: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as older

form, path = sys.argv[1:]
parse = {'openmetrics': openmetrics, 'older': older}[form]
with open(path, encoding='utf-8', newline='') as file:
    text = file.read()
print(*sorted({sample.name for family in parse(text) for sample in family.samples}), sep='\\n')
";

/// Each form, with what a request for it accepts and the beginning of its content type.
const FORMS: [(&str, &str, &str); 2] = [
    (
        "openmetrics",
        "application/openmetrics-text;version=1.0.0",
        "application/openmetrics-text; version=1.0.0",
    ),
    (
        "older",
        "text/plain;version=0.0.4",
        "text/plain; version=0.0.4",
    ),
];

/// A service, and the simulated Sinch that it fetches from. It has a target that cannot be reached.
async fn start(folder: &Path) -> (Simulator, Service) {
    let history = [(0, Created), (1, InReview), (2, Completed)];
    let orders = ["o1", "o2"].map(|order| order_history(order, &history));
    let settings = Settings::new(folder)
        .set("worker.attempts_max", 1)
        .add_target("crm", "http://127.0.0.1:9/hooks");
    let (simulator, settings) = play(World::from_orders(id(PROJECT), orders), settings).await;
    let service = Service::start(&settings).await;
    (simulator, service)
}

/// Has callbacks taken, parked and refused, an order confirmed and another parked, until an alert about the service fires.
async fn make_figures(simulator: &Simulator, service: &Service) {
    simulator.push_reply(&id("o2"), Reply::ServerError { status: 500 });
    service.deliver(event("e2", "o2", "COMPLETED", now())).await;
    let parked = service.order_when("o2", "parked", |order| !order["parked"].is_null());
    parked.await;
    service.deliver(event("e1", "o1", "COMPLETED", now())).await;
    service.settles("o1", "COMPLETED").await;
    service.deliver("no JSON").await;
    let refused = Request::signed(PATH, "another secret", "{}");
    assert_eq!(service.send(&refused).await.status, 401);
    until(
        "an alert, a comparison of the secret and an attempt to tell",
        async || {
            let status = service.status().await;
            let is_complete = status["service_alerts"][0].is_object()
                && !status["secrets"][PROJECT]["comparison"].is_null()
                && status["targets"]["crm"]["failures"] != 0;
            is_complete.then_some(())
        },
    )
    .await;
}

/// Returns the names of a text's samples as a parser of Python's reads it; `None`: it refuses the text.
fn parsed(programs: &Path, folder: &Path, form: &str, text: &str) -> Option<BTreeSet<String>> {
    let file = folder.join("metrics.txt");
    fs::write(&file, text).expect("is written");
    let mut parser = Command::new(programs.join("python"));
    parser.args(["-c", PARSE, form]).arg(&file);
    let ended = parser.output().expect("it runs");
    let said = String::from_utf8(ended.stdout).expect("text");
    ended
        .status
        .success()
        .then(|| said.lines().map(str::to_owned).collect())
}

/// Has the parsers read both forms, and returns the names of the samples, which are the same in both.
async fn parsed_in_both(programs: &Path, folder: &Path, service: &Service) -> BTreeSet<String> {
    let mut of_forms = Vec::new();
    for (form, accept, content_type) in FORMS {
        let request = Request::new("GET", "/metrics").header("Accept", accept);
        let answer = service.send_to_operators(&request).await;
        assert_eq!(answer.status, 200);
        let is_so = answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with(content_type));
        assert!(is_so, "{answer:?}");
        let text = String::from_utf8(answer.body).expect("text");
        let found = parsed(programs, folder, form, &text);
        let found = found.unwrap_or_else(|| panic!("the parser refuses {form}: {text}"));
        // The control: a value that is no number is refused.
        let spoilt = text.replacen("_seconds_count ", "_seconds_count x", 1);
        assert_ne!(spoilt, text, "there is a count to spoil");
        assert_eq!(parsed(programs, folder, form, &spoilt), None, "{form}");
        of_forms.push(found);
    }
    let both = of_forms.pop().expect("two forms");
    assert_eq!(of_forms, std::slice::from_ref(&both));
    both
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs a package of Python in a folder of its own"]
async fn the_python_package_of_prometheus_parses_the_figures() {
    let folder = folder();
    let what = "the form of /metrics";
    let Some(programs) = python::with_package(folder.path(), PACKAGE, what) else {
        return;
    };
    let (simulator, service) = start(folder.path()).await;
    let first = parsed_in_both(&programs, folder.path(), &service).await;
    assert!(
        first.contains("sinch_callbacks_callbacks_accepted_total"),
        "{first:?}"
    );
    assert!(
        first.contains("sinch_callbacks_acknowledgement_seconds_bucket"),
        "{first:?}"
    );
    make_figures(&simulator, &service).await;
    let later = parsed_in_both(&programs, folder.path(), &service).await;
    let gone: Vec<_> = first.difference(&later).collect();
    assert!(gone.is_empty(), "{gone:?}");
    let wanted = names(RULES).into_iter().chain(names(DASHBOARD));
    let missing: Vec<_> = wanted.filter(|name| !later.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    service.stop_well().await;
}

/// A running Prometheus.
struct Prometheus {
    address: SocketAddr,
    process: Process,
}

impl Prometheus {
    /// Starts one that scrapes the service every second and evaluates the rules that are shipped.
    async fn start(folder: &Path, service: &Service) -> Prometheus {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/alerts.yaml");
        let configuration = folder.join("prometheus.yaml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{}']\n\
             scrape_configs: [{{job_name: sinch-callbacks, static_configs: [{{targets: ['{}']}}]}}]\n",
            rules.display(),
            service.operators
        );
        fs::write(&configuration, text).expect("is written");
        let address = free_address();
        let arguments = [
            format!("--config.file={}", configuration.display()),
            format!("--storage.tsdb.path={}", folder.join("series").display()),
            format!("--web.listen-address={address}"),
        ];
        let command = Command::new("prometheus");
        let process = Process::spawn(command, arguments, Output::Kept);
        let prometheus = Prometheus { address, process };
        until("Prometheus to be ready", async || {
            prometheus.get("/-/ready").await.map(drop)
        })
        .await;
        prometheus
    }

    /// Asks for something; `None`: there is no such answer yet.
    async fn get(&self, path: &str) -> Option<String> {
        // Prometheus sends long answers in chunks. Without a provider of TLS there is no client, not even for plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build();
        let url = format!("http://{}{path}", self.address);
        let answer = client.expect("a client").get(url).send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }

    async fn data(&self, path: &str) -> Option<Value> {
        let answer: Value = serde_json::from_str(&self.get(path).await?).ok()?;
        Some(answer["data"].clone())
    }

    /// Waits until one more scrape was good, and returns the names of all series that there are.
    async fn scraped(&self) -> BTreeSet<String> {
        let began = now();
        until("a good scrape", async || {
            let targets = self.data("/api/v1/targets").await?;
            let target = &targets["activeTargets"][0];
            assert!(
                matches!(target["lastError"].as_str(), Some("") | None),
                "{target}"
            );
            let at: jiff::Timestamp = target["lastScrape"].as_str()?.parse().ok()?;
            (target["health"] == "up" && at.as_microsecond() > began.0).then_some(())
        })
        .await;
        let up = self
            .data("/api/v1/query?query=up")
            .await
            .expect("an answer");
        assert_eq!(up["result"][0]["value"][1], "1", "{up}");
        let names = self.data("/api/v1/label/__name__/values").await;
        let names = names.expect("an answer");
        let names = names.as_array().expect("a list").iter();
        names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    }

    /// Waits until each rule was evaluated, and returns how many there are.
    async fn evaluated(&self) -> usize {
        until("each rule to be evaluated", async || {
            let groups = self.data("/api/v1/rules").await?;
            let groups = groups["groups"].as_array()?.iter();
            let rules = groups
                .filter_map(|group| group["rules"].as_array())
                .flatten();
            let rules: Vec<&Value> = rules.collect();
            let faults = rules.iter().filter(|rule| !rule["lastError"].is_null());
            assert_eq!(faults.count(), 0, "{rules:#?}");
            let all = rules.len();
            let is_done = rules.iter().all(|rule| rule["health"] == "ok");
            (all > 0 && is_done).then_some(all)
        })
        .await
    }

    /// Asserts that Prometheus has refused no sample, as it counts them itself.
    async fn has_taken_all(&self) {
        let own = self.get("/metrics").await.expect("its own figures");
        for what in ["duplicate_timestamp", "out_of_order", "out_of_bounds"] {
            let count = format!("\nprometheus_target_scrapes_sample_{what}_total 0\n");
            assert!(own.contains(&count), "{count}");
        }
    }
}

/// The only series that is there no sooner than there is something to show.
const LATER: [&str; 1] = ["sinch_callbacks_last_delivery_timestamp_seconds"];

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_scrapes_the_figures_and_evaluates_the_rules() {
    if Command::new("prometheus")
        .arg("--version")
        .output()
        .is_err()
    {
        return not_tried("a real Prometheus: it is not installed (package prometheus)");
    }
    let folder = folder();
    let (simulator, service) = start(folder.path()).await;
    let prometheus = Prometheus::start(folder.path(), &service).await;
    let wanted: BTreeSet<&str> = names(RULES).into_iter().chain(names(DASHBOARD)).collect();
    let missing = async || {
        let there = prometheus.scraped().await;
        let missing = wanted.iter().filter(|name| !there.contains(**name));
        missing.copied().collect::<Vec<_>>()
    };
    // Sinch's secret is compared a moment after the start, and the project's fetcher may begin after the listeners.
    until("all series that need no callback", async || {
        (missing().await == LATER).then_some(())
    })
    .await;
    assert!(prometheus.evaluated().await > 15);

    make_figures(&simulator, &service).await;
    until("all series", async || {
        missing().await.is_empty().then_some(())
    })
    .await;
    assert!(prometheus.evaluated().await > 15);
    prometheus.has_taken_all().await;
    drop(prometheus.process);
    service.stop_well().await;
}
