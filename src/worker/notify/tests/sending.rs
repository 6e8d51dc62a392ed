//! The sender on a real database: sequence, stop, and what one target or one notification does to others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;
use testkit::target::{Reply, Then};
use testkit::{Target, until, within};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::nets;
use crate::clock;
use crate::metrics::Metrics;
use crate::store::{self, Store, StoreError, TargetSettings};
use crate::worker::{Endpoint, Receiver, Sender};
use notifications::{Filter, Format, RetrySchedule};

const PATIENCE: Duration = Duration::from_secs(60);

/// A database in which notifications wait, and the tokens of its senders.
pub(super) struct Fixture {
    folder: TempDir,
    pub(super) store: Store,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stop: CancellationToken,
    pub(super) abort: CancellationToken,
}

impl Fixture {
    /// Makes a database in which each of the targets waits to be told `events` events about each of `orders` orders.
    pub(super) async fn new(targets: &[&str], orders: usize, events: usize) -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = targets.iter().map(|name| TargetSettings {
            name: (*name).to_owned(),
            filter: Filter::default(),
        });
        let settings = store::Settings::Sqlite(store::sqlite::Settings {
            path: folder.path().join("sender.db"),
            waiting_max: 100,
            free_min_bytes: 0,
            targets: settings.collect(),
            projects: Vec::new(),
            now: clock::now(),
        });
        let (store, writer) = store::open(settings).await.expect("opens");
        tokio::spawn(writer);
        let fixture = Fixture {
            folder,
            store,
            metrics: Arc::new(Metrics::new()),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
        };
        let now = clock::now().0;
        let rows: Vec<_> = (0..orders * events)
            .map(|n| {
                let (order, nth) = (n % orders + 1, n / orders);
                json!({ "sequence": n + 1, "subject": order, "body": format!("{{\"order\":{order},\"nth\":{nth}}}") })
            })
            .collect();
        let rows = json!(rows).to_string();
        fixture
            .execute(&format!(
                "INSERT INTO events (sequence, id, type, recorded_at, provisional, test, body)
                 SELECT value ->> 'sequence', 'evt_' || (value ->> 'sequence'), 'order.completed', {now}, 0, 0, value ->> 'body'
                 FROM json_each('{rows}');
                 INSERT INTO notifications (target, event, subject, phase)
                 SELECT t.id, value ->> 'sequence', value ->> 'subject', 'waiting' FROM json_each('{rows}'), targets AS t;
                 INSERT INTO notification_queues (target, subject, due_at)
                 SELECT DISTINCT target, subject, {now} FROM notifications"
            ))
            .await;
        fixture
    }

    async fn execute(&self, sql: &str) {
        let path = format!("sqlite:{}", self.folder.path().join("sender.db").display());
        let mut db = SqliteConnection::connect(&path).await.expect("opens");
        let sql = format!("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE; {sql}; COMMIT");
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db);
        done.await.expect("is done");
        db.close().await.expect("closes");
    }

    pub(super) fn endpoint(url: &str) -> Box<Endpoint> {
        let endpoint = Endpoint::new(url, Vec::new(), nets(&["127.0.0.1/32"]), 4, PATIENCE);
        Box::new(endpoint.expect("a client"))
    }

    fn send(&self, target: &str, receiver: Receiver) -> JoinHandle<Result<(), StoreError>> {
        self.send_by(4, target, receiver)
    }

    fn send_by(
        &self,
        slots: usize,
        target: &str,
        receiver: Receiver,
    ) -> JoinHandle<Result<(), StoreError>> {
        let sender = Sender {
            target: target.to_owned(),
            receiver,
            store: self.store.clone(),
            format: Format::Json,
            slots,
            rate: None,
            timeout: PATIENCE,
            retries: RetrySchedule::new(vec![Duration::from_millis(10); 20]),
            metrics: self.metrics.clone(),
        };
        tokio::spawn(sender.run(self.stop.clone(), self.abort.clone()))
    }

    /// Waits until this many notifications of the target wait.
    pub(super) async fn waiting(&self, target: &str, count: u64) {
        let what = format!("{count} that wait for {target}");
        until(&what, async || {
            let targets = self.store.targets().await.expect("is read");
            let found = targets.iter().find(|row| row.name == target);
            found.filter(|row| row.waiting == count).map(|_| ())
        })
        .await;
    }
}

async fn ended(sender: JoinHandle<Result<(), StoreError>>) {
    let ended = tokio::time::timeout(PATIENCE * 3, sender).await;
    assert_eq!(ended.expect("the sender ends").expect("no panic"), Ok(()));
}

