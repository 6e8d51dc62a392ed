//! Subjects of orders: what only describes them, as JSON, and the numbers, by any part of which an order is found.
//!
//! Each answer shows the whole subject again, and hardly ever anything new. So a row is written only if it differs.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::error::Fault;
use super::storable;
use crate::store::changes::NewDetails;
use crate::store::sql::details::required;
use crate::store::sql::json;
use number_order::OrderDetails;

const UPSERT_DETAILS: &str = "
    INSERT INTO order_details (order_id, details, region)
    SELECT id, details, region FROM json_to_recordset($1::json) AS v (id bigint, details text, region text)
    ORDER BY id
    ON CONFLICT (order_id) DO UPDATE SET details = excluded.details, region = excluded.region
        WHERE order_details.details IS DISTINCT FROM excluded.details";

/// Inserts the numbers of orders. Their orders' rows are locked.
const INSERT_NUMBERS: &str = "
    INSERT INTO order_numbers (order_id, project, phone_number)
    SELECT o.id, o.project, v.phone_number
    FROM json_to_recordset($1::json) AS v (id bigint, phone_number text) JOIN orders AS o ON o.id = v.id
    ON CONFLICT (order_id, phone_number) DO NOTHING";

/// Removes the numbers of orders that are not among the given ones. NOT IN: PostgreSQL hashes those, and would go over all of
/// them for each number with NOT EXISTS, since it does not know how many they are.
const DELETE_GONE_NUMBERS: &str = "
    DELETE FROM order_numbers AS n WHERE n.order_id = ANY ($2) AND (n.order_id, n.phone_number) NOT IN (
        SELECT v.id, v.phone_number FROM json_to_recordset($1::json) AS v (id bigint, phone_number text))";

#[derive(Serialize)]
struct DetailsText<'a> {
    id: i64,
    details: String,
    region: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct NumberText<'a> {
    id: i64,
    phone_number: &'a str,
}

/// Writes the subjects of the given orders, as far as they differ from the stored ones.
pub(super) async fn write(db: &mut PgConnection, new: &[NewDetails]) -> Result<(), Fault> {
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = new.iter().map(|new| new.order_id).collect();
    let details = new.iter().map(|new| DetailsText {
        id: new.order_id,
        details: json(&new.details),
        region: region(&new.details).map(storable),
    });
    let details: Vec<DetailsText> = details.collect();
    sqlx::query(UPSERT_DETAILS)
        .bind(json(&details))
        .execute(&mut *db)
        .await?;
    let numbers = json(&new.iter().flat_map(number_texts).collect::<Vec<_>>());
    sqlx::query(INSERT_NUMBERS)
        .bind(&numbers)
        .execute(&mut *db)
        .await?;
    sqlx::query(DELETE_GONE_NUMBERS)
        .bind(&numbers)
        .bind(ids)
        .execute(db)
        .await?;
    Ok(())
}

/// Maximum length of a text that an index holds. A longer one is no number and no region.
const INDEXED_MAX_BYTES: usize = 256;

/// Returns the numbers of an order by which it can be found.
fn number_texts(new: &NewDetails) -> impl Iterator<Item = NumberText<'_>> {
    let numbers = new.details.numbers.iter();
    let numbers = numbers.map(|number| NumberText {
        id: new.order_id,
        phone_number: &number.phone_number,
    });
    numbers.filter(|NumberText { phone_number, .. }| {
        (1..=INDEXED_MAX_BYTES).contains(&phone_number.len()) && !phone_number.contains('\0')
    })
}

fn region(details: &OrderDetails) -> Option<&str> {
    let region = details.region.as_deref();
    region.filter(|region| region.len() <= INDEXED_MAX_BYTES)
}

const SELECT_DETAILS: &str = "SELECT details FROM order_details WHERE order_id = $1";

/// Reads the subject of an order on which a rule depends; the inner error is the fault because of which it cannot be
/// read.
pub(super) async fn require(
    db: &mut PgConnection,
    order_id: i64,
) -> Result<Result<OrderDetails, String>, Fault> {
    let row = sqlx::query(SELECT_DETAILS).bind(order_id);
    let row = row.fetch_optional(db).await?;
    let details = row.as_ref().map(|row| row.try_get(0)).transpose()?;
    Ok(required(details))
}

const SELECT_ALL: &str = "SELECT order_id, details FROM order_details WHERE order_id = ANY ($1)";

/// Reads the subjects of the given orders. A subject that another program has spoilt hides no order: it is left out
/// until an answer shows it again.
pub(super) async fn read(
    db: &mut PgConnection,
    ids: &[i64],
) -> Result<HashMap<i64, OrderDetails>, Fault> {
    let found = sqlx::query(SELECT_ALL).bind(ids).fetch_all(db).await?;
    let mut details = HashMap::with_capacity(found.len());
    for row in found {
        let read = serde_json::from_str(row.try_get("details")?).unwrap_or_default();
        details.insert(row.try_get("order_id")?, read);
    }
    Ok(details)
}
