//! Writing of orders, and the text by which they are read.

use std::sync::LazyLock;

use super::batch::Statements;
use super::script::Script;
use crate::store::changes::StoredOrder;
use crate::store::sql::codes::Code;
use crate::store::sql::orders::claims_text;

/// An order as the JSON of a [`StoredOrder`], from `orders AS o JOIN projects AS p`. It is one text and not columns: sqlx
/// hands each row from thread to thread, and copies each column on its way, which costs more than all that SQLite does
/// for the row.
macro_rules! order_text {
    () => {
        concat!(
            "json_array(",
            $crate::store::sql::orders::order_columns!(),
            ")"
        )
    };
}
pub(super) use order_text;

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

/// Writes orders as the processing of deliveries has changed them.
pub(super) fn write_processed(script: &mut Script, room: usize, orders: &[StoredOrder]) {
    script.add_rows(&UPDATE_PROCESSED, room, orders, |_| {}, bind_processed);
}

/// Writes orders with all their columns.
pub(super) fn write(script: &mut Script, room: usize, orders: &[StoredOrder]) {
    script.add_rows(
        &UPDATE_ORDERS,
        room,
        orders,
        |_| {},
        |script, stored| {
            bind_processed(script, stored);
            bind_answered(script, stored);
        },
    );
}

/// Binds the values of an order in the order of [`PROCESSED`].
fn bind_processed(script: &mut Script, stored: &StoredOrder) {
    let order = &stored.order;
    let provisional = order.provisional.as_ref();
    let parked = order.parked.as_ref().map(Code::new);
    let (parked, parked_fields) = parked.map(|parked| (parked.code, parked.fields)).unzip();
    script
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
        .bind(stored.heard_at.map(|at| at.0));
}

/// Binds the values of an order in the order of [`ANSWERED`].
fn bind_answered(script: &mut Script, stored: &StoredOrder) {
    let order = &stored.order;
    let confirmed = order.confirmed.as_ref();
    let tie = order.tie.as_ref();
    script
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
        .bind(order.missing_since.map(|at| at.0));
}
