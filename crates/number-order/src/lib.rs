//! The state machine of one number order: its data, and the meaning of events and answers for it.
//!
//! Pure: no input or output, no clock, no randomness. Every function here is total, and every point in time is an
//! argument, so a table or a simulation can drive the rules exactly as the service does.
//!
//! Two kinds of input reach an order. An [`Event`] comes in a callback and is only a hint: it may be late, duplicated,
//! out of order or lost. An [`Answer`] comes from a fetch, and it alone can confirm a state. [`apply_events`] applies
//! events, [`reconcile`] applies answers, and [`fail`] applies an attempt without an answer.

// A state that is added later must be considered in every rule, so no `_` may match it.
#![warn(clippy::wildcard_enum_match_arm)]

mod alert;
mod backoff;
mod callback_key;
mod cause;
mod delivery;
mod details;
mod entered;
mod event;
mod failure_code;
mod fetch;
mod following;
mod link;
mod lost_order;
mod no_answer;
#[cfg(feature = "openapi")]
mod openapi;
mod outcome;
mod placement;
mod readiness;
mod schedule;
mod snapshot;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod time;
mod words;

pub use alert::{AlertKind, AlertUpdate, Limits, alert_kind, firing_alerts, update_alerts};
pub use backoff::{Backoff, Failure, fail};
pub use callback_key::CallbackKey;
pub use cause::{Cause, ParkReason};
pub use delivery::{DeliveryDecision, Kept, NotUnderstood, OtherEvent};
pub use details::{OrderDetails, OrderNumber, Price};
pub use entered::entered;
pub use event::{Decision, EventsApplied, apply_events};
pub use failure_code::{FailureCode, TryAgain};
pub use fetch::{Applied, FetchAttempt, apply_attempt};
pub use following::{Following, LATE_AFTER, NumberFetch};
pub use link::{Link, OrderedLink, ScheduledLink, Service, Target, VoiceIds};
pub use lost_order::lost_order_ends_at;
pub use no_answer::{Endpoint, FetchOutcome, Flaw, NoAnswer};
pub use outcome::Outcome;
pub use placement::{OutcomeRefusal, Standing, StepRefusal, judge_lost_create, may_begin, may_end};
pub use readiness::{FailedLink, Readiness};
pub use snapshot::{Change, reconcile};
pub use state::{State, Status};
pub use step::{Step, StepKind, StepOutcome};
pub use time::Time;
pub use words::counted;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The id of a Sinch project or of a number order, checked so that it can stand in a URL's path.
///
/// Sinch promises no pattern, so the check is about safety alone: 1 to 128 visible ASCII characters,
/// none of which could leave the path segment, and not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// Returns the id, or `None` if it could not safely be put into a URL.
    pub fn new(text: impl Into<String>) -> Option<Id> {
        let text = text.into();
        let safe = (1..=128).contains(&text.len())
            && text != "."
            && text != ".."
            && text.bytes().all(stays_in_its_segment);
        safe.then_some(Id(text))
    }

    /// Returns the id as Sinch writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if `text` names the same id: literally, or as a UUID, whose digits mean the same in either case.
    pub fn is_named(&self, text: &str) -> bool {
        text == self.0 || is_uuid(text) && text.eq_ignore_ascii_case(&self.0)
    }
}

impl TryFrom<String> for Id {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Id, &'static str> {
        Id::new(text).ok_or("an id that could not stand in a URL")
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.0
    }
}

/// Returns `true` if the text has the usual form of a UUID.
fn is_uuid(text: &str) -> bool {
    let is_place = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_place)
}

fn stays_in_its_segment(byte: u8) -> bool {
    let leaves = matches!(
        byte,
        b'/' | b'\\' | b'?' | b'#' | b'%' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}'
    );
    byte.is_ascii_graphic() && !leaves
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Key of an order: an order id means something only within its project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// The Sinch project that the order belongs to.
    pub project: Id,
    /// The order's `idNumberOrder`, which a callback calls `resourceId`.
    pub order: Id,
}

/// Claim of a callback about an order's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The claimed state.
    pub status: Status,
    /// Time at which Sinch created the callback, by Sinch's clock; `None` if it could not be read.
    pub said_at: Option<Time>,
    /// Time at which the service received the callback, by its own clock.
    pub received_at: Time,
}

