//! What to do next about a project's due orders: ask about so many of them, or wait.
//!
//! Pure but for what it counts: every moment is an argument, so an outage of hours can be tried in an
//! instant. [`super::ask`] carries out what is said here.

use std::time::Duration;

use super::budget::{Budget, burst};
use super::gate::{self, Passage, Trouble};
use crate::order::{Answer, Failure, Id, Time};
use crate::sinch::api::{AskError, Fault};
use crate::store::{Gate, Turn};

/// For so many places that go to the most urgent, one goes to the order that has waited longest, however much
/// is more urgent: so nobody waits for ever. The most urgent have the others, so that they need not wait for all
/// that is routine.
const URGENT_TO_OLDEST: u32 = 3;

/// However fast Sinch answers, no more orders are in hand.
const AHEAD_MAX: u32 = 512;

/// For so long the lanes are to find orders in hand.
const IN_HAND: Duration = Duration::from_millis(25);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Claim due orders, to ask about them as lanes come free. Their places are taken; [`Pace::freed`] gives
    /// each back.
    Ask {
        /// How many at most.
        orders_max: u32,
        /// Who comes first.
        turn: Turn,
    },
    /// Nothing before this time, unless an operator opens the gate.
    Wait(Time),
    /// Nothing until a question that is under way has ended.
    Full,
}

/// How fast the questions for one project may follow each other.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Questions under way at once.
    pub lanes: u32,
    /// Questions a second at most, over time.
    pub asks_per_second: f64,
    /// The longest that the probes of a closed gate are to lie apart.
    pub probes_apart_max: Duration,
}

impl Limits {
    /// In hand are no more than a tenth of a second's questions: at a rate at which a commit is short against
    /// the time between two questions, none.
    fn ahead_max(&self) -> u32 {
        burst(self.asks_per_second).min(AHEAD_MAX)
    }
}

/// The state of one project's asking.
pub(super) struct Pace {
    limits: Limits,
    gate: Gate,
    /// The order whose try failed last, until one succeeds. Many tries of one order that fail speak of
    /// that order; failures of different ones in a row speak of the provider.
    failed_last: Option<Id>,
    /// Orders that are claimed, and those that are about to be: asked about, or in hand until a lane is free.
    under_way: u32,
    /// How many may be in hand.
    ahead: u32,
    /// Questions that have ended since orders were claimed last.
    ended: u32,
    /// When orders were claimed last, and since when more are being claimed.
    claimed_at: Time,
    claiming_since: Time,
    budget: Budget,
    /// Places that went to the most urgent since the oldest had theirs.
    owed: u32,
}

impl Pace {
    /// Begins with the gate as an earlier run left it. That may have been killed over a probe, so a gate
    /// that is closed stays closed for a while even if its time has come.
    pub fn new(limits: Limits, gate: Gate, now: Time) -> Pace {
        let gate = gate::taken_up(gate, now, limits.probes_apart_max);
        Pace {
            budget: Budget::new(limits.asks_per_second),
            limits,
            gate,
            failed_last: None,
            under_way: 0,
            ahead: 0,
            ended: 0,
            claimed_at: now,
            claiming_since: now,
            owed: 0,
        }
    }

    /// The gate as it is now.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// What to do now.
    pub fn next(&mut self, now: Time) -> Next {
        let free = match gate::passage(&self.gate, now) {
            Passage::Closed(until) => return Next::Wait(until),
            // A probe goes out alone, when nothing else is under way.
            Passage::Probe => u32::from(self.under_way == 0),
            Passage::Open => self.room(),
        };
        if free == 0 {
            return Next::Full;
        }
        let orders_max = match self.budget.take(free, now) {
            Ok(taken) => taken,
            Err(until) => return Next::Wait(until),
        };
        self.under_way += orders_max;
        self.claiming_since = now;
        let turn = self.turn(orders_max);
        Next::Ask { orders_max, turn }
    }

    /// Whose turn it is to have so many places.
    fn turn(&mut self, places: u32) -> Turn {
        let owing = URGENT_TO_OLDEST * places;
        match self.owed.checked_sub(owing) {
            Some(owed) => {
                self.owed = owed;
                Turn::Oldest
            }
            None => {
                self.owed += places;
                Turn::Urgent
            }
        }
    }

