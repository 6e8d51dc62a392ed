//! Every JSON body that the operators' API sends, compared with the one on file in `snapshots/`.
//!
//! Programs read these bodies by their keys, so a key that comes, goes or gets another name must be seen in review.
//! Values that vary are replaced by a word for their type.

use insta::{Settings as Insta, assert_json_snapshot};
use jiff::Timestamp;
use number_order::State::{Completed, Created, InReview};
use serde_json::{Map, Value, json};
use sinch_callbacks::clock;
use sinch_simulator::{Reply, World};

use testkit::{
    PATH, PROJECT, Request, Service, Settings, event, folder, id, order_history, play, until,
};

/// Replaces the times in a body, and other values that vary from run to run.
fn steady(body: Value) -> Value {
    replace(body, &|name, value| match value {
        Value::String(text) if text.parse::<Timestamp>().is_ok() => json!("[time]"),
        Value::Number(_) if name.ends_with("_us") => json!("[number]"),
        value => value,
    })
}

/// Replaces all that [`steady`] does, and every number.
fn without_numbers(body: Value) -> Value {
    replace(steady(body), &|_, value| match value {
        Value::Number(_) => json!("[number]"),
        value => value,
    })
}

/// Replaces each value that contains no other values, depending on its name.
fn replace(body: Value, other: &impl Fn(&str, Value) -> Value) -> Value {
    fn under(name: &str, body: Value, other: &impl Fn(&str, Value) -> Value) -> Value {
        match body {
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| {
                    let value = under(&name, value, other);
                    (name, value)
                })
                .collect(),
            Value::Array(items) => items
                .into_iter()
                .map(|item| under(name, item, other))
                .collect(),
            value => other(name, value),
        }
    }
    under("", body, other)
}

/// Compares a body with the one on file under the given name.
fn assert_snapshot(name: &str, body: &Value) {
    let mut insta = Insta::clone_current();
    insta.set_prepend_module_to_snapshot(false);
    insta.set_omit_expression(true);
    insta.bind(|| assert_json_snapshot!(name, body));
}

async fn json_of(service: &Service, path: &str) -> Value {
    let answer = service.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

#[tokio::test]
async fn orders_and_the_status() {
    let folder = folder();
    let history = [(0, Created), (1, InReview), (2, Completed)];
    let world = World::from_orders(
        id(PROJECT),
        ["o1", "o2"].map(|order| order_history(order, &history)),
    );
    let settings = Settings::new(folder.path()).set("worker.attempts_max", 1);
    let (simulator, settings) = play(world, settings).await;
    simulator.push_reply(&id("o2"), Reply::ServerError { status: 500 });
    let service = Service::start(&settings).await;
    let said_at = simulator.started_at();
    service
        .deliver(event("e1", "o1", "COMPLETED", said_at))
        .await;
    service.settles("o1", "COMPLETED").await;
    service
        .order_when("o1", "its number", |order| !order["ready_at"].is_null())
        .await;
    service
        .deliver(event("e2", "o2", "COMPLETED", said_at))
        .await;
    service
        .order_when("o2", "parked", |order| !order["parked"].is_null())
        .await;

    for (name, path) in [
        ("order", "/api/v1/orders/o1"),
        ("order_parked", "/api/v1/orders/o2"),
        ("orders", "/api/v1/orders"),
        ("orders_page", "/api/v1/orders?limit=1"),
    ] {
        assert_snapshot(name, &steady(json_of(&service, path).await));
    }
    // Each worker is listed once it has begun, and the last fetch a moment after it is recorded. Some seconds later there is
    // an alert about the parked order.
    let status = until("all workers, the failed fetch and an alert", async || {
        let status = service.status().await;
        let workers = status["workers"].as_object().map_or(0, Map::len);
        let is_complete = workers == 10
            && status["service_alerts"][0].is_object()
            && !status["secrets"][PROJECT]["comparison"].is_null();
        (is_complete && status["api"][PROJECT]["answered"] == false).then_some(status)
    })
    .await;
    assert_snapshot("status", &without_numbers(status));
}

#[tokio::test]
async fn parked_deliveries() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    service.deliver_to_be_parked("no JSON").await;
    service.deliver_to_be_parked(r#"{"eventId":"e1"}"#).await;
    let parked = json_of(&service, "/api/v1/parked").await;
    assert_snapshot("parked", &steady(parked));
}

#[tokio::test]
async fn refused_callbacks() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    // The length of the body is shown, so its time has always as many digits.
    let said_at = number_order::Time(1_795_000_000_123_456);
    let body = event("e1", "o1", "COMPLETED", said_at);
    let refused = Request::signed(PATH, "another-secret", body);
    assert_eq!(service.send(&refused).await.status, 401);
    let path = "/api/v1/quarantine";
    let kept = until("the quarantine", async || {
        let kept = json_of(&service, path).await;
        kept["items"][0].is_object().then_some(kept)
    })
    .await;
    assert_snapshot("quarantine", &steady(kept));
    let reverify = Request::post(&format!("{path}/reverify"), r#"{"dry_run":false}"#);
    let answer = service.send_to_operators(&reverify).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_snapshot("reverified", &answer.json());
}

#[tokio::test]
async fn watched_orders() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let order = format!("/api/v1/orders/{PROJECT}/o1");
    for (name, request) in [
        ("watch", Request::new("PUT", &order)),
        ("watch_again", Request::new("PUT", &order)),
        (
            "import",
            Request::post("/api/v1/orders", "Order id\no1\no2\no3\no4\no5\no6\n"),
        ),
    ] {
        let answer = service.send_to_operators(&request).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        assert_snapshot(name, &answer.json());
    }
}

