//! Copies of real SQLite files into databases on a real PostgreSQL server.

mod alike;
mod filling;
mod interrupted;
mod refused;

use std::path::Path;

use testkit::until;
use tokio_util::sync::CancellationToken;

use super::{CopiedStore, CopyStoreError, TABLES, WITH_IDS, copy_store, postgres};
use crate::store::tests::*;
use crate::store::types::*;

/// Makes an empty database, without the schema; `None`: no server is installed.
fn new_target() -> Option<Place> {
    let server = shared_server()?;
    let name = server.database();
    Some(Place::Database { server, name })
}

/// Ends a test that needs a server where none is installed.
macro_rules! target {
    () => {
        match new_target() {
            Some(target) => target,
            None => return,
        }
    };
}
use target;

fn settings(target: &Place) -> postgres::Settings {
    match target.settings(&[]) {
        crate::store::Settings::Postgres(settings) => settings,
        crate::store::Settings::Sqlite(_) => panic!("it is a database"),
    }
}

async fn copy_once(from: &Path, target: &Place) -> Result<CopiedStore, CopyStoreError> {
    let stop = CancellationToken::new();
    copy_store(from, &settings(target), &stop, &mut |_| {}).await
}

/// Returns the result of copying once nobody holds a database: a child that another test starts has the file's lock, too,
/// until it executes its program. A copy locks the file as a store does, so one may find it held that follows a copy.
async fn once_free<T>(
    copy: impl AsyncFn() -> Result<T, CopyStoreError>,
) -> Result<T, CopyStoreError> {
    until("both databases to be free", async || match copy().await {
        Err(held) if held.is_held() => None,
        done => Some(done),
    })
    .await
}

async fn try_copy_into(from: &Path, target: &Place) -> Result<CopiedStore, CopyStoreError> {
    once_free(async || copy_once(from, target).await).await
}

async fn copy_into(from: &Path, target: &Place) -> CopiedStore {
    let copied = try_copy_into(from, target).await;
    copied.expect("is copied")
}

/// Stops a store cleanly, and returns where its data is.
async fn stopped(fixture: Fixture) -> Place {
    drop(fixture.store);
    fixture.run.await.expect("no panic").expect("a clean end");
    fixture.place
}
