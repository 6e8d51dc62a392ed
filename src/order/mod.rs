//! What a number order is, and what news means for it.
//!
//! Pure: no input or output, no clock, no chance. Every function here is total, and every point in
//! time is an argument, so a table or a simulation can drive the rules exactly as the service does.
//!
//! Two kinds of news reach an order. An [`Event`] comes in a callback and is only a hint: it may be
//! late, repeated, out of order or lost. An [`Answer`] comes from asking Sinch, and alone can confirm
//! a state. [`look`] weighs events, [`reconcile`] weighs answers, [`fail`] says what a try without an
//! answer means.

// A state that is added later must be thought of in every rule: no `_` in their place.
#![warn(clippy::wildcard_enum_match_arm)]

mod condition;
mod decide;
mod entered;
mod fail;
mod reconcile;
mod schedule;
mod state;
#[cfg(test)]
mod tests;
mod time;
mod weigh;

pub use condition::{Condition, Limits, condition};
pub use decide::{Decision, Doubt, Look, look};
pub use entered::entered;
pub use fail::{BackOff, Failure, fail};
pub use reconcile::{Change, Finding, reconcile};
pub use state::{State, Status};
pub use time::Time;
pub use weigh::{Tried, Weighed, weigh};

use std::fmt;
use std::time::Duration;

/// The id of a Sinch project or of a number order, checked so that it can stand in a URL's path.
///
/// Sinch promises no pattern, so the check is about safety alone: 1 to 128 visible ASCII characters,
/// none of which could leave the path segment, and not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(String);

impl Id {
    /// The id, or `None` where it could not safely be put into a URL.
    pub fn new(text: impl Into<String>) -> Option<Id> {
        let text = text.into();
        let safe = (1..=128).contains(&text.len())
            && text != "."
            && text != ".."
            && text.bytes().all(stays_in_its_segment);
        safe.then_some(Id(text))
    }

    /// The id as Sinch writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text names the same: to the letter, or as a UUID, whose digits mean the same in either case.
    pub fn is_named(&self, text: &str) -> bool {
        text == self.0 || is_uuid(text) && text.eq_ignore_ascii_case(&self.0)
    }
}

/// Whether it has the usual form of a UUID.
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

/// Which order: an order id means something only within its project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// The Sinch project that the order belongs to.
    pub project: Id,
    /// The order's `idNumberOrder`, which a callback calls `resourceId`.
    pub order: Id,
}

/// What a callback says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The claimed state.
    pub status: Status,
    /// When Sinch created the callback, by Sinch's clock; `None` where it could not be read.
    pub said_at: Option<Time>,
    /// When it reached us, by ours.
    pub received_at: Time,
}

/// What Sinch answered when asked for the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The order, as Sinch shows it.
    Found(Snapshot),
    /// 404: not yet, or not any more.
    NotFound,
}

/// The order as an answer shows it, possibly stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `state`.
    pub state: Status,
    /// `updateTime`: the only thing that orders two snapshots. Often whole seconds.
    pub updated_at: Time,
    /// `expireTime`, until which a CREATED order must be submitted.
    pub expires_at: Option<Time>,
    /// The part of the answer that could not be read, in words; it decides nothing.
    pub remark: Option<String>,
    /// When Sinch sent the answer, by its own clock: the answer's `Date`, in whole seconds. `None` where it had none.
    pub sent_at: Option<Time>,
}

/// All that is known of one order. What is absent has not been said, or was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The truth, as last shown by Sinch; `None` until the first answer.
    pub confirmed: Option<Confirmed>,
    /// Where events say that it went since, as long as that is open.
    pub provisional: Option<Provisional>,
    /// What events claim and no answer has borne out or overtaken yet: one for each state at most.
    pub hints: Vec<Hint>,
    /// Claims that an answer overruled which may have been staler than usual. They move no state, but they are kept
    /// until an answer that cannot be too stale overrules them as well: one for each state at most.
    pub doubts: Vec<Hint>,
    /// A second state with the same `updateTime`, until it is known which came last.
    pub tie: Option<Tie>,
    /// Since when Sinch has answered 404 without a break.
    pub missing_since: Option<Time>,
    /// When Sinch was last asked, with or without success.
    pub asked_at: Option<Time>,
    /// When Sinch is to be asked next; `None`: at rest.
    pub ask_at: Option<Time>,
    /// Tries in a row that brought no usable answer, through no fault of the provider. A try under way counts.
    pub attempts: u32,
    /// When an operator asked for a fetch that has not been answered yet.
    pub wished_at: Option<Time>,
    /// Why nobody asks any more until news or an operator comes.
    pub parked: Option<String>,
    /// When we first heard of it.
    pub first_seen_at: Time,
}

