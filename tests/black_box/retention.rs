//! Retention: the time for which each kind of data is kept.

use number_order::State;
use serde_json::json;
use sinch_callbacks::clock;
use sinch_simulator::World;

use super::operators::by_state;
use testkit::{
    File, PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, id, order_history,
    play, until,
};

#[tokio::test]
async fn a_body_goes_when_its_time_is_over_and_duplicates_are_still_recognised() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set_project("api", "off")
        .set("retention.bodies_days", 0.00001);
    let service = Service::start(&settings).await;
    let said_at = clock::now();
    let body = event("e1", "o1", "IN_REVIEW", said_at);
    service.deliver(body.clone()).await;
    // With the API off, the first event of an order is parked: its body stays.
    let first = service
        .order_when("o1", "known", |order| !order.is_null())
        .await["deliveries"][0]
        .clone();
    let second = event("e2", "o1", "BLOCKED", clock::now());
    service.deliver(second.clone()).await;
    let path = "/api/v1/deliveries/2/body";
    let answer = until("the body to go", async || {
        let answer = service.get(path).await;
        assert!(matches!(answer.status, 200 | 410), "{answer:?}");
        (answer.status == 410).then_some(answer)
    })
    .await;
    answer.assert_refusal(410, path);
    assert_eq!(service.body(&first).await.body, body.as_bytes());

    service.deliver(second).await;
    service
        .deliver(event("e2", "o1", "COMPLETED", clock::now()))
        .await;
    let order = service
        .order_when("o1", "three deliveries", |order| {
            order["deliveries"].as_array().map(Vec::len) == Some(3)
        })
        .await;
    let [_, second, conflict] = &order["deliveries"].as_array().expect("a list")[..] else {
        panic!("{order}");
    };
    assert_eq!(second["duplicates"], json!(1), "{order}");
    assert_eq!(conflict["status"], "COMPLETED", "{order}");
    let accepted = &service.status().await["callbacks_accepted"];
    assert_eq!(accepted["conflict"]["count"], json!(1), "{accepted}");
    service.get(path).await.assert_refusal(410, path);
    until("a line in the log", async || {
        let line = "cleared what was kept for long enough";
        service.lines().iter().find(|l| l.contains(line)).map(drop)
    })
    .await;
}

/// The control: within the usual retention period nothing is deleted.
#[tokio::test]
async fn a_body_stays_for_its_time() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("retention.bodies_days", 1);
    let service = Service::start(&settings).await;
    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    let request = Request::signed(PATH, SECRET, body.clone());
    assert_eq!(service.send(&request).await.status, 200);
    service.stop().await;
    let service = Service::start(&settings).await;
    let kept = service.get("/api/v1/deliveries/1/body").await;
    assert_eq!(kept.body, body.as_bytes());
}

#[tokio::test]
async fn a_delivery_goes_when_its_time_is_over_and_its_order_stays() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [order_history("o1", &[(0, State::InReview)])]);
    let (_simulator, settings) = play(world, Settings::new(folder.path())).await;
    let hasty = settings
        .clone()
        .set("retention.bodies_days", 0.00001)
        .set("retention.deliveries_days", 0.00001);
    let service = Service::start(&hasty).await;
    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    service.deliver(body.clone()).await;
    let order = service
        .order_when("o1", "without its delivery", |order| {
            order["confirmed"] == "IN_REVIEW" && order["deliveries"] == json!([])
        })
        .await;
    assert_ne!(order["fetches"], json!([]), "{order}");
    let path = "/api/v1/deliveries/1/body";
    service.get(path).await.assert_refusal(404, path);
    service.stop().await;

    // Nothing is left in the inbox. The next delivery is processed, and is not taken for a duplicate.
    let service = Service::start(&settings).await;
    service.deliver(body).await;
    let order = service
        .order_when("o1", "looked at again", |order| {
            order["deliveries"][0]["phase"] == "processed"
        })
        .await;
    assert_eq!(order["deliveries"][0]["duplicates"], json!(0), "{order}");
    assert_eq!(order["confirmed"], "IN_REVIEW", "{order}");
}

