//! Script of a simulated Sinch: the orders that it plays, and how badly it behaves.

use std::time::Duration;

use number_order::Id;

/// Script of a world: its orders, and the faults that they meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Project of all orders of the world.
    pub project: Id,
    /// Number of orders in the world.
    pub orders: usize,
    /// Span within which every history plays, from the start; callbacks may arrive after it.
    pub span: Duration,
    /// Rates of the faults that orders meet.
    pub faults: Faults,
}

impl Script {
    /// Returns a script of a dozen seconds in which forty orders meet every kind of fault.
    pub fn demo(project: Id) -> Script {
        Script {
            project,
            orders: 40,
            span: Duration::from_secs(12),
            faults: Faults::demo(),
        }
    }
}

/// Rates of the faults that a world's orders meet. Rates are probabilities, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Rate of events that are never sent.
    pub lost: f64,
    /// `true` if the last event of an order may be lost: then only a fetch can show the order's final state.
    pub lose_last: bool,
    /// `true` if the events without which an order's final state could not be known are never lost: one of each order,
    /// and the last of an order that Sinch forgets or re-opens.
    pub reachable: bool,
    /// Rate of events that are sent twice, with the same bytes.
    pub duplicated: f64,
    /// Rate of events that are sent late, so that later ones overtake them.
    pub delayed: f64,
    /// Maximum delay of a late event; most delays are much shorter.
    pub delay_max: Duration,
    /// Rate of events whose time stamp Sinch made with a wrong clock.
    pub skewed: f64,
    /// Maximum error of a wrong clock, either way.
    pub skew_max: Duration,
    /// Rate of changes of state that follow the one before within less than half a second.
    pub quick: f64,
    /// Rate of orders whose `updateTime` is in whole seconds. Never mixed within an order, because two resolutions side
    /// by side would make time run backwards.
    pub whole_seconds: f64,
    /// Rate of orders that leave their final state again, which Sinch says does not happen.
    pub reopened: f64,
    /// Rate of completed orders with events about their numbers on the same URL.
    pub numbers: f64,
    /// Rate of orders with a callback whose body is unreadable.
    pub unreadable: f64,
    /// Rate of fetches whose answer shows the order as it was a while ago.
    pub stale: f64,
    /// Maximum staleness of a stale answer.
    pub staleness: Duration,
    /// Rate of fetches whose answer is staler than [`Faults::staleness`].
    pub staler: f64,
    /// Maximum staleness of the answers that [`Faults::staler`] counts.
    pub staleness_max: Duration,
    /// Rate of stale answers, of either kind, that a cache took at one of the changes within the span of the staleness.
    /// So they also show states that lasted only an instant.
    pub cached: f64,
    /// Rate of fetches whose answer says that the state is unspecified.
    pub unspecified: f64,
    /// Rate of fetches of a young order that get 404, as from a replica that lags behind.
    pub missing_young: f64,
    /// Age up to which an order is young.
    pub young: Duration,
    /// Rate of expired orders that Sinch soon forgets and answers with 404.
    pub forgets_expired: f64,
    /// Rate of fetches that get 401, though the token is good.
    pub unauthorized: f64,
    /// Rate of fetches that get 429.
    pub throttled: f64,
    /// Value of `Retry-After` in a 429.
    pub retry_after: Duration,
    /// Rate of fetches that get 500, or a gateway's 502 to 504.
    pub broken: f64,
    /// Rate of fetches whose answer is right, but late.
    pub slow: f64,
    /// Delay of an answer that is right, but late.
    pub slow_by: Duration,
}

impl Faults {
    /// Returns rates by which Sinch does everything right, once and at once.
    pub fn none() -> Faults {
        Faults {
            lost: 0.0,
            lose_last: false,
            reachable: true,
            duplicated: 0.0,
            delayed: 0.0,
            delay_max: Duration::ZERO,
            skewed: 0.0,
            skew_max: Duration::ZERO,
            quick: 0.0,
            whole_seconds: 0.0,
            reopened: 0.0,
            numbers: 0.0,
            unreadable: 0.0,
            stale: 0.0,
            staleness: Duration::ZERO,
            staler: 0.0,
            staleness_max: Duration::ZERO,
            cached: 0.0,
            unspecified: 0.0,
            missing_young: 0.0,
            young: Duration::ZERO,
            forgets_expired: 0.0,
            unauthorized: 0.0,
            throttled: 0.0,
            retry_after: Duration::ZERO,
            broken: 0.0,
            slow: 0.0,
            slow_by: Duration::ZERO,
        }
    }

    /// Returns rates for every kind of fault, low enough that an observer sees the orders agree again: the last event of
    /// an order always arrives, and a final state stays.
    pub fn demo() -> Faults {
        Faults {
            lost: 0.2,
            duplicated: 0.2,
            delayed: 0.25,
            delay_max: Duration::from_secs(4),
            skewed: 0.2,
            skew_max: Duration::from_secs(2),
            quick: 0.2,
            whole_seconds: 0.8,
            numbers: 0.3,
            unreadable: 0.06,
            stale: 0.2,
            staleness: Duration::from_secs(2),
            missing_young: 0.3,
            young: Duration::from_secs(3),
            forgets_expired: 0.5,
            unauthorized: 0.05,
            throttled: 0.06,
            retry_after: Duration::from_secs(1),
            broken: 0.08,
            slow: 0.06,
            slow_by: Duration::from_millis(1500),
            ..Faults::none()
        }
    }

    /// Returns the worst faults that the rules are meant to withstand: the model by which the rules were measured. Its
    /// delays of up to a day are for simulated time; shorten them to play it by the clock.
    pub fn hostile() -> Faults {
        Faults {
            lost: 0.1,
            lose_last: true,
            duplicated: 0.3,
            delayed: 0.3,
            delay_max: Duration::from_secs(24 * 3600),
            skewed: 0.5,
            skew_max: Duration::from_secs(2),
            quick: 0.2,
            whole_seconds: 0.9,
            reopened: 0.05,
            numbers: 0.3,
            unreadable: 0.03,
            stale: 0.3,
            staleness: Duration::from_secs(10),
            missing_young: 0.3,
            young: Duration::from_secs(10),
            forgets_expired: 0.5,
            unauthorized: 0.04,
            throttled: 0.06,
            retry_after: Duration::from_secs(2),
            broken: 0.1,
            slow: 0.05,
            slow_by: Duration::from_secs(2),
            ..Faults::none()
        }
    }
}