/// Sinch's answer to a fetch of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The order, as Sinch shows it.
    Found(Snapshot),
    /// A 404: Sinch does not know the order yet, or no longer knows it.
    NotFound,
}

/// The order as an answer shows it, possibly stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The answer's `state`.
    pub state: Status,
    /// `updateTime`, the only property that orders two snapshots. It often has whole seconds only.
    pub updated_at: Time,
    /// `expireTime`, until which a CREATED order must be submitted.
    pub expires_at: Option<Time>,
    /// Beginning of an `expireTime` that could not be read, escaped; it decides nothing.
    pub unreadable_expiry: Option<String>,
    /// Subject of the order; `None` if the answer does not describe it. It decides nothing.
    pub details: Option<Box<OrderDetails>>,
    /// Time at which Sinch sent the answer, by its own clock: the answer's `Date`, in whole seconds. `None` if the
    /// answer had none.
    pub sent_at: Option<Time>,
}

/// Everything that is known of one order. An absent value was never said, or has been settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The state that Sinch last showed; `None` until the first answer.
    pub confirmed: Option<Confirmed>,
    /// The state that events have claimed since Sinch last showed one, until an answer settles it.
    pub provisional: Option<Provisional>,
    /// Claims of events that no answer has confirmed or superseded yet: at most one for each state.
    pub hints: Vec<Hint>,
    /// Claims that an answer overruled although that answer may have been staler than usual. They move no state. They
    /// are kept until an answer that cannot be too stale overrules them as well: at most one for each state.
    pub doubts: Vec<Hint>,
    /// A second state with the same `updateTime`, until it is known which of the two came last.
    pub tie: Option<Tie>,
    /// Time since which Sinch has answered 404 without a break.
    pub missing_since: Option<Time>,
    /// Time at which the last fetch was sent, with or without success.
    pub fetched_at: Option<Time>,
    /// Time at which the next fetch is due; `None` while the order is at rest.
    pub fetch_at: Option<Time>,
    /// Number of attempts in a row that brought no usable answer, through no fault of the provider. An attempt in
    /// flight counts.
    pub attempts: u32,
    /// Time at which an operator requested a fetch that has not been answered yet.
    pub fetch_requested_at: Option<Time>,
    /// Reason why the order is parked (dead-lettered): no fetch is sent until an event arrives or an operator requests
    /// one.
    pub parked: Option<ParkReason>,
    /// Time at which the service first heard of the order.
    pub first_seen_at: Time,
}

impl Order {
    /// Returns an order of which nothing is known but its name.
    pub fn new(first_seen_at: Time) -> Order {
        Order {
            confirmed: None,
            provisional: None,
            hints: Vec::new(),
            doubts: Vec::new(),
            tie: None,
            missing_since: None,
            fetched_at: None,
            fetch_at: None,
            attempts: 0,
            fetch_requested_at: None,
            parked: None,
            first_seen_at,
        }
    }

    /// Records a fetch that an operator requests: the order is due at once, with all its attempts, even if it was
    /// parked. Only a fetch that is sent from now on fulfils the request.
    pub fn request_fetch(&mut self, now: Time) {
        self.fetch_requested_at = Some(now);
        self.fetch_at = Some(now);
        self.attempts = 0;
        self.parked = None;
    }

    /// Returns the best known state: the provisional one if there is one, else the confirmed one.
    pub fn state(&self) -> Option<State> {
        self.provisional
            .as_ref()
            .map(|p| p.state)
            .or(self.confirmed.as_ref().map(|c| c.state))
    }
}

/// A state that Sinch itself has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The state that Sinch showed.
    pub state: State,
    /// The state's `updateTime`, by Sinch's clock.
    pub updated_at: Time,
    /// `expireTime`, if the answer had one.
    pub expires_at: Option<Time>,
    /// Time at which the fetch was sent whose answer first showed the state.
    pub confirmed_at: Time,
    /// Time at which the fetch was sent whose answer first showed `updated_at`.
    pub shown_at: Time,
    /// `true` if Sinch has moved the order out of a final state.
    pub reopened: bool,
}

/// A state that only events claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisional {
    /// The state that an event claims.
    pub state: State,
    /// Time stamp of the event that moved the order to the state, by Sinch's clock.
    pub said_at: Time,
}

