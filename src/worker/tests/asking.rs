//! The asker itself, on a real database, with a Sinch that says its lines one by one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::{Connection, Row, SqliteConnection};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::played::{id, project};
use crate::clock;
use crate::order::{Answer, BackOff, Rule};
use crate::sinch::api::{Access, Auth, Client};
use crate::store::{
    self, ClaimRequest, Gate, Outcome, Settings, Store, StoreError, Turn, WatchRequest,
};
use crate::vitals::Vitals;
use crate::worker::Asker;
use crate::worker::settle::Settler;

pub const PATIENCE: Duration = Duration::from_secs(60);

const ORDERS: usize = 300;

/// Questions that Sinch answers before it hesitates.
const ANSWERED: usize = 60;

/// A database with orders that are due.
pub struct House {
    folder: TempDir,
    store: Store,
    _writer: JoinHandle<Result<(), StoreError>>,
}

impl House {
    pub async fn new(orders: usize) -> House {
        let folder = store::tests::folder();
        let settings = Settings {
            path: folder.path().join("asking.db"),
            waiting_max: 8192,
            free_min_bytes: 0,
            projects: vec![(project(), None)],
            now: clock::now(),
        };
        let (store, _, writer) = store::open(&settings).await.expect("opens");
        let writer = tokio::spawn(writer);
        let request = WatchRequest {
            project: project(),
            orders: (0..orders).map(|n| id(&format!("order-{n}"))).collect(),
            now: clock::now(),
        };
        store.watch(request).await.expect("is known");
        House {
            folder,
            store,
            _writer: writer,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("asking.db")
    }

    async fn file(&self) -> SqliteConnection {
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
        let deadline = Instant::now() + PATIENCE;
        loop {
            let count = self.count(which).await;
            if enough(count) {
                return;
            }
            assert!(Instant::now() < deadline, "{count} orders with {which}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks with one lane, as fast as Sinch answers.
    fn ask(&self, sinch: &Sinch) -> (CancellationToken, JoinHandle<Result<(), StoreError>>) {
        self.ask_with(&sinch.url, 1, 2000.0, Arc::default())
    }

    pub fn ask_with(
        &self,
        api_url: &str,
        lanes: usize,
        asks_per_second: f64,
        vitals: Arc<Vitals>,
    ) -> (CancellationToken, JoinHandle<Result<(), StoreError>>) {
        let access = Access {
            api_url: api_url.parse().expect("an address"),
            auth: Auth::Basic,
            key_id: "key".to_owned(),
            key_secret: SecretString::from("secret"),
            request_timeout: PATIENCE,
            connect_timeout: PATIENCE,
            proxy_from_environment: false,
        };
        let asker = Asker {
            project: project(),
            client: Client::new(project(), access).expect("a client"),
            store: self.store.clone(),
            rule: rule(),
            back_off: BACK_OFF,
            lanes,
            asks_per_second,
            lease: PATIENCE * 4,
            gate: Gate::default(),
            resume: Arc::default(),
            vitals,
        };
        let stop = CancellationToken::new();
        let asking = asker.run(stop.clone(), CancellationToken::new());
        (stop, tokio::spawn(asking))
    }
}

fn rule() -> Rule {
    Rule::new(Duration::from_secs(15), Duration::from_secs(300))
}

const BACK_OFF: BackOff = BackOff {
    base: Duration::from_secs(100),
    cap: Duration::from_secs(300),
    attempts_max: 30,
};

/// Answers at once until it hesitates over a question, then as the test says.
struct Sinch {
    url: String,
    hesitates: Arc<Notify>,
    then: mpsc::UnboundedSender<u16>,
}

impl Sinch {
    async fn start() -> Sinch {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let hesitates = Arc::new(Notify::new());
        let (then, said) = mpsc::unbounded_channel();
        tokio::spawn(answer(listener, hesitates.clone(), said));
        Sinch {
            url: format!("http://{address}"),
            hesitates,
            then,
        }
    }
}

/// Over one connection: the client has a single lane.
async fn answer(
    listener: TcpListener,
    hesitates: Arc<Notify>,
    mut said: mpsc::UnboundedReceiver<u16>,
) {
    let (mut connection, _) = listener.accept().await.expect("is called");
    let mut questions = 0;
    while let Some(order) = question(&mut connection).await {
        questions += 1;
        let mut status = 200;
        if questions > ANSWERED {
            hesitates.notify_one();
            status = said.recv().await.expect("the test says how to go on");
        }
        let project = project();
        let body = format!(
            r#"{{"idNumberOrder":"{order}","projectId":"{project}","state":"IN_REVIEW","updateTime":"{}"}}"#,
            clock::now()
        );
        let length = body.len();
        let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
        let sent = connection.write_all(reply.as_bytes()).await;
        sent.expect("is read");
    }
}

/// The order that the next question is about.
async fn question(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?;
    path.rsplit('/').next().map(str::to_owned)
}

#[tokio::test]
async fn what_is_in_hand_when_asking_pauses_is_given_back() {
    let (house, sinch) = (House::new(ORDERS).await, Sinch::start().await);
    let (stop, asking) = house.ask(&sinch);
    sinch.hesitates.notified().await;
    // One is asked about; the others are in hand.
    house.until("lease IS NOT NULL", |leased| leased > 2).await;
    sinch.then.send(401).expect("listens");
    house.until("lease IS NOT NULL", |leased| leased == 0).await;
    // What failed through the provider is no try of the order.
    house.until("attempts > 0", |counted| counted == 0).await;
    let asked = house.count("asked_at IS NOT NULL").await;
    assert_eq!(asked, ANSWERED as i64 + 1, "one was asked about in vain");
    assert_eq!(
        house.count("confirmed_state IS NULL").await,
        (ORDERS - ANSWERED) as i64
    );
    stop.cancel();
    assert_eq!(asking.await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn what_is_in_hand_at_the_end_is_given_back_and_what_is_asked_about_is_settled() {
    let (house, sinch) = (House::new(ORDERS).await, Sinch::start().await);
    let (stop, asking) = house.ask(&sinch);
    sinch.hesitates.notified().await;
    house.until("lease IS NOT NULL", |leased| leased > 2).await;
    stop.cancel();
    sinch.then.send(200).expect("listens");
    assert_eq!(asking.await.expect("no panic"), Ok(()));
    assert_eq!(house.count("lease IS NOT NULL").await, 0);
    assert_eq!(house.count("attempts > 0").await, 0);
    assert_eq!(
        house.count("confirmed_state = 'IN_REVIEW'").await,
        ANSWERED as i64 + 1
    );
}

#[tokio::test]
async fn what_waits_in_hand_behind_a_question_that_hangs_is_given_back_unasked() {
    let (house, sinch) = (House::new(ORDERS).await, Sinch::start().await);
    let (_stop, _asking) = house.ask(&sinch);
    sinch.hesitates.notified().await;
    house.until("lease IS NOT NULL", |leased| leased > 2).await;
    let leased_at = Instant::now();
    // Longer than anything may wait in hand. Nobody else can take up what is in hand meanwhile.
    while leased_at.elapsed() < super::super::ask::IN_HAND_MAX * 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let held = house.number("SELECT max(leased_until_at) FROM orders");
    let held = format!("leased_until_at <= {}", held.await);
    assert!(house.count(&held).await > 2);
    sinch.then.send(200).expect("listens");
    // The lane is free: what has waited for too long goes back before the next question, but for the order of that.
    sinch.hesitates.notified().await;
    house.until(&held, |held| held <= 1).await;
    assert_eq!(
        house.count("confirmed_state = 'IN_REVIEW'").await,
        ANSWERED as i64 + 1
    );
}

#[tokio::test]
async fn an_answer_that_the_database_will_not_take_does_not_spoil_the_others() {
    let house = House::new(3).await;
    let request = ClaimRequest {
        project: project(),
        orders_max: 3,
        turn: Turn::Oldest,
        apart: Arc::default(),
        now: clock::now(),
        lease: PATIENCE,
    };
    let claims = house.store.claim(request).await.expect("claims");
    assert_eq!(claims.len(), 3);
    sqlx::query(
        "CREATE TRIGGER refuses BEFORE INSERT ON answers WHEN NEW.order_id = 2 \
         BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .execute(&mut house.file().await)
    .await
    .expect("is made");
    let (outcomes, came) = mpsc::unbounded_channel();
    for claim in claims {
        let outcome = Outcome {
            claim,
            asked_at: clock::now(),
            result: Ok(Answer::NotFound),
            healthy: true,
            now: clock::now(),
            roll: 0.5,
            rule: rule(),
            back_off: BACK_OFF,
        };
        outcomes.send(outcome).expect("is settled");
    }
    drop(outcomes);
    let settler = Settler {
        project: project(),
        store: house.store.clone(),
        vitals: Arc::new(Vitals::new()),
    };
    assert_eq!(settler.run(came).await, Ok(()));
    assert_eq!(house.count("lease IS NULL AND asked_at > 0").await, 2);
    let aside = "parked LIKE 'row 2 of orders cannot be written: %' AND ask_at IS NULL";
    assert_eq!(house.count(aside).await, 1);
}
