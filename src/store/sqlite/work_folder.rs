//! Folders in which commands prepare files that take their place in one step, once they are whole.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::location::{folder_of, leads_to};
use super::owner::hand_over_as_root;

/// Beginning of the names of folders in which a command prepares files.
const FOLDER_PREFIX: &str = ".sinch-callbacks-work-";

/// A folder in which a command prepares files, removed when the value is dropped. A command that is killed leaves its
/// folder, and the next one in the same place removes it.
pub(super) struct WorkFolder {
    folder: TempDir,
    /// Locked file that shows that a command is at work in the folder.
    _held: File,
}

impl WorkFolder {
    /// Creates a work folder beside a path, which only its owner can enter, and removes those in which no command is at work
    /// any more.
    pub(super) fn beside(path: &Path) -> io::Result<WorkFolder> {
        let place = folder_of(path);
        remove_left_folders(place)?;
        loop {
            let mut folder = tempfile::Builder::new();
            folder.prefix(FOLDER_PREFIX);
            folder.permissions(PermissionsExt::from_mode(0o700));
            let folder = folder.tempdir_in(place)?;
            let held = File::open(folder.path())?;
            hand_over_as_root(&held, path);
            match held.try_lock() {
                // On a disk without locks no command can find out that the folder was left, so it stays.
                Err(TryLockError::Error(_)) => {}
                Ok(()) if leads_to(folder.path(), &held.metadata()?) => {}
                // Another command has taken the new folder for one that was left.
                Ok(()) | Err(TryLockError::WouldBlock) => continue,
            }
            return Ok(WorkFolder {
                folder,
                _held: held,
            });
        }
    }

    /// Returns the path of a file in the work folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Removes the folders that killed commands left. One that cannot be removed does no harm.
fn remove_left_folders(place: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(place)? {
        let entry = entry?;
        let is_ours = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(FOLDER_PREFIX.as_bytes())
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_ours
            && let Ok(folder) = File::open(entry.path())
            && folder.try_lock().is_ok()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