/// A claim that no answer has settled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The claimed state; `None` stands for every word that the program does not know.
    pub state: Option<State>,
    /// Latest time stamp of an event with this claim, by Sinch's clock: what it claims had come about by then. `None`
    /// if an event with this claim had no time stamp, so nothing says that it came before anything.
    pub said_at: Option<Time>,
    /// Latest receipt of an event with this claim, by the service's clock: what it claims had come about by then.
    pub heard_at: Time,
}

impl Hint {
    /// Returns the earliest send time of a fetch whose answer ought to include the claim.
    pub fn settles_at(&self, policy: &Policy) -> Time {
        policy.settles_at(self.heard_at)
    }

    /// Returns the earliest send time of a fetch whose answer includes the claim even if it is as stale as an answer
    /// can be.
    pub fn sure_at(&self, policy: &Policy) -> Time {
        policy.sure_at(self.heard_at)
    }
}

/// A state shown with the same `updateTime` as the confirmed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The second state that was shown with the confirmed state's `updateTime`.
    pub state: State,
    /// Time at which the fetch was sent whose answer first showed two states: both had come about by then.
    pub since: Time,
}

/// A recorded change of an order's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// State before the change; `None` if there was none.
    pub from: Option<State>,
    /// State after the change.
    pub to: State,
    /// `true` if Sinch has shown the state, `false` if only an event claims it.
    pub confirmed: bool,
    /// Time of the change by Sinch's clock: the event's time stamp, or the answer's `updateTime`.
    pub said_at: Time,
    /// Cause of the change.
    pub cause: Cause,
}

/// Time spans on which the rules depend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Usual upper bound of an answer's staleness ("B"). Now and then an answer is staler, so this bound decides
    /// nothing that a later answer could not mend.
    pub staleness: Duration,
    /// Upper bound of an answer's staleness in the worst case ("W").
    pub staleness_max: Duration,
    /// Minimum time between a fetch with a conclusive answer and the next one, unless an operator requests it.
    pub cooldown: Duration,
}

impl Policy {
    /// Maximum difference between two of Sinch's clocks, and maximum lead of one of them over the service's clock.
    const SKEW: Duration = Duration::from_secs(3);
    /// Maximum lead of an `updateTime` over the moment at which it is shown; one further ahead is not believed.
    const SKEW_MAX: Duration = Duration::from_secs(600);
    /// Time by which an answer may trail the staleness bound and still count as within it.
    const MARGIN: Duration = Duration::from_secs(1);
    /// Additional wait, beyond the bound, after an answer that was too old.
    const AFTER_STALE: Duration = Duration::from_secs(2);
    /// Additional wait, beyond a bound, where two answers are compared: a second for the resolution of `updateTime`,
    /// the rest for clocks.
    const APART: Duration = Duration::from_secs(5);
    /// Maximum time between two fetches of a quiet open order.
    const QUIET_MAX: Duration = Duration::from_secs(6 * 3600);
    /// Minimum time between two fetches of a quiet open order.
    const QUIET_MIN: Duration = Duration::from_secs(60);
    /// Time after which a final order is fetched once more.
    const FINAL_AGAIN: Duration = Duration::from_secs(24 * 3600);

    /// Returns the policy for an API whose answers are usually stale by at most `staleness`, and never by more than
    /// `staleness_max`.
    pub fn new(staleness: Duration, staleness_max: Duration) -> Policy {
        Policy {
            staleness,
            staleness_max,
            cooldown: Duration::from_secs(3),
        }
    }

    /// Returns the earliest send time of a fetch whose answer ought to include what an event says that was received at
    /// the given time.
    fn settles_at(&self, heard_at: Time) -> Time {
        heard_at.plus(self.staleness).plus(Policy::MARGIN)
    }

    /// Returns the earliest send time of a fetch that shows what had come about by `since`, however stale its answer
    /// is: no answer is staler than `staleness_max`.
    fn sure_at(&self, since: Time) -> Time {
        since.plus(self.staleness_max).plus(Policy::APART)
    }

    /// Returns the minimum wait after an answer that did not tell the order's state, so that the next answer can.
    pub fn after_stale(&self) -> Duration {
        self.staleness + Policy::AFTER_STALE
    }
}
