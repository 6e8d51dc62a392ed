//! Tests that neither a clock that is set while the service runs nor a time zone changes a decision.
//!
//! Sinch's clock, which the simulator follows, is never touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use number_order::State::{Completed, Created, InReview};
use number_order::Time;
use serde_json::Value;
use sinch_callbacks::clock;
use sinch_simulator::{Reply, Simulator, World};

use testkit::{
    PROJECT, Process, Request, Service, Settings, event, folder, id, order_history, play, until,
};

const DAYS_SECS: i64 = 5 * 24 * 3600;

/// Plays events and answers that meet each rule that depends on time, and calls `between` half-way. Returns every
/// decision, without times and without values that depend on the speed of the machine.
async fn decisions(settings: Settings, between: impl AsyncFnOnce(&Service)) -> Vec<String> {
    let history = [(0, Created), (1, InReview), (2, Completed)];
    let histories = [
        order_history("o1", &history),
        order_history("o2", &history[..2]),
        order_history("o3", &history),
    ];
    let (simulator, settings) = play(World::from_orders(id(PROJECT), histories), settings).await;
    let service = Service::start(&settings).await;
    let at = |millis| simulator.started_at().plus(Duration::from_millis(millis));

    // Order o1 is announced and confirmed before `between`. It moves on, and fails once, after it.
    push(&simulator, "o1", says("IN_REVIEW", 1));
    service.deliver(event("e1", "o1", "IN_REVIEW", at(1))).await;
    service.settles("o1", "IN_REVIEW").await;
    // Order o2 is watched before `between`, with its next fetch a minute ahead, which stays so.
    let path = format!("/api/v1/orders/{PROJECT}/o2");
    let watched = service.send_to_operators(&Request::new("PUT", &path)).await;
    assert_eq!(watched.status, 201, "{watched:?}");
    let planned = service.settles("o2", "IN_REVIEW").await["fetch_at"].take();

    between(&service).await;

    push(&simulator, "o1", Reply::ServerError { status: 500 });
    push(&simulator, "o1", Reply::NotFound);
    service.deliver(event("e2", "o1", "COMPLETED", at(2))).await;
    service.settles("o1", "COMPLETED").await;
    // The event is late, and long superseded. Then an order is announced only now, at first too young to be found.
    service.deliver(event("e3", "o1", "IN_REVIEW", at(1))).await;
    service
        .order_when("o1", "nothing open", |order| {
            order["deliveries"].as_array().map(Vec::len) == Some(3) && order["settled"] == true
        })
        .await;
    push(&simulator, "o3", Reply::NotFound);
    service.deliver(event("e4", "o3", "COMPLETED", at(2))).await;
    service.settles("o3", "COMPLETED").await;
    let then = service.order("o2").await["fetch_at"].take();
    let has_come = moment(&planned).is_some_and(|at| at <= clock::now());
    assert!(then == planned || has_come, "{planned}, then {then}");

    let mut decided = decided_of(&service.order("o2").await);
    for order in ["o1", "o3"] {
        let order = service.order_when(order, "a last look in a day", |order| {
            ahead(order).is_some_and(|ahead| ahead > Duration::from_secs(3600))
        });
        decided.extend(decided_of(&order.await));
    }
    service.stop().await;
    decided
}

fn push(simulator: &Simulator, order: &str, reply: Reply) {
    simulator.push_reply(&id(order), reply);
}

fn says(state: &str, updated_millis: u64) -> Reply {
    Reply::Shows {
        state: state.to_owned(),
        updated: Duration::from_millis(updated_millis),
    }
}

fn moment(value: &Value) -> Option<Time> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(at.into())
}

/// Time from the last fetch of an order to its next one.
fn ahead(order: &Value) -> Option<Duration> {
    let (fetch_at, fetched_at) = (moment(&order["fetch_at"])?, moment(&order["fetched_at"])?);
    Some(fetch_at.since(fetched_at))
}

/// Decisions about an order, and the hours until its next fetch: time zones differ by at least a quarter of an hour,
/// and those under test by many.
fn decided_of(order: &Value) -> Vec<String> {
    let name = order["order"].as_str().unwrap_or_default();
    let rows = |list: &str, columns: &[&str]| -> Vec<String> {
        let rows = order[list].as_array().into_iter().flatten();
        rows.map(|row| {
            // Only the code is taken: its fields may hold moments.
            let shown = |column: &str| match row[column].get("code") {
                Some(code) => code.to_string(),
                None => row[column].to_string(),
            };
            let columns: Vec<String> = columns.iter().map(|c| shown(c)).collect();
            format!("{name} {list}: {}", columns.join(", "))
        })
        .collect()
    };
    let mut decided = rows("deliveries", &["event", "phase", "decision"]);
    // Fetches that show no change are left out, since the scheduler decides how many there are.
    let fetches = rows("fetches", &["state", "outcome"]).into_iter();
    let shows_change = |row: &String| !(row.contains("unchanged") || row.contains("refreshed"));
    decided.extend(fetches.filter(shows_change));
    decided.extend(rows(
        "transitions",
        &["from_state", "to_state", "confirmed", "cause"],
    ));
    let hours = ahead(order).map(|ahead| (ahead.as_secs() + 1800) / 3600);
    decided.push(format!("{name}: {}, next in {hours:?} h", order["state"]));
    // The time of receipt is the true one, whatever the system's clock says.
    for delivery in order["deliveries"].as_array().into_iter().flatten() {
        let received_at = moment(&delivery["received_at"]).expect("a time");
        let now = clock::now();
        let off = now.since(received_at).max(received_at.since(now));
        assert!(off < Duration::from_secs(300), "{delivery}");
    }
    decided
}

