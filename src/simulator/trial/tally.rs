//! What a trial found: what was wrong, how much was asked, which rare paths were met.

use std::fmt;
use std::time::Duration;

use crate::order::State;
use crate::simulator::journal::secs;

/// What a rule got wrong about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It took a state for true in which the order was not, or not any more after what was known.
    FalseState {
        /// When.
        at: Duration,
        /// The state.
        state: State,
    },
    /// At rest, it holds another state for true than the last.
    AtRest {
        /// What it holds for true.
        believed: Option<State>,
        /// What is true.
        truth: Option<State>,
    },
    /// It does not go on where it ought to.
    Stuck {
        /// When.
        at: Duration,
        /// How.
        how: Stuck,
    },
}

/// A way of not going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// Parked, though fewer tries than that takes failed through the order itself.
    ParkedForOthers,
    /// Parked still, after an event.
    StillParked,
    /// Open, and nobody is going to ask.
    Deaf,
    /// An operator asked, and no question followed.
    WishUnheard,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stuck::ParkedForOthers => "parked for what was not its own fault",
            Stuck::StillParked => "parked still, after an event",
            Stuck::Deaf => "open, and nobody is going to ask",
            Stuck::WishUnheard => "an operator asked, and no question followed",
        })
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |state: &Option<State>| state.map_or("nothing", State::as_str);
        match self {
            Wrong::FalseState { at, state } => {
                write!(f, "false or backward at {}: {state}", secs(*at))
            }
            Wrong::AtRest { believed, truth } => {
                let (believed, truth) = (word(believed), word(truth));
                write!(f, "wrong at rest: {believed}, and the truth is {truth}")
            }
            Wrong::Stuck { at, how } => write!(f, "stuck at {}: {how}", secs(*at)),
        }
    }
}

/// How one order went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What was wrong, in the order in which it happened.
    pub wrong: Vec<Wrong>,
    /// Questions that an event, a doubt or a failed one of these asked for.
    pub asks: u64,
    /// Questions that only looked after an order of which nothing new was heard.
    pub looks: u64,
    /// Questions that failed since Sinch as a whole was down.
    pub probes: u64,
    /// From the order's last change until the truth was known for good.
    pub late: Duration,
    /// The rare paths that it took.
    pub met: Met,
}

impl Verdict {
    /// Whether it took something for true that was not.
    pub(super) fn has_false_states(&self) -> bool {
        let is_false = |wrong: &Wrong| matches!(wrong, Wrong::FalseState { .. });
        self.wrong.iter().any(is_false)
    }
}

/// A path that few orders take.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rare {
    Tie,
    TieSettled,
    Stale,
    Reopened,
    FoundAfter404,
    ExpiredUnseen,
    Withdrawn,
    Unspecified,
    Parked,
    OutOfOrder,
    AfterFinal,
    Timeless,
    Foreign,
    Crash,
    Outage,
    Alone,
    Ahead,
    Redated,
    Behind,
    Hurried,
    Echo,
    Doubted,
}

impl Rare {
    const ALL: [Rare; 22] = [
        Rare::Tie,
        Rare::TieSettled,
        Rare::Stale,
        Rare::Reopened,
        Rare::FoundAfter404,
        Rare::ExpiredUnseen,
        Rare::Withdrawn,
        Rare::Unspecified,
        Rare::Parked,
        Rare::OutOfOrder,
        Rare::AfterFinal,
        Rare::Timeless,
        Rare::Foreign,
        Rare::Crash,
        Rare::Outage,
        Rare::Alone,
        Rare::Ahead,
        Rare::Redated,
        Rare::Behind,
        Rare::Hurried,
        Rare::Echo,
        Rare::Doubted,
    ];

