//! Results of a simulation: faults, the number of fetches, and the rare paths that were met.

use std::fmt;
use std::time::Duration;

use super::in_seconds;
use number_order::State;

/// Fault of a strategy in the play of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A state was confirmed that the order never had, or had left before it entered the state confirmed last.
    FalseState {
        /// Offset at which the state was confirmed.
        at: Duration,
        /// State that was confirmed.
        state: State,
    },
    /// At the end of the play, the believed state is not the order's last state.
    AtRest {
        /// State that the strategy under test believes the order to be in.
        believed: Option<State>,
        /// State that the order is in.
        truth: Option<State>,
    },
    /// The order is stuck: it makes no progress where it must.
    Stuck {
        /// Offset at which the judge noticed that the order is stuck.
        at: Duration,
        /// Way in which the order is stuck.
        how: Stuck,
    },
}

/// Way in which an order is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// The order is parked, though fewer attempts than parking takes failed through the order itself.
    ParkedByOthersFailures,
    /// The order is still parked after an event.
    StillParked,
    /// The order has something open, and no fetch is going to be sent.
    NoFetchAhead,
    /// An operator requested a fetch, and none followed.
    RequestIgnored,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stuck::ParkedByOthersFailures => "parked by failures that were not its own",
            Stuck::StillParked => "parked still, after an event",
            Stuck::NoFetchAhead => "open, and no fetch is planned",
            Stuck::RequestIgnored => "an operator requested a fetch, and none followed",
        })
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |state: &Option<State>| state.map_or("nothing", State::as_str);
        match self {
            Wrong::FalseState { at, state } => {
                write!(f, "false or backward at {}: {state}", in_seconds(*at))
            }
            Wrong::AtRest { believed, truth } => {
                let (believed, truth) = (word(believed), word(truth));
                write!(f, "wrong at rest: {believed}, and the truth is {truth}")
            }
            Wrong::Stuck { at, how } => write!(f, "stuck at {}: {how}", in_seconds(*at)),
        }
    }
}

/// Result of playing one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Faults of the strategy, in the order in which they happened.
    pub wrong: Vec<Wrong>,
    /// Number of fetches that an event, a doubt or the failure of such a fetch required.
    pub fetches: u64,
    /// Number of fetches that only watched an order without new events.
    pub routine_fetches: u64,
    /// Number of fetches that failed because Sinch as a whole was down.
    pub probes: u64,
    /// Time from the order's last change until the truth was known and stayed known.
    pub late: Duration,
    /// Rare paths through the rules that the order took.
    pub met: Met,
}

impl Verdict {
    /// Returns `true` if any state that the strategy confirmed was false.
    pub(super) fn has_false_states(&self) -> bool {
        let is_false = |wrong: &Wrong| matches!(wrong, Wrong::FalseState { .. });
        self.wrong.iter().any(is_false)
    }
}

/// Path through the rules that few orders take. A simulation that does not meet it proves nothing about it.
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
    NoTimeStamp,
    UnknownStatus,
    Crash,
    Outage,
    Alone,
    Ahead,
    Redated,
    Behind,
    RequestDuringFetch,
    Agreement,
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
        Rare::NoTimeStamp,
        Rare::UnknownStatus,
        Rare::Crash,
        Rare::Outage,
        Rare::Alone,
        Rare::Ahead,
        Rare::Redated,
        Rare::Behind,
        Rare::RequestDuringFetch,
        Rare::Agreement,
        Rare::Doubted,
    ];

    /// Name of the path, and the number of times that 1,000,000 orders of a hostile scenario must meet it: about half
    /// as often as they do.
    fn name_and_required(self) -> (&'static str, u64) {
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
            Rare::NoTimeStamp => ("event without a readable time", 5_000),
            Rare::UnknownStatus => ("event with an unknown status", 12_000),
            Rare::Crash => ("crash", 380_000),
            Rare::Outage => ("fetch while Sinch is down", 240_000),
            Rare::Alone => ("fetch that fails for this order alone", 2_500),
            Rare::Ahead => ("answer from the future refused", 9_000),
            Rare::Redated => ("date from the future overruled", 6_000),
            Rare::Behind => ("clock behind at the start", 4_500),
            Rare::RequestDuringFetch => ("request of an operator during a fetch", 50_000),
            Rare::Agreement => ("event that agrees with a parked order", 8),
            Rare::Doubted => ("overruled claim kept as a doubt", 160_000),
        }
    }
}

