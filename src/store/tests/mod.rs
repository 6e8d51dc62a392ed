//! What every backend of the store does alike: the tests speak to the store's face only, and run on each backend.

mod accepting;
mod acting;
mod alerting;
pub(in crate::store) mod closed_orders;
mod details;
mod fetching;
mod figures;
mod forgetting;
mod interleaved;
pub(in crate::store) mod notifying;
mod number_events;
mod numbers;
mod order_filters;
mod paging;
mod parking;
pub(in crate::store) mod place;
mod placements;
mod priority;
mod processing;
mod quarantine;
mod read_transactions;
mod readiness;
mod removals;
mod retention;
mod retention_report;
mod simulation;
mod timeline;
mod watch;

use std::time::Duration;

use tokio::task::JoinHandle;

use super::types::*;
use super::{Settings, Store, StoreError};
use number_order::{
    AlertKind, Answer, Backoff, Endpoint, Failure, Id, Limits, NoAnswer, OrderKey, Policy,
    Snapshot, State, Status, Time,
};
pub(in crate::store) use place::ONE_PROJECT;
pub(in crate::store) use place::Place;
#[cfg(feature = "postgres")]
pub(in crate::store) use place::shared_server;

/// A backend of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Backend {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Backend {
    /// Returns `true` if the backend can be tried. Where it cannot, this is reported.
    fn is_there(self) -> bool {
        match self {
            Backend::Sqlite => true,
            #[cfg(feature = "postgres")]
            Backend::Postgres => place::shared_server().is_some(),
        }
    }
}

/// Makes a test of each of the given functions on each backend.
macro_rules! suite {
    (multi_thread: $($test:ident),+ $(,)?) => {
        suite!(@ [tokio::test(flavor = "multi_thread", worker_threads = 4)] $($test),+);
    };
    ($($test:ident),+ $(,)?) => {
        suite!(@ [tokio::test] $($test),+);
    };
    (@ $attribute:tt $($test:ident),+) => {
        mod sqlite {
            use crate::store::tests::Backend;
            $($crate::store::tests::suite!(@one $attribute $test Sqlite);)+
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            use crate::store::tests::Backend;
            $($crate::store::tests::suite!(@one $attribute $test Postgres);)+
        }
    };
    (@one [$($attribute:tt)+] $test:ident $backend:ident) => {
        #[$($attribute)+]
        async fn $test() {
            if Backend::$backend.is_there() {
                super::$test(Backend::$backend).await;
            }
        }
    };
}
use suite;

pub(in crate::store) const PROJECT: &str = "project-1";

/// Rate that holds up no test.
pub(in crate::store) const FAST: Rate = Rate {
    interval: Duration::from_micros(1),
    burst: 1_000_000,
};

pub(in crate::store) fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

pub(in crate::store) fn key(order: &str) -> OrderKey {
    OrderKey {
        project: id(PROJECT),
        order: id(order),
    }
}

pub(in crate::store) fn at(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

/// Runs a random trial, whose cases have runtimes of their own, on a thread of its own.
async fn in_thread(trial: impl FnOnce() + Send + 'static) {
    let done = tokio::task::spawn_blocking(trial).await;
    done.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()));
}

