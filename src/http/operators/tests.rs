//! Requests about events and targets, with a store that has two targets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Settings, router};
use crate::clock;
use crate::metrics::Metrics;
use crate::store::{
    self, DeliveryContent, NewDelivery, NotificationClaim, NotificationOutcome,
    NotificationRequest, NotificationResult, ProcessRequest, Store, StoreError, TargetSettings,
};
use notifications::{DeliveryFailure, Filter, TypePattern};
use number_order::{Id, Limits, Policy, State, Status};

const DEADLINE: Duration = Duration::from_secs(180);

struct Fixture {
    _folder: TempDir,
    store: Store,
    router: Router,
    stop: CancellationToken,
    _writer: JoinHandle<Result<(), StoreError>>,
}

/// Answer of the operators' listener.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

fn project() -> Id {
    Id::new("p1").expect("an id")
}

impl Fixture {
    /// Opens a store whose target `crm` is told everything, and `ops` alerts alone.
    async fn new() -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let everything = Filter {
            provisional: true,
            ..Filter::default()
        };
        let alerts = Filter {
            types: vec![TypePattern::Family("alert")],
            ..Filter::default()
        };
        let target = |name: &str, filter: Filter| TargetSettings {
            name: name.to_owned(),
            filter,
        };
        let settings = store::Settings::Sqlite(store::sqlite::Settings {
            path: folder.path().join("fixture.db"),
            waiting_max: 100,
            free_min_bytes: 0,
            targets: vec![target("crm", everything), target("ops", alerts)],
            projects: vec![(project(), Some(5.0))],
            now: clock::now(),
        });
        let (store, writer) = store::open(settings).await.expect("opens");
        let stop = CancellationToken::new();
        let settings = Settings {
            token: None,
            projects: [(project(), None)].into(),
            callback_urls: [].into(),
            deadlines: Limits {
                expiring: Vec::new(),
                review: DEADLINE,
                blocked: DEADLINE,
            },
            body_timeout: DEADLINE,
            feed_readers_max: 1,
        };
        let metrics = Arc::new(Metrics::new());
        Fixture {
            _folder: folder,
            router: router(store.clone(), metrics, settings, stop.clone()),
            store,
            stop,
            _writer: tokio::spawn(writer),
        }
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", "localhost");
        let request = request
            .body(Body::from(body.to_owned()))
            .expect("a request");
        let answer = self.router.clone().oneshot(request).await;
        let (head, body) = answer.expect("answers").into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).expect("text"),
        }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.json()
    }

    async fn redrive(&self, body: &Value) -> Value {
        let path = "/api/v1/notifications/redrive";
        self.send("POST", path, &body.to_string()).await.json()
    }

    /// Records the event of an order that is said to be in review.
    async fn add_event(&self, order: &str) {
        let delivery = NewDelivery {
            callback_key: None,
            project: project(),
            event_id: Some(format!("event of {order}")),
            subject: DeliveryContent::Order {
                order: Id::new(order).expect("an id"),
                status: Status::Known(State::InReview),
                said_at: Some(clock::now()),
            },
            received_at: clock::now(),
            body: "body".into(),
        };
        self.store.accept(delivery).await.expect("is taken");
        let request = ProcessRequest {
            deliveries_max: 100,
            now: clock::now(),
            policy: Policy::new(Duration::from_secs(15), Duration::from_secs(300)),
            api_off: Vec::new(),
        };
        self.store.process(request).await.expect("processes");
    }

    async fn claim(&self) -> Vec<NotificationClaim> {
        let request = NotificationRequest {
            target: "crm".to_owned(),
            limit: 10,
            rate: None,
            lease: DEADLINE,
            now: clock::now(),
        };
        let claimed = self.store.claim_notifications(request).await;
        claimed.expect("claims").claims
    }

    /// Ends each claimed notification with the outcome.
    async fn settle(&self, claims: Vec<NotificationClaim>, outcome: NotificationOutcome) {
        let results = claims.into_iter().map(|claim| NotificationResult {
            claim,
            outcome: outcome.clone(),
            now: clock::now(),
            jitter: 0.0,
        });
        let settled = self.store.settle_notifications(results.collect()).await;
        settled.expect("settles");
    }
}

fn refused() -> NotificationOutcome {
    NotificationOutcome::Failed {
        failure: DeliveryFailure::Refused { status: 503 },
        again_at: None,
    }
}

/// Returns one property of each item of a list.
fn each<'a>(list: &'a Value, property: &str) -> Vec<&'a Value> {
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|item| &item[property]).collect()
}

