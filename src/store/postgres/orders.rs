//! Orders that pending deliveries are about: made known where they are not, and locked.

use std::collections::{BTreeMap, HashMap};

use sqlx::{PgConnection, Row};

use super::error::Fault;
use super::pending::Head;
use crate::store::changes::StoredOrder;
use crate::store::sql::orders::order_columns;
use crate::store::sql::unreadable::{self, Read};

/// Makes orders known. One that another replica makes known at the same moment is not returned: what waits for it comes
/// again.
const INSERT_ORDERS: &str = "
    INSERT INTO orders (project, sinch_id, first_seen_at)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS v (project, sinch_id, first_seen_at)
    ORDER BY project, sinch_id
    ON CONFLICT (project, sinch_id) DO NOTHING RETURNING id, project, sinch_id";

/// Locks orders, and passes over those that another transaction has.
const LOCK_ORDERS: &str = concat!(
    "SELECT json_build_array(",
    order_columns!(),
    ")::text FROM orders AS o JOIN projects AS p ON p.id = o.project WHERE o.id = ANY ($1) ORDER BY o.id \
     FOR NO KEY UPDATE OF o SKIP LOCKED"
);

/// Returns the orders that deliveries wait for, by their rows; those that were not known are known from now on.
pub(super) async fn known_orders<'a>(
    db: &mut PgConnection,
    by_order: &BTreeMap<(i64, &'a str), Vec<&'a Head>>,
) -> Result<BTreeMap<i64, (i64, &'a str)>, Fault> {
    let mut known = BTreeMap::new();
    let mut new = Vec::new();
    for (order, heads) in by_order {
        match heads.iter().find_map(|head| head.order_id) {
            Some(id) => {
                known.insert(id, *order);
            }
            None => new.extend(heads.first().map(|head| (*order, head.received_at))),
        }
    }
    if new.is_empty() {
        return Ok(known);
    }
    let rows = sqlx::query(INSERT_ORDERS)
        .bind(
            new.iter()
                .map(|((project, _), _)| *project)
                .collect::<Vec<_>>(),
        )
        .bind(new.iter().map(|((_, order), _)| *order).collect::<Vec<_>>())
        .bind(
            new.iter()
                .map(|(_, received_at)| *received_at)
                .collect::<Vec<_>>(),
        )
        .fetch_all(db)
        .await?;
    let places = new
        .iter()
        .enumerate()
        .map(|(place, (order, _))| (*order, place));
    let places: HashMap<(i64, &str), usize> = places.collect();
    for row in &rows {
        let made: (i64, &str) = (row.try_get("project")?, row.try_get("sinch_id")?);
        if let Some(place) = places.get(&made) {
            known.insert(row.try_get("id")?, new[*place].0);
        }
    }
    Ok(known)
}

/// Locks orders, and reads them. Those that another transaction has are left out.
pub(super) async fn lock_orders(
    db: &mut PgConnection,
    ids: &[i64],
) -> Result<Read<StoredOrder>, Fault> {
    if ids.is_empty() {
        return Ok(Read::default());
    }
    let rows = sqlx::query(LOCK_ORDERS).bind(ids).fetch_all(db).await?;
    Ok(unreadable::each(&rows)?)
}
