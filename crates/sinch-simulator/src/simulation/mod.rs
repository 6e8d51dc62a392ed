//! Proof of the ordering rules: worlds played in simulated time against the pure rules.
//!
//! Each order is played alone, for orders do not affect each other. Three things are judged.
//!
//! - Safety: the states that a strategy took for true, one after the other, are states in which the order was, and
//!   never go back.
//! - Liveness: at rest, the last of them is the order's final state.
//! - Nothing is stuck: only failures of its own park an order, an event brings it back, what is open has a fetch ahead,
//!   and an operator's request is followed by a fetch.
//!
//! Simpler strategies are played as controls: a simulation that they pass proves nothing.

mod judge;
mod mishaps;
mod play;
mod reply;
mod strategy;
mod subject;
mod tally;

pub use mishaps::Mishaps;
pub use strategy::Strategy;
pub use subject::{Applied, Subject};
pub use tally::{Met, Tally, Verdict, Wrong};

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;

use self::play::{Chances, Play, START};
use self::strategy::Believer;
use super::history::{OrderHistory, Says, SimulatedEvent};
use super::lock;
use super::script::{Script, Trouble};
use super::world::World;
use number_order::{Backoff, Id, Policy, Time};

/// Number of orders in a world: enough for all ways that orders go, few enough to make a world for a single order.
const BATCH: u64 = 64;

/// Maximum extra delay of a callback in the replay of a world that was played by the clock.
const DELAY_MAX: Duration = Duration::from_secs(1);

/// Conditions under which strategies are played.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Seed of all randomness.
    pub seed: u64,
    /// Number of orders.
    pub orders: u64,
    /// Span within which every history plays.
    pub span: Duration,
    /// Trouble at Sinch and on the way.
    pub trouble: Trouble,
    /// Rate of steps at which the service crashes. The effect of a step that it had not committed is lost.
    pub crash: f64,
    /// Rate of events whose time stamp is unreadable.
    pub timeless: f64,
    /// Rate of events whose status is a word that the program does not know.
    pub foreign: f64,
    /// Rate of orders that operators fetch several times soon after each change.
    pub nosy: f64,
    /// Maximum deviation of our clock from Sinch's, either way.
    pub clock_off_max: Duration,
    /// Further mishaps of orders.
    pub mishaps: Mishaps,
    /// `true` if no callback ever arrives, and every order is watched from its creation on.
    pub deaf: bool,
    /// Spans on which the rules stand.
    pub policy: Policy,
    /// Spacing of attempts.
    pub backoff: Backoff,
}

impl Course {
    /// Maximum time for which a watched order's last change stays unknown where no callback arrives: until the next
    /// fetch, and the duration of its attempts.
    pub const UNHEARD_MAX: Duration = Duration::from_secs(6 * 3600 + 15 * 60);

    /// Worst course that the rules are meant to bear.
    pub fn hostile(seed: u64, orders: u64, policy: Policy, backoff: Backoff) -> Course {
        Course {
            seed,
            orders,
            span: Duration::from_secs(3 * 24 * 3600),
            trouble: Trouble {
                beyond: 0.01,
                beyond_max: Duration::from_secs(300),
                caught: 0.5,
                unspecified: 0.005,
                ..Trouble::hostile()
            },
            crash: 0.01,
            timeless: 0.01,
            foreign: 0.01,
            nosy: 0.1,
            clock_off_max: Duration::from_secs(2),
            mishaps: Mishaps::hostile(),
            deaf: false,
            policy,
            backoff,
        }
    }

    /// Hostile course within minutes, with a Sinch whose answers are often staler than usual and that soon forgets what
    /// has expired: an event's claim may then be the only information left.
    pub fn forgetful(seed: u64, orders: u64, policy: Policy, backoff: Backoff) -> Course {
        let hostile = Course::hostile(seed, orders, policy, backoff);
        Course {
            span: Duration::from_secs(30 * 60),
            trouble: Trouble {
                beyond: 0.2,
                gone_expired: 1.0,
                ..hostile.trouble
            },
            mishaps: Mishaps::none(),
            ..hostile
        }
    }

    /// Hostile course with many orders that fail alone for a while, until they are parked.
    pub fn afflicted(seed: u64, orders: u64, policy: Policy, backoff: Backoff) -> Course {
        Course {
            mishaps: Mishaps {
                alone: 0.1,
                ..Mishaps::hostile()
            },
            ..Course::hostile(seed, orders, policy, backoff)
        }
    }

    /// Returns the course on which a strategy is played; it often meets the fault of a control.
    pub fn of(
        strategy: Strategy,
        seed: u64,
        orders: u64,
        policy: Policy,
        backoff: Backoff,
    ) -> Course {
        let course = match strategy {
            Strategy::ClaimsForgotten => Course::forgetful,
            Strategy::AgreementSleeps => Course::afflicted,
            Strategy::House
            | Strategy::TiesBelieved
            | Strategy::OldAnswersFulfil
            | Strategy::OutagesCount
            | Strategy::DatesBelieved
            | Strategy::FirstGetBelieved
            | Strategy::NewestWins
            | Strategy::WhatComes => Course::hostile,
        };
        course(seed, orders, policy, backoff)
    }

