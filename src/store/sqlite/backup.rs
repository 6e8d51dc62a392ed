//! A copy of the database, made while the service runs.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempPath;
use tokio_util::sync::CancellationToken;

use super::checksum::{self, Checksum};
use super::copy::{CopyError, heed_stop, is_of_writing, sync_folder, unless_stopped};
use super::integrity::{Copied, check_integrity};
use super::location::{Location, beside, folder_of, unusable};
use super::no_checkpoint::NoCheckpoint;
use super::open::{OpenError, hold};
use super::schema;
use super::work_folder::WorkFolder;

/// Copies the database as it is at one moment into a file of its own, which only its owner can read. A running service
/// is not interrupted. Until the copy takes its place, `stop` ends the backup.
///
/// # Errors
///
/// [`CopyError`]; there is no copy then.
pub async fn backup(
    database: &Path,
    target: &Path,
    may_overwrite: bool,
    stop: &CancellationToken,
) -> Result<Copied, CopyError> {
    unless_stopped(
        try_backup(database, target, may_overwrite, stop).await,
        stop,
    )
}

async fn try_backup(
    database: &Path,
    target: &Path,
    may_overwrite: bool,
    stop: &CancellationToken,
) -> Result<Copied, CopyError> {
    let location = Location::find(database)?;
    location.refuse_orphan()?;
    if location.is_empty() {
        return Err(CopyError::Nothing(location.path));
    }
    let (folder, target) = find_target(&location, target)?;
    refuse_taken(&target, may_overwrite)?;
    let system = |error| CopyError::system(&target, error);
    let work_folder = WorkFolder::beside(&target).map_err(system)?;
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
            let copied = copy_into(&mut opened.db, &location.path, &copy, &target, stop).await;
            opened.close().await.map_err(failed)?;
            copied
        }
        Err(OpenError::Held(_)) => {
            let failed = |error: sqlx::Error| unusable(&location.path, &error.to_string());
            let options = schema::options(&location.path).read_only(true);
            let mut db = options.connect().await.map_err(failed)?;
            let copied = copy_into(&mut db, &location.path, &copy, &target, stop).await;
            db.close().await.map_err(failed)?;
            copied
        }
        Err(error) => Err(error.into()),
    }?;
    file.sync_all().map_err(system)?;
    let written = File::open(&copy).and_then(checksum::compute);
    let written = written.map_err(system)?;
    finish(&copy, &target, &written, may_overwrite, &work_folder)?;
    sync_folder(&folder).map_err(system)?;
    Ok(copied)
}

/// Puts a copy that is whole in its place, and its checksum beside it. If that is broken off, there is none.
pub(super) fn finish(
    copy: &Path,
    target: &Path,
    written: &Checksum,
    may_overwrite: bool,
    work_folder: &WorkFolder,
) -> Result<(), CopyError> {
    refuse_taken(target, may_overwrite)?;
    let system = |error| CopyError::system(target, error);
    match std::fs::remove_file(checksum::path_beside(target)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(system(error)),
        _ => {}
    }
    put_in_place(copy, target, may_overwrite, work_folder).map_err(system)?;
    checksum::write(target, written, work_folder).map_err(system)
}

/// Puts the copy in its place. What lies beside it is moved into the work folder before, and back if the copy cannot take
/// its place.
fn put_in_place(
    copy: &Path,
    target: &Path,
    may_overwrite: bool,
    work_folder: &WorkFolder,
) -> io::Result<()> {
    let names = ["first", "second", "third"].map(|name| work_folder.file(name));
    let leftovers: Vec<_> = files_beside(target).zip(names).collect();
    let copy = TempPath::try_from_path(copy)?;
    let moved = leftovers
        .iter()
        .try_for_each(|(path, aside)| std::fs::rename(path, aside));
    let placed = moved.and_then(|()| {
        let persisted = if may_overwrite {
            copy.persist(target)
        } else {
            copy.persist_noclobber(target)
        };
        persisted.map_err(|error| error.error)
    });
    if placed.is_err() {
        for (path, aside) in leftovers {
            // What was not moved is still there.
            let _ = std::fs::rename(aside, path);
        }
    }
    placed
}