async fn decisions_with_a_steady_clock() -> Vec<String> {
    let folder = folder();
    let decided = decisions(Settings::new(folder.path()), async |_| {}).await;
    assert!(decided.len() > 15, "{decided:#?}");
    decided
}

#[tokio::test]
async fn no_time_zone_changes_a_decision() {
    let in_zone = async |zone: &str| {
        let folder = folder();
        let settings = Settings::new(folder.path()).set_environment("TZ", zone);
        (zone.to_owned(), decisions(settings, async |_| {}).await)
    };
    let (expected, ahead, behind, none) = tokio::join!(
        decisions_with_a_steady_clock(),
        in_zone("Pacific/Kiritimati"),
        in_zone("<-11>11"),
        in_zone(":no/such/zone"),
    );
    for (zone, decided) in [ahead, behind, none] {
        assert_eq!(decided, expected, "TZ={zone}");
    }
}

/// Returns the path of libfaketime in its build for programs with threads.
fn faketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found
        .find(|path| path.exists())
        .expect("libfaketime is needed: install the package faketime")
}

/// Settings of a service that takes its time of day from a file.
fn with_clock(settings: Settings, offset: &Path) -> Settings {
    set(offset, 0);
    settings
        .set_environment("LD_PRELOAD", faketime().display().to_string())
        .set_environment("FAKETIME_TIMESTAMP_FILE", offset.display().to_string())
        .set_environment("FAKETIME_NO_CACHE", "1")
        // Setting a clock changes only the time of day.
        .set_environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

fn set(offset: &Path, secs: i64) {
    // The file is replaced in one step, since the service reads it all the time.
    let next = offset.with_extension("next");
    fs::write(&next, format!("{secs:+}\n")).expect("writes");
    fs::rename(next, offset).expect("renames");
}

async fn is_set(service: &Service, expected_secs: i64) {
    until("the clock to be seen as set", async || {
        let secs = service.status().await["clock_set_by_secs"].as_i64()?;
        ((secs - expected_secs).abs() < 60).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs libfaketime: .ci/run says when it was not tried"]
async fn a_clock_that_is_set_changes_no_decision() {
    let expected = decisions_with_a_steady_clock().await;
    for secs in [-DAYS_SECS, DAYS_SECS] {
        let folder = folder();
        let offset = folder.path().join("offset");
        let settings = with_clock(Settings::new(folder.path()), &offset);
        let decided = decisions(settings, async |service| {
            set(&offset, secs);
            // The service notices the change, which proves that libfaketime works.
            is_set(service, secs).await;
        })
        .await;
        assert_eq!(decided, expected, "set by {secs} s");
    }
}

#[tokio::test]
#[ignore = "needs libfaketime: .ci/run says when it was not tried"]
async fn a_clock_before_1970_is_refused_by_name() {
    let folder = folder();
    let config = Settings::new(folder.path()).write();
    for command in ["serve", "check"] {
        let environment = [
            ("LD_PRELOAD", faketime().display().to_string()),
            ("FAKETIME", "1969-07-20 20:17:00".to_owned()),
        ];
        let arguments = ["--config".as_ref(), config.as_os_str(), command.as_ref()];
        let ended = Process::start_in(&environment, arguments).ended().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let said = [ended.out, ended.err].concat();
        assert!(said.contains("clock says 1969-07-20"), "{command}: {said}");
    }
}

#[tokio::test]
#[ignore = "needs libfaketime: .ci/run says when it was not tried"]
async fn a_clock_that_is_set_to_and_fro_is_reported_and_stops_nothing() {
    let folder = folder();
    let offset = folder.path().join("offset");
    let settings = with_clock(Settings::new(folder.path()), &offset);
    let histories = (0..6).map(|n| order_history(&format!("o{n}"), &[(0, Created), (1, InReview)]));
    let (simulator, settings) = play(World::from_orders(id(PROJECT), histories), settings).await;
    let service = Service::start(&settings).await;
    for (n, days) in [-5, 30, -400, 0, 3650, 0].into_iter().enumerate() {
        let secs = days * 24 * 3600;
        set(&offset, secs);
        is_set(&service, secs).await;
        let order = format!("o{n}");
        let body = event(&order, &order, "IN_REVIEW", simulator.started_at());
        service.deliver(body).await;
        service.settles(&order, "IN_REVIEW").await;
        assert_eq!(
            service.get("/readyz").await.status,
            200,
            "set by {days} days"
        );
    }
    assert_eq!(simulator.fetches().len(), 6, "one fetch each");
}
