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
    /// From the order's last change until the truth was known for good.
    pub late: Duration,
    /// The rare paths that it took.
    pub met: Met,
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
}

impl Rare {
    const ALL: [Rare; 14] = [
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
    ];

    /// What it is called, and how often 1,000,000 orders of a hostile course must meet it: about half as
    /// often as they do.
    fn described(self) -> (&'static str, u64) {
        match self {
            Rare::Tie => ("two states with one update time", 35_000),
            Rare::TieSettled => ("… of which the second was the later", 24_000),
            Rare::Stale => ("stale answer refused", 12_000),
            Rare::Reopened => ("final state re-opened", 17_000),
            Rare::FoundAfter404 => ("404, then found", 58_000),
            Rare::ExpiredUnseen => ("expired and forgotten", 2_700),
            Rare::Withdrawn => ("provisional state withdrawn", 27_000),
            Rare::Unspecified => ("unspecified state", 70_000),
            Rare::Parked => ("parked", 4),
            Rare::OutOfOrder => ("event out of order", 34_000),
            Rare::AfterFinal => ("event after a final state", 15_000),
            Rare::Timeless => ("event without a readable time", 5_000),
            Rare::Foreign => ("event with an unknown status", 12_000),
            Rare::Crash => ("crash", 380_000),
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
    /// The questions of all orders, as in [`Verdict::asks`].
    pub asks: u64,
    /// The most of them that one order needed.
    pub asks_max: u64,
    /// The questions of all orders, as in [`Verdict::looks`].
    pub looks: u64,
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
        let at_rest = |wrong: &&Wrong| matches!(wrong, Wrong::AtRest { .. });
        let wrong_at_rest = verdict.wrong.iter().filter(at_rest).count() as u64;
        self.add(Tally {
            orders: 1,
            false_states: verdict.wrong.len() as u64 - wrong_at_rest,
            wrong_at_rest,
            asks: verdict.asks,
            asks_max: verdict.asks,
            looks: verdict.looks,
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
        self.asks += other.asks;
        self.asks_max = self.asks_max.max(other.asks_max);
        self.looks += other.looks;
        self.latest = self.latest.max(other.latest);
        for (mine, others) in self.met.0.iter_mut().zip(other.met.0) {
            *mine += others;
        }
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|(index, _)| *index);
        self.failed.truncate(Tally::FAILED_MAX);
    }

    /// Whether something was false, or wrong at rest.
    pub fn is_wrong(&self) -> bool {
        self.false_states > 0 || self.wrong_at_rest > 0
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
