//! Orders as rows, both ways.

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::order::{Confirmed, Hint, Id, Order, OrderKey, Provisional, State, Tie, Time};

/// The columns that [`read`] needs, from `orders AS o JOIN projects AS p`.
macro_rules! order_columns {
    () => {
        "o.id, p.name AS project, o.name, o.first_seen_at, o.looked_to, o.ask_at, o.asked_at, o.attempts, \
         o.parked, o.confirmed_state, o.updated_at, o.expires_at, o.confirmed_at, o.reopened, \
         o.provisional_state, o.provisional_at, o.hints, o.tie_state, o.tie_since_at, o.missing_since_at"
    };
}
pub(super) use order_columns;

/// An order with its place in the database.
#[derive(Clone, Debug)]
pub(super) struct StoredOrder {
    pub id: i64,
    pub key: OrderKey,
    pub looked_to: i64,
    pub order: Order,
}

/// Reads an order; an error means that another program wrote the row.
pub(super) fn read(row: &SqliteRow) -> sqlx::Result<StoredOrder> {
    let confirmed = match word(row, "confirmed_state")? {
        Some(state) => Some(Confirmed {
            state,
            updated_at: Time(row.try_get("updated_at")?),
            expires_at: time(row, "expires_at")?,
            confirmed_at: Time(row.try_get("confirmed_at")?),
            reopened: row.try_get("reopened")?,
        }),
        None => None,
    };
    let provisional = match word(row, "provisional_state")? {
        Some(state) => Some(Provisional {
            state,
            said_at: Time(row.try_get("provisional_at")?),
        }),
        None => None,
    };
    let tie = match word(row, "tie_state")? {
        Some(state) => Some(Tie {
            state,
            since: Time(row.try_get("tie_since_at")?),
        }),
        None => None,
    };
    let order = Order {
        confirmed,
        provisional,
        hints: hints(row.try_get("hints")?)?,
        tie,
        missing_since: time(row, "missing_since_at")?,
        asked_at: time(row, "asked_at")?,
        ask_at: time(row, "ask_at")?,
        attempts: row.try_get("attempts")?,
        parked: row.try_get("parked")?,
        first_seen_at: Time(row.try_get("first_seen_at")?),
    };
    Ok(StoredOrder {
        id: row.try_get("id")?,
        key: key(row)?,
        looked_to: row.try_get("looked_to")?,
        order,
    })
}

/// The order that a row with `project` and `name` is about.
pub(super) fn key(row: &SqliteRow) -> sqlx::Result<OrderKey> {
    Ok(OrderKey {
        project: id(row, "project")?,
        order: id(row, "name")?,
    })
}

fn id(row: &SqliteRow, column: &str) -> sqlx::Result<Id> {
    let text: String = row.try_get(column)?;
    Id::new(text).ok_or_else(|| unreadable(column))
}

/// A nullable column of microseconds.
pub(super) fn time(row: &SqliteRow, column: &str) -> sqlx::Result<Option<Time>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Time))
}

fn word(row: &SqliteRow, column: &str) -> sqlx::Result<Option<State>> {
    match row.try_get::<Option<&str>, _>(column)? {
        Some(word) => State::from_word(word)
            .map(Some)
            .ok_or_else(|| unreadable(column)),
        None => Ok(None),
    }
}

fn unreadable(column: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{column} holds what this program never writes").into())
}

#[derive(Serialize, Deserialize)]
struct HintText {
    /// `null` stands for every word that we do not know.
    state: Option<String>,
    settles_at: i64,
}

/// Reads the `hints` column.
pub(super) fn hints(text: &str) -> sqlx::Result<Vec<Hint>> {
    let hints: Vec<HintText> = serde_json::from_str(text).map_err(|_| unreadable("hints"))?;
    hints
        .into_iter()
        .map(|hint| {
            let state = match hint.state {
                Some(word) => Some(State::from_word(&word).ok_or_else(|| unreadable("hints"))?),
                None => None,
            };
            Ok(Hint {
                state,
                settles_at: Time(hint.settles_at),
            })
        })
        .collect()
}

/// The changeable columns of an order, as one JSON object of [`UPDATE_ORDERS`]'s parameter.
#[derive(Serialize)]
pub(super) struct OrderUpdate {
    id: i64,
    looked_to: i64,
    ask_at: Option<i64>,
    asked_at: Option<i64>,
    attempts: u32,
    parked: Option<String>,
    confirmed_state: Option<&'static str>,
    updated_at: Option<i64>,
    expires_at: Option<i64>,
    confirmed_at: Option<i64>,
    reopened: i64,
    provisional_state: Option<&'static str>,
    provisional_at: Option<i64>,
    hints: String,
    tie_state: Option<&'static str>,
    tie_since_at: Option<i64>,
    missing_since_at: Option<i64>,
}

impl OrderUpdate {
    pub(super) fn new(stored: &StoredOrder) -> OrderUpdate {
        let order = &stored.order;
        let confirmed = order.confirmed.as_ref();
        let provisional = order.provisional.as_ref();
        let hints: Vec<HintText> = order
            .hints
            .iter()
            .map(|hint| HintText {
                state: hint.state.map(|state| state.as_str().to_owned()),
                settles_at: hint.settles_at.0,
            })
            .collect();
        OrderUpdate {
            id: stored.id,
            looked_to: stored.looked_to,
            ask_at: order.ask_at.map(|at| at.0),
            asked_at: order.asked_at.map(|at| at.0),
            attempts: order.attempts,
            parked: order.parked.clone(),
            confirmed_state: confirmed.map(|c| c.state.as_str()),
            updated_at: confirmed.map(|c| c.updated_at.0),
            expires_at: confirmed.and_then(|c| c.expires_at).map(|at| at.0),
            confirmed_at: confirmed.map(|c| c.confirmed_at.0),
            reopened: confirmed.is_some_and(|c| c.reopened).into(),
            provisional_state: provisional.map(|p| p.state.as_str()),
            provisional_at: provisional.map(|p| p.said_at.0),
            hints: json(&hints),
            tie_state: order.tie.as_ref().map(|tie| tie.state.as_str()),
            tie_since_at: order.tie.as_ref().map(|tie| tie.since.0),
            missing_since_at: order.missing_since.map(|at| at.0),
        }
    }
}

/// Writes many orders at once: one statement costs one hop to SQLite's thread, however many rows.
pub(super) const UPDATE_ORDERS: &str = "
    UPDATE orders SET
        looked_to = v.value ->> 'looked_to',
        ask_at = v.value ->> 'ask_at',
        asked_at = v.value ->> 'asked_at',
        attempts = v.value ->> 'attempts',
        parked = v.value ->> 'parked',
        alarm = CASE WHEN confirmed_state IS v.value ->> 'confirmed_state' THEN alarm END,
        confirmed_state = v.value ->> 'confirmed_state',
        updated_at = v.value ->> 'updated_at',
        expires_at = v.value ->> 'expires_at',
        confirmed_at = v.value ->> 'confirmed_at',
        reopened = v.value ->> 'reopened',
        provisional_state = v.value ->> 'provisional_state',
        provisional_at = v.value ->> 'provisional_at',
        hints = v.value ->> 'hints',
        tie_state = v.value ->> 'tie_state',
        tie_since_at = v.value ->> 'tie_since_at',
        missing_since_at = v.value ->> 'missing_since_at'
    FROM json_each(?) AS v WHERE orders.id = v.value ->> 'id'";

/// JSON for a statement's parameter.
pub(super) fn json(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).expect("rows of numbers and strings are always JSON")
}
