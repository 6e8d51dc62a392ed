//! A worker that fails at each step is not alive, and the operators' API says which worker it is and why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::clock;
use crate::http::operators;
use crate::metrics::Metrics;
use crate::sinch::ANSWER_MAX_BYTES;
use crate::store::{
    self, Claim, ClaimOrder, ClaimRequest, FetchResult, Rate, RetentionPeriods, Store, StoreError,
    WatchRequest,
};
use crate::traces::Traces;
use crate::worker::fetch::recorder::Recorder;
use crate::worker::{AlertWorker, Fetcher, InboxWorker, RetentionWorker, run};
use number_order::{Answer, Backoff, Id, Limits, Policy};
use sinch_numbers::api::{Access, Auth, Client};

/// Time for which a worker may fail in these tests.
const PATIENCE: Duration = Duration::from_secs(4);

/// Maximum time that a test waits for what must happen.
const DEADLINE: Duration = Duration::from_secs(180);

const PERIODS: RetentionPeriods = RetentionPeriods {
    events: Duration::from_secs(3600),
    bodies: Duration::from_secs(1),
    deliveries: Duration::from_secs(1),
    parked: Duration::from_secs(1),
    quarantine: Duration::from_secs(1),
    orders: Duration::from_secs(9000),
};

/// A worker that runs until the fixture is dropped, and its database.
struct Fixture {
    folder: TempDir,
    store: Store,
    metrics: Arc<Metrics>,
    parts: JoinSet<()>,
}

const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(300),
    attempts_max: 30,
};

fn project() -> Id {
    Id::new("played-project").expect("an id")
}

fn policy() -> Policy {
    Policy::new(Duration::from_secs(15), Duration::from_secs(300))
}

