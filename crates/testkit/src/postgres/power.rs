//! A model of a disk whose power is cut: only what the server has synced is surely there.
//!
//! A library that is loaded into the server copies each file to a second folder, the disk, when the server syncs it. After
//! a cut the server finds what is there; and of what it had written and not synced, each sector or not, by chance. Two
//! things are taken for granted: that a sector is written whole or not at all, and that names are on disk at once.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fastrand::Rng;

use crate::wait::not_tried;

/// The library's text, in C: no memory of the server's is touched by this program.
const LIBRARY: &str = include_str!("power.c");

const SECTOR: usize = 512;

/// The file by which the server tells that it runs: after a cut it does not.
const RUNS: &str = "postmaster.pid";

/// The disk of a server.
#[derive(Debug)]
pub(super) struct PowerDisk {
    library: PathBuf,
    data: PathBuf,
    disk: PathBuf,
}

impl PowerDisk {
    /// Compiles the library, and makes the disk, which is empty; `None`: this machine has no compiler, which is reported.
    pub(super) fn make(folder: &Path, data: &Path) -> Option<PowerDisk> {
        let (text, library) = (folder.join("power.c"), folder.join("power.so"));
        fs::write(&text, LIBRARY).expect("the folder can be written to");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-o"]);
        let Ok(made) = compiler.arg(&library).arg(&text).arg("-ldl").output() else {
            not_tried("a cut of the server's power: there is no compiler for C (cc)");
            return None;
        };
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        Some(PowerDisk {
            library,
            data: data.to_owned(),
            disk: folder.join("disk"),
        })
    }

    /// Puts all that is in the data folder onto the disk, as the server's files are before it starts.
    pub(super) fn begin(&self) {
        copy_all(&self.data, &self.disk);
    }

    /// Lets a server use the disk.
    pub(super) fn give_to(&self, server: &mut Command) {
        server.env("LD_PRELOAD", &self.library);
        server
            .env("POWER_DATA", &self.data)
            .env("POWER_DISK", &self.disk);
    }

    /// Leaves in the data folder of a server, which is dead, what a cut of the power leaves.
    pub(super) fn cut(&self, random: &mut Rng) {
        self.add_unsynced(Path::new(""), random);
        fs::remove_dir_all(&self.data).expect("the server is dead");
        copy_all(&self.disk, &self.data);
        let _ = fs::remove_file(self.data.join(RUNS));
    }

    /// Adds some of the sectors that were written and not synced to the files of a folder that are on the disk.
    fn add_unsynced(&self, folder: &Path, random: &mut Rng) {
        let entries = fs::read_dir(self.data.join(folder)).expect("the folder can be read");
        for entry in entries {
            let entry = entry.expect("the folder can be read");
            let (path, kind) = (
                folder.join(entry.file_name()),
                entry.file_type().expect("a file"),
            );
            let kept = self.disk.join(&path);
            if kind.is_dir() {
                self.add_unsynced(&path, random);
            } else if kind.is_file() && kept.is_file() {
                let written = fs::read(self.data.join(&path)).expect("can be read");
                let synced = fs::read(&kept).expect("can be read");
                if written != synced {
                    add_sectors(&kept, &written, &synced, random);
                }
            }
        }
    }
}

/// Adds some of the sectors that are other than the synced ones to a file.
fn add_sectors(path: &Path, written: &[u8], synced: &[u8], random: &mut Rng) {
    let file = fs::File::options().write(true).open(path);
    let file = file.expect("the file can be written to");
    // One cut loses all, another hardly anything.
    let share = random.f64();
    for (n, sector) in written.chunks(SECTOR).enumerate() {
        let at = n * SECTOR;
        let before = synced.get(at..(at + SECTOR).min(synced.len()));
        if before != Some(sector) && random.f64() < share {
            let done = file.write_all_at(sector, at as u64);
            done.expect("the file can be written to");
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    let mut copy = Command::new("cp");
    let done = copy.arg("-a").arg(from).arg(to).status();
    assert!(done.is_ok_and(|done| done.success()), "files are copied");
}
