//! Alerts: what an operator should know of an order before it is too late.

use std::fmt;
use std::time::Duration;

use super::{Order, State, Time};

/// Thresholds at which alerts fire.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Spans before `expireTime` in which an order that is still CREATED has an alert: one alert for each span.
    pub expiring: Vec<Duration>,
    /// Maximum time for which an order may be IN_REVIEW without an alert.
    pub review: Duration,
    /// Maximum time for which an order may be BLOCKED without an alert.
    pub blocked: Duration,
}

/// Kind of alert about an order that an operator should see to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertKind {
    /// The order is still CREATED, and the reservation runs out within this span.
    Expiring(Duration),
    /// The order is still CREATED, and the reservation has run out by our clock.
    Overdue,
    /// The order has been in this state for longer than this span.
    Lasting(State, Duration),
}

/// Returns the alert that an order fires, if any; of several spans the tightest.
///
/// The deadline is always the order's own `expireTime`: a reservation lasts from half an hour to two
/// days (source: Sinch's documentation).
pub fn alert_kind(order: &Order, now: Time, limits: &Limits) -> Option<AlertKind> {
    let known = order.confirmed.as_ref()?;
    let lasting = |limit: Duration| {
        let lasts = now.since(known.updated_at) >= limit;
        lasts.then_some(AlertKind::Lasting(known.state, limit))
    };
    match known.state {
        State::Created => {
            let expires_at = known.expires_at?;
            if expires_at <= now {
                return Some(AlertKind::Overdue);
            }
            let left = expires_at.since(now);
            let spans = limits.expiring.iter().filter(|span| left <= **span);
            spans.min().map(|span| AlertKind::Expiring(*span))
        }
        State::InReview => lasting(limits.review),
        State::Blocked => lasting(limits.blocked),
        State::Completed | State::Rejected | State::Expired => None,
    }
}

impl AlertKind {
    /// Returns a short name without blanks, for monitoring.
    pub fn label(&self) -> String {
        match self {
            AlertKind::Overdue => "overdue".to_owned(),
            AlertKind::Expiring(span) => format!("expiring_{}", words(*span).replace(' ', "")),
            AlertKind::Lasting(state, _) => state.as_str().to_lowercase(),
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AlertKind::Expiring(span) => {
                write!(f, "not submitted, and expires within {}", words(*span))
            }
            AlertKind::Overdue => write!(f, "not submitted, and its reservation has run out"),
            AlertKind::Lasting(state, span) => {
                write!(f, "{state} for more than {}", words(*span))
            }
        }
    }
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
    fn conditions_begin_at_their_limits() {
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