#[tokio::test]
async fn each_order_is_told_in_sequence_however_attempts_fail() {
    let fixture = Fixture::new(&["crm"], 20, 5).await;
    // A refusal of one event does not speak against the target.
    let target = Target::start(|_, nth| match nth % 3 {
        1 => Reply::status(422),
        _ => Reply::status(200),
    })
    .await;
    let sender = fixture.send("crm", Receiver::Http(Fixture::endpoint(&target.url())));
    fixture.waiting("crm", 0).await;
    fixture.stop.cancel();
    ended(sender).await;
    let mut next: HashMap<i64, i64> = HashMap::new();
    for told in target.told() {
        let body = told.json();
        let (order, nth) = (body["order"].as_i64(), body["nth"].as_i64());
        let (order, nth) = (order.expect("an order"), nth.expect("a number"));
        let last = next.entry(order).or_insert(0);
        assert!(
            nth == *last || nth == *last + 1,
            "{order}: {nth} after {last}"
        );
        *last = nth;
    }
    assert_eq!(next.len(), 20);
    assert!(next.values().all(|last| *last == 4));
}

#[tokio::test]
async fn a_stop_waits_for_what_is_in_flight_and_records_it() {
    let fixture = Fixture::new(&["crm"], 12, 1).await;
    let target = Target::start(|_, _| {
        // The answer comes in two parts, so that attempts are in flight when the stop comes.
        Reply::raw(
            "HTTP/1.1 2",
            Then::Drip(b"00 OK\r\nContent-Length: 0\r\n\r\n"),
        )
    })
    .await;
    let sender = fixture.send("crm", Receiver::Http(Fixture::endpoint(&target.url())));
    target.told_when(1).await;
    fixture.stop.cancel();
    ended(sender).await;
    let sent = target.told().len() as u64;
    fixture.waiting("crm", 12 - sent).await;
}

#[tokio::test]
async fn what_hangs_is_abandoned_and_holds_up_no_other_target() {
    let fixture = Fixture::new(&["hangs", "other"], 12, 2).await;
    let hanging = Target::start(|_, _| Reply::raw("", Then::Hang)).await;
    let target = Target::willing().await;
    let hangs = fixture.send("hangs", Receiver::Http(Fixture::endpoint(&hanging.url())));
    hanging.told_when(4).await;
    let other = fixture.send("other", Receiver::Http(Fixture::endpoint(&target.url())));
    fixture.waiting("other", 0).await;
    assert_eq!(hanging.told().len(), 4, "no more than there are slots");
    fixture.stop.cancel();
    ended(other).await;
    assert!(!hangs.is_finished());
    fixture.abort.cancel();
    ended(hangs).await;
    fixture.waiting("hangs", 24).await;
}

#[tokio::test]
async fn a_panic_over_one_notification_stops_no_other() {
    let fixture = Fixture::new(&["crm"], 12, 1).await;
    let target = Target::willing().await;
    let endpoint = Fixture::endpoint(&target.url());
    let sender = fixture.send("crm", Receiver::PanicsOver("\"order\":3,", endpoint));
    fixture.waiting("crm", 1).await;
    assert!(!sender.is_finished());
    fixture.stop.cancel();
    ended(sender).await;
    assert_eq!(target.told().len(), 11);
}

/// What was held back while the circuit was open is sent at once, though its next attempt lies later than this waits.
#[tokio::test]
async fn a_target_that_is_resumed_is_told_at_once() {
    let fixture = Fixture::new(&["crm"], 12, 1).await;
    let target = Target::start(|_, nth| match nth {
        0..8 => Reply::status(503),
        _ => Reply::status(200),
    })
    .await;
    let endpoint = Fixture::endpoint(&target.url());
    let sender = fixture.send_by(1, "crm", Receiver::Http(endpoint));
    until("an open circuit", async || {
        let targets = fixture.store.targets().await.expect("is read");
        targets[0].paused_until.map(|_| ())
    })
    .await;
    let told = within(PATIENCE * 3 / 4, async || {
        let resumed = fixture
            .store
            .resume_target("crm".to_owned(), clock::now())
            .await;
        assert_eq!(resumed, Ok(true));
        let targets = fixture.store.targets().await.expect("is read");
        (targets[0].waiting == 0).then_some(())
    });
    assert_eq!(told.await, Some(()), "{} requests", target.told().len());
    fixture.stop.cancel();
    ended(sender).await;
}