/// Projects that a store is opened with, each with the rate of its fetches; `None`: its API is off.
pub(in crate::store) type Projects<'a> = &'a [(&'a str, Option<f64>)];

/// A store with data of its own.
pub(in crate::store) struct Fixture {
    pub place: Place,
    pub store: Store,
    pub run: JoinHandle<Result<(), StoreError>>,
}

impl Fixture {
    /// Opens a new store that has one project, [`PROJECT`].
    pub(in crate::store) async fn on(backend: Backend) -> Fixture {
        Fixture::with(backend, ONE_PROJECT).await
    }

    /// Opens a new store that has the given projects.
    pub(in crate::store) async fn with(backend: Backend, projects: Projects<'_>) -> Fixture {
        Fixture::open(Place::new(backend).await, projects).await
    }

    pub(in crate::store) async fn open(place: Place, projects: Projects<'_>) -> Fixture {
        let (store, run) = place.open(projects).await;
        Fixture {
            place,
            store,
            run: tokio::spawn(run),
        }
    }

    /// Stops the store cleanly and opens it again.
    pub(in crate::store) async fn again(self) -> Fixture {
        self.reopened(ONE_PROJECT).await
    }

    /// Stops the store cleanly and opens it again with the given projects.
    async fn reopened(self, projects: Projects<'_>) -> Fixture {
        drop(self.store);
        self.run.await.expect("no panic").expect("a clean end");
        Fixture::open(self.place, projects).await
    }

    /// Runs statements that the store itself never makes.
    pub(in crate::store) async fn edit(&self, sql: &str) {
        self.place.edit(sql).await;
    }

    /// Runs a statement that makes rows which the schema does not take.
    pub(in crate::store) async fn spoil(&self, sql: &str) {
        let unchecked = self.pick("PRAGMA ignore_check_constraints = ON", place::DROP_CHECKS);
        self.edit(&format!("{unchecked}; {sql}")).await;
    }

    /// Makes the database refuse an operation (such as `UPDATE ON orders`) on the rows for which a condition holds.
    async fn refuse(&self, operation: &str, rows: &str) {
        let sql = match self.store {
            Store::Sqlite(_) => format!(
                "CREATE TRIGGER refuses BEFORE {operation} WHEN {rows} BEGIN SELECT RAISE(ABORT, 'refused'); END"
            ),
            #[cfg(feature = "postgres")]
            Store::Postgres(_) => format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END $$; \
                 CREATE TRIGGER refuses BEFORE {operation} FOR EACH ROW WHEN ({rows}) EXECUTE FUNCTION refuse()"
            ),
        };
        self.edit(&sql).await;
    }

    /// Undoes what [`Fixture::refuse`] did to a table.
    async fn refuse_no_more(&self, table: &str) {
        let on_table = format!("DROP TRIGGER refuses ON {table}; DROP FUNCTION refuse()");
        self.edit(self.pick("DROP TRIGGER refuses", &on_table))
            .await;
    }

    /// Picks the text of the backend.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "there is one backend")
    )]
    fn pick<'a>(&self, sqlite: &'a str, postgres: &'a str) -> &'a str {
        match self.store {
            Store::Sqlite(_) => sqlite,
            #[cfg(feature = "postgres")]
            Store::Postgres(_) => postgres,
        }
    }

    /// Returns the number that a statement selects.
    pub(in crate::store) async fn number(&self, sql: &str) -> i64 {
        self.place.number(sql).await
    }

    /// Returns the warnings about projects with which a start with the given ones begins.
    async fn warnings(&self, projects: Projects<'_>) -> Vec<String> {
        match (&self.store, self.place.settings(projects)) {
            (Store::Sqlite(store), Settings::Sqlite(settings)) => store.warnings(settings).await,
            #[cfg(feature = "postgres")]
            (_, settings) => super::check(&settings).await.expect("opens"),
        }
    }

    /// Returns the summary as of the given second.
    pub(in crate::store) async fn summary(&self, secs: i64) -> Summary {
        self.store.summary(at(secs)).await.expect("reads")
    }

    pub(in crate::store) async fn accept(&self, delivery: NewDelivery) -> Accepted {
        self.store.accept(delivery).await.expect("is taken")
    }

    pub(in crate::store) async fn process(&self, secs: i64) -> ProcessReport {
        self.store.process(request(secs)).await.expect("processes")
    }

    pub(in crate::store) async fn claim(&self, secs: i64) -> Vec<Claim> {
        self.claim_some(10, ClaimOrder::Oldest, secs).await
    }

    pub(in crate::store) async fn claim_some(
        &self,
        orders_max: u32,
        claim_order: ClaimOrder,
        secs: i64,
    ) -> Vec<Claim> {
        self.claim_beside(&[], orders_max, claim_order, secs).await
    }

    /// Claims as [`Fixture::claim_some`] does, but with isolated orders.
    pub(in crate::store) async fn claim_beside(
        &self,
        isolated: &[String],
        orders_max: u32,
        claim_order: ClaimOrder,
        secs: i64,
    ) -> Vec<Claim> {
        let request = ClaimRequest {
            project: id(PROJECT),
            orders_max,
            rate: FAST,
            claim_order,
            isolated: isolated.iter().map(|order| id(order)).collect(),
            known_pause: None,
            now: at(secs),
            lease: Duration::from_secs(60),
        };
        let claimed = self.store.claim(request).await.expect("claims");
        claimed.claims()
    }

    pub(in crate::store) async fn record(
        &self,
        claim: &Claim,
        result: Result<Answer, Failure>,
        secs: i64,
    ) -> Recorded {
        let settled = self
            .store
            .record([outcome(claim, result, secs)].into())
            .await;
        settled.expect("settles").remove(0)
    }

    /// Returns the alerts that fire at the given second.
    pub(in crate::store) async fn alerts(&self, limits: &Limits, secs: i64) -> Vec<AlertRow> {
        let standing = self.store.standing(at(secs), limits, 100).await;
        standing.expect("reads").alerts
    }

    /// Records the alerts that have begun or ceased to fire; returns the kinds of both.
    pub(in crate::store) async fn record_alerts(
        &self,
        limits: &Limits,
        secs: i64,
    ) -> [Vec<AlertKind>; 2] {
        let changes = self.store.alert_changes(at(secs), limits, 100).await;
        let changes = changes.expect("reads");
        let recorded = self.store.record_alerts(&changes, at(secs)).await;
        recorded.expect("writes");
        [
            changes.fired.into_iter().map(|row| row.alert).collect(),
            changes.resolved.into_iter().map(|row| row.alert).collect(),
        ]
    }

    pub(in crate::store) async fn history(&self, order: &str) -> OrderDetail {
        let history = self.store.history(&key(order)).await.expect("reads");
        history.expect("is known")
    }
}

