//! A world: what really becomes of each order, and what Sinch will say of it.
//!
//! Pure, like [`crate::order`]: the same seed and script make the same world. All times in it are
//! offsets from a start that is given only when something is put into words, so a world can be played
//! by the clock or in simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use super::plan;
use super::script::{Script, Trouble};
use super::wire;
use crate::order::{Answer, Id, Snapshot, State, Status, Time};

/// Every order of a script, with its history and its events.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    seed: u64,
    project: Id,
    trouble: Trouble,
    orders: BTreeMap<Id, Life>,
    notices: Vec<Notice>,
}

impl World {
    /// The world that this seed makes of the script.
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
                .map(|life| (life.id.clone(), life))
                .collect(),
            notices,
        }
    }

    /// A world of hand-written orders, without trouble and, until [`World::tell`], without callbacks.
    pub fn from_orders(project: Id, orders: impl IntoIterator<Item = Life>) -> World {
        World {
            seed: 0,
            project,
            trouble: Trouble::none(),
            orders: orders
                .into_iter()
                .map(|life| (life.id.clone(), life))
                .collect(),
            notices: Vec::new(),
        }
    }

    /// Adds an event to be sent.
    pub fn tell(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// The seed that made it: what to print when something fails.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The project that all orders belong to.
    pub fn project(&self) -> &Id {
        &self.project
    }

    /// All orders, by id, which is also by creation where the world made them.
    pub fn orders(&self) -> impl Iterator<Item = &Life> {
        self.orders.values()
    }

    /// The order of this id.
    pub fn order(&self, id: &Id) -> Option<&Life> {
        self.orders.get(id)
    }

    /// All events, order by order.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The state in which each order ends.
    pub fn truth(&self) -> BTreeMap<Id, State> {
        self.orders()
            .filter_map(|life| Some((life.id.clone(), life.final_state()?)))
            .collect()
    }

    /// When the last change of all happens.
    pub fn end(&self) -> Duration {
        self.orders()
            .filter_map(|life| life.history.last())
            .map(|(at, _)| *at)
            .max()
            .unwrap_or_default()
    }

    /// The chance that decides what is answered about an order: its own, so that how often others are
    /// asked changes nothing.
    pub fn dice(&self, life: &Life) -> Rng {
        let own = life.id.as_str().bytes().fold(self.seed, |seed, byte| {
            seed.wrapping_mul(0x0100_0000_01b3)
                .wrapping_add(byte.into())
        });
        Rng::with_seed(own)
    }

    /// How Sinch reacts to a question about the order that is asked at this offset.
    pub fn answer(&self, life: &Life, asked: Duration, rng: &mut Rng) -> Reply {
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
        let age = life.created().map(|at| asked.saturating_sub(at));
        if age.is_some_and(|age| age < trouble.young) && hit(rng, trouble.missing_young) {
            return Reply::Missing;
        }
        // The rarest troubles throw no dice where they are off, so that worlds without them stay as
        // they are.
        if trouble.unspecified > 0.0
            && hit(rng, trouble.unspecified)
            && let Some((updated, _)) = life.known_at(asked)
        {
            let state = "NUMBER_ORDER_STATE_UNSPECIFIED".to_owned();
            return Reply::Says { state, updated };
        }
        if trouble.beyond > 0.0 && hit(rng, trouble.beyond) {
            let further = trouble.beyond_max.saturating_sub(trouble.staleness);
            let by = trouble.staleness + further.mul_f64(rng.f64());
            return Reply::Stale(self.caught(life, asked, by, rng));
        }
        if hit(rng, trouble.stale) {
            let by = trouble.staleness.mul_f64(rng.f64());
            return Reply::Stale(self.caught(life, asked, by, rng));
        }
        if hit(rng, trouble.slow) {
            return Reply::Slow(trouble.slow_by);
        }
        Reply::True
    }

    /// How stale an answer is that could be stale by so much: by that, or by as much as shows the order
    /// at one of its changes since.
    fn caught(&self, life: &Life, asked: Duration, by: Duration, rng: &mut Rng) -> Duration {
        if self.trouble.caught == 0.0 || !hit(rng, self.trouble.caught) {
            return by;
        }
        let ages = life.history.iter().map(|(at, _)| asked.checked_sub(*at));
        let ages: Vec<Duration> = ages.flatten().filter(|age| *age <= by).collect();
        rng.choice(&ages).copied().unwrap_or(by)
    }
}

/// Whether chance strikes, at this rate.
pub(super) fn hit(rng: &mut Rng, rate: f64) -> bool {
    rng.f64() < rate
}

/// What becomes of one order.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// Its id.
    pub id: Id,
    /// When it entered which state, in order. The first entry is its creation.
    pub history: Vec<(Duration, State)>,
    /// `expireTime`.
    pub expires: Option<Duration>,
    /// When Sinch forgets it: from then on it answers 404.
    pub gone_at: Option<Duration>,
    /// How many fraction digits its `updateTime` has: 0, 3 or 6.
    pub fraction_digits: u32,
    /// Where its numbers are.
    pub region: Region,
    /// Its numbers, in E.164.
    pub numbers: Vec<String>,
}

impl Life {
    /// A hand-written order, with exact times and one number.
    pub fn new(id: Id, history: Vec<(Duration, State)>) -> Life {
        Life {
            id,
            history,
            expires: None,
            gone_at: None,
            fraction_digits: 6,
            region: Region::ALL[0],
            numbers: vec![Region::ALL[0].number(0)],
        }
    }

