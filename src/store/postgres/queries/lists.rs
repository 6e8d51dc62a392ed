//! Lists of orders and of deliveries, page by page, and whether any order of a project is confirmed.
//!
//! A page ends with an id, which stays valid while rows come and go: every row that was there when the first page was
//! read, and stays, is listed once. A row that another replica commits in between may have an id below the page's end;
//! the next list has it.

use sqlx::{Postgres, QueryBuilder, Row};
use strum::VariantNames;

use super::{delivery_columns, delivery_tables, order_text};
use crate::store::changes::StoredOrder;
use crate::store::postgres::Store;
use crate::store::postgres::details;
use crate::store::postgres::error::Fault;
use crate::store::postgres::lane::bounded;
use crate::store::postgres::reach::{bounds, shortened};
use crate::store::sql::cursor::List;
use crate::store::sql::history::{page_of_deliveries, page_of_orders};
use crate::store::sql::lists::{
    is_in_many_numbers, looks_through_deliveries, looks_through_orders, push_alert,
};
use crate::store::sql::reach::{ALL, Listed, Reach};
use crate::store::sql::unreadable;
use crate::store::{
    AlertQuery, DeliveryFilter, DeliveryKind, ListedDelivery, Listing, NumberQuery, OrderFilter,
    OrderRow, StoreError,
};
use number_order::{Id, LATE_AFTER, NotUnderstood};

type Query = QueryBuilder<Postgres>;

/// Selects orders that are not settled. The indexes `orders_unsettled` and `orders_parked` have those, so this list
/// begins there.
const UNSETTLED: &str = "\
    (SELECT id FROM orders WHERE unsettled_at IS NOT NULL AND parked IS NULL \
      UNION ALL SELECT id FROM orders WHERE parked IS NOT NULL) AS open JOIN orders AS o ON o.id = open.id";

/// Restricts a query to orders with a number that is not ready. What else its number must be follows.
const NOT_READY: &str = " AND o.id IN (SELECT n.order_id FROM order_numbers AS n \
     WHERE n.followed_at IS NOT NULL AND n.readiness IS DISTINCT FROM 'ready' AND ";

const SELECT_DELIVERIES: &str = concat!(
    "SELECT p.sinch_id AS project, d.order_sinch_id, ",
    delivery_columns!(),
    " FROM deliveries AS d JOIN projects AS p ON p.id = d.project",
    delivery_tables!(),
    " WHERE true"
);

/// Decision on each delivery about another subject than an order.
const OTHER_RESOURCE: &str = "other-resource";

const ANY_CONFIRMED: &str = "
    SELECT EXISTS (SELECT 1 FROM projects AS p JOIN orders AS o ON o.project = p.id
        WHERE p.sinch_id = $1 AND o.confirmed_state IS NOT NULL)";

impl Store {
    pub(in crate::store) async fn orders(
        &self,
        filter: &OrderFilter,
    ) -> Result<Listing<OrderRow>, StoreError> {
        let after = filter.after.as_ref();
        let after = after.map(|cursor| List::Orders.row(cursor)).transpose()?;
        let page = bounded(|| self.read_orders(filter, after)).await?;
        self.shared.met.note(&page.unreadable);
        Ok(page)
    }

    async fn read_orders(
        &self,
        filter: &OrderFilter,
        after: Option<i64>,
    ) -> Result<Listing<OrderRow>, Fault> {
        let alert = filter.alert.as_ref().map(|alert| AlertQuery {
            now: self.shared.clock.database(alert.now),
            ..alert.clone()
        });
        let mut work = self.shared.readers.begin_reading().await?;
        let mut reach = Reach::after(after, filter.newest_first, &ALL);
        if looks_through_orders(filter) {
            reach = shortened(&mut work, reach, Listed::ORDERS, filter.newest_first).await?;
        }
        let mut query = select_orders(filter, alert.as_ref(), reach);
        let found = query.build().fetch_all(&mut *work).await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        let ids: Vec<i64> = found.rows.iter().map(|stored| stored.id).collect();
        let details = details::read(&mut work, &ids).await?;
        work.undo().await?;
        Ok(page_of_orders(found, details, filter, reach))
    }

