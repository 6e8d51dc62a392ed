//! Ordering rules on the real database: the model of Sinch drives them in simulated time, and kills the service between
//! any two steps.

use std::time::Instant;

use number_order::FetchOutcome;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::store::changes::StoredOrder;
use crate::store::sqlite::rows::order_text;
use number_order::{Decision, Event, FetchAttempt, Order};
use sinch_simulator::simulation::{Applied, Scenario, Strategy, Subject};

const SEED: u64 = 1;
const ORDERS: u64 = 64;

/// The order under test, in a database of its own.
struct Database {
    runtime: Arc<Runtime>,
    folder: TempDir,
    name: Id,
    store: Option<Store>,
    writer: JoinHandle<Result<(), StoreError>>,
    claim: Option<Claim>,
    order: Order,
    /// Data that the database forgets on purpose: this proves that the simulation notices.
    forgets: Forgets,
}

/// Promise of the store that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forgets {
    /// No promise is broken.
    Nothing,
    /// Waiting deliveries are lost when the service is killed.
    Pending,
    /// The hints are lost at every start.
    Hints,
}

impl Database {
    fn new(name: &Id, since: Time, forgets: Forgets) -> Database {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = Arc::new(runtime.expect("a runtime"));
        let folder = folder();
        let (store, writer) = start(&runtime, &folder, since);
        Database {
            runtime,
            folder,
            name: name.clone(),
            store: Some(store),
            writer,
            claim: None,
            order: Order::new(since),
            forgets,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("is open")
    }

    fn key(&self) -> OrderKey {
        OrderKey {
            project: id(PROJECT),
            order: self.name.clone(),
        }
    }

    fn believed(&self) -> Option<State> {
        self.order.confirmed.as_ref().map(|known| known.state)
    }

    /// Reads the order as it is on disk.
    fn read(&mut self) {
        const SQL: &str = concat!(
            "SELECT ",
            order_text!(),
            " FROM orders AS o JOIN projects AS p ON p.id = o.project"
        );
        let readers = &self.store().readers;
        let row = self.runtime.block_on(async {
            let mut db = readers.begin().await?;
            sqlx::query(SQL).fetch_optional(&mut *db).await
        });
        if let Some(row) = row.expect("reads") {
            let stored: StoredOrder = serde_json::from_str(row.get(0)).expect("an order");
            self.order = stored.order;
        }
    }

    fn execute(&self, sql: &'static str) {
        let path = self.folder.path().join("rules.db");
        self.runtime.block_on(async {
            let url = format!("sqlite://{}", path.display());
            let mut db = SqliteConnection::connect(&url).await.expect("opens");
            sqlx::query(sql).execute(&mut db).await.expect("is done");
            db.close().await.expect("closes");
        });
    }
}

fn start(
    runtime: &Runtime,
    folder: &TempDir,
    now: Time,
) -> (Store, JoinHandle<Result<(), StoreError>>) {
    let settings = Settings {
        now,
        ..settings(folder.path().join("rules.db"))
    };
    runtime.block_on(async {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match open(&settings).await {
                // A program that another test starts has this one's locks until it runs.
                Err(OpenError::Held(_)) if Instant::now() < deadline => {
                    tokio::task::yield_now().await;
                }
                opened => {
                    let (store, writer) = opened.expect("opens");
                    return (store, tokio::spawn(writer));
                }
            }
        }
    })
}

impl Subject for Database {
    fn order(&self) -> &Order {
        &self.order
    }

    fn accept(&mut self, event: u128, said: &Event) -> bool {
        let delivery = NewDelivery {
            callback_key: None,
            project: id(PROJECT),
            event_id: Some(event.to_string()),
            subject: DeliveryContent::Order {
                order: self.name.clone(),
                status: said.status.clone(),
                said_at: said.said_at,
            },
            received_at: said.received_at,
            body: event.to_string().into_bytes().into(),
        };
        let accepted = self.runtime.block_on(self.store().accept(delivery));
        match accepted.expect("is taken") {
            Accepted::New => true,
            Accepted::Duplicate => false,
            Accepted::Conflict => panic!("the same event has the same body"),
        }
    }

    fn process(&mut self, now: Time, policy: &Policy) -> (Vec<Decision>, Vec<State>) {
        let request = ProcessRequest {
            deliveries_max: 256,
            now,
            policy: policy.clone(),
            api_off: Vec::new(),
        };
        let processed = self.runtime.block_on(self.store().process(request));
        processed.expect("processes");
        self.read();
        (Vec::new(), Vec::new())
    }

    fn request_fetch(&mut self, now: Time) -> bool {
        let known = self
            .runtime
            .block_on(self.store().request_fetch(self.key(), now))
            .expect("writes");
        if !known {
            let request = WatchRequest {
                project: id(PROJECT),
                orders: vec![self.name.clone()],
                now,
            };
            let watched = self.runtime.block_on(self.store().watch(request));
            assert_eq!(watched.expect("writes"), 1);
        }
        self.read();
        true
    }

