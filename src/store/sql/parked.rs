//! Parked deliveries, and counts of what is kept about an order, as rows hold them.

use super::Columns;
use super::orders::known_id;
use crate::store::{Kept, ParkedDelivery};
use number_order::{CallbackKey, Time};

/// Reads a parked delivery but for its body.
pub(in crate::store) fn parked_of_row(
    row: &impl Columns,
    body: Vec<u8>,
) -> sqlx::Result<ParkedDelivery> {
    let project = known_id::<serde::de::value::Error>(row.text("project")?.to_owned());
    let key = row.text_if_any("callback_key")?;
    Ok(ParkedDelivery {
        project: project.map_err(|error| sqlx::Error::Decode(error.into()))?,
        callback_key: key.and_then(CallbackKey::new),
        received_at: Time(row.int("received_at")?),
        body,
    })
}

/// Reads the counts of what is kept about an order.
pub(in crate::store) fn kept_of_row(row: &impl Columns) -> sqlx::Result<Kept> {
    let count =
        |column| -> sqlx::Result<u64> { Ok(row.int(column)?.try_into().unwrap_or_default()) };
    Ok(Kept {
        deliveries: count("deliveries")?,
        quarantined: count("quarantined")?,
        fetches: count("fetches")?,
        transitions: count("transitions")?,
        alerts: count("alerts")?,
        numbers: count("numbers")?,
        events: count("events")?,
        notifications: count("notifications")?,
    })
}
