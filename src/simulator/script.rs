//! What a simulated Sinch is to play, and how badly it behaves.

use std::time::Duration;

use crate::order::Id;

/// What to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The project that all orders belong to.
    pub project: Id,
    /// How many orders.
    pub orders: usize,
    /// Every history plays within this span; callbacks may trail it.
    pub span: Duration,
    /// What goes wrong on the way.
    pub trouble: Trouble,
}

impl Script {
    /// A dozen seconds in which some forty orders meet every kind of trouble.
    pub fn demo(project: Id) -> Script {
        Script {
            project,
            orders: 40,
            span: Duration::from_secs(12),
            trouble: Trouble::demo(),
        }
    }
}

/// What goes wrong, and how often. Rates are probabilities, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// Per event: it is never sent.
    pub lost: f64,
    /// Whether the last event of an order may be lost: its outcome is then learnt by asking alone.
    pub lose_last: bool,
    /// Whether the events are spared without which nobody could know the truth: one of each order, and
    /// the last of an order that Sinch forgets or re-opens.
    pub reachable: bool,
    /// Per event: it is sent twice, byte by byte the same.
    pub doubled: f64,
    /// Per event: it is sent late, so that later ones overtake it.
    pub delayed: f64,
    /// The longest delay; most are much shorter.
    pub delay_max: Duration,
    /// Per event: Sinch's clock was off when it made the time stamp.
    pub skewed: f64,
    /// The most that it was off, either way.
    pub skew_max: Duration,
    /// Per change of state: it follows the one before within less than half a second.
    pub hasty: f64,
    /// Per order: its `updateTime` is in whole seconds. Never mixed within an order, for two
    /// resolutions side by side would make time run backwards.
    pub coarse: f64,
    /// Per order: its final state is left again, which Sinch says does not happen.
    pub reopened: f64,
    /// Per completed order: events about its numbers come on the same URL.
    pub numbers: f64,
    /// Per order: a callback comes whose body nobody can read.
    pub unreadable: f64,
    /// Per question: the answer shows the order as it was.
    pub stale: f64,
    /// The longest ago that a stale answer shows.
    pub staleness: Duration,
    /// Per question: the answer shows the order as it was longer ago than that, against all promises.
    pub beyond: f64,
    /// The longest ago that such an answer shows.
    pub beyond_max: Duration,
    /// Per answer that is stale, in either way: it was caught at one of the changes within that span,
    /// as by a cache. So it shows states, too, that lasted but an instant.
    pub caught: f64,
    /// Per question: the answer says that the state is unspecified.
    pub unspecified: f64,
    /// Per question about a young order: 404, as from a replica that lags behind.
    pub missing_young: f64,
    /// Until what age an order is young.
    pub young: Duration,
    /// Per expired order: Sinch soon forgets it and answers 404.
    pub gone_expired: f64,
    /// Per question: 401, though the token is good.
    pub unauthorized: f64,
    /// Per question: 429.
    pub throttled: f64,
    /// `Retry-After` of a 429.
    pub retry_after: Duration,
    /// Per question: 500 or a gateway's 502 to 504.
    pub broken: f64,
    /// Per question: the answer is right, but late.
    pub slow: f64,
    /// How late.
    pub slow_by: Duration,
}

impl Trouble {
    /// A Sinch that does everything right, once and at once.
    pub fn none() -> Trouble {
        Trouble {
            lost: 0.0,
            lose_last: false,
            reachable: true,
            doubled: 0.0,
            delayed: 0.0,
            delay_max: Duration::ZERO,
            skewed: 0.0,
            skew_max: Duration::ZERO,
            hasty: 0.0,
            coarse: 0.0,
            reopened: 0.0,
            numbers: 0.0,
            unreadable: 0.0,
            stale: 0.0,
            staleness: Duration::ZERO,
            beyond: 0.0,
            beyond_max: Duration::ZERO,
            caught: 0.0,
            unspecified: 0.0,
            missing_young: 0.0,
            young: Duration::ZERO,
            gone_expired: 0.0,
            unauthorized: 0.0,
            throttled: 0.0,
            retry_after: Duration::ZERO,
            broken: 0.0,
            slow: 0.0,
            slow_by: Duration::ZERO,
        }
    }

    /// Every kind of trouble, in a measure from which agreement can be watched to come back: the last
    /// event of an order always arrives, and a final state stays.
    pub fn demo() -> Trouble {
        Trouble {
            lost: 0.2,
            doubled: 0.2,
            delayed: 0.25,
            delay_max: Duration::from_secs(4),
            skewed: 0.2,
            skew_max: Duration::from_secs(2),
            hasty: 0.2,
            coarse: 0.8,
            numbers: 0.3,
            unreadable: 0.06,
            stale: 0.2,
            staleness: Duration::from_secs(2),
            missing_young: 0.3,
            young: Duration::from_secs(3),
            gone_expired: 0.5,
            unauthorized: 0.05,
            throttled: 0.06,
            retry_after: Duration::from_secs(1),
            broken: 0.08,
            slow: 0.06,
            slow_by: Duration::from_millis(1500),
            ..Trouble::none()
        }
    }

    /// The worst that the rules are meant to bear: the model by which they were measured. Its delays of
    /// up to a day are for simulated time; shorten them to play it by the clock.
    pub fn hostile() -> Trouble {
        Trouble {
            lost: 0.1,
            lose_last: true,
            doubled: 0.3,
            delayed: 0.3,
            delay_max: Duration::from_secs(24 * 3600),
            skewed: 0.5,
            skew_max: Duration::from_secs(2),
            hasty: 0.2,
            coarse: 0.9,
            reopened: 0.05,
            numbers: 0.3,
            unreadable: 0.03,
            stale: 0.3,
            staleness: Duration::from_secs(10),
            missing_young: 0.3,
            young: Duration::from_secs(10),
            gone_expired: 0.5,
            unauthorized: 0.04,
            throttled: 0.06,
            retry_after: Duration::from_secs(2),
            broken: 0.1,
            slow: 0.05,
            slow_by: Duration::from_secs(2),
            ..Trouble::none()
        }
    }
}
