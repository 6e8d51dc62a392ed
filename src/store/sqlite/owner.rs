//! Owner of what a command makes beside the database: the service's user must be able to use it, even if root has run
//! the command.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use rustix::process::geteuid;

use super::location::folder_of;

/// Gives a file or folder that this process has made to the owner of the place at `path`: to the owner of the folder or,
/// if that is root, to the owner of what lies there. A user without privileges keeps the group.
pub(super) fn hand_over(made: &File, path: &Path) -> io::Result<()> {
    let (own, owner) = (made.metadata()?, owner(path)?);
    let has_group = own.gid() == owner.gid() || !geteuid().is_root();
    if own.uid() == owner.uid() && has_group {
        return Ok(());
    }
    fchown(made, Some(owner.uid()), Some(owner.gid()))
}

/// Gives a file or folder away as [`hand_over`] does, if this process runs as root. Where root may not do that either, as
/// in a container without the capability, it keeps the file: that serves this process all the same.
pub(super) fn hand_over_as_root(made: &File, path: &Path) {
    if geteuid().is_root() {
        let _ = hand_over(made, path);
    }
}

/// Returns the owner of the place at `path`, as its folder or file has it.
fn owner(path: &Path) -> io::Result<Metadata> {
    let folder = std::fs::metadata(folder_of(path))?;
    match std::fs::metadata(path) {
        Ok(file) if folder.uid() == 0 => Ok(file),
        _ => Ok(folder),
    }
}