#[tokio::test]
async fn parked_notifications_are_counted_and_then_sent_again() {
    let world = Fixture::new().await;
    for order in ["o1", "o2", "o3"] {
        world.add_event(order).await;
    }
    let mut claims = world.claim().await;
    assert_eq!(claims.len(), 3);
    world.settle(claims.split_off(2), refused()).await;
    world.settle(claims, NotificationOutcome::Delivered).await;

    let all = world.get("/api/v1/notifications?sort=newest").await;
    assert_eq!(each(&all, "sequence"), [3, 2, 1]);
    let parked = world
        .get("/api/v1/notifications?phase=parked&target=crm")
        .await;
    assert_eq!(each(&parked, "sequence"), [3]);
    assert_eq!(parked["items"][0]["failure"]["code"], "refused");
    let blocked = world.get("/api/v1/notifications?type=order.blocked").await;
    assert_eq!(blocked["items"], json!([]));

    let fitting = json!({ "target": "crm", "dry_run": true });
    let expected = json!({ "notifications": 1, "dry_run": true });
    assert_eq!(world.redrive(&fitting).await, expected);
    assert_eq!(world.redrive(&fitting).await, expected, "nothing was sent");
    assert!(world.claim().await.is_empty());
    let sent = world.redrive(&json!({ "type": "order.in_review" })).await;
    assert_eq!(sent, json!({ "notifications": 1, "dry_run": false }));
    let [again] = &world.claim().await[..] else {
        panic!("one waits again");
    };
    assert_eq!((again.sequence, again.attempts), (3, 0));

    let delivered = each(&all, "id")[2];
    let sent = world.redrive(&json!({ "id": delivered })).await;
    assert_eq!(sent["notifications"], 1, "one that is named is sent again");
    let refused = world.redrive(&json!({ "dry_run": true })).await;
    assert_eq!(refused["status"], 422, "{refused}");
    let refused = world.redrive(&json!({ "target": "crn" })).await;
    assert_eq!(refused["status"], 404, "{refused}");
}

