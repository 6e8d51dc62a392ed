//! Orders as deliveries name them: by project and Sinch's id. The writer reads them, and so do steps that are made beside it.

use std::sync::LazyLock;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::batch::{ROWS_MAX, Statements};
use super::rows::order_text;
use super::script::{Script, room_for};
use crate::store::changes::StoredOrder;
use crate::store::sql::pending::OrderRef;
use crate::store::sql::unreadable::{self, Read};

static SELECT_ORDERS: LazyLock<Statements> = LazyLock::new(|| {
    let after = concat!(
        ") SELECT json_group_array(json_array(o.project, ",
        order_text!(),
        ")) FROM v JOIN orders AS o ON o.project = v.project AND o.sinch_id = v.sinch_id \
         JOIN projects AS p ON p.id = o.project"
    );
    Statements::new("WITH v (project, sinch_id) AS (VALUES ", "(?, ?)", after)
});

/// Reads those of the given orders that are known to the database.
pub(super) async fn read_known_orders(
    db: &mut SqliteConnection,
    wanted: &[&OrderRef],
) -> sqlx::Result<Read<(OrderRef, StoredOrder)>> {
    let mut script = Script::default();
    select_orders(&mut script, wanted);
    known_orders(&script.fetch(db).await?)
}

/// Adds the statements that select those of the given orders that are known to the database. Returns their number: each
/// selects one row.
pub(super) fn select_orders(script: &mut Script, wanted: &[&OrderRef]) -> usize {
    let bind = |script: &mut Script, order: &&OrderRef| {
        let (project, sinch_id) = *order;
        script.bind(*project).bind(sinch_id.as_str());
    };
    script.add_rows(
        &SELECT_ORDERS,
        room_for([wanted.len()]),
        wanted,
        |_| {},
        bind,
    );
    wanted.len().div_ceil(ROWS_MAX)
}

/// Reads the orders that statements of [`select_orders`] have found.
pub(super) fn known_orders(rows: &[SqliteRow]) -> sqlx::Result<Read<(OrderRef, StoredOrder)>> {
    let mut known = Read::default();
    for row in rows {
        let found: Read<(i64, StoredOrder)> = unreadable::many(row, 0)?;
        known.unreadable.extend(found.unreadable);
        known
            .rows
            .extend(found.rows.into_iter().map(|(project, stored)| {
                let order = (project, stored.key.order.to_string());
                (order, stored)
            }));
    }
    Ok(known)
}
