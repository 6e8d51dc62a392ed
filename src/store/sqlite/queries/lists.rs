//! Lists of orders and of deliveries, page by page, and whether any order of a project is confirmed.

use sqlx::{QueryBuilder, Row, Sqlite};

use super::delivery_columns;
use crate::store::changes::StoredOrder;
use crate::store::sql::cursor::List;
use crate::store::sql::history::{page_of_deliveries, page_of_orders};
use crate::store::sql::lists::{push_alert, push_page};
use crate::store::sql::unreadable;
use crate::store::sqlite::rows::order_text;
use crate::store::sqlite::{Store, StoreError, details, numbers};
use crate::store::{DeliveryFilter, ListedDelivery, Listing, NumberQuery, OrderFilter, OrderRow};
use number_order::{Id, LATE_AFTER};

type Query = QueryBuilder<Sqlite>;

/// Selects orders that are not settled. The indexes `orders_unsettled` and `orders_parked` have those, so this list
/// begins there.
pub(in crate::store::sqlite) const UNSETTLED: &str = "\
    (SELECT id FROM orders INDEXED BY orders_unsettled WHERE unsettled_at IS NOT NULL AND parked IS NULL \
      UNION ALL SELECT id FROM orders INDEXED BY orders_parked WHERE parked IS NOT NULL) AS open \
     CROSS JOIN orders AS o ON o.id = open.id";

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
        let mut query = select_orders(filter, after);
        let found = query.build().fetch_all(&mut *db).await?;
        let found = unreadable::each::<StoredOrder>(&found)?;
        self.met.note(&found.unreadable);
        let ids: Vec<i64> = found.rows.iter().map(|stored| stored.id).collect();
        let details = details::read(&mut db, &ids).await?;
        Ok(page_of_orders(found, details, filter))
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
        let found = select_deliveries(filter, after)
            .build()
            .fetch_all(&mut *self.readers.begin().await?)
            .await?;
        let page = page_of_deliveries(&found, filter)?;
        self.met.note(&page.unreadable);
        Ok(page)
    }
}

/// Builds the query for a page of orders, after the given row.
pub(in crate::store::sqlite) fn select_orders(filter: &OrderFilter, after: Option<i64>) -> Query {
    let mut query = Query::new(concat!("SELECT ", order_text!(), " FROM "));
    let is_open = filter.settled == Some(false);
    query.push(if is_open { UNSETTLED } else { "orders AS o" });
    query.push(" JOIN projects AS p ON p.id = o.project WHERE true");
    if let Some(project) = &filter.project {
        query
            .push(" AND p.sinch_id = ")
            .push_bind(project.to_string());
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
        query.push(" AND o.parked = ").push_bind(code);
    }
    if let Some(region) = &filter.region {
        query.push(" AND o.id IN (SELECT order_id FROM order_details WHERE region = ");
        query.push_bind(region.clone()).push(")");
    }
    if let Some(digits) = &filter.number {
        query.push(" AND EXISTS (SELECT 1 FROM order_numbers WHERE order_id = o.id AND instr(phone_number, ");
        query.push_bind(digits.clone()).push(") > 0)");
    }
    if let Some(readiness) = filter.readiness {
        query.push(" AND EXISTS (SELECT 1 FROM order_numbers AS n WHERE n.order_id = o.id AND ");
        match readiness {
            NumberQuery::Code(code) => query.push("n.readiness = ").push_bind(code).push(")"),
            NumberQuery::Late => query
                .push(numbers::LATE)
                .push_bind(LATE_AFTER.as_micros() as i64)
                .push(")"),
        };
    }
    if let Some(since) = filter.changed_since {
        query.push(
            " AND EXISTS (SELECT 1 FROM transitions AS t WHERE t.order_id = o.id AND t.recorded_at >= ",
        );
        query.push_bind(since.0).push(")");
    }
    if let Some(alert) = &filter.alert {
        push_alert(&mut query, alert);
    }
    push_page(&mut query, "o.id", filter.newest_first, after, filter.limit);
    query
}

/// Builds the query for a page of deliveries, after the given row.
pub(in crate::store::sqlite) fn select_deliveries(
    filter: &DeliveryFilter,
    after: Option<i64>,
) -> Query {
    let mut query = Query::new(SELECT_DELIVERIES);
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
        Some(phase) => {
            query.push(" AND d.phase = ").push_bind(phase);
        }
        None => {}
    }
    if let Some(since) = filter.received_since {
        query.push(" AND d.received_at >= ").push_bind(since.0);
    }
    if let Some(before) = filter.received_before {
        query.push(" AND d.received_at < ").push_bind(before.0);
    }
    push_page(&mut query, "d.id", filter.newest_first, after, filter.limit);
    query
}
