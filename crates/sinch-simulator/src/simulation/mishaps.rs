//! Mishaps of an order beyond those of its world: outages, failures of its own, absurd times, a clock that is
//! behind, and operators who do not wait.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

use crate::history::{OrderHistory, Reply, hit};
use number_order::{Answer, Snapshot, Time};

/// Rate of each kind of mishap. Rates are probabilities, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Mishaps {
    /// Rate of orders for which Sinch as a whole is down for a while, soon after one of their changes. The first
    /// answer afterwards is a 404, or as stale as can be.
    pub outage: f64,
    /// Maximum duration of an outage.
    pub outage_max: Duration,
    /// Rate of orders whose fetches alone fail for a while, by failures that look like the provider's.
    pub alone: f64,
    /// Maximum duration of such failures.
    pub alone_max: Duration,
    /// Rate of answers with absurd times.
    pub absurd: f64,
    /// Rate of orders for which our clock was behind when the service started.
    pub behind: f64,
    /// Maximum time by which it is behind.
    pub behind_max: Duration,
    /// Rate of fetches during which an operator requests another fetch of the order.
    pub hurried: f64,
    /// Rate of parked orders with a later event that says what is confirmed already.
    pub echo: f64,
}

impl Mishaps {
    /// No mishaps at all.
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

    /// Worst mishaps that the rules are meant to bear.
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

/// Mishaps of one order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    outage: Range<Duration>,
    /// `true` until the first answer after the outage.
    relapses: bool,
    alone: Range<Duration>,
    /// Span by which our clock is behind.
    pub behind: Duration,
}

impl Fate {
    pub fn draw(mishaps: &Mishaps, history: &OrderHistory, chance: &mut Rng) -> Fate {
        let outage = while_of(mishaps.outage, mishaps.outage_max, history, chance);
        Fate {
            relapses: !outage.is_empty(),
            outage,
            alone: while_of(mishaps.alone, mishaps.alone_max, history, chance),
            behind: if mishaps.behind > 0.0 && hit(chance, mishaps.behind) {
                mishaps.behind_max.mul_f64(chance.f64())
            } else {
                Duration::ZERO
            },
        }
    }

    /// Returns `true` if Sinch as a whole is down.
    pub fn is_down(&self, now: Duration) -> bool {
        self.outage.contains(&now)
    }

    /// Returns `true` if fetches of this order alone fail now.
    pub fn fails_alone(&self, now: Duration) -> bool {
        self.alone.contains(&now)
    }

    /// Returns `true` if fetches of this order alone fail at some time.
    pub fn is_afflicted(&self) -> bool {
        !self.alone.is_empty()
    }

    /// Returns the first answer after an outage, which is the worst possible.
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

/// Draws a span that begins soon after one of the order's changes, at this rate; empty otherwise.
fn while_of(
    rate: f64,
    longest: Duration,
    history: &OrderHistory,
    chance: &mut Rng,
) -> Range<Duration> {
    if rate == 0.0 || !hit(chance, rate) {
        return Duration::ZERO..Duration::ZERO;
    }
    let change = chance
        .choice(&history.history)
        .map_or(Duration::ZERO, |(at, _)| *at);
    let from = change + Duration::from_secs(60).mul_f64(chance.f64());
    // Most spans are short.
    let lasts = longest.mul_f64(chance.f64() * chance.f64());
    from..from + lasts
}

/// Puts absurd times into an answer. `fresh`: the answer shows the order as it is.
///
/// A date a little ahead cannot be distinguished from a right one, so it goes only into an answer that is otherwise
/// true. A date further ahead than any clock can be distinguished, so it goes into any answer.
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
            ));
        }
    }
}

/// Random span between two limits in seconds, small ones as often as large ones.
fn spread(chance: &mut Rng, from: u64, to: u64) -> Duration {
    let (from, to) = (from as f64, to as f64);
    Duration::from_secs_f64(from * (to / from).powf(chance.f64()))
}