impl Fixture {
    async fn new() -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = store::Settings::Sqlite(store::sqlite::Settings {
            path: folder.path().join("fixture.db"),
            waiting_max: 100,
            free_min_bytes: 0,
            targets: Vec::new(),
            projects: vec![(project(), Some(5.0))],
            now: clock::now(),
        });
        let (store, writer) = store::open(settings).await.expect("opens");
        let mut parts = JoinSet::new();
        parts.spawn(async move { writer.await.expect("the writer is well") });
        let metrics = Arc::new(Metrics::impatient(PATIENCE));
        Fixture {
            folder,
            store,
            metrics,
            parts,
        }
    }

    async fn execute(&self, sql: &str) {
        let path = format!("sqlite:{}", self.folder.path().join("fixture.db").display());
        let mut db = SqliteConnection::connect(&path).await.expect("opens");
        // The writer writes at the same time: a transaction that reads first can lose its right to write.
        let sql = format!("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE; {sql}; COMMIT");
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db);
        done.await.expect("is done");
        db.close().await.expect("closes");
    }

    fn spawn<F>(&mut self, work: F) -> AbortHandle
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        self.parts.spawn(async move {
            work.await.expect("the store can be used");
        })
    }

    async fn begin(&mut self, worker: &str) {
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        let stop = CancellationToken::new();
        match worker.split(' ').next() {
            Some("inbox") => {
                let inbox_worker = InboxWorker {
                    store,
                    policy: policy(),
                    api_off: Vec::new(),
                    metrics: metrics.clone(),
                    traces: Traces::default(),
                };
                self.spawn(run(inbox_worker, metrics, stop));
            }
            Some("alerts") => {
                let limits = Limits {
                    expiring: vec![Duration::from_secs(9000)],
                    review: Duration::ZERO,
                    blocked: Duration::ZERO,
                };
                self.spawn(run(AlertWorker { store, limits }, metrics, stop));
            }
            Some("retention") => {
                let periods = PERIODS;
                self.spawn(run(RetentionWorker { store, periods }, metrics, stop));
            }
            Some("fetch") => {
                self.spawn(fetcher(store, metrics).run(stop.clone(), stop));
            }
            Some("record") => {
                let (outcomes, came) = mpsc::unbounded_channel();
                let recorder = Recorder {
                    project: project(),
                    store: store.clone(),
                    metrics,
                    traces: Traces::default(),
                };
                let claim = claim_one(&store).await.expect("the store can be used");
                self.spawn(recorder.run(came));
                self.parts.spawn(answer_forever(claim, outcomes));
            }
            _ => panic!("{worker} is none"),
        }
    }

    /// Returns the answer of the operators' listener for `path`.
    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let settings = operators::Settings {
            callers: Vec::new(),
            projects: [(project(), None)].into(),
            callbacks: crate::http::callbacks::Settings::of_nobody(),
            callback_urls: [].into(),
            secrets: [].into(),
            reload: tokio::sync::mpsc::channel(1).0,
            deadlines: Limits {
                expiring: Vec::new(),
                review: Duration::from_secs(9000),
                blocked: Duration::from_secs(9000),
            },
            retention: PERIODS,
            body_timeout: DEADLINE,
            configuration: serde_json::Value::Null,
            feed_readers_max: 1,
        };
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        let router = operators::router(store, metrics, settings, CancellationToken::new());
        let request = Request::get(path).header("host", "localhost");
        let request = request.body(Body::empty()).expect("a request");
        let answer = router.oneshot(request).await.expect("answers");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Polls `path` until `is_so` holds for the answer.
    async fn until(&self, what: &str, path: &str, is_so: impl Fn(StatusCode, &Value) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let (status, answer) = self.get(path).await;
            if is_so(status, &answer) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {status} {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn fetcher(store: Store, metrics: Arc<Metrics>) -> Fetcher {
    let nowhere = || "http://127.0.0.1:9/".parse().expect("an address");
    let access = Access {
        api_url: nowhere(),
        auth: Auth::Basic,
        key_id: "key".to_owned(),
        key_secret: "secret".to_owned().into(),
        request_timeout: DEADLINE,
        connect_timeout: DEADLINE,
        answer_max_bytes: ANSWER_MAX_BYTES,
        proxy_from_environment: false,
    };
    Fetcher {
        project: project(),
        client: Arc::new(Client::new(project(), access).expect("a client")),
        store,
        policy: policy(),
        backoff: BACKOFF,
        slots: 4,
        requests_per_second: 5.0,
        lease: DEADLINE,
        resume: Arc::new(Notify::new()),
        metrics,
        traces: Traces::default(),
    }
}

/// Claims the only order.
async fn claim_one(store: &Store) -> Result<Claim, StoreError> {
    let watched = WatchRequest {
        project: project(),
        orders: vec![Id::new("o1").expect("an id")],
        now: clock::now(),
    };
    store.watch(watched).await?;
    let request = ClaimRequest {
        project: project(),
        orders_max: 1,
        rate: Rate {
            interval: Duration::from_secs(1),
            burst: 1000,
        },
        claim_order: ClaimOrder::Oldest,
        isolated: Arc::default(),
        known_pause: None,
        now: clock::now(),
        lease: DEADLINE * 10,
    };
    Ok(store.claim(request).await?.claims().remove(0))
}

/// Sends one result after another for an order, as if each were that of a first fetch.
async fn answer_forever(claim: Claim, outcomes: mpsc::UnboundedSender<FetchResult>) {
    loop {
        let outcome = FetchResult {
            claim: claim.clone(),
            fetched_at: clock::now(),
            result: Ok(Answer::NotFound),
            healthy: true,
            now: clock::now(),
            jitter: 0.5,
            policy: policy(),
            backoff: BACKOFF,
        };
        if outcomes.send(outcome).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_worker_that_fails_each_time_is_named_until_it_gets_on() {
    let trial = fails_and_gets_on;
    tokio::join!(
        trial("inbox", "deliveries"),
        trial("alerts", "orders"),
        trial("retention", "deliveries"),
        trial("fetch played-project", "orders"),
        trial("record played-project", "orders"),
    );
}

async fn fails_and_gets_on(worker: &str, table: &str) {
    let mut fixture = Fixture::new().await;
    fixture.begin(worker).await;
    let is_well = |_: StatusCode, status: &Value| {
        let of_worker = status["workers"].get(worker);
        of_worker.is_some_and(Value::is_null)
    };
    fixture.until(worker, "/status", is_well).await;
    let ready = |status, _: &Value| status == StatusCode::OK;
    fixture.until(worker, "/readyz", ready).await;

    // From now on, every statement on the table fails.
    let away = format!("ALTER TABLE {table} RENAME TO elsewhere");
    let begun = clock::now();
    fixture.execute(&away).await;
    let name = format!("worker {worker} does not get on: ");
    let is_named = |status, answer: &Value| {
        let detail = answer["detail"].as_str().unwrap_or_default();
        // On a busy machine the worker can fail in another way first, and it must not be reported for a single failure.
        let failing = fixture.metrics.workers().remove(worker).flatten();
        status == StatusCode::SERVICE_UNAVAILABLE
            && detail.contains(&name)
            && detail.contains("no such table")
            && failing.is_some_and(|failing| failing.times > 1)
    };
    fixture.until(worker, "/readyz", is_named).await;
    assert!(
        clock::now().since(begun) >= PATIENCE,
        "{worker}: one failure is none"
    );

    let back = format!("ALTER TABLE elsewhere RENAME TO {table}");
    fixture.execute(&back).await;
    fixture.until(worker, "/readyz", ready).await;
    fixture.until(worker, "/status", is_well).await;
}
