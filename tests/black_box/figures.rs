//! Figures: `/status` and `/metrics` agree, and the documents name no metric that is not there.

use std::collections::{BTreeMap, BTreeSet};

use number_order::State;
use serde_json::Value;
use sinch_callbacks::clock;
use sinch_simulator::World;

use testkit::{
    PATIENCE, PROJECT, Service, Settings, event, folder, id, order_history, play, until, within,
};

/// Samples of `/metrics`, each by its name, with the values of its labels after slashes.
async fn metrics(service: &Service) -> BTreeMap<String, f64> {
    let text = String::from_utf8(service.get("/metrics").await.body).expect("is text");
    // Histograms and figures of the process are in `/metrics` alone.
    let is_figure = |line: &&str| {
        let name = line.split([' ', '{']).next().unwrap_or_default();
        let spans = ["_seconds_bucket", "_seconds_sum", "_seconds_count"];
        !line.starts_with('#')
            && !line.starts_with("process_")
            && !spans.iter().any(|ending| name.ends_with(ending))
    };
    let samples = text.lines().filter(is_figure);
    let sample = |line: &str| {
        let (name, number) = line.rsplit_once(' ').expect("a sample");
        let name = name
            .strip_prefix("sinch_callbacks_")
            .expect("the prefix of the program");
        let name = match name.split_once('{') {
            None => name.to_owned(),
            Some((name, labels)) => {
                let values: Vec<&str> = labels.split('"').skip(1).step_by(2).collect();
                assert!(!values.is_empty(), "a label's value: {line}");
                format!("{name}/{}", values.join("/"))
            }
        };
        (name, number.parse().expect("a number"))
    };
    samples.map(sample).collect()
}

/// The figures of `/status`, by the names and values that they should have in `/metrics`: objects of counts and of
/// projects become labels, other objects a prefix. A time may be a time or an age in `/metrics`.
#[expect(clippy::too_many_lines, reason = "one list of figures")]
fn figures(status: &Value) -> BTreeMap<String, Option<f64>> {
    let mut figures = BTreeMap::new();
    for (key, value) in status.as_object().expect("an object") {
        match (key.as_str(), value) {
            ("version" | "alerts" | "service_alerts" | "workers", _) => {}
            ("silent_workers" | "rows_unreadable", Value::Array(names)) => {
                figures.insert(key.clone(), Some(names.len() as f64));
            }
            ("log_lines_dropped" | "sources_unexamined", number) => {
                figures.insert(format!("{key}_total"), number.as_f64());
            }
            ("little_space", words) => {
                let is_so = u8::from(!words.is_null());
                figures.insert(key.clone(), Some(is_so.into()));
            }
            ("api", Value::Object(projects)) => {
                for (project, view) in projects {
                    for (key, value) in view.as_object().expect("an object") {
                        if !["outcome", "pause_reason"].contains(&key.as_str()) {
                            figure(
                                &mut figures,
                                &format!("api_{key}"),
                                &format!("/{project}"),
                                value,
                            );
                        }
                    }
                }
            }
            ("quarantined" | "quarantine_dropped", Value::Object(projects)) => {
                let total = if key == "quarantined" { "" } else { "_total" };
                for (project, reasons) in projects {
                    for (reason, value) in reasons.as_object().expect("an object") {
                        let name = format!("{key}{total}");
                        figure(&mut figures, &name, &format!("/{project}/{reason}"), value);
                    }
                }
            }
            ("secrets", Value::Object(projects)) => {
                for (project, view) in projects {
                    for (key, value) in view.as_object().expect("an object") {
                        if !["comparison", "failure"].contains(&key.as_str()) {
                            figure(
                                &mut figures,
                                &format!("secret_{key}"),
                                &format!("/{project}"),
                                value,
                            );
                        }
                    }
                }
            }
            (_, Value::Object(map)) if map.contains_key("count") => {
                figure(&mut figures, key, "", value);
            }
            ("convergence", Value::Object(map)) => {
                for (part, value) in map {
                    figure(&mut figures, &format!("{key}_{part}"), "", value);
                }
            }
            (_, Value::Object(map)) => {
                for (label, value) in map {
                    figure(&mut figures, key, &format!("/{label}"), value);
                }
            }
            (_, value) => figure(&mut figures, key, "", value),
        }
    }
    figures
}

