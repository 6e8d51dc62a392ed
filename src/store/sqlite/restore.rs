//! Restores: a backup is put in the place of the database.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use sqlx::{ConnectOptions, Connection, Executor, Row};

use tokio_util::sync::CancellationToken;

use super::checksum;
use super::copy::{CopyError, heed_stop, is_of_writing, sync_folder, unless_stopped};
use super::integrity::{Copied, check_integrity};
use super::location::{self, Location, UNFINISHED_SUFFIXES, beside};
use super::lock::Lock;
use super::open::{Held, OpenError};
use super::owner;
use super::readers::TOUCH;
use super::schema;
use super::work_folder::WorkFolder;

/// Size of the buffer for copying a backup, in bytes.
const COPY_BUFFER_BYTES: usize = 1 << 18;

/// Warning about a backup that may lack a part of its data, since its database was not closed.
const UNCLOSED_WARNING: &str = "it was not closed, and no -wal lies beside it: if it was copied without its -wal, what was in that is missing";

/// Marks a database as restored: it was left by an unclean end, since callbacks may have come after the backup, and its feed
/// is another one, since the numbers of events that are gone are given again.
const MARK_RESTORED: &str =
    "UPDATE service SET clean_shutdown = 0, feed_id = lower(hex(randomblob(16)))";

/// Puts a backup in the place of the database, after checks that the backup is whole and of this program. The next
/// start fetches every open order, since the backup lacks the callbacks that came after it. An existing database is put
/// aside, if that is allowed. Until the backup takes its place, `stop` ends the restore.
///
/// # Errors
///
/// [`CopyError`]; the database is as it was then, or is put aside, and the next start says so.
pub async fn restore(
    database: &Path,
    source: &Path,
    may_replace: bool,
    stop: &CancellationToken,
) -> Result<Copied, CopyError> {
    unless_stopped(try_restore(database, source, may_replace, stop).await, stop)
}

async fn try_restore(
    database: &Path,
    source: &Path,
    may_replace: bool,
    stop: &CancellationToken,
) -> Result<Copied, CopyError> {
    let location = Location::find(database)?;
    location.refuse_other_names()?;
    location.refuse_broken_off()?;
    location.refuse_unwritable()?;
    let held = Held {
        lock: Lock::take(&location)?,
        location,
    };
    let source = Location::find(source)?;
    if held.location.has(&source.path) {
        return Err(CopyError::Itself(source.path));
    }
    let is_occupied = !held.location.is_empty() || held.location.is_unfinished();
    if is_occupied && !may_replace {
        return Err(CopyError::Occupied(held.location.path.clone()));
    }
    let system = |error| CopyError::system(&held.location.path, error);
    let work_folder = WorkFolder::beside(&held.location.path).map_err(system)?;
    let copy = work_folder.file("restored.db");
    let made = copy_backup(&source, &copy, &held.location.path, stop)?;
    checksum::verify(&source.path, &copy)?;
    let copied = examine_copy(&source.path, &copy, &held.location.path, stop).await?;
    owner::hand_over(&made, &held.location.path).map_err(system)?;
    made.sync_all().map_err(system)?;
    recover(&held.location).await;
    put_in_place(&copy, &held.location).map_err(system)?;
    Ok(copied)
}

/// Copies a backup, with its log or journal if it was not closed, and returns the new file. No process may work on the
/// backup.
fn copy_backup(
    source: &Location,
    copy: &Path,
    database: &Path,
    stop: &CancellationToken,
) -> Result<File, CopyError> {
    source.refuse_orphan()?;
    if source.is_empty() {
        return Err(CopyError::Nothing(source.path.clone()));
    }
    let at = |error: io::Error| location::at(&source.path, &error);
    let mut from = File::open(&source.path).map_err(at)?;
    if from.try_lock_shared().is_err() {
        return Err(OpenError::Held(source.path.clone()).into());
    }
    let made = copy_bytes(&mut from, &source.path, copy, database, stop)?;
    for suffix in source.unfinished_suffixes() {
        let path = beside(&source.path, suffix);
        let mut from = File::open(&path).map_err(|error| location::at(&path, &error))?;
        copy_bytes(&mut from, &path, &beside(copy, suffix), database, stop)?;
    }
    Ok(made)
}

