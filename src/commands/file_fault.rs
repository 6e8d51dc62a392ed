//! Faults of files that a command reads or writes, in the program's words.

use std::fmt;
use std::io::{Error, ErrorKind};

/// Fault of a file, with its cure.
#[derive(Debug)]
pub(super) struct FileFault(Error);

impl From<Error> for FileFault {
    fn from(error: Error) -> FileFault {
        FileFault(error)
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.kind() {
            ErrorKind::NotFound => "there is no such file or folder; check the path",
            ErrorKind::PermissionDenied => {
                "this user may not do that; check the permissions of the file and of its folder"
            }
            ErrorKind::AlreadyExists => {
                "there is a file of this name already; name another, or move that one away"
            }
            ErrorKind::IsADirectory => "it is a folder; name a file in it",
            ErrorKind::NotADirectory => "a part of the path is no folder; check the path",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "the disk has no room left; make room, or name another place"
            }
            ErrorKind::ReadOnlyFilesystem => "the disk can only be read; name another place",
            ErrorKind::InvalidInput => {
                "it is not a regular file, but a pipe, a device or the like; write it into a file, and name that"
            }
            ErrorKind::InvalidData => "it is no UTF-8 text; save it as UTF-8",
            // The error names the limit.
            ErrorKind::FileTooLarge => {
                return write!(f, "it is too large: {}; name a smaller file", self.0);
            }
            _ => {
                return write!(
                    f,
                    "the system says: {}; check the path and the disk",
                    self.0
                );
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_without_the_words_of_the_system() {
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::PermissionDenied,
            ErrorKind::AlreadyExists,
            ErrorKind::IsADirectory,
            ErrorKind::NotADirectory,
            ErrorKind::StorageFull,
            ErrorKind::ReadOnlyFilesystem,
            ErrorKind::InvalidInput,
            ErrorKind::InvalidData,
        ] {
            let said = FileFault(Error::from(kind)).to_string();
            assert!(said.contains("; "), "a cure: {said}");
            assert!(!said.contains(&kind.to_string()), "{kind:?}: {said}");
        }
        let path = std::env::temp_dir()
            .join("no such folder")
            .join("no such file");
        let error = std::fs::read(path).expect_err("there is none");
        assert!(!FileFault(error).to_string().contains("os error"));
    }
}
