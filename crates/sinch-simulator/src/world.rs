//! A world: the real history of each order, and what Sinch will say of it.
//!
//! Pure, like [`number_order`]: the same seed and script make the same world. All times in it are
//! offsets from a start. The start is given only when something is put into words, so a world can be
//! played by the clock or in simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use super::plan;
use super::script::{Script, Trouble};
use super::wire;
use number_order::{Answer, Id, Snapshot, State, Status, Time};

/// Every order of a script, with its history and its events.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    seed: u64,
    project: Id,
    trouble: Trouble,
    orders: BTreeMap<Id, OrderHistory>,
    notices: Vec<SimulatedEvent>,
}

impl World {
    /// Makes the world of this seed and script.
    pub fn new(seed: u64, script: &Script) -> World {
        let mut rng = Rng::with_seed(seed);
        let lives = plan::lives(&mut rng, script);
        let notices = plan::notices(&mut rng, &script.trouble, &lives);
        World {
            seed,
            project: script.project.clone(),
            trouble: script.trouble.clone(),
            orders: lives
                .into_iter()
                .map(|history| (history.id.clone(), history))
                .collect(),
            notices,
        }
    }

    /// Makes a world of hand-written orders, without trouble and, until [`World::tell`], without callbacks.
    pub fn from_orders(project: Id, orders: impl IntoIterator<Item = OrderHistory>) -> World {
        World {
            seed: 0,
            project,
            trouble: Trouble::none(),
            orders: orders
                .into_iter()
                .map(|history| (history.id.clone(), history))
                .collect(),
            notices: Vec::new(),
        }
    }

    /// Adds an event to be sent.
    pub fn tell(&mut self, notice: SimulatedEvent) {
        self.notices.push(notice);
    }

    /// Seed that made the world; a failing test prints it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Project of all orders.
    pub fn project(&self) -> &Id {
        &self.project
    }

    /// All orders, by id, which is also by creation where the world made them.
    pub fn orders(&self) -> impl Iterator<Item = &OrderHistory> {
        self.orders.values()
    }

    /// Returns the order with this id.
    pub fn order(&self, id: &Id) -> Option<&OrderHistory> {
        self.orders.get(id)
    }

    /// All events, order by order.
    pub fn notices(&self) -> &[SimulatedEvent] {
        &self.notices
    }

    /// Final state of each order.
    pub fn truth(&self) -> BTreeMap<Id, State> {
        self.orders()
            .filter_map(|history| Some((history.id.clone(), history.final_state()?)))
            .collect()
    }

    /// Offset of the last change of all orders.
    pub fn end(&self) -> Duration {
        self.orders()
            .filter_map(|history| history.history.last())
            .map(|(at, _)| *at)
            .max()
            .unwrap_or_default()
    }

    /// Randomness that decides the answers about an order. Each order has its own, so that the number of
    /// fetches of other orders changes nothing.
    pub fn dice(&self, history: &OrderHistory) -> Rng {
        let own = history.id.as_str().bytes().fold(self.seed, |seed, byte| {
            seed.wrapping_mul(0x0100_0000_01b3)
                .wrapping_add(byte.into())
        });
        Rng::with_seed(own)
    }

    /// Decides Sinch's reply to a fetch of the order at this offset.
    pub fn answer(&self, history: &OrderHistory, asked: Duration, rng: &mut Rng) -> Reply {
        let trouble = &self.trouble;
        if hit(rng, trouble.unauthorized) {
            return Reply::Unauthorized;
        }
        if hit(rng, trouble.throttled) {
            return Reply::Throttled {
                retry_after: trouble.retry_after,
            };
        }
        if hit(rng, trouble.broken) {
            return Reply::Broken {
                status: *rng.choice(&[500, 502, 503, 504]).unwrap_or(&500),
            };
        }
        let age = history.created().map(|at| asked.saturating_sub(at));
        if age.is_some_and(|age| age < trouble.young) && hit(rng, trouble.missing_young) {
            return Reply::Missing;
        }
        // The rarest troubles draw no random number where they are off, so that worlds without them stay as
        // they are.
        if trouble.unspecified > 0.0
            && hit(rng, trouble.unspecified)
            && let Some((updated, _)) = history.known_at(asked)
        {
            let state = "NUMBER_ORDER_STATE_UNSPECIFIED".to_owned();
            return Reply::Says { state, updated };
        }
        if trouble.beyond > 0.0 && hit(rng, trouble.beyond) {
            let further = trouble.beyond_max.saturating_sub(trouble.staleness);
            let by = trouble.staleness + further.mul_f64(rng.f64());
            return Reply::Stale(self.caught(history, asked, by, rng));
        }
        if hit(rng, trouble.stale) {
            let by = trouble.staleness.mul_f64(rng.f64());
            return Reply::Stale(self.caught(history, asked, by, rng));
        }
        if hit(rng, trouble.slow) {
            return Reply::Slow(trouble.slow_by);
        }
        Reply::True
    }