fn figure(figures: &mut BTreeMap<String, Option<f64>>, key: &str, label: &str, value: &Value) {
    let stem = |ending: &str| key.strip_suffix(ending).unwrap_or(key).to_owned();
    let (name, number) = match value {
        // The figure is unknown, so `/metrics` may leave it out.
        Value::Null => return,
        Value::Object(tally) => (format!("{key}_total"), tally["count"].as_f64()),
        Value::Bool(flag) => (key.to_owned(), Some(u8::from(*flag).into())),
        Value::Number(number) if key.ends_with("_secs") => {
            (stem("_secs") + "_seconds", number.as_f64())
        }
        Value::Number(number) => (key.to_owned(), number.as_f64()),
        Value::String(_) if key.starts_with("oldest_") => (stem("_at") + "_age_seconds", None),
        Value::String(_) => (stem("_at") + "_timestamp_seconds", None),
        Value::Array(_) => panic!("{key} is a list"),
    };
    figures.insert(name + label, number);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of figures")]
async fn status_and_metrics_tell_the_same() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [order_history("o1", &[(0, State::Blocked)])]);
    let settings = Settings::new(folder.path()).set("deadlines.blocked_secs", 1);
    let (simulator, settings) = play(world, settings).await;
    let service = Service::start(&settings).await;
    service
        .deliver(event("e1", "o1", "BLOCKED", simulator.started_at()))
        .await;
    service
        .deliver(event("e1", "o1", "BLOCKED", simulator.started_at()))
        .await;
    service.deliver("no JSON").await;
    let undated = event("e2", "o2", "IN_REVIEW", clock::now())
        .replace("\"timestamp\":\"", "\"timestamp\":\"~");
    service.deliver(undated).await;
    service.settles("o1", "BLOCKED").await;
    until(
        "everything that has a figure to have come about",
        async || {
            let status = service.status().await;
            let attention = &status["orders_needing_attention"];
            (status["alerts"]
                .as_array()
                .is_some_and(|all| all.len() == 1)
                && attention["long-blocked"] == 1
                && attention["long-in-review"] == 0
                && status["timestamps_unreadable"]["count"] == 1
                && status["orders_unsettled"] == 1
                && status["api"][PROJECT]["answered"].is_boolean())
            .then_some(())
        },
    )
    .await;

    let mut wrong = String::new();
    let agree = within(PATIENCE, async || {
        let before = figures(&service.status().await);
        let metrics = metrics(&service).await;
        let after = figures(&service.status().await);
        let names_of =
            |names: &BTreeMap<String, Option<f64>>| names.keys().cloned().collect::<BTreeSet<_>>();
        if names_of(&before) != names_of(&after) {
            return None;
        }
        // A value may change and change back between the requests, so one disagreement proves nothing.
        let differs = before.iter().find(|(name, number)| {
            let there = metrics.get(*name);
            let moves = number.is_none() || **number != after[*name];
            there.is_none() || (!moves && there != number.as_ref())
        });
        let unannounced = metrics.keys().find(|name| {
            // An age without anything to measure is zero in `/metrics`.
            let of_nothing = name.ends_with("_age_seconds") && metrics[*name] == 0.0;
            !name.starts_with("build_info") && !before.contains_key(*name) && !of_nothing
        });
        wrong =
            format!("/status {differs:?}, /metrics only {unannounced:?}: {before:#?} {metrics:#?}");
        (differs.is_none() && unannounced.is_none()).then_some(())
    })
    .await;
    assert!(agree.is_some(), "{wrong}");
    let order = service.order("o2").await;
    let delivery = &order["deliveries"][0];
    assert_eq!(delivery["decision"]["code"], "first-event", "{delivery}");
    assert_eq!(delivery["said_at"], Value::Null, "{delivery}");
    let ended = service.stop().await;
    let warned = |line: &&str| line.contains("time stamp cannot be read") && line.contains("~20");
    assert_eq!(ended.out.lines().filter(warned).count(), 1, "{}", ended.out);
}

#[tokio::test]
async fn what_the_documents_say_can_be_alerted_on_is_there() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [order_history("o1", &[(0, State::InReview)])]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", simulator.started_at()))
        .await;
    service.settles("o1", "IN_REVIEW").await;
    let there = metrics(&service).await;
    let document = include_str!("../../docs/operate.md");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named: BTreeSet<&str> = document
        .split(|c| !is_name(c))
        .filter_map(|word| word.strip_prefix("sinch_callbacks_"))
        .collect();
    assert!(named.len() > 8, "{named:?}");
    for name in named {
        let is_there = there.keys().any(|key| key.split('/').next() == Some(name));
        assert!(
            is_there,
            "docs/operate.md names {name}, which is not in /metrics: {there:#?}"
        );
    }
}
