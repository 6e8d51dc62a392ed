//! Conversion of orders to rows, and of rows to orders.

use std::sync::LazyLock;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, SqliteConnection};

use super::batch::Statements;
use super::codes::{self, Code};
use super::unreadable::JsonRow;
pub(super) use crate::store::changes::StoredOrder;
use number_order::{Confirmed, Hint, Id, Order, OrderKey, Provisional, State, Tie, Time};

/// An order as JSON that [`OrderText`] reads, from `orders AS o JOIN projects AS p`. It is one text and not columns:
/// sqlx hands each row from thread to thread, and copies each column on its way, which costs more than all that SQLite
/// does for the row.
macro_rules! order_text {
    () => {
        concat!(
            "json_array(",
            $crate::store::sqlite::rows::order_columns!(),
            ")"
        )
    };
}
pub(super) use order_text;

/// Columns of the text that [`order_text`] makes. Hints and doubts stay texts within it, so that they can spoil no row
/// but their own.
macro_rules! order_columns {
    () => {
        "o.id, p.sinch_id, o.sinch_id, o.lease, o.leased_until_at, o.heard_at, o.first_seen_at, o.fetch_at, o.fetched_at, \
         o.attempts, o.fetch_requested_at, o.parked, o.parked_fields, o.confirmed_state, o.updated_at, o.shown_at, o.expires_at, \
         o.confirmed_at, o.reopened, o.provisional_state, o.provisional_at, o.hints, o.doubts, o.tie_state, \
         o.tie_since_at, o.missing_since_at"
    };
}
pub(super) use order_columns;

impl JsonRow for StoredOrder {
    const TABLE: &'static str = "orders";
    const COLUMNS: &'static str = order_columns!();
}

impl<'de> Deserialize<'de> for StoredOrder {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<StoredOrder, D::Error> {
        let text = OrderText::deserialize(from)?;
        StoredOrder::try_from(text).map_err(D::Error::custom)
    }
}

/// Columns of an order that [`order_text`] gives, in its order.
#[derive(Deserialize)]
struct OrderText {
    id: i64,
    #[serde(deserialize_with = "id")]
    project: Id,
    #[serde(deserialize_with = "id")]
    sinch_id: Id,
    lease: Option<i64>,
    leased_until_at: Option<i64>,
    heard_at: Option<i64>,
    first_seen_at: i64,
    fetch_at: Option<i64>,
    fetched_at: Option<i64>,
    attempts: u32,
    fetch_requested_at: Option<i64>,
    parked: Option<String>,
    parked_fields: Option<String>,
    #[serde(deserialize_with = "read_state")]
    confirmed_state: Option<State>,
    updated_at: Option<i64>,
    shown_at: Option<i64>,
    expires_at: Option<i64>,
    confirmed_at: Option<i64>,
    reopened: i64,
    #[serde(deserialize_with = "read_state")]
    provisional_state: Option<State>,
    provisional_at: Option<i64>,
    #[serde(deserialize_with = "read_hints")]
    hints: Vec<Hint>,
    #[serde(deserialize_with = "read_hints")]
    doubts: Vec<Hint>,
    #[serde(deserialize_with = "read_state")]
    tie_state: Option<State>,
    tie_since_at: Option<i64>,
    missing_since_at: Option<i64>,
}

impl TryFrom<OrderText> for StoredOrder {
    type Error = &'static str;

