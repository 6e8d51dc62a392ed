//! The locks that keep a second process off the database.
//!
//! Two, since each has a hole: the `.lock` can be removed by hand, and the database file can be replaced. The system
//! releases both when the process ends, however it ends.
//!
//! The file itself is locked by a descriptor that must outlive SQLite's own: when *any* descriptor of a file is
//! closed, the system drops all the POSIX locks that the process has on it, and SQLite's are such. So nothing in
//! the process opens the database file by itself but this, before SQLite does, and closes it after.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::place::{self, Place, beside};

/// A database that no other process works on as long as this is kept.
#[derive(Debug)]
pub(super) struct Lock {
    _database: Locked,
    _marker: Locked,
}

impl Lock {
    /// Takes both locks, and makes the files for it where they are not there.
    pub(super) fn take(place: &Place) -> Result<Lock, OpenError> {
        let marker = Locked::take(&beside(&place.path, ".lock"), &place.path)?;
        let database = Locked::take(&place.path, &place.path)?;
        Ok(Lock {
            _database: database,
            _marker: marker,
        })
    }
}

/// A file that is locked. One that was made for it goes with the lock, unless something was written to it.
#[derive(Debug)]
struct Locked {
    path: PathBuf,
    file: File,
    made: bool,
}

impl Locked {
    fn take(path: &Path, database: &Path) -> Result<Locked, OpenError> {
        loop {
            let (file, made) = open(path).map_err(|error| place::at(path, &error))?;
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
                // Whoever had it has just removed or replaced it.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(OpenError::Held(database.to_owned()));
                }
                Err(TryLockError::Error(error)) => return Err(place::at(path, &error)),
            }
        }
    }

    fn is_in_place(&self) -> bool {
        let file = self.file.metadata();
        file.is_ok_and(|file| place::leads_to(&self.path, &file))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let is_empty = self.file.metadata().is_ok_and(|file| file.len() == 0);
        if self.made && is_empty && self.is_in_place() {
            // Should it stay, it is in nobody's way.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens a file, and says whether it had to be made.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return Ok((opened?, false)),
    }
    match options.clone().create_new(true).open(path) {
        // Somebody else was faster, and has the lock, or will find that we have it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok((options.open(path)?, false))
        }
        made => Ok((made?, true)),
    }
}
