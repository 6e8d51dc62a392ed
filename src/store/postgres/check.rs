//! Check of the database: what a start would find, without the start.

use super::connect::Connector;
use super::{OpenError, Settings, prepare, schema};

/// Connects as a start does, and returns the warnings that a start would log. Nothing is changed.
///
/// # Errors
///
/// The error that a start would fail with.
pub async fn check(settings: &Settings) -> Result<Vec<String>, OpenError> {
    let connector = Connector::new(settings)?;
    let failed = |fault| OpenError::of(connector.place(), &fault);
    let mut db = connector.connect_patient().await.map_err(failed)?;
    if !schema::check(&mut db, &connector).await? {
        return Ok(Vec::new());
    }
    prepare::warnings(&mut db, settings).await.map_err(failed)
}
