//! The proof of the ordering rule: worlds played in simulated time against the pure rules.
//!
//! Each order is played alone, for orders do not touch each other. Three things are judged. Safety: the
//! states that a rule took for true, one after the other, are states in which the order was, and never
//! go back. Liveness: at rest, the last of them is where the order ended. Nothing is stuck: an order is parked by
//! failures of its own alone, an event brings it back, what is open is going to be asked about, and what an operator
//! asks for is fetched afterwards. Simpler rules stand beside the house's as controls: a trial that they pass proves
//! nothing.

mod judge;
mod mind;
mod mishaps;
mod play;
mod reply;
mod rules;
mod tally;

pub use mind::{Mind, Weighed};
pub use mishaps::Mishaps;
pub use rules::Contender;
pub use tally::{Met, Tally, Verdict, Wrong};

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;

use self::play::{Chances, Play, START};
use self::rules::Believer;
use super::lock;
use super::script::{Script, Trouble};
use super::world::{Life, Notice, Says, World};
use crate::order::{BackOff, Id, Rule, Time};

/// So many orders share a world: enough for its ways of life, few enough to make one for a single order.
const BATCH: u64 = 64;

/// How much longer a callback takes at most where a world was played by the clock.
const DELAY_MAX: Duration = Duration::from_secs(1);

/// What the rules are put through.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// What decides everything that is chance.
    pub seed: u64,
    /// How many orders.
    pub orders: u64,
    /// Every history plays within this span.
    pub span: Duration,
    /// What goes wrong at Sinch and on the way.
    pub trouble: Trouble,
    /// Per step: the service crashes at it. What it had not committed is lost.
    pub crash: f64,
    /// Per event: its time stamp cannot be read.
    pub timeless: f64,
    /// Per event: its status is a word that we do not know.
    pub foreign: f64,
    /// Per order: operators ask for it several times soon after each change.
    pub nosy: f64,
    /// The most that our clock is off Sinch's, either way.
    pub clock_off_max: Duration,
    /// What befalls orders besides.
    pub mishaps: Mishaps,
    /// No callback ever arrives, and every order is watched from its creation on.
    pub deaf: bool,
    /// The spans on which the rules stand.
    pub rule: Rule,
    /// How tries are spaced.
    pub back_off: BackOff,
}

impl Course {
    /// How long a watched order's last change stays unknown at most, where no callback comes: until the
    /// next look, and what its tries take.
    pub const UNHEARD_MAX: Duration = Duration::from_secs(6 * 3600 + 15 * 60);

