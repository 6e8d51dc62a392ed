//! Face of the store for the queries of operators: orders, deliveries, alerts, and the summary of all.

use crate::store::{
    AlertFilter, Body, DeliveryFilter, Found, ListedAlert, ListedDelivery, ListedTransition,
    Listing, OrderDetail, OrderFilter, OrderRow, Standing, Store, StoreError, TransitionFilter,
};
use number_order::{Id, Limits, OrderKey, Time};

impl Store {
    /// Lists orders.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn orders(&self, filter: &OrderFilter) -> Result<Listing<OrderRow>, StoreError> {
        backend!(self, store => store.orders(filter).await)
    }

    /// Finds the order with the given id, in any project.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn find(&self, order: &Id) -> Result<Found, StoreError> {
        backend!(self, store => store.find(order).await)
    }

    /// Returns an order with its history; `None` if the order is not known.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn history(&self, key: &OrderKey) -> Result<Option<OrderDetail>, StoreError> {
        backend!(self, store => store.history(key).await)
    }

    /// Lists transitions, by the time at which they were recorded.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn transitions(
        &self,
        filter: &TransitionFilter,
    ) -> Result<Listing<ListedTransition>, StoreError> {
        backend!(self, store => store.transitions(filter).await)
    }

    /// Lists alerts about orders and about the service, by the time at which they began to fire.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Listing<ListedAlert>, StoreError> {
        backend!(self, store => store.alerts(filter).await)
    }

    /// Lists deliveries.
    ///
    /// # Errors
    ///
    /// Fails if the cursor is not one of this list, or if the database cannot be read.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
    ) -> Result<Listing<ListedDelivery>, StoreError> {
        backend!(self, store => store.deliveries(filter).await)
    }

    /// Returns the raw body of a delivery; `None` if there is no such delivery.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn body(&self, delivery: i64) -> Result<Option<Body>, StoreError> {
        backend!(self, store => store.body(delivery).await)
    }

    /// Returns the summary, with at most `alerts_max` orders of each kind of alert.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read.
    pub async fn standing(
        &self,
        now: Time,
        limits: &Limits,
        alerts_max: u32,
    ) -> Result<Standing, StoreError> {
        backend!(self, store => store.standing(now, limits, alerts_max).await)
    }
}
