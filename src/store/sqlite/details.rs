//! Subjects of orders: region, type, configurations, and the numbers, by any part of which an order is found.
//!
//! Each answer shows all of it again, and hardly ever anything new. So a row is written only if it differs.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::rows::json;
use super::unreadable::lossy;
use crate::store::changes::NewDetails;
use number_order::{OrderDetails, OrderNumber, Time};

#[derive(Serialize)]
struct DetailsText<'a> {
    id: i64,
    region: Option<&'a str>,
    number_type: Option<&'a str>,
    created_at: Option<i64>,
    sms: Option<&'a str>,
    voice: Option<&'a str>,
    numbers: &'a [OrderNumber],
}

/// The new subjects, as the statements below read them.
macro_rules! new {
    ($further:literal) => {
        concat!(
            "WITH v AS (SELECT value ->> 'id' AS id, value ->> 'region' AS region, \
             value ->> 'number_type' AS number_type, value ->> 'created_at' AS created_at, value ->> 'sms' AS sms, \
             value ->> 'voice' AS voice, value -> 'numbers' AS numbers FROM json_each(?1)) ",
            $further
        )
    };
}

const ORDERS: &str = new!(
    "UPDATE orders SET region = v.region, number_type = v.number_type, created_at = v.created_at, \
         sms_configuration = v.sms, voice_configuration = v.voice \
     FROM v WHERE orders.id = v.id AND (orders.region, orders.number_type, orders.created_at, \
         orders.sms_configuration, orders.voice_configuration) \
         IS NOT (v.region, v.number_type, v.created_at, v.sms, v.voice)"
);

const NUMBERS: &str = new!(
    "INSERT INTO order_numbers (order_id, phone_number, position, details) \
     SELECT v.id, n.value ->> 'phone_number', n.key, n.value FROM v, json_each(v.numbers) AS n WHERE true \
     ON CONFLICT (order_id, phone_number) DO UPDATE SET position = excluded.position, details = excluded.details \
         WHERE (position, details) IS NOT (excluded.position, excluded.details)"
);

const GONE: &str = new!(
    "DELETE FROM order_numbers WHERE order_id IN (SELECT id FROM v) AND NOT EXISTS \
         (SELECT 1 FROM v, json_each(v.numbers) AS n \
          WHERE v.id = order_id AND n.value ->> 'phone_number' = order_numbers.phone_number)"
);

/// Writes the subjects of these orders, as far as they differ from what is there.
pub(super) async fn write(db: &mut SqliteConnection, details: &[NewDetails]) -> sqlx::Result<()> {
    if details.is_empty() {
        return Ok(());
    }
    let texts: Vec<DetailsText> = details.iter().map(text).collect();
    let texts = json(&texts);
    for sql in [ORDERS, NUMBERS, GONE] {
        sqlx::query(sql)
            .bind(texts.as_str())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

fn text(new: &NewDetails) -> DetailsText<'_> {
    let details = &new.details;
    DetailsText {
        id: new.order_id,
        region: details.region.as_deref(),
        number_type: details.number_type.as_deref(),
        created_at: details.created_at.map(|at| at.0),
        sms: details.sms_configuration.as_deref(),
        voice: details.voice_configuration.as_deref(),
        numbers: &details.numbers,
    }
}

const READ: &str = "
    SELECT o.id, o.region, o.number_type, o.created_at, o.sms_configuration, o.voice_configuration,
        (SELECT json_group_array(details ORDER BY position) FROM order_numbers WHERE order_id = o.id) AS numbers
    FROM json_each(?) AS v JOIN orders AS o ON o.id = v.value";

/// Reads the subjects of these orders. What another program has spoilt hides neither its order nor others: text is read
/// as far as it goes, and a number that is no JSON is left out.
pub(super) async fn read(
    db: &mut SqliteConnection,
    ids: &[i64],
) -> sqlx::Result<HashMap<i64, OrderDetails>> {
    let found = sqlx::query(READ).bind(json(&ids)).fetch_all(db).await?;
    let mut details = HashMap::with_capacity(found.len());
    for row in found {
        let numbers: Vec<String> =
            serde_json::from_str(&lossy(&row, "numbers")?).unwrap_or_default();
        let numbers = numbers
            .iter()
            .filter_map(|text| serde_json::from_str(text).ok());
        let read = OrderDetails {
            region: text_of(&row, "region")?,
            number_type: text_of(&row, "number_type")?,
            created_at: row.try_get::<Option<i64>, _>("created_at")?.map(Time),
            sms_configuration: text_of(&row, "sms_configuration")?,
            voice_configuration: text_of(&row, "voice_configuration")?,
            numbers: numbers.collect(),
        };
        details.insert(row.try_get("id")?, read);
    }
    Ok(details)
}

/// Text of a column; `None` if it is empty or NULL, which says as little.
fn text_of(row: &SqliteRow, column: &str) -> sqlx::Result<Option<String>> {
    Ok(Some(lossy(row, column)?).filter(|text| !text.is_empty()))
}