    /// Staleness of an answer that could be stale by `by`: `by` itself, or a shorter span that shows the
    /// order at one of its changes since.
    fn caught(
        &self,
        history: &OrderHistory,
        asked: Duration,
        by: Duration,
        rng: &mut Rng,
    ) -> Duration {
        if self.trouble.caught == 0.0 || !hit(rng, self.trouble.caught) {
            return by;
        }
        let ages = history.history.iter().map(|(at, _)| asked.checked_sub(*at));
        let ages: Vec<Duration> = ages.flatten().filter(|age| *age <= by).collect();
        rng.choice(&ages).copied().unwrap_or(by)
    }
}

/// Draws a random number; returns `true` at this rate.
pub(super) fn hit(rng: &mut Rng, rate: f64) -> bool {
    rng.f64() < rate
}

/// History of one order, and what Sinch shows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderHistory {
    /// Id of the order, unique in its world.
    pub id: Id,
    /// States in the order in which it entered them, each with its offset. The first entry is its creation.
    pub history: Vec<(Duration, State)>,
    /// `expireTime`, as an offset.
    pub expires: Option<Duration>,
    /// Offset from which Sinch has forgotten the order and answers 404.
    pub gone_at: Option<Duration>,
    /// Number of fraction digits of its `updateTime`: 0, 3 or 6.
    pub fraction_digits: u32,
    /// Region of its numbers.
    pub region: Region,
    /// Numbers of the order, in E.164.
    pub numbers: Vec<String>,
}

impl OrderHistory {
    /// Makes a hand-written order, with exact times and one number.
    pub fn new(id: Id, history: Vec<(Duration, State)>) -> OrderHistory {
        OrderHistory {
            id,
            history,
            expires: None,
            gone_at: None,
            fraction_digits: 6,
            region: Region::ALL[0],
            numbers: vec![Region::ALL[0].number(0)],
        }
    }

    /// Offset of its creation.
    pub fn created(&self) -> Option<Duration> {
        self.history.first().map(|(at, _)| *at)
    }

    /// State at this offset; `None` before its creation.
    pub fn state_at(&self, offset: Duration) -> Option<State> {
        self.step_at(offset).map(|(_, state)| state)
    }

    /// Final state; `None` if the order is never created.
    pub fn final_state(&self) -> Option<State> {
        self.history.last().map(|(_, state)| *state)
    }

    /// Returns `true` if fetches alone can show the final state, where they begin at the order's creation and
    /// go on as long as it is open. They cannot where the order leaves a final state, nor where Sinch forgets
    /// an order whose expiry nothing announced.
    pub fn asking_shows_end(&self) -> bool {
        let announced = |gone_at: Duration| {
            let seen = self.history.iter().rev().nth(1);
            seen.is_some_and(|(at, state)| {
                *state == State::Created && gone_at > *at + Duration::from_secs(3600)
            })
        };
        !self.is_reopened() && self.gone_at.is_none_or(announced)
    }

    /// Returns `true` if the order leaves a final state.
    pub fn is_reopened(&self) -> bool {
        let mut left = self.history.iter().rev().skip(1);
        left.any(|(_, state)| state.is_final())
    }

    fn step_at(&self, offset: Duration) -> Option<(Duration, State)> {
        let entered = self.history.iter().take_while(|(at, _)| *at <= offset);
        entered.last().copied()
    }

    /// Returns the step as Sinch knows it at this offset: nothing once Sinch has forgotten the order.
    fn known_at(&self, offset: Duration) -> Option<(Duration, State)> {
        self.step_at(offset)
            .filter(|_| self.gone_at.is_none_or(|gone_at| offset < gone_at))
    }

    /// Answer that a reply to a fetch at this offset contains; `None` if the reply contains none.
    pub fn shown(&self, asked: Duration, reply: &Reply, started_at: Time) -> Option<Answer> {
        let as_of = match reply {
            Reply::True | Reply::Slow(_) => asked,
            Reply::Stale(by) => match asked.checked_sub(*by) {
                Some(as_of) => as_of,
                None => return Some(Answer::NotFound),
            },
            Reply::Missing => return Some(Answer::NotFound),
            Reply::Says { state, updated } => {
                let status = Status::from_word(state);
                return Some(Answer::Found(
                    self.snapshot(status, *updated, asked, started_at),
                ));
            }
            Reply::Unauthorized
            | Reply::Throttled { .. }
            | Reply::Broken { .. }
            | Reply::Raw { .. } => return None,
        };
        Some(match self.known_at(as_of) {
            Some((updated, state)) => {
                Answer::Found(self.snapshot(Status::Known(state), updated, asked, started_at))
            }
            None => Answer::NotFound,
        })
    }