#[tokio::test]
async fn projects() {
    let folder = folder();
    let own = Settings::new(folder.path()).set_project("api", "off");
    let both = own
        .clone()
        .add_project("second", "/second", "second-secret");
    let service = Service::start(&both).await;
    for order in ["o1", "o2"] {
        let body = event(order, order, "IN_REVIEW", clock::now()).replace(PROJECT, "second");
        let request = Request::signed("/second", "second-secret", body);
        assert_eq!(service.send(&request).await.status, 200);
        service.order_with(order, 1).await;
    }
    let path = "/api/v1/projects/second";
    assert_snapshot("project", &json_of(&service, path).await);
    assert_eq!(service.stop().await.code, Some(0));

    let service = Service::start(&own).await;
    assert_snapshot("project_unconfigured", &json_of(&service, path).await);
    // A call removes what it can in its time, and tells what is left for the next.
    let mut removed = (0, 0);
    let dropped = until("everything is removed", async || {
        let request = Request::new("DELETE", path);
        let mut dropped = service.send_to_operators(&request).await.json();
        let of = |kind: &str| dropped["removed"][kind].as_u64().expect("a number");
        removed = (removed.0 + of("deliveries"), removed.1 + of("orders"));
        let left = &dropped["left"];
        let done = left["deliveries"] == 0 && left["orders"] == 0;
        dropped["removed"] = json!({"deliveries": removed.0, "orders": removed.1});
        done.then_some(dropped)
    })
    .await;
    assert_snapshot("project_dropped", &dropped);
}

/// Starts a service that may not fetch, and so parks its only delivery.
async fn with_a_parked_delivery(settings: &Settings) -> Service {
    let service = Service::start(settings).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    service.order_with("o1", 1).await;
    service
}

#[tokio::test]
async fn what_retention_keeps() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = with_a_parked_delivery(&settings).await;
    // Of a parked delivery the report says why it stays, once the shortest period is over.
    let path = "/api/v1/retention?bodies_days=0.00001";
    let report = until("the period to be over", async || {
        let report = json_of(&service, path).await;
        report["items"][0]["stays"].is_object().then_some(report)
    })
    .await;
    assert_snapshot("retention", &steady(report));
}

/// Bodies of refusals, by request.
#[derive(Default)]
struct Problems(Map<String, Value>);

impl Problems {
    async fn add(&mut self, service: &Service, method: &str, path: &str, body: &str) {
        let request = Request::new(method, path).carrying(body);
        let answer = service.send_to_operators(&request).await;
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{answer:?}");
        self.0.insert(format!("{method} {path}"), answer.json());
    }
}

#[tokio::test]
async fn refusals() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = with_a_parked_delivery(&settings).await;
    let mut problems = Problems::default();
    let order = format!("/api/v1/orders/{PROJECT}/o1");
    let project = format!("/api/v1/projects/{PROJECT}");
    for (method, path, body) in [
        ("GET", "/nowhere", ""),
        ("GET", "/api/v1/orders/o2", ""),
        ("GET", "/api/v1/orders?project=another", ""),
        ("GET", "/api/v1/projects/another", ""),
        ("GET", "/api/v1/deliveries/99/body", ""),
        ("POST", "/status", ""),
        ("GET", "/api/v1/orders?limit=many", ""),
        ("PUT", order.as_str(), ""),
        ("DELETE", order.as_str(), ""),
        ("DELETE", project.as_str(), ""),
        ("POST", "/api/v1/orders", "a/b"),
    ] {
        problems.add(&service, method, path, body).await;
    }
    assert_eq!(service.stop().await.code, Some(0));

    let hasty = settings.clone().set("retention.bodies_days", 0.00001);
    let service = Service::start(&hasty).await;
    // With the project's API off, the first event of an order is parked, and keeps its body.
    service
        .deliver(event("e2", "o1", "BLOCKED", clock::now()))
        .await;
    let gone = "/api/v1/deliveries/2/body";
    until("the body to go", async || {
        (service.get(gone).await.status == 410).then_some(())
    })
    .await;
    problems.add(&service, "GET", gone, "").await;
    assert_eq!(service.stop().await.code, Some(0));

    let token = "operators-token-z93kqv";
    let service = Service::start(&settings.clone().set("operators.token", token)).await;
    problems.add(&service, "GET", "/api/v1/orders", "").await;
    assert_eq!(service.stop().await.code, Some(0));

    let wanting = settings.set("database.free_min_bytes", 1_u64 << 50);
    let service = Service::listening(&wanting).await;
    problems.add(&service, "GET", "/readyz", "").await;
    // The detail says how much space there is, which varies.
    problems.0["GET /readyz"]["detail"] = json!("[text]");
    assert_snapshot("refusals", &Value::Object(problems.0));
}