/// Number of times that orders took each rare path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met([u64; Rare::ALL.len()]);

impl Met {
    pub(super) fn note(&mut self, path: Rare) {
        self.0[path as usize] += 1;
    }

    /// Returns each rare path by name, the number of times it was met, and the number required of 1,000,000 orders.
    pub fn paths(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        Rare::ALL.into_iter().map(|path| {
            let (name, least) = path.name_and_required();
            (name, self.0[path as usize], least)
        })
    }
}

/// Results of a simulation of many orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of orders played.
    pub orders: u64,
    /// Number of confirmed states that were false or went back in the order's history.
    pub false_states: u64,
    /// Number of orders of which a state other than the true one was confirmed at the end.
    pub wrong_at_rest: u64,
    /// Number of orders that were stuck.
    pub stuck: u64,
    /// Sum of [`Verdict::fetches`] over all orders.
    pub fetches: u64,
    /// Maximum number of fetches for a single order.
    pub fetches_max: u64,
    /// Sum of [`Verdict::routine_fetches`] over all orders.
    pub routine_fetches: u64,
    /// Sum of [`Verdict::probes`] over all orders.
    pub probes: u64,
    /// Maximum of [`Verdict::late`] over all orders, with the index of its order.
    pub latest: (Duration, u64),
    /// Rare paths through the rules that orders took.
    pub met: Met,
    /// First orders with a fault, by index, each with the fault.
    pub failed: Vec<(u64, Wrong)>,
}

impl Tally {
    /// Maximum number of orders with a fault that are kept: nobody reads more.
    const FAILED_MAX: usize = 20;

    /// Adds the result of an order's play.
    pub(super) fn count(&mut self, index: u64, verdict: Verdict) {
        let count = |is: fn(&&Wrong) -> bool| verdict.wrong.iter().filter(is).count() as u64;
        self.add(Tally {
            orders: 1,
            false_states: count(|wrong| matches!(wrong, Wrong::FalseState { .. })),
            wrong_at_rest: count(|wrong| matches!(wrong, Wrong::AtRest { .. })),
            stuck: count(|wrong| matches!(wrong, Wrong::Stuck { .. })).min(1),
            fetches: verdict.fetches,
            fetches_max: verdict.fetches,
            routine_fetches: verdict.routine_fetches,
            probes: verdict.probes,
            latest: (verdict.late, index),
            met: verdict.met,
            failed: verdict.wrong.into_iter().map(|w| (index, w)).collect(),
        });
    }

    /// Adds the results of another tally to this one.
    pub(super) fn add(&mut self, other: Tally) {
        self.orders += other.orders;
        self.false_states += other.false_states;
        self.wrong_at_rest += other.wrong_at_rest;
        self.stuck += other.stuck;
        self.fetches += other.fetches;
        self.fetches_max = self.fetches_max.max(other.fetches_max);
        self.routine_fetches += other.routine_fetches;
        self.probes += other.probes;
        self.latest = self.latest.max(other.latest);
        for (mine, others) in self.met.0.iter_mut().zip(other.met.0) {
            *mine += others;
        }
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|(index, _)| *index);
        self.failed.truncate(Tally::FAILED_MAX);
    }

    /// Returns `true` if the strategy failed: a state was false, wrong at the end, or an order was stuck.
    pub fn is_wrong(&self) -> bool {
        self.false_states > 0 || self.wrong_at_rest > 0 || self.stuck > 0
    }

    /// Returns the number of fetches per order, not counting those that only watched the order.
    pub fn fetches_per_order(&self) -> f64 {
        self.fetches as f64 / self.orders.max(1) as f64
    }

    /// Returns the rare paths that were met too seldom for a simulation of this number of orders to prove anything.
    pub fn too_seldom(&self) -> Vec<String> {
        let missed = self.met.paths().filter_map(|(name, met, least)| {
            let least = least * self.orders / 1_000_000;
            (met < least).then(|| format!("{name}: met {met} times, and not {least}"))
        });
        missed.collect()
    }
}