    /// The worst that the rules are meant to bear.
    pub fn hostile(seed: u64, orders: u64, rule: Rule, back_off: BackOff) -> Course {
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
            rule,
            back_off,
        }
    }

    /// The same within minutes, by a Sinch whose answers are often staler than usual and that soon forgets what has
    /// expired: what an event claimed may then be all that is left to tell.
    pub fn forgetful(seed: u64, orders: u64, rule: Rule, back_off: BackOff) -> Course {
        let hostile = Course::hostile(seed, orders, rule, back_off);
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

    /// The same with many orders that fail alone for a while, until they are parked.
    pub fn afflicted(seed: u64, orders: u64, rule: Rule, back_off: BackOff) -> Course {
        Course {
            mishaps: Mishaps {
                alone: 0.1,
                ..Mishaps::hostile()
            },
            ..Course::hostile(seed, orders, rule, back_off)
        }
    }

    /// The course on which a contender is played: one that meets the fault of a control often.
    pub fn of(
        contender: Contender,
        seed: u64,
        orders: u64,
        rule: Rule,
        back_off: BackOff,
    ) -> Course {
        let course = match contender {
            Contender::ClaimsForgotten => Course::forgetful,
            Contender::AgreementSleeps => Course::afflicted,
            Contender::House
            | Contender::TiesBelieved
            | Contender::OldAnswersFulfil
            | Contender::OutagesCount
            | Contender::DatesBelieved
            | Contender::FirstGetBelieved
            | Contender::NewestWins
            | Contender::WhatComes => Course::hostile,
        };
        course(seed, orders, rule, back_off)
    }

    /// The same without a single callback: what is known of an order is learnt by looking.
    pub fn deaf(seed: u64, orders: u64, rule: Rule, back_off: BackOff) -> Course {
        Course {
            // How soon it is learnt depends on that.
            mishaps: Mishaps::none(),
            deaf: true,
            ..Course::hostile(seed, orders, rule, back_off)
        }
    }

    /// Plays every order by one rule, on so many threads. Their number changes nothing in the verdict.
    pub fn run(&self, contender: Contender, threads: usize) -> Tally {
        self.run_with(&|_, since| Believer::new(contender, since), threads)
    }

    /// Plays every order with a mind of its own, which is made from the order's id and the time of its
    /// creation.
    pub fn run_with<M: Mind>(&self, mind: &MakeMind<'_, M>, threads: usize) -> Tally {
        let (next, total) = (AtomicU64::new(0), Mutex::new(Tally::default()));
        let work = || {
            let mut tally = Tally::default();
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= self.orders {
                    return lock(&total).add(tally);
                }
                self.play_batch(mind, first, &mut tally);
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

    /// One order's story, step by step; empty if there is none of this index.
    pub fn story(&self, contender: Contender, index: u64) -> Vec<String> {
        self.story_with(&|_, since| Believer::new(contender, since), index)
    }

    /// The same, of an order with a mind as in [`Course::run_with`].
    pub fn story_with<M: Mind>(&self, mind: &MakeMind<'_, M>, index: u64) -> Vec<String> {
        let world = self.world(index - index % BATCH);
        let told = told(&world);
        let nth = usize::try_from(index % BATCH).unwrap_or_default();
        let Some(life) = world.orders().nth(nth) else {
            return Vec::new();
        };
        let deliveries = self.deliveries(&told, &life.id);
        let chances = Chances::of(&world, life);
        Play::new(self, &world, life, deliveries, made(mind, life), chances).tell()
    }

    /// Plays every order of a world that was played by the clock before, so many times, each with other moments at which
    /// callbacks come and the service acts: the house rule alone, without the service. Sinch answers in the same way as
    /// it did there.
    pub fn replay(&self, world: &World, times: u64) -> Tally {
        let (told, mut tally) = (told(world), Tally::default());
        let mut index = 0..;
        for moments in 0..times {
            for (life, index) in world.orders().zip(&mut index) {
                let mut chance = Rng::with_seed(moments);
                let mut deliveries = self.deliveries(&told, &life.id);
                for (at, _) in &mut deliveries {
                    *at += DELAY_MAX.mul_f64(chance.f64());
                }
                deliveries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
                let mind = Believer::new(Contender::House, since(life));
                let chances = Chances {
                    dice: world.dice(life),
                    chance,
                };
                let play = Play::new(self, world, life, deliveries, mind, chances);
                tally.count(index, play.run());
            }
        }
        tally
    }

    fn play_batch<M: Mind>(&self, mind: &MakeMind<'_, M>, first: u64, tally: &mut Tally) {
        let world = self.world(first);
        let told = told(&world);
        for (index, life) in (first..self.orders.min(first + BATCH)).zip(world.orders()) {
            if self.deaf && !life.asking_shows_end() {
                continue;
            }
            let deliveries = self.deliveries(&told, &life.id);
            let chances = Chances::of(&world, life);
            let play = Play::new(self, &world, life, deliveries, made(mind, life), chances);
            tally.count(index, play.run());
        }
    }

    /// The world of the batch that begins with this order.
    fn world(&self, first: u64) -> World {
        let script = Script {
            project: Id::new("trial").expect("is a safe id"),
            orders: BATCH as usize,
            span: self.span,
            trouble: self.trouble.clone(),
        };
        // Neighbouring seeds shall not make neighbouring worlds the same.
        World::new(
            self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ first,
            &script,
        )
    }

    /// When which event of the order arrives, if nothing comes in between; the first last.
    fn deliveries<'a>(
        &self,
        told: &BTreeMap<&Id, &'a [Notice]>,
        order: &Id,
    ) -> Vec<(Duration, &'a Notice)> {
        let told = told.get(order).copied().unwrap_or_default();
        let mut deliveries: Vec<(Duration, &Notice)> = told
            .iter()
            .filter(|notice| !self.deaf && matches!(notice.says, Says::State(_)))
            .flat_map(|notice| notice.sent_at.iter().map(move |at| (*at, notice)))
            .collect();
        deliveries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        deliveries
    }
}

/// Makes the mind that an order is played with.
type MakeMind<'a, M> = dyn Fn(&Id, Time) -> M + Sync + 'a;

fn made<M>(mind: &MakeMind<'_, M>, life: &Life) -> M {
    mind(&life.id, since(life))
}

/// When an order was created.
fn since(life: &Life) -> Time {
    START.plus(life.created().unwrap_or_default())
}

/// What is told of each order: a world tells of one after the other.
fn told(world: &World) -> BTreeMap<&Id, &[Notice]> {
    let by_order = world
        .notices()
        .chunk_by(|one, next| one.order == next.order);
    by_order.map(|told| (&told[0].order, told)).collect()
}
