//! What a server needs of this machine: its programs, a user as whom it may run, and its processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Pid;

/// Users as whom the server runs if the test runs as root, which it refuses.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Places of a process's state and of its parent in what the system says of it.
const STATE: usize = 0;
const PARENT: usize = 1;

/// Finds the folder with the server's programs: as `pg_config` says, on the path, or where packages put it.
pub(super) fn find_programs() -> Option<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
    }
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let packaged = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut packaged: Vec<PathBuf> = packaged.map(|version| version.path().join("bin")).collect();
    packaged.sort();
    folders.extend(packaged.into_iter().rev());
    let has = |folder: &Path, program| is_executable(&folder.join(program));
    folders
        .into_iter()
        .find(|folder| has(folder, "initdb") && has(folder, "postgres") && has(folder, "psql"))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Returns user and group as which the server may run.
pub(super) fn unprivileged_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("the system has a list of users");
    let found = USERS.iter().find_map(|name| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    found.expect("the system has a user without privileges")
}

/// Returns the processes whose parent is the given one.
pub(super) fn children_of(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let parent = parent.as_raw_nonzero().to_string();
    pids.filter_map(Pid::from_raw)
        .filter(|pid| field_of(*pid, PARENT).is_some_and(|found| found == parent))
        .collect()
}

/// Returns whether a process has ended and its parent has not taken notice yet.
pub(super) fn is_zombie(pid: Pid) -> bool {
    field_of(pid, STATE).is_some_and(|state| state == "Z")
}

/// Returns what the system says of a process, by the place after the name of its program; `None`: there is none such.
fn field_of(pid: Pid, place: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(place).map(str::to_owned)
}
