//! Orders whose rows are at fault: they cannot be read, or the database refuses to have them changed. Such an order is
//! parked until an operator has repaired its row, and does not hold up the others.

use std::collections::HashSet;

use sqlx::SqliteConnection;

use super::savepoint::refused;
use crate::store::sql::codes::Code;
use number_order::ParkReason;

/// Rows of orders that could not even be parked. The next start tries again.
pub(super) type Unparkable = HashSet<i64>;

/// Parks an order by its row. The faulty column stays as it is, for the operator who repairs it.
const PARK_ROW: &str = "
    UPDATE orders SET fetch_at = NULL, lease = NULL, leased_until_at = NULL, parked = coalesce(parked, ?1),
        parked_fields = iif(parked IS NULL, ?2, parked_fields)
    WHERE id = ?3";

/// Parks an order's row, even if its other columns cannot be read.
pub(super) async fn park_row(
    db: &mut SqliteConnection,
    order_id: i64,
    reason: &str,
    unparkable: &mut Unparkable,
) -> sqlx::Result<()> {
    let fault = reason.to_owned();
    let reason = Code::new(&ParkReason::RowAtFault { fault });
    let parked = sqlx::query(PARK_ROW)
        .bind(reason.code)
        .bind(reason.fields)
        .bind(order_id);
    if refused(parked.execute(db).await.map(drop))?.is_err() {
        unparkable.insert(order_id);
    }
    Ok(())
}