#[tokio::test]
async fn a_closed_order_goes_and_a_callback_makes_it_known_again() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [order_history("o1", &[(0, State::Completed)])]);
    let (_simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let body = event("e1", "o1", "COMPLETED", clock::now());
    service.deliver(body.clone()).await;
    let closing = service
        .order_when("o1", "settled", |order| order["settled"] == json!(true))
        .await;
    // A final state is fetched once more a day later. The test does not wait for that fetch.
    assert_ne!(closing["fetch_at"], json!(null), "{closing}");
    service.stop().await;
    let mut file = File::open(&settings.database()).await;
    file.execute("UPDATE orders SET fetch_at = NULL").await;
    file.close().await;

    let hasty = settings
        .clone()
        .set("retention.bodies_days", 0.00001)
        .set("retention.deliveries_days", 0.00001)
        .set("retention.parked_days", 0.00001)
        .set("retention.orders_days", 0.00001);
    let service = Service::start(&hasty).await;
    let path = format!("/api/v1/orders/{PROJECT}/o1");
    until("the order to go", async || {
        (service.get(&path).await.status == 404).then_some(())
    })
    .await;
    let status = service.status().await;
    assert_eq!(status["orders_by_state"], by_state(None), "{status}");
    service.stop().await;

    let service = Service::start(&settings).await;
    service.deliver(body).await;
    let order = service
        .order_when("o1", "settled anew", |order| {
            order["settled"] == json!(true)
        })
        .await;
    assert_eq!(order["confirmed"], "COMPLETED", "{order}");
    assert_eq!(order["deliveries"][0]["duplicates"], json!(0), "{order}");
}

/// Maximum number of free pages that may stay in a small file.
const STAY_FREE: i64 = 4096;

/// The numbers from 1 to 12,001, one a row.
const NUMBERS: &str = "WITH n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n <= 12000)";

/// Fills 48 MB of a file with a table.
async fn fill(file: &mut File) {
    file.execute("CREATE TABLE filled (x)").await;
    let fill = format!("{NUMBERS} INSERT INTO filled SELECT zeroblob(3900) FROM n");
    file.execute(&fill).await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn a_file_gives_its_free_space_back_and_stays_whole_though_it_is_killed_meanwhile() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    Service::start(&settings).await.stop().await;
    // The file has 48 MB that were filled and freed, and behind them young rows that must stay.
    let mut file = File::open(&settings.database()).await;
    fill(&mut file).await;
    let young = format!(
        "{NUMBERS} INSERT INTO deliveries (project, dedup_key, received_at, phase, decision, body)
         SELECT 1, 'young' || n, {}, 'recorded', 'other-resource', randomblob(n) FROM n LIMIT 5000",
        clock::now().0
    );
    assert_eq!(file.execute(&young).await, 5000);
    file.execute("DROP TABLE filled").await;
    let before = file.bodies().await;
    file.close().await;
    let bytes = async || {
        let file = tokio::fs::metadata(settings.database()).await;
        file.expect("is there").len()
    };
    let full = bytes().await;
    let free = async || {
        let mut file = File::open(&settings.database()).await;
        let free = file.number("PRAGMA freelist_count").await;
        file.close().await;
        free
    };

    assert!(free().await > 2 * STAY_FREE);
    for _ in 0..2 {
        until("a kill in the midst of it", async || {
            let mut file = File::open(&settings.database()).await;
            if file.number("PRAGMA freelist_count").await <= 2 * STAY_FREE {
                fill(&mut file).await;
                file.execute("DROP TABLE filled").await;
            }
            file.close().await;
            let full = free().await;
            let service = Service::start(&settings).await;
            until("some space to be given back", async || {
                (free().await < full - 200).then_some(())
            })
            .await;
            service.kill().await;
            let mut file = File::open(&settings.database()).await;
            assert!(file.is_intact().await);
            file.close().await;
            // On a busy machine all space may have been given back before the kill, which then proves nothing.
            (free().await > STAY_FREE).then_some(())
        })
        .await;
    }
    let service = Service::start(&settings).await;
    until("all to be given back", async || {
        (free().await <= STAY_FREE).then_some(())
    })
    .await;
    until("a line in the log", async || {
        let line = "gave space back to the disk";
        service.lines().iter().find(|l| l.contains(line)).map(drop)
    })
    .await;
    service.stop().await;
    let mut file = File::open(&settings.database()).await;
    assert!(file.is_intact().await);
    assert_eq!(file.bodies().await, before);
    file.close().await;
    assert!(bytes().await < full - 20_000_000, "{full}");
}
