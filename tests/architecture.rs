//! Direction of the dependencies: which module may name which other, checked against the source.
//!
//! Not checked: comments, a file from its `#[cfg(test)] mod tests {` on, and the files in `tests`. Tests may name what
//! they need. Modules are imported line by line, so `crate::{…}` counts as a fault.

use std::fs;
use std::path::Path;

/// Modules, each with the other modules that it may name.
const ROOMS: [(&str, &str); 15] = [
    ("order", ""),
    ("exposure", ""),
    ("redact", ""),
    ("sinch", "order"),
    ("store", "order exposure redact"),
    ("metrics", "order store redact"),
    ("clock", "order"),
    ("http", "order sinch store metrics clock redact"),
    ("worker", "order sinch store metrics clock redact"),
    ("config", "order exposure"),
    ("telemetry", "config redact"),
    ("simulator", "order sinch"),
    (
        "app",
        "order sinch store metrics clock http worker config telemetry redact",
    ),
    (
        "commands",
        "order sinch store metrics clock http worker config telemetry redact simulator app",
    ),
    // The command line knows the commands alone.
    ("main", "commands"),
];

/// Names from outside the crate, each with the only modules that may use it.
const WORDS: [(&str, &str); 6] = [
    ("sqlx", "store"),
    ("axum::", "http simulator"),
    ("reqwest", "sinch simulator commands"),
    ("Timestamp::now", "clock"),
    ("SystemTime::now", "clock"),
    ("Zoned::now", "clock"),
];

/// Names that the pure module, `order`, must not contain.
const IMPURE: [&str; 6] = [
    "tokio", "Instant", "std::fs", "std::net", "std::env", "fastrand",
];

fn lists(rooms: &str, room: &str) -> bool {
    rooms.split(' ').any(|listed| listed == room)
}

/// Names that a file of this module contains and must not.
fn faults(room: &str, text: &str) -> Vec<String> {
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{room} is no room that this test knows")];
    };
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = code.unwrap_or_default().lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let named = ["crate::", "sinch_callbacks::"]
        .iter()
        .flat_map(|own| code.split(own).skip(1))
        .map(|path| {
            path.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .map(Option::unwrap_or_default)
        .filter(|named| *named != room && !lists(allowed, named));
    let said = WORDS.iter().filter(|(_, rooms)| !lists(rooms, room));
    let said = said.map(|(word, _)| *word);
    let impure = IMPURE.into_iter().filter(|_| room == "order");
    let said = said.chain(impure).filter(|word| code.contains(word));
    named
        .chain(said)
        .map(|what| format!("{room} names {what:?}"))
        .collect()
}

/// Checks every file of a folder and returns their number. A file or folder of the topmost folder is a module.
fn look(folder: &Path, room: Option<&str>, found: &mut Vec<String>) -> usize {
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("the source can be read") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|name| name.to_str());
        let stem = stem.expect("a name");
        let room = room.unwrap_or(stem);
        if stem == "tests" || stem == "lib" {
            continue;
        }
        if path.is_dir() {
            seen += look(&path, Some(room), found);
        } else {
            let text = fs::read_to_string(&path).expect("the source can be read");
            let faults = faults(room, &text).into_iter();
            found.extend(faults.map(|fault| format!("{}: {fault}", path.display())));
            seen += 1;
        }
    }
    seen
}

#[test]
fn the_arrows_point_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let seen = look(&source, None, &mut found);
    assert!(seen > 40, "only {seen} files were looked at");
    assert!(found.is_empty(), "{found:#?}");
}

/// The control: each kind of fault is found.
#[test]
fn a_crooked_arrow_is_found() {
    for (room, line) in [
        ("order", "use crate::store::Store;"),
        ("order", "fn f() { crate::clock::now() }"),
        ("order", "use std::time::Instant;"),
        ("order", "async fn f() { tokio::task::yield_now().await }"),
        ("store", "use crate::{order::Id, worker::Fetcher};"),
        ("store", "use axum::Json;"),
        ("worker", "let pool: sqlx::SqlitePool;"),
        ("worker", "let now = jiff::Timestamp::now();"),
        ("worker", "use reqwest::Client;"),
        ("app", "use crate::simulator::World;"),
        ("main", "use sinch_callbacks::store::Store;"),
        ("attic", ""),
    ] {
        assert_eq!(faults(room, line).len(), 1, "{room}: {line}");
    }
    let fine = "// crate::app\nuse crate::order;\n#[cfg(test)]\nmod tests {\n use crate::app; }";
    assert_eq!(faults("store", fine), Vec::<String>::new());
}
