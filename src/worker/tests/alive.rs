//! A worker that goes round and fails each time is not alive, and whoever asks is told which one it is and why.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::played::{BACK_OFF, PER_SECOND, project};
use super::*;
use crate::http::operators;
use crate::order::{Answer, Limits, Rule};
use crate::sinch::api::{Access, Auth, Client};
use crate::store::{self, Claim, ClaimRequest, Gate, Outcome, Spans, Store, Turn, WatchRequest};
use crate::worker::settle::Settler;

/// How long a worker may fail here.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long anything may take that is sure to come.
const DEADLINE: Duration = Duration::from_secs(180);

/// A worker's database, and the worker, which runs until this is dropped.
struct Room {
    folder: TempDir,
    store: Store,
    vitals: Arc<Vitals>,
    parts: JoinSet<()>,
}

fn rule() -> Rule {
    Rule::new(Duration::from_secs(15), Duration::from_secs(300))
}

impl Room {
    async fn new() -> Room {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = store::Settings {
            path: folder.path().join("room.db"),
            waiting_max: 100,
            free_min_bytes: 0,
            projects: vec![(project(), Some(PER_SECOND))],
            now: clock::now(),
        };
        let (store, _, writer) = store::open(&settings).await.expect("opens");
        let mut parts = JoinSet::new();
        parts.spawn(async move { writer.await.expect("the writer is well") });
        let vitals = Arc::new(Vitals::impatient(PATIENCE));
        Room {
            folder,
            store,
            vitals,
            parts,
        }
    }