    /// Hostile course without a single callback: an order's state is learnt by watching alone.
    pub fn deaf(seed: u64, orders: u64, policy: Policy, backoff: Backoff) -> Course {
        Course {
            // How soon it is learnt depends on that.
            mishaps: Mishaps::none(),
            deaf: true,
            ..Course::hostile(seed, orders, policy, backoff)
        }
    }

    /// Plays every order by one strategy, on this number of threads. The number does not affect the result.
    pub fn run(&self, strategy: Strategy, threads: usize) -> Tally {
        self.run_with(&|_, since| Believer::new(strategy, since), threads)
    }

    /// Plays every order with a subject of its own, which is made from the order's id and the time of its creation.
    pub fn run_with<M: Subject>(&self, subject: &MakeSubject<'_, M>, threads: usize) -> Tally {
        let (next, total) = (AtomicU64::new(0), Mutex::new(Tally::default()));
        let work = || {
            let mut tally = Tally::default();
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
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

    /// Returns the story of one order, step by step; empty if there is no order with this index.
    pub fn story(&self, strategy: Strategy, index: u64) -> Vec<String> {
        self.story_with(&|_, since| Believer::new(strategy, since), index)
    }

    /// Returns the story of one order, with a subject as in [`Course::run_with`].
    pub fn story_with<M: Subject>(&self, subject: &MakeSubject<'_, M>, index: u64) -> Vec<String> {
        let world = self.world(index - index % BATCH);
        let told = told(&world);
        let nth = usize::try_from(index % BATCH).unwrap_or_default();
        let Some(history) = world.orders().nth(nth) else {
            return Vec::new();
        };
        let deliveries = self.deliveries(&told, &history.id);
        let chances = Chances::of(&world, history);
        Play::new(
            self,
            &world,
            history,
            deliveries,
            made(subject, history),
            chances,
        )
        .tell()
    }

    /// Plays every order of a world that was played by the clock before, `times` times. The moments at which callbacks
    /// arrive and the service acts differ each time. Only the program's rules are played, without the service. Sinch
    /// answers in the same way as it did there.
    pub fn replay(&self, world: &World, times: u64) -> Tally {
        let (told, mut tally) = (told(world), Tally::default());
        let mut index = 0..;
        for moments in 0..times {
            for (history, index) in world.orders().zip(&mut index) {
                let mut chance = Rng::with_seed(moments);
                let mut deliveries = self.deliveries(&told, &history.id);
                for (at, _) in &mut deliveries {
                    *at += DELAY_MAX.mul_f64(chance.f64());
                }
                deliveries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
                let subject = Believer::new(Strategy::House, since(history));
                let chances = Chances {
                    dice: world.dice(history),
                    chance,
                };
                let play = Play::new(self, world, history, deliveries, subject, chances);
                tally.count(index, play.run());
            }
        }
        tally
    }

    fn play_batch<M: Subject>(&self, subject: &MakeSubject<'_, M>, first: u64, tally: &mut Tally) {
        let world = self.world(first);
        let told = told(&world);
        for (index, history) in (first..self.orders.min(first + BATCH)).zip(world.orders()) {
            if self.deaf && !history.asking_shows_end() {
                continue;
            }
            let deliveries = self.deliveries(&told, &history.id);
            let chances = Chances::of(&world, history);
            let play = Play::new(
                self,
                &world,
                history,
                deliveries,
                made(subject, history),
                chances,
            );
            tally.count(index, play.run());
        }
    }

    /// Makes the world of the batch that begins with this order.
    fn world(&self, first: u64) -> World {
        let script = Script {
            project: Id::new("trial").expect("is a safe id"),
            orders: BATCH as usize,
            span: self.span,
            trouble: self.trouble.clone(),
        };
        // Neighbouring seeds must not make equal worlds.
        World::new(
            self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ first,
            &script,
        )
    }

    /// Events of the order and the offsets at which they arrive, if nothing comes in between; the first is last.
    fn deliveries<'a>(
        &self,
        told: &BTreeMap<&Id, &'a [SimulatedEvent]>,
        order: &Id,
    ) -> Vec<(Duration, &'a SimulatedEvent)> {
        let told = told.get(order).copied().unwrap_or_default();
        let mut deliveries: Vec<(Duration, &SimulatedEvent)> = told
            .iter()
            .filter(|notice| !self.deaf && matches!(notice.says, Says::State(_)))
            .flat_map(|notice| notice.sent_at.iter().map(move |at| (*at, notice)))
            .collect();
        deliveries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        deliveries
    }
}

/// Makes the subject with which an order is played.
type MakeSubject<'a, M> = dyn Fn(&Id, Time) -> M + Sync + 'a;

fn made<M>(subject: &MakeSubject<'_, M>, history: &OrderHistory) -> M {
    subject(&history.id, since(history))
}

/// Time at which an order was created.
fn since(history: &OrderHistory) -> Time {
    START.plus(history.created().unwrap_or_default())
}

/// Events of each order; a world lists them order by order.
fn told(world: &World) -> BTreeMap<&Id, &[SimulatedEvent]> {
    let by_order = world
        .notices()
        .chunk_by(|one, next| one.order == next.order);
    by_order.map(|told| (&told[0].order, told)).collect()
}

/// Formats an offset for stories.
fn secs(offset: Duration) -> String {
    format!("{:.1} s", offset.as_secs_f64())
}
