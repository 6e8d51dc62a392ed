//! Alerts: the ranges of states and times in which they fire, and what has changed since they were recorded.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;

use super::Columns;
use super::codes::{self, Code};
use super::unreadable::{JsonRow, Read};
use crate::store::changes::{EventSubject, NewEvent, StoredOrder};
use crate::store::{AlertChanges, AlertRow, ResolvedAlert};
use number_order::{AlertKind, Limits, State, Time, firing_alerts, update_alerts};

/// Returns the time that lies `span` before `now`.
fn before_now(now: Time, span: Duration) -> Time {
    Time(now.0.saturating_sub(Time(0).plus(span).0))
}

/// Filter of the orders that have an alert which fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum AlertFilter {
    /// All orders with an alert that fires.
    All,
    /// Orders without an alert that is recorded and not resolved.
    WithoutOpen,
}

/// Orders of one kind of alert, as a range of an index.
pub(in crate::store) enum Range {
    /// CREATED, with an `expireTime` after the first of the two times and up to the second.
    Expiring(Time, Time),
    /// In the given state since the given time or longer.
    Lasting(State, Time),
}

/// Returns every kind of alert that can fire, the most urgent first.
pub(in crate::store) fn ranges(now: Time, limits: &Limits) -> Vec<(AlertKind, Range)> {
    let mut ranges = vec![(AlertKind::Overdue, Range::Expiring(Time(i64::MIN), now))];
    let mut periods = limits.expiring.clone();
    periods.sort();
    let mut after = now;
    for span in periods {
        let until = now.plus(span);
        ranges.push((AlertKind::expiring(span), Range::Expiring(after, until)));
        after = until;
    }
    for (alert, state, span) in [
        (
            AlertKind::long_in_review(limits.review),
            State::InReview,
            limits.review,
        ),
        (
            AlertKind::long_blocked(limits.blocked),
            State::Blocked,
            limits.blocked,
        ),
    ] {
        ranges.push((alert, Range::Lasting(state, before_now(now, span))));
    }
    ranges
}

/// Returns the given orders that have an alert which fires, each with it.
pub(in crate::store) fn firing(
    found: Read<StoredOrder>,
    now: Time,
    limits: &Limits,
) -> Read<AlertRow> {
    let orders = found.rows.into_iter();
    let rows = orders.filter_map(|stored| {
        let alert = number_order::alert_kind(&stored.order, now, limits)?;
        Some(alert_row(stored, alert, now))
    });
    Read {
        rows: rows.collect(),
        unreadable: found.unreadable,
    }
}

/// Returns an order with its alert.
fn alert_row(stored: StoredOrder, alert: AlertKind, now: Time) -> AlertRow {
    let known = stored.order.confirmed.as_ref();
    let expires_at = known.and_then(|c| c.expires_at);
    let left = expires_at.filter(|at| *at > now);
    AlertRow {
        project: stored.key.project.to_string(),
        order: stored.key.order.to_string(),
        state: known.map(|c| c.state.as_str()),
        alert,
        expires_at,
        left_secs: left.map(|at| at.since(now).as_secs()),
        since: known.map(|c| c.updated_at),
        id: stored.id,
        key: stored.key,
    }
}

/// An alert that is recorded and not resolved.
#[derive(Deserialize)]
#[serde(try_from = "OpenAlertText")]
pub(in crate::store) struct OpenAlert {
    id: i64,
    order_id: i64,
    alert: AlertKind,
}

/// Columns of an open alert's JSON array, in their order.
#[derive(Deserialize)]
struct OpenAlertText {
    id: i64,
    order_id: i64,
    kind: String,
    kind_fields: Option<String>,
}

impl TryFrom<OpenAlertText> for OpenAlert {
    type Error = serde_json::Error;

    fn try_from(row: OpenAlertText) -> Result<OpenAlert, serde_json::Error> {
        Ok(OpenAlert {
            id: row.id,
            order_id: row.order_id,
            alert: codes::value(&row.kind, row.kind_fields.as_deref())?,
        })
    }
}

