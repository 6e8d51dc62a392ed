//! Copies of the database: one made while the service runs, and one put in its place.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tempfile::NamedTempFile;

use super::lock::Lock;
use super::open::{Held, OpenError, hold};
use super::place::{Place, beside, folder_of, length, unusable};
use super::schema;
use super::visit::Visit;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A database cannot be used.
    #[error("{0}")]
    Unusable(#[from] OpenError),
    /// There is nothing to copy.
    #[error("{0} is missing or empty: there is nothing to copy")]
    Nothing(PathBuf),
    /// The backup would take the place of something.
    #[error("{0} is there already: name another file, or add --overwrite")]
    Exists(PathBuf),
    /// The backup would take the place of the database.
    #[error("{0} is a file of the database itself: name another one")]
    Itself(PathBuf),
    /// The backup would take the place of what is not one.
    #[error("{0} is no regular file: name another one")]
    Irregular(PathBuf),
    /// SQLite would take it for a part of the backup.
    #[error(
        "{0} is there, and SQLite would read it as a part of the copy: move it away, name another file, or add --overwrite, which removes it"
    )]
    Leftover(PathBuf),
    /// The database holds something.
    #[error(
        "{0} is a database already: add --replace, and it is put aside as {0}.replaced, together with its -wal"
    )]
    Occupied(PathBuf),
    /// The file is not whole.
    #[error("{path} is damaged: {reason}; use another backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite has found.
        reason: String,
    },
    /// The system refuses.
    #[error("cannot copy to {path}: {error}")]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Orders.
    pub orders: i64,
    /// Callbacks.
    pub deliveries: i64,
}

/// Copies the database as it is at one moment into a file of its own, which only its owner can read. The service
/// may run meanwhile, and goes on.
///
/// # Errors
///
/// [`CopyError`]; there is no copy then.
pub async fn backup(
    database: &Path,
    target: &Path,
    may_overwrite: bool,
) -> Result<Copied, CopyError> {
    let place = Place::find(database)?;
    place.refuse_orphan()?;
    if place.is_empty() {
        return Err(CopyError::Nothing(place.path));
    }
    let (folder, target) = find_target(&place, target)?;
    refuse_taken(&target, may_overwrite)?;
    let system = |error| CopyError::System {
        path: target.clone(),
        error,
    };
    let copy = NamedTempFile::new_in(&folder).map_err(system)?;
    // With nobody there, the last connection would tidy up: so it is one that leaves everything as it was.
    let copied = match hold(database) {
        Ok(_held) => {
            let failed = |error: sqlx::Error| unusable(&place.path, &error.to_string());
            let mut visit = Visit::open(&place.path).await.map_err(failed)?;
            let copied = copy_into(&mut visit.db, &place.path, copy.path()).await;
            visit.close().await.map_err(failed)?;
            copied
        }
        Err(OpenError::Held(_)) => {
            let failed = |error: sqlx::Error| unusable(&place.path, &error.to_string());
            let options = schema::options(&place.path).read_only(true);
            let mut db = options.connect().await.map_err(failed)?;
            let copied = copy_into(&mut db, &place.path, copy.path()).await;
            db.close().await.map_err(failed)?;
            copied
        }
        Err(error) => Err(error),
    }?;
    copy.as_file().sync_all().map_err(system)?;
    refuse_taken(&target, may_overwrite)?;
    for leftover in leftovers(&target) {
        std::fs::remove_file(leftover).map_err(system)?;
    }
    let persisted = if may_overwrite {
        copy.persist(&target)
    } else {
        copy.persist_noclobber(&target)
    };
    persisted.map_err(|error| system(error.error))?;
    sync_folder(&folder).map_err(system)?;
    Ok(copied)
}

/// Where the copy goes: nowhere that the database is.
fn find_target(place: &Place, named: &Path) -> Result<(PathBuf, PathBuf), CopyError> {
    let system = |error| CopyError::System {
        path: named.to_owned(),
        error,
    };
    let name = named.file_name();
    let name = name.ok_or_else(|| system(io::ErrorKind::IsADirectory.into()))?;
    let folder = std::fs::canonicalize(folder_of(named)).map_err(system)?;
    let target = folder.join(name);
    let own = target.canonicalize().unwrap_or_else(|_| target.clone());
    match place.files().any(|file| file == target || file == own) {
        true => Err(CopyError::Itself(target)),
        false => Ok((folder, target)),
    }
}

/// Refuses to put a copy where something else is: a file, unless it may be overwritten, or one beside it that SQLite
/// would read as a part of the copy. What another service works on is refused in any case.
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
    match leftovers(target).next() {
        Some(leftover) if !may_overwrite => Err(CopyError::Leftover(leftover)),
        _ => Ok(()),
    }
}

/// What lies beside a file and SQLite would read as a part of it.
fn leftovers(target: &Path) -> impl Iterator<Item = PathBuf> {
    let logs = ["-wal", "-shm", "-journal"].map(|suffix| beside(target, suffix));
    let is_there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
    logs.into_iter().filter(is_there)
}

async fn copy_into(
    db: &mut SqliteConnection,
    path: &Path,
    copy: &Path,
) -> Result<Copied, OpenError> {
    schema::inspect(db, path).await?;
    let failed = |error: sqlx::Error| unusable(path, &error.to_string());
    let into = copy.display().to_string();
    let vacuumed = sqlx::query("VACUUM INTO ?").bind(into);
    vacuumed.execute(&mut *db).await.map_err(failed)?;
    let options = schema::options(copy).read_only(true);
    let mut copied = options.connect().await.map_err(failed)?;
    let counts = count(&mut copied).await;
    copied.close().await.map_err(failed)?;
    counts.map_err(failed)
}

