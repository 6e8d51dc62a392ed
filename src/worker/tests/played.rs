//! Asking for one project in simulated time: the real decisions, the real database, and a Sinch of a few
//! lines.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use sqlx::{Connection, Row, SqliteConnection};
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};

use crate::order::{Answer, BackOff, Id, Rule, Snapshot, State, Status, Time};
use crate::sinch::api::AskError;
use crate::store::{
    self, Claim, ClaimRequest, Gate, LookRequest, NewDelivery, OrderFilter, OrderRow, Outcome,
    Settings, Settled, Store, StoreError, Subject, Turn, WatchRequest,
};
use crate::worker::POLL;
use crate::worker::limits::Limits;
use crate::worker::pace::{HANGS_AFTER, Next, Pace, Seat};

/// What the defaults of the configuration allow.
pub const PER_SECOND: f64 = 5.0;
pub const LANES: u32 = 4;

/// Everything begins here: some day in 2026.
pub const BEGAN: Time = Time(1_780_000_000_000_000);

pub fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

pub fn project() -> Id {
    id("played-project")
}

/// How a question about an order fails at a time, and how long that takes; `None`: it is answered.
type Fails = Box<dyn Fn(&Id, Time, &mut Rng) -> Option<(AskError, Duration)>>;

/// What is really the case.
pub struct Sinch {
    /// The states of each order, with the times at which they were entered.
    pub orders: BTreeMap<Id, Vec<(Time, State)>>,
    /// How the API fails.
    pub fails: Fails,
}

impl Sinch {
    fn state(&self, order: &Id, at: Time) -> Option<(Time, State)> {
        let history = self.orders.get(order)?;
        history
            .iter()
            .take_while(|(entered, _)| *entered <= at)
            .last()
            .copied()
    }

    /// What a question that is sent now comes to, and when.
    fn answer(&self, order: &Id, now: Time, rng: &mut Rng) -> (Time, Result<Answer, AskError>) {
        if let Some((error, takes)) = (self.fails)(order, now, rng) {
            return (now.plus(takes), Err(error));
        }
        let takes = Duration::from_millis(rng.u64(50..600));
        let answer = match self.state(order, now) {
            Some((updated_at, state)) => Answer::Found(Snapshot {
                state: Status::Known(state),
                updated_at,
                expires_at: None,
                remark: None,
                sent_at: None,
            }),
            None => Answer::NotFound,
        };
        (now.plus(takes), Ok(answer))
    }
}

/// Which protections the service goes without.
#[derive(Clone, Copy, Debug, Default)]
pub struct Without {
    /// No failure closes the gate.
    pub gate: bool,
    /// Nothing limits how fast questions follow each other.
    pub rate: bool,
}

/// An answer on its way.
struct UnderWay {
    seat: Seat,
    claim: Claim,
    asked_at: Time,
    result: Result<Answer, AskError>,
}

/// A service in simulated time.
pub struct Service {
    folder: TempDir,
    store: Store,
    writer: JoinHandle<Result<(), StoreError>>,
    pace: Pace,
    without: Without,
    pub now: Time,
    pub rng: Rng,
    under_way: BTreeMap<(Time, u64), UnderWay>,
    /// When which of them hangs, if it is still under way.
    hangs: VecDeque<(Time, (Time, u64))>,
    questions: u64,
    /// When a question was sent, all of them.
    pub asked: Vec<Time>,
    /// The tries that failed and count against their order, with their times.
    pub counted: Vec<(Time, Id)>,
    /// When the gate was closed, as often as it was.
    pub closed: Vec<Time>,
}

fn limits(without: Without) -> Limits {
    Limits {
        lanes: LANES,
        asks_per_second: if without.rate { 1e6 } else { PER_SECOND },
        probes_apart_max: BACK_OFF.cap,
    }
}

pub const BACK_OFF: BackOff = BackOff {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(300),
    attempts_max: 30,
};

fn rule() -> Rule {
    Rule::new(Duration::from_secs(15), Duration::from_secs(300))
}

type Opened = (Store, Gate, JoinHandle<Result<(), StoreError>>);

async fn open(path: PathBuf, now: Time) -> Opened {
    let settings = Settings {
        path,
        waiting_max: 8192,
        free_min_bytes: 0,
        projects: vec![(project(), Some(PER_SECOND))],
        now,
    };
    let (store, mut gates, writer) = store::open(&settings).await.expect("opens");
    let gate = gates.remove(&project()).expect("is registered");
    (store, gate, tokio::spawn(writer))
}