impl JsonRow for OpenAlert {
    const TABLE: &'static str = "alerts";
    const COLUMNS: &'static str = "id, order_id, kind, kind_fields";
}

/// Compares the alerts of the given orders that are not resolved with those that fire now.
pub(in crate::store) fn compare_alerts(
    orders: Vec<StoredOrder>,
    open: Vec<OpenAlert>,
    now: Time,
    limits: &Limits,
    changes: &mut AlertChanges,
) {
    let mut by_order: HashMap<i64, Vec<OpenAlert>> = HashMap::new();
    for alert in open {
        by_order.entry(alert.order_id).or_default().push(alert);
    }
    for stored in orders {
        let open = by_order.remove(&stored.id).unwrap_or_default();
        let kinds: Vec<AlertKind> = open.iter().map(|open| open.alert.clone()).collect();
        let update = update_alerts(&kinds, &firing_alerts(&stored.order, now, limits));
        let resolved = open
            .into_iter()
            .filter(|open| update.resolved.contains(&open.alert));
        changes.resolved.extend(resolved.map(|open| ResolvedAlert {
            key: stored.key.clone(),
            alert: open.alert,
            id: open.id,
        }));
        let fired = update.fired.map(|alert| alert_row(stored, alert, now));
        changes.fired.extend(fired);
    }
}

/// An alert that fires: the row of its order, and its kind with the threshold.
pub(in crate::store) type FiredAlert = (i64, String, Option<String>);

/// Returns the alerts that have begun to fire, as they are recorded.
pub(in crate::store) fn fired_alerts(changes: &AlertChanges) -> Vec<FiredAlert> {
    let fired = changes.fired.iter().map(|row| {
        let kind = Code::new(&row.alert);
        (row.id, kind.code, kind.fields)
    });
    fired.collect()
}

/// Returns the events that tell of alerts which were resolved and recorded: rows with `order_id`, `kind`, `kind_fields` and
/// `fired_at`.
pub(in crate::store) fn changed_alerts<R: Columns>(
    resolved: &[R],
    fired: &[R],
    now: Time,
) -> sqlx::Result<Vec<NewEvent>> {
    let mut events = Vec::new();
    for row in resolved {
        events.push(ChangedAlert::of_row(row)?.resolved(now));
    }
    for row in fired {
        events.extend(ChangedAlert::of_row(row)?.fired());
    }
    Ok(events)
}

/// An alert as it was recorded or resolved.
struct ChangedAlert {
    order_id: i64,
    kind: AlertKind,
    fired_at: Time,
}

impl ChangedAlert {
    fn of_row(row: &impl Columns) -> sqlx::Result<ChangedAlert> {
        Ok(ChangedAlert {
            order_id: row.int("order_id")?,
            kind: codes::require(row, "kind", "kind_fields")?,
            fired_at: Time(row.int("fired_at")?),
        })
    }

    /// Returns the events that tell that the alert fires: it is news of its own where a reservation runs out.
    fn fired(self) -> Vec<NewEvent> {
        let (order_id, kind, fired_at) = (Some(self.order_id), self.kind, self.fired_at);
        let is_expiring = match kind {
            AlertKind::Expiring { .. } | AlertKind::Overdue => true,
            AlertKind::LongInReview { .. } | AlertKind::LongBlocked { .. } => false,
        };
        let expiring = is_expiring.then(|| EventSubject::Expiring {
            kind: kind.clone(),
            fired_at,
        });
        let fired = EventSubject::AlertFired { kind, fired_at };
        let subjects = expiring.into_iter().chain([fired]);
        let event = |subject| NewEvent {
            recorded_at: fired_at,
            order_id,
            subject,
        };
        subjects.map(event).collect()
    }

    /// Returns the event that tells that the alert does not fire any more.
    fn resolved(self, now: Time) -> NewEvent {
        NewEvent {
            recorded_at: now,
            order_id: Some(self.order_id),
            subject: EventSubject::AlertResolved {
                kind: self.kind,
                fired_at: self.fired_at,
            },
        }
    }
}
