//! Ordering rules on the real database: the model of Sinch drives them in simulated time, and kills the service between
//! any two steps.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};

use super::*;
use number_order::{Decision, Event, FetchAttempt, FetchOutcome, Order};
use sinch_simulator::simulation::{Applied, Scenario, Strategy, Subject};

/// Number of seeds with which the real database is tried in a usual run.
const SEEDS: u64 = 4;

/// Number of seeds that are tried at once.
const THREADS: usize = 4;

/// Duration of a lease. Where others may work on the database, a lease outlives the service that had it.
const LEASE: Duration = Duration::from_secs(60);

/// The order under test, in a database of its own.
struct Database {
    runtime: Arc<Runtime>,
    place: Place,
    name: Id,
    store: Option<Store>,
    run: JoinHandle<Result<(), StoreError>>,
    claim: Option<Claim>,
    order: Order,
    /// Number of deliveries that wait to be processed.
    waiting: i64,
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
    fn new(on: Backend, name: &Id, since: Time, forgets: Forgets) -> Database {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = Arc::new(runtime.expect("a runtime"));
        let place = runtime.block_on(Place::new(on));
        let (store, run) = start(&runtime, &place, since);
        Database {
            runtime,
            place,
            name: name.clone(),
            store: Some(store),
            run,
            claim: None,
            order: Order::new(since),
            waiting: 0,
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

    /// Reads the order as it is on disk. A lease that a killed service has left puts its fetch off.
    fn read(&mut self) {
        let (stored, waiting) = self.runtime.block_on(async {
            match self.store() {
                Store::Sqlite(store) => store.only_order().await,
                #[cfg(feature = "postgres")]
                Store::Postgres(store) => store.only_order().await,
            }
        });
        self.waiting = waiting;
        let Some(stored) = stored else { return };
        self.order = stored.order;
        if let (None, Some((_, until))) = (&self.claim, stored.lease) {
            self.order.fetch_at = self.order.fetch_at.map(|at| at.max(until));
        }
    }

    fn edit(&self, sql: &str) {
        self.runtime.block_on(self.place.edit(sql));
    }
}

fn start(
    runtime: &Runtime,
    place: &Place,
    now: Time,
) -> (Store, JoinHandle<Result<(), StoreError>>) {
    runtime.block_on(async {
        let (store, run) = place.open_at(ONE_PROJECT, now).await;
        (store, tokio::spawn(run))
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
            lease: LEASE,
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
        self.run.abort();
        let ended = self.runtime.block_on(&mut self.run);
        assert!(
            ended.is_err_and(|end| end.is_cancelled()),
            "killed, not ended"
        );
        // PostgreSQL's connections are cut when the last handle goes.
        if let Some(Store::Sqlite(store)) = self.store.take() {
            self.runtime.block_on(store.close_readers());
        }
        match (self.forgets, &self.place) {
            (Forgets::Nothing, _) => {}
            (Forgets::Pending, Place::Folder(_)) => {
                self.edit("DELETE FROM deliveries WHERE phase = 'waiting'");
            }
            #[cfg(feature = "postgres")]
            (Forgets::Pending, Place::Database { .. }) => self.edit("DELETE FROM pending"),
            (Forgets::Hints, _) => {
                self.edit("UPDATE orders SET hints = '[]', hinted_at = NULL, fetch_at = NULL");
            }
        }
        let (store, run) = start(&self.runtime, &self.place, now);
        (self.store, self.run) = (Some(store), run);
        self.read();
        self.waiting > 0
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

/// Makes a trial with each of the seeds, several at once, since most of the time is spent waiting for the database.
fn with_each(seeds: RangeInclusive<u64>, trial: impl Fn(u64) + Sync) {
    let seeds = Mutex::new(seeds);
    let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    trial(seed);
                }
            });
        }
    });
}

/// Number of orders that are played with each seed: fewer where a start of the service costs more.
fn orders(on: Backend) -> u64 {
    match on {
        Backend::Sqlite => 16,
        #[cfg(feature = "postgres")]
        Backend::Postgres => 8,
    }
}

/// `SIMULATED_SEEDS=100 cargo test --lib whenever_it_is_killed`
async fn the_real_database_confirms_the_true_state_of_every_order_whenever_it_is_killed(
    on: Backend,
) {
    in_thread(move || {
        let seeds = std::env::var("SIMULATED_SEEDS").ok();
        let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
        let (orders, crashes) = (orders(on), AtomicU64::new(0));
        with_each(1..=seeds, |seed| {
            let scenario = scenario(seed, orders);
            let subject = |name: &Id, since: Time| Database::new(on, name, since, Forgets::Nothing);
            let tally = scenario.run_with(&subject, 1);
            for (index, wrong) in &tally.failed {
                eprintln!("seed {seed}, order {index}: {wrong}");
                for line in scenario.story_with(&subject, *index) {
                    eprintln!("{line}");
                }
            }
            assert_eq!(tally.orders, orders);
            assert!(!tally.is_wrong(), "seed {seed}");
            let pure = scenario.run(Strategy::Rules, 1);
            assert!(!pure.is_wrong(), "seed {seed}: the rules themselves");
            let met = tally.met.paths().find(|(name, ..)| *name == "crash");
            crashes.fetch_add(met.map_or(0, |(_, met, _)| met), Relaxed);
        });
        let crashes = crashes.into_inner();
        println!("{crashes} crashes");
        assert!(crashes > orders * seeds, "{crashes} crashes");
    })
    .await;
}

async fn a_database_that_forgets_is_found_out(on: Backend) {
    in_thread(move || {
        // In these worlds a few orders are enough to show it.
        for (forgets, seeds) in [(Forgets::Pending, 9..=10), (Forgets::Hints, 8..=8)] {
            let found = AtomicU64::new(0);
            with_each(seeds, |seed| {
                let scenario = Scenario {
                    crash: 0.4,
                    ..scenario(seed, 2)
                };
                let subject = |name: &Id, since: Time| Database::new(on, name, since, forgets);
                let wrong = scenario.run_with(&subject, 1).is_wrong();
                found.fetch_add(u64::from(wrong), Relaxed);
            });
            assert!(found.into_inner() > 0, "{forgets:?} is not noticed");
        }
    })
    .await;
}

suite!(
    the_real_database_confirms_the_true_state_of_every_order_whenever_it_is_killed,
    a_database_that_forgets_is_found_out,
);
