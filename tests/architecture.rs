//! Test of the dependencies: which module or crate may name which other, checked against the source.
//!
//! Not checked: comments, a file from its `#[cfg(test)] mod tests {` on, and the files in `tests`. Tests may name what
//! they need. Modules are imported line by line, so `crate::{…}` counts as a fault. What a crate may name of other
//! crates is in its manifest as well, so here it is only held to the words of [`WORDS`] and [`IMPURE`].

use std::fs;
use std::path::Path;

/// Crates of this workspace beside the service, by the names that code has for them.
const CRATES: [&str; 6] = [
    "notifications",
    "number_order",
    "order_form",
    "sinch_numbers",
    "sinch_simulator",
    "testkit",
];

/// Crates and modules of the service, each with the others that it may name.
const MODULES: [(&str, &str); 22] = [
    ("number_order", ""),
    ("notifications", "number_order"),
    ("sinch_numbers", "number_order"),
    ("order_form", "sinch_numbers"),
    ("sinch_simulator", "number_order sinch_numbers"),
    ("testkit", "number_order sinch_numbers sinch_simulator"),
    ("exposure", ""),
    ("files", ""),
    ("explain", "notifications number_order"),
    ("redact", ""),
    (
        "store",
        "notifications number_order exposure explain redact",
    ),
    ("metrics", "notifications number_order store explain redact"),
    ("traces", "number_order store redact"),
    ("clock", "number_order"),
    ("sinch", "number_order sinch_numbers"),
    (
        "http",
        "notifications number_order sinch_numbers sinch store metrics traces clock explain redact",
    ),
    (
        "worker",
        "notifications number_order sinch_numbers sinch store metrics traces clock redact",
    ),
    ("config", "notifications number_order exposure files"),
    ("telemetry", "config redact"),
    (
        "app",
        "notifications number_order sinch_numbers sinch store metrics traces clock http worker config telemetry redact",
    ),
    (
        "commands",
        "notifications number_order sinch_numbers order_form sinch_simulator sinch store metrics traces clock files http worker config telemetry redact app",
    ),
    // The command line may name only the commands.
    ("main", "commands"),
];

/// Folders of the store's backends, and of what they share. Of the store, only they name sqlx: its face and the types that
/// cross it know no database.
const BACKENDS: [&str; 4] = [
    "/store/sqlite/",
    "/store/postgres/",
    "/store/sql/",
    "/store/tests/",
];

/// Names from outside the workspace, each with the only modules that may use it.
const WORDS: [(&str, &str); 7] = [
    ("sqlx", "store testkit"),
    ("axum::", "http sinch_simulator testkit"),
    (
        "reqwest",
        "sinch_numbers sinch_simulator worker traces commands",
    ),
    ("opentelemetry", "traces"),
    ("Timestamp::now", "clock testkit"),
    ("SystemTime::now", "clock"),
    ("Zoned::now", "clock"),
];

/// Pure crates.
const PURE: [&str; 3] = ["notifications", "number_order", "order_form"];

/// Names that a pure crate must not contain.
const IMPURE: [&str; 6] = [
    "tokio", "Instant", "std::fs", "std::net", "std::env", "fastrand",
];

/// The only name of the rules that the client may use: it says what Sinch said, and decides nothing.
const OF_THE_RULES: &str = "Id";

fn lists(modules: &str, module: &str) -> bool {
    modules.split(' ').any(|listed| listed == module)
}

/// First word of a path.
fn word(path: &str) -> &str {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    &path[..end.unwrap_or(path.len())]
}

/// Modules and crates of this workspace that the code names.
fn named<'a>(module: &str, code: &'a str) -> Vec<&'a str> {
    let own_crate = CRATES.contains(&module);
    let prefixes = if own_crate {
        &["sinch_callbacks::"][..]
    } else {
        &["crate::", "sinch_callbacks::"][..]
    };
    let modules = prefixes
        .iter()
        .flat_map(|own| code.split(own).skip(1))
        .map(word);
    let crates = CRATES
        .into_iter()
        .filter(|name| code.contains(&format!("{name}::")));
    modules
        .chain(crates)
        .filter(|named| *named != module)
        .collect()
}

