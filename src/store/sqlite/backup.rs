//! A copy of the database, made while the service runs.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempPath;

use super::copy::{CopyError, is_of_writing, sync_folder};
use super::integrity::{Copied, check_integrity};
use super::location::{Location, beside, folder_of, unusable};
use super::no_checkpoint::NoCheckpoint;
use super::open::{OpenError, hold};
use super::schema;
use super::work_folder::WorkFolder;

/// Copies the database as it is at one moment into a file of its own, which only its owner can read. A running service
/// is not interrupted.
///
/// # Errors
///
/// [`CopyError`]; there is no copy then.
pub async fn backup(
    database: &Path,
    target: &Path,
    may_overwrite: bool,
) -> Result<Copied, CopyError> {
    let location = Location::find(database)?;
    location.refuse_orphan()?;
    if location.is_empty() {
        return Err(CopyError::Nothing(location.path));
    }
    let (folder, target) = find_target(&location, target)?;
    refuse_taken(&target, may_overwrite)?;
    let system = |error| CopyError::system(&target, error);
    let work_folder = WorkFolder::within(&folder).map_err(system)?;
    let copy = work_folder.file("copy.db");
    let mut options = File::options();
    let file = options.write(true).create_new(true).mode(0o600).open(&copy);
    let file = file.map_err(system)?;
    // Without a running service the backup's connection is the last one, and SQLite would checkpoint when it is closed.
    // A `NoCheckpoint` leaves the files as they were.
    let copied = match hold(database) {
        Ok(_held) => {
            let failed = |error: sqlx::Error| unusable(&location.path, &error.to_string());
            let mut opened = NoCheckpoint::open(&location.path).await.map_err(failed)?;
            let copied = copy_into(&mut opened.db, &location.path, &copy, &target).await;
            opened.close().await.map_err(failed)?;
            copied
        }
        Err(OpenError::Held(_)) => {
            let failed = |error: sqlx::Error| unusable(&location.path, &error.to_string());
            let options = schema::options(&location.path).read_only(true);
            let mut db = options.connect().await.map_err(failed)?;
            let copied = copy_into(&mut db, &location.path, &copy, &target).await;
            db.close().await.map_err(failed)?;
            copied
        }
        Err(error) => Err(error.into()),
    }?;
    file.sync_all().map_err(system)?;
    refuse_taken(&target, may_overwrite)?;
    for leftover in files_beside(&target) {
        std::fs::remove_file(leftover).map_err(system)?;
    }
    let copy = TempPath::try_from_path(copy).map_err(system)?;
    let persisted = if may_overwrite {
        copy.persist(&target)
    } else {
        copy.persist_noclobber(&target)
    };
    persisted.map_err(|error| system(error.error))?;
    sync_folder(&folder).map_err(system)?;
    Ok(copied)
}

/// Returns the folder and the path of the copy; refuses a path that the database uses.
fn find_target(location: &Location, named: &Path) -> Result<(PathBuf, PathBuf), CopyError> {
    let system = |error| CopyError::system(named, error);
    let name = named.file_name();
    let name = name.ok_or_else(|| system(io::ErrorKind::IsADirectory.into()))?;
    let folder = std::fs::canonicalize(folder_of(named)).map_err(system)?;
    let target = folder.join(name);
    let own = target.canonicalize().unwrap_or_else(|_| target.clone());
    if location.files().any(|file| file == target || file == own) {
        Err(CopyError::Itself(target))
    } else {
        Ok((folder, target))
    }
}

/// Refuses to put a copy where another file is: one that may not be overwritten, or one beside it that SQLite would
/// read as a part of the copy. A file that another service works on is refused in any case.
fn refuse_taken(target: &Path, may_overwrite: bool) -> Result<(), CopyError> {
    match std::fs::symlink_metadata(target) {
        Ok(found) if !found.is_file() => return Err(CopyError::Irregular(target.to_owned())),
        Ok(_) if !may_overwrite => return Err(CopyError::Exists(target.to_owned())),
        Ok(_) => {
            let is_held = File::open(target).is_ok_and(|file| file.try_lock_shared().is_err());
            if is_held {
                return Err(OpenError::Held(target.to_owned()).into());
            }
        }
        Err(_) => {}
    }
    match files_beside(target).next() {
        Some(leftover) if !may_overwrite => Err(CopyError::Leftover(leftover)),
        _ => Ok(()),
    }
}

/// Returns the files beside a copy that SQLite would read as a part of it.
fn files_beside(target: &Path) -> impl Iterator<Item = PathBuf> {
    let logs = ["-wal", "-shm", "-journal"].map(|suffix| beside(target, suffix));
    let is_there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
    logs.into_iter().filter(is_there)
}

/// Copies the database into a new file, and makes sure that the copy is whole and sound.
async fn copy_into(
    db: &mut SqliteConnection,
    path: &Path,
    copy: &Path,
    target: &Path,
) -> Result<Copied, CopyError> {
    schema::inspect(db, path).await?;
    let failed = |error: sqlx::Error| {
        if is_of_writing(&error) {
            CopyError::system(target, error)
        } else {
            unusable(path, &error.to_string()).into()
        }
    };
    let into = copy.display().to_string();
    let vacuumed = sqlx::query("VACUUM INTO ?").bind(into);
    vacuumed.execute(&mut *db).await.map_err(failed)?;
    let options = schema::options(copy);
    let mut copied = options.connect().await.map_err(failed)?;
    let found = check_integrity(&mut copied).await;
    copied.close().await.map_err(failed)?;
    let found = found.map_err(failed)?;
    found.map_err(|reason| CopyError::damaged(path, reason))
}
