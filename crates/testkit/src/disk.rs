//! A disk so small that a test can fill it, and a file that is mounted on another.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::folder;

/// A disk in memory, in a folder of its own. The disk is unmounted when dropped, even while it is in use.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts a disk in memory. Its size is written as for `mount`: `4m`.
    ///
    /// # Errors
    ///
    /// Fails for anyone but root, and says in words why.
    pub fn mount(size: &str) -> Result<Disk, String> {
        let disk = Disk { folder: folder() };
        disk.try_mount(&format!("size={size}"))?;
        Ok(disk)
    }

    /// Enlarges the disk in memory while it is in use.
    pub fn enlarge(&self, size: &str) {
        self.try_mount(&format!("remount,size={size}"))
            .expect("what could be mounted can be enlarged");
    }

    /// Returns the folder that the disk is mounted on.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn try_mount(&self, options: &str) -> Result<(), String> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]);
        success_of(command.arg(self.path()))
    }
}

fn success_of(mount: &mut Command) -> Result<(), String> {
    let done = mount.output();
    let done = done.map_err(|error| format!("mount: {error}"))?;
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

/// A file that is mounted on another one. It is unmounted when dropped.
pub struct Mount {
    on: PathBuf,
}

impl Mount {
    /// Mounts a file on another one, which must exist.
    ///
    /// # Errors
    ///
    /// Fails for anyone but root, and says in words why.
    pub fn of_file(file: &Path, on: &Path) -> Result<Mount, String> {
        success_of(Command::new("mount").arg("--bind").args([file, on]))?;
        Ok(Mount { on: on.to_owned() })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.on).output();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Unmounts lazily, since a test that failed may have left a process that uses the disk. Fails if nothing was
        // mounted.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .output();
    }
}