/// Copies a file of a backup into one that only its owner can read. The error says which of the two files cannot be read or written.
fn copy_bytes(
    from: &mut File,
    source: &Path,
    copy: &Path,
    database: &Path,
    stop: &CancellationToken,
) -> Result<File, CopyError> {
    let system = |error| CopyError::system(database, error);
    let mut options = File::options();
    let to = options.write(true).create_new(true).mode(0o600).open(copy);
    let mut to = to.map_err(system)?;
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    loop {
        if stop.is_cancelled() {
            return Err(CopyError::Stopped);
        }
        let bytes = from.read(&mut buffer);
        let bytes = bytes.map_err(|error| location::at(source, &error))?;
        if bytes == 0 {
            return Ok(to);
        }
        to.write_all(&buffer[..bytes]).map_err(system)?;
    }
}

/// Makes sure that a copied backup is whole and of this program, and marks it as restored.
async fn examine_copy(
    source: &Path,
    copy: &Path,
    database: &Path,
    stop: &CancellationToken,
) -> Result<Copied, CopyError> {
    let failed = |error: sqlx::Error| {
        if is_of_writing(&error) {
            CopyError::system(database, error)
        } else {
            CopyError::damaged(source, error)
        }
    };
    let has_log = beside(copy, "-wal").exists();
    let journal = beside(copy, "-journal");
    let has_journal = journal.exists();
    let may_want_its_log = !has_log && is_in_wal_mode(copy);
    let mut db = schema::options(copy).connect().await.map_err(failed)?;
    heed_stop(&mut db, stop).await.map_err(failed)?;
    let fit = schema::inspect(&mut db, source).await?;
    if fit.is_new {
        return Err(CopyError::Nothing(source.to_owned()));
    }
    let found = check_integrity(&mut db).await.map_err(failed)?;
    let mut copied = found.map_err(|reason| CopyError::damaged(source, reason))?;
    if has_journal && !journal.exists() {
        let journal = beside(source, "-journal");
        copied.flaws.push(format!(
            "what {} says was not finished is undone",
            journal.display()
        ));
    }
    let clean = sqlx::query("SELECT clean_shutdown FROM service").fetch_one(&mut db);
    let clean: bool = clean.await.and_then(|row| row.try_get(0)).map_err(failed)?;
    if may_want_its_log && !clean {
        copied.flaws.push(UNCLOSED_WARNING.to_owned());
    }
    sqlx::query(MARK_RESTORED)
        .execute(&mut db)
        .await
        .map_err(failed)?;
    // Closing the last connection checkpoints the log.
    db.close().await.map_err(failed)?;
    Ok(copied)
}

/// Returns `true` if a database has a log while it is open, as its header says; a backup has none.
fn is_in_wal_mode(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[18] == 2
}

/// Lets SQLite checkpoint the log of the database that is put aside, and roll its journal back, so that one step is
/// enough. A damaged one stays as it is.
async fn recover(location: &Location) {
    if !location.is_empty()
        && location.is_unfinished()
        && let Ok(mut db) = schema::options(&location.path).connect().await
    {
        let _ = db.execute(TOUCH).await;
        let _ = db.close().await;
    }
}

/// Puts the database aside, and the copy in its place: in one step where the database has no log or journal of its own.
/// If this breaks off, the next start refuses the files, or finds one of the two whole: a log is never beside a database
/// that is not its own, nor a database without its log.
fn put_in_place(copy: &Path, location: &Location) -> io::Result<()> {
    let aside = beside(&location.path, ".replaced");
    let is_empty = location.is_empty();
    let logs: Vec<&str> = location.unfinished_suffixes().collect();
    if !is_empty || !logs.is_empty() {
        remove_logs(&aside)?;
    }
    if !is_empty && !logs.is_empty() {
        std::fs::rename(&location.path, &aside)?;
    }
    for log in &logs {
        std::fs::rename(beside(&location.path, log), beside(&aside, log))?;
    }
    remove_logs(&location.path)?;
    if is_empty || !logs.is_empty() {
        std::fs::rename(copy, &location.path)?;
    } else {
        swap_files(copy, &location.path, &aside)?;
    }
    sync_folder(&location.folder)
}

/// Puts a file aside and another one in its place. The place is never empty during that, if the file system can
/// exchange files.
fn swap_files(copy: &Path, path: &Path, aside: &Path) -> io::Result<()> {
    std::fs::rename(copy, aside)?;
    if renameat_with(CWD, aside, CWD, path, RenameFlags::EXCHANGE).is_err() {
        std::fs::rename(aside, copy)?;
        std::fs::rename(path, aside)?;
        std::fs::rename(copy, path)?;
    }
    Ok(())
}

/// Removes the files beside a path that SQLite would read as a part of what is put there.
fn remove_logs(path: &Path) -> io::Result<()> {
    for suffix in UNFINISHED_SUFFIXES.into_iter().chain(["-shm"]) {
        match std::fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
