//! Files that more users can read than should.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Permission to read for users who are neither the owner nor in the group.
const READ_BY_ALL: u32 = 0o004;

/// Returns the risk, with the cure, if every user of the machine can read a secret file; `None` if there is no risk, or
/// if the file cannot be examined.
pub fn of(path: &Path) -> Option<&'static str> {
    let file = std::fs::metadata(path).ok()?;
    let open = file.is_file() && file.mode() & READ_BY_ALL != 0;
    open.then_some("every user of this machine can read it; take that right away")
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_that_all_may_read_is_exposed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "x").expect("written");
        let link = folder.path().join("link");
        symlink(&path, &link).expect("linked");
        for (mode, exposed) in [
            (0o600, false),
            (0o640, false),
            (0o602, false),
            (0o604, true),
            (0o644, true),
            (0o444, true),
        ] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            assert_eq!(of(&path).is_some(), exposed, "{mode:o}");
            assert_eq!(of(&link).is_some(), exposed, "{mode:o} by a link");
        }
        assert_eq!(of(folder.path()), None, "a folder holds no secret itself");
        assert_eq!(of(&folder.path().join("absent")), None);
    }
}
