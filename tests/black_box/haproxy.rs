//! The balancer and proxy `HAProxy`, where it is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Output, Process};

/// Finds the program.
pub fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let mut found = folders.map(|folder| folder.join("haproxy"));
    found.find(|program: &PathBuf| Path::is_file(program))
}

/// Runs the program with a configuration.
pub fn run(program: &Path, configuration: &Path) -> Process {
    let arguments = ["-db".as_ref(), "-f".as_ref(), configuration.as_os_str()];
    Process::spawn(Command::new(program), arguments, Output::Kept)
}
