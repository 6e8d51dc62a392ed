//! Orders that are set aside: their rows cannot be read, or the database refuses to have them changed. They are not
//! fetched until an operator has repaired them, and they do not hold up the others.

use std::collections::HashSet;

use sqlx::SqliteConnection;

use super::codes::Code;
use number_order::ParkReason;

/// Rows of orders that could not even be parked. The next start tries again.
pub(super) type Aside = HashSet<i64>;

/// Manner in which a write handles its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All orders together: one that the database refuses to change fails the write.
    Together,
    /// One order after the other: one that is refused is set aside. This takes longer.
    OneByOne,
}

/// The faulty column stays as it is, for the operator who repairs it.
const SET_ASIDE: &str = "
    UPDATE orders SET fetch_at = NULL, lease = NULL, leased_until_at = NULL, parked = coalesce(parked, ?1),
        parked_fields = iif(parked IS NULL, ?2, parked_fields)
    WHERE id = ?3";

/// Parks an order's row, even if its other columns cannot be read.
pub(super) async fn set_aside(
    db: &mut SqliteConnection,
    order_id: i64,
    reason: &str,
    aside: &mut Aside,
) -> sqlx::Result<()> {
    let fault = reason.to_owned();
    let reason = Code::new(&ParkReason::RowAtFault { fault });
    let parked = sqlx::query(SET_ASIDE)
        .bind(reason.code)
        .bind(reason.fields)
        .bind(order_id);
    if refused(parked.execute(db).await.map(drop))?.is_err() {
        aside.insert(order_id);
    }
    Ok(())
}

/// Tells a refusal by the database (the inner error, in its words) from a failure of the database itself. After a
/// refusal the transaction stays open.
pub(super) fn refused<T>(outcome: sqlx::Result<T>) -> sqlx::Result<Result<T, String>> {
    // SQLite's primary result codes: TOOBIG, CONSTRAINT (triggers too), MISMATCH.
    let refuses = |error: &sqlx::Error| {
        let code = error.as_database_error().and_then(|error| error.code());
        let code = code.and_then(|code| code.parse::<i32>().ok());
        matches!(code.map(|code| code & 0xff), Some(18..=20))
    };
    match outcome {
        Ok(done) => Ok(Ok(done)),
        Err(error) if refuses(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Begins a part of a transaction: the writes until [`end_part`] take effect all together or not at all.
pub(super) async fn begin_part(db: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("SAVEPOINT part").execute(db).await.map(drop)
}

/// Ends the part with its result. If a statement in it was refused, the whole part is undone, and the transaction stays
/// open.
pub(super) async fn end_part<T>(
    db: &mut SqliteConnection,
    outcome: sqlx::Result<T>,
) -> sqlx::Result<Result<T, String>> {
    let outcome = refused(outcome)?;
    if outcome.is_err() {
        sqlx::query("ROLLBACK TO part").execute(&mut *db).await?;
    }
    sqlx::query("RELEASE part").execute(db).await?;
    Ok(outcome)
}
