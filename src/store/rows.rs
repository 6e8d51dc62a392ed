//! Orders as rows, both ways.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::batch::Statements;

use crate::order::{Confirmed, Hint, Id, Order, OrderKey, Provisional, State, Tie, Time};

/// The columns that [`read`] needs, from `orders AS o JOIN projects AS p`.
macro_rules! order_columns {
    () => {
        "o.id, p.name AS project, o.name, o.first_seen_at, o.lease, \
         o.leased_until_at, o.ask_at, o.asked_at, o.attempts, \
         o.parked, o.confirmed_state, o.updated_at, o.expires_at, o.confirmed_at, o.reopened, \
         o.provisional_state, o.provisional_at, o.hints, o.tie_state, o.tie_since_at, o.missing_since_at, \
         o.heard_at"
    };
}
pub(super) use order_columns;

/// An order with its place in the database.
#[derive(Clone, Debug)]
pub(super) struct StoredOrder {
    pub id: i64,
    pub key: OrderKey,
    /// Who holds it, and until when.
    pub lease: Option<(i64, Time)>,
    /// Receipt of the newest delivery of those that were looked at.
    pub heard_at: Option<Time>,
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
        lease: row
            .try_get::<Option<i64>, _>("lease")?
            .zip(time(row, "leased_until_at")?),
        heard_at: time(row, "heard_at")?,
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
    /// Absent in what version 0.1.0 wrote.
    said_at: Option<i64>,
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
                said_at: Time(hint.said_at.unwrap_or(hint.settles_at)),
                settles_at: Time(hint.settles_at),
            })
        })
        .collect()
}

/// The columns that [`write`] writes, in the order in which it binds them.
const WRITTEN: [&str; 19] = [
    "id",
    "ask_at",
    "asked_at",
    "attempts",
    "parked",
    "lease",
    "leased_until_at",
    "confirmed_state",
    "updated_at",
    "expires_at",
    "confirmed_at",
    "reopened",
    "provisional_state",
    "provisional_at",
    "hints",
    "tie_state",
    "tie_since_at",
    "missing_since_at",
    "heard_at",
];

/// A condition that was reported is a new one in another state.
static UPDATES: LazyLock<Statements> = LazyLock::new(|| {
    let columns = WRITTEN.join(", ");
    let row = format!("({})", WRITTEN.map(|_| "?").join(", "));
    let set = WRITTEN[1..].iter().map(|name| format!("{name} = v.{name}"));
    let set = set.collect::<Vec<_>>().join(", ");
    let before = format!("WITH v ({columns}) AS (VALUES ");
    let after = format!(
        ") UPDATE orders SET \
         alarm = CASE WHEN orders.confirmed_state IS v.confirmed_state THEN orders.alarm END, {set} \
         FROM v WHERE orders.id = v.id"
    );
    Statements::new(&before, &row, &after)
});

/// Writes orders as they are now.
pub(super) async fn write(db: &mut SqliteConnection, orders: &[StoredOrder]) -> sqlx::Result<()> {
    for (sql, orders) in UPDATES.over(orders) {
        let mut query = sqlx::query(sql);
        for stored in orders {
            let order = &stored.order;
            let confirmed = order.confirmed.as_ref();
            let provisional = order.provisional.as_ref();
            let tie = order.tie.as_ref();
            query = query
                .bind(stored.id)
                .bind(order.ask_at.map(|at| at.0))
                .bind(order.asked_at.map(|at| at.0))
                .bind(order.attempts)
                .bind(order.parked.as_deref())
                .bind(stored.lease.map(|(lease, _)| lease))
                .bind(stored.lease.map(|(_, until)| until.0))
                .bind(confirmed.map(|c| c.state.as_str()))
                .bind(confirmed.map(|c| c.updated_at.0))
                .bind(confirmed.and_then(|c| c.expires_at).map(|at| at.0))
                .bind(confirmed.map(|c| c.confirmed_at.0))
                .bind(confirmed.is_some_and(|c| c.reopened))
                .bind(provisional.map(|p| p.state.as_str()))
                .bind(provisional.map(|p| p.said_at.0))
                .bind(hints_text(&order.hints))
                .bind(tie.map(|tie| tie.state.as_str()))
                .bind(tie.map(|tie| tie.since.0))
                .bind(order.missing_since.map(|at| at.0))
                .bind(stored.heard_at.map(|at| at.0));
        }
        query.execute(&mut *db).await?;
    }
    Ok(())
}

fn hints_text(hints: &[Hint]) -> String {
    let hints: Vec<HintText> = hints
        .iter()
        .map(|hint| HintText {
            state: hint.state.map(|state| state.as_str().to_owned()),
            said_at: Some(hint.said_at.0),
            settles_at: hint.settles_at.0,
        })
        .collect();
    json(&hints)
}

/// JSON for a statement's parameter.
pub(super) fn json(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).expect("rows of numbers and strings are always JSON")
}