    fn begin_fetch(&mut self, now: Time) {
        let request = ClaimRequest {
            project: id(PROJECT),
            orders_max: 1,
            rate: FAST,
            claim_order: ClaimOrder::Urgent,
            isolated: Arc::default(),
            known_pause: None,
            now,
            lease: Duration::from_secs(60),
        };
        let claims = self.runtime.block_on(self.store().claim(request));
        self.claim = claims.expect("claims").claims().pop();
        assert!(self.claim.is_some(), "what is due can be claimed");
        self.read();
    }

    fn record(&mut self, attempt: FetchAttempt<'_>, policy: &Policy, backoff: &Backoff) -> Applied {
        let before = self.believed();
        let outcome = FetchResult {
            claim: self.claim.take().expect("was claimed"),
            fetched_at: attempt.fetched_at,
            result: attempt.result.clone(),
            healthy: attempt.healthy,
            now: attempt.now,
            jitter: attempt.jitter,
            policy: policy.clone(),
            backoff: backoff.clone(),
        };
        let settled = self.runtime.block_on(self.store().record([outcome].into()));
        assert_ne!(settled.expect("settles"), [Recorded::Fenced]);
        // Result of the pure rules, to compare with that of the database.
        let expected = number_order::apply_attempt(&self.order, attempt, policy, backoff);
        self.read();
        assert_eq!(self.order, expected.order, "the order is stored as decided");
        Applied {
            outcome: match expected.outcome {
                FetchOutcome::Answer(outcome) => Some(outcome),
                FetchOutcome::NoAnswer(_) => None,
            },
            believed: self.believed().filter(|now| before != Some(*now)),
        }
    }

    fn restart(&mut self, now: Time, _spread: Duration) -> bool {
        self.claim = None;
        self.writer.abort();
        let (runtime, writer) = (self.runtime.clone(), &mut self.writer);
        let ended = runtime.block_on(writer);
        assert!(
            ended.is_err_and(|end| end.is_cancelled()),
            "killed, not ended"
        );
        if let Some(store) = self.store.take() {
            runtime.block_on(store.readers.close());
        }
        match self.forgets {
            Forgets::Nothing => {}
            Forgets::Pending => self.execute("DELETE FROM deliveries WHERE phase = 'waiting'"),
            Forgets::Hints => {
                self.execute("UPDATE orders SET hints = '[]', hinted_at = NULL, fetch_at = NULL");
            }
        }
        let (store, writer) = start(&runtime, &self.folder, now);
        (self.store, self.writer) = (Some(store), writer);
        self.read();
        let sql = "SELECT count(*) FROM deliveries WHERE phase = 'waiting'";
        let readers = &self.store().readers;
        let waiting = runtime.block_on(async {
            let mut db = readers.begin().await?;
            sqlx::query(sql).fetch_one(&mut *db).await
        });
        let waiting: i64 = waiting.expect("reads").get(0);
        waiting > 0
    }
}

/// The hostile scenario, shorter, since each processing costs two commits, and with more crashes.
fn scenario(seed: u64, orders: u64) -> Scenario {
    let backoff = Backoff {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(300),
        attempts_max: 30,
    };
    let policy = Policy::new(Duration::from_secs(15), Duration::from_secs(300));
    Scenario {
        span: Duration::from_secs(4 * 3600),
        crash: 0.05,
        ..Scenario::hostile(seed, orders, policy, backoff)
    }
}

#[test]
fn the_real_database_confirms_the_true_state_of_every_order_whenever_it_is_killed() {
    let scenario = scenario(SEED, ORDERS);
    let subject = |name: &Id, since: Time| Database::new(name, since, Forgets::Nothing);
    let tally = scenario.run_with(&subject, 4);
    for (index, wrong) in &tally.failed {
        eprintln!("seed {SEED}, order {index}: {wrong}");
        for line in scenario.story_with(&subject, *index) {
            eprintln!("{line}");
        }
    }
    assert_eq!(tally.orders, ORDERS);
    assert!(!tally.is_wrong(), "seed {SEED}");
    let pure = scenario.run(Strategy::Rules, 4);
    assert!(!pure.is_wrong(), "seed {SEED}: the rules themselves");
    let crashes = tally.met.paths().find(|(name, ..)| *name == "crash");
    let crashes = crashes.map_or(0, |(_, met, _)| met);
    assert!(crashes > ORDERS, "{crashes} crashes");
}

#[test]
fn a_database_that_forgets_is_found_out() {
    for forgets in [Forgets::Pending, Forgets::Hints] {
        let is_found = |orders: u64| {
            let scenario = Scenario {
                crash: 0.4,
                ..scenario(SEED, orders)
            };
            let subject = |name: &Id, since: Time| Database::new(name, since, forgets);
            scenario.run_with(&subject, 4).is_wrong()
        };
        // A few orders are enough to show it in most cases.
        let found = [2, 4, 12].into_iter().any(is_found);
        assert!(found, "seed {SEED}: {forgets:?} is not noticed");
    }
}