#[tokio::test]
async fn a_target_shows_how_it_receives_and_is_resumed_and_tried() {
    let world = Fixture::new().await;
    for order in ["o1", "o2"] {
        world.add_event(order).await;
    }
    let claims = world.claim().await;
    let gone = NotificationOutcome::Gone {
        failure: DeliveryFailure::Refused { status: 410 },
    };
    world.settle(claims, gone).await;
    let targets = world.get("/api/v1/targets").await;
    assert_eq!(each(&targets, "name"), ["crm", "ops"]);
    assert_eq!(each(&targets, "waiting"), [2, 0]);
    assert_eq!(targets["items"][0]["attention"][0]["code"], "switched-off");
    assert_eq!(targets["items"][1]["attention"], json!([]));

    let status = world.get("/status").await;
    assert_eq!(status["newest_event"], 2);
    let attention = &status["targets_needing_attention"];
    assert_eq!(attention["switched-off"], 1, "{attention}");
    assert_eq!(attention["failing"], 0, "{attention}");
    let crm = &status["targets"]["crm"];
    assert_eq!(
        (&crm["waiting"], &crm["switched_off"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(crm["attention"][0]["code"], "switched-off");
    assert!(crm["oldest_at"].is_string() && crm["delivered_at"].is_null());
    let metrics = world.send("GET", "/metrics", "").await.body;
    for line in [
        "sinch_callbacks_target_waiting{target=\"crm\"} 2.0",
        "sinch_callbacks_target_waiting{target=\"ops\"} 0.0",
        "sinch_callbacks_target_switched_off{target=\"crm\"} 1.0",
        "sinch_callbacks_targets_needing_attention{reason=\"switched-off\"} 1.0",
        "sinch_callbacks_newest_event 2.0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    let post = async |path: &str, body: &str| {
        let answer = world.send("POST", path, body).await;
        (answer.status.as_u16(), answer.body)
    };
    assert_eq!(post("/api/v1/targets/crm/resume", "").await.0, 202);
    assert_eq!(post("/api/v1/targets/crn/resume", "").await.0, 404);
    assert_eq!(world.claim().await.len(), 2, "it is told again");
    let tried = r#"{"type": "order.completed"}"#;
    let (status, sent) = post("/api/v1/targets/ops/test", tried).await;
    assert_eq!((status, sent.as_str()), (202, r#"{"sequence":3}"#));
    assert_eq!(post("/api/v1/targets/crn/test", tried).await.0, 404);
    let (status, why) = post("/api/v1/targets/ops/test", r#"{"type": "order"}"#).await;
    assert!(status == 422 && why.contains("type: write a type"), "{why}");
    // The feed has no event that only tried a target.
    let feed = world.get("/api/v1/events?after=0&provisional=true").await;
    assert_eq!(feed["events"].as_array().map(Vec::len), Some(2), "{feed}");
}

#[tokio::test]
async fn a_page_has_what_was_chosen_and_says_how_far_it_looked() {
    let world = Fixture::new().await;
    let empty = json!({ "events": [], "next": 0 });
    assert_eq!(world.get("/api/v1/events").await, empty);
    assert_eq!(world.get("/api/v1/events?after=oldest").await, empty);
    for order in ["o1", "o2", "o3"] {
        world.add_event(order).await;
    }
    let page = async |query: &str| {
        let page = world.get(&format!("/api/v1/events?{query}")).await;
        let events = page["events"].as_array().expect("a list").len();
        (events, page["next"].as_i64().expect("a number"))
    };
    for (query, expected) in [
        ("", (0, 3)),
        ("after=0", (0, 3)),
        ("after=0&provisional=true", (3, 3)),
        ("after=oldest&provisional=true", (3, 3)),
        ("after=0&provisional=true&limit=2", (2, 2)),
        ("after=2&provisional=true&limit=2", (1, 3)),
        ("after=3&provisional=true&limit=2", (0, 3)),
        ("after=0&provisional=true&types=order.*", (3, 3)),
        (
            "after=0&provisional=true&types=number.*,order.blocked",
            (0, 3),
        ),
    ] {
        assert_eq!(page(query).await, expected, "{query}");
    }
    for (query, status, words) in [
        ("after=4", 409, "restored"),
        ("after=-1", 400, "after: write"),
        ("after=newest", 400, "after: write"),
        ("wait=61", 400, "at most 60"),
        ("types=order", 400, "types: \\\"order\\\" matches no event"),
        ("types=", 400, "matches no event"),
        ("provisional=yes", 400, "neither true nor false"),
        ("before=3", 400, "no such parameter"),
    ] {
        for path in ["events", "events/stream"] {
            let answer = world
                .send("GET", &format!("/api/v1/{path}?{query}"), "")
                .await;
            assert_eq!(answer.status.as_u16(), status, "{path} {query}");
            let is_page = path == "events" || !query.starts_with("wait");
            assert!(
                !is_page || answer.body.contains(words),
                "{query}: {}",
                answer.body
            );
        }
    }
    let ahead = world.send("GET", "/api/v1/events?after=4", "").await.json();
    assert_eq!(ahead["newest"], 3, "{ahead}");
}

#[tokio::test]
async fn readers_beyond_the_maximum_come_back_later_and_a_stop_lets_all_go() {
    let world = Arc::new(Fixture::new().await);
    let waiting = tokio::spawn({
        let world = world.clone();
        async move {
            loop {
                let answer = world.send("GET", "/api/v1/events?wait=60", "").await;
                if answer.status == StatusCode::OK {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    let path = "/api/v1/events?after=0&wait=1";
    let refused = loop {
        let answer = world.send("GET", path, "").await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers["retry-after"], "5");
    let stream = world.send("GET", "/api/v1/events/stream", "").await;
    assert_eq!(stream.status, StatusCode::SERVICE_UNAVAILABLE);
    // One that does not wait is answered.
    assert_eq!(world.get("/api/v1/events?after=0").await["next"], 0);

    world.stop.cancel();
    let answer = tokio::time::timeout(DEADLINE, waiting).await;
    let answer = answer.expect("in time").expect("no panic");
    assert_eq!(answer.json(), json!({ "events": [], "next": 0 }));
    let stream = world.send("GET", "/api/v1/events/stream", "").await;
    assert_eq!(stream.body, "retry: 2000\nid: 0\n\n");
}

#[tokio::test]
async fn a_stream_has_the_events_with_their_numbers_and_resumes_after_the_last() {
    let world = Fixture::new().await;
    for order in ["o1", "o2"] {
        world.add_event(order).await;
    }
    let streamed = async |last_seen: &str| {
        let path = "/api/v1/events/stream?after=0&provisional=true";
        let request = Request::get(path).header("host", "localhost");
        let request = request.header("last-event-id", last_seen);
        let request = request.body(Body::empty()).expect("a request");
        let answer = world
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("answers");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut body = answer.into_body();
        let mut text = String::new();
        while text.matches("\n\n").count() < 2 {
            let frame = http_body_util::BodyExt::frame(&mut body).await;
            let bytes = frame.expect("a part").expect("no error").into_data();
            text.push_str(&String::from_utf8_lossy(&bytes.expect("data")));
        }
        text
    };
    let page = world
        .send("GET", "/api/v1/events?after=0&provisional=true", "")
        .await;
    let body = |number: usize| {
        let page: Value = page.json();
        let event = page["events"][number - 1].clone();
        (event["id"].as_str().map(str::to_owned)).expect("an id")
    };
    let whole = streamed("").await;
    let begin = "retry: 2000\nid: 0\n\nid: 1\nevent: order.in_review\ndata: {\"id\":\"";
    assert!(whole.starts_with(&format!("{begin}{}", body(1))), "{whole}");
    assert!(
        whole.contains("\n\nid: 2\nevent: order.in_review\ndata: {"),
        "{whole}"
    );
    let resumed = streamed("1").await;
    let begin = "retry: 2000\nid: 1\n\nid: 2\nevent: order.in_review\ndata: {\"id\":\"";
    assert!(
        resumed.starts_with(&format!("{begin}{}", body(2))),
        "{resumed}"
    );
}
