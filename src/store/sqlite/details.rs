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

/// Makes a statement that reads new subjects of orders from JSON, as those in this file do.
macro_rules! new {
    ($further:literal) => {
        concat!(
            "WITH v AS (SELECT value ->> 'id' AS id, value -> 'details' AS details FROM json_each(?)) ",
            $further
        )
    };
}

const UPSERT_DETAILS: &str = new!(
    "INSERT INTO order_details (order_id, details) SELECT id, details FROM v WHERE true \
     ON CONFLICT (order_id) DO UPDATE SET details = excluded.details WHERE details IS NOT excluded.details"
);

const INSERT_NUMBERS: &str = new!(
    "INSERT INTO order_numbers (order_id, project, phone_number) \
     SELECT o.id, o.project, n.value ->> 'phone_number' \
     FROM v CROSS JOIN orders AS o ON o.id = v.id CROSS JOIN json_each(v.details, '$.numbers') AS n \
     WHERE n.value ->> 'phone_number' <> '' ON CONFLICT DO NOTHING"
);

const DELETE_GONE_NUMBERS: &str = new!(
    "DELETE FROM order_numbers WHERE order_id IN (SELECT id FROM v) AND NOT EXISTS \
         (SELECT 1 FROM v, json_each(v.details, '$.numbers') AS n \
          WHERE v.id = order_id AND n.value ->> 'phone_number' = order_numbers.phone_number)"
);

/// Writes the subjects of the given orders, as far as they differ from the stored ones.
pub(super) fn write(script: &mut Script, new: &[NewDetails]) {
    if new.is_empty() {
        return;
    }
    let texts = details_text(new);
    for sql in [UPSERT_DETAILS, INSERT_NUMBERS, DELETE_GONE_NUMBERS] {
        script.add(sql).bind(texts.as_str());
    }
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
