//! Section `[database]`: the file, or the PostgreSQL server, that keeps everything.

use std::path::PathBuf;

use secrecy::SecretString;

#[cfg(feature = "postgres")]
use super::database_url::DatabaseUrl;
use crate::config::keys::doc::ShownValue;
use crate::config::keys::hidden::Kind;
use crate::config::keys::reader::{Reader, default_of};
use crate::config::source::key::Key;

/// Prefixes of texts that SQLite does not take for a path: they name a database that is no plain file.
const NO_PATHS: [&str; 3] = [":memory:", "file:", "sqlite:"];

/// Section `[database]`: the file, or the PostgreSQL server, that keeps everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// Place of the data.
    pub place: DatabasePlace,
    /// Path of the file: the place of the data, or of what `copy-store` copies to the server that is the place.
    pub path: PathBuf,
    /// Maximum number of callbacks that wait for the disk at once.
    pub waiting_max: usize,
    /// Number of bytes of disk space that callbacks must leave free. A server's disk is not measured.
    pub free_min_bytes: u64,
    /// `true` if callbacks are taken although the server may lose what it has committed.
    pub lossy_commits: bool,
}

/// Place of the data.
#[derive(Clone, Debug, PartialEq)]
pub enum DatabasePlace {
    /// File of SQLite's at the given path.
    File(PathBuf),
    /// Database of a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Server(DatabaseUrl),
}

impl Default for Database {
    fn default() -> Database {
        default_of(Database::read)
    }
}

impl Database {
    /// Reads the section `[database]`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Database {
        let text = "The file, or the PostgreSQL server, that keeps everything.";
        reader.section("database", text, |keys| {
            let path: PathBuf = read_path(keys).into();
            let server = read_server(keys);
            Database {
                place: server.unwrap_or_else(|| DatabasePlace::File(path.clone())),
                path,
                waiting_max: keys
                    .doc("Maximum number of callbacks that wait for the disk. Further ones are answered 503.")
                    .whole("waiting_max", 384, 1..=1_000_000),
                free_min_bytes: keys
                    .doc(
                        "Bytes of the file's disk that are reserved for processing what was taken: \
                         with less than that free, callbacks are answered 503. 0: they are taken \
                         until the disk is full.",
                    )
                    .whole("free_min_bytes", 64 << 20, 0..=1 << 50),
                lossy_commits: keys
                    .doc(
                        "Take callbacks though the server may lose what it has committed, since \
                         its fsync or synchronous_commit is off. For trials only.",
                    )
                    .flag("lossy_commits", false),
            }
        })
    }
}

fn read_path(keys: &mut Reader<'_>) -> String {
    let path = keys
        .doc("Path of the file, on a local disk. Where url is set, only copy-store uses it.")
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

/// Reads the address of a server; `None` if there is none, or if it has a fault.
fn read_server(keys: &mut Reader<'_>) -> Option<DatabasePlace> {
    let given = keys
        .doc(
            "Address of a database of a PostgreSQL server, which then keeps everything, for any \
             number of instances. The server's certificate is verified unless ?sslmode= says \
             otherwise. docs/stores.md tells which store is for whom.",
        )
        .optional_secret("url", ShownValue::Example("\"postgres://...\""));
    let file = keys
        .doc("File that holds the address, instead of url.")
        .optional_path(
            "url_file",
            ShownValue::Example("\"/run/secrets/database-url\""),
        );
    let (at, url) = keys.secret(
        Kind::Other,
        (keys.at("url"), given),
        (keys.at("url_file"), file),
    )?;
    server_place(keys, &at, &url)
}

#[cfg(feature = "postgres")]
fn server_place(keys: &mut Reader<'_>, at: &Key, url: &SecretString) -> Option<DatabasePlace> {
    let parsed = DatabaseUrl::parse(url);
    match parsed.and_then(|url| url.check_files().map(|()| url)) {
        Ok(url) => {
            if let Some(doubt) = url.doubt() {
                keys.warn(at, doubt);
            }
            Some(DatabasePlace::Server(url))
        }
        Err(what) => {
            keys.fault(at, &what);
            None
        }
    }
}

#[cfg(not(feature = "postgres"))]
fn server_place(keys: &mut Reader<'_>, at: &Key, _: &SecretString) -> Option<DatabasePlace> {
    let what = "this program was built without PostgreSQL; leave the key out, or build it with the feature postgres";
    keys.fault(at, what);
    None
}
