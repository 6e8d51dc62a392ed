//! Place of the database, and checks that its files are fit to be opened. These checks change nothing.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::OpenError;
use crate::exposure;

/// Suffixes of the files that SQLite keeps beside the database while it is open, and of the lock file of this program.
const COMPANIONS: [&str; 4] = ["-wal", "-shm", "-journal", ".lock"];

/// Suffixes of the files that lie beside a database that was not closed, and belong to it: SQLite checkpoints the one,
/// and rolls back the unfinished transaction in the other.
pub(super) const UNFINISHED_SUFFIXES: [&str; 2] = ["-wal", "-journal"];

/// Position in a rollback journal of the number of pages that the database had.
const JOURNALED_PAGES: Range<usize> = 16..20;

/// Path of the database, found once: every later access goes there, by whichever link the operator named it.
#[derive(Clone, Debug)]
pub(super) struct Location {
    /// Path of the database file itself, absolute and free of links.
    pub(super) path: PathBuf,
    /// Folder that the database file lies in.
    pub(super) folder: PathBuf,
}

impl Location {
    /// Follows links to the file, which need not be there.
    ///
    /// # Errors
    ///
    /// Fails where no database can be, or where a log lies in a place in which SQLite would not find it.
    pub(super) fn find(named: &Path) -> Result<Location, OpenError> {
        let refuse = |reason: &str| Err(unusable(named, reason));
        let link = std::fs::read_link(named).ok();
        let path = match (std::fs::metadata(named), &link) {
            (Ok(file), _) if !file.is_file() => return refuse("it is not a regular file"),
            (Ok(_), _) => std::fs::canonicalize(named).map_err(|error| at(named, &error))?,
            (Err(error), Some(target)) if error.kind() == io::ErrorKind::NotFound => {
                let target = target.display();
                return refuse(&format!(
                    "it is a link to {target}, which is not there; mount or restore that, or remove the link"
                ));
            }
            (Err(error), None) if error.kind() == io::ErrorKind::NotFound => {
                let Some(name) = named.file_name() else {
                    return refuse("it names no file");
                };
                let folder = folder_of(named);
                let folder = std::fs::canonicalize(folder).map_err(|error| at(folder, &error))?;
                folder.join(name)
            }
            (Err(error), _) => return Err(at(named, &error)),
        };
        let logs = UNFINISHED_SUFFIXES.map(|suffix| beside(named, suffix));
        let stray = logs.into_iter().find(|log| length(log) > 0);
        if let Some(log) = stray.filter(|_| link.is_some()) {
            return Err(OpenError::Stray { log, path });
        }
        let folder = folder_of(&path).to_owned();
        Ok(Location { path, folder })
    }

    /// Refuses a database file that can be reached by another path too, where its log would not be found. A file that
    /// is only read may have other names.
    pub(super) fn refuse_other_names(&self) -> Result<(), OpenError> {
        let is_linked = std::fs::metadata(&self.path).is_ok_and(|file| file.nlink() > 1);
        let reason = if is_linked {
            "it has several names (hard links), and its -wal is found by one of them only; remove the others"
        } else if is_mounted(&self.path) {
            "it is mounted by itself, and its -wal would lie outside; mount the folder that it lies in"
        } else {
            return Ok(());
        };
        Err(unusable(&self.path, reason))
    }

    /// Refuses a path without a database if a restore has put one aside beside it: the restore was broken off, or its
    /// database was lost since. A start that created a new database there would hide what is acknowledged, and the next
    /// restore would delete it.
    pub(super) fn refuse_broken_off(&self) -> Result<(), OpenError> {
        let aside = beside(&self.path, ".replaced");
        let logs = UNFINISHED_SUFFIXES.map(|suffix| beside(&aside, suffix));
        let is_aside = length(&aside) > 0 || logs.iter().any(|log| length(log) > 0);
        if self.is_empty() && is_aside {
            return Err(OpenError::BrokenOff(self.path.clone()));
        }
        Ok(())
    }

    /// Refuses a write-ahead log or a journal without its database: SQLite would delete it silently, and with it what
    /// was acknowledged. An empty file does not count.
    pub(super) fn refuse_orphan(&self) -> Result<(), OpenError> {
        if self.is_empty() && self.is_unfinished() {
            return Err(OpenError::Orphaned(self.path.clone()));
        }
        Ok(())
    }