    /// So many of the orders are claimed for which [`Next::Ask`] took places; the other places are free again.
    ///
    /// A claim takes a commit, which the lanes are not to wait for: what they get through in [`IN_HAND`], or
    /// while four such claims are made if that takes longer, is kept in hand from now on. A slow Sinch answers
    /// next to nothing meanwhile, so next to nothing waits in hand for it.
    pub fn claimed(&mut self, places: u32, orders: u32, now: Time) {
        self.under_way = self.under_way.saturating_sub(places.saturating_sub(orders));
        let between = now.since(self.claimed_at).as_secs_f64().max(1e-6);
        let took = now.since(self.claiming_since);
        let span = IN_HAND.max(took * 4).as_secs_f64();
        let meanwhile = (f64::from(self.ended) / between * span).round() as u32;
        self.ahead = meanwhile.max(self.ahead / 2).min(self.limits.ahead_max());
        self.ended = 0;
        self.claimed_at = now;
    }

    /// How many more orders may be claimed. What is in hand is filled up in portions, for each has a commit.
    fn room(&self) -> u32 {
        let room = (self.limits.lanes + self.ahead).saturating_sub(self.under_way);
        if room < self.ahead / 4 { 0 } else { room }
    }

    /// A place is free again: its question has ended.
    pub fn freed(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.ended = self.ended.saturating_add(1);
    }

    /// Whether there may be more to do, now that a place is free.
    pub fn has_room(&self) -> bool {
        self.under_way == 0 || self.room() > 0
    }

    /// Whether an order that is in hand may be asked about: the gate may have closed since it was claimed.
    pub fn may_ask(&self, now: Time) -> bool {
        match gate::passage(&self.gate, now) {
            Passage::Open => true,
            Passage::Probe => self.under_way == 1,
            Passage::Closed(_) => false,
        }
    }

    /// A question has come to this. Returns the result as the order's rules need it, and whether the
    /// provider as a whole is well. `roll` is chance, 0 to 1.
    pub fn tried(
        &mut self,
        order: &Id,
        result: Result<Answer, AskError>,
        now: Time,
        roll: f64,
    ) -> (Result<Answer, Failure>, bool) {
        match result {
            Ok(answer) => {
                self.answered(now);
                (Ok(answer), true)
            }
            Err(error) => {
                let healthy = self.failed(order, &error, now, roll);
                let failure = Failure {
                    reason: error.to_string(),
                    wait_min: error.retry_after().unwrap_or_default(),
                };
                (Err(failure), healthy)
            }
        }
    }

    /// Ends a pause, but not one that Sinch asked for since the question was sent.
    fn answered(&mut self, now: Time) {
        self.failed_last = None;
        match gate::passage(&self.gate, now) {
            Passage::Closed(_) => {}
            Passage::Open | Passage::Probe => self.gate = Gate::default(),
        }
    }

    /// `true`: the fault is this order's, and the provider is well.
    fn failed(&mut self, order: &Id, error: &AskError, now: Time, roll: f64) -> bool {
        let failed_last = self.failed_last.replace(order.clone());
        let of_order = error.whose() == Fault::Order;
        let paused = self.gate.paused.is_some();
        // A probe that fails proves nothing, so it is followed by a pause whosever the fault was.
        if of_order && !paused && failed_last.as_ref() == Some(order) {
            return true;
        }
        let trouble = Trouble {
            reason: error.to_string(),
            retry_after: error.retry_after(),
            refused: error.is_refused(),
        };
        let cap = self.limits.probes_apart_max;
        self.gate = gate::after_trouble(&self.gate, &trouble, now, cap, roll);
        of_order && !paused
    }

