//! Packages of Python, each installed in a folder of a test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::not_tried;

/// Makes an environment of Python with a package, and returns the folder of its programs; `None`: it cannot be had here.
pub fn with_package(folder: &Path, package: &str, what: &str) -> Option<PathBuf> {
    let place = folder.join("python");
    let programs = place.join("bin");
    let is_done =
        |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let is_here = is_done(Command::new("python3").args(["-m", "venv"]).arg(&place))
        && is_done(
            Command::new(programs.join("python"))
                .args(["-m", "pip", "install", "--quiet", package]),
        );
    if !is_here {
        not_tried(&format!("{what}: {package} cannot be installed"));
    }
    is_here.then_some(programs)
}
