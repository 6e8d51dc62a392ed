//! Savepoints: parts of a transaction that are undone alone if the database refuses one of their statements.

use sqlx::SqliteConnection;

/// Distinguishes a refusal by the database (the inner error, in its words) from a failure of the database itself. After
/// a refusal the transaction stays open.
pub(super) fn refused<T>(outcome: sqlx::Result<T>) -> sqlx::Result<Result<T, String>> {
    // These are SQLite's primary result codes TOOBIG, CONSTRAINT (triggers too) and MISMATCH.
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

/// Begins a savepoint: the writes until [`end_savepoint`] take effect all together or not at all.
pub(super) async fn begin_savepoint(db: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("SAVEPOINT part").execute(db).await.map(drop)
}

/// Ends a savepoint, and returns the result of its writes. If the database refused one of them, all are undone, and the
/// transaction stays open.
pub(super) async fn end_savepoint<T>(
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