    /// An operator opens the gate.
    pub fn resumed(&mut self) {
        self.gate = Gate::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinch::api::{Endpoint, Trouble};

    fn pace(lanes: u32, asks_per_second: f64) -> Pace {
        let limits = Limits {
            lanes,
            asks_per_second,
            probes_apart_max: Duration::from_secs(300),
        };
        Pace::new(limits, Gate::default(), secs(0))
    }

    fn id(text: &str) -> Id {
        Id::new(text).expect("an id")
    }

    fn secs(secs: i64) -> Time {
        Time(secs * 1_000_000)
    }

    fn unavailable(retry_after: Option<u64>) -> AskError {
        AskError::Provider {
            at: Endpoint::Orders,
            trouble: Trouble::Status(503),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    const UNUSABLE: AskError = AskError::Order {
        status: 500,
        why: "Sinch failed over this order",
    };

    fn asks(next: Next) -> u32 {
        match next {
            Next::Ask { orders_max, .. } => orders_max,
            Next::Wait(_) | Next::Full => 0,
        }
    }

    #[test]
    fn no_more_at_once_than_there_are_lanes_and_the_rate_allows() {
        let mut pace = pace(3, 20.0);
        assert_eq!(asks(pace.next(secs(0))), 2, "a tenth of a second's worth");
        let Next::Wait(until) = pace.next(secs(0)) else {
            panic!("one lane is free, but the rate is used up");
        };
        assert!(until > secs(0) && until <= Time(50_001), "{until}");
        assert_eq!(asks(pace.next(until)), 1);
        assert_eq!(pace.next(secs(9)), Next::Full);
        pace.freed();
        assert_eq!(asks(pace.next(secs(9))), 1);
    }

    #[test]
    fn over_time_the_rate_is_kept_and_used() {
        let mut pace = pace(4, 5.0);
        let (mut now, mut asked) = (secs(0), 0);
        while now < secs(1000) {
            match pace.next(now) {
                Next::Ask { orders_max, .. } => {
                    asked += orders_max;
                    (0..orders_max).for_each(|_| pace.freed());
                }
                Next::Wait(until) => now = until,
                Next::Full => panic!("all lanes are free"),
            }
        }
        assert!((4990..=5001).contains(&asked), "{asked}");
    }

    #[test]
    fn one_place_in_four_is_for_whoever_has_waited_longest() {
        for lanes in [1, 3, 4, 7] {
            let mut pace = pace(lanes, 1e6);
            let (mut all, mut oldest) = (0, 0);
            while all < 1000 * lanes {
                if let Next::Ask { orders_max, turn } = pace.next(secs(i64::from(all))) {
                    all += orders_max;
                    if turn == Turn::Oldest {
                        oldest += orders_max;
                    }
                    (0..orders_max).for_each(|_| pace.freed());
                }
            }
            assert_eq!(oldest, all / 4, "{lanes} lanes");
        }
    }

    #[test]
    fn places_of_all_sizes_are_shared_out_alike() {
        let mut pace = pace(1, 1.0);
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut all, mut oldest, mut since) = (0, 0, 0);
        for _ in 0..10_000 {
            let places = rng.u32(1..=200);
            all += places;
            match pace.turn(places) {
                Turn::Oldest => (oldest, since) = (oldest + places, 0),
                _ => since += places,
            }
            assert!(
                since <= 4 * 200,
                "{since} places without one for the oldest"
            );
        }
        let share = f64::from(oldest) / f64::from(all);
        assert!((0.2..=0.25).contains(&share), "{share}");
    }

    /// Claims what may be claimed, which takes so long, and lets all that was in the lanes end meanwhile.
    fn claim(pace: &mut Pace, now: &mut Time, took: Duration, ends: u32) -> u32 {
        let places = asks(pace.next(*now));
        (0..ends).for_each(|_| pace.freed());
        *now = now.plus(took);
        if places > 0 {
            pace.claimed(places, places, *now);
        }
        places
    }

    #[test]
    fn a_fast_sinch_finds_orders_in_hand_and_a_slow_one_or_a_low_rate_does_not() {
        let ms = Duration::from_millis;
        // Lanes; the rate; how long an answer takes, in ms; and what is in hand after a while.
        for (lanes, rate, answer_ms, in_hand) in [
            (1, 1e6, 1, 20..=30),
            (8, 1e6, 1, 180..=220),
            (8, 1e6, 200, 0..=2),
            (8, 100.0, 1, 2..=3),
            (4, 5.0, 1, 0..=0),
        ] {
            let (mut pace, mut now) = (pace(lanes, rate), secs(0));
            for _ in 0..2000 {
                // A claim takes 1 ms, as does all else here.
                let ends = match now.since(secs(0)).as_millis() % answer_ms {
                    0 => lanes.min(pace.under_way),
                    _ => 0,
                };
                claim(&mut pace, &mut now, ms(1), ends);
            }
            assert!(
                in_hand.contains(&pace.ahead),
                "{} in hand for {lanes} lanes, {rate} a second, {answer_ms} ms",
                pace.ahead
            );
        }
    }

    #[test]
    fn places_that_found_no_order_are_free_again() {
        let mut pace = pace(4, 1000.0);
        assert_eq!(asks(pace.next(secs(0))), 4);
        pace.claimed(4, 1, secs(0));
        assert_eq!(asks(pace.next(secs(1))), 3);
    }

    #[test]
    fn what_is_in_hand_waits_for_no_closed_gate() {
        let mut pace = pace(2, 1000.0);
        assert_eq!(asks(pace.next(secs(0))), 2);
        assert!(pace.may_ask(secs(0)));
        pace.failed(&id("o1"), &unavailable(Some(10)), secs(0), 0.0);
        assert!(!pace.may_ask(secs(1)));
        assert!(!pace.may_ask(secs(10)), "a probe goes out alone");
        pace.freed();
        assert!(pace.may_ask(secs(10)));
    }

    #[test]
    fn a_probe_goes_out_alone_and_an_answer_opens_the_gate() {
        let mut pace = pace(4, 1000.0);
        assert_eq!(asks(pace.next(secs(0))), 4);
        for order in ["o1", "o2", "o3"] {
            assert!(!pace.failed(&id(order), &unavailable(None), secs(0), 0.0));
            pace.freed();
        }
        assert_eq!(pace.next(secs(0)), Next::Wait(secs(30)));
        assert_eq!(pace.next(secs(30)), Next::Full, "one is still under way");
        pace.freed();
        assert_eq!(asks(pace.next(secs(30))), 1);
        assert_eq!(pace.next(secs(30)), Next::Full);
        pace.freed();
        assert!(!pace.failed(&id("o1"), &unavailable(None), secs(30), 0.0));
        assert_eq!(pace.next(secs(31)), Next::Wait(secs(60)));
        assert_eq!(asks(pace.next(secs(60))), 1);
        pace.answered(secs(60));
        pace.freed();
        assert_eq!(asks(pace.next(secs(61))), 4);
        assert_eq!(*pace.gate(), Gate::default());
    }

    #[test]
    fn an_answer_to_an_older_question_does_not_end_what_sinch_asked_for() {
        let mut pace = pace(4, 1000.0);
        assert_eq!(asks(pace.next(secs(0))), 4);
        pace.failed(&id("o1"), &unavailable(Some(100)), secs(0), 0.0);
        pace.answered(secs(1));
        assert_eq!(pace.next(secs(1)), Next::Wait(secs(100)));
        pace.resumed();
        (0..4).for_each(|_| pace.freed());
        assert_eq!(asks(pace.next(secs(1))), 4, "but an operator does");
    }

    #[test]
    fn one_order_that_always_fails_closes_nothing_unless_it_is_the_probe() {
        let mut pace = pace(1, 1000.0);
        for n in 0..100 {
            assert!(pace.failed(&id("bad"), &UNUSABLE, secs(n), 0.0));
        }
        assert_eq!(pace.gate().paused, None);
        assert!(pace.failed(&id("o2"), &UNUSABLE, secs(100), 0.0));
        pace.failed(&id("o3"), &UNUSABLE, secs(100), 0.0);
        assert_eq!(pace.next(secs(100)), Next::Wait(secs(130)));
        // A probe that tells nothing is followed by a pause, too, even if it was the same order's again.
        assert_eq!(asks(pace.next(secs(130))), 1);
        pace.freed();
        assert!(!pace.failed(&id("o3"), &UNUSABLE, secs(130), 0.0));
        assert_eq!(pace.next(secs(130)), Next::Wait(secs(160)));
    }

    #[test]
    fn what_an_earlier_run_left_closed_stays_closed() {
        let mut before = pace(1, 5.0);
        before.failed(&id("o1"), &unavailable(Some(100)), secs(0), 0.0);
        let again = |now| Pace::new(before.limits.clone(), before.gate().clone(), now);
        // Perhaps a probe was under way when the run ended.
        assert_eq!(again(secs(105)).next(secs(106)), Next::Wait(secs(135)));
        let mut after = again(secs(1));
        assert_eq!(after.next(secs(1)), Next::Wait(secs(100)));
        assert_eq!(asks(after.next(secs(100))), 1);
        assert_eq!(after.next(secs(101)), Next::Full, "a probe goes out alone");
    }
}