    /// Checks the values of an order's row. An error means that another program wrote the row.
    fn try_from(row: OrderText) -> Result<StoredOrder, &'static str> {
        let confirmed = match row.confirmed_state {
            Some(state) => Some(Confirmed {
                state,
                updated_at: required_time(row.updated_at, "confirmed_state without updated_at")?,
                expires_at: row.expires_at.map(Time),
                confirmed_at: required_time(
                    row.confirmed_at,
                    "confirmed_state without confirmed_at",
                )?,
                shown_at: required_time(row.shown_at, "confirmed_state without shown_at")?,
                reopened: row.reopened != 0,
            }),
            None => None,
        };
        let provisional = match row.provisional_state {
            Some(state) => Some(Provisional {
                state,
                said_at: required_time(
                    row.provisional_at,
                    "provisional_state without provisional_at",
                )?,
            }),
            None => None,
        };
        let tie = match row.tie_state {
            Some(state) => Some(Tie {
                state,
                since: required_time(row.tie_since_at, "tie_state without tie_since_at")?,
            }),
            None => None,
        };
        let parked = row.parked.as_deref();
        let parked = parked.map(|code| codes::value(code, row.parked_fields.as_deref()));
        let parked = parked
            .transpose()
            .map_err(|_| "parked with a reason that this program never writes")?;
        let order = Order {
            confirmed,
            provisional,
            hints: row.hints,
            doubts: row.doubts,
            tie,
            missing_since: row.missing_since_at.map(Time),
            fetched_at: row.fetched_at.map(Time),
            fetch_at: row.fetch_at.map(Time),
            attempts: row.attempts,
            fetch_requested_at: row.fetch_requested_at.map(Time),
            parked,
            first_seen_at: Time(row.first_seen_at),
        };
        Ok(StoredOrder {
            id: row.id,
            key: OrderKey {
                project: row.project,
                order: row.sinch_id,
            },
            lease: row.lease.zip(row.leased_until_at.map(Time)),
            heard_at: row.heard_at.map(Time),
            order,
        })
    }
}

/// Returns the time that a row must have, or the fault of the row.
fn required_time(time: Option<i64>, fault: &'static str) -> Result<Time, &'static str> {
    time.map(Time).ok_or(fault)
}

pub(super) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Id, D::Error> {
    known_id(String::deserialize(from)?)
}

pub(super) fn known_id<E: Error>(text: String) -> Result<Id, E> {
    Id::new(text).ok_or_else(|| E::custom("an id that this program never writes"))
}

fn read_state<'de, D: Deserializer<'de>>(from: D) -> Result<Option<State>, D::Error> {
    let word = Option::<&str>::deserialize(from)?;
    word.map(known_state).transpose().map_err(D::Error::custom)
}

fn read_hints<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hint>, D::Error> {
    let text = String::deserialize(from)?;
    let hints: Vec<HintText> = serde_json::from_str(&text).map_err(D::Error::custom)?;
    let hints = hints.into_iter().map(Hint::try_from);
    hints.collect::<Result<_, _>>().map_err(D::Error::custom)
}

fn known_state(word: &str) -> Result<State, &'static str> {
    State::from_word(word).ok_or("a state that this program never writes")
}

/// Returns the time in the given column of a row; `None` for NULL.
pub(super) fn time(row: &SqliteRow, column: &str) -> sqlx::Result<Option<Time>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Time))
}

#[derive(Serialize, Deserialize)]
struct HintText {
    /// State that the hint claims; `null` stands for every word that this program does not know.
    state: Option<String>,
    said_at: Option<i64>,
    heard_at: i64,
}

impl TryFrom<HintText> for Hint {
    type Error = &'static str;

    fn try_from(hint: HintText) -> Result<Hint, &'static str> {
        Ok(Hint {
            state: hint.state.as_deref().map(known_state).transpose()?,
            said_at: hint.said_at.map(Time),
            heard_at: Time(hint.heard_at),
        })
    }
}

/// Columns of an order that processing may change, and the one that identifies the order.
const PROCESSED: [&str; 11] = [
    "id",
    "fetch_at",
    "attempts",
    "parked",
    "parked_fields",
    "provisional_state",
    "provisional_at",
    "hints",
    "hinted_at",
    "doubts",
    "heard_at",
];

/// Columns of an order that only an answer changes.
const ANSWERED: [&str; 13] = [
    "fetched_at",
    "fetch_requested_at",
    "lease",
    "leased_until_at",
    "confirmed_state",
    "updated_at",
    "shown_at",
    "expires_at",
    "confirmed_at",
    "reopened",
    "tie_state",
    "tie_since_at",
    "missing_since_at",
];

/// Updates the columns of orders that processing may change. Every column costs time, so it writes no more than those.
static UPDATE_PROCESSED: LazyLock<Statements> = LazyLock::new(|| update_statements(&PROCESSED));

