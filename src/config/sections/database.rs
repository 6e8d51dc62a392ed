//! Section `[database]`: the file in which everything is kept.

use std::path::PathBuf;

use crate::config::keys::reader::{Reader, default_of};

/// Prefixes of texts that SQLite does not take for a path: they name a database that is no plain file.
const NO_PATHS: [&str; 3] = [":memory:", "file:", "sqlite:"];

/// Section `[database]`: the file in which everything is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// Path of the database file.
    pub path: PathBuf,
    /// Maximum number of callbacks that wait for the disk at once.
    pub waiting_max: usize,
    /// Number of bytes of disk space that callbacks must leave free.
    pub free_min_bytes: u64,
}

impl Default for Database {
    fn default() -> Database {
        default_of(Database::read)
    }
}

impl Database {
    /// Reads the section `[database]`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Database {
        reader.section(
            "database",
            "The file in which everything is kept.",
            |keys| Database {
                path: read_path(keys).into(),
                waiting_max: keys
                    .doc("Maximum number of callbacks that wait for the disk. Further ones are answered 503.")
                    .whole("waiting_max", 384, 1..=1_000_000),
                free_min_bytes: keys
                    .doc(
                        "Bytes of the disk that are reserved for processing what was taken: with \
                         less than that free, callbacks are answered 503. 0: they are taken until \
                         the disk is full.",
                    )
                    .whole("free_min_bytes", 64 << 20, 0..=1 << 50),
            },
        )
    }
}

fn read_path(keys: &mut Reader<'_>) -> String {
    let path = keys
        .doc("Path of the file, on a local disk.")
        .text("path", "sinch-callbacks.db");
    if path.is_empty() {
        keys.fault(&keys.at("path"), "empty; write the path of a file");
    }
    if NO_PATHS.iter().any(|form| path.starts_with(form)) {
        let what = "not a path; write that of a file on a local disk";
        keys.fault(&keys.at("path"), what);
    }
    path
}
