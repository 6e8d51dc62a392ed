//! Lists of orders and of deliveries, page by page, and whether any order of a project is confirmed.

use sqlx::{QueryBuilder, Row, Sqlite};

use super::delivery_columns;
use crate::store::changes::StoredOrder;
use crate::store::sql::cursor::List;
use crate::store::sql::history::{page_of_deliveries, page_of_orders};
use crate::store::sql::lists::{
    is_in_many_numbers, looks_through_deliveries, looks_through_orders, push_alert,
};
use crate::store::sql::reach::{ALL, Listed, Reach};
use crate::store::sql::unreadable;
use crate::store::sqlite::reach::{bounds, shortened};
use crate::store::sqlite::rows::order_text;
use crate::store::sqlite::{Store, StoreError, details, numbers};
use crate::store::{
    DeliveryFilter, DeliveryKind, ListedDelivery, Listing, NumberQuery, OrderFilter, OrderRow,
};
use number_order::{Id, LATE_AFTER};

type Query = QueryBuilder<Sqlite>;

/// Selects orders that are not settled. The indexes `orders_unsettled` and `orders_parked` have those, so this list
/// begins there.
pub(in crate::store::sqlite) const UNSETTLED: &str = "\
    (SELECT id FROM orders INDEXED BY orders_unsettled WHERE unsettled_at IS NOT NULL AND parked IS NULL \
      UNION ALL SELECT id FROM orders INDEXED BY orders_parked WHERE parked IS NOT NULL) AS open \
     CROSS JOIN orders AS o ON o.id = open.id";

/// Restricts a query to orders with a number that is not ready. What else its number must be follows.
const NOT_READY: &str = " AND o.id IN (SELECT n.order_id FROM order_numbers AS n INDEXED BY order_numbers_not_ready \
     WHERE n.followed_at IS NOT NULL AND n.readiness IS NOT 'ready' AND ";

const SELECT_DELIVERIES: &str = concat!(
    "SELECT p.sinch_id AS project, d.order_sinch_id, ",
    delivery_columns!(),
    " FROM deliveries AS d JOIN projects AS p ON p.id = d.project WHERE true"
);

impl Store {
    pub(in crate::store) async fn orders(
        &self,
        filter: &OrderFilter,
    ) -> Result<Listing<OrderRow>, StoreError> {
        let after = filter.after.as_ref();
        let after = after.map(|cursor| List::Orders.row(cursor)).transpose()?;
        let mut db = self.readers.begin().await?;
        let mut reach = Reach::after(after, filter.newest_first, &ALL);
        if looks_through_orders(filter) {
            reach = shortened(&mut db, reach, Listed::ORDERS, filter.newest_first).await?;
        }
        let mut query = select_orders(filter, reach);
        let found = query.build().fetch_all(&mut *db).await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        self.met.note(&found.unreadable);
        let ids: Vec<i64> = found.rows.iter().map(|stored| stored.id).collect();
        let details = details::read(&mut db, &ids).await?;
        Ok(page_of_orders(found, details, filter, reach))
    }

    pub(in crate::store) async fn any_confirmed(&self, project: &Id) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM projects AS p JOIN orders AS o ON o.project = p.id \
                   WHERE p.sinch_id = ? AND o.confirmed_state IS NOT NULL)";
        let found = sqlx::query(sql)
            .bind(project.as_str())
            .fetch_one(&mut *self.readers.begin().await?)
            .await?;
        Ok(found.try_get(0)?)
    }

    pub(in crate::store) async fn deliveries(
        &self,
        filter: &DeliveryFilter,
    ) -> Result<Listing<ListedDelivery>, StoreError> {
        let after = filter.after.as_ref();
        let after = after
            .map(|cursor| List::Deliveries.row(cursor))
            .transpose()?;
        let mut db = self.readers.begin().await?;
        let (since, until) = (filter.since, filter.until);
        let bounds = bounds(&mut db, Listed::DELIVERIES, since, until).await?;
        let mut reach = Reach::after(after, filter.newest_first, &bounds);
        if looks_through_deliveries(filter) {
            reach = shortened(&mut db, reach, Listed::DELIVERIES, filter.newest_first).await?;
        }
        let mut query = select_deliveries(filter, reach);
        let found = query.build().fetch_all(&mut *db).await?;
        let page = page_of_deliveries(&found, filter, reach)?;
        self.met.note(&page.unreadable);
        Ok(page)
    }
}

