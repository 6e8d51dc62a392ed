//! Proof of the ordering rules: worlds played in simulated time against the pure rules.
//!
//! Each order is played alone, because orders do not affect each other. Three things are judged.
//!
//! - Safety: the states that a strategy confirmed, one after the other, are states in which the order was, and
//!   never go back.
//! - Liveness: at rest, the last of them is the order's final state.
//! - Nothing is stuck: only failures of its own park an order, an event brings it back, what is open has a fetch ahead,
//!   and an operator's request is followed by a fetch.
//!
//! Simpler strategies are played as controls: a simulation that they pass proves nothing.

mod incidents;
mod judge;
mod play;
mod reply;
mod strategy;
mod subject;
mod tally;

pub use incidents::IncidentRates;
pub use strategy::Strategy;
pub use subject::{Applied, Subject};
pub use tally::{Met, Tally, Verdict, Wrong};

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;

use self::play::{Play, Randomness, START};
use self::strategy::StrategySubject;
use super::history::{EventContent, OrderHistory, SimulatedEvent};
use super::lock;
use super::script::{Faults, Script};
use super::world::World;
use number_order::{Backoff, Id, Policy, Time};

/// Number of orders in a world of the simulation: enough for all courses that orders take, few enough to make a world
/// for a single order.
const BATCH_ORDERS: u64 = 64;

/// Maximum extra delay of a callback in the replay of a world that was played by the clock.
const DELAY_MAX: Duration = Duration::from_secs(1);

/// Conditions under which strategies are played.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Seed of all randomness in the scenario.
    pub seed: u64,
    /// Number of orders that are played.
    pub orders: u64,
    /// Span within which every order's history plays.
    pub span: Duration,
    /// Faults at Sinch and on the way.
    pub faults: Faults,
    /// Rate of steps at which the service crashes. The effect of a step that it had not committed is lost.
    pub crash: f64,
    /// Rate of events whose time stamp is unreadable.
    pub no_time_stamp: f64,
    /// Rate of events whose status is a word that the program does not know.
    pub unknown_status: f64,
    /// Rate of orders that operators fetch several times soon after each change.
    pub operator_requests: f64,
    /// Maximum deviation of the service's clock from Sinch's, either way.
    pub clock_off_max: Duration,
    /// Rates of further incidents of orders.
    pub incidents: IncidentRates,
    /// `true` if no callback ever arrives, and every order is watched from its creation on.
    pub without_callbacks: bool,
    /// Spans of time on which the rules rely.
    pub policy: Policy,
    /// Spacing of the attempts to fetch an order.
    pub backoff: Backoff,
}

impl Scenario {
    /// Maximum time for which a watched order's last change stays unknown where no callback arrives: until the next
    /// fetch, and the duration of its attempts.
    pub const UNANNOUNCED_MAX: Duration = Duration::from_secs(6 * 3600 + 15 * 60);

    /// Returns the worst scenario that the rules are meant to withstand.
    pub fn hostile(seed: u64, orders: u64, policy: Policy, backoff: Backoff) -> Scenario {
        Scenario {
            seed,
            orders,
            span: Duration::from_secs(3 * 24 * 3600),
            faults: Faults {
                staler: 0.01,
                staleness_max: Duration::from_secs(300),
                cached: 0.5,
                unspecified: 0.005,
                ..Faults::hostile()
            },
            crash: 0.01,
            no_time_stamp: 0.01,
            unknown_status: 0.01,
            operator_requests: 0.1,
            clock_off_max: Duration::from_secs(2),
            incidents: IncidentRates::hostile(),
            without_callbacks: false,
            policy,
            backoff,
        }
    }

    /// Returns the hostile scenario within minutes, with a Sinch whose answers are often staler than usual and that
    /// soon forgets what has expired: an event's claim may then be the only information left.
    pub fn forgetful(seed: u64, orders: u64, policy: Policy, backoff: Backoff) -> Scenario {
        let hostile = Scenario::hostile(seed, orders, policy, backoff);
        Scenario {
            span: Duration::from_secs(30 * 60),
            faults: Faults {
                staler: 0.2,
                forgets_expired: 1.0,
                ..hostile.faults
            },
            incidents: IncidentRates::none(),
            ..hostile
        }
    }

    /// Returns the hostile scenario with many orders that fail alone for a while, until they are parked.
    pub fn failing_alone(seed: u64, orders: u64, policy: Policy, backoff: Backoff) -> Scenario {
        Scenario {
            incidents: IncidentRates {
                alone: 0.1,
                ..IncidentRates::hostile()
            },
            ..Scenario::hostile(seed, orders, policy, backoff)
        }
    }

    /// Returns the scenario on which a strategy is played. For a control, it is one that often meets the control's
    /// fault.
    pub fn of(
        strategy: Strategy,
        seed: u64,
        orders: u64,
        policy: Policy,
        backoff: Backoff,
    ) -> Scenario {
        let scenario = match strategy {
            Strategy::ClaimsForgotten => Scenario::forgetful,
            Strategy::AgreementIgnored => Scenario::failing_alone,
            Strategy::Rules
            | Strategy::TiesBelieved
            | Strategy::OldAnswersFulfil
            | Strategy::OutagesCount
            | Strategy::DatesBelieved
            | Strategy::FirstAnswerBelieved
            | Strategy::NewestTimeStampWins
            | Strategy::EveryEventBelieved => Scenario::hostile,
        };
        scenario(seed, orders, policy, backoff)
    }

    /// Returns the hostile scenario without a single callback: an order's state is known by routine fetches alone.
    pub fn without_callbacks(seed: u64, orders: u64, policy: Policy, backoff: Backoff) -> Scenario {
        Scenario {
            // Incidents would change how soon a state is learnt.
            incidents: IncidentRates::none(),
            without_callbacks: true,
            ..Scenario::hostile(seed, orders, policy, backoff)
        }
    }

