//! Subjects of orders: the JSON by which they are written, and what it means that a rule needs one that is not there.

use serde::Serialize;

use super::json;
use crate::store::changes::NewDetails;
use number_order::OrderDetails;

#[derive(Serialize)]
struct DetailsText<'a> {
    id: i64,
    details: &'a OrderDetails,
}

/// Returns new subjects of orders as JSON: an array of objects with `id` and `details`.
pub(in crate::store) fn details_text(new: &[NewDetails]) -> String {
    let texts = new.iter().map(|new| DetailsText {
        id: new.order_id,
        details: &new.details,
    });
    json(&texts.collect::<Vec<_>>())
}

/// Returns the subject on which a rule depends, or the fault because of which it cannot be read.
pub(in crate::store) fn required(details: Option<&str>) -> Result<OrderDetails, String> {
    let details = details.ok_or("the order has no details")?;
    serde_json::from_str(details).map_err(|_| "the order's details cannot be read".to_owned())
}
