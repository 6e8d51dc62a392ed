//! Fetches for one project in simulated time: the real decisions, the real database, and a Sinch of a few lines.

mod reads;
mod sinch;
mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};

pub use self::sinch::Sinch;
use crate::sinch::FetchError;
use crate::store::{
    self, Circuit, Claim, ClaimOrder, ClaimRequest, Claimed, DeliveryContent, NewDelivery,
    ProcessRequest, Rate, Settings, Store, StoreError, WatchRequest,
};
use crate::worker::fetch::limits::Limits;
use crate::worker::fetch::scheduler::{PermitKind, Scheduler};
use number_order::{Answer, Backoff, Id, Policy, State, Status, Time};

/// Number of fetches a second that the defaults of the configuration allow.
pub const PER_SECOND: f64 = 5.0;
/// Number of slots by the defaults of the configuration.
pub const SLOTS: u32 = 4;

/// Time at which every simulation begins: some day in 2026.
pub const BEGAN: Time = Time(1_780_000_000_000_000);

pub fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

pub fn project() -> Id {
    id("played-project")
}

/// Protections that are switched off in the simulated service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Without {
    /// `true` if no failure opens the circuit.
    pub circuit: bool,
    /// `true` if nothing limits how fast fetches follow each other.
    pub rate: bool,
}

/// Fetch in flight, with the result that it will have.
struct UnderWay {
    kind: PermitKind,
    claim: Claim,
    fetched_at: Time,
    result: Result<Answer, FetchError>,
}

/// A service in simulated time.
pub struct Service {
    folder: TempDir,
    store: Store,
    writer: JoinHandle<Result<(), StoreError>>,
    /// Connection of the simulation's own reads.
    reader: SqliteConnection,
    scheduler: Scheduler,
    without: Without,
    pub now: Time,
    pub rng: Rng,
    under_way: BTreeMap<(Time, u64), UnderWay>,
    /// Times at which fetches hang if they are still in flight, each with the key of its fetch.
    hangs: VecDeque<(Time, (Time, u64))>,
    fetches: u64,
    /// Times at which all fetches were sent.
    pub sent_at: Vec<Time>,
    /// Failed attempts that count against their order, with their times.
    pub counted: Vec<(Time, Id)>,
    /// Times at which the circuit opened.
    pub opened: Vec<Time>,
}

fn limits(without: Without) -> Limits {
    Limits {
        slots: SLOTS,
        requests_per_second: if without.rate { 1e6 } else { PER_SECOND },
        probe_interval_max: BACKOFF.cap,
    }
}

pub const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(300),
    attempts_max: 30,
};

fn policy() -> Policy {
    Policy::new(Duration::from_secs(15), Duration::from_secs(300))
}

type Opened = (
    Store,
    Circuit,
    JoinHandle<Result<(), StoreError>>,
    SqliteConnection,
);

async fn open(path: PathBuf, now: Time) -> Opened {
    let url = format!("sqlite://{}", path.display());
    let settings = Settings::Sqlite(store::sqlite::Settings {
        path,
        waiting_max: 8192,
        free_min_bytes: 0,

        targets: Vec::new(),
        projects: vec![(project(), Some(PER_SECOND))],
        now,
    });
    let (store, writer) = store::open(settings).await.expect("opens");
    let circuit = store.circuit(&project()).await.expect("reads");
    let reader = SqliteConnection::connect(&url).await.expect("connects");
    (store, circuit, tokio::spawn(writer), reader)
}

impl Service {
    pub async fn start(seed: u64, without: Without) -> Service {
        // The store picks random orders with the thread's random generator, and its writer runs on the same thread.
        fastrand::seed(seed);
        let folder = store::sqlite::tests::folder();
        let (store, circuit, writer, reader) = open(folder.path().join("played.db"), BEGAN).await;
        Service {
            folder,
            store,
            writer,
            reader,
            scheduler: Scheduler::new(limits(without), circuit, false, BEGAN),
            without,
            now: BEGAN,
            rng: Rng::with_seed(seed),
            under_way: BTreeMap::new(),
            hangs: VecDeque::new(),
            fetches: 0,
            sent_at: Vec::new(),
            counted: Vec::new(),
            opened: Vec::new(),
        }
    }

