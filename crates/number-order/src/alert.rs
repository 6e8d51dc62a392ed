//! Alerts: what an operator should know of an order before it is too late.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{Order, State, Time};

/// Thresholds at which alerts about orders fire.
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
    /// The order is still CREATED, and the reservation runs out within the given span.
    Expiring {
        /// Time left until `expireTime` at which the alert begins to fire, in milliseconds.
        within_ms: u64,
    },
    /// The order is still CREATED, and the reservation has run out by the service's clock.
    Overdue,
    /// The order has been `IN_REVIEW` for longer than the given span.
    LongInReview {
        /// Time in `IN_REVIEW` after which the alert fires, in milliseconds.
        after_ms: u64,
    },
    /// The order has been BLOCKED for longer than the given span.
    LongBlocked {
        /// Time in BLOCKED after which the alert fires, in milliseconds.
        after_ms: u64,
    },
}

/// Returns the alert that an order fires, if any: the most urgent of all.
pub fn alert_kind(order: &Order, now: Time, limits: &Limits) -> Option<AlertKind> {
    firing_alerts(order, now, limits).into_iter().next()
}

/// Returns all alerts that an order fires, the most urgent first: what lies within a tight span lies within each wider
/// one, too.
///
/// The deadline is always the order's own `expireTime`: a reservation lasts from half an hour to two
/// days (source: Sinch's documentation).
pub fn firing_alerts(order: &Order, now: Time, limits: &Limits) -> Vec<AlertKind> {
    let Some(known) = &order.confirmed else {
        return Vec::new();
    };
    let lasts = |limit: Duration| now.since(known.updated_at) >= limit;
    match known.state {
        State::Created => known.expires_at.map_or_else(Vec::new, |expires_at| {
            let left = expires_at.since(now);
            let mut spans = limits.expiring.clone();
            spans.retain(|span| left <= *span);
            spans.sort();
            let overdue = (expires_at <= now).then_some(AlertKind::Overdue);
            let expiring = spans.into_iter().map(AlertKind::expiring);
            overdue.into_iter().chain(expiring).collect()
        }),
        State::InReview if lasts(limits.review) => vec![AlertKind::long_in_review(limits.review)],
        State::Blocked if lasts(limits.blocked) => vec![AlertKind::long_blocked(limits.blocked)],
        State::InReview | State::Blocked | State::Completed | State::Rejected | State::Expired => {
            Vec::new()
        }
    }
}

/// Changes of an order's alerts since they were last recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertUpdate {
    /// The alert that has begun to fire for the order.
    pub fired: Option<AlertKind>,
    /// Alerts of the order that no longer fire.
    pub resolved: Vec<AlertKind>,
}

/// Compares the recorded alerts of an order that are not resolved with those that fire, the most urgent first. Only the
/// most urgent one is new to an operator; a wider span stays open beside it, until it no longer holds.
pub fn update_alerts(open: &[AlertKind], firing: &[AlertKind]) -> AlertUpdate {
    let most_urgent = firing.first();
    let resolved = open.iter().filter(|alert| !firing.contains(alert));
    AlertUpdate {
        fired: most_urgent.filter(|alert| !open.contains(alert)).cloned(),
        resolved: resolved.cloned().collect(),
    }
}

impl AlertKind {
    /// Returns the kind of alert that says: the order's reservation runs out within `span`.
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

    /// Returns the code of the kind of alert.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns the threshold at which the alert fires, where its kind has one.
    pub fn threshold(&self) -> Option<Duration> {
        match self {
            AlertKind::Overdue => None,
            AlertKind::Expiring { within_ms: ms }
            | AlertKind::LongInReview { after_ms: ms }
            | AlertKind::LongBlocked { after_ms: ms } => Some(Duration::from_millis(*ms)),
        }
    }

