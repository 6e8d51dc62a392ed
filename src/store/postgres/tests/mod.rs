//! The store on a real PostgreSQL server.

use std::time::Duration;

use testkit::postgres::{Server, ServerOptions};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

mod accepting;
mod claiming;
mod failing;
mod journal;
mod opening;
mod plans;
mod processing;
mod recording;
mod refusals;
mod upkeep;

use super::*;
use crate::store::tests::place::shared_server;
use crate::store::tests::{PROJECT, at, id, key};
use crate::store::types::*;
use number_order::{Answer, Backoff, Failure, Policy, Snapshot, State, Status, Time};

/// Rate that holds up no test.
const FAST: Rate = Rate {
    interval: Duration::from_micros(1),
    burst: 1_000_000,
};

fn settings(url: String, clock: ClockSource) -> Settings {
    Settings {
        url: url.into(),
        name: "test".to_owned(),
        waiting_max: 1024,
        lossy_commits: true,
        clock,
        targets: Vec::new(),
        projects: vec![(id(PROJECT), Some(5.0))],
        now: match clock {
            ClockSource::Database => crate::clock::now(),
            ClockSource::Requests => at(5000),
        },
    }
}

/// A replica: a store of the database that others may use, too.
struct Replica {
    store: Store,
    run: JoinHandle<Result<(), StoreError>>,
}

impl Replica {
    async fn open(settings: &Settings) -> Replica {
        let (store, run) = open(settings).await.expect("opens");
        let run = tokio::spawn(run);
        Replica { store, run }
    }

    /// Stops the replica cleanly.
    async fn stop(self) {
        drop(self.store);
        self.run.await.expect("no panic").expect("a clean end");
    }
}

/// A database of its own on the shared server.
struct Fixture {
    server: &'static Server,
    database: String,
    clock: ClockSource,
}

impl Fixture {
    /// Makes a database with the schema, in which time is what requests say; `None`: no server is installed.
    async fn new() -> Option<Fixture> {
        Fixture::by(ClockSource::Requests).await
    }

    /// Makes a database with the schema, in which time is what the given clock says.
    async fn by(clock: ClockSource) -> Option<Fixture> {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let server = shared_server()?;
        let template = TEMPLATE.get_or_init(|| async {
            let template = server.database();
            let settings = settings(server.url(&template), ClockSource::Requests);
            Replica::open(&settings).await.stop().await;
            server.sql(&template, "DELETE FROM replicas");
            template
        });
        let database = server.database_like(template.await);
        Some(Fixture {
            server,
            database,
            clock,
        })
    }

    fn settings(&self) -> Settings {
        settings(self.server.url(&self.database), self.clock)
    }

    async fn replica(&self) -> Replica {
        Replica::open(&self.settings()).await
    }

    async fn store(&self) -> Store {
        self.replica().await.store
    }

    /// Returns the number that a query selects.
    fn number(&self, sql: &str) -> i64 {
        self.text(sql).parse().expect("a number")
    }

    fn text(&self, sql: &str) -> String {
        self.server.sql(&self.database, sql)
    }
}

/// Ends a test that needs a server where none is installed.
macro_rules! fixture {
    ($made:expr) => {
        match $made.await {
            Some(fixture) => fixture,
            None => return,
        }
    };
}
use fixture;

async fn accept(store: &Store, delivery: NewDelivery) -> Accepted {
    store.accept(delivery).await.expect("is taken")
}

async fn process(store: &Store, secs: i64) -> ProcessReport {
    store.process(request(secs)).await.expect("processes")
}

fn request(secs: i64) -> ProcessRequest {
    ProcessRequest {
        deliveries_max: 256,
        now: at(secs),
        policy: policy(),
        api_off: Vec::new(),
    }
}

fn policy() -> Policy {
    Policy::new(Duration::from_secs(15), Duration::from_secs(300))
}

fn claim_request(orders_max: u32, claim_order: ClaimOrder, now: Time) -> ClaimRequest {
    ClaimRequest {
        project: id(PROJECT),
        orders_max,
        rate: FAST,
        claim_order,
        isolated: [].into(),
        known_pause: None,
        now,
        lease: Duration::from_secs(60),
    }
}

async fn claim(store: &Store, orders_max: u32, secs: i64) -> Vec<Claim> {
    let request = claim_request(orders_max, ClaimOrder::Oldest, at(secs));
    store.claim(request).await.expect("claims").claims()
}

async fn record(
    store: &Store,
    claim: &Claim,
    result: Result<Answer, Failure>,
    secs: i64,
) -> Recorded {
    let recorded = store.record([outcome(claim, result, secs)].into()).await;
    recorded.expect("records").remove(0)
}

fn outcome(claim: &Claim, result: Result<Answer, Failure>, secs: i64) -> FetchResult {
    FetchResult {
        claim: claim.clone(),
        fetched_at: at(secs),
        result,
        healthy: true,
        now: at(secs),
        jitter: 0.5,
        policy: policy(),
        backoff: backoff(),
    }
}

fn backoff() -> Backoff {
    Backoff {
        base: Duration::from_secs(2),
        cap: Duration::from_secs(60),
        attempts_max: 3,
    }
}

fn delivery(event: &str, order: &str, state: State, secs: i64) -> NewDelivery {
    NewDelivery {
        callback_key: None,
        project: id(PROJECT),
        event_id: Some(event.to_owned()),
        subject: DeliveryContent::Order {
            order: id(order),
            status: Status::Known(state),
            said_at: Some(at(secs)),
        },
        received_at: at(secs),
        body: format!("{event} {order} {state}").into_bytes().into(),
    }
}

fn shows(state: State, updated: i64) -> Result<Answer, Failure> {
    Ok(Answer::Found(Snapshot {
        state: Status::Known(state),
        updated_at: at(updated),
        expires_at: Some(at(updated + 9000)),
        unreadable_expiry: None,
        details: None,
        sent_at: None,
    }))
}
