//! The fetcher on a real database, with a Sinch that answers by a script.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use secrecy::SecretString;
use sqlx::{Connection, Row, SqliteConnection};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::simulated::{id, project};
use crate::clock;
use crate::metrics::Metrics;
use crate::sinch::ANSWER_MAX_BYTES;
use crate::store::{self, Settings, Store, StoreError, WatchRequest};
use crate::traces::Traces;
use crate::worker::Fetcher;
use number_order::{Backoff, Policy};
use sinch_numbers::api::{Access, Auth, Client};

/// Maximum time that a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Time-out of a fetch, longer than any test lasts.
pub const NEVER: Duration = Duration::from_secs(3600);

pub const ORDERS: usize = 300;

/// Maximum number of fetches in flight with one slot, when all hang: one in the slot, and two beside it.
pub const ALL_HANG: usize = 3;

/// Number of fetches that Sinch answers before it holds its answers back.
const ANSWERED: usize = 60;

/// A database with orders that are due.
pub struct Fixture {
    folder: TempDir,
    pub store: Store,
    pub writer: JoinHandle<Result<(), StoreError>>,
}

impl Fixture {
    pub async fn new(orders: usize) -> Fixture {
        let folder = store::sqlite::tests::folder();
        let settings = Settings::Sqlite(store::sqlite::Settings {
            path: folder.path().join("running.db"),
            waiting_max: 8192,
            free_min_bytes: 0,
            targets: Vec::new(),
            projects: vec![(project(), None)],
            now: clock::now(),
        });
        let (store, writer) = store::open(settings).await.expect("opens");
        let writer = tokio::spawn(writer);
        let request = WatchRequest {
            project: project(),
            orders: (0..orders).map(|n| id(&format!("order-{n}"))).collect(),
            now: clock::now(),
        };
        store.watch(request).await.expect("is known");
        Fixture {
            folder,
            store,
            writer,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("running.db")
    }

    pub async fn file(&self) -> SqliteConnection {
        let url = format!("sqlite://{}", self.path().display());
        SqliteConnection::connect(&url).await.expect("connects")
    }

    async fn number(&self, sql: impl Into<String>) -> i64 {
        let row = sqlx::query(sqlx::AssertSqlSafe(sql.into()))
            .fetch_one(&mut self.file().await)
            .await;
        row.expect("a number").get(0)
    }

    pub async fn count(&self, which: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM orders WHERE {which}");
        self.number(sql).await
    }

    pub async fn until(&self, which: &str, enough: impl Fn(i64) -> bool) {
        let count = self.within(PATIENCE, which, enough).await;
        assert!(count.is_ok(), "{count:?} orders with {which}");
    }

    /// Polls for `span` until the count is enough. Returns the last count as the error if it never is.
    async fn within(
        &self,
        span: Duration,
        which: &str,
        enough: impl Fn(i64) -> bool,
    ) -> Result<i64, i64> {
        let deadline = Instant::now() + span;
        loop {
            let count = self.count(which).await;
            if enough(count) {
                return Ok(count);
            }
            if Instant::now() >= deadline {
                return Err(count);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Fetches with one slot, as fast as Sinch answers.
    pub fn start(&self, sinch: &Sinch) -> (CancellationToken, JoinHandle<Result<(), StoreError>>) {
        self.start_with(&sinch.url, 1, 2000.0, Arc::default())
    }

    pub fn start_with(
        &self,
        api_url: &str,
        slots: usize,
        requests_per_second: f64,
        metrics: Arc<Metrics>,
    ) -> (CancellationToken, JoinHandle<Result<(), StoreError>>) {
        let fetcher = self.fetcher(api_url, slots, requests_per_second, metrics);
        let stop = CancellationToken::new();
        let running = fetcher.run(stop.clone(), CancellationToken::new());
        (stop, tokio::spawn(running))
    }

    pub fn fetcher(
        &self,
        api_url: &str,
        slots: usize,
        requests_per_second: f64,
        metrics: Arc<Metrics>,
    ) -> Fetcher {
        let access = Access {
            api_url: api_url.parse().expect("an address"),
            auth: Auth::Basic,
            key_id: "key".to_owned(),
            key_secret: SecretString::from("secret"),
            request_timeout: NEVER,
            connect_timeout: NEVER,
            answer_max_bytes: ANSWER_MAX_BYTES,
            proxy_from_environment: false,
        };
        Fetcher {
            project: project(),
            client: Arc::new(Client::new(project(), access).expect("a client")),
            store: self.store.clone(),
            policy: policy(),
            backoff: BACKOFF,
            slots,
            requests_per_second,
            lease: NEVER * 2,
            resume: Arc::default(),
            metrics,
            traces: Traces::default(),
        }
    }
}

pub fn policy() -> Policy {
    Policy::new(Duration::from_secs(15), Duration::from_secs(300))
}

pub const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(100),
    cap: Duration::from_secs(300),
    attempts_max: 30,
};

/// Script by which Sinch answers at present.
#[derive(Clone, Copy)]
struct AnswerPlan {
    /// Number of fetches that Sinch answers at once.
    answered: usize,
    /// Status with which Sinch answers all other fetches; `None`: it holds those answers back.
    then: Option<u16>,
}

/// Sinch that answers at once for a number of fetches, then holds its answers back until the test gives a status.
pub struct Sinch {
    pub url: String,
    questions: Arc<AtomicUsize>,
    word: watch::Sender<AnswerPlan>,
}

impl Sinch {
    pub async fn start() -> Sinch {
        let word = AnswerPlan {
            answered: ANSWERED,
            then: None,
        };
        let (questions, word) = (Arc::new(AtomicUsize::new(0)), watch::Sender::new(word));
        let (counted, said) = (questions.clone(), word.subscribe());
        let answer = move |Path((project, order)): Path<(String, String)>| {
            let nth = counted.fetch_add(1, Ordering::Relaxed);
            let mut said = said.clone();
            async move {
                let is_said = |word: &AnswerPlan| nth < word.answered || word.then.is_some();
                // If the test has ended, no client waits for the answer.
                let word = said.wait_for(is_said).await.map(|word| *word).ok();
                let status = match word {
                    Some(word) if nth >= word.answered => word.then.unwrap_or(200),
                    Some(_) | None => 200,
                };
                let body = format!(
                    r#"{{"idNumberOrder":"{order}","projectId":"{project}","state":"IN_REVIEW","updateTime":"{}"}}"#,
                    clock::now()
                );
                (StatusCode::from_u16(status).expect("a status"), body)
            }
        };
        let path = "/v1/projects/{project}/numberOrders/{order}";
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route(path, get(answer));
        tokio::spawn(async { axum::serve(listener, router).await });
        Sinch {
            url: format!("http://{address}"),
            questions,
            word,
        }
    }

    pub fn fetches(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }

    /// Waits until Sinch holds back the answer to a single fetch and more orders are prefetched. On a machine so busy
    /// that a fetch takes as long as a claim, no orders are prefetched: then Sinch answers a few more fetches. Returns
    /// the number of answers, and the condition in SQL that selects the orders that are held.
    pub async fn hesitates(&self, fixture: &Fixture) -> (usize, String) {
        loop {
            let answered = self.word.borrow().answered;
            let deadline = Instant::now() + PATIENCE;
            while self.fetches() <= answered {
                assert!(Instant::now() < deadline, "nobody asks");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let prefetched =
                fixture.within(Duration::from_millis(300), "lease IS NOT NULL", |held| {
                    held > ALL_HANG as i64
                });
            if prefetched.await.is_ok() {
                let held = fixture.number("SELECT max(leased_until_at) FROM orders");
                let held = format!("leased_until_at <= {}", held.await);
                if self.fetches() == answered + 1 {
                    return (answered, held);
                }
            }
            let more = self.fetches() + 10;
            self.word.send_modify(|word| word.answered = more);
        }
    }

    /// Lets Sinch answer all other fetches with `status` from now on.
    pub fn answers(&self, status: u16) {
        self.word.send_modify(|word| word.then = Some(status));
    }
}

#[tokio::test]
async fn prefetched_orders_are_released_when_the_circuit_opens() {
    let (fixture, sinch) = (Fixture::new(ORDERS).await, Sinch::start().await);
    let (stop, running) = fixture.start(&sinch);
    let (answered, _) = sinch.hesitates(&fixture).await;
    sinch.answers(401);
    // One fetch is refused, and two more, one at a time, before the refusal is believed of the key.
    let refused = answered as i64 + 3;
    fixture
        .until("fetched_at IS NOT NULL", |asked| asked >= refused)
        .await;
    fixture
        .until("lease IS NOT NULL", |leased| leased == 0)
        .await;
    // A failure through the provider does not count as an attempt of the order.
    fixture.until("attempts > 0", |counted| counted == 0).await;
    let asked = fixture.count("fetched_at IS NOT NULL").await;
    assert_eq!(asked, sinch.fetches() as i64);
    assert!(asked < ORDERS as i64 / 2, "{asked} were asked about");
    assert_eq!(
        fixture.count("confirmed_state IS NULL").await,
        (ORDERS - answered) as i64
    );
    stop.cancel();
    assert_eq!(running.await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn at_the_stop_prefetched_orders_are_released_and_fetches_in_flight_recorded() {
    let (fixture, sinch) = (Fixture::new(ORDERS).await, Sinch::start().await);
    let (stop, running) = fixture.start(&sinch);
    sinch.hesitates(&fixture).await;
    stop.cancel();
    sinch.answers(200);
    assert_eq!(running.await.expect("no panic"), Ok(()));
    assert_eq!(fixture.count("lease IS NOT NULL").await, 0);
    assert_eq!(fixture.count("attempts > 0").await, 0);
    assert_eq!(
        fixture.count("confirmed_state = 'IN_REVIEW'").await,
        sinch.fetches() as i64
    );
}

/// Checks the release of prefetched orders. Sinch never answers, so an order that is held at first and is no longer
/// held was released: no more fetches hang than there are slots and permits for those that hang.
#[tokio::test]
async fn orders_prefetched_behind_a_fetch_that_hangs_are_released() {
    let (fixture, sinch) = (Fixture::new(ORDERS).await, Sinch::start().await);
    let (_stop, _asking) = fixture.start(&sinch);
    let (answered, held) = sinch.hesitates(&fixture).await;
    // All orders are released but those whose fetches hang.
    fixture.until(&held, |held| held <= ALL_HANG as i64).await;
    assert_eq!(
        fixture.count("confirmed_state = 'IN_REVIEW'").await,
        answered as i64
    );
}