    /// When it was created.
    pub fn created(&self) -> Option<Duration> {
        self.history.first().map(|(at, _)| *at)
    }

    /// Its state at this offset; `None` before its creation.
    pub fn state_at(&self, offset: Duration) -> Option<State> {
        self.step_at(offset).map(|(_, state)| state)
    }

    /// The state in which it ends; `None` if it is never created.
    pub fn final_state(&self) -> Option<State> {
        self.history.last().map(|(_, state)| *state)
    }

    /// Whether asking alone can show how it ends, to somebody who asks from its creation on and keeps
    /// asking as long as it is open: not where a final state is left, nor where Sinch forgets an order
    /// whose expiry nothing announced.
    pub fn asking_shows_end(&self) -> bool {
        let announced = |gone_at: Duration| {
            let seen = self.history.iter().rev().nth(1);
            seen.is_some_and(|(at, state)| {
                *state == State::Created && gone_at > *at + Duration::from_secs(3600)
            })
        };
        !self.is_reopened() && self.gone_at.is_none_or(announced)
    }

    /// Whether it leaves a final state.
    pub fn is_reopened(&self) -> bool {
        let mut left = self.history.iter().rev().skip(1);
        left.any(|(_, state)| state.is_final())
    }

    fn step_at(&self, offset: Duration) -> Option<(Duration, State)> {
        let entered = self.history.iter().take_while(|(at, _)| *at <= offset);
        entered.last().copied()
    }

    /// The same, but nothing once Sinch has forgotten it.
    fn known_at(&self, offset: Duration) -> Option<(Duration, State)> {
        self.step_at(offset)
            .filter(|_| self.gone_at.is_none_or(|gone_at| offset < gone_at))
    }

    /// What a reply tells the one who asked at this offset; `None` if it is no answer at all.
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
            remark: None,
            sent_at: Some(whole(asked, 1_000_000)),
        }
    }
}

/// A country and a kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// `regionCode`.
    pub code: &'static str,
    /// `numberType`.
    pub number_type: &'static str,
    /// The number without its last three digits, from a range that is set aside for fiction.
    prefix: &'static str,
}

impl Region {
    /// The regions that a world uses.
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

    /// The n-th number, in E.164.
    pub fn number(&self, n: u16) -> String {
        // Fictional numbers of the US are 555-0100 to 555-0199.
        match self.code {
            "US" => format!("{}01{:02}", self.prefix, n % 100),
            _ => format!("{}{:03}", self.prefix, n % 1000),
        }
    }
}

/// How Sinch reacts to a question about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// With the order as it is.
    True,
    /// With the order as it was this long ago.
    Stale(Duration),
    /// With the order as it is, but so much later.
    Slow(Duration),
    /// 404, though the order is there.
    Missing,
    /// 401.
    Unauthorized,
    /// 429.
    Throttled {
        /// `Retry-After`.
        retry_after: Duration,
    },
    /// A failure of Sinch's own.
    Broken {
        /// 500 to 504.
        status: u16,
    },
    /// With the order in any state. By chance only in none that is specified.
    Says {
        /// The word for the state, known or not.
        state: String,
        /// The offset of `updateTime`.
        updated: Duration,
    },
    /// With anything. Never by chance.
    Raw {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
}

/// An event that Sinch makes, and when its callbacks are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The order that it is about, or that it comes along with.
    pub order: Id,
    /// What it says.
    pub says: Says,
    /// When Sinch makes it.
    pub at: Duration,
    /// How far Sinch's clock is ahead in its time stamp.
    pub skew_micros: i64,
    /// When it is sent. Empty: lost. Twice: doubled.
    pub sent_at: Vec<Duration>,
    /// The part of its id that is chance.
    pub salt: u128,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// The order entered this state.
    State(State),
    /// One of its numbers was provisioned, or was not.
    Number {
        /// The number.
        number: String,
        /// Whether it went well.
        succeeded: bool,
    },
    /// Nothing that anybody can read.
    Gibberish,
}

impl Notice {
    /// A callback takes no longer than this where it is not delayed.
    pub(super) const PROMPT_MAX: Duration = Duration::from_millis(150);

    /// That the order entered this state: sent once, at once.
    pub fn new(order: Id, state: State, at: Duration) -> Notice {
        Notice {
            order,
            says: Says::State(state),
            at,
            skew_micros: 0,
            sent_at: vec![at],
            salt: at.as_micros(),
        }
    }

    /// Whether it is sent so late that the next one may overtake it.
    pub fn is_delayed(&self) -> bool {
        self.sent_at
            .first()
            .is_some_and(|sent| *sent > self.at + Notice::PROMPT_MAX)
    }

    /// Its time stamp, by Sinch's clock.
    pub fn said_at(&self, started_at: Time) -> Time {
        Time(started_at.plus(self.at).0.saturating_add(self.skew_micros))
    }

    /// Its `eventId`, whose time part is its time stamp.
    pub fn event_id(&self, started_at: Time) -> String {
        wire::ulid(self.said_at(started_at), self.salt)
    }

    /// The body of its callbacks: the same bytes for the same start.
    pub fn body(&self, project: &Id, started_at: Time) -> String {
        wire::callback(self, project, started_at)
    }
}