/// Updates all columns of orders.
static UPDATE_ORDERS: LazyLock<Statements> =
    LazyLock::new(|| update_statements(&[&PROCESSED[..], &ANSWERED].concat()));

fn update_statements(columns: &[&str]) -> Statements {
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let set = columns[1..].iter().map(|name| format!("{name} = v.{name}"));
    let set: Vec<String> = set.collect();
    let before = format!("WITH v ({}) AS (VALUES ", columns.join(", "));
    let after = format!(
        ") UPDATE orders SET {} FROM v WHERE orders.id = v.id",
        set.join(", ")
    );
    Statements::new(&before, &row, &after)
}

type UpdateQuery<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Writes orders as the processing of deliveries has changed them.
pub(super) async fn write_processed(
    db: &mut SqliteConnection,
    orders: &[StoredOrder],
) -> sqlx::Result<()> {
    for (sql, orders) in UPDATE_PROCESSED.over(orders) {
        let query = orders.iter().fold(sqlx::query(sql), bind_processed);
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Writes orders with all their columns.
pub(super) async fn write(db: &mut SqliteConnection, orders: &[StoredOrder]) -> sqlx::Result<()> {
    for (sql, orders) in UPDATE_ORDERS.over(orders) {
        let bind = |query, stored| bind_answered(bind_processed(query, stored), stored);
        let query = orders.iter().fold(sqlx::query(sql), bind);
        query.execute(&mut *db).await?;
    }
    Ok(())
}

/// Binds the values of an order in the order of [`PROCESSED`].
fn bind_processed<'q>(query: UpdateQuery<'q>, stored: &'q StoredOrder) -> UpdateQuery<'q> {
    let order = &stored.order;
    let provisional = order.provisional.as_ref();
    let parked = order.parked.as_ref().map(Code::new);
    let (parked, parked_fields) = parked.map(|parked| (parked.code, parked.fields)).unzip();
    query
        .bind(stored.id)
        .bind(order.fetch_at.map(|at| at.0))
        .bind(order.attempts)
        .bind(parked)
        .bind(parked_fields.flatten())
        .bind(provisional.map(|p| p.state.as_str()))
        .bind(provisional.map(|p| p.said_at.0))
        .bind(claims_text(&order.hints))
        .bind(order.hints.iter().map(|hint| hint.heard_at.0).min())
        .bind(claims_text(&order.doubts))
        .bind(stored.heard_at.map(|at| at.0))
}

/// Binds the values of an order in the order of [`ANSWERED`].
fn bind_answered<'q>(query: UpdateQuery<'q>, stored: &'q StoredOrder) -> UpdateQuery<'q> {
    let order = &stored.order;
    let confirmed = order.confirmed.as_ref();
    let tie = order.tie.as_ref();
    query
        .bind(order.fetched_at.map(|at| at.0))
        .bind(order.fetch_requested_at.map(|at| at.0))
        .bind(stored.lease.map(|(lease, _)| lease))
        .bind(stored.lease.map(|(_, until)| until.0))
        .bind(confirmed.map(|c| c.state.as_str()))
        .bind(confirmed.map(|c| c.updated_at.0))
        .bind(confirmed.map(|c| c.shown_at.0))
        .bind(confirmed.and_then(|c| c.expires_at).map(|at| at.0))
        .bind(confirmed.map(|c| c.confirmed_at.0))
        .bind(confirmed.is_some_and(|c| c.reopened))
        .bind(tie.map(|tie| tie.state.as_str()))
        .bind(tie.map(|tie| tie.since.0))
        .bind(order.missing_since.map(|at| at.0))
}

fn claims_text(claims: &[Hint]) -> String {
    let claims: Vec<HintText> = claims
        .iter()
        .map(|claim| HintText {
            state: claim.state.map(|state| state.as_str().to_owned()),
            said_at: claim.said_at.map(|at| at.0),
            heard_at: claim.heard_at.0,
        })
        .collect();
    json(&claims)
}

/// Returns rows as JSON for the parameter of a statement, which reads it with SQLite's `json_each`.
pub(super) fn json(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).expect("rows of numbers and strings are always JSON")
}