    pub(in crate::store) async fn any_confirmed(&self, project: &Id) -> Result<bool, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let found = sqlx::query(ANY_CONFIRMED).bind(project.as_str());
            let found = found.fetch_one(&mut *work).await?;
            work.undo().await?;
            Ok(found.try_get(0)?)
        })
        .await
    }

    pub(in crate::store) async fn deliveries(
        &self,
        filter: &DeliveryFilter,
    ) -> Result<Listing<ListedDelivery>, StoreError> {
        let after = filter.after.as_ref();
        let after = after
            .map(|cursor| List::Deliveries.row(cursor))
            .transpose()?;
        let page = bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let (since, until) = (filter.since, filter.until);
            let bounds = bounds(&mut work, Listed::DELIVERIES, since, until).await?;
            let mut reach = Reach::after(after, filter.newest_first, &bounds);
            if looks_through_deliveries(filter) {
                reach =
                    shortened(&mut work, reach, Listed::DELIVERIES, filter.newest_first).await?;
            }
            let mut query = select_deliveries(filter, reach);
            let found = query.build().fetch_all(&mut *work).await?;
            work.undo().await?;
            Ok(page_of_deliveries(&found, filter, reach)?)
        });
        let page = page.await?;
        self.shared.met.note(&page.unreadable);
        Ok(page)
    }
}

/// Builds the query for a page of orders, within the given rows.
fn select_orders(filter: &OrderFilter, alert: Option<&AlertQuery>, reach: Reach) -> Query {
    let mut query = Query::new(concat!("SELECT ", order_text!(), " FROM "));
    let is_open = filter.settled == Some(false);
    query.push(if is_open { UNSETTLED } else { "orders AS o" });
    query.push(" JOIN projects AS p ON p.id = o.project WHERE true");
    if let Some(project) = &filter.project {
        push_project(&mut query, "o.project", project);
    }
    if let Some(state) = &filter.state {
        query.push(" AND o.state = ").push_bind(storable(state));
    }
    if filter.settled == Some(true) {
        query.push(" AND o.unsettled_at IS NULL AND o.parked IS NULL");
    }
    match filter.parked {
        Some(true) => query.push(" AND o.parked IS NOT NULL"),
        Some(false) => query.push(" AND o.parked IS NULL"),
        None => &mut query,
    };
    if let Some(code) = filter.park_code {
        query.push(" AND o.parked = ").push_bind(code);
    }
    if let Some(region) = &filter.region {
        query.push(" AND o.id IN (SELECT order_id FROM order_details WHERE region = ");
        query.push_bind(storable(region)).push(")");
    }
    if let Some(digits) = &filter.number {
        // A few digits stand in many numbers, so orders with them are soon found one by one.
        query.push(if is_in_many_numbers(digits) {
            " AND EXISTS (SELECT 1 FROM order_numbers WHERE order_id = o.id AND phone_number LIKE "
        } else {
            " AND o.id IN (SELECT order_id FROM order_numbers WHERE phone_number LIKE "
        });
        // Of a pattern the server knows that few numbers fit; of a function it would take a third of them for granted.
        query.push_bind(format!("%{digits}%")).push(")");
    }
    match filter.readiness {
        // Most numbers are ready, and no index has those.
        Some(NumberQuery::Code("ready")) => {
            query.push(" AND EXISTS (SELECT 1 FROM order_numbers AS n WHERE n.order_id = o.id AND n.readiness = 'ready')");
        }
        Some(readiness) => {
            query.push(NOT_READY);
            match readiness {
                NumberQuery::Code(code) => query.push("n.readiness = ").push_bind(code),
                NumberQuery::Late => query.push(LATE).push_bind(LATE_AFTER.as_micros() as i64),
            };
            query.push(")");
        }
        None => {}
    }
    if let Some(since) = filter.changed_since {
        query.push(
            " AND EXISTS (SELECT 1 FROM transitions AS t WHERE t.order_id = o.id AND t.recorded_at >= ",
        );
        query.push_bind(since.0).push(")");
    }
    if let Some(alert) = alert {
        push_alert(&mut query, alert);
    }
    reach.push(&mut query, "o.id", filter.newest_first, filter.limit);
    query
}

/// SQL condition on `order_numbers AS n` that a number is late, as `Following::is_late` defines it. The caller appends
/// the time after which a number is late, in microseconds.
pub(in crate::store) const LATE: &str = "n.followed_at IS NOT NULL AND n.readiness IS DISTINCT FROM 'ready' \
     AND n.fetched_at - n.followed_at >= ";