impl Order {
    /// An order that is known by name alone.
    pub fn new(first_seen_at: Time) -> Order {
        Order {
            confirmed: None,
            provisional: None,
            hints: Vec::new(),
            doubts: Vec::new(),
            tie: None,
            missing_since: None,
            asked_at: None,
            ask_at: None,
            attempts: 0,
            wished_at: None,
            parked: None,
            first_seen_at,
        }
    }

    /// An operator asks for it: it is due at once, with all its tries, even if it was parked. Only a question that is
    /// sent from now on fulfils that.
    pub fn wish(&mut self, now: Time) {
        self.wished_at = Some(now);
        self.ask_at = Some(now);
        self.attempts = 0;
        self.parked = None;
    }

    /// The best answer to "where is it?": the provisional state where there is one, else the confirmed.
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
    /// The state.
    pub state: State,
    /// Its `updateTime`, by Sinch's clock.
    pub updated_at: Time,
    /// `expireTime`, where the answer had one.
    pub expires_at: Option<Time>,
    /// When the question was sent whose answer first showed the state.
    pub confirmed_at: Time,
    /// When the question was sent whose answer first showed `updated_at`.
    pub shown_at: Time,
    /// Whether Sinch took it out of a final state.
    pub reopened: bool,
}

/// A state that only events speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisional {
    /// The state.
    pub state: State,
    /// The time stamp of the event that moved it here, by Sinch's clock.
    pub said_at: Time,
}

/// A claim that no answer has settled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The claimed state; `None` stands for every word that we do not know.
    pub state: Option<State>,
    /// What it speaks of had come about by then, by Sinch's clock: the latest time stamp of an event that claims it.
    /// `None`: an event that claims it had none, so nothing says that it came before anything.
    pub said_at: Option<Time>,
    /// What it speaks of had come about by then, by our clock: the latest receipt of an event that claims it.
    pub heard_at: Time,
}

impl Hint {
    /// From when on an answer ought to include what the event spoke of: by the time when its question is sent.
    pub fn settles_at(&self, rule: &Rule) -> Time {
        self.heard_at.plus(rule.staleness).plus(Rule::MARGIN)
    }

    /// From when on an answer includes it even if it is as stale as an answer can be.
    pub fn sure_at(&self, rule: &Rule) -> Time {
        rule.sure_at(self.heard_at)
    }
}

/// A state shown with the same `updateTime` as the confirmed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The other state.
    pub state: State,
    /// When the question was sent whose answer first showed two: both had come about by then.
    pub since: Time,
}

/// A recorded change of an order's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before; `None`: there was none.
    pub from: Option<State>,
    /// The state after.
    pub to: State,
    /// Whether Sinch has shown it, or only an event claims it.
    pub confirmed: bool,
    /// By Sinch's clock: the event's time stamp, or the answer's `updateTime`.
    pub said_at: Time,
    /// Why, in words.
    pub cause: String,
}

/// The spans of time on which the rules stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How stale an answer of the API usually is at most ("B"). Now and then one is staler, so nothing that
    /// a later answer could not mend is decided by it.
    pub staleness: Duration,
    /// How stale an answer can be at the very worst.
    pub staleness_max: Duration,
    /// The least time between two questions that only events ask for.
    pub cooldown: Duration,
}

impl Rule {
    /// How far two of Sinch's clocks may be apart, or one of them ahead of ours.
    const SKEW: Duration = Duration::from_secs(3);
    /// An `updateTime` further ahead than this of the moment when it is shown is not believed.
    const SKEW_MAX: Duration = Duration::from_secs(600);
    /// The time by which an answer may trail the staleness bound and still count as within it.
    const MARGIN: Duration = Duration::from_secs(1);
    /// How much longer than the bound to wait after an answer that was too old.
    const AFTER_STALE: Duration = Duration::from_secs(2);
    /// How much longer than a bound to wait where two answers are compared: a second for the resolution of
    /// `updateTime`, the rest for clocks.
    const APART: Duration = Duration::from_secs(5);
    /// A quiet open order is looked at again at least this often.
    const QUIET_MAX: Duration = Duration::from_secs(6 * 3600);
    /// … and at most this often.
    const QUIET_MIN: Duration = Duration::from_secs(60);
    /// A final order is looked at once more after this time.
    const FINAL_AGAIN: Duration = Duration::from_secs(24 * 3600);

    /// The rules for an API whose answers are stale by at most `staleness` as a rule, and by at most
    /// `staleness_max` ever.
    pub fn new(staleness: Duration, staleness_max: Duration) -> Rule {
        Rule {
            staleness,
            staleness_max,
            cooldown: Duration::from_secs(3),
        }
    }

    /// From when on a question shows what had come about by `since`, however stale its answer is: no answer is
    /// staler than the very worst.
    fn sure_at(&self, since: Time) -> Time {
        since.plus(self.staleness_max).plus(Rule::APART)
    }

    /// How long to wait at least after an answer that told nothing, so that the next one can.
    pub fn after_stale(&self) -> Duration {
        self.staleness + Rule::AFTER_STALE
    }
}
