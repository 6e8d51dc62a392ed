//! Orders with their histories, and pages of lists.

use std::collections::HashMap;

use super::cursor::{List, last};
use super::notifications::notification_of_row;
use super::reach::Reach;
use super::unreadable::{self, Read, each_with};
use super::{Columns, codes, time};
use crate::store::changes::{StoredNumber, StoredOrder};
use crate::store::{
    DeliveryFilter, DeliveryRow, FetchRow, ListedDelivery, Listing, NumberRow, OrderDetail,
    OrderFilter, OrderRow, RecordedAlert, TransitionRow,
};
use number_order::{OrderDetails, Time};

/// Maximum number of rows of each kind in an order's history; the newest are shown.
pub(in crate::store) const HISTORY_MAX: u32 = 1000;

/// Rows of an order's history: its numbers, and of each other kind the newest first.
pub(in crate::store) struct History<R> {
    pub numbers: Vec<R>,
    pub deliveries: Vec<R>,
    pub fetches: Vec<R>,
    pub transitions: Vec<R>,
    pub alerts: Vec<R>,
    pub notifications: Vec<R>,
}

impl<R: Columns> History<R> {
    /// Returns the history of the given order.
    pub(in crate::store) fn of(
        &self,
        order: StoredOrder,
        details: OrderDetails,
    ) -> sqlx::Result<OrderDetail> {
        let numbers = unreadable::each::<StoredNumber>(&self.numbers)?;
        let deliveries = each_with(&self.deliveries, "deliveries", delivery_of_row)?;
        let fetches = each_with(&self.fetches, "fetches", fetch_of_row)?;
        let transitions = each_with(&self.transitions, "transitions", transition_of_row)?;
        let alerts = each_with(&self.alerts, "alerts", alert_of_row)?;
        let notifications = each_with(&self.notifications, "notifications", notification_of_row)?;
        let all_are_read = numbers.unreadable.is_empty();
        let readiness: Vec<NumberRow> = numbers.rows.into_iter().map(NumberRow::new).collect();
        let unreadable = [
            numbers.unreadable,
            deliveries.unreadable,
            fetches.unreadable,
            transitions.unreadable,
            alerts.unreadable,
            notifications.unreadable,
        ]
        .concat();
        Ok(OrderDetail {
            order: OrderRow::new(order, details),
            ready_at: ready_at(&readiness).filter(|_| all_are_read),
            readiness,
            deliveries: oldest_first(deliveries.rows),
            fetches: oldest_first(fetches.rows),
            transitions: oldest_first(transitions.rows),
            alerts: oldest_first(alerts.rows),
            notifications: oldest_first(notifications.rows),
            unreadable,
        })
    }
}

/// Returns a page of orders, each with its subject.
pub(in crate::store) fn page_of_orders(
    found: Read<StoredOrder>,
    mut details: HashMap<i64, OrderDetails>,
    filter: &OrderFilter,
    reach: Reach,
) -> Listing<OrderRow> {
    let ids = found.rows.iter().map(|stored| stored.id);
    let last = last(ids, &found.unreadable, filter.newest_first, filter.limit);
    let rows = found.rows.into_iter().map(|stored| {
        let details = details.remove(&stored.id).unwrap_or_default();
        OrderRow::new(stored, details)
    });
    Listing {
        items: rows.collect(),
        unreadable: found.unreadable,
        next: reach
            .next(last, filter.newest_first)
            .map(|row| List::Orders.cursor(row)),
    }
}

/// Returns a page of deliveries.
pub(in crate::store) fn page_of_deliveries<R: Columns>(
    found: &[R],
    filter: &DeliveryFilter,
    reach: Reach,
) -> sqlx::Result<Listing<ListedDelivery>> {
    let found = each_with(found, "deliveries", listed_delivery)?;
    let ids = found.rows.iter().map(|row| row.delivery.id);
    let last = last(ids, &found.unreadable, filter.newest_first, filter.limit);
    Ok(Listing {
        items: found.rows,
        unreadable: found.unreadable,
        next: reach
            .next(last, filter.newest_first)
            .map(|row| List::Deliveries.cursor(row)),
    })
}

fn delivery_of_row(row: &impl Columns) -> sqlx::Result<DeliveryRow> {
    Ok(DeliveryRow {
        id: row.int("id")?,
        event: row.text("dedup_key")?.to_owned(),
        status: text(row, "status")?,
        said_at: time(row, "said_at")?,
        received_at: Time(row.int("received_at")?),
        phase: row.text("phase")?.to_owned(),
        decision: codes::read(row, "decision", "decision_fields")?,
        duplicates: row.int("duplicates")?,
        dismissed_at: time(row, "dismissed_at")?,
    })
}

fn listed_delivery(row: &impl Columns) -> sqlx::Result<ListedDelivery> {
    Ok(ListedDelivery {
        project: row.text("project")?.to_owned(),
        order: text(row, "order_sinch_id")?,
        delivery: delivery_of_row(row)?,
    })
}

/// Returns the time at which the last of an order's numbers became ready; `None` until each has been.
fn ready_at(numbers: &[NumberRow]) -> Option<Time> {
    let all: Option<Vec<Time>> = numbers.iter().map(|number| number.ready_at).collect();
    all?.into_iter().max()
}

fn oldest_first<T>(mut newest_first: Vec<T>) -> Vec<T> {
    newest_first.reverse();
    newest_first
}

fn fetch_of_row(row: &impl Columns) -> sqlx::Result<FetchRow> {
    Ok(FetchRow {
        fetched_at: Time(row.int("fetched_at")?),
        state: text(row, "state")?,
        updated_at: time(row, "updated_at")?,
        outcome: codes::require(row, "outcome", "outcome_fields")?,
        unreadable_expiry: text(row, "unreadable_expiry")?,
    })
}

pub(in crate::store) fn transition_of_row(row: &impl Columns) -> sqlx::Result<TransitionRow> {
    Ok(TransitionRow {
        recorded_at: Time(row.int("recorded_at")?),
        from_state: text(row, "from_state")?,
        to_state: row.text("to_state")?.to_owned(),
        confirmed: row.flag("confirmed")?,
        said_at: Time(row.int("said_at")?),
        cause: codes::require(row, "cause", "cause_fields")?,
    })
}

fn alert_of_row(row: &impl Columns) -> sqlx::Result<RecordedAlert> {
    Ok(RecordedAlert {
        alert: codes::require(row, "kind", "kind_fields")?,
        fired_at: Time(row.int("fired_at")?),
        resolved_at: time(row, "resolved_at")?,
    })
}

fn text(row: &impl Columns, column: &str) -> sqlx::Result<Option<String>> {
    Ok(row.text_if_any(column)?.map(str::to_owned))
}