    /// What it is called, and how often 1,000,000 orders of a hostile course must meet it: about half as
    /// often as they do.
    fn described(self) -> (&'static str, u64) {
        match self {
            Rare::Tie => ("two states with one update time", 35_000),
            Rare::TieSettled => ("… of which the second was the later", 24_000),
            Rare::Stale => ("stale answer refused", 60_000),
            Rare::Reopened => ("final state re-opened", 17_000),
            Rare::FoundAfter404 => ("404, then found", 58_000),
            Rare::ExpiredUnseen => ("expired and forgotten", 2_700),
            Rare::Withdrawn => ("provisional state withdrawn", 27_000),
            Rare::Unspecified => ("unspecified state", 70_000),
            Rare::Parked => ("parked", 25),
            Rare::OutOfOrder => ("event out of order", 34_000),
            Rare::AfterFinal => ("event after a final state", 15_000),
            Rare::Timeless => ("event without a readable time", 5_000),
            Rare::Foreign => ("event with an unknown status", 12_000),
            Rare::Crash => ("crash", 380_000),
            Rare::Outage => ("question while Sinch is down", 240_000),
            Rare::Alone => ("question that fails for this order alone", 2_500),
            Rare::Ahead => ("answer from the future refused", 9_000),
            Rare::Redated => ("date from the future overruled", 6_000),
            Rare::Behind => ("clock behind at the start", 4_500),
            Rare::Hurried => ("operator asks while a question is under way", 50_000),
            Rare::Echo => ("event that agrees with a parked order", 8),
            Rare::Doubted => ("claim overruled, and doubted still", 160_000),
        }
    }
}

/// How often rare paths were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met([u64; Rare::ALL.len()]);

impl Met {
    pub(super) fn note(&mut self, path: Rare) {
        self.0[path as usize] += 1;
    }

    /// Each path by name, how often it was met, and how often 1,000,000 orders must meet it.
    pub fn paths(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        Rare::ALL.into_iter().map(|path| {
            let (name, least) = path.described();
            (name, self.0[path as usize], least)
        })
    }
}

/// What a trial of many orders found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Orders played.
    pub orders: u64,
    /// States that were taken for true, and were false or led backward.
    pub false_states: u64,
    /// Orders of which something else than the truth was known at rest.
    pub wrong_at_rest: u64,
    /// Orders that were stuck.
    pub stuck: u64,
    /// The questions of all orders, as in [`Verdict::asks`].
    pub asks: u64,
    /// The most of them that one order needed.
    pub asks_max: u64,
    /// The questions of all orders, as in [`Verdict::looks`].
    pub looks: u64,
    /// The questions of all orders, as in [`Verdict::probes`].
    pub probes: u64,
    /// The longest that one order took, as in [`Verdict::late`], and its index.
    pub latest: (Duration, u64),
    /// The rare paths that were met.
    pub met: Met,
    /// The first orders with which something was wrong, by index.
    pub failed: Vec<(u64, Wrong)>,
}

impl Tally {
    /// Nobody reads more than so many.
    const FAILED_MAX: usize = 20;

    /// Adds an order.
    pub(super) fn count(&mut self, index: u64, verdict: Verdict) {
        let count = |is: fn(&&Wrong) -> bool| verdict.wrong.iter().filter(is).count() as u64;
        self.add(Tally {
            orders: 1,
            false_states: count(|wrong| matches!(wrong, Wrong::FalseState { .. })),
            wrong_at_rest: count(|wrong| matches!(wrong, Wrong::AtRest { .. })),
            stuck: count(|wrong| matches!(wrong, Wrong::Stuck { .. })).min(1),
            asks: verdict.asks,
            asks_max: verdict.asks,
            looks: verdict.looks,
            probes: verdict.probes,
            latest: (verdict.late, index),
            met: verdict.met,
            failed: verdict.wrong.into_iter().map(|w| (index, w)).collect(),
        });
    }

    /// Adds what others found.
    pub(super) fn add(&mut self, other: Tally) {
        self.orders += other.orders;
        self.false_states += other.false_states;
        self.wrong_at_rest += other.wrong_at_rest;
        self.stuck += other.stuck;
        self.asks += other.asks;
        self.asks_max = self.asks_max.max(other.asks_max);
        self.looks += other.looks;
        self.probes += other.probes;
        self.latest = self.latest.max(other.latest);
        for (mine, others) in self.met.0.iter_mut().zip(other.met.0) {
            *mine += others;
        }
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|(index, _)| *index);
        self.failed.truncate(Tally::FAILED_MAX);
    }

    /// Whether something was false, wrong at rest, or stuck.
    pub fn is_wrong(&self) -> bool {
        self.false_states > 0 || self.wrong_at_rest > 0 || self.stuck > 0
    }

    /// Questions per order, without those that only looked after it.
    pub fn asks_per_order(&self) -> f64 {
        self.asks as f64 / self.orders.max(1) as f64
    }

    /// The rare paths that were met too seldom for so many orders to prove anything.
    pub fn too_seldom(&self) -> Vec<String> {
        let missed = self.met.paths().filter_map(|(name, met, least)| {
            let least = least * self.orders / 1_000_000;
            (met < least).then(|| format!("{name}: met {met} times, and not {least}"))
        });
        missed.collect()
    }
}
