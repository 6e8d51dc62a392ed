//! Incidents of an order beyond those of its world: outages, failures of its own, absurd times, a clock that is
//! behind, and operators who do not wait.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

use crate::history::{OrderHistory, Reply, happens};
use number_order::{Answer, Snapshot, Time};

/// Rates of incidents that befall orders. Rates are probabilities, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentRates {
    /// Rate of orders for which Sinch as a whole is down for a while, soon after one of their changes. The first
    /// answer afterwards is a 404, or as stale as can be.
    pub outage: f64,
    /// Maximum duration of an outage of Sinch as a whole.
    pub outage_max: Duration,
    /// Rate of orders whose fetches alone fail for a while, by failures that look like the provider's.
    pub alone: f64,
    /// Maximum duration of the failures of a single order.
    pub alone_max: Duration,
    /// Rate of answers with absurd times.
    pub absurd: f64,
    /// Rate of orders for which the service's clock was behind when the service started.
    pub behind: f64,
    /// Maximum time by which the service's clock is behind.
    pub behind_max: Duration,
    /// Rate of fetches during which an operator requests another fetch of the order.
    pub request_during_fetch: f64,
    /// Rate of parked orders with a later event that says what is confirmed already.
    pub agreement: f64,
}

impl IncidentRates {
    /// Returns rates by which no incident happens.
    pub fn none() -> IncidentRates {
        IncidentRates {
            outage: 0.0,
            outage_max: Duration::ZERO,
            alone: 0.0,
            alone_max: Duration::ZERO,
            absurd: 0.0,
            behind: 0.0,
            behind_max: Duration::ZERO,
            request_during_fetch: 0.0,
            agreement: 0.0,
        }
    }

    /// Returns the rates of the worst incidents that the rules are meant to withstand.
    pub fn hostile() -> IncidentRates {
        IncidentRates {
            outage: 0.01,
            outage_max: Duration::from_secs(6 * 3600),
            alone: 0.0005,
            alone_max: Duration::from_secs(4 * 3600),
            absurd: 0.002,
            behind: 0.01,
            behind_max: Duration::from_secs(3 * 3600),
            request_during_fetch: 0.003,
            agreement: 0.5,
        }
    }
}

/// Incidents that befall one order in a play.
#[derive(Clone, Debug, Default)]
pub(super) struct Incidents {
    outage: Range<Duration>,
    /// `true` until the first answer after Sinch's outage.
    is_next_the_first: bool,
    alone: Range<Duration>,
    /// Span by which the service's clock is behind.
    pub behind: Duration,
}

impl Incidents {
    pub fn draw(incidents: &IncidentRates, history: &OrderHistory, rng: &mut Rng) -> Incidents {
        let outage = random_while(incidents.outage, incidents.outage_max, history, rng);
        Incidents {
            is_next_the_first: !outage.is_empty(),
            outage,
            alone: random_while(incidents.alone, incidents.alone_max, history, rng),
            behind: if incidents.behind > 0.0 && happens(rng, incidents.behind) {
                incidents.behind_max.mul_f64(rng.f64())
            } else {
                Duration::ZERO
            },
        }
    }

    /// Returns `true` if Sinch as a whole is down at the given offset.
    pub fn is_down(&self, now: Duration) -> bool {
        self.outage.contains(&now)
    }

    /// Returns `true` if fetches of this order alone fail at the given offset.
    pub fn fails_alone(&self, now: Duration) -> bool {
        self.alone.contains(&now)
    }

    /// Returns `true` if fetches of this order alone fail at some time of the play.
    pub fn ever_fails_alone(&self) -> bool {
        !self.alone.is_empty()
    }

    /// Returns Sinch's first answer after an outage, which is the worst possible.
    pub fn first_after_outage(
        &mut self,
        now: Duration,
        stale_max: Duration,
        rng: &mut Rng,
    ) -> Option<Reply> {
        if !self.is_next_the_first || now < self.outage.end {
            return None;
        }
        self.is_next_the_first = false;
        Some(if rng.bool() {
            Reply::NotFound
        } else {
            Reply::Stale(stale_max.mul_f64(rng.f64()))
        })
    }
}

/// Draws a span that begins soon after one of the order's changes, at the given rate; otherwise the span is empty.
fn random_while(
    rate: f64,
    longest: Duration,
    history: &OrderHistory,
    rng: &mut Rng,
) -> Range<Duration> {
    if rate == 0.0 || !happens(rng, rate) {
        return Duration::ZERO..Duration::ZERO;
    }
    let change = rng
        .choice(&history.states)
        .map_or(Duration::ZERO, |(at, _)| *at);
    let from = change + Duration::from_secs(60).mul_f64(rng.f64());
    // Most spans are short.
    let lasts = longest.mul_f64(rng.f64() * rng.f64());
    from..from + lasts
}

/// Puts absurd times into an answer. `fresh`: the answer shows the order as it is.
///
/// A date a little ahead cannot be distinguished from a right one, so it goes only into an answer that is otherwise
/// true. A date further ahead than any clock can be distinguished, so it goes into any answer.
pub(super) fn distort(answer: &mut Answer, fresh: bool, rng: &mut Rng) {
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
    match rng.u8(0..3) {
        0 => *updated_at = now.plus(log_uniform_span(rng, 11 * 60, 100 * 365 * 86_400)),
        1 if fresh => *updated_at = now.plus(log_uniform_span(rng, 4, 9 * 60)),
        1 => {}
        _ => {
            *expires_at = Some(Time(
                updated_at.0 - log_uniform_span(rng, 1, 1 << 30).as_micros() as i64,
            ));
        }
    }
}

/// Draws a span between two limits in seconds, short ones as often as long ones.
fn log_uniform_span(rng: &mut Rng, from: u64, to: u64) -> Duration {
    let (from, to) = (from as f64, to as f64);
    Duration::from_secs_f64(from * (to / from).powf(rng.f64()))
}