    /// Kills the service and starts it again at once: what was in flight is gone, what was committed is not.
    pub async fn kill(self) -> Service {
        let path = self.path();
        self.writer.abort();
        assert!(self.writer.await.is_err_and(|end| end.is_cancelled()));
        drop(self.store);
        let (store, circuit, writer, reader) = open(path, self.now).await;
        let found = store.any_confirmed(&project()).await.expect("reads");
        Service {
            store,
            writer,
            reader,
            scheduler: Scheduler::new(limits(self.without), circuit, found, self.now),
            under_way: BTreeMap::new(),
            hangs: VecDeque::new(),
            ..self
        }
    }

    /// Accepts callbacks, all at once, and processes them.
    pub async fn receive(&mut self, events: impl IntoIterator<Item = (Id, Time, State)>) {
        let mut accepting = JoinSet::new();
        for (order, said_at, state) in events {
            let (store, received_at) = (self.store.clone(), self.now);
            let event_id = format!("{order} {said_at} {state} {}", self.rng.u64(..));
            accepting.spawn(async move {
                let delivery = NewDelivery {
                    callback_key: None,
                    project: project(),
                    body: event_id.clone().into_bytes().into(),
                    event_id: Some(event_id),
                    subject: DeliveryContent::Order {
                        order,
                        status: Status::Known(state),
                        said_at: Some(said_at),
                    },
                    received_at,
                };
                store.accept(delivery).await
            });
        }
        for accepted in accepting.join_all().await {
            accepted.expect("is taken");
        }
        let request = ProcessRequest {
            deliveries_max: 256,
            now: self.now,
            policy: policy(),
            api_off: Vec::new(),
        };
        while self
            .store
            .process(request.clone())
            .await
            .expect("processes")
            .taken
            > 0
        {}
    }

    /// Makes orders known.
    pub async fn watch(&self, orders: impl IntoIterator<Item = Id>) {
        let request = WatchRequest {
            project: project(),
            orders: orders.into_iter().collect(),
            now: self.now,
        };
        self.store.watch(request).await.expect("is known");
    }

    /// Fetches all due orders at once, without limits, to make the state before the simulation.
    pub async fn fetch_all(&mut self, sinch: &Sinch) {
        let unlimited = Rate {
            interval: Duration::from_micros(1),
            burst: u32::MAX,
        };
        let claimed = self.claim(u32::MAX, unlimited, ClaimOrder::Oldest).await;
        let claims = claimed.claims();
        let mut results = Vec::new();
        for claim in claims {
            let (_, result) = sinch.answer(&claim.key.order, self.now, &mut self.rng);
            let result = Ok(result.expect("Sinch is well"));
            results.push(self.outcome(claim, self.now, result, true));
        }
        self.store.record(results.into()).await.expect("records");
    }

    /// Lets time pass until the given time.
    pub async fn play(&mut self, sinch: &Sinch, until: Time) {
        while self.now < until {
            let wake = self.fetch_due(sinch).await;
            let next_answer = self.under_way.keys().next().map(|(at, _)| *at);
            let next_hangs = self.hangs.front().map(|(at, _)| *at);
            let next = [next_answer, next_hangs].into_iter().flatten();
            let next = next.fold(wake, Time::min);
            // Time moves on at each step, so that the loop ends.
            self.now = next.max(Time(self.now.0 + 1)).min(until);
            self.record_answers().await;
            self.note_hanging();
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("played.db")
    }

    async fn claim(&self, orders_max: u32, rate: Rate, claim_order: ClaimOrder) -> Claimed {
        let request = ClaimRequest {
            project: project(),
            orders_max,
            rate,
            claim_order,
            isolated: self.scheduler.isolated(),
            known_pause: None,
            now: self.now,
            lease: Duration::from_secs(50),
        };
        self.store.claim(request).await.expect("claims")
    }
}

/// Returns the maximum number of fetches in any span of the given length.
pub fn busiest(sent_at: &[Time], span: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in sent_at.iter().enumerate() {
        while at.since(sent_at[first]) >= span {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}
