//! Queries of the simulated service's database.

use std::collections::BTreeSet;

use sqlx::Row;

use super::{Service, Sinch, id};
use crate::store::{OrderFilter, OrderRow};
use number_order::{Id, State, Time};

impl Service {
    /// Returns the time at which the next order falls due: the polls before that would find nothing.
    pub(super) async fn next_due(&mut self) -> Time {
        let next = sqlx::query("SELECT min(fetch_at) FROM orders WHERE project = 1")
            .fetch_one(&mut self.reader)
            .await;
        let next: Option<i64> = next.expect("a time").get(0);
        Time(next.unwrap_or(i64::MAX))
    }

    /// Returns every order that is known.
    pub async fn orders(&self) -> Vec<OrderRow> {
        let filter = OrderFilter {
            limit: u32::MAX,
            ..OrderFilter::default()
        };
        self.store.orders(&filter).await.expect("reads").items
    }

    /// Returns the number of deliveries that wait to be processed, and the number that are kept.
    pub async fn deliveries(&mut self) -> (i64, i64) {
        let summary = self.store.summary(self.now).await.expect("reads");
        let kept = sqlx::query("SELECT count(*) FROM deliveries")
            .fetch_one(&mut self.reader)
            .await;
        (summary.deliveries_waiting, kept.expect("a count").get(0))
    }

    /// Returns the orders whose state differs from that at Sinch, that have something open, or that are unknown.
    pub async fn unsettled(&self, sinch: &Sinch) -> BTreeSet<Id> {
        let mut unsettled: BTreeSet<Id> = sinch.orders.keys().cloned().collect();
        for row in self.orders().await {
            let order = id(&row.order);
            let truth = sinch.state(&order, self.now).map(|(_, state)| state);
            if row.settled && row.confirmed == truth.map(State::as_str) {
                unsettled.remove(&order);
            }
        }
        unsettled
    }

    /// Returns the number of orders that are parked because they got no answer.
    pub async fn parked(&self) -> usize {
        let orders = self.orders().await;
        orders.iter().filter(|row| row.parked.is_some()).count()
    }
}
