//! A disk that fills: callbacks are refused, nothing acknowledged is lost, and the service recovers by itself.

use serde_json::Value;
use sinch_callbacks::clock;
use sinch_simulator::World;

use crate::durability::{insist, stop};
use testkit::ledger::lost;
use testkit::{
    Answer, Disk, File, PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, id,
    not_tried, play, until,
};

/// Sends a callback with an event id of its own, and returns the answer, good or bad.
async fn send_new_callback(service: &Service, name: &str) -> Answer {
    let body = event(name, "o1", "IN_REVIEW", clock::now());
    service.send(&Request::signed(PATH, SECRET, body)).await
}

/// Returns the number of log lines that contain the given words.
fn count(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

/// Fills a disk of 4 MB with callbacks until they are refused and `/readyz` gives the given reason, then enlarges the
/// disk.
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn fill(free_min_bytes: u64, words: &str) {
    let disk = match Disk::mount("4m") {
        Ok(disk) => disk,
        Err(reason) => {
            not_tried(&format!(
                "a disk that fills: a tmpfs could not be mounted: {reason}"
            ));
            return;
        }
    };
    // The configuration lies on another disk, so that it takes no part in the test.
    let home = folder();
    let database = disk.path().join("service.db");
    let settings = Settings::new(home.path())
        .set("database.path", database.display().to_string())
        .set("database.free_min_bytes", free_min_bytes)
        .set("log.filter", "warn,sinch_callbacks=info");
    let service = Service::start(&settings).await;
    let load = insist(&service, 4).await;

    let refused = until("a refusal", async || {
        let answer = send_new_callback(&service, "early").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused.assert_refusal(503, "a callback to a full disk");
    assert_eq!(refused.header("retry-after"), Some("5"));
    // On a busy machine `/readyz` may first say that the database does not answer in time.
    until("/readyz to say so", async || {
        let answer = service.get("/readyz").await;
        let is_said = |answer: &Answer| answer.json()["detail"].to_string().contains(words);
        (answer.status == 503 && is_said(&answer)).then_some(())
    })
    .await;
    let status = service.status().await;
    let free = status["disk_free_bytes"].as_u64().expect("a number");
    assert!(free < free_min_bytes.max(1 << 16), "{status}");
    assert_eq!(
        status["little_space"].is_null(),
        free_min_bytes == 0,
        "{status}"
    );
    let promised_before = load.count();
    assert!(promised_before > 0, "nothing was promised");

    disk.enlarge("64m");
    until("callbacks to be taken again", async || {
        (send_new_callback(&service, "late").await.status == 200).then_some(())
    })
    .await;
    service.is_ready().await;
    assert_eq!(service.status().await["little_space"], Value::Null);
    until("more promises", async || {
        (load.count() > promised_before + 50).then_some(())
    })
    .await;
    let promised = stop(load).await;
    let ended = service.stop().await;
    assert_eq!(ended.code, Some(0));
    let times = usize::from(free_min_bytes > 0);
    for words in ["callbacks are refused from now on", "there is space again"] {
        assert_eq!(count(&ended.out, words), times, "{words}");
    }

    let mut file = File::open(&database).await;
    assert!(file.is_intact().await);
    let stored = file.bodies().await;
    assert!(stored.contains_key("late"));
    let lost_events = lost(&promised, &stored);
    assert!(lost_events.is_empty(), "{lost_events:?}");
    file.close().await;
}

#[tokio::test]
async fn before_the_disk_is_full_callbacks_are_refused() {
    fill(1 << 20, "little space").await;
}

#[tokio::test]
async fn on_a_full_disk_callbacks_are_refused() {
    fill(0, "the disk is full").await;
}

/// The part of the test that needs no mount: the service wants more free space than any disk has.
#[tokio::test]
async fn with_too_little_space_what_comes_in_is_refused_and_the_rest_goes_on() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), []);
    let (_simulator, plenty) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&plenty).await;
    service
        .deliver(event("before", "o1", "IN_REVIEW", clock::now()))
        .await;
    assert_eq!(service.stop().await.code, Some(0));

    let wanting = plenty.clone().set("database.free_min_bytes", 1_u64 << 50);
    let service = Service::listening(&wanting).await;
    let refused = send_new_callback(&service, "refused").await;
    refused.assert_refusal(503, "a callback");
    assert_eq!(refused.header("retry-after"), Some("5"));
    let watch = Request::new("PUT", &format!("/api/v1/orders/{PROJECT}/o2"));
    let detail = service.send_to_operators(&watch).await.json()["detail"].to_string();
    assert!(detail.contains("little space"), "{detail}");
    let detail = service.get("/readyz").await.json()["detail"].to_string();
    assert!(detail.contains("database.free_min_bytes"), "{detail}");
    let status = service.status().await;
    let why = status["little_space"].as_str().expect("a sentence");
    assert!(why.starts_with("little space"), "{why}");
    let before = service.order_with("o1", 1).await["attempts"].as_i64();
    let fetch = Request::new("POST", &format!("/api/v1/orders/{PROJECT}/o1/fetch"));
    assert_eq!(service.send_to_operators(&fetch).await.status, 202);
    service
        .order_when("o1", "asked about", |o| o["attempts"].as_i64() > before)
        .await;
    let ended = service.stop().await;
    assert_eq!(ended.code, Some(0));
    assert_eq!(count(&ended.out, "callbacks are refused from now on"), 1);

    let service = Service::start(&plenty).await;
    assert_eq!(send_new_callback(&service, "refused").await.status, 200);
    assert_eq!(service.order("o2").await, Value::Null);
}