/// Restricts a query to rows of a project, by the row's own column: other projects' rows need not be joined first.
fn push_project(query: &mut Query, column: &str, project: &Id) {
    query.push(format_args!(
        " AND {column} = (SELECT id FROM projects WHERE sinch_id = "
    ));
    query.push_bind(project.to_string()).push(")");
}

/// Builds the query for a page of deliveries, within the given rows.
pub(in crate::store::postgres) fn select_deliveries(
    filter: &DeliveryFilter,
    reach: Reach,
) -> Query {
    let mut query = Query::new(SELECT_DELIVERIES);
    if let Some(id) = filter.id {
        query.push(" AND d.id = ").push_bind(id);
    }
    if let Some(project) = &filter.project {
        push_project(&mut query, "d.project", project);
    }
    if let Some(order) = &filter.order {
        push_order(&mut query, order);
    }
    if let Some(decision) = filter.decision {
        push_decision(&mut query, decision, reach);
    }
    if let Some(phase) = filter.phase {
        query.push(match phase {
            "parked" => {
                " AND d.id IN (SELECT id FROM deliveries WHERE kind = 'not-understood' \
                 UNION ALL SELECT delivery_id FROM decisions WHERE parked)"
            }
            "waiting" => " AND d.id IN (SELECT id FROM pending WHERE order_sinch_id IS NOT NULL)",
            "recorded" => " AND d.kind = 'other'",
            "processed" => " AND NOT c.parked",
            _ => " AND false",
        });
    }
    if let Some(kind) = filter.kind {
        query.push(match kind {
            DeliveryKind::Order => " AND d.order_sinch_id IS NOT NULL",
            DeliveryKind::Number => " AND d.number IS NOT NULL",
            DeliveryKind::Other => " AND d.kind = 'other' AND d.number IS NULL",
            DeliveryKind::NotUnderstood => " AND d.kind = 'not-understood'",
        });
    }
    if let Some(since) = filter.since {
        query.push(" AND d.received_at >= ").push_bind(since.0);
    }
    if let Some(until) = filter.until {
        query.push(" AND d.received_at < ").push_bind(until.0);
    }
    reach.push(&mut query, "d.id", filter.newest_first, filter.limit);
    query
}

/// Restricts a query to the deliveries with a decision, within the given rows. Where a decision is recorded depends on its
/// kind. One condition on the right column is answered from that table alone; one on both would be tried on every delivery.
fn push_decision(query: &mut Query, decision: &'static str, reach: Reach) {
    if NotUnderstood::VARIANTS.contains(&decision) {
        query.push(" AND d.kind = 'not-understood' AND d.decision = ");
        query.push_bind(decision);
    } else if decision == OTHER_RESOURCE {
        query.push(" AND d.kind = 'other' AND d.decision = ");
        query.push_bind(decision);
    } else {
        query.push(" AND d.id IN (SELECT delivery_id FROM decisions WHERE decision = ");
        query.push_bind(decision);
        reach.push_ends(query, "delivery_id");
        query.push(")");
    }
}

/// Restricts a query to the deliveries of an order: processed ones are found by the order's row, those about its numbers
/// by these, and the few others by the order's id.
fn push_order(query: &mut Query, order: &Id) {
    let order = order.as_str();
    query.push(
        " AND d.id IN (SELECT c.delivery_id FROM projects AS p JOIN orders AS o ON o.project = p.id \
         JOIN decisions AS c ON c.order_id = o.id WHERE o.sinch_id = ",
    );
    query.push_bind(order.to_owned());
    query.push(
        " UNION ALL SELECT c.delivery_id FROM decisions AS c JOIN deliveries AS w ON w.id = c.delivery_id \
         WHERE c.parked AND c.order_id IS NULL AND w.order_sinch_id = ",
    );
    query.push_bind(order.to_owned());
    query.push(" UNION ALL SELECT id FROM pending WHERE order_sinch_id = ");
    query.push_bind(order.to_owned());
    query.push(
        " UNION ALL SELECT w.id FROM projects AS p JOIN orders AS o ON o.project = p.id \
         JOIN order_numbers AS n ON n.order_id = o.id \
         JOIN deliveries AS w ON w.project = n.project AND w.number = n.phone_number WHERE o.sinch_id = ",
    );
    query.push_bind(order.to_owned()).push(")");
}

/// Returns an operator's text as it would be stored.
fn storable(text: &str) -> String {
    crate::store::postgres::storable(text).into_owned()
}