    /// Returns the alert's name for monitoring. It has no blanks, and each threshold for reservations has a name of its
    /// own.
    pub fn label(&self) -> String {
        match self {
            AlertKind::Expiring { within_ms } => {
                let span = span_in_words(Duration::from_millis(*within_ms));
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
        let span = self.threshold().map(span_in_words).unwrap_or_default();
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

/// Formats a span in its largest whole unit.
fn span_in_words(span: Duration) -> String {
    let secs = span.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let is_whole =
        |unit: u64| secs >= unit && secs.is_multiple_of(unit) && span.subsec_nanos() == 0;
    match units.iter().find(|(unit, _)| is_whole(*unit)) {
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

    /// An order whose state Sinch dated 0, with two days until it expires.
    fn order(state: State) -> Order {
        Order {
            confirmed: Some(Confirmed {
                state,
                updated_at: at(0),
                expires_at: Some(at(172_800)),
                confirmed_at: at(0),
                shown_at: at(0),
                reopened: false,
            }),
            ..Order::new(at(0))
        }
    }

    fn limits() -> Limits {
        Limits {
            expiring: vec![
                Duration::from_secs(7200),
                Duration::from_secs(86_400),
                Duration::from_secs(900),
            ],
            review: Duration::from_secs(7 * 86_400),
            blocked: Duration::from_secs(90),
        }
    }

    fn seen(state: State, secs: i64) -> Option<String> {
        let alert = alert_kind(&order(state), at(secs), &limits());
        alert.map(|alert| alert.to_string())
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

    #[test]
    fn thresholds_that_differ_have_labels_that_differ() {
        for (ms, label) in [
            (900_000, "expiring-15min"),
            (900_500, "expiring-900.5s"),
            (172_800_000, "expiring-2d"),
            (1000, "expiring-1s"),
        ] {
            assert_eq!(
                AlertKind::expiring(Duration::from_millis(ms)).label(),
                label
            );
        }
    }

    /// Row of a table: state, time, and open alerts of an order; then the alert that fires and those that are resolved.
    type Row<'a> = (
        State,
        i64,
        &'a [&'a AlertKind],
        Option<&'a AlertKind>,
        &'a [&'a AlertKind],
    );

    #[test]
    fn alerts_fire_once_and_are_resolved_when_they_no_longer_fire() {
        let [day, hours, minutes] =
            [86_400, 7200, 900].map(|secs| AlertKind::expiring(Duration::from_secs(secs)));
        let review = AlertKind::long_in_review(limits().review);
        let blocked = AlertKind::long_blocked(limits().blocked);
        let former = AlertKind::long_blocked(Duration::from_secs(60));
        let overdue = AlertKind::Overdue;
        let expires = 172_800;
        let (created, in_review) = (State::Created, State::InReview);
        let rows: [Row; 12] = [
            (created, 1, &[], None, &[]),
            (created, expires - 86_400, &[], Some(&day), &[]),
            (created, expires - 86_400, &[&day], None, &[]),
            (created, expires - 900, &[], Some(&minutes), &[]),
            (created, expires - 7200, &[&day], Some(&hours), &[]),
            (created, expires - 7200, &[&day, &hours], None, &[]),
            (created, expires, &[&hours, &day], Some(&overdue), &[]),
            // Sinch gives the order more time.
            (created, 1, &[&hours, &day], None, &[&hours, &day]),
            (created, expires - 86_400, &[&hours, &day], None, &[&hours]),
            (in_review, 604_800, &[&day], Some(&review), &[&day]),
            // The threshold is another one since a restart.
            (State::Blocked, 90, &[&former], Some(&blocked), &[&former]),
            (State::Completed, 9_999_999, &[&blocked], None, &[&blocked]),
        ];
        for (state, secs, open, fired, resolved) in rows {
            let open: Vec<AlertKind> = open.iter().copied().cloned().collect();
            let firing = firing_alerts(&order(state), at(secs), &limits());
            let expected = AlertUpdate {
                fired: fired.cloned(),
                resolved: resolved.iter().copied().cloned().collect(),
            };
            assert_eq!(
                update_alerts(&open, &firing),
                expected,
                "{state} at {secs}: {open:?}"
            );
        }
    }
}