impl Service {
    pub async fn start(seed: u64, without: Without) -> Service {
        let folder = store::tests::folder();
        let (store, gate, writer) = open(folder.path().join("played.db"), BEGAN).await;
        Service {
            folder,
            store,
            writer,
            pace: Pace::new(limits(without), gate, false, BEGAN),
            without,
            now: BEGAN,
            rng: Rng::with_seed(seed),
            under_way: BTreeMap::new(),
            hangs: VecDeque::new(),
            questions: 0,
            asked: Vec::new(),
            counted: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// Kills it and starts it again at once: what was under way is gone, what was committed is not.
    pub async fn kill(self) -> Service {
        let path = self.path();
        self.writer.abort();
        assert!(self.writer.await.is_err_and(|end| end.is_cancelled()));
        drop(self.store);
        let (store, gate, writer) = open(path, self.now).await;
        let found = store.any_confirmed(&project()).await.expect("reads");
        Service {
            store,
            writer,
            pace: Pace::new(limits(self.without), gate, found, self.now),
            under_way: BTreeMap::new(),
            hangs: VecDeque::new(),
            ..self
        }
    }

    /// Takes callbacks in, all at once, and looks at them.
    pub async fn hear(&mut self, events: impl IntoIterator<Item = (Id, Time, State)>) {
        let mut taking = JoinSet::new();
        for (order, said_at, state) in events {
            let (store, received_at) = (self.store.clone(), self.now);
            let event_id = format!("{order} {said_at} {state} {}", self.rng.u64(..));
            taking.spawn(async move {
                let delivery = NewDelivery {
                    project: project(),
                    body: event_id.clone().into_bytes().into(),
                    event_id: Some(event_id),
                    subject: Subject::Order {
                        order,
                        status: Status::Known(state),
                        said_at: Some(said_at),
                    },
                    received_at,
                };
                store.accept(delivery).await
            });
        }
        for accepted in taking.join_all().await {
            accepted.expect("is taken");
        }
        let request = LookRequest {
            deliveries_max: 256,
            now: self.now,
            rule: rule(),
            api_off: Vec::new(),
        };
        while self.store.look(request.clone()).await.expect("looks").taken > 0 {}
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

    /// Asks about everything that is due, at once and beside the limits: what went before the play.
    pub async fn settle_all(&mut self, sinch: &Sinch) {
        let claims = self.claim(u32::MAX, Turn::Oldest).await;
        let mut outcomes = Vec::new();
        for claim in claims {
            let (_, result) = sinch.answer(&claim.key.order, self.now, &mut self.rng);
            let result = Ok(result.expect("Sinch is well"));
            outcomes.push(self.outcome(claim, self.now, result, true));
        }
        self.store.settle(outcomes.into()).await.expect("settles");
    }

    /// Lets time go by, until the given time or, sooner, until `enough` says so.
    pub async fn play(&mut self, sinch: &Sinch, until: Time) {
        while self.now < until {
            let wake = self.ask(sinch).await;
            let next_answer = self.under_way.keys().next().map(|(at, _)| *at);
            let next_hangs = self.hangs.front().map(|(at, _)| *at);
            let next = [next_answer, next_hangs].into_iter().flatten();
            let next = next.fold(wake, Time::min);
            // Never at the same moment for ever.
            self.now = next.max(Time(self.now.0 + 1)).min(until);
            self.settle_what_came().await;
            self.see_what_hangs();
        }
    }

    /// Does what the pace says; returns when there may be more to do, if no answer comes before.
    async fn ask(&mut self, sinch: &Sinch) -> Time {
        loop {
            let (orders_max, turn) = match self.pace.next(self.now) {
                Next::Ask { orders_max, turn } => (orders_max, turn),
                Next::Wait(until) => return until,
                Next::Full => return Time(i64::MAX),
            };
            let claims = self.claim(orders_max, turn).await;
            let orders = claims.len() as u32;
            let more = self.pace.claimed(turn, orders_max, orders, self.now);
            let seat = match turn {
                Turn::Apart => Seat::Apart,
                Turn::Urgent | Turn::Oldest | Turn::Chance => Seat::Lane,
            };
            for claim in claims {
                self.asked.push(self.now);
                let (comes_at, result) = sinch.answer(&claim.key.order, self.now, &mut self.rng);
                let under_way = UnderWay {
                    seat,
                    claim,
                    asked_at: self.now,
                    result,
                };
                let question = (comes_at, self.questions);
                self.under_way.insert(question, under_way);
                self.hangs.push_back((self.now.plus(HANGS_AFTER), question));
                self.questions += 1;
            }
            if !more {
                return self.next_due().await.max(self.now.plus(POLL));
            }
        }
    }

    /// When the next order falls due: nothing would come of the polls before.
    async fn next_due(&self) -> Time {
        let next = sqlx::query("SELECT min(ask_at) FROM orders WHERE project = 1")
            .fetch_one(&mut self.file().await)
            .await;
        let next: Option<i64> = next.expect("a time").get(0);
        Time(next.unwrap_or(i64::MAX))
    }

    async fn file(&self) -> SqliteConnection {
        let url = format!("sqlite://{}", self.path().display());
        SqliteConnection::connect(&url).await.expect("connects")
    }

    async fn claim(&self, orders_max: u32, turn: Turn) -> Vec<Claim> {
        let request = ClaimRequest {
            project: project(),
            orders_max,
            turn,
            apart: self.pace.kept_apart(),
            now: self.now,
            lease: Duration::from_secs(50),
        };
        self.store.claim(request).await.expect("claims")
    }

    async fn settle_what_came(&mut self) {
        while let Some(first) = self.under_way.first_entry()
            && first.key().0 <= self.now
        {
            let UnderWay {
                seat,
                claim,
                asked_at,
                result,
            } = first.remove();
            let roll = self.rng.f64();
            let was_closed = self.pace.gate().clone();
            let mut gateless = Pace::new(limits(self.without), Gate::default(), true, self.now);
            let pace = match self.without.gate {
                true => &mut gateless,
                false => &mut self.pace,
            };
            let (result, healthy) = pace.tried(&claim.key.order, result, asked_at, self.now, roll);
            if result.is_err() && healthy {
                self.counted.push((self.now, claim.key.order.clone()));
            }
            let gate = self.pace.gate().clone();
            if gate != was_closed {
                if gate.paused.is_some() {
                    self.closed.push(self.now);
                }
                let kept = self.store.keep_gate(project(), gate).await;
                kept.expect("is kept");
            }
            let outcome = self.outcome(claim, asked_at, result, healthy);
            let settled = self.store.settle([outcome].into()).await.expect("settles");
            assert!(matches!(settled[..], [Settled::Done { .. }]), "{settled:?}");
            self.pace.freed(seat);
        }
    }

    fn see_what_hangs(&mut self) {
        while let Some((at, question)) = self.hangs.front().copied() {
            match self.under_way.get_mut(&question) {
                Some(_) if at > self.now => return,
                Some(under_way) if under_way.seat == Seat::Lane && self.pace.hangs() => {
                    under_way.seat = Seat::Hanging;
                }
                Some(_) | None => {}
            }
            self.hangs.pop_front();
        }
    }

    fn outcome(
        &mut self,
        claim: Claim,
        asked_at: Time,
        result: Result<Answer, crate::order::Failure>,
        healthy: bool,
    ) -> Outcome {
        Outcome {
            claim,
            asked_at,
            result,
            healthy,
            now: self.now,
            roll: self.rng.f64(),
            rule: rule(),
            back_off: BACK_OFF,
        }
    }

    /// Every order that is known.
    pub async fn orders(&self) -> Vec<OrderRow> {
        let filter = OrderFilter {
            limit: u32::MAX,
            ..OrderFilter::default()
        };
        self.store.orders(&filter).await.expect("reads").items
    }

    /// How many deliveries nobody has looked at, and how many are kept.
    pub async fn deliveries(&self) -> (i64, i64) {
        let summary = self.store.summary(self.now).await.expect("reads");
        let kept = sqlx::query("SELECT count(*) FROM deliveries")
            .fetch_one(&mut self.file().await)
            .await;
        (summary.deliveries_waiting, kept.expect("a count").get(0))
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("played.db")
    }

    /// The orders that are not where Sinch has them, with something open, or unknown.
    pub async fn unsettled(&self, sinch: &Sinch) -> BTreeSet<Id> {
        let mut unsettled: BTreeSet<Id> = sinch.orders.keys().cloned().collect();
        for row in self.orders().await {
            let order = id(&row.order);
            let truth = sinch.state(&order, self.now).map(|(_, state)| state);
            if row.settled && row.confirmed == truth.map(State::as_str) {
                unsettled.remove(&order);
            }
        }
        unsettled
    }

    /// The orders that nobody asks about any more for want of an answer.
    pub async fn parked(&self) -> usize {
        let orders = self.orders().await;
        orders.iter().filter(|row| row.parked.is_some()).count()
    }
}

/// The most questions in any span of this length.
pub fn busiest(asked: &[Time], span: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, at) in asked.iter().enumerate() {
        while at.since(asked[first]) >= span {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}