    /// Refuses a file or folder that cannot be written to, before SQLite opens any of them: SQLite would leave files
    /// behind that cannot be written to either, and would name another file than the one at fault.
    pub(super) fn refuse_unwritable(&self) -> Result<(), OpenError> {
        let folder = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        check_access(&self.folder, folder)?;
        for path in self.files().filter(|path| path.exists()) {
            check_access(&path, Access::READ_OK | Access::WRITE_OK)?;
        }
        Ok(())
    }

    /// Returns `true` if there is no database yet.
    pub(super) fn is_empty(&self) -> bool {
        length(&self.path) == 0
    }

    /// Returns `true` if SQLite has something to do before the database, or what is left of it, is whole.
    pub(super) fn is_unfinished(&self) -> bool {
        self.unfinished_suffixes().next().is_some()
    }

    /// Returns the suffixes of the files beside the database that hold a part of it.
    pub(super) fn unfinished_suffixes(&self) -> impl Iterator<Item = &'static str> {
        UNFINISHED_SUFFIXES.into_iter().filter(|suffix| {
            let path = beside(&self.path, suffix);
            match *suffix {
                "-journal" => is_journal(&path, self.is_empty()),
                _ => length(&path) > 0,
            }
        })
    }

    /// Returns `true` if a path leads to one of the database's files or, where there is none, to the place of one. A
    /// hard link and a mount are other names of the same.
    pub(super) fn has(&self, path: &Path) -> bool {
        let is_in_folder = are_same(folder_of(path), &self.folder);
        self.files().any(|own| {
            let is_own_name = own.file_name() == path.file_name();
            is_in_folder && is_own_name || are_same(path, &own)
        })
    }

    /// Returns the paths of the database's files, also of those that are not there.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let companions = COMPANIONS.map(|suffix| beside(&self.path, suffix));
        std::iter::once(self.path.clone()).chain(companions)
    }
}

/// Lists the database's files that every user of the machine can read, each with a warning.
pub fn exposed(named: &Path) -> Vec<(PathBuf, &'static str)> {
    let Ok(place) = Location::find(named) else {
        return Vec::new();
    };
    place
        .files()
        .filter_map(|path| exposure::of(&path).map(|what| (path, what)))
        .collect()
}

/// Returns the path of a file that SQLite or this program keeps beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns the folder that a path lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Returns `true` if a path leads to the given open file.
pub(super) fn leads_to(path: &Path, file: &Metadata) -> bool {
    let same = |found: Metadata| (found.dev(), found.ino()) == (file.dev(), file.ino());
    std::fs::metadata(path).is_ok_and(same)
}

/// Returns `true` if two paths lead to the same file or folder.
fn are_same(path: &Path, other: &Path) -> bool {
    std::fs::metadata(other).is_ok_and(|other| leads_to(path, &other))
}

/// Returns `true` if SQLite rolls a journal back. It does not if the first byte is zero: the transaction has ended. In a
/// place without a database, a journal counts that leads back to a database, and not to an empty file.
fn is_journal(path: &Path, is_without_database: bool) -> bool {
    let mut header = [0; JOURNALED_PAGES.end];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    let is_open = read.is_ok() && header[0] != 0;
    is_open && !(is_without_database && header[JOURNALED_PAGES] == [0; 4])
}

/// Returns the length of a file, in bytes; 0 where there is none.
pub(super) fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Returns `true` if a file has been mounted on the database's path, as a container's engine does with a volume that is
/// a file. Older systems do not report it.
fn is_mounted(path: &Path) -> bool {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::empty());
    found.is_ok_and(|file| {
        let told = file.stx_attributes & file.stx_attributes_mask;
        told.contains(StatxAttributes::MOUNT_ROOT)
    })
}

fn check_access(path: &Path, access: Access) -> Result<(), OpenError> {
    rustix::fs::access(path, access).map_err(|error| at(path, &error.into()))
}

/// Makes the error for a file or folder that the database needs and the system refuses.
pub(super) fn at(path: &Path, error: &io::Error) -> OpenError {
    let whose = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; the service's user must own it, or may at least read and write it"
        }
        io::ErrorKind::ReadOnlyFilesystem => "; put the database on a disk that can be written to",
        _ => "",
    };
    unusable(path, &format!("{error}{whose}"))
}

pub(super) fn unusable(path: &Path, reason: &str) -> OpenError {
    OpenError::Unusable {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
