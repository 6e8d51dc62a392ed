//! Incremental vacuum: the space that pruning has left free in the file goes back to the disk, a little at a time.
//!
//! SQLite moves pages from the end of the file to where there is room, and truncates it. Some room stays, since new
//! rows need it again.

use sqlx::{Row, SqliteConnection};

use super::command::{WriteCommand, WriteContext};
use super::{Store, StoreError, files};

/// Number of bytes that may stay free in the database file.
const FREE_BYTES: i64 = 16 << 20;

/// Divisor of the database file's size: this part of a larger file may stay free.
const FREE_PARTS: i64 = 10;

/// Vacuums few pages of the database file in one transaction, so that no callback waits long for it.
const VACUUM_STEP: &str = "PRAGMA incremental_vacuum(64)";

const SELECT_PAGES: &str = "
    SELECT page_size, page_count, freelist_count
    FROM pragma_page_size, pragma_page_count, pragma_freelist_count";

/// Returns to the disk some of the database file's free space beyond what may stay; returns the number of bytes.
async fn vacuum_some(db: &mut SqliteConnection) -> sqlx::Result<u64> {
    let file = sqlx::query(SELECT_PAGES).fetch_one(&mut *db).await?;
    let page_bytes: i64 = file.try_get("page_size")?;
    let pages: i64 = file.try_get("page_count")?;
    let free: i64 = file.try_get("freelist_count")?;
    let stays = (FREE_BYTES / page_bytes).max(pages / FREE_PARTS);
    if free <= stays {
        return Ok(0);
    }
    sqlx::query(VACUUM_STEP).execute(&mut *db).await?;
    let left: i64 = sqlx::query("PRAGMA page_count")
        .fetch_one(db)
        .await?
        .try_get(0)?;
    Ok(((pages - left) * page_bytes).unsigned_abs())
}

struct Vacuum;

impl WriteCommand for Vacuum {
    type Reply = u64;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<u64> {
        let released = vacuum_some(&mut context.db).await?;
        if released > 0 {
            let (_, pages) = files::pages(&mut context.db).await?;
            context.files.shrunk_to(pages);
        }
        Ok(released)
    }
}

impl Store {
    /// Returns some of the free space in the file to the disk by an incremental vacuum, and returns the number of
    /// bytes; zero if the little that is free stays for new rows. The file is shorter once the WAL is checkpointed.
    pub(super) async fn vacuum(&self) -> Result<u64, StoreError> {
        self.write(Vacuum).await
    }
}
