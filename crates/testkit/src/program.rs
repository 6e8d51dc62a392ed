//! The program under test, and how it was built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// Name of the program under test, and of its package.
const NAME: &str = "sinch-callbacks";

/// Folder of the workspace in which the program is built.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Returns the program that Cargo built together with the running test.
pub fn of_the_test() -> PathBuf {
    // Cargo says where the program is. A test that is run by hand finds it in the folder above the test's own.
    let told = env::var_os(format!("CARGO_BIN_EXE_{NAME}")).map(PathBuf::from);
    told.unwrap_or_else(|| {
        let test = env::current_exe().expect("a test knows its own path");
        let beside = test.ancestors().nth(2).map(|folder| folder.join(NAME));
        beside
            .filter(|program| program.exists())
            .expect("the program is built: use cargo test")
    })
}

/// Returns the program under test as the container ships it, in Cargo's profile `dist`. The first call builds the
/// program, and prints where it is.
pub fn as_shipped() -> &'static Path {
    static SHIPPED: LazyLock<PathBuf> = LazyLock::new(|| {
        let program = build_shipped();
        eprintln!("measured: {}", program.display());
        program
    });
    &SHIPPED
}

fn build_shipped() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(WORKSPACE)
        .args([
            "build",
            "--profile",
            "dist",
            "--package",
            NAME,
            "--bin",
            NAME,
        ])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(built.status.success(), "the program cannot be built");
    let told = String::from_utf8_lossy(&built.stdout);
    let executable = told.lines().rev().find_map(executable_in);
    executable.expect("cargo says where the program is")
}

/// Returns the path of the program that Cargo has built, if a message of Cargo says it.
fn executable_in(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    message["executable"].as_str().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_program_is_read_from_what_cargo_tells() {
        for (message, expected) in [
            (
                r#"{"reason":"compiler-artifact","executable":"/t/dist/p"}"#,
                Some("/t/dist/p"),
            ),
            (r#"{"reason":"compiler-artifact","executable":null}"#, None),
            (r#"{"reason":"build-finished","success":true}"#, None),
            ("a line of a build script", None),
        ] {
            assert_eq!(
                executable_in(message),
                expected.map(PathBuf::from),
                "{message}"
            );
        }
    }
}
