//! The store on real SQLite files.

use crate::store::DeliveryFilter;
use number_order::{Endpoint, NoAnswer};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{Connection, Row, Sqlite, SqliteConnection, Transaction};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

mod accepting;
mod alerting;
mod checkpoints;
mod closed_orders;
mod columns;
mod copies;
mod details;
mod fetching;
mod figures;
mod files;
mod free_space;
mod interleaved;
mod journals;
mod number_events;
mod numbers;
mod opening;
mod order_filters;
mod paging;
mod placements;
mod priority;
mod private_files;
mod processing;
mod read_transactions;
mod readiness;
mod removals;
mod retention;
mod schema;
mod simulation;
mod unreadable;
mod watch;

use super::*;
use crate::store::types::*;
use number_order::{
    AlertKind, Answer, Backoff, Failure, Id, Limits, OrderKey, Policy, Snapshot, State, Status,
    Time,
};

const PROJECT: &str = "project-1";

/// Rate that holds up no test.
const FAST: Rate = Rate {
    interval: Duration::from_micros(1),
    burst: 1_000_000,
};

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

fn key(order: &str) -> OrderKey {
    OrderKey {
        project: id(PROJECT),
        order: id(order),
    }
}

fn at(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

/// A folder for a database, in memory where there is plenty of it: what these tests prove does not depend on a disk,
/// and thousands of commits need not wait for a busy one.
pub(crate) fn folder() -> TempDir {
    const PLENTY_BYTES: u64 = 4 << 30;
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
    let folder = if free >= PLENTY_BYTES {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a folder")
}

/// Files below a folder that this process has open, one for each descriptor.
pub(super) fn open_files(folder: &Path) -> Vec<PathBuf> {
    let open = std::fs::read_dir("/proc/self/fd").expect("the system says");
    let open = open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    let mut files: Vec<PathBuf> = open.filter(|path| path.starts_with(folder)).collect();
    files.sort();
    files
}

/// A database in a folder of its own.
struct Fixture {
    folder: TempDir,
    store: Store,
    writer: JoinHandle<Result<(), StoreError>>,
}

fn settings(path: PathBuf) -> Settings {
    Settings {
        path,
        waiting_max: 1024,
        free_min_bytes: 0,
        projects: vec![(id(PROJECT), Some(5.0))],
        now: at(5000),
    }
}

/// Copies a database into a file, to the end.
async fn backup(from: &Path, to: &Path, may_overwrite: bool) -> Result<Copied, CopyError> {
    super::backup(from, to, may_overwrite, &CancellationToken::new()).await
}

/// Puts a backup in the place of a database, to the end.
async fn restore(database: &Path, from: &Path, may_replace: bool) -> Result<Copied, CopyError> {
    super::restore(database, from, may_replace, &CancellationToken::new()).await
}

impl Fixture {
    async fn new() -> Fixture {
        Fixture::open(folder()).await
    }

    async fn open(folder: TempDir) -> Fixture {
        let opened = open(&settings(folder.path().join("fixture.db"))).await;
        let (store, writer) = opened.expect("opens");
        Fixture {
            folder,
            store,
            writer: tokio::spawn(writer),
        }
    }

    /// Stops the store cleanly and opens it again.
    async fn again(self) -> Fixture {
        drop(self.store);
        self.writer.await.expect("no panic").expect("a clean end");
        Fixture::open(self.folder).await
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("fixture.db")
    }

    async fn accept(&self, delivery: NewDelivery) -> Accepted {
        self.store.accept(delivery).await.expect("is taken")
    }

    async fn process(&self, secs: i64) -> ProcessReport {
        self.store.process(request(secs)).await.expect("processes")
    }

    async fn claim(&self, secs: i64) -> Vec<Claim> {
        self.claim_some(10, ClaimOrder::Oldest, secs).await
    }

    async fn claim_some(&self, orders_max: u32, claim_order: ClaimOrder, secs: i64) -> Vec<Claim> {
        self.claim_beside(&[], orders_max, claim_order, secs).await
    }

    /// Claims as [`Fixture::claim_some`] does, but with isolated orders.
    async fn claim_beside(
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

    async fn record(&self, claim: &Claim, result: Result<Answer, Failure>, secs: i64) -> Recorded {
        let settled = self
            .store
            .record([outcome(claim, result, secs)].into())
            .await;
        settled.expect("settles").remove(0)
    }

    /// Returns the alerts that fire at the given second.
    async fn alerts(&self, limits: &Limits, secs: i64) -> Vec<AlertRow> {
        let standing = self.store.standing(at(secs), limits, 100).await;
        standing.expect("reads").alerts
    }

    /// Records the alerts that have begun or ceased to fire; returns the kinds of both.
    async fn record_alerts(&self, limits: &Limits, secs: i64) -> [Vec<AlertKind>; 2] {
        let changes = self.store.alert_changes(at(secs), limits, 100).await;
        let changes = changes.expect("reads");
        let recorded = self.store.record_alerts(&changes, at(secs)).await;
        recorded.expect("writes");
        [
            changes.fired.into_iter().map(|row| row.alert).collect(),
            changes.resolved.into_iter().map(|row| row.alert).collect(),
        ]
    }

    /// Begins a read transaction without the store's own readers.
    async fn begin_read(&self) -> Transaction<'static, Sqlite> {
        self.store.readers.begin().await.expect("reads")
    }

    async fn history(&self, order: &str) -> OrderDetail {
        let history = self.store.history(&key(order)).await.expect("reads");
        history.expect("is known")
    }
}

fn outcome(claim: &Claim, result: Result<Answer, Failure>, secs: i64) -> FetchResult {
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

fn request(secs: i64) -> ProcessRequest {
    ProcessRequest {
        deliveries_max: 256,
        now: at(secs),
        policy: Policy::new(Duration::from_secs(15), Duration::from_secs(300)),
        api_off: Vec::new(),
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

/// Returns the reason for a fetch that was answered with the given status.
fn not_now(status: u16) -> NoAnswer {
    NoAnswer::NotNow {
        endpoint: Endpoint::Orders,
        status,
    }
}

/// Filter of the deliveries that an operator must look at.
fn parked_only(limit: u32) -> DeliveryFilter {
    DeliveryFilter {
        phase: Some("parked"),
        limit,
        ..DeliveryFilter::default()
    }
}