async fn count(db: &mut SqliteConnection) -> sqlx::Result<Copied> {
    let sql = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM deliveries)";
    let row = sqlx::query(sql).fetch_one(db).await?;
    Ok(Copied {
        orders: row.try_get(0)?,
        deliveries: row.try_get(1)?,
    })
}

/// Puts a backup in the place of the database, once it has been found whole and of this program. The next start asks
/// about every open order, since callbacks are missing. A database that is there is put aside, if it may be.
///
/// # Errors
///
/// [`CopyError`]; the database is as it was then, or is put aside and says so at the next start.
pub async fn restore(
    database: &Path,
    source: &Path,
    may_replace: bool,
) -> Result<Copied, CopyError> {
    let place = Place::find(database)?;
    place.refuse_broken_off()?;
    place.refuse_unwritable()?;
    let held = Held {
        lock: Lock::take(&place)?,
        place,
    };
    let is_occupied = !held.place.is_empty() || held.place.wal_bytes() > 0;
    if is_occupied && !may_replace {
        return Err(CopyError::Occupied(held.place.path.clone()));
    }
    let system = |error| CopyError::System {
        path: held.place.path.clone(),
        error,
    };
    // A folder, since SQLite puts files of its own beside the copy.
    let workshop = tempfile::Builder::new()
        .prefix(".sinch-callbacks-restore-")
        .tempdir_in(&held.place.folder)
        .map_err(system)?;
    let copy = workshop.path().join("restored.db");
    fetch(source, &copy)?;
    let copied = examine(source, &copy).await?;
    hand_over(&copy, &held.place.folder).map_err(system)?;
    put_in_place(&copy, &held.place).map_err(system)?;
    Ok(copied)
}

/// Copies a backup, with the log of one that was not closed. Nobody may be at work on it.
fn fetch(source: &Path, copy: &Path) -> Result<(), CopyError> {
    let source = Place::find(source)?;
    source.refuse_orphan()?;
    if source.is_empty() {
        return Err(CopyError::Nothing(source.path));
    }
    let at = |path: &Path, error: io::Error| unusable(path, &error.to_string());
    let mut from = File::open(&source.path).map_err(|error| at(&source.path, error))?;
    if from.try_lock_shared().is_err() {
        return Err(OpenError::Held(source.path).into());
    }
    let copied = File::create_new(copy).and_then(|mut to| io::copy(&mut from, &mut to));
    copied.map_err(|error| at(copy, error))?;
    let wal = beside(&source.path, "-wal");
    if length(&wal) > 0 {
        let copied = std::fs::copy(&wal, beside(copy, "-wal"));
        copied.map_err(|error| at(&wal, error))?;
    }
    Ok(())
}

/// Makes sure that a copy is whole and ours, and has it count as the file of a service that was killed.
async fn examine(source: &Path, copy: &Path) -> Result<Copied, CopyError> {
    let failed = |error: sqlx::Error| damaged(source, &error.to_string());
    let mut db = schema::options(copy).connect().await.map_err(failed)?;
    let fit = schema::inspect(&mut db, source).await?;
    if fit.is_new {
        return Err(CopyError::Nothing(source.to_owned()));
    }
    let found = sqlx::query("PRAGMA integrity_check(1)").fetch_one(&mut db);
    let found: String = found.await.map_err(failed)?.try_get(0).map_err(failed)?;
    if found != "ok" {
        return Err(damaged(source, &found));
    }
    let unclean = sqlx::query("UPDATE service SET clean = 0");
    unclean.execute(&mut db).await.map_err(failed)?;
    let copied = count(&mut db).await.map_err(failed)?;
    // The last connection folds the log into the file.
    db.close().await.map_err(failed)?;
    Ok(copied)
}

fn damaged(path: &Path, reason: &str) -> CopyError {
    CopyError::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Gives a file to whoever owns the folder, and to nobody else, and brings it to the disk.
fn hand_over(copy: &Path, folder: &Path) -> io::Result<()> {
    let file = File::open(copy)?;
    file.set_permissions(PermissionsExt::from_mode(0o600))?;
    let (own, owner) = (file.metadata()?, std::fs::metadata(folder)?);
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) {
        chown(copy, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.sync_all()
}

/// Puts the database aside, and the copy in its place: in one step where it has no log of its own. Wherever this breaks
/// off, a start refuses what is there, or finds one of the two whole: a log is never beside a database that is not its
/// own, nor a database without its log.
fn put_in_place(copy: &Path, place: &Place) -> io::Result<()> {
    let aside = beside(&place.path, ".replaced");
    let (is_empty, has_log) = (place.is_empty(), place.wal_bytes() > 0);
    if !is_empty || has_log {
        gone(std::fs::remove_file(beside(&aside, "-wal")))?;
    }
    if has_log {
        if !is_empty {
            std::fs::rename(&place.path, &aside)?;
        }
        std::fs::rename(beside(&place.path, "-wal"), beside(&aside, "-wal"))?;
    }
    for suffix in ["-wal", "-shm"] {
        gone(std::fs::remove_file(beside(&place.path, suffix)))?;
    }
    if is_empty || has_log {
        std::fs::rename(copy, &place.path)?;
    } else {
        swap(copy, &place.path, &aside)?;
    }
    sync_folder(&place.folder)
}

/// Puts a file aside and another one in its place, which is never empty meanwhile if the file system can do that.
fn swap(copy: &Path, path: &Path, aside: &Path) -> io::Result<()> {
    std::fs::rename(copy, aside)?;
    if renameat_with(CWD, aside, CWD, path, RenameFlags::EXCHANGE).is_err() {
        std::fs::rename(aside, copy)?;
        std::fs::rename(path, aside)?;
        std::fs::rename(copy, path)?;
    }
    Ok(())
}

/// That a file is not there is as good.
fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
