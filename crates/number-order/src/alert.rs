//! Alerts: what an operator should know of an order before it is too late.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{Order, State, Time};

/// Thresholds at which alerts fire.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Spans before `expireTime` in which an order that is still CREATED has an alert: one alert for each span.
    pub expiring: Vec<Duration>,
    /// Maximum time for which an order may be `IN_REVIEW` without an alert.
    pub review: Duration,
    /// Maximum time for which an order may be BLOCKED without an alert.
    pub blocked: Duration,
}

/// Kind of alert about an order that an operator should see to, with its threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum AlertKind {
    /// The order is still CREATED, and the reservation runs out within this span.
    Expiring {
        /// The span, in milliseconds.
        within_ms: u64,
    },
    /// The order is still CREATED, and the reservation has run out by our clock.
    Overdue,
    /// The order has been `IN_REVIEW` for longer than this span.
    LongInReview {
        /// The span, in milliseconds.
        after_ms: u64,
    },
    /// The order has been BLOCKED for longer than this span.
    LongBlocked {
        /// The span, in milliseconds.
        after_ms: u64,
    },
}

/// Returns the alert that an order fires, if any; of several spans the tightest.
///
/// The deadline is always the order's own `expireTime`: a reservation lasts from half an hour to two
/// days (source: Sinch's documentation).
pub fn alert_kind(order: &Order, now: Time, limits: &Limits) -> Option<AlertKind> {
    let known = order.confirmed.as_ref()?;
    let lasts = |limit: Duration| now.since(known.updated_at) >= limit;
    match known.state {
        State::Created => {
            let expires_at = known.expires_at?;
            if expires_at <= now {
                return Some(AlertKind::Overdue);
            }
            let left = expires_at.since(now);
            let spans = limits.expiring.iter().filter(|span| left <= **span);
            spans.min().map(|span| AlertKind::expiring(*span))
        }
        State::InReview => lasts(limits.review).then(|| AlertKind::long_in_review(limits.review)),
        State::Blocked => lasts(limits.blocked).then(|| AlertKind::long_blocked(limits.blocked)),
        State::Completed | State::Rejected | State::Expired => None,
    }
}

impl AlertKind {
    /// Returns the kind for reservations that run out within `span`.
    pub fn expiring(span: Duration) -> AlertKind {
        AlertKind::Expiring {
            within_ms: millis(span),
        }
    }

    /// Returns the kind for orders that have been `IN_REVIEW` for longer than `span`.
    pub fn long_in_review(span: Duration) -> AlertKind {
        AlertKind::LongInReview {
            after_ms: millis(span),
        }
    }

    /// Returns the kind for orders that have been BLOCKED for longer than `span`.
    pub fn long_blocked(span: Duration) -> AlertKind {
        AlertKind::LongBlocked {
            after_ms: millis(span),
        }
    }

    /// Returns the kind's code.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns the threshold, where the kind has one.
    pub fn threshold(&self) -> Option<Duration> {
        match self {
            AlertKind::Overdue => None,
            AlertKind::Expiring { within_ms: ms }
            | AlertKind::LongInReview { after_ms: ms }
            | AlertKind::LongBlocked { after_ms: ms } => Some(Duration::from_millis(*ms)),
        }
    }

    /// Returns a name for monitoring that has no blanks and differs from one threshold for reservations to the next.
    pub fn label(&self) -> String {
        match self {
            AlertKind::Expiring { within_ms } => {
                let span = words(Duration::from_millis(*within_ms));
                format!("{}-{}", self.code(), span.replace(' ', ""))
            }
            AlertKind::Overdue | AlertKind::LongInReview { .. } | AlertKind::LongBlocked { .. } => {
                self.code().to_owned()
            }
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.threshold().map(words).unwrap_or_default();
        match self {
            AlertKind::Expiring { .. } => write!(f, "not submitted, and expires within {span}"),
            AlertKind::Overdue => write!(f, "not submitted, and its reservation has run out"),
            AlertKind::LongInReview { .. } => write!(f, "IN_REVIEW for more than {span}"),
            AlertKind::LongBlocked { .. } => write!(f, "BLOCKED for more than {span}"),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_micros() / 1000).unwrap_or(u64::MAX)
}

/// Returns a span in its largest whole unit.
fn words(span: Duration) -> String {
    let secs = span.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    match units
        .iter()
        .find(|(unit, _)| secs >= *unit && secs.is_multiple_of(*unit))
    {
        Some((unit, name)) => format!("{} {name}", secs / unit),
        None => format!("{} s", span.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Confirmed;

    fn at(secs: i64) -> Time {
        Time(secs * 1_000_000)
    }

    fn seen(state: State, secs: i64) -> Option<String> {
        let order = Order {
            confirmed: Some(Confirmed {
                state,
                updated_at: at(0),
                expires_at: Some(at(172_800)),
                confirmed_at: at(0),
                shown_at: at(0),
                reopened: false,
            }),
            ..Order::new(at(0))
        };
        let limits = Limits {
            expiring: vec![
                Duration::from_secs(7200),
                Duration::from_secs(86_400),
                Duration::from_secs(900),
            ],
            review: Duration::from_secs(7 * 86_400),
            blocked: Duration::from_secs(90),
        };
        alert_kind(&order, at(secs), &limits).map(|alert_kind| alert_kind.to_string())
    }

    #[test]
    fn alerts_fire_from_their_thresholds_on() {
        let expiring = |span: &str| Some(format!("not submitted, and expires within {span}"));
        assert_eq!(seen(State::Created, 86_399), None);
        assert_eq!(seen(State::Created, 86_400), expiring("1 d"));
        assert_eq!(seen(State::Created, 172_800 - 7200), expiring("2 h"));
        assert_eq!(seen(State::Created, 172_800 - 1), expiring("15 min"));
        let overdue = "not submitted, and its reservation has run out";
        assert_eq!(seen(State::Created, 172_800).as_deref(), Some(overdue));
        assert_eq!(seen(State::InReview, 604_799), None);
        assert_eq!(
            seen(State::InReview, 604_800).as_deref(),
            Some("IN_REVIEW for more than 7 d")
        );
        assert_eq!(
            seen(State::Blocked, 90).as_deref(),
            Some("BLOCKED for more than 90 s")
        );
        for state in [State::Completed, State::Rejected, State::Expired] {
            assert_eq!(seen(state, 9_999_999), None);
        }
    }
}
