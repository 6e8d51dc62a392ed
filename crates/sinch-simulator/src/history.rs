//! Histories of orders, their events, and the replies to fetches: what a world is made of.
//!
//! All times are offsets from a start, as in [`super::World`].

use std::time::Duration;

use fastrand::Rng;

use number_order::{Answer, Id, Snapshot, State, Status, Time};

/// Draws a random number; returns `true` at the given rate.
pub(super) fn happens(rng: &mut Rng, rate: f64) -> bool {
    rng.f64() < rate
}

/// History of one order, and the properties of it that Sinch shows.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderHistory {
    /// Id of the order, unique in its world.
    pub id: Id,
    /// States of the order in the sequence in which they were entered, each with its offset. The first is that of the
    /// order's creation.
    pub states: Vec<(Duration, State)>,
    /// `expireTime` of the order, as an offset.
    pub expires: Option<Duration>,
    /// Offset from which Sinch has forgotten the order and answers 404.
    pub gone_at: Option<Duration>,
    /// Number of fraction digits of the order's `updateTime`: 0, 3 or 6.
    pub fraction_digits: u32,
    /// Region of the order's numbers.
    pub region: Region,
    /// Numbers of the order, in E.164.
    pub numbers: Vec<String>,
}

impl OrderHistory {
    /// Makes a hand-written order, with exact times and one number.
    pub fn new(id: Id, states: Vec<(Duration, State)>) -> OrderHistory {
        OrderHistory {
            id,
            states,
            expires: None,
            gone_at: None,
            fraction_digits: 6,
            region: Region::ALL[0],
            numbers: vec![Region::ALL[0].number(0)],
        }
    }

    /// Returns the offset of the order's creation.
    pub fn created(&self) -> Option<Duration> {
        self.states.first().map(|(at, _)| *at)
    }

    /// Returns the order's state at the given offset; `None` before its creation.
    pub fn state_at(&self, offset: Duration) -> Option<State> {
        self.step_at(offset).map(|(_, state)| state)
    }

    /// Returns the order's final state; `None` if the order is never created.
    pub fn final_state(&self) -> Option<State> {
        self.states.last().map(|(_, state)| *state)
    }

    /// Returns `true` if fetches alone can show the final state, where they begin at the order's creation and
    /// go on as long as it is open. They cannot where the order leaves a final state, nor where Sinch forgets
    /// an order whose expiry nothing announced.
    pub fn is_end_shown_by_fetches(&self) -> bool {
        let announced = |gone_at: Duration| {
            let seen = self.states.iter().rev().nth(1);
            seen.is_some_and(|(at, state)| {
                *state == State::Created && gone_at > *at + Duration::from_secs(3600)
            })
        };
        !self.is_reopened() && self.gone_at.is_none_or(announced)
    }

    /// Returns `true` if the order leaves a final state.
    pub fn is_reopened(&self) -> bool {
        let mut left = self.states.iter().rev().skip(1);
        left.any(|(_, state)| state.is_final())
    }

    fn step_at(&self, offset: Duration) -> Option<(Duration, State)> {
        let entered = self.states.iter().take_while(|(at, _)| *at <= offset);
        entered.last().copied()
    }

    /// Returns the state, and when it was entered, as Sinch knows it at the given offset: nothing once Sinch has
    /// forgotten the order.
    pub(super) fn known_at(&self, offset: Duration) -> Option<(Duration, State)> {
        self.step_at(offset)
            .filter(|_| self.gone_at.is_none_or(|gone_at| offset < gone_at))
    }

    /// Returns the answer that a reply to a fetch at the given offset contains; `None` if the reply contains none.
    pub fn shown(&self, fetched_at: Duration, reply: &Reply, started_at: Time) -> Option<Answer> {
        let as_of = match reply {
            Reply::Current | Reply::Slow(_) => fetched_at,
            Reply::Stale(by) => match fetched_at.checked_sub(*by) {
                Some(as_of) => as_of,
                None => return Some(Answer::NotFound),
            },
            Reply::NotFound => return Some(Answer::NotFound),
            Reply::Shows { state, updated } => {
                let status = Status::from_word(state);
                return Some(Answer::Found(
                    self.snapshot_of(status, *updated, fetched_at, started_at),
                ));
            }
            Reply::Unauthorized
            | Reply::Throttled { .. }
            | Reply::ServerError { .. }
            | Reply::Raw { .. } => return None,
        };
        Some(match self.known_at(as_of) {
            Some((updated, state)) => Answer::Found(self.snapshot_of(
                Status::Known(state),
                updated,
                fetched_at,
                started_at,
            )),
            None => Answer::NotFound,
        })
    }

