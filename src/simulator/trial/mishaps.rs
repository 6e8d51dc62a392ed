//! What befalls an order beyond what its world has for it: outages, failures of its own, absurd times, a clock that is
//! behind, and operators who do not wait.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

use crate::order::{Answer, Snapshot, Time};
use crate::simulator::world::{Life, Reply, hit};

/// How often what befalls an order. Rates are probabilities, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Mishaps {
    /// Per order: Sinch as a whole is down for a while, soon after one of its changes. The first answer afterwards is
    /// a 404, or as stale as can be.
    pub outage: f64,
    /// The longest outage.
    pub outage_max: Duration,
    /// Per order: questions about it alone fail for a while, by failures that look like the provider's.
    pub alone: f64,
    /// The longest while.
    pub alone_max: Duration,
    /// Per answer: its times are absurd.
    pub absurd: f64,
    /// Per order: our clock was behind when the service started.
    pub behind: f64,
    /// By how much at most.
    pub behind_max: Duration,
    /// Per question: an operator asks for the order while it is under way.
    pub hurried: f64,
    /// Per order that is parked: later an event comes that says what is confirmed already.
    pub echo: f64,
}

impl Mishaps {
    /// Nothing befalls anybody.
    pub fn none() -> Mishaps {
        Mishaps {
            outage: 0.0,
            outage_max: Duration::ZERO,
            alone: 0.0,
            alone_max: Duration::ZERO,
            absurd: 0.0,
            behind: 0.0,
            behind_max: Duration::ZERO,
            hurried: 0.0,
            echo: 0.0,
        }
    }

    /// The worst that the rules are meant to bear.
    pub fn hostile() -> Mishaps {
        Mishaps {
            outage: 0.01,
            outage_max: Duration::from_secs(6 * 3600),
            alone: 0.0005,
            alone_max: Duration::from_secs(4 * 3600),
            absurd: 0.002,
            behind: 0.01,
            behind_max: Duration::from_secs(3 * 3600),
            hurried: 0.003,
            echo: 0.5,
        }
    }
}

/// What befalls one order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    outage: Range<Duration>,
    /// Whether nothing was answered since the outage.
    relapses: bool,
    alone: Range<Duration>,
    /// How far our clock is behind.
    pub behind: Duration,
}

impl Fate {
    pub fn draw(mishaps: &Mishaps, life: &Life, chance: &mut Rng) -> Fate {
        let outage = while_of(mishaps.outage, mishaps.outage_max, life, chance);
        Fate {
            relapses: !outage.is_empty(),
            outage,
            alone: while_of(mishaps.alone, mishaps.alone_max, life, chance),
            behind: if mishaps.behind > 0.0 && hit(chance, mishaps.behind) {
                mishaps.behind_max.mul_f64(chance.f64())
            } else {
                Duration::ZERO
            },
        }
    }

    /// Whether Sinch as a whole is down.
    pub fn is_down(&self, now: Duration) -> bool {
        self.outage.contains(&now)
    }

    /// Whether questions about this order alone fail.
    pub fn fails_alone(&self, now: Duration) -> bool {
        self.alone.contains(&now)
    }

    /// Whether questions about this order alone fail at some time.
    pub fn is_afflicted(&self) -> bool {
        !self.alone.is_empty()
    }

    /// The first answer after an outage, which is the worst there can be.
    pub fn relapse(
        &mut self,
        now: Duration,
        stale_max: Duration,
        chance: &mut Rng,
    ) -> Option<Reply> {
        if !self.relapses || now < self.outage.end {
            return None;
        }
        self.relapses = false;
        Some(if chance.bool() {
            Reply::Missing
        } else {
            Reply::Stale(stale_max.mul_f64(chance.f64()))
        })
    }
}

/// A while that begins soon after one of the order's changes, at this rate; empty otherwise.
fn while_of(rate: f64, longest: Duration, life: &Life, chance: &mut Rng) -> Range<Duration> {
    if rate == 0.0 || !hit(chance, rate) {
        return Duration::ZERO..Duration::ZERO;
    }
    let change = chance
        .choice(&life.history)
        .map_or(Duration::ZERO, |(at, _)| *at);
    let from = change + Duration::from_secs(60).mul_f64(chance.f64());
    // Most are short.
    let lasts = longest.mul_f64(chance.f64() * chance.f64());
    from..from + lasts
}

/// Puts absurd times into an answer. `fresh`: it shows the order as it is.
///
/// A date a little ahead cannot be told from a right one, so only an answer that is true otherwise has it; one that lies
/// further ahead than any clock can, whichever has.
pub(super) fn distort(answer: &mut Answer, fresh: bool, chance: &mut Rng) {
    let Answer::Found(Snapshot {
        updated_at,
        expires_at,
        sent_at,
        ..
    }) = answer
    else {
        return;
    };
    let now = sent_at.unwrap_or(*updated_at);
    match chance.u8(0..3) {
        0 => *updated_at = now.plus(spread(chance, 11 * 60, 100 * 365 * 86_400)),
        1 if fresh => *updated_at = now.plus(spread(chance, 4, 9 * 60)),
        1 => {}
        _ => {
            *expires_at = Some(Time(
                updated_at.0 - spread(chance, 1, 1 << 30).as_micros() as i64,
            ))
        }
    }
}

/// Between two spans in seconds, small ones as often as large ones.
fn spread(chance: &mut Rng, from: u64, to: u64) -> Duration {
    let (from, to) = (from as f64, to as f64);
    Duration::from_secs_f64(from * (to / from).powf(chance.f64()))
}