    /// Plays every order by one strategy, on the given number of threads. The number does not affect the result.
    pub fn run(&self, strategy: Strategy, threads: usize) -> Tally {
        self.run_with(&|_, since| StrategySubject::new(strategy, since), threads)
    }

    /// Plays every order with a subject of its own, which is made from the order's id and the time of its creation.
    pub fn run_with<M: Subject>(&self, subject: &MakeSubject<'_, M>, threads: usize) -> Tally {
        let (next, total) = (AtomicU64::new(0), Mutex::new(Tally::default()));
        let work = || {
            let mut tally = Tally::default();
            loop {
                let first = next.fetch_add(BATCH_ORDERS, Ordering::Relaxed);
                if first >= self.orders {
                    return lock(&total).add(tally);
                }
                self.play_batch(subject, first, &mut tally);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        total
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns the story of one order's play, step by step; empty if there is no order with the given index.
    pub fn story(&self, strategy: Strategy, index: u64) -> Vec<String> {
        self.story_with(&|_, since| StrategySubject::new(strategy, since), index)
    }

    /// Returns the story of one order's play, with a subject as in [`Scenario::run_with`].
    pub fn story_with<M: Subject>(&self, subject: &MakeSubject<'_, M>, index: u64) -> Vec<String> {
        let world = self.world(index - index % BATCH_ORDERS);
        let events = events_by_order(&world);
        let nth = usize::try_from(index % BATCH_ORDERS).unwrap_or_default();
        let Some(history) = world.orders().nth(nth) else {
            return Vec::new();
        };
        let deliveries = self.deliveries(&events, &history.id);
        let randomness = Randomness::of(&world, history);
        Play::new(
            self,
            &world,
            history,
            deliveries,
            make_subject(subject, history),
            randomness,
        )
        .story()
    }

    /// Plays every order of a world that was played by the clock before, `times` times. The moments at which callbacks
    /// arrive and the service acts differ each time. Only the program's rules are played, without the service. Sinch
    /// answers in the same way as it did by the clock.
    pub fn replay(&self, world: &World, times: u64) -> Tally {
        let (events, mut tally) = (events_by_order(world), Tally::default());
        let mut index = 0..;
        for seed in 0..times {
            for (history, index) in world.orders().zip(&mut index) {
                let mut rng = Rng::with_seed(seed);
                let mut deliveries = self.deliveries(&events, &history.id);
                for (at, _) in &mut deliveries {
                    *at += DELAY_MAX.mul_f64(rng.f64());
                }
                deliveries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
                let subject = StrategySubject::new(Strategy::Rules, created_at(history));
                let randomness = Randomness {
                    reply_rng: world.reply_rng(history),
                    rng,
                };
                let play = Play::new(self, world, history, deliveries, subject, randomness);
                tally.count(index, play.run());
            }
        }
        tally
    }

    fn play_batch<M: Subject>(&self, subject: &MakeSubject<'_, M>, first: u64, tally: &mut Tally) {
        let world = self.world(first);
        let events = events_by_order(&world);
        for (index, history) in (first..self.orders.min(first + BATCH_ORDERS)).zip(world.orders()) {
            if self.without_callbacks && !history.is_end_shown_by_fetches() {
                continue;
            }
            let deliveries = self.deliveries(&events, &history.id);
            let randomness = Randomness::of(&world, history);
            let play = Play::new(
                self,
                &world,
                history,
                deliveries,
                make_subject(subject, history),
                randomness,
            );
            tally.count(index, play.run());
        }
    }

    /// Makes the world, which is all that happens at Sinch, of one batch of orders; `first` is the index of the batch's
    /// first order.
    fn world(&self, first: u64) -> World {
        let script = Script {
            project: Id::new("trial").expect("is a safe id"),
            orders: BATCH_ORDERS as usize,
            span: self.span,
            faults: self.faults.clone(),
        };
        // Neighbouring seeds must not make equal worlds.
        World::new(
            self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ first,
            &script,
        )
    }

    /// Returns the events of an order and the offsets at which their callbacks arrive, if nothing comes in between. The
    /// first one is last in the list.
    fn deliveries<'a>(
        &self,
        events: &BTreeMap<&Id, &'a [SimulatedEvent]>,
        order: &Id,
    ) -> Vec<(Duration, &'a SimulatedEvent)> {
        let events = events.get(order).copied().unwrap_or_default();
        let mut deliveries: Vec<(Duration, &SimulatedEvent)> = events
            .iter()
            .filter(|event| {
                !self.without_callbacks && matches!(event.content, EventContent::State(_))
            })
            .flat_map(|event| event.sent_at.iter().map(move |at| (*at, event)))
            .collect();
        deliveries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        deliveries
    }
}

/// Function that makes the subject with which an order is played.
type MakeSubject<'a, M> = dyn Fn(&Id, Time) -> M + Sync + 'a;

fn make_subject<M>(subject: &MakeSubject<'_, M>, history: &OrderHistory) -> M {
    subject(&history.id, created_at(history))
}

/// Returns the time at which an order was created.
fn created_at(history: &OrderHistory) -> Time {
    START.plus(history.created().unwrap_or_default())
}

/// Returns the events of each order; a world lists them order by order.
fn events_by_order(world: &World) -> BTreeMap<&Id, &[SimulatedEvent]> {
    let by_order = world.events().chunk_by(|one, next| one.order == next.order);
    by_order.map(|events| (&events[0].order, events)).collect()
}

/// Formats an offset in seconds, for stories.
fn in_seconds(offset: Duration) -> String {
    format!("{:.1} s", offset.as_secs_f64())
}