    fn snapshot_of(
        &self,
        state: Status,
        updated: Duration,
        fetched_at: Duration,
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
            sent_at: Some(whole(fetched_at, 1_000_000)),
        }
    }
}

/// Country and type of numbers, and their prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Code of the region: `regionCode`, as the API shows it.
    pub code: &'static str,
    /// Type of the numbers: `numberType`, as the API shows it.
    pub number_type: &'static str,
    /// Numbers without their last three digits, from a range that is reserved for fiction.
    prefix: &'static str,
}

impl Region {
    /// Regions whose numbers the orders of a world have.
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

    /// Returns the n-th number of the region, in E.164.
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
    /// Sinch shows the order as it is.
    Current,
    /// Sinch shows the order as it was the given time ago.
    Stale(Duration),
    /// Sinch shows the order as it is, but answers late by the given span.
    Slow(Duration),
    /// Sinch answers 404, though the order exists.
    NotFound,
    /// Sinch answers 401, as for a token that is not accepted.
    Unauthorized,
    /// Sinch answers 429, too many requests.
    Throttled {
        /// Value of `Retry-After` in the answer.
        retry_after: Duration,
    },
    /// Sinch answers that it has failed.
    ServerError {
        /// HTTP status of the answer, 500 to 504.
        status: u16,
    },
    /// Sinch shows the order in the given state. A random reply has only the unspecified state.
    Shows {
        /// Word for the order's state, known or not.
        state: String,
        /// Offset of the order's `updateTime`.
        updated: Duration,
    },
    /// Sinch answers with any status and body. Never random.
    Raw {
        /// HTTP status of the answer, even an impossible one.
        status: u16,
        /// Body of the answer, sent as it is.
        body: String,
    },
}

/// Event that Sinch makes, and the times at which its callbacks are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEvent {
    /// Order that the event is about, or that it comes along with.
    pub order: Id,
    /// Content of the event.
    pub content: EventContent,
    /// Offset at which Sinch makes the event.
    pub at: Duration,
    /// Microseconds by which the time stamp of the event is ahead of Sinch's right time.
    pub skew_micros: i64,
    /// Offsets at which callbacks of the event are sent: none if the event is lost, two if it is sent twice.
    pub sent_at: Vec<Duration>,
    /// Random part of the event's id.
    pub salt: u128,
}

/// Content of a simulated event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventContent {
    /// The order entered the given state.
    State(State),
    /// One of the order's numbers was provisioned, or could not be.
    Number {
        /// The telephone number, in E.164.
        number: String,
        /// `true` if provisioning succeeded.
        succeeded: bool,
    },
    /// The callback has a body that no receiver can read.
    Unreadable,
}

impl SimulatedEvent {
    /// Maximum time that a callback takes to be sent if it is not delayed.
    pub(super) const USUAL_DELAY_MAX: Duration = Duration::from_millis(150);

    /// Makes an event for a state that the order entered. Its callback is sent once, and without delay.
    pub fn new(order: Id, state: State, at: Duration) -> SimulatedEvent {
        SimulatedEvent {
            order,
            content: EventContent::State(state),
            at,
            skew_micros: 0,
            sent_at: vec![at],
            salt: at.as_micros(),
        }
    }

    /// Returns `true` if the event's callback is sent so late that the next one may overtake it.
    pub fn is_delayed(&self) -> bool {
        self.sent_at
            .first()
            .is_some_and(|sent| *sent > self.at + SimulatedEvent::USUAL_DELAY_MAX)
    }

    /// Returns the time stamp of the event, by Sinch's clock.
    pub fn said_at(&self, started_at: Time) -> Time {
        Time(started_at.plus(self.at).0.saturating_add(self.skew_micros))
    }
}
