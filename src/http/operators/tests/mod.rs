//! Requests about events and targets, with a store that has two targets.

mod backup;
mod bulk;
mod feed;
mod pace;
mod retention;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Context, Settings, router_of};
use crate::clock;
use crate::metrics::Metrics;
use crate::store::{
    self, DeliveryContent, NewDelivery, NotificationClaim, NotificationOutcome,
    NotificationRequest, NotificationResult, ProcessRequest, RetentionPeriods, Store, StoreError,
    TargetSettings,
};
use notifications::{Filter, TypePattern};
use number_order::{Id, Limits, Policy, State, Status};

const DEADLINE: Duration = Duration::from_secs(180);

struct Fixture {
    folder: TempDir,
    store: Store,
    context: Arc<Context>,
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

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}

fn project() -> Id {
    Id::new("p1").expect("an id")
}

impl Fixture {
    /// Opens a store whose target `crm` is told everything, and `ops` alerts alone.
    async fn new() -> Fixture {
        Fixture::reserving(0).await
    }

    /// Opens the same, of whose disk the given number of bytes is reserved.
    async fn reserving(free_min_bytes: u64) -> Fixture {
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
            free_min_bytes,
            targets: vec![target("crm", everything), target("ops", alerts)],
            projects: vec![(project(), Some(5.0))],
            now: clock::now(),
        });
        let (store, writer) = store::open(settings).await.expect("opens");
        let stop = CancellationToken::new();
        let settings = Settings {
            callers: Vec::new(),
            projects: [(project(), None)].into(),
            callbacks: crate::http::callbacks::Settings::of_nobody(),
            callback_urls: [].into(),
            secrets: [].into(),
            reload: tokio::sync::mpsc::channel(1).0,
            deadlines: Limits {
                expiring: Vec::new(),
                review: DEADLINE,
                blocked: DEADLINE,
            },
            retention: RetentionPeriods {
                bodies: days(30),
                deliveries: days(90),
                parked: days(365),
                quarantine: days(30),
                events: days(30),
                orders: days(400),
            },
            body_timeout: DEADLINE,
            configuration: serde_json::Value::Null,
            feed_readers_max: 1,
        };
        let metrics = Arc::new(Metrics::new());
        let context = Context::new(store.clone(), metrics, settings, stop.clone());
        let context = Arc::new(context);
        Fixture {
            folder,
            router: router_of(context.clone()),
            context,
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
