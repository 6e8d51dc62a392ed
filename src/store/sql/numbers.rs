//! Followed numbers: the columns that hold one, and the number that they make.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::codes::{self, Code};
use super::orders;
use super::unreadable::JsonRow;
use crate::store::UnreadableRow;
use crate::store::changes::StoredNumber;
use number_order::{Following, Id, OrderKey, Time};

/// Columns of a followed number's JSON array, from `order_numbers AS n JOIN orders AS o JOIN projects AS p`.
macro_rules! number_columns {
    () => {
        "n.id, n.order_id, p.sinch_id, o.sinch_id, n.phone_number, n.followed_at, n.readiness, n.readiness_fields, \
         n.readiness_at, n.ready_at, n.fetched_at, n.fetch_at, n.attempts, n.failure, n.failure_fields, n.hinted_at"
    };
}
pub(in crate::store) use number_columns;

impl JsonRow for StoredNumber {
    const TABLE: &'static str = "order_numbers";
    const COLUMNS: &'static str = number_columns!();
}

impl<'de> Deserialize<'de> for StoredNumber {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<StoredNumber, D::Error> {
        let text = NumberText::deserialize(from)?;
        StoredNumber::try_from(text).map_err(D::Error::custom)
    }
}

/// The columns of [`number_columns`], in their order.
#[derive(Deserialize)]
struct NumberText {
    id: i64,
    order_id: i64,
    #[serde(deserialize_with = "orders::id")]
    project: Id,
    #[serde(deserialize_with = "orders::id")]
    order: Id,
    #[serde(deserialize_with = "phone_number")]
    phone_number: String,
    followed_at: i64,
    readiness: Option<String>,
    readiness_fields: Option<String>,
    readiness_at: Option<i64>,
    ready_at: Option<i64>,
    fetched_at: Option<i64>,
    fetch_at: Option<i64>,
    attempts: u32,
    failure: Option<String>,
    failure_fields: Option<String>,
    hinted_at: Option<i64>,
}

/// Reads the text of a followed number: a plus and digits; no other is followed.
pub(super) fn phone_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let digits = text.strip_prefix('+').unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(D::Error::custom("a number that this program never follows"));
    }
    Ok(text)
}

impl TryFrom<NumberText> for StoredNumber {
    type Error = serde_json::Error;

    fn try_from(row: NumberText) -> Result<StoredNumber, serde_json::Error> {
        let readiness = row.readiness.as_deref();
        let readiness = readiness.map(|code| codes::value(code, row.readiness_fields.as_deref()));
        let failure = row.failure.as_deref();
        let failure = failure.map(|code| codes::value(code, row.failure_fields.as_deref()));
        Ok(StoredNumber {
            id: row.id,
            order_id: row.order_id,
            key: OrderKey {
                project: row.project,
                order: row.order,
            },
            phone_number: row.phone_number,
            following: Following {
                since: Time(row.followed_at),
                readiness: readiness.transpose()?,
                readiness_since: row.readiness_at.map(Time),
                ready_at: row.ready_at.map(Time),
                fetched_at: row.fetched_at.map(Time),
                fetch_at: row.fetch_at.map(Time),
                attempts: row.attempts,
                failure: failure.transpose()?,
                hinted_at: row.hinted_at.map(Time),
            },
        })
    }
}

/// Columns that change while a number is followed, as the JSON by which a statement writes them.
#[derive(Serialize)]
pub(in crate::store) struct Written {
    id: i64,
    readiness: Option<String>,
    readiness_fields: Option<String>,
    readiness_at: Option<i64>,
    ready_at: Option<i64>,
    fetched_at: Option<i64>,
    fetch_at: Option<i64>,
    attempts: u32,
    failure: Option<String>,
    failure_fields: Option<String>,
    hinted_at: Option<i64>,
}

impl Written {
    pub(in crate::store) fn new(number: &StoredNumber) -> Written {
        let following = &number.following;
        let columns = |code: Option<Code>| code.map(|code| (code.code, code.fields)).unzip();
        let (readiness, readiness_fields) = columns(following.readiness.as_ref().map(Code::new));
        let (failure, failure_fields) = columns(following.failure.as_ref().map(Code::new));
        let micros = |at: Option<Time>| at.map(|at| at.0);
        Written {
            id: number.id,
            readiness,
            readiness_fields: readiness_fields.flatten(),
            readiness_at: micros(following.readiness_since),
            ready_at: micros(following.ready_at),
            fetched_at: micros(following.fetched_at),
            fetch_at: micros(following.fetch_at),
            attempts: following.attempts,
            failure,
            failure_fields: failure_fields.flatten(),
            hinted_at: micros(following.hinted_at),
        }
    }
}

/// Returns, in words, the fault of a row whose change the database refuses.
pub(in crate::store) fn unwritable(refusal: &str) -> String {
    format!("it cannot be written: {refusal}")
}

/// Returns the report of a number's row that is at fault.
pub(in crate::store) fn at_fault(number: &StoredNumber, reason: String) -> UnreadableRow {
    UnreadableRow {
        table: StoredNumber::TABLE,
        row: number.id,
        project: Some(number.key.project.to_string()),
        order: Some(number.key.order.to_string()),
        reason,
    }
}
