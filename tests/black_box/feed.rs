//! The feed of events: a reader misses none, waits for no longer than is needed, and holds up no stop.

use std::time::{Duration, Instant};

use number_order::State::{self, Completed, Created, InReview};
use sinch_simulator::{Simulator, World};
use tempfile::TempDir;

use testkit::{
    ALLOWED, Connection, PROJECT, Request, Service, Settings, event, folder, id, order_history,
    play, until,
};

use crate::feed_consumer::{Consumer, Stream, page, sequences};

const HISTORY: [(u64, State); 3] = [(0, Created), (1, InReview), (2, Completed)];

/// A service with orders at Sinch of which it knows nothing yet.
struct Place {
    _folder: TempDir,
    simulator: Simulator,
    settings: Settings,
    orders: Vec<String>,
}

async fn place(orders: usize) -> Place {
    let folder = folder();
    let orders: Vec<String> = (1..=orders).map(|number| format!("o{number}")).collect();
    let histories = orders.iter().map(|order| order_history(order, &HISTORY));
    let world = World::from_orders(id(PROJECT), histories.collect::<Vec<_>>());
    let settings = Settings::new(folder.path()).set("sinch.requests_per_second", 500);
    let (simulator, settings) = play(world, settings).await;
    Place {
        _folder: folder,
        simulator,
        settings,
        orders,
    }
}

impl Place {
    /// Makes an order known, which Sinch then shows to be completed.
    async fn deliver(&self, service: &Service, order: &str) {
        let said_at = self.simulator.started_at();
        let body = event(&format!("e-{order}"), order, "IN_REVIEW", said_at);
        service.deliver(body).await;
    }
}

#[tokio::test]
async fn ten_consumers_cut_off_at_random_read_the_same_sequence() {
    let place = place(40).await;
    let service = Service::start(&place.settings).await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let consumers: Vec<_> = (0..10)
        .map(|number| Consumer::start(service.operators, seed.wrapping_add(number)))
        .collect();
    for order in &place.orders {
        place.deliver(&service, order).await;
    }
    for order in &place.orders {
        service
            .order_when(order, "its number", |order| !order["ready_at"].is_null())
            .await;
    }
    let newest = service.status().await["newest_event"].as_i64();
    let newest = newest.expect("a number");
    let whole = page(&service, "after=0&provisional=true&limit=1000").await;
    let whole: Vec<String> = whole.events;
    assert!(whole.len() >= place.orders.len() * 3, "{}", whole.len());
    let mut cut_off = 0;
    for consumer in consumers {
        let read = consumer.until(newest).await;
        assert_eq!(sequences(&read.events), sequences(&whole), "seed {seed}");
        assert_eq!(read.events, whole, "seed {seed}: byte for byte");
        cut_off += read.cut_off;
    }
    assert!(cut_off > 20, "the control: {cut_off} times cut off");
    service.stop_well().await;
}

#[tokio::test]
async fn a_reader_that_waits_is_answered_when_there_is_something() {
    let place = place(1).await;
    let service = Service::start(&place.settings).await;
    let began = Instant::now();
    let waiting = Request::new("GET", "/api/v1/events?types=order.completed&wait=60");
    let mut connection = Connection::open(ALLOWED, service.operators)
        .await
        .expect("connects");
    assert!(connection.send(waiting.bytes()).await);
    // One answer of a request on the same listener shows that the first one was taken up.
    service.is_ready().await;
    place.deliver(&service, "o1").await;
    let answer = connection.answer().await.expect("an answer").json();
    assert_eq!(answer["events"][0]["data"]["order"], "o1", "{answer}");
    assert_eq!(answer["events"][0]["data"]["confirmed"], true, "{answer}");
    assert_eq!(answer["next"], answer["events"][0]["sequence"], "{answer}");
    assert!(began.elapsed() < Duration::from_secs(45), "it waits on");
    let nothing = page(&service, "types=order.blocked&wait=1").await;
    assert!(nothing.events.is_empty() && nothing.next > 0);
}

#[tokio::test]
async fn a_stop_waits_for_no_reader() {
    let place = place(1).await;
    let service = Service::start(&place.settings).await;
    place.deliver(&service, "o1").await;
    service.settles("o1", "COMPLETED").await;
    let mut stream = Stream::open(service.operators, "after=0", None).await;
    let first = stream.next().await.expect("an event");
    assert_eq!(first.event_type, "order.completed");
    let mut waiting = Connection::open(ALLOWED, service.operators)
        .await
        .expect("connects");
    waiting
        .send(Request::new("GET", "/api/v1/events?wait=60").bytes())
        .await;
    service.is_ready().await;

    let began = Instant::now();
    let left = tokio::spawn(async move { while stream.next().await.is_some() {} });
    service.stop_well().await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "the stop took {took:?}");
    let answer = waiting.answer().await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    left.await.expect("the stream has ended");
}

#[tokio::test]
async fn what_is_not_kept_any_more_is_gone_and_says_where_to_go_on() {
    let place = place(1).await;
    let hasty = place.settings.clone().set("retention.events_days", 0.00001);
    let service = Service::start(&hasty).await;
    place.deliver(&service, "o1").await;
    service.settles("o1", "COMPLETED").await;
    let gone = until("events to go", async || {
        let answer = service.get("/api/v1/events?after=0").await;
        assert!(matches!(answer.status, 200 | 410), "{answer:?}");
        (answer.status == 410).then_some(answer)
    })
    .await;
    gone.assert_refusal(410, "after=0");
    // The mark may have moved on since.
    let after = until("a mark that stays", async || {
        let answer = service.get("/api/v1/events?after=0").await.json();
        let after = answer["after"].as_i64().expect("a number");
        let again = service.get(&format!("/api/v1/events?after={after}")).await;
        (again.status == 200).then_some(after)
    })
    .await;
    assert!(after > 0);
    let kept = page(&service, "after=oldest").await;
    assert!(kept.next >= after);
    let resumed = Request::new("GET", "/api/v1/events/stream").header("Last-Event-ID", "0");
    let answer = service.send_to_operators(&resumed).await;
    answer.assert_refusal(410, "Last-Event-ID: 0");
}