    fn snapshot(
        &self,
        state: Status,
        updated: Duration,
        asked: Duration,
        started_at: Time,
    ) -> Snapshot {
        let whole = |offset: Duration, unit: i64| {
            let exact = started_at.plus(offset);
            Time(exact.0 - exact.0.rem_euclid(unit))
        };
        let unit = 10_i64.pow(6_u32.saturating_sub(self.fraction_digits));
        Snapshot {
            state,
            updated_at: whole(updated, unit),
            expires_at: self.expires.map(|at| started_at.plus(at)),
            unreadable_expiry: None,
            details: None,
            sent_at: Some(whole(asked, 1_000_000)),
        }
    }
}

/// Country and type of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// `regionCode`, as the API shows it.
    pub code: &'static str,
    /// `numberType`, as the API shows it.
    pub number_type: &'static str,
    /// Number without its last three digits, from a range that is reserved for fiction.
    prefix: &'static str,
}

impl Region {
    /// Regions that a world uses.
    pub const ALL: [Region; 3] = [
        Region {
            code: "GB",
            number_type: "MOBILE",
            prefix: "+447700900",
        },
        Region {
            code: "AU",
            number_type: "MOBILE",
            prefix: "+61491570",
        },
        Region {
            code: "US",
            number_type: "LOCAL",
            prefix: "+1201555",
        },
    ];

    /// Returns the n-th number, in E.164.
    pub fn number(&self, n: u16) -> String {
        // Fictional numbers of the US are 555-0100 to 555-0199.
        match self.code {
            "US" => format!("{}01{:02}", self.prefix, n % 100),
            _ => format!("{}{:03}", self.prefix, n % 1000),
        }
    }
}

/// Sinch's reply to a fetch of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The order as it is.
    True,
    /// The order as it was this long ago.
    Stale(Duration),
    /// The order as it is, but delayed by this span.
    Slow(Duration),
    /// 404, though the order exists.
    Missing,
    /// 401, as for a token that is not accepted.
    Unauthorized,
    /// 429, too many requests.
    Throttled {
        /// `Retry-After` of the answer.
        retry_after: Duration,
    },
    /// Failure on Sinch's side.
    Broken {
        /// HTTP status, 500 to 504.
        status: u16,
    },
    /// The order in any state. A random reply has only the unspecified state.
    Says {
        /// Word for the state, known or not.
        state: String,
        /// Offset of `updateTime`.
        updated: Duration,
    },
    /// Any status and body. Never random.
    Raw {
        /// HTTP status, even an impossible one.
        status: u16,
        /// Body, sent as it is.
        body: String,
    },
}

/// Event that Sinch makes, and the times at which its callbacks are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEvent {
    /// Order that the event is about, or that it comes along with.
    pub order: Id,
    /// Content of the event.
    pub says: Says,
    /// Offset at which Sinch makes it.
    pub at: Duration,
    /// Microseconds by which Sinch's clock is ahead in its time stamp.
    pub skew_micros: i64,
    /// Offsets at which it is sent. Empty: lost. Two: sent twice.
    pub sent_at: Vec<Duration>,
    /// Random part of its id.
    pub salt: u128,
}

/// Content of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// The order entered this state.
    State(State),
    /// One of its numbers was provisioned, or was not.
    Number {
        /// Phone number, in E.164.
        number: String,
        /// `true` if provisioning succeeded.
        succeeded: bool,
    },
    /// Content that no receiver can read.
    Gibberish,
}

impl SimulatedEvent {
    /// Maximum time that a callback takes if it is not delayed.
    pub(super) const PROMPT_MAX: Duration = Duration::from_millis(150);

    /// Makes an event for a state that the order entered, sent once and at once.
    pub fn new(order: Id, state: State, at: Duration) -> SimulatedEvent {
        SimulatedEvent {
            order,
            says: Says::State(state),
            at,
            skew_micros: 0,
            sent_at: vec![at],
            salt: at.as_micros(),
        }
    }

    /// Returns `true` if it is sent so late that the next one may overtake it.
    pub fn is_delayed(&self) -> bool {
        self.sent_at
            .first()
            .is_some_and(|sent| *sent > self.at + SimulatedEvent::PROMPT_MAX)
    }

    /// Time stamp of the event, by Sinch's clock.
    pub fn said_at(&self, started_at: Time) -> Time {
        Time(started_at.plus(self.at).0.saturating_add(self.skew_micros))
    }

    /// `eventId`, whose time part is the event's time stamp.
    pub fn event_id(&self, started_at: Time) -> String {
        wire::ulid(self.said_at(started_at), self.salt)
    }

    /// Body of its callbacks: the same bytes for the same start.
    pub fn body(&self, project: &Id, started_at: Time) -> String {
        wire::callback(self, project, started_at)
    }
}