/// Code of a file, without its comments and its module of tests.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = code.unwrap_or_default().lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the names that a file of the given module contains and must not.
fn faults(module: &str, text: &str) -> Vec<String> {
    let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{module} is no module that this test knows")];
    };
    let code = code(text);
    let named = named(module, &code)
        .into_iter()
        .filter(|named| !lists(allowed, named));
    let words = WORDS.iter().filter(|(_, modules)| !lists(modules, module));
    let words = words.map(|(word, _)| *word);
    let impure = IMPURE.into_iter().filter(|_| PURE.contains(&module));
    let words = words.chain(impure).filter(|word| code.contains(word));
    let rules = code.split("number_order::").skip(1).map(word);
    let rules = rules.filter(|name| module == "sinch_numbers" && *name != OF_THE_RULES);
    named
        .chain(words)
        .chain(rules)
        .map(|what| format!("{module} names {what:?}"))
        .collect()
}

/// Returns `true` if a file of the store names sqlx, and is of no backend.
fn is_face_that_names_sqlx(path: &str, text: &str) -> bool {
    let is_backend = BACKENDS.iter().any(|folder| path.contains(folder));
    !is_backend && code(text).contains("sqlx")
}

/// Checks every file of a folder and returns their number. Without a module given, each file or folder of the topmost
/// folder is a module.
fn check(folder: &Path, module: Option<&str>, found: &mut Vec<String>) -> usize {
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("the source can be read") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|name| name.to_str());
        let stem = stem.expect("a name");
        let is_lib_of_service = module.is_none() && stem == "lib";
        let module = module.unwrap_or(stem);
        if stem == "tests" || is_lib_of_service {
            continue;
        }
        if path.is_dir() {
            seen += check(&path, Some(module), found);
        } else {
            let text = fs::read_to_string(&path).expect("the source can be read");
            let mut faults = faults(module, &text);
            if module == "store" && is_face_that_names_sqlx(&path.to_string_lossy(), &text) {
                faults.push("only a backend names \"sqlx\"".to_owned());
            }
            let faults = faults.into_iter();
            found.extend(faults.map(|fault| format!("{}: {fault}", path.display())));
            seen += 1;
        }
    }
    seen
}

#[test]
fn the_arrows_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut seen = check(&root.join("src"), None, &mut found);
    for name in CRATES {
        let folder = root.join("crates").join(name.replace('_', "-")).join("src");
        seen += check(&folder, Some(name), &mut found);
    }
    assert!(seen > 120, "only {seen} files were checked");
    assert!(found.is_empty(), "{found:#?}");
}

/// A crate that no list names would not be checked.
#[test]
fn every_crate_is_checked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy().replace('-', "_");
        assert!(CRATES.contains(&name.as_str()), "{name} is not in the list");
    }
}

/// The control: each kind of fault is found in a text that has it.
#[test]
fn a_forbidden_import_is_found() {
    for (module, line) in [
        ("number_order", "use sinch_numbers::signature;"),
        ("number_order", "use std::time::Instant;"),
        ("order_form", "use number_order::Id;"),
        ("order_form", "let content = std::fs::read(path);"),
        ("sinch_numbers", "use sqlx::Row;"),
        ("sinch_numbers", "use number_order::Answer;"),
        ("sinch", "use crate::store::Store;"),
        ("store", "use crate::sinch::FetchError;"),
        ("store", "use sinch_numbers::api;"),
        ("store", "fn f() { crate::clock::now() }"),
        ("store", "use crate::{clock::now, worker::Fetcher};"),
        ("store", "use axum::Json;"),
        ("worker", "let pool: sqlx::SqlitePool;"),
        ("worker", "let now = jiff::Timestamp::now();"),
        ("http", "use reqwest::Client;"),
        ("app", "use sinch_simulator::World;"),
        ("commands", "use testkit::Service;"),
        ("testkit", "use sinch_callbacks::clock;"),
        ("main", "use sinch_callbacks::store::Store;"),
        ("attic", ""),
    ] {
        assert_eq!(faults(module, line).len(), 1, "{module}: {line}");
    }
    let sqlx = "use sqlx::Row;";
    assert!(is_face_that_names_sqlx("src/store/types/claim.rs", sqlx));
    assert!(!is_face_that_names_sqlx("src/store/sqlite/claims.rs", sqlx));
    let fine =
        "// crate::app\nuse number_order::Id;\n#[cfg(test)]\nmod tests {\n use crate::app; }";
    assert_eq!(faults("store", fine), Vec::<String>::new());
}
