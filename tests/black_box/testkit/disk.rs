//! A disk so small that a test can fill it, and a file that is mounted on another.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::folder;

/// A disk in memory, in a folder of its own. It goes when dropped, with whatever still uses it.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts it; the size is as `mount` has it, `4m`. In words why not: only root may.
    pub fn mount(size: &str) -> Result<Disk, String> {
        let disk = Disk { folder: folder() };
        disk.try_mount(&format!("size={size}"))?;
        Ok(disk)
    }

    /// Makes it larger, under whoever uses it.
    pub fn enlarge(&self, size: &str) {
        self.try_mount(&format!("remount,size={size}"))
            .expect("what could be mounted can be enlarged");
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn try_mount(&self, options: &str) -> Result<(), String> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]);
        done(command.arg(self.path()))
    }
}

fn done(mount: &mut Command) -> Result<(), String> {
    let done = mount.output();
    let done = done.map_err(|error| format!("mount: {error}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

/// A file that is mounted on another one. It goes when dropped.
pub struct Mount {
    on: PathBuf,
}

impl Mount {
    /// Mounts a file on another one, which must be there. In words why not: only root may.
    pub fn of_file(file: &Path, on: &Path) -> Result<Mount, String> {
        done(Command::new("mount").arg("--bind").args([file, on]))?;
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
        // Lazily, since a test that failed may have left somebody on it. Fails where nothing was mounted.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .output();
    }
}
