//! Subjects of orders: what only describes them, as JSON, and the numbers, by any part of which an order is found.
//!
//! Each answer shows the whole subject again, and hardly ever anything new. So a row is written only if it differs.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::columns::lossy;
use super::script::Script;
use crate::store::changes::NewDetails;
use crate::store::sql::details::{details_text, required};
use crate::store::sql::json;
use number_order::OrderDetails;

const UPSERT_DETAILS: &str = "
    INSERT INTO order_details (order_id, details) SELECT value ->> 'id', value -> 'details' FROM json_each(?) WHERE true
    ON CONFLICT (order_id) DO UPDATE SET details = excluded.details WHERE details IS NOT excluded.details";

/// Inserts numbers, which come as pairs with their orders: SQLite would read an order's whole subject again for each of them.
const INSERT_NUMBERS: &str = "
    INSERT INTO order_numbers (order_id, project, phone_number)
    SELECT o.id, o.project, v.value ->> 1 FROM json_each(?) AS v CROSS JOIN orders AS o ON o.id = v.value ->> 0
    WHERE true ON CONFLICT DO NOTHING";

/// Removes the numbers of orders that are not among the pairs. SQLite makes an index of the pairs.
const DELETE_GONE_NUMBERS: &str = "
    DELETE FROM order_numbers WHERE order_id IN (SELECT value FROM json_each(?))
        AND (order_id, phone_number) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))";

/// Writes the subjects of the given orders, as far as they differ from the stored ones.
pub(super) fn write(script: &mut Script, new: &[NewDetails]) {
    if new.is_empty() {
        return;
    }
    let orders: Vec<i64> = new.iter().map(|new| new.order_id).collect();
    let numbers = json(&new.iter().flat_map(numbers_of).collect::<Vec<_>>());
    script.add(UPSERT_DETAILS).bind(details_text(new));
    script.add(INSERT_NUMBERS).bind(numbers.as_str());
    script
        .add(DELETE_GONE_NUMBERS)
        .bind(json(&orders))
        .bind(numbers);
}

/// Returns the numbers by which an order can be found, each with the order's row.
fn numbers_of(new: &NewDetails) -> impl Iterator<Item = (i64, &str)> {
    let numbers = new.details.numbers.iter();
    let numbers = numbers.map(|number| (new.order_id, number.phone_number.as_str()));
    numbers.filter(|(_, phone_number)| !phone_number.is_empty())
}

const SELECT_DETAILS: &str = "
    SELECT d.order_id, d.details FROM json_each(?) AS v JOIN order_details AS d ON d.order_id = v.value";

/// Reads the subject of an order on which a rule depends; the inner error is the fault because of which it cannot be
/// read.
pub(super) async fn require(
    db: &mut SqliteConnection,
    order_id: i64,
) -> sqlx::Result<Result<OrderDetails, String>> {
    let found = sqlx::query(SELECT_DETAILS).bind(json(&[order_id]));
    let Some(row) = found.fetch_optional(db).await? else {
        return Ok(required(None));
    };
    Ok(required(Some(&lossy(&row, "details")?)))
}

/// Reads the subjects of the given orders. A subject that another program has spoilt hides no order: it is left out
/// until an answer shows it again.
pub(super) async fn read(
    db: &mut SqliteConnection,
    ids: &[i64],
) -> sqlx::Result<HashMap<i64, OrderDetails>> {
    let found = sqlx::query(SELECT_DETAILS)
        .bind(json(&ids))
        .fetch_all(db)
        .await?;
    let mut details = HashMap::with_capacity(found.len());
    for row in found {
        let read = serde_json::from_str(&lossy(&row, "details")?).unwrap_or_default();
        details.insert(row.try_get("order_id")?, read);
    }
    Ok(details)
}
