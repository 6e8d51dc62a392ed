//! Orders that are set aside: their rows cannot be read, or the database will not have them changed. Nobody asks
//! about them until an operator has seen to it, and they do not hold up the others.

use std::collections::HashSet;

use sqlx::SqliteConnection;

/// The rows of orders of which not even that can be noted. The next start tries again.
pub(super) type Aside = HashSet<i64>;

/// How many orders a write has in hand at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All: one that the database will not have changed fails the write.
    Together,
    /// One after the other, and such a one is set aside. It takes longer.
    OneByOne,
}

/// What is wrong stays as it is, for whoever sees to it.
const SET_ASIDE: &str = "
    UPDATE orders SET ask_at = NULL, lease = NULL, leased_until_at = NULL, parked = coalesce(parked, ?)
    WHERE id = ?";

/// Parks an order's row, whatever else is in it.
pub(super) async fn set_aside(
    db: &mut SqliteConnection,
    order_id: i64,
    reason: &str,
    aside: &mut Aside,
) -> sqlx::Result<()> {
    let parked = sqlx::query(SET_ASIDE).bind(reason).bind(order_id);
    if refused(parked.execute(db).await.map(drop))?.is_err() {
        aside.insert(order_id);
    }
    Ok(())
}

/// Tells what the database refuses, with its words, from what it cannot do at all. After a refusal the
/// transaction stands.
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

/// Begins a part of a transaction: what is done until [`end_part`] stands wholly or not at all.
pub(super) async fn begin_part(db: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("SAVEPOINT part").execute(db).await.map(drop)
}

/// Ends the part with what came of it. If something in it was refused, all of it is undone, and the transaction
/// stands.
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