/// Returns the folder and the path of the copy; refuses a path that the database uses.
fn find_target(location: &Location, named: &Path) -> Result<(PathBuf, PathBuf), CopyError> {
    let system = |error| CopyError::system(named, error);
    let name = named.file_name();
    let name = name.ok_or_else(|| system(io::ErrorKind::IsADirectory.into()))?;
    let folder = std::fs::canonicalize(folder_of(named)).map_err(system)?;
    let target = folder.join(name);
    let beside = files_beside(&target);
    let own = [target.clone(), checksum::path_beside(&target)]
        .into_iter()
        .chain(beside)
        .find(|path| location.has(path));
    match own {
        Some(path) => Err(CopyError::Itself(path)),
        None => Ok((folder, target)),
    }
}

/// Refuses to put a copy where another file is: one that may not be overwritten, or one beside it that SQLite would
/// read as a part of the copy. A file that another service works on is refused in any case, and so is one that SQLite would
/// read as a part of the database beside it.
pub(super) fn refuse_taken(target: &Path, may_overwrite: bool) -> Result<(), CopyError> {
    if let Some(database) = database_of_log(target) {
        return Err(CopyError::LogOf(target.to_owned(), database));
    }
    for path in [target.to_owned(), checksum::path_beside(target)] {
        match std::fs::symlink_metadata(&path) {
            Ok(found) if !found.is_file() => return Err(CopyError::Irregular(path)),
            Ok(_) if !may_overwrite => return Err(CopyError::Exists(path)),
            Ok(_) => {
                let is_held = File::open(&path).is_ok_and(|file| file.try_lock_shared().is_err());
                if is_held {
                    return Err(OpenError::Held(path).into());
                }
            }
            Err(_) => {}
        }
    }
    match files_beside(target).next() {
        Some(leftover) if !may_overwrite => Err(CopyError::Leftover(leftover)),
        _ => Ok(()),
    }
}

/// Endings of the names of the files that SQLite keeps beside a database.
const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Returns the file beside a path that SQLite would read the path as a part of, if there is one.
fn database_of_log(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes();
    let mut databases = LOGS
        .iter()
        .filter_map(|suffix| name.strip_suffix(suffix.as_bytes()));
    let database = path.with_file_name(OsStr::from_bytes(databases.next()?));
    std::fs::symlink_metadata(&database)
        .is_ok()
        .then_some(database)
}

/// Returns the files beside a copy that SQLite would read as a part of it.
fn files_beside(target: &Path) -> impl Iterator<Item = PathBuf> {
    let logs = LOGS.map(|suffix| beside(target, suffix));
    let is_there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
    logs.into_iter().filter(is_there)
}

/// Copies the database into a new file, and makes sure that the copy is whole and sound.
pub(super) async fn copy_into(
    db: &mut SqliteConnection,
    path: &Path,
    copy: &Path,
    target: &Path,
    stop: &CancellationToken,
) -> Result<Copied, CopyError> {
    schema::inspect(db, path).await?;
    let failed = |error: sqlx::Error| {
        if is_of_writing(&error) {
            CopyError::system(target, error)
        } else {
            unusable(path, &error.to_string()).into()
        }
    };
    heed_stop(db, stop).await.map_err(failed)?;
    let into = copy.display().to_string();
    let vacuumed = sqlx::query("VACUUM INTO ?").bind(into);
    vacuumed.execute(&mut *db).await.map_err(failed)?;
    let options = schema::options(copy);
    let mut copied = options.connect().await.map_err(failed)?;
    heed_stop(&mut copied, stop).await.map_err(failed)?;
    let found = check_integrity(&mut copied).await;
    copied.close().await.map_err(failed)?;
    let found = found.map_err(failed)?;
    found.map_err(|reason| CopyError::damaged(path, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_cannot_take_its_place_leaves_what_lies_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("backup.db");
        let logs = ["-wal", "-journal"].map(|suffix| beside(&target, suffix));
        for is_there in [false, true] {
            let work_folder = WorkFolder::beside(&target).expect("can be made");
            let copy = work_folder.file("copy.db");
            if is_there {
                std::fs::write(&copy, "new").expect("can be written");
            }
            for log in &logs {
                std::fs::write(log, "theirs").expect("can be written");
            }
            let placed = put_in_place(&copy, &target, true, &work_folder);
            assert_eq!(placed.is_ok(), is_there, "{placed:?}");
            for log in &logs {
                assert_eq!(log.exists(), !is_there);
            }
        }
        assert_eq!(std::fs::read(&target).expect("is there"), b"new");
    }
}
