//! Savepoints: parts of a transaction that are undone alone if the database refuses one of their statements.

use sqlx::PgConnection;

use super::error::{Class, Fault};

/// Begins a savepoint: the writes until [`end_savepoint`] take effect all together or not at all.
pub(super) async fn begin_savepoint(db: &mut PgConnection) -> Result<(), Fault> {
    sqlx::raw_sql("SAVEPOINT part").execute(db).await?;
    Ok(())
}

/// Ends a savepoint, and returns the result of its writes. If the database refused one of them (the inner error, in its
/// words), all are undone, and the transaction stays open.
pub(super) async fn end_savepoint<T>(
    db: &mut PgConnection,
    outcome: Result<T, Fault>,
) -> Result<Result<T, String>, Fault> {
    let (outcome, end) = match outcome {
        Ok(done) => (Ok(done), "RELEASE part"),
        Err(fault) if fault.class() == Class::Refuse => {
            (Err(fault.to_string()), "ROLLBACK TO part; RELEASE part")
        }
        Err(fault) => return Err(fault),
    };
    sqlx::raw_sql(end).execute(db).await?;
    Ok(outcome)
}