/// Builds the query for a page of orders, within the given rows.
pub(in crate::store::sqlite) fn select_orders(filter: &OrderFilter, reach: Reach) -> Query {
    let mut query = Query::new(concat!("SELECT ", order_text!(), " FROM "));
    let is_parked = filter.parked == Some(true) || filter.park_code.is_some();
    query.push(if filter.settled == Some(false) {
        UNSETTLED
    } else if is_parked {
        "orders AS o INDEXED BY orders_parked"
    } else {
        "orders AS o"
    });
    query.push(" JOIN projects AS p ON p.id = o.project WHERE true");
    if let Some(project) = &filter.project {
        query
            .push(" AND o.project = (SELECT id FROM projects WHERE sinch_id = ")
            .push_bind(project.to_string())
            .push(")");
    }
    if let Some(state) = &filter.state {
        query.push(" AND o.state = ").push_bind(state.clone());
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
        query
            .push(" AND o.parked IS NOT NULL AND o.parked = ")
            .push_bind(code);
    }
    if let Some(region) = &filter.region {
        query.push(" AND o.id IN (SELECT order_id FROM order_details WHERE region = ");
        query.push_bind(region.clone()).push(")");
    }
    push_numbers(&mut query, filter);
    if let Some(since) = filter.changed_since {
        query.push(
            " AND EXISTS (SELECT 1 FROM transitions AS t WHERE t.order_id = o.id AND t.recorded_at >= ",
        );
        query.push_bind(since.0).push(")");
    }
    if let Some(alert) = &filter.alert {
        push_alert(&mut query, alert);
    }
    reach.push(&mut query, "o.id", filter.newest_first, filter.limit);
    query
}

/// Restricts a query to orders with numbers that a filter chooses.
fn push_numbers(query: &mut Query, filter: &OrderFilter) {
    if let Some(digits) = &filter.number {
        // A few digits stand in many numbers, so orders with them are soon found one by one.
        query.push(if is_in_many_numbers(digits) {
            " AND EXISTS (SELECT 1 FROM order_numbers WHERE order_id = o.id AND instr(phone_number, "
        } else {
            " AND o.id IN (SELECT order_id FROM order_numbers WHERE instr(phone_number, "
        });
        query.push_bind(digits.clone()).push(") > 0)");
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
                NumberQuery::Late => query
                    .push(numbers::LATE)
                    .push_bind(LATE_AFTER.as_micros() as i64),
            };
            query.push(")");
        }
        None => {}
    }
}

/// Builds the query for a page of deliveries, within the given rows.
pub(in crate::store::sqlite) fn select_deliveries(filter: &DeliveryFilter, reach: Reach) -> Query {
    let mut query = Query::new(SELECT_DELIVERIES);
    if let Some(id) = filter.id {
        query.push(" AND d.id = ").push_bind(id);
    }
    if let Some(project) = &filter.project {
        query
            .push(" AND p.sinch_id = ")
            .push_bind(project.to_string());
    }
    if let Some(order) = &filter.order {
        // Processed deliveries are found by their order's row, those about its numbers by these, and the few others by
        // the order's id, each by an index.
        query.push(" AND d.id IN (SELECT id FROM deliveries WHERE order_id IN (SELECT o.id FROM projects AS p CROSS JOIN orders AS o ON o.project = p.id WHERE o.sinch_id = ");
        query.push_bind(order.to_string());
        query.push(") UNION ALL SELECT id FROM deliveries WHERE phase = 'parked' AND order_id IS NULL AND order_sinch_id = ");
        query.push_bind(order.to_string());
        query.push(" UNION ALL SELECT id FROM deliveries WHERE id > (SELECT processed_through FROM service) AND phase = 'waiting' AND order_sinch_id = ");
        query.push_bind(order.to_string());
        query.push(" UNION ALL SELECT d.id FROM projects AS p CROSS JOIN orders AS o ON o.project = p.id CROSS JOIN order_numbers AS n ON n.order_id = o.id CROSS JOIN deliveries AS d ON d.project = n.project AND d.number = n.phone_number WHERE d.number IS NOT NULL AND o.sinch_id = ");
        query.push_bind(order.to_string()).push(")");
    }
    if let Some(decision) = filter.decision {
        query.push(" AND d.decision = ").push_bind(decision);
    }
    match filter.phase {
        // The condition is the index's own: SQLite would not know that a parameter is this word.
        Some("parked") => {
            query.push(" AND d.phase = 'parked'");
        }
        Some("waiting") => {
            query.push(
                " AND d.phase = 'waiting' AND d.id > (SELECT processed_through FROM service)",
            );
        }
        Some(phase) => {
            query.push(" AND d.phase = ").push_bind(phase);
        }
        None => {}
    }
    if let Some(kind) = filter.kind {
        query.push(match kind {
            DeliveryKind::Order => " AND d.order_sinch_id IS NOT NULL",
            DeliveryKind::Number => " AND d.number IS NOT NULL",
            DeliveryKind::Other => " AND d.phase = 'recorded' AND d.number IS NULL",
            DeliveryKind::NotUnderstood => " AND d.phase = 'parked' AND d.order_sinch_id IS NULL",
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
