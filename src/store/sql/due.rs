//! Orders and numbers that are due for a fetch, as a claim reads them.

use serde::Deserialize;

use super::unreadable::JsonRow;
use super::{numbers, orders};
use crate::store::changes::StoredNumber;
use number_order::Id;

/// An order that is due for a fetch.
#[derive(Clone, Deserialize)]
pub(in crate::store) struct DueOrder {
    pub id: i64,
    #[serde(deserialize_with = "orders::id")]
    pub sinch_id: Id,
    pub attempts: u32,
}

impl JsonRow for DueOrder {
    const TABLE: &'static str = "orders";
    const COLUMNS: &'static str = "o.id, o.sinch_id, o.attempts";
}

/// A number that is due.
#[derive(Deserialize)]
pub(in crate::store) struct DueNumber {
    pub id: i64,
    #[serde(deserialize_with = "numbers::phone_number")]
    pub phone_number: String,
}

impl JsonRow for DueNumber {
    const TABLE: &'static str = StoredNumber::TABLE;
    const COLUMNS: &'static str = "id, phone_number";
}
