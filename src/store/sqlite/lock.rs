//! Locks that keep a second process off the database.
//!
//! There are two locks, since each leaves a gap: the `.lock` can be removed by hand, and the database file can be
//! replaced. The system releases both when the process ends, however it ends.
//!
//! The file itself is locked by a descriptor that must outlive SQLite's own: when *any* descriptor of a file is closed,
//! the system drops all the POSIX locks that the process has on it, and SQLite's locks are POSIX locks. For this reason
//! nothing else in the process opens the database file by itself. This descriptor is opened before SQLite's and closed
//! after it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::location::{self, Location, beside};
use super::owner::hand_over_as_root;

/// The locks on a database. No other process works on the database while this value exists.
#[derive(Debug)]
pub(super) struct Lock {
    _database: Locked,
    _marker: Locked,
}

impl Lock {
    /// Takes both locks, and creates their files where they are missing.
    pub(super) fn take(location: &Location) -> Result<Lock, OpenError> {
        let marker = Locked::take(&beside(&location.path, ".lock"), &location.path)?;
        let database = Locked::take(&location.path, &location.path)?;
        Ok(Lock {
            _database: database,
            _marker: marker,
        })
    }
}

/// A file that is locked. If it was created for the lock, it is removed with the lock, unless something was written to
/// it.
#[derive(Debug)]
struct Locked {
    path: PathBuf,
    file: File,
    made: bool,
}

impl Locked {
    fn take(path: &Path, database: &Path) -> Result<Locked, OpenError> {
        loop {
            let (file, made) = open_or_create(path).map_err(|error| location::at(path, &error))?;
            if made {
                hand_over_as_root(&file, database);
            }
            let mut locked = Locked {
                path: path.to_owned(),
                file,
                made: false,
            };
            match locked.file.try_lock() {
                Ok(()) if locked.is_in_place() => {
                    locked.made = made;
                    return Ok(locked);
                }
                // The previous holder has just removed or replaced the file.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(OpenError::Held(database.to_owned()));
                }
                Err(TryLockError::Error(error)) => return Err(location::at(path, &error)),
            }
        }
    }

    fn is_in_place(&self) -> bool {
        let file = self.file.metadata();
        file.is_ok_and(|file| location::leads_to(&self.path, &file))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let is_empty = self.file.metadata().is_ok_and(|file| file.len() == 0);
        if self.made && is_empty && self.is_in_place() {
            // A lock file that cannot be removed does no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens a file to lock it, and says whether it had to be created.
fn open_or_create(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return Ok((opened?, false)),
    }
    match options.clone().create_new(true).open(path) {
        // Another process was faster, and has the lock, or will find that this process has it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok((options.open(path)?, false))
        }
        made => Ok((made?, true)),
    }
}