    async fn execute(&self, sql: &str) {
        let path = format!("sqlite:{}", self.folder.path().join("room.db").display());
        let mut db = SqliteConnection::connect(&path).await.expect("opens");
        // The writer is at work meanwhile: one that reads first can lose its right to write.
        let sql = format!("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE; {sql}; COMMIT");
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db);
        done.await.expect("is done");
        db.close().await.expect("closes");
    }

    fn spawn<F>(&mut self, run: F) -> AbortHandle
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        self.parts.spawn(async move {
            run.await.expect("the store can be used");
        })
    }

    async fn begin(&mut self, worker: &str) {
        let (store, vitals) = (self.store.clone(), self.vitals.clone());
        let stop = CancellationToken::new();
        match worker.split(' ').next() {
            Some("look") => {
                let looker = Looker {
                    store,
                    rule: rule(),
                    api_off: Vec::new(),
                    vitals,
                };
                self.spawn(looker.run(stop));
            }
            Some("mind") => {
                let limits = Limits {
                    expiring: vec![Duration::from_secs(9000)],
                    review: Duration::ZERO,
                    blocked: Duration::ZERO,
                };
                let minder = Minder {
                    store,
                    limits,
                    vitals,
                };
                self.spawn(minder.run(stop));
            }
            Some("clear") => {
                let spans = Spans {
                    bodies: Duration::from_secs(1),
                    deliveries: Duration::from_secs(1),
                    parked: Duration::from_secs(1),
                    orders: Duration::from_secs(9000),
                };
                let clearer = Clearer {
                    store,
                    spans,
                    vitals,
                };
                self.spawn(clearer.run(stop));
            }
            Some("ask") => {
                self.spawn(asker(store, vitals).run(stop.clone(), stop));
            }
            Some("settle") => {
                let (outcomes, came) = mpsc::unbounded_channel();
                let settler = Settler {
                    project: project(),
                    store: store.clone(),
                    vitals,
                };
                let claim = claim_one(&store).await.expect("the store can be used");
                self.spawn(settler.run(came));
                self.parts.spawn(answer_for_ever(claim, outcomes));
            }
            _ => panic!("{worker} is none"),
        }
    }

    /// What `path` on the operators' listener answers.
    async fn ask(&self, path: &str) -> (StatusCode, Value) {
        let settings = operators::Settings {
            token: None,
            projects: [(project(), None)].into(),
            deadlines: Limits {
                expiring: Vec::new(),
                review: Duration::from_secs(9000),
                blocked: Duration::from_secs(9000),
            },
            body_timeout: DEADLINE,
        };
        let router = operators::router(self.store.clone(), self.vitals.clone(), settings);
        let request = Request::get(path).header("host", "localhost");
        let request = request.body(Body::empty()).expect("a request");
        let answer = router.oneshot(request).await.expect("answers");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Polls until what is asked for is so.
    async fn until(&self, what: &str, path: &str, is_so: impl Fn(StatusCode, &Value) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let (status, answer) = self.ask(path).await;
            if is_so(status, &answer) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: {status} {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn asker(store: Store, vitals: Arc<Vitals>) -> Asker {
    let nowhere = || "http://127.0.0.1:9/".parse().expect("an address");
    let access = Access {
        api_url: nowhere(),
        auth: Auth::Basic,
        key_id: "key".to_owned(),
        key_secret: "secret".to_owned().into(),
        request_timeout: DEADLINE,
        connect_timeout: DEADLINE,
        proxy_from_environment: false,
    };
    Asker {
        project: project(),
        client: Client::new(project(), access).expect("a client"),
        store,
        rule: rule(),
        back_off: BACK_OFF,
        lanes: 4,
        asks_per_second: PER_SECOND,
        lease: DEADLINE,
        gate: Gate::default(),
        resume: Arc::new(Notify::new()),
        vitals,
    }
}

/// Claims an order, the only one.
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
        turn: Turn::Oldest,
        apart: Arc::default(),
        now: clock::now(),
        lease: DEADLINE * 10,
    };
    Ok(store.claim(request).await?.remove(0))
}

/// Has one answer after another about an order, as if each question were its first.
async fn answer_for_ever(claim: Claim, outcomes: mpsc::UnboundedSender<Outcome>) {
    loop {
        let outcome = Outcome {
            claim: claim.clone(),
            asked_at: clock::now(),
            result: Ok(Answer::NotFound),
            healthy: true,
            now: clock::now(),
            roll: 0.5,
            rule: rule(),
            back_off: BACK_OFF,
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
        trial("look", "deliveries"),
        trial("mind", "orders"),
        trial("clear", "deliveries"),
        trial("ask played-project", "orders"),
        trial("settle played-project", "orders"),
    );
}

async fn fails_and_gets_on(worker: &str, table: &str) {
    let mut room = Room::new().await;
    room.begin(worker).await;
    let is_well = |_: StatusCode, status: &Value| {
        let of_worker = status["workers"].get(worker);
        of_worker.is_some_and(Value::is_null)
    };
    room.until(worker, "/status", is_well).await;
    let ready = |status, _: &Value| status == StatusCode::OK;
    room.until(worker, "/readyz", ready).await;

    // Everything that is asked of the table fails from now on.
    let away = format!("ALTER TABLE {table} RENAME TO elsewhere");
    room.execute(&away).await;
    let begun = clock::now();
    let name = format!("worker {worker} does not get on: ");
    let is_named = |status, answer: &Value| {
        let detail = answer["detail"].as_str().unwrap_or_default();
        // On a busy machine it can fail otherwise first, and has no right to be named for a single failure.
        let failing = room.vitals.workers().remove(worker).flatten();
        status == StatusCode::SERVICE_UNAVAILABLE
            && detail.contains(&name)
            && detail.contains("no such table")
            && failing.is_some_and(|failing| failing.times > 1)
    };
    room.until(worker, "/readyz", is_named).await;
    assert!(
        clock::now().since(begun) >= PATIENCE,
        "{worker}: one failure is none"
    );

    let back = format!("ALTER TABLE elsewhere RENAME TO {table}");
    room.execute(&back).await;
    room.until(worker, "/readyz", ready).await;
    room.until(worker, "/status", is_well).await;
}