pub(in crate::store) fn outcome(
    claim: &Claim,
    result: Result<Answer, Failure>,
    secs: i64,
) -> FetchResult {
    FetchResult {
        claim: claim.clone(),
        fetched_at: at(secs),
        result,
        healthy: true,
        now: at(secs),
        jitter: 0.5,
        policy: Policy::new(Duration::from_secs(15), Duration::from_secs(300)),
        backoff: Backoff {
            base: Duration::from_secs(2),
            cap: Duration::from_secs(60),
            attempts_max: 3,
        },
    }
}

pub(in crate::store) fn request(secs: i64) -> ProcessRequest {
    ProcessRequest {
        deliveries_max: 256,
        now: at(secs),
        policy: Policy::new(Duration::from_secs(15), Duration::from_secs(300)),
        api_off: Vec::new(),
    }
}

pub(in crate::store) fn delivery(event: &str, order: &str, state: State, secs: i64) -> NewDelivery {
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

pub(in crate::store) fn shows(state: State, updated: i64) -> Result<Answer, Failure> {
    Ok(Answer::Found(Snapshot {
        state: Status::Known(state),
        updated_at: at(updated),
        expires_at: Some(at(updated + 9000)),
        unreadable_expiry: None,
        details: None,
        sent_at: None,
    }))
}

/// Returns the reason for a fetch that was answered with the given status.
pub(in crate::store) fn not_now(status: u16) -> NoAnswer {
    NoAnswer::NotNow {
        endpoint: Endpoint::Orders,
        status,
    }
}

/// Filter of the deliveries that an operator must look at.
pub(in crate::store) fn parked_only(limit: u32) -> DeliveryFilter {
    DeliveryFilter {
        phase: Some("parked"),
        limit,
        ..DeliveryFilter::default()
    }
}

impl Store {
    /// Returns the summary alone.
    pub(crate) async fn summary(&self, now: Time) -> Result<Summary, StoreError> {
        let limits = Limits {
            expiring: Vec::new(),
            review: Duration::MAX,
            blocked: Duration::MAX,
        };
        let standing = self.standing(now, &limits, 0).await?;
        Ok(standing.summary)
    }
}
